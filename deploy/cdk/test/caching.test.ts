// What API Gateway serves from its cache, simulated over the synthesized templates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App, CfnParameter, Duration, Lazy, Stack, Token } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Template } from 'aws-cdk-lib/assertions';
import { CachedAuthorizerOptions, RestAuthorizerOptions, TokenAuthorizerSettings } from '../src';
import { authorizer, TRUST } from './support';

const MINUTES = Duration.minutes(5);
const TOKEN = '$request.header.Authorization';
const ROUTE_KEY = '$context.routeKey';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly certificate?: { readonly serialNumber: string; readonly issuerDN: string };
}

/** What the function would decide about this request: rights by route for one token, and a certificate for the other. */
function isAllowed({ method, path, token, certificate }: Request): boolean {
  switch (token) {
    case 'reader':
      return `${method} ${path}` === 'GET /pets' || `${method} ${path}` === 'GET /pets/1';
    case 'bound':
      return certificate?.issuerDN === 'CN=ours';
    default:
      return false;
  }
}

const REQUESTS: Request[] = ['reader', 'bound', 'bad'].flatMap((token) =>
  [undefined, 'CN=ours', 'CN=other'].flatMap((issuerDN) =>
    ['GET /pets', 'DELETE /pets', 'DELETE /admin', 'GET /pets/1', 'GET /pets/secret'].map((request) => {
      const [method, path] = request.split(' ');
      // A serial number is unique for one authority only.
      return { method, path, token, certificate: issuerDN ? { serialNumber: '01', issuerDN } : undefined };
    }),
  ),
);

interface Authorizer {
  readonly sources: string[];
  readonly ttl: number;
  readonly isSimple: boolean;
}

/** The route of an HTTP API that takes a request; the most specific wins. */
function routeKey(routeKeys: string[], { method, path }: Request): string | undefined {
  const matches = routeKeys.filter((key) => {
    const [verb, pattern] = key.split(' ');
    const regex = pattern?.replace(/\{[^}]*\+\}/g, '.+').replace(/\{[^}]*\}/g, '[^/]+');
    return key === '$default' || ((verb === 'ANY' || verb === method) && new RegExp(`^${regex}$`).test(path));
  });
  const vagueness = (key: string) => (key === '$default' ? 4 : 0) + (key.includes('+}') ? 2 : key.includes('{') ? 1 : 0) + (key.startsWith('ANY') ? 0.5 : 0);
  return matches.sort((a, b) => vagueness(a) - vagueness(b))[0];
}

function value(source: string, request: Request, route: string): string | undefined {
  const [, name] = /(?:header|querystring)\.(.+)$/.exec(source) ?? [];
  switch (source.replace('$context', 'context')) {
    case 'context.routeKey':
      return route;
    case 'context.httpMethod':
      return request.method;
    case 'context.path':
      return request.path;
    case 'context.identity.clientCert.serialNumber':
      return request.certificate?.serialNumber;
    case 'context.identity.clientCert.issuerDN':
      return request.certificate?.issuerDN;
    default:
      return name?.toLowerCase() === 'authorization' ? `Bearer ${request.token}` : undefined;
  }
}

/** Answers with the cache filled by `first`; whoever comes later within the time to live gets what lies there. */
function serve(api: Authorizer, routeKeys: string[] | undefined, requests: Request[]): (boolean | undefined)[] {
  const cache = new Map<string, (request: Request) => boolean>();
  return requests.map((request) => {
    const route = routeKeys ? routeKey(routeKeys, request) : '';
    if (route === undefined) {
      return undefined; // 404
    }
    const values = api.sources.map((source) => value(source, request, route));
    if (values.some((found) => !found)) {
      return undefined; // 401, without asking the function
    }
    // A simple response is one bit. A policy decides about each request, but for the token and certificate it was made for.
    const answer = api.isSimple
      ? ((allowed) => () => allowed)(isAllowed(request))
      : (other: Request) => isAllowed({ ...request, method: other.method, path: other.path });
    const key = JSON.stringify(values);
    const served = (api.ttl > 0 ? cache.get(key) : undefined) ?? answer;
    cache.set(key, served);
    return served(request);
  });
}

