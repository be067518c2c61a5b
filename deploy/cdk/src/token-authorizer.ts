import * as fs from 'node:fs';
import * as path from 'node:path';
import { Annotations, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import {
  HttpRouteAuthorizerBindOptions,
  HttpRouteAuthorizerConfig,
  WebSocketRouteAuthorizerBindOptions,
  WebSocketRouteAuthorizerConfig,
} from 'aws-cdk-lib/aws-apigatewayv2';
import {
  HttpLambdaAuthorizer,
  HttpLambdaAuthorizerProps,
  HttpLambdaResponseType,
  WebSocketLambdaAuthorizer,
  WebSocketLambdaAuthorizerProps,
} from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct, IDependable } from 'constructs';
import { caching, coarseRoutes, Dependencies, isCached } from './caching';
import { badSettings, environment, listMembers, LogFormat, LogLevel, mayHaveTable, TokenAuthorizerSettings } from './environment';
import { SETTINGS } from './settings';
import { sizeProblems } from './size';
import { StatusCheck } from './status-check';

/** Memory, layers, VPC and the like are those of every function. */
export interface TokenAuthorizerProps
  extends Omit<
    lambda.FunctionOptions,
    | 'applicationLogLevelV2'
    | 'description'
    | 'environment'
    | 'logFormat'
    | 'logGroup'
    | 'loggingFormat'
    | 'logRemovalPolicy'
    | 'logRetention'
    | 'logRetentionRole'
    | 'logRetentionRetryOptions'
    | 'systemLogLevelV2'
  > {
  /** The settings of the program. */
  readonly settings: TokenAuthorizerSettings;
  /**
   * The package of a release, as `lambda.Code.fromAsset('token-authorizer-0.1.0-arm64.zip')`.
   *
   * @default the one that this library brings
   */
  readonly code?: lambda.Code;
  /**
   * What the package was built for.
   *
   * @default lambda.Architecture.ARM_64
   */
  readonly architecture?: lambda.Architecture;
  /**
   * Of effect with `logFormat` `JSON` only.
   *
   * @default 'INFO'
   */
  readonly logLevel?: LogLevel;
  /** @default 'JSON' */
  readonly logFormat?: LogFormat;
  /** @default logs.RetentionDays.ONE_MONTH */
  readonly logRetention?: logs.RetentionDays;
  /**
   * Encrypts the log. A key of this app gets the statement that CloudWatch Logs needs; an imported one must have it.
   *
   * @default CloudWatch's own key
   */
  readonly logEncryptionKey?: kms.IKey;
  /**
   * Limits what the roles of this construct can allow. An existing `role` keeps its own.
   *
   * @default none
   */
  readonly permissionsBoundary?: iam.IManagedPolicy;
  /**
   * Whether a deployment asks the function if it works, before any API uses it: bad settings, and a provider that cannot
   * be reached, then fail the deployment. This takes a second function, and a role for it.
   *
   * @default true, but false with an existing `role`, since the account may allow no other
   */
  readonly statusCheck?: boolean;
  /**
   * Metrics and alarms. Metrics go to the setting `METRICS_NAMESPACE`, or to `TokenAuthorizer/{path of the construct}`.
   *
   * @default none
   */
  readonly alarms?: TokenAuthorizerAlarms;
}

/** When alarms are raised, and what they do. */
export interface TokenAuthorizerAlarms {
  /**
   * What alarms do, and what they do when they end.
   *
   * @default nothing
   */
  readonly actions?: cloudwatch.IAlarmAction[];
  /**
   * The age of keys that raises an alarm.
   *
   * @default half a day, half of the `JWKS_STALE_SECONDS` that the program has by default
   */
  readonly keyAge?: Duration;
  /**
   * The age of a revocation list that raises an alarm.
   *
   * @default half an hour, half of the `REVOKED_STALE_SECONDS` that the program has by default
   */
  readonly revocationAge?: Duration;
}

/** How an API uses the function. */
export interface AuthorizerOptions {
  /**
   * ID of the authorizer's construct; needed when one kind of authorizer is made twice.
   *
   * @default a name for each kind of API
   */
  readonly id?: string;
  /**
   * Name of the authorizer.
   *
   * @default that of the construct
   */
  readonly authorizerName?: string;
  /**
   * What API Gateway caches decisions by. Must hold every place where a token is looked for, unless nothing is cached.
   *
   * @default what follows from the setting `TOKEN_SOURCE`
   */
  readonly identitySources?: string[];
}

