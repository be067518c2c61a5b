// Prints the settings as a struct that all languages of jsii have, in their manner: JWKS_URI is `jwksUri`, and `jwks_uri`
// in Python. Used by .ci/cdk.
import { SETTINGS } from '../src/settings';

const TYPES = {
  word: ['string', 'one word'],
  list: ['string[]', 'a list'],
  number: ['number', 'a number'],
  json: ['any', 'an object, or a string with JSON or with @/opt/file, which is in a layer'],
  text: ['string', 'a string'],
} as const;

function member([name, setting]: [string, (typeof SETTINGS)[keyof typeof SETTINGS]]): string {
  const [type, words] = TYPES[setting.kind];
  const of = 'of' in setting && setting.of.length > 0 ? `, out of ${setting.of.join(', ')}` : '';
  const limits = 'min' in setting ? ` from ${setting.min} to ${setting.max}` : '';
  const property = name.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return `  /**
   * The setting ${name}: ${words}${of}${limits}.
   *
   * @default ${setting.default === '' ? 'none' : setting.default}
   */
  readonly ${property}?: ${type};`;
}

const members = Object.entries(SETTINGS).filter(([name]) => !name.startsWith('AWS_LAMBDA_')).map(member);
console.log(`/** The settings of the program. Whom to trust is needed: \`issuer\` and \`audience\`, or \`issuers\`. */
export interface TokenAuthorizerSettings {
${members.join('\n')}
}`);