/** Every request, after every other one, gets the function's own answer or none. */
function assertSafe(api: Authorizer, routeKeys: string[] | undefined, name: string): void {
  for (const first of REQUESTS) {
    for (const second of REQUESTS) {
      const [, served] = serve(api, routeKeys, [first, second]);
      const problem = `${name}: ${JSON.stringify(second)} after ${JSON.stringify(first)}`;
      assert.ok(served === undefined || served === isAllowed(second), problem);
    }
  }
}

/** The authorizer that an HTTP API with these routes gets, and the routes, as CloudFormation sees them. */
function http(settings: object, options: CachedAuthorizerOptions = {}, routes = ['GET /pets', 'DELETE /admin']) {
  const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
  const api = new apigatewayv2.HttpApi(stack, 'Api', { defaultAuthorizer: it.forHttpApi(options) });
  const integration = new HttpUrlIntegration('Pets', 'https://pets.example.com');
  for (const route of routes) {
    const [verb, path] = route.split(' ');
    if (path) {
      api.addRoutes({ path, methods: [verb as apigatewayv2.HttpMethod], integration });
    } else {
      new apigatewayv2.HttpRoute(stack, 'Default', { httpApi: api, routeKey: apigatewayv2.HttpRouteKey.DEFAULT, integration });
    }
  }
  const template = Template.fromStack(stack);
  const [found] = Object.values(template.findResources('AWS::ApiGatewayV2::Authorizer'));
  const { IdentitySource, AuthorizerResultTtlInSeconds, EnableSimpleResponses } = found.Properties;
  const routeKeys = Object.values(template.findResources('AWS::ApiGatewayV2::Route')).map((route) => route.Properties.RouteKey);
  return { api: { sources: IdentitySource, ttl: AuthorizerResultTtlInSeconds, isSimple: EnableSimpleResponses === true }, routeKeys };
}

function rest(settings: object, options: RestAuthorizerOptions = {}) {
  const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
  const api = new apigateway.RestApi(stack, 'Api', { defaultMethodOptions: { authorizer: it.forRestApi(options) } });
  api.root.addMethod('GET');
  const [found] = Object.values(Template.fromStack(stack).findResources('AWS::ApiGateway::Authorizer'));
  const { IdentitySource, AuthorizerResultTtlInSeconds, Type } = found.Properties;
  return { api: { sources: IdentitySource.split(','), ttl: AuthorizerResultTtlInSeconds, isSimple: false }, type: Type };
}

const ISSUER = { issuer: 'https://login.example.com', audience: 'pets' };
const TABLE = { 'GET /pets': ['pets:read'] };
/** Every way in which a table can be given, readable here or not. */
const TABLES: Record<string, object> = {
  'ROUTES as an object': { ROUTES: TABLE },
  'ROUTES as JSON': { ROUTES: JSON.stringify(TABLE) },
  'ROUTES in a file': { ROUTES: '@/opt/routes.json' },
  'ISSUERS as objects': { ISSUERS: [ISSUER, { ...ISSUER, issuer: 'https://partner.example.com', routes: TABLE }] },
  'ISSUERS as JSON': { ISSUERS: JSON.stringify([{ ...ISSUER, routes: TABLE }]) },
  'ISSUERS as JSON with escapes': { ISSUERS: '[{"issuer": "https://login.example.com", "audience": "pets", "\\u0072outes": {"GET /pets": []}}]' },
  'ISSUERS in a file': { ISSUERS: '@/opt/issuers.json' },
  'ISSUERS in a file, with blanks': { ISSUERS: ' @/opt/issuers.json ' },
  'ISSUERS known at deployment only': { ISSUERS: Lazy.string({ produce: () => JSON.stringify([{ ...ISSUER, routes: TABLE }]) }) },
  'an issuer known at deployment only': { ISSUERS: [ISSUER, Lazy.any({ produce: () => ({ ...ISSUER, routes: TABLE }) })] },
  'ROUTES known at deployment only': { ROUTES: Lazy.any({ produce: () => TABLE }) },
};
const NO_TABLES: Record<string, object> = {
  'no table': {},
  'a blank table': { ROUTES: ' ' },
  'ISSUERS as objects without a table': { ISSUERS: [ISSUER] },
  'ISSUERS as JSON without a table': { ISSUERS: JSON.stringify([ISSUER]) },
};