/** How an API uses the function, and for how long it keeps decisions. */
export interface CachedAuthorizerOptions extends AuthorizerOptions {
  /**
   * For how long API Gateway keeps a decision: up to an hour.
   *
   * @default 5 minutes, or zero where the token alone does not decide: with several places in `TOKEN_SOURCE`, with
   * `TOKEN_BINDING: 'certificate'`, and with a table of routes and `SIMPLE_RESPONSE: 'on'` or `POLICY_SCOPE: 'request'`
   */
  readonly resultsCacheTtl?: Duration;
}

export interface RestAuthorizerOptions extends CachedAuthorizerOptions {
  /**
   * @default 'TOKEN' if one header is all that the decision depends on and `identitySources` are not given, else 'REQUEST'
   */
  readonly type?: 'TOKEN' | 'REQUEST';
}

/** The function that decides about access tokens, its log, and its alarms. */
export class TokenAuthorizer extends Construct {
  readonly function: lambda.Function;
  readonly logGroup: logs.LogGroup;
  readonly alarms: cloudwatch.Alarm[] = [];
  private readonly variables: Record<string, string>;
  private readonly hasTable: boolean;
  /** What an API depends on, so that it is attached to a function that works. */
  private readonly ready: IDependable[] = [];

  constructor(scope: Construct, id: string, props: TokenAuthorizerProps) {
    super(scope, id);
    const { settings, code, alarms, logLevel, logFormat, logRetention, logEncryptionKey, permissionsBoundary, statusCheck, ...options } = props;
    const architecture = options.architecture ?? lambda.Architecture.ARM_64;
    const isJson = (logFormat ?? 'JSON') === 'JSON';

    // From other languages, and from JavaScript, any string may come.
    mustBe('logLevel', logLevel, SETTINGS.AWS_LAMBDA_LOG_LEVEL.of);
    mustBe('logFormat', logFormat, SETTINGS.AWS_LAMBDA_LOG_FORMAT.of);
    this.variables = environment(this, settings);
    this.hasTable = mayHaveTable(settings);
    if (alarms) {
      // The metrics name no function, so each function has a namespace of its own.
      this.variables.METRICS_NAMESPACE ??= `TokenAuthorizer/${this.node.path}`.replace(/[^A-Za-z0-9_./#-]/g, '-').slice(0, 255);
    }
    const problems = sizeProblems(Stack.of(this).resolve(this.variables));
    if (problems.length > 0) {
      throw badSettings(problems);
    }
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
      encryptionKey: logEncryptionKey,
    });
    logEncryptionKey?.addToResourcePolicy(this.logStatement());
    const role = options.role ?? new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'), permissionsBoundary });
    this.allowLogAndNetwork(role, options);
    if (options.reservedConcurrentExecutions === 0) {
      Annotations.of(this).addWarningV2('token-authorizer:concurrency', 'reservedConcurrentExecutions is 0: every request gets 500');
    }
    this.function = new lambda.Function(this, 'Function', {
      memorySize: 128,
      // Enough for a cold start that waits for discovery and keys (JWKS_TIMEOUT_MS each).
      timeout: Duration.seconds(10),
      ...options,
      description: 'Decides about access tokens for API Gateway',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture,
      code: code ?? bundled(architecture),
      role,
      environment: this.variables,
      logGroup: this.logGroup,
      loggingFormat: isJson ? lambda.LoggingFormat.JSON : lambda.LoggingFormat.TEXT,
      // Lambda takes levels for JSON only.
      applicationLogLevelV2: isJson ? lambda.ApplicationLogLevel[logLevel ?? 'INFO'] : undefined,
      systemLogLevelV2: isJson ? lambda.SystemLogLevel.INFO : undefined,
    });
    if (options.environmentEncryption) {
      const { kmsKeyArn } = this.function.node.defaultChild as lambda.CfnFunction;
      role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['kms:Decrypt'], resources: [kmsKeyArn!] }));
    }
    // Others may add variables to the function, and some values are known only now.
    this.node.addValidation({ validate: () => sizeProblems(this.sentVariables()) });
    if (statusCheck ?? !options.role) {
      const check = new StatusCheck(this, 'StatusCheck', { function: this.function, logGroup: this.logGroup, permissionsBoundary });
      this.ready.push(check.passed);
    }
    if (alarms) {
      this.addAlarms(alarms);
    }
  }

  /** For `authorizer` of a REST API's methods, or of its `defaultMethodOptions`. */
  forRestApi(options: RestAuthorizerOptions = {}): apigateway.TokenAuthorizer | apigateway.RequestAuthorizer {
    mustBe('type', options.type, ['TOKEN', 'REQUEST']);
    const depends = this.dependencies();
    const [source, ...others] = depends.tokenSources;
    const isHeader = others.length === 0 && source.startsWith('header:');
    const { identitySources, resultsCacheTtl } = caching('rest', depends, options);
    const isHeaderAlone = isHeader && !depends.certificate && identitySources.join() === `method.request.${source.replace(':', '.')}`;
    const type = options.type ?? (isHeaderAlone && !options.identitySources ? 'TOKEN' : 'REQUEST');
    if (type === 'TOKEN' && !isHeader) {
      throw new Error(`TOKEN needs a TOKEN_SOURCE that is one header, not ${depends.tokenSources.join(', ')}`);
    }
    if (type === 'TOKEN' && depends.certificate) {
      throw new Error('A TOKEN event holds no client certificate, so TOKEN_BINDING=certificate needs REQUEST');
    }
    if (type === 'TOKEN' && depends.request && isCached(resultsCacheTtl)) {
      throw new Error('With POLICY_SCOPE=request resultsCacheTtl must be zero for TOKEN, whose cache key has neither method nor path');
    }
    if (type === 'TOKEN' && !isHeaderAlone) {
      throw new Error('The only identity source of TOKEN is the header that holds the token; REQUEST takes others');
    }
    const id = options.id ?? 'RestAuthorizer';
    const common = { handler: this.function, authorizerName: options.authorizerName, resultsCacheTtl };
    if (type === 'REQUEST') {
      const authorizer = new apigateway.RequestAuthorizer(this, id, { ...common, identitySources });
      authorizer.node.addDependency(...this.ready);
      return authorizer;
    }
    // What cannot be a bearer JWT gets 401 from API Gateway and costs no invocation.
    const scheme = this.variables.BEARER_PREFIX === 'optional' ? '([Bb][Ee][Aa][Rr][Ee][Rr] +)?' : '[Bb][Ee][Aa][Rr][Ee][Rr] +';
    const authorizer = new apigateway.TokenAuthorizer(this, id, {
      ...common,
      identitySource: identitySources[0],
      validationRegex: `^${scheme}[-_0-9A-Za-z]+\\.[-_0-9A-Za-z]+\\.[-_0-9A-Za-z]+$`,
    });
    authorizer.node.addDependency(...this.ready);
    return authorizer;
  }

  /**
   * For `authorizer` of an HTTP API's routes, or for its `defaultAuthorizer`. The payload is 2.0 with
   * `SIMPLE_RESPONSE: 'on'`, and 1.0 otherwise: CDK knows no policy for payload 2.0.
   */
  forHttpApi(options: CachedAuthorizerOptions = {}): HttpLambdaAuthorizer {
    const isSimple = this.variables.SIMPLE_RESPONSE === 'on';
    const { identitySources, resultsCacheTtl } = caching('http', this.dependencies(isSimple), options);
    const authorizer = new ReadyHttpAuthorizer(this.ready, options.id ?? 'HttpAuthorizer', this.function, {
      authorizerName: options.authorizerName,
      identitySource: identitySources,
      resultsCacheTtl,
      responseTypes: [isSimple ? HttpLambdaResponseType.SIMPLE : HttpLambdaResponseType.IAM],
    });
    if (isSimple && this.hasTable && isCached(resultsCacheTtl)) {
      this.node.addValidation({ validate: () => this.coarseRouteProblems(authorizer) });
    }
    return authorizer;
  }

  /** For `authorizer` of a WebSocket API's `connectRouteOptions`. */
  forWebSocketApi(options: AuthorizerOptions = {}): WebSocketLambdaAuthorizer {
    const { identitySources } = caching('websocket', this.dependencies(), { ...options, resultsCacheTtl: Duration.seconds(0) });
    return new ReadyWebSocketAuthorizer(this.ready, options.id ?? 'WebSocketAuthorizer', this.function, {
      authorizerName: options.authorizerName,
      identitySource: identitySources,
    });
  }

  /**
   * Answers of a REST API to refused requests, with a challenge and the reason. They are the API's, for all of its
   * methods. `allowedOrigin` is for browsers (CORS).
   */
  addGatewayResponses(api: apigateway.RestApiBase, allowedOrigin = '*'): void {
    const { CHALLENGE_SCOPES, REFUSAL, RESOURCE_METADATA } = this.variables;
    for (const [name, value] of Object.entries({ CHALLENGE_SCOPES, RESOURCE_METADATA })) {
      if (value?.includes("'")) {
        throw new Error(`${name}: stands between single quotes in a gateway response, so it cannot contain one; in a URL, write one as %27`);
      }
    }
    // RFC 6750 section 3: no error code where the request had no token at all. RFC 9728 section 5.1: where to get one.
    // An error of the function carries no context, so the challenge of a 401 is a fixed text. That of a 403 is made by
    // the function as a whole, since a header is either a literal or one variable.
    const challenge = [
      'Bearer realm="api"',
      ...(REFUSAL === 'unauthorized' ? ['error="invalid_token"'] : []),
      ...(CHALLENGE_SCOPES ? [`scope="${listMembers(CHALLENGE_SCOPES).join(' ')}"`] : []),
      ...(RESOURCE_METADATA ? [`resource_metadata="${RESOURCE_METADATA}"`] : []),
    ].join(', ');
    const origin = { 'Access-Control-Allow-Origin': `'${allowedOrigin}'` };
    // The header is missing or no bearer JWT; with REFUSAL=unauthorized also every refused token.
    api.addGatewayResponse('Unauthorized', {
      type: apigateway.ResponseType.UNAUTHORIZED,
      statusCode: '401',
      responseHeaders: {
        ...origin,
        'WWW-Authenticate': `'${challenge}'`,
        'Access-Control-Expose-Headers': `'WWW-Authenticate'`,
      },
      templates: { 'application/json': '{"message":$context.error.messageString}' },
    });
    // The token is refused, or its rights are not enough. A policy that allows other routes has a challenge, too.
    api.addGatewayResponse('AccessDenied', {
      type: apigateway.ResponseType.ACCESS_DENIED,
      statusCode: '403',
      responseHeaders: {
        ...origin,
        'WWW-Authenticate': 'context.authorizer.challenge',
        'X-Refusal-Reason': 'context.authorizer.reason',
        'Access-Control-Expose-Headers': `'WWW-Authenticate,X-Refusal-Reason'`,
      },
      templates: { 'application/json': '{"message":$context.error.messageString,"reason":"$context.authorizer.reason"}' },
    });
    // No verdict. No challenge, since another token would not help, and no reason: an error carries no context.
    for (const type of [apigateway.ResponseType.AUTHORIZER_FAILURE, apigateway.ResponseType.AUTHORIZER_CONFIGURATION_ERROR]) {
      api.addGatewayResponse(type.responseType, {
        type,
        statusCode: '500',
        responseHeaders: origin,
        templates: { 'application/json': '{"message":"The request could not be authorized. Try again later."}' },
      });
    }
    // All other errors, 429 of a stage's throttling for one: without CORS a browser shows its script none of them.
    for (const type of [apigateway.ResponseType.DEFAULT_4XX, apigateway.ResponseType.DEFAULT_5XX]) {
      api.addGatewayResponse(type.responseType, { type, responseHeaders: origin });
    }
  }

  /** What an answer depends on besides the configuration. */
  private dependencies(isSimple = false): Dependencies {
    return {
      tokenSources: listMembers(this.variables.TOKEN_SOURCE ?? 'header:Authorization'),
      certificate: this.variables.TOKEN_BINDING === 'certificate',
      // With a table, a simple response is the answer for one route.
      route: isSimple && this.hasTable,
      request: !isSimple && this.hasTable && this.variables.POLICY_SCOPE === 'request',
    };
  }

  private coarseRouteProblems(authorizer: HttpLambdaAuthorizer): string[] {
    let authorizerId: string;
    try {
      authorizerId = authorizer.authorizerId;
    } catch {
      return []; // No route uses it.
    }
    return coarseRoutes(this.node.root, authorizerId).map(
      (routeKey) =>
        `${routeKey}: its requests share one cached simple response, but the table may decide differently about them; ` +
        'resultsCacheTtl must be zero, or every route must have one verb and a path without variables',
    );
  }

  /** The variables of the function as the template has them. */
  private sentVariables(): Record<string, unknown> {
    const { environment } = this.function.node.defaultChild as lambda.CfnFunction;
    return Stack.of(this).resolve(environment)?.variables ?? {};
  }

  /** The role can write the log of this function, and nothing else but what a VPC needs. */
  private allowLogAndNetwork(role: iam.IRole, { vpc }: lambda.FunctionOptions): void {
    this.logGroup.grantWrite(role);
    if (vpc) {
      role.addToPrincipalPolicy(
        new iam.PolicyStatement({
          actions: [
            'ec2:AssignPrivateIpAddresses',
            'ec2:CreateNetworkInterface',
            'ec2:DeleteNetworkInterface',
            'ec2:DescribeNetworkInterfaces',
            'ec2:DescribeSubnets',
            'ec2:UnassignPrivateIpAddresses',
          ],
          resources: ['*'],
        }),
      );
    }
  }

  /** Lets CloudWatch Logs use a key, for the logs of this account. */
  private logStatement(): iam.PolicyStatement {
    const { region } = Stack.of(this);
    return new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      resources: ['*'],
      // The name of the log group is not known before the key is there.
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': Stack.of(this).formatArn({ service: 'logs', resource: '*' }) } },
    });
  }

  private addAlarms({ actions = [], keyAge = Duration.hours(12), revocationAge = Duration.minutes(30) }: TokenAuthorizerAlarms): void {
    const namespace = this.variables.METRICS_NAMESPACE;
    const add = (id: string, metric: cloudwatch.Metric, threshold: number, options: Partial<cloudwatch.CreateAlarmOptions>) => {
      const alarm = metric.createAlarm(this, id, {
        evaluationPeriods: 1,
        threshold,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
        ...options,
      });
      alarm.addAlarmAction(...actions);
      alarm.addOkAction(...actions);
      this.alarms.push(alarm);
    };
    const period = Duration.minutes(1);
    add('NoVerdictAlarm', new cloudwatch.Metric({ namespace, metricName: 'Unavailable', statistic: 'Sum', period }), 1, {
      alarmDescription:
        "Requests fail with 500 because no verdict was possible, most often because the issuer's keys are unavailable",
    });
    // Sees what the function cannot count itself: bad configuration at start, timeouts, crashes.
    // With REFUSAL=unauthorized every refused token is a function error, so there is no such alarm.
    if (this.variables.REFUSAL !== 'unauthorized') {
      add('FunctionErrorAlarm', this.function.metricErrors({ statistic: 'Sum', period }), 1, {
        alarmDescription: 'The authorizer function fails',
      });
    }
    const age = (metricName: string) =>
      new cloudwatch.Metric({ namespace, metricName, statistic: 'Maximum', period: Duration.minutes(5) });
    add('KeyAgeAlarm', age('KeyAge'), keyAge.toSeconds(), {
      alarmDescription: "The issuer's keys could not be refreshed for a long time; past JWKS_STALE_SECONDS requests fail",
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
    });
    // ISSUERS may hold lists, too. Without any there is no such metric, and no alarm.
    if ('REVOKED' in this.variables || 'ISSUERS' in this.variables) {
      add('RevocationAgeAlarm', age('RevocationAge'), revocationAge.toSeconds(), {
        alarmDescription: 'A revocation list could not be refreshed for a long time; past REVOKED_STALE_SECONDS requests fail',
        evaluationPeriods: 3,
        datapointsToAlarm: 2,
      });
    }
  }
}

