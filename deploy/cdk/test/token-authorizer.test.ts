import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { App, aws_sns as sns, Duration, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketMockIntegration, HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { TokenAuthorizer, TokenAuthorizerSettings } from '../src';
import { SETTINGS } from '../src/settings';
import { ApiStack } from './example';
import { authorizer, folder, TRUST, zip } from './support';

/** The variables of a function with these settings. */
function variables(settings: object): Record<string, string> {
  const { stack } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
  const [fn] = Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'));
  return fn.Properties.Environment.Variables;
}

function problems(settings: object): string {
  try {
    authorizer({ settings: settings as TokenAuthorizerSettings });
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

test('every setting of the program can be given', () => {
  const address = 'https://login.example.com/x';
  const good: Record<string, [unknown, string]> = {
    ISSUER: [[address, TRUST.ISSUER], `${address},${TRUST.ISSUER}`],
    ISSUERS: [[{ a: 1 }], '[{"a":1}]'],
    JWKS_URI: [address, address],
    RESOURCE_METADATA: [address, address],
    ROUTES: [{ 'GET /pets': [] }, '{"GET /pets":[]}'],
    TOKEN_SOURCE: [['header:a', 'query:b'], 'header:a,query:b'],
  };
  const byKind: Record<string, [unknown, string]> = { text: ['x', 'x'], list: [['a', 'b'], 'a,b'], json: [{ a: 1 }, '{"a":1}'] };
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const limit = 'min' in setting ? setting.min : 'of' in setting ? setting.of[0] : undefined;
    const [value, text] = good[name] ?? (limit === undefined ? byKind[setting.kind] : [limit, String(limit)]);
    if (name.startsWith('AWS_LAMBDA_')) {
      assert.match(problems({ ...TRUST, [name]: value }), new RegExp(`${name}: no such setting`));
    } else {
      assert.equal(variables({ [name]: value })[name], text, name);
    }
  }
});

test('settings are typed', () => {
  const settings: TokenAuthorizerSettings[] = [
    { ISSUERS: [{ issuer: 'https://login.example.com', audience: ['pets'] }] },
    { ...TRUST, ALGORITHMS: ['RS256', 'EdDSA'], REFUSAL: 'unauthorized', LEEWAY_SECONDS: 30, ROUTES: '@/opt/routes.json' },
    // @ts-expect-error no such word
    { ...TRUST, REFUSAL: 'allow' },
    // @ts-expect-error no such algorithm
    { ...TRUST, ALGORITHMS: ['none'] },
    // @ts-expect-error no such setting
    { ...TRUST, ROUTE: {} },
    // @ts-expect-error nobody is trusted
    { AUDIENCE: 'https://pets.example.com' },
    // @ts-expect-error a number
    { ...TRUST, LEEWAY_SECONDS: 'soon' },
  ];
  assert.equal(settings.length, 7);
});

test('what is wrong is said at once', () => {
  const message = problems({ AUDIENCE: ['a b'], ALGORITHMS: 'RS256 none', LEEWAY_SECONDS: 301, REFUSAL: 'no', ROUTE: {}, JWKS_TIMEOUT_MS: 99.5 });
  for (const line of [
    "AUDIENCE: 'a b': the members of a list cannot contain commas or spaces",
    'ALGORITHMS: none: must be a list out of RS256, RS384',
    'LEEWAY_SECONDS: 301: must be a whole number from 0 to 300',
    'REFUSAL: no: must be deny or unauthorized',
    'ROUTE: no such setting; there are ISSUER, TENANTS, AUDIENCE, ',
    'JWKS_TIMEOUT_MS: 99.5: must be a whole number from 100 to 10000',
    'ISSUER and AUDIENCE, or ISSUERS: needed to know whom to trust',
  ]) {
    assert.ok(message.includes(line), `${line}\nis not in\n${message}`);
  }
  for (const [edge, isGood] of [[0, true], [300, true], [-1, false]] as const) {
    assert.equal(problems({ ...TRUST, LEEWAY_SECONDS: edge }) === 'none', isGood, `${edge}`);
  }
  assert.match(problems({ ...TRUST, toString: 'x' }), /toString: no such setting/);
  assert.match(problems({ ...TRUST, JWKS_CA_FILE: 'x'.repeat(4096) }), /4\d\d\d bytes as JSON, and Lambda accepts 4096/);
});

test('what can be seen of tables, addresses and JSON is checked', () => {
  const issuer = { issuer: TRUST.ISSUER, audience: 'pets' };
  for (const [settings, problem] of [
    [{ ROUTES: { 'get /pets': [] } }, /ROUTES: get \/pets: must be a verb \(ANY, DELETE, GET/],
    [{ ROUTES: '{"FETCH /pets": []}' }, /ROUTES: FETCH \/pets: must be a verb/],
    [{ ROUTES: { 'GET pets': [] } }, /GET pets: must be a verb/],
    [{ ROUTES: { 'GET  /pets': [] } }, /must be a verb/],
    [{ ROUTES: { $disconnect: [] } }, /\$disconnect: must be a verb/],
    [{ ROUTES: {} }, /ROUTES: an empty table/],
    [{ ROUTES: '{"GET /pets": []' }, /ROUTES: must be a JSON object/],
    [{ ROUTES: ['GET /pets'] }, /ROUTES: must be a JSON object/],
    [{ ROUTES: '@' }, /ROUTES: must be a JSON object, or @ and the path/],
    [{ REQUIRED_CLAIMS: 'token_use=access' }, /REQUIRED_CLAIMS: must be a JSON object/],
    [{ ISSUERS: { issuer: 'x' } }, /ISSUERS: must be a JSON array/],
    [{ ISSUERS: [issuer, { ...issuer, routes: { 'PUSH /pets': [] } }] }, /ISSUERS: member 2: routes: PUSH \/pets: must be a verb/],
    [{ ISSUERS: JSON.stringify([{ ...issuer, jwks_uri: 'http://login.example.com/keys' }]) }, /ISSUERS: member 1: jwks_uri: http:\/\/login/],
    [{ ISSUERS: [{ ...issuer, issuer: 'login.example.com' }] }, /ISSUERS: member 1: issuer: login.example.com: must be an absolute https URL/],
    [{ ISSUERS: [{ ...issuer, revoked: 'http://lists.example.com' }] }, /ISSUERS: member 1: revoked: http/],
    [{ ...TRUST, ISSUER: 'http://login.example.com' }, /ISSUER: http:\/\/login.example.com: must be an absolute https URL/],
    [{ ...TRUST, ISSUER: [TRUST.ISSUER, 'login.example.com'] }, /ISSUER: login.example.com: must/],
    [{ JWKS_URI: 'http://10.0.0.1/keys' }, /JWKS_URI: http/],
    [{ JWKS_URI: 'http://localhost.example.com/keys' }, /JWKS_URI: http/],
    [{ RESOURCE_METADATA: '/metadata' }, /RESOURCE_METADATA: \/metadata: must/],
    [{ REVOKED: 'ftp://lists.example.com/revoked?signature=secret' }, /REVOKED: ftp:\/\/lists.example.com\/revoked: must/],
    [{ ALGORITHMS: ' , ' }, /ALGORITHMS: ' , ': must have at least one member/],
  ] as const) {
    assert.match(problems({ ...TRUST, ...settings }), problem);
    assert.doesNotMatch(problems({ ...TRUST, ...settings }), /secret/);
  }
  for (const settings of [
    { ROUTES: { 'ANY /*': [], 'GET /pets/{id}': [], $connect: [] } },
    { JWKS_URI: 'http://127.0.0.1:8080/keys' },
    { JWKS_URI: 'http://[::1]/keys' },
    { ISSUER: 'partner', JWKS: { keys: [] } },
    { REVOKED: { jti: [] }, REQUIRED_CLAIMS: '@/opt/claims.json', TRIAL: '{"audience": "x"}' },
    { ISSUERS: [{ ...issuer, issuer: 'partner', jwks: { keys: [] } }] },
  ]) {
    assert.equal(problems({ ...TRUST, ...settings }), 'none', JSON.stringify(settings));
  }
});

test('blank counts as unset', () => {
  assert.deepEqual(variables({ REQUIRED_SCOPES: ' ', JWKS_URI: undefined, ROUTES: '' }), TRUST);
  assert.match(problems({ ...TRUST, ISSUER: ' ' }), /whom to trust/);
});

test('a value that is known at deployment only is handed on', () => {
  const stack = new Stack();
  const issuer = new apigateway.RestApi(stack, 'Idp');
  issuer.root.addMethod('GET');
  new TokenAuthorizer(stack, 'Authorizer', {
    settings: { ISSUERS: [{ issuer: issuer.url, audience: 'pets' }] },
    code: lambda.Code.fromAsset(zip),
  });
  Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { ISSUERS: { 'Fn::Join': Match.anyValue() } } },
  });
});

