import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import * as library from './library';
import { TokenAuthorizerSettings } from './settings-struct';
import { AuthorizerOptions, CachedAuthorizerOptions, TokenAuthorizerAlarms } from './token-authorizer';

// The library for TypeScript, in the types that all languages have.
export * from './settings-struct';
export { AuthorizerOptions, CachedAuthorizerOptions, TokenAuthorizerAlarms } from './token-authorizer';

/** Memory, layers, VPC and the like are those of every function; `logFormat` is `JSON` (the default) or `TEXT`. */
export interface TokenAuthorizerProps extends lambda.FunctionOptions {
  /** The settings of the program. */
  readonly settings: TokenAuthorizerSettings;
  /**
   * The package of a release, `lambda.Code.fromAsset('token-authorizer-0.1.0-arm64.zip')` for example.
   *
   * @default the one that this library brings
   */
  readonly code?: lambda.Code;
  /**
   * `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`. Of effect with `logFormat` `JSON` only.
   *
   * @default 'INFO'
   */
  readonly logLevel?: string;
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
   * Whether a deployment asks the function if it works, before any API uses it.
   *
   * @default true, but false with an existing `role`, since the account may allow no other
   */
  readonly statusCheck?: boolean;
  /**
   * Metrics and alarms.
   *
   * @default none
   */
  readonly alarms?: TokenAuthorizerAlarms;
}

/** How a REST API uses the function. */
export interface RestAuthorizerOptions extends CachedAuthorizerOptions {
  /**
   * `TOKEN` or `REQUEST`.
   *
   * @default 'TOKEN' if one header is all that the decision depends on, else 'REQUEST'
   */
  readonly type?: string;
}

/** What the construct sets itself. */
const TAKEN = [
  'applicationLogLevelV2',
  'description',
  'environment',
  'logGroup',
  'loggingFormat',
  'logRemovalPolicy',
  'logRetentionRole',
  'logRetentionRetryOptions',
  'systemLogLevelV2',
] as const;

/** The function that decides about access tokens, its log, and its alarms. */
export class TokenAuthorizer extends Construct {
  /** The function. */
  public readonly function: lambda.Function;
  /** Its log. */
  public readonly logGroup: logs.LogGroup;
  /** The alarms, if there are any. */
  public readonly alarms: cloudwatch.Alarm[];
  private readonly library: library.TokenAuthorizer;

  constructor(scope: Construct, id: string, props: TokenAuthorizerProps) {
    super(scope, id);
    const { settings, ...options } = props;
    const taken = TAKEN.filter((name) => options[name] !== undefined);
    if (taken.length > 0) {
      throw new Error(`${taken.join(', ')}: set by this construct; the variables of the function are in settings`);
    }
    this.library = new library.TokenAuthorizer(this, 'Resource', {
      ...options,
      settings: variables(settings),
    } as library.TokenAuthorizerProps);
    this.function = this.library.function;
    this.logGroup = this.library.logGroup;
    this.alarms = this.library.alarms;
  }

  /** For `authorizer` of a REST API's methods, or of its `defaultMethodOptions`. */
  public forRestApi(options: RestAuthorizerOptions = {}): apigateway.Authorizer {
    return this.library.forRestApi(options as library.RestAuthorizerOptions);
  }

  /** For `authorizer` of an HTTP API's routes, or for its `defaultAuthorizer`. */
  public forHttpApi(options: CachedAuthorizerOptions = {}): apigatewayv2.IHttpRouteAuthorizer {
    return this.library.forHttpApi(options);
  }

  /** For `authorizer` of a WebSocket API's `connectRouteOptions`. */
  public forWebSocketApi(options: AuthorizerOptions = {}): apigatewayv2.IWebSocketRouteAuthorizer {
    return this.library.forWebSocketApi(options);
  }

  /**
   * Answers of a REST API to refused requests, with a challenge and the reason, and CORS on all errors. They are the
   * API's, for all of its methods. `allowedOrigin` is for browsers.
   */
  public addGatewayResponses(api: apigateway.RestApiBase, allowedOrigin: string = '*'): void {
    this.library.addGatewayResponses(api, allowedOrigin);
  }
}

/** Settings by the names of the program's README. */
function variables(settings: TokenAuthorizerSettings): library.TokenAuthorizerSettings {
  const named = Object.entries(settings).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(), value]);
  return Object.fromEntries(named) as library.TokenAuthorizerSettings;
}
