import { CfnResource, Duration, Token } from 'aws-cdk-lib';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { IConstruct } from 'constructs';

/** How API Gateway writes where a value comes from, for each kind of API. */
const PREFIXES = {
  rest: { request: 'method.request.', context: 'context.' },
  http: { request: '$request.', context: '$context.' },
  websocket: { request: 'route.request.', context: 'context.' },
} as const;

/** What an answer of the function depends on besides the configuration. */
export interface Dependencies {
  /** The members of `TOKEN_SOURCE`. */
  readonly tokenSources: readonly string[];
  /** The client certificate of mutual TLS. */
  readonly certificate: boolean;
  /** The route: a simple response is the answer for one route. */
  readonly route: boolean;
  /** Method and path: with `POLICY_SCOPE: 'request'` a policy is about one request. */
  readonly request: boolean;
}

export interface CacheOptions {
  readonly identitySources?: readonly string[];
  readonly resultsCacheTtl?: Duration;
}

/**
 * What API Gateway caches answers by, and for how long.
 *
 * An answer may only be served to requests that would get the same one. So the cache key must hold everything that the
 * answer depends on, or nothing is cached.
 */
export function caching(api: keyof typeof PREFIXES, depends: Dependencies, options: CacheOptions) {
  const { request, context } = PREFIXES[api];
  const places = [...new Set(depends.tokenSources.map((source) => request + place(source)))];
  // A serial number is unique for one authority only.
  const certificate = depends.certificate ? [`${context}identity.clientCert.serialNumber`, `${context}identity.clientCert.issuerDN`] : [];
  const routeKey = depends.route ? [`${context}routeKey`] : [];
  const requestLine = depends.request ? [`${context}httpMethod`, `${context}path`] : [];

  const isCacheable = places.length === 1 && !depends.certificate && !depends.route && !depends.request;
  const resultsCacheTtl = options.resultsCacheTtl ?? (isCacheable ? Duration.minutes(5) : Duration.seconds(0));
  const cached = isCached(resultsCacheTtl);
  // API Gateway answers 401 when an identity source is missing, so several places for the token cannot be sources.
  const defaults = places.length > 1 ? [] : [...places, ...(cached ? requestLine : []), ...routeKey];
  const identitySources = [...(options.identitySources ?? defaults)];

  if (cached) {
    if (places.length > 1) {
      throw new Error('With several places in TOKEN_SOURCE resultsCacheTtl must be zero: a request that lacks one of them would get 401');
    }
    const need = (problem: string, sources: readonly string[]) => {
      if (!sources.every((source) => identitySources.includes(source))) {
        throw new Error(`${problem}: resultsCacheTtl must be zero, or identitySources must hold ${sources.join(' and ')}`);
      }
    };
    need('A decision about one token would serve requests with another', places);
    need('With TOKEN_BINDING=certificate a decision about one certificate would serve requests with another', certificate);
    need('With SIMPLE_RESPONSE=on and a table of routes the answer for one route would open others', routeKey);
    need('With POLICY_SCOPE=request the answer to one request would refuse others', requestLine);
  }
  return { identitySources, resultsCacheTtl };
}

/** A duration that is known at deployment only can be anything. */
export function isCached(ttl: Duration): boolean {
  return ttl.isUnresolved() || ttl.toSeconds() > 0;
}

/**
 * The routes for which `$context.routeKey` is too coarse a cache key, among those that use this authorizer. A route
 * with one verb and no path variables matches one request only.
 */
export function coarseRoutes(root: IConstruct, authorizerId: string): string[] {
  return root.node
    .findAll()
    .filter((node): node is apigatewayv2.CfnRoute => isOfType(node, 'AWS::ApiGatewayV2::Route'))
    .filter((route) => route.authorizerId === authorizerId)
    .map((route) => (Token.isUnresolved(route.routeKey) ? 'a route that is known at deployment only' : route.routeKey))
    .filter((routeKey) => !/^(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) \/[^{}*]*$/.test(routeKey));
}

function isOfType(node: IConstruct, type: string): boolean {
  return CfnResource.isCfnResource(node) && node.cfnResourceType === type;
}

/** A member of `TOKEN_SOURCE` as API Gateway writes it. A cookie is no place of its own, its header is. */
function place(source: string): string {
  const [kind, name] = source.split(':', 2);
  switch (kind) {
    case 'header':
      return `header.${name}`;
    case 'query':
      return `querystring.${name}`;
    case 'cookie':
      return 'header.Cookie';
    case 'subprotocol':
      return 'header.Sec-WebSocket-Protocol';
    default:
      throw new Error(`TOKEN_SOURCE: ${source}: must be header:NAME, query:NAME, cookie:NAME or subprotocol:NAME`);
  }
}
