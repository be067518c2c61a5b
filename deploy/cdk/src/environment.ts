import { Stack, Token } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { addressProblems, jsonProblems, readable, tableProblems } from './checks';
import { SETTINGS } from './settings';

type Table = typeof SETTINGS;
type Value<S> =
  S extends { kind: 'word'; of: readonly (infer Word)[] } ? Word
  : S extends { kind: 'list'; of: readonly [] } ? string | readonly string[]
  : S extends { kind: 'list'; of: readonly (infer Member)[] } ? Member | readonly Member[]
  : S extends { kind: 'number' } ? number
  : S extends { kind: 'json' } ? string | object
  : string;

/** The settings that Lambda's logging controls set; here they are `logLevel` and `logFormat`. */
type Logging = Extract<keyof Table, `AWS_LAMBDA_${string}`>;
export type LogLevel = Table['AWS_LAMBDA_LOG_LEVEL']['of'][number];
export type LogFormat = Table['AWS_LAMBDA_LOG_FORMAT']['of'][number];

type Every = { readonly [Name in Exclude<keyof Table, Logging>]: Value<Table[Name]> };

/**
 * The settings of the program, by the names of its README. A list is an array, or a string with commas or spaces; JSON is
 * an object, a string, or `@/opt/file` with a file of a layer. Whom to trust is needed: `ISSUER` and `AUDIENCE`, or `ISSUERS`.
 */
export type TokenAuthorizerSettings = Partial<Every> & (Pick<Every, 'ISSUER' | 'AUDIENCE'> | Pick<Every, 'ISSUERS'>);

/** What the construct attaches to an API follows from these, so a value that only the deployment knows is of no use. */
const NEEDED_AT_SYNTHESIS = ['BEARER_PREFIX', 'CHALLENGE_SCOPES', 'POLICY_SCOPE', 'REFUSAL', 'SIMPLE_RESPONSE', 'TOKEN_BINDING', 'TOKEN_SOURCE'];

/**
 * The variables of the function.
 *
 * @throws with everything that is wrong, so that a deployment does not find it out.
 */
export function environment(scope: Construct, settings: TokenAuthorizerSettings): Record<string, string> {
  const problems: string[] = [];
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    const setting = isSetting(name) ? SETTINGS[name] : undefined;
    if (!setting) {
      problems.push(`${name}: no such setting; there are ${Object.keys(SETTINGS).filter(isSetting).join(', ')}`);
    } else if (value !== undefined) {
      const text = written(scope, value);
      if (NEEDED_AT_SYNTHESIS.includes(name) && Token.isUnresolved(text)) {
        problems.push(`${name}: must be known when the stack is synthesized, because the API's authorizer depends on it`);
      }
      problems.push(...check(setting, value, text).map((problem) => `${name}: ${problem}`));
      if (text.trim() !== '') {
        variables[name] = text;
      }
    }
  }
  problems.push(...jsonProblems(settings), ...tableProblems(settings), ...addressProblems(settings));
  if (!('ISSUERS' in variables) && !('ISSUER' in variables && 'AUDIENCE' in variables)) {
    problems.push('ISSUER and AUDIENCE, or ISSUERS: needed to know whom to trust');
  }
  if (problems.length > 0) {
    throw badSettings(problems);
  }
  return variables;
}

export function badSettings(problems: string[]): Error {
  return new Error(`bad settings of the token authorizer\n  ${problems.join('\n  ')}`);
}

/**
 * Whether these settings have a table of routes. `ISSUERS` has one if any of its issuers has; what cannot be read here, a
 * file for example, may have one.
 */
export function mayHaveTable(settings: TokenAuthorizerSettings): boolean {
  const { ROUTES, ISSUERS } = settings;
  if (!isBlank(ROUTES)) {
    return true;
  }
  if (isBlank(ISSUERS)) {
    return false;
  }
  const issuers = readable(ISSUERS);
  if (!Array.isArray(issuers)) {
    return true;
  }
  return issuers.some((issuer) => {
    const isReadable = typeof issuer === 'object' && issuer !== null && !Token.isUnresolved(issuer);
    return !isReadable || Object.keys(issuer).some((member) => member === 'routes' || Token.isUnresolved(member));
  });
}

function isBlank(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value.trim() === '');
}

function isSetting(name: string): name is keyof Every {
  return Object.hasOwn(SETTINGS, name) && !name.startsWith('AWS_LAMBDA_');
}

/** A value as the program reads it. */
function written(scope: Construct, value: unknown): string {
  if (Array.isArray(value) && value.every((member) => typeof member === 'string')) {
    return value.join(',');
  }
  return typeof value === 'object' ? Stack.of(scope).toJsonString(value) : String(value);
}

function check(setting: Table[keyof Every], value: unknown, text: string): string[] {
  if (Token.isUnresolved(value) || Token.isUnresolved(text)) {
    return []; // Known at deployment only; the program says what is wrong.
  }
  switch (setting.kind) {
    case 'word':
      return (setting.of as readonly string[]).includes(text) ? [] : [`${text}: must be ${setting.of.join(' or ')}`];
    case 'number': {
      const isGood = Number.isInteger(value) && Number(value) >= setting.min && Number(value) <= setting.max;
      return isGood ? [] : [`${text}: must be a whole number from ${setting.min} to ${setting.max}`];
    }
    case 'list': {
      const members = listMembers(Array.isArray(value) ? value : text);
      const known = setting.of as readonly string[];
      const unknown = known.length > 0 ? members.filter((member) => !known.includes(member)) : [];
      const broken = Array.isArray(value) ? value.filter((member) => !/^[^,\s]+$/.test(member)) : [];
      return [
        ...(members.length === 0 && text.trim() !== '' ? [`'${text}': must have at least one member`] : []),
        ...unknown.map((member) => `${member}: must be a list out of ${known.join(', ')}`),
        ...broken.map((member) => `'${member}': the members of a list cannot contain commas or spaces`),
      ];
    }
    default:
      return [];
  }
}

/** The members of a list as the program sees them: separated by commas, spaces or both. */
export function listMembers(list: string | readonly string[]): string[] {
  return (typeof list === 'string' ? list : list.join(',')).split(/[,\s]+/).filter((member) => member !== '');
}