test('the function is that of the SAM template', () => {
  const { stack } = authorizer({ memorySize: 256, logLevel: 'DEBUG' });
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::Lambda::Function', {
    Runtime: 'provided.al2023',
    Handler: 'bootstrap',
    Architectures: ['arm64'],
    MemorySize: 256,
    Timeout: 10,
    LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel: 'DEBUG', SystemLogLevel: 'INFO', LogGroup: Match.anyValue() },
  });
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  template.resourceCountIs('AWS::CloudWatch::Alarm', 0);
  // Nothing but its own log, and no managed policy that allows more.
  template.hasResourceProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent() });
  template.resourcePropertiesCountIs('AWS::IAM::Policy', {
    PolicyDocument: { Statement: [{ Effect: 'Allow', Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: { 'Fn::GetAtt': [Match.stringLikeRegexp('Log'), 'Arn'] } }] },
  }, 1);
});

test('a log of text has no levels', () => {
  const { stack } = authorizer({ logFormat: 'TEXT', architecture: lambda.Architecture.X86_64 });
  Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
    Architectures: ['x86_64'],
    LoggingConfig: { LogFormat: 'Text', ApplicationLogLevel: Match.absent(), SystemLogLevel: Match.absent() },
  });
});

test('a word that is none of those is refused', () => {
  assert.throws(() => authorizer({ logLevel: 'debug' as 'DEBUG' }), /logLevel: debug: must be TRACE or DEBUG/);
  assert.throws(() => authorizer({ logFormat: 'json' as 'JSON' }), /logFormat: json: must be JSON or TEXT/);
  assert.throws(() => authorizer().it.forRestApi({ type: 'token' as 'TOKEN' }), /type: token: must be TOKEN or REQUEST/);
});