test('the simulated cache shows the hole', () => {
  const naive = { sources: [TOKEN], ttl: 300, isSimple: true };
  const reader = { token: 'reader' };
  const requests = [{ ...reader, method: 'GET', path: '/pets' }, { ...reader, method: 'DELETE', path: '/admin' }];
  assert.deepEqual(serve(naive, ['GET /pets', 'DELETE /admin'], requests), [true, true]);
  assert.throws(() => assertSafe(naive, ['GET /pets', 'DELETE /admin'], 'naive'), /after/);
  assert.throws(() => assertSafe({ ...naive, sources: [TOKEN, ROUTE_KEY] }, ['$default'], 'naive'), /after/);
});

test('a simple response with a table never opens another route', () => {
  const routes = [['GET /pets', 'DELETE /admin'], ['ANY /{proxy+}'], ['$default'], ['GET /pets', 'GET /pets/{id}'], ['ANY /pets', 'DELETE /admin']];
  const options: CachedAuthorizerOptions[] = [];
  for (const identitySources of [undefined, [TOKEN], [TOKEN, ROUTE_KEY], [ROUTE_KEY, TOKEN], [ROUTE_KEY], []]) {
    for (const resultsCacheTtl of [undefined, Duration.seconds(0), MINUTES]) {
      options.push({ identitySources, resultsCacheTtl });
    }
  }
  let cached = 0;
  const tables = ['ROUTES as an object', 'ISSUERS as JSON', 'ISSUERS in a file'];
  for (const name of tables) {
    const table = TABLES[name];
    for (const keys of routes) {
      for (const option of options) {
        const settings = { SIMPLE_RESPONSE: 'on', TOKEN_BINDING: 'ignore', ...table };
        let found: ReturnType<typeof http>;
        try {
          found = http(settings, option, keys);
        } catch (error) {
          assert.match((error as Error).message, /resultsCacheTtl must be zero/);
          continue;
        }
        cached += found.api.ttl > 0 ? 1 : 0;
        const context = `${name}, ${keys}, ${JSON.stringify(option)}`;
        // Bound tokens are ignored here, and certificates with them.
        const plain = REQUESTS.filter((request) => request.token === 'reader' && !request.certificate);
        for (const first of plain) {
          for (const second of plain) {
            const [, served] = serve(found.api, found.routeKeys, [first, second]);
            assert.ok(served === undefined || served === isAllowed(second), `${context}: ${second.method} ${second.path}`);
          }
        }
      }
    }
  }
  // The one way to cache: exact routes, and the route key in the cache key.
  assert.equal(cached, tables.length * 3);
});

test('with a table simple responses are not cached by default', () => {
  for (const [name, table] of Object.entries(TABLES)) {
    assert.equal(http({ SIMPLE_RESPONSE: 'on', ...table }).api.ttl, 0, name);
    const cached = http({ SIMPLE_RESPONSE: 'on', ...table }, { resultsCacheTtl: MINUTES }).api;
    assert.deepEqual(cached, { sources: [TOKEN, ROUTE_KEY], ttl: 300, isSimple: true }, name);
    // A policy is right for all routes.
    assert.deepEqual(http(table).api, { sources: [TOKEN], ttl: 300, isSimple: false }, name);
  }
  for (const [name, table] of Object.entries(NO_TABLES)) {
    assert.deepEqual(http({ SIMPLE_RESPONSE: 'on', ...table }).api, { sources: [TOKEN], ttl: 300, isSimple: true }, name);
  }
});