function mustBe(name: string, value: string | undefined, words: readonly string[]): void {
  if (value !== undefined && !words.includes(value)) {
    throw new Error(`${name}: ${value}: must be ${words.join(' or ')}`);
  }
}

// The authorizers of these APIs are made when a route uses them, in the scope of the API.

class ReadyHttpAuthorizer extends HttpLambdaAuthorizer {
  constructor(private readonly ready: IDependable[], private readonly name: string, handler: lambda.IFunction, props: HttpLambdaAuthorizerProps) {
    super(name, handler, props);
  }

  override bind(options: HttpRouteAuthorizerBindOptions): HttpRouteAuthorizerConfig {
    const config = super.bind(options);
    options.scope.node.tryFindChild(this.name)?.node.addDependency(...this.ready);
    return config;
  }
}

class ReadyWebSocketAuthorizer extends WebSocketLambdaAuthorizer {
  constructor(private readonly ready: IDependable[], private readonly name: string, handler: lambda.IFunction, props: WebSocketLambdaAuthorizerProps) {
    super(name, handler, props);
  }

  override bind(options: WebSocketRouteAuthorizerBindOptions): WebSocketRouteAuthorizerConfig {
    const config = super.bind(options);
    options.scope.node.tryFindChild(this.name)?.node.addDependency(...this.ready);
    return config;
  }
}

/** The package that lies in this library since it was published. */
function bundled(architecture: lambda.Architecture): lambda.Code {
  const name = architecture.name === 'arm64' ? 'arm64' : 'x86_64';
  const file = path.join(__dirname, '..', 'assets', `token-authorizer-${name}.zip`);
  if (!fs.existsSync(file)) {
    throw new Error(`${file} is not there, since this library was not taken from a release: say code: lambda.Code.fromAsset('...')`);
  }
  return lambda.Code.fromAsset(file);
}