test('in a VPC the function may have network interfaces', () => {
  const stack = new Stack();
  new TokenAuthorizer(stack, 'Authorizer', { settings: TRUST, code: lambda.Code.fromAsset(zip), vpc: new ec2.Vpc(stack, 'Vpc') });
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Action: Match.arrayWith(['ec2:CreateNetworkInterface']) })]) },
  });
});

test('alarms have a namespace of their own', () => {
  const stack = new Stack(new App(), 'Pets');
  const actions = [new SnsAction(new sns.Topic(stack, 'Topic'))];
  const settings = { ...TRUST };
  const it = new TokenAuthorizer(stack, 'Authorizer', { settings, code: lambda.Code.fromAsset(zip), alarms: { actions, keyAge: Duration.hours(1) } });
  const template = Template.fromStack(stack);
  assert.equal(it.alarms.length, 3);
  const namespace = 'TokenAuthorizer/Pets/Authorizer';
  template.hasResourceProperties('AWS::Lambda::Function', { Environment: { Variables: { METRICS_NAMESPACE: namespace } } });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', { Namespace: namespace, MetricName: 'Unavailable', Threshold: 1, Statistic: 'Sum' });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', { Namespace: namespace, MetricName: 'KeyAge', Threshold: 3600, Statistic: 'Maximum' });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', { Namespace: 'AWS/Lambda', MetricName: 'Errors' });
  template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [Match.anyValue()], OKActions: [Match.anyValue()], TreatMissingData: 'notBreaching' });
  assert.deepEqual(settings, TRUST, 'what the caller gave stays as it was');
});

