// What is wrong with values and can be seen now. The program checks everything once more when it starts.
import { Token } from 'aws-cdk-lib';

type Settings = Readonly<Record<string, unknown>>;

const VERBS = ['ANY', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];
/** The settings that hold JSON, and whether as an array. */
const JSON_SETTINGS = { ISSUERS: true, JWKS: false, REQUIRED_CLAIMS: false, REVOKED: false, ROUTES: false, TRIAL: false };

/** JSON as the value it means. Nothing for a file, a value known at deployment only, and what is no JSON. */
export function readable(value: unknown): unknown {
  if (Token.isUnresolved(value)) {
    return undefined;
  }
  if (typeof value !== 'string') {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

export function jsonProblems(settings: Settings): string[] {
  return Object.entries(JSON_SETTINGS).flatMap(([name, isArray]) => {
    const value = settings[name];
    if (value === undefined || Token.isUnresolved(value) || isElsewhere(name, value)) {
      return [];
    }
    const found = readable(value);
    const isGood = isArray ? Array.isArray(found) : typeof found === 'object' && found !== null && !Array.isArray(found);
    return isGood ? [] : [`${name}: must be a JSON ${isArray ? 'array' : 'object'}, or @ and the path of a file that holds one`];
  });
}

/** Blank, a file, or the address of a list. */
function isElsewhere(name: string, value: unknown): boolean {
  return typeof value === 'string' && (/^\s*(@.+)?$/.test(value) || (name === 'REVOKED' && isAddress(value)));
}

/** What begins like a URL; JSON does not. */
function isAddress(value: string): boolean {
  return /^\s*[a-z][a-z0-9+.-]*:/i.test(value);
}

export function tableProblems(settings: Settings): string[] {
  return [
    ...routeProblems('ROUTES', settings.ROUTES),
    ...issuers(settings).flatMap(({ routes }, n) => routeProblems(`ISSUERS: member ${n + 1}: routes`, routes)),
  ];
}

function routeProblems(name: string, routes: unknown): string[] {
  const table = readable(routes);
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    return [];
  }
  const keys = Object.keys(table);
  if (keys.length === 0) {
    return [`${name}: an empty table would refuse every request; leave it out to open every route to a valid token`];
  }
  return keys
    .filter((key) => !Token.isUnresolved(key) && key !== '$connect' && !new RegExp(`^(${VERBS.join('|')}) /\\S*$`).test(key))
    .map((key) => `${name}: ${key}: must be a verb (${VERBS.join(', ')}), one space and a path that begins with /, or $connect`);
}

export function addressProblems(settings: Settings): string[] {
  const { ISSUER, JWKS, JWKS_URI, RESOURCE_METADATA, REVOKED } = settings;
  const lists = typeof REVOKED === 'string' && isAddress(REVOKED) ? [REVOKED] : [];
  const discovered = isGiven(JWKS) || isGiven(JWKS_URI) ? [] : members(ISSUER);
  return [
    ...discovered.flatMap((address) => secure('ISSUER', address)),
    ...secure('JWKS_URI', JWKS_URI),
    ...secure('RESOURCE_METADATA', RESOURCE_METADATA),
    ...lists.flatMap((address) => secure('REVOKED', address)),
    ...issuers(settings).flatMap(({ issuer, jwks_uri, jwks, revoked }, n) => {
      const at = `ISSUERS: member ${n + 1}`;
      return [
        ...(isGiven(jwks) || isGiven(jwks_uri) ? [] : secure(`${at}: issuer`, issuer)),
        ...secure(`${at}: jwks_uri`, jwks_uri),
        ...(typeof revoked === 'string' && isAddress(revoked) ? secure(`${at}: revoked`, revoked) : []),
      ];
    }),
  ];
}

/** Addresses are https. Plain http is for a process on the same machine. */
function secure(name: string, address: unknown): string[] {
  if (typeof address !== 'string' || address.trim() === '' || Token.isUnresolved(address)) {
    return [];
  }
  const url = URL.canParse(address.trim()) ? new URL(address.trim()) : undefined;
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '');
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback);
  // The query of a signed address is a secret.
  return isSecure ? [] : [`${name}: ${address.split('?')[0]}: must be an absolute https URL, for example https://login.example.com`];
}

function issuers({ ISSUERS }: Settings): Settings[] {
  const found = readable(ISSUERS);
  const isReadable = (issuer: unknown) => typeof issuer === 'object' && issuer !== null && !Token.isUnresolved(issuer);
  // What cannot be read keeps its place, so that the others are counted right.
  return Array.isArray(found) ? found.map((issuer) => (isReadable(issuer) ? issuer : {})) : [];
}

function isGiven(value: unknown): boolean {
  return value !== undefined && !(typeof value === 'string' && value.trim() === '');
}

function members(list: unknown): string[] {
  if (Token.isUnresolved(list)) {
    return [];
  }
  const text = Array.isArray(list) ? list.join(',') : String(list ?? '');
  return Token.isUnresolved(text) ? [] : text.split(/[,\s]+/).filter((member) => member !== '');
}
