import { Stack, Token } from 'aws-cdk-lib';
import { Construct } from 'constructs';
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
 * The settings of the program, by the names of its README. A list is an array, or a text with commas or spaces; JSON is
 * an object, a text, or `@/opt/file` with a file of a layer. Whom to trust is needed: `ISSUER` and `AUDIENCE`, or `ISSUERS`.
 */
export type TokenAuthorizerSettings = Partial<Every> & (Pick<Every, 'ISSUER' | 'AUDIENCE'> | Pick<Every, 'ISSUERS'>);

/** Lambda's limit for the names and values of all variables of a function. */
const MAX_BYTES = 4096;

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
      problems.push(...check(setting, value, text).map((problem) => `${name}: ${problem}`));
      if (text.trim() !== '') {
        variables[name] = text;
      }
    }
  }
  if (!('ISSUERS' in variables) && !('ISSUER' in variables && 'AUDIENCE' in variables)) {
    problems.push('ISSUER and AUDIENCE, or ISSUERS: needed to know whom to trust');
  }
  const bytes = Object.entries(variables).reduce((sum, [name, text]) => sum + Buffer.byteLength(name + text), 0);
  if (bytes > MAX_BYTES && !Object.values(variables).some((text) => Token.isUnresolved(text))) {
    problems.push(`${bytes} bytes in all, and Lambda takes ${MAX_BYTES}: put JSON into a layer, as ROUTES: '@/opt/routes.json'`);
  }
  if (problems.length > 0) {
    throw new Error(`bad settings of the token authorizer\n  ${problems.join('\n  ')}`);
  }
  return variables;
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
      return (setting.of as readonly string[]).includes(text) ? [] : [`${text}: want ${setting.of.join(' or ')}`];
    case 'number': {
      const isGood = Number.isInteger(value) && Number(value) >= setting.min && Number(value) <= setting.max;
      return isGood ? [] : [`${text}: want a whole number from ${setting.min} to ${setting.max}`];
    }
    case 'list': {
      const members = listMembers(Array.isArray(value) ? value : text);
      const known = setting.of as readonly string[];
      const unknown = known.length > 0 ? members.filter((member) => !known.includes(member)) : [];
      const broken = Array.isArray(value) ? value.filter((member) => !/^[^,\s]+$/.test(member)) : [];
      return [
        ...unknown.map((member) => `${member}: want a list out of ${known.join(', ')}`),
        ...broken.map((member) => `'${member}': the members of a list have no comma and no space in them`),
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
