import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { TokenAuthorizer, TokenAuthorizerProps } from '../src';

export const TRUST = { ISSUER: 'https://login.example.com', AUDIENCE: 'https://pets.example.com' };

// Any file will do as a package: nothing is run here.
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'token-authorizer-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true }));
export const zip = path.join(folder, 'token-authorizer-0.1.0-arm64.zip');
fs.writeFileSync(zip, 'PK');

export function authorizer(props: Partial<TokenAuthorizerProps> = {}) {
  const stack = new Stack(new App(), 'Pets', { env: { account: '123456789012', region: 'eu-west-1' } });
  return { stack, it: new TokenAuthorizer(stack, 'Authorizer', { settings: TRUST, code: lambda.Code.fromAsset(zip), ...props }) };
}