test('a revocation list has an alarm', () => {
  const { stack } = authorizer({ settings: { ...TRUST, REVOKED: 'https://lists.example.com/revoked.json' }, alarms: { revocationAge: Duration.minutes(10) } });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::CloudWatch::Alarm', 4);
  template.hasResourceProperties('AWS::CloudWatch::Alarm', { MetricName: 'RevocationAge', Threshold: 600, Statistic: 'Maximum' });
});

test('with REFUSAL=unauthorized errors of the function raise no alarm', () => {
  const { stack } = authorizer({ settings: { ...TRUST, REFUSAL: 'unauthorized', METRICS_NAMESPACE: 'Pets' }, alarms: {} });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::CloudWatch::Alarm', 2);
  template.allResourcesProperties('AWS::CloudWatch::Alarm', { Namespace: 'Pets' });
});

/** The authorizer that a REST API gets, as CloudFormation sees it. */
function rest(settings: object, options?: Parameters<TokenAuthorizer['forRestApi']>[0]) {
  const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
  const api = new apigateway.RestApi(stack, 'Api', { defaultMethodOptions: { authorizer: it.forRestApi(options) } });
  api.root.addMethod('GET');
  return Template.fromStack(stack);
}

test('a REST API gets a TOKEN authorizer where the token is in one header', () => {
  const template = rest({});
  template.hasResourceProperties('AWS::ApiGateway::Authorizer', {
    Type: 'TOKEN',
    IdentitySource: 'method.request.header.Authorization',
    IdentityValidationExpression: '^[Bb][Ee][Aa][Rr][Ee][Rr] +[-_0-9A-Za-z]+\\.[-_0-9A-Za-z]+\\.[-_0-9A-Za-z]+$',
    AuthorizerResultTtlInSeconds: 300,
  });
  template.hasResourceProperties('AWS::ApiGateway::Method', { AuthorizationType: 'CUSTOM' });
  template.hasResourceProperties('AWS::Lambda::Permission', { Principal: 'apigateway.amazonaws.com', SourceArn: Match.anyValue() });
  rest({ TOKEN_SOURCE: 'header:X-Token', BEARER_PREFIX: 'optional' }).hasResourceProperties('AWS::ApiGateway::Authorizer', {
    IdentitySource: 'method.request.header.X-Token',
    IdentityValidationExpression: Match.stringLikeRegexp('^\\^\\(.*\\)\\?'),
  });
});

test('a REST API gets a REQUEST authorizer otherwise', () => {
  for (const [source, identity, ttl] of [
    ['query:token', 'method.request.querystring.token', 300],
    ['cookie:session', 'method.request.header.Cookie', 300],
    [['cookie:session', 'header:Cookie'], 'method.request.header.Cookie', 300],
    [['header:Authorization', 'cookie:session'], '', 0],
  ] as const) {
    rest({ TOKEN_SOURCE: source }).hasResourceProperties('AWS::ApiGateway::Authorizer', {
      Type: 'REQUEST',
      IdentitySource: identity,
      IdentityValidationExpression: Match.absent(),
      AuthorizerResultTtlInSeconds: ttl,
    });
  }
  rest({}, { type: 'REQUEST', resultsCacheTtl: Duration.minutes(1) }).hasResourceProperties('AWS::ApiGateway::Authorizer', {
    Type: 'REQUEST',
    IdentitySource: 'method.request.header.Authorization',
    AuthorizerResultTtlInSeconds: 60,
  });
});