test('caching by route needs the route key', () => {
  const settings = { SIMPLE_RESPONSE: 'on', ROUTES: TABLE };
  const cache = (identitySources?: string[], resultsCacheTtl = MINUTES) => http(settings, { identitySources, resultsCacheTtl });
  assert.throws(() => cache([TOKEN]), /one route would open others: resultsCacheTtl must be zero, or identitySources must hold \$context.routeKey/);
  assert.throws(() => cache([TOKEN, '$request.header.routeKey']), /must hold \$context.routeKey/);
  // A duration that is known at deployment only may be longer than zero.
  const later = Duration.seconds(Token.asNumber(Lazy.number({ produce: () => 300 })));
  assert.throws(() => cache([TOKEN], later), /must hold \$context.routeKey/);
  cache([TOKEN], Duration.seconds(0));
});

test('caching by route is refused where routes do not tell requests apart', () => {
  const settings = { SIMPLE_RESPONSE: 'on', ROUTES: TABLE };
  for (const route of ['$default', 'ANY /{proxy+}', 'ANY /pets', 'GET /pets/{id}', 'GET /{proxy+}']) {
    const refused = new RegExp(`${route.replace(/[$+{}/]/g, '\\$&')}: its requests share one cached simple response`);
    assert.throws(() => http(settings, { resultsCacheTtl: MINUTES }, [route]), refused, route);
    assert.throws(() => http(settings, { resultsCacheTtl: MINUTES }, ['GET /pets', route]), refused, route);
    http(settings, {}, [route]);
    http({ SIMPLE_RESPONSE: 'on' }, { resultsCacheTtl: MINUTES }, [route]);
  }
  // The raw resource counts like the construct.
  const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
  const handed = it.forHttpApi({ resultsCacheTtl: MINUTES });
  const api = new apigatewayv2.HttpApi(stack, 'Api');
  const integration = new HttpUrlIntegration('Pets', 'https://pets.example.com');
  api.addRoutes({ path: '/pets', methods: [apigatewayv2.HttpMethod.GET], integration, authorizer: handed });
  // A route without this authorizer is none of its business.
  new apigatewayv2.CfnRoute(stack, 'Open', { apiId: api.apiId, routeKey: 'GET /{proxy+}' });
  Template.fromStack(stack);
  // So does a route in another stack.
  const app = stack.node.root as App;
  const other = new Stack(app, 'Other', { env: { account: stack.account, region: stack.region } });
  new apigatewayv2.CfnRoute(other, 'Raw', { apiId: api.apiId, routeKey: 'ANY /admin', authorizationType: 'CUSTOM', authorizerId: handed.authorizerId });
  assert.throws(() => app.synth({ force: true }), /ANY \/admin: its requests share/);
});

test('an answer about one certificate never serves another', () => {
  const bound = { TOKEN_BINDING: 'certificate' };
  const sources = {
    rest: ['method.request.header.Authorization', 'context.identity.clientCert.serialNumber', 'context.identity.clientCert.issuerDN'],
    http: [TOKEN, '$context.identity.clientCert.serialNumber', '$context.identity.clientCert.issuerDN'],
  };
  for (const [make, all] of [[rest, sources.rest], [http, sources.http]] as const) {
    const by = (identitySources: string[]) => make(bound, { identitySources, resultsCacheTtl: MINUTES });
    assert.equal(make(bound).api.ttl, 0);
    assertSafe(make(bound).api, undefined, 'by default');
    assert.throws(() => make(bound, { resultsCacheTtl: MINUTES }), /one certificate would serve requests with another/);
    for (const left of [all.slice(0, 2), [all[0], all[2]], [all[0], 'method.request.header.clientCert.serialNumber', all[2]]]) {
      assert.throws(() => by(left), /one certificate would serve requests with another/, left.join());
    }
    assert.throws(() => by(all.slice(1)), /one token would serve requests with another/);
    const cached = by([...all]);
    assert.equal(cached.api.ttl, 300);
    assertSafe(cached.api, undefined, 'by serial number and issuer');
  }
  // The serial number alone lets one authority's client pass as another's.
  assert.throws(() => assertSafe({ sources: sources.rest.slice(0, 2), ttl: 300, isSimple: false }, undefined, 'serial number'), /after/);
  assert.throws(() => rest(bound, { type: 'TOKEN' }), /holds no client certificate/);
  assert.equal(rest(bound).type, 'REQUEST');
});

