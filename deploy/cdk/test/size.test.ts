// Variables are measured as Lambda does, and as the Terraform module does: tests/environment_size.json is for both.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Fn, Lazy } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { TokenAuthorizerProps, TokenAuthorizerSettings } from '../src';
import { measure } from '../src/size';
import { authorizer, TRUST } from './support';

interface Case {
  readonly name: string;
  readonly variables: Record<string, string | [string, number]>;
  readonly bytes: number;
  readonly fits: boolean;
}
const CASES: Case[] = JSON.parse(fs.readFileSync(path.join(__dirname, '../../../tests/environment_size.json'), 'utf8'));

/** The error about these settings, if there is one. */
function problem(settings: object, props: Partial<TokenAuthorizerProps> = {}): string {
  try {
    authorizer({ settings: settings as TokenAuthorizerSettings, ...props });
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

/** Settings of this size as JSON; the last one fills up. */
function filled(settings: Record<string, unknown>, size: number): object {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const sent = Object.fromEntries(Object.entries({ ...TRUST, ...settings, JWKS_CA_FILE: '' }).map(([name, value]) => [name, text(value)]));
  return { ...TRUST, ...settings, JWKS_CA_FILE: '/'.repeat(size - measure(sent)) };
}

test('the size of the variables is what Lambda counts', () => {
  assert.ok(CASES.length > 40);
  for (const { name, variables, bytes, fits } of CASES) {
    const settings = Object.fromEntries(
      Object.entries(variables).map(([key, value]) => [key, typeof value === 'string' ? value : value[0].repeat(value[1])]),
    );
    assert.equal(measure(settings), bytes, name);
    if (fits) {
      assert.equal(problem(settings), 'none', name);
    } else {
      assert.match(problem(settings), new RegExp(`have ${bytes} bytes as JSON, and Lambda accepts 4096`), name);
    }
  }
});

test('settings that are objects are measured', () => {
  const routes = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`GET /pets/${n}/"owners"`, ['pets:read']]));
  const issuers = { ISSUERS: [{ issuer: 'https://login.example.com', audience: 'pets', routes }] };
  for (const settings of [{ ROUTES: routes }, { ROUTES: JSON.stringify(routes) }, issuers]) {
    assert.equal(problem(filled(settings, 4096)), 'none');
    assert.match(problem(filled(settings, 4097)), /have 4097 bytes as JSON/);
  }
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`GET /pets/${n}`, ['pets:read']]));
  assert.match(problem({ ...TRUST, ROUTES: many }), /have 3\d{4} bytes as JSON/);
});

test('the variable that the construct adds is measured', () => {
  const name = measure({ METRICS_NAMESPACE: 'TokenAuthorizer/Pets/Authorizer' }) - 1;
  assert.equal(problem(filled({}, 4096 - name), { alarms: {} }), 'none');
  assert.match(problem(filled({}, 4097 - name), { alarms: {} }), /have 4097 bytes as JSON/);
  assert.equal(problem(filled({}, 4097 - name)), 'none');
});

test('variables that are added later are measured', () => {
  const { stack, it } = authorizer({ settings: filled({}, 4096) as TokenAuthorizerSettings });
  it.function.addEnvironment('LATER', '');
  assert.throws(() => Template.fromStack(stack), /have 4107 bytes as JSON/);
});

test('what is known of a value counts', () => {
  const issuer = Fn.importValue('Issuer');
  const routes = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`GET /pets/${n}/owners`, ['pets:read']]));
  const issuers = (members: object) => ({ ISSUERS: [{ issuer, audience: 'pets', ...members }] });
  assert.match(problem(issuers({ routes })), /have at least 4\d{3} bytes as JSON.*the largest are ISSUERS \(4\d{3}\)/);
  assert.equal(problem(issuers({})), 'none');
  // At synthesis the value is there.
  const late = Lazy.string({ produce: () => 'x'.repeat(4096) });
  assert.match(problem({ ...TRUST, USAGE_KEY_CLAIM: late }), /bytes as JSON, and Lambda accepts 4096/);
});

test('the error names the largest settings and what helps', () => {
  const settings = { ...TRUST, ROUTES: { 'GET /pets': ['x'.repeat(2500)] }, JWKS_CA_FILE: '/'.repeat(1500), USAGE_KEY_CLAIM: 'sub' };
  assert.match(
    problem(settings),
    /the largest are ROUTES \(2524\), JWKS_CA_FILE \(1502\), ISSUER \(27\)\. Put JSON into a file of a layer, for example ROUTES: '@\/opt\/routes.json'/,
  );
});