test('challenges point to the metadata of the resource', () => {
  const responses = (settings: object) => {
    const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
    const api = new apigateway.RestApi(stack, 'Api', { defaultMethodOptions: { authorizer: it.forRestApi() } });
    api.root.addMethod('GET');
    it.addGatewayResponses(api);
    return Template.fromStack(stack);
  };
  const challenge = (settings: object, expected: string) =>
    responses(settings).hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
      ResponseType: 'UNAUTHORIZED',
      ResponseParameters: { 'gatewayresponse.header.WWW-Authenticate': `'${expected}'` },
    });
  const url = 'https://mcp.example.com/.well-known/oauth-protected-resource';
  challenge({}, 'Bearer realm="api"');
  challenge({ REFUSAL: 'unauthorized' }, 'Bearer realm="api", error="invalid_token"');
  challenge({ RESOURCE_METADATA: url }, `Bearer realm="api", resource_metadata="${url}"`);
  challenge(
    { REFUSAL: 'unauthorized', RESOURCE_METADATA: url },
    `Bearer realm="api", error="invalid_token", resource_metadata="${url}"`,
  );
  assert.throws(() => responses({ RESOURCE_METADATA: `${url}'` }), /write one as %27/);
  // RFC 6750 section 3: a client learns which scopes to ask for, in the order of the setting.
  challenge({ CHALLENGE_SCOPES: ['pets:write', 'pets:read'] }, 'Bearer realm="api", scope="pets:write pets:read"');
  challenge(
    { CHALLENGE_SCOPES: 'pets:read, openid', REFUSAL: 'unauthorized', RESOURCE_METADATA: url },
    `Bearer realm="api", error="invalid_token", scope="pets:read openid", resource_metadata="${url}"`,
  );
  assert.throws(() => responses({ CHALLENGE_SCOPES: "pets'" }), /CHALLENGE_SCOPES: stands between single quotes/);
});

test('a decision about one token never serves another', () => {
  const identitySources = ['method.request.header.X-Tenant'];
  assert.throws(() => rest({}, { identitySources }), /must hold method.request.header.Authorization/);
  assert.throws(() => rest({ TOKEN_SOURCE: 'cookie:session' }, { type: 'TOKEN' }), /one header/);
  assert.throws(() => rest({ TOKEN_SOURCE: 'query:a query:b' }, { resultsCacheTtl: Duration.minutes(1) }), /must be zero/);
  assert.throws(() => rest({ TOKEN_SOURCE: 'body:a' }), /must be header:NAME/);
  rest({}, { identitySources, resultsCacheTtl: Duration.seconds(0) });
  rest({}, { identitySources: [...identitySources, 'method.request.header.Authorization'] });
});

function http(settings: object, options?: Parameters<TokenAuthorizer['forHttpApi']>[0]) {
  const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
  const api = new apigatewayv2.HttpApi(stack, 'Api', { defaultAuthorizer: it.forHttpApi(options) });
  api.addRoutes({ path: '/pets', integration: new HttpUrlIntegration('Pets', 'https://pets.example.com') });
  return Template.fromStack(stack);
}

test('an HTTP API gets its authorizer', () => {
  const template = http({});
  template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    AuthorizerType: 'REQUEST',
    AuthorizerPayloadFormatVersion: '1.0',
    AuthorizerResultTtlInSeconds: 300,
    IdentitySource: ['$request.header.Authorization'],
  });
  template.hasResourceProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'CUSTOM' });
  template.resourceCountIs('AWS::Lambda::Permission', 1);
  http({ SIMPLE_RESPONSE: 'on' }).hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    AuthorizerPayloadFormatVersion: '2.0',
    EnableSimpleResponses: true,
    IdentitySource: ['$request.header.Authorization'],
  });
  http({ SIMPLE_RESPONSE: 'on', ROUTES: { 'GET /pets': [] } }).hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    IdentitySource: ['$request.header.Authorization', '$context.routeKey'],
  });
  http({ TOKEN_SOURCE: 'header:Authorization, cookie:session' }).hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    AuthorizerResultTtlInSeconds: 0,
    IdentitySource: [],
  });
});

test('a WebSocket API gets its authorizer', () => {
  for (const [source, identity] of [
    [undefined, ['route.request.header.Authorization']],
    ['query:token', ['route.request.querystring.token']],
    ['header:Authorization, query:token', []],
  ] as const) {
    const { stack, it } = authorizer({ settings: { ...TRUST, TOKEN_SOURCE: source } });
    new apigatewayv2.WebSocketApi(stack, 'Api', {
      connectRouteOptions: { integration: new WebSocketMockIntegration('Connect'), authorizer: it.forWebSocketApi() },
    });
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', { AuthorizerType: 'REQUEST', IdentitySource: [...identity] });
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: '$connect', AuthorizationType: 'CUSTOM' });
    template.resourceCountIs('AWS::Lambda::Permission', 1);
  }
});