test('a policy about one request never answers another', () => {
  const settings = { POLICY_SCOPE: 'request', ROUTES: TABLE };
  const header = 'method.request.header.Authorization';
  const byRequest = [header, 'context.httpMethod', 'context.path'];
  assert.deepEqual(rest(settings), { api: { sources: [header], ttl: 0, isSimple: false }, type: 'TOKEN' });
  assert.throws(() => rest(settings, { type: 'TOKEN', resultsCacheTtl: MINUTES }), /must be zero for TOKEN/);
  const cached = { api: { sources: byRequest, ttl: 300, isSimple: false }, type: 'REQUEST' };
  assert.deepEqual(rest(settings, { resultsCacheTtl: MINUTES }), cached);
  assert.deepEqual(rest(settings, { type: 'REQUEST', resultsCacheTtl: MINUTES }), cached);
  for (const missing of byRequest) {
    const identitySources = byRequest.filter((source) => source !== missing);
    assert.throws(() => rest(settings, { identitySources, resultsCacheTtl: MINUTES }), /resultsCacheTtl must be zero/, missing);
  }
  assert.deepEqual(http(settings).api, { sources: [TOKEN], ttl: 0, isSimple: false });
  assert.deepEqual(http(settings, { resultsCacheTtl: MINUTES }).api.sources, [TOKEN, '$context.httpMethod', '$context.path']);
  assert.throws(() => http(settings, { identitySources: [TOKEN, ROUTE_KEY], resultsCacheTtl: MINUTES }), /one request would refuse others/);
  // It changes nothing without a table, nor for simple responses.
  assert.equal(rest({ POLICY_SCOPE: 'request' }).api.ttl, 300);
  assert.deepEqual(http({ ...settings, SIMPLE_RESPONSE: 'on' }, { resultsCacheTtl: MINUTES }).api.sources, [TOKEN, ROUTE_KEY]);
  for (const [name, table] of Object.entries(TABLES)) {
    assert.equal(rest({ POLICY_SCOPE: 'request', ...table }).api.ttl, 0, name);
  }
});

test('settings that decide about the cache are known when the stack is synthesized', () => {
  for (const name of ['TOKEN_SOURCE', 'TOKEN_BINDING', 'SIMPLE_RESPONSE', 'POLICY_SCOPE', 'REFUSAL', 'BEARER_PREFIX', 'CHALLENGE_SCOPES']) {
    const parameter = new CfnParameter(new Stack(), 'Word');
    assert.throws(() => http({ [name]: parameter.valueAsString }), new RegExp(`${name}: must be known when the stack is synthesized`));
  }
});

test('a TOKEN authorizer caches by the header that holds the token', () => {
  const header = 'method.request.header.Authorization';
  assert.throws(() => rest({}, { type: 'TOKEN', identitySources: ['method.request.header.X-Tenant', header] }), /only identity source of TOKEN/);
  assert.throws(() => rest({}, { type: 'TOKEN', identitySources: ['method.request.header.X-Tenant'], resultsCacheTtl: Duration.seconds(0) }), /only identity source of TOKEN/);
  assert.deepEqual(rest({}, { type: 'TOKEN', identitySources: [header] }).api.sources, [header]);
});