test('every error of a REST API has the CORS header', () => {
  const { stack, it } = authorizer();
  const api = new apigateway.RestApi(stack, 'Api', { defaultMethodOptions: { authorizer: it.forRestApi() } });
  api.root.addMethod('GET');
  it.addGatewayResponses(api, 'https://example.com');
  const template = Template.fromStack(stack);
  // Types without a response of their own take headers from these; status and body stay API Gateway's.
  for (const type of ['DEFAULT_4XX', 'DEFAULT_5XX']) {
    template.hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
      ResponseType: type,
      StatusCode: Match.absent(),
      ResponseTemplates: Match.absent(),
      ResponseParameters: { 'gatewayresponse.header.Access-Control-Allow-Origin': `'https://example.com'` },
    });
  }
  template.allResourcesProperties('AWS::ApiGateway::GatewayResponse', {
    ResponseParameters: Match.objectLike({ 'gatewayresponse.header.Access-Control-Allow-Origin': `'https://example.com'` }),
  });
});

test('one function serves several APIs', () => {
  const { stack, it } = authorizer();
  for (const id of ['One', 'Two']) {
    const api = new apigateway.RestApi(stack, id, { defaultMethodOptions: { authorizer: it.forRestApi({ id }) } });
    api.root.addMethod('GET');
    it.addGatewayResponses(api, 'https://example.com');
  }
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::ApiGateway::Authorizer', 2);
  template.resourceCountIs('AWS::ApiGateway::GatewayResponse', 12);
  template.hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
    ResponseType: 'ACCESS_DENIED',
    StatusCode: '403',
    ResponseParameters: {
      'gatewayresponse.header.WWW-Authenticate': 'context.authorizer.challenge',
      'gatewayresponse.header.Access-Control-Expose-Headers': `'WWW-Authenticate,X-Refusal-Reason'`,
      'gatewayresponse.header.X-Refusal-Reason': 'context.authorizer.reason',
      'gatewayresponse.header.Access-Control-Allow-Origin': `'https://example.com'`,
    },
  });
});

test('without a package of its own the library says so', () => {
  const bundled = path.join(__dirname, '..', 'assets', 'token-authorizer-arm64.zip');
  if (fs.existsSync(bundled)) {
    authorizer({ code: undefined });
  } else {
    assert.throws(() => authorizer({ code: undefined }), /was not taken from a release/);
  }
});

test('the example of the README deploys', () => {
  const readme = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
  const example = fs.readFileSync(path.join(__dirname, 'example.ts'), 'utf8');
  assert.ok(readme.includes(example.replace("'../src'; // 'token-authorizer-cdk'", "'token-authorizer-cdk'")), 'README.md has another');
  const here = process.cwd();
  process.chdir(folder);
  try {
    const template = Template.fromStack(new ApiStack(new App(), 'Pets'));
    template.hasResourceProperties('AWS::ApiGateway::Method', { HttpMethod: 'GET', AuthorizationType: 'CUSTOM' });
    template.hasResourceProperties('AWS::ApiGateway::Method', { HttpMethod: 'OPTIONS', AuthorizationType: 'NONE' });
    template.resourceCountIs('AWS::ApiGateway::GatewayResponse', 6);
    // A browser shows a script no answer without it: neither the errors nor the 200.
    template.allResourcesProperties('AWS::ApiGateway::GatewayResponse', {
      ResponseParameters: Match.objectLike({ 'gatewayresponse.header.Access-Control-Allow-Origin': `'*'` }),
    });
    template.hasResourceProperties('AWS::ApiGateway::Method', {
      HttpMethod: 'GET',
      Integration: { IntegrationResponses: [{ ResponseParameters: { 'method.response.header.Access-Control-Allow-Origin': `'*'` } }] },
      MethodResponses: [{ StatusCode: '200', ResponseParameters: { 'method.response.header.Access-Control-Allow-Origin': true } }],
    });
  } finally {
    process.chdir(here);
  }
});
