// The check that a deployment makes: what it runs, with AWS's clients replaced, and what waits for it.
import assert from 'node:assert/strict';
import * as http from 'node:http';
import { AddressInfo } from 'node:net';
import { test } from 'node:test';
import * as vm from 'node:vm';
import { Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpUrlIntegration, WebSocketMockIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { TokenAuthorizerSettings } from '../src';
import { HANDLER } from '../src/status-check';
import { authorizer, TRUST } from './support';

const GOOD = { name: TRUST.ISSUER, available: true, entries: 2, age_seconds: 1 };
const WORKS = { version: '0.1.0', settings: 'ok', keys: [GOOD], revocations: [] };

interface Given {
  readonly type?: 'Create' | 'Update' | 'Delete';
  readonly answer?: unknown;
  readonly functionError?: string;
  readonly invoke?: () => void;
  readonly stack?: string;
}

/** What the handler reports to CloudFormation, and what it asked AWS. */
async function run({ type = 'Create', answer = WORKS, functionError, invoke, stack = 'CREATE_IN_PROGRESS' }: Given) {
  const asked: object[] = [];
  let reported = '';
  const server = http.createServer((request, response) => {
    assert.equal(request.headers['content-type'] ?? '', '', 'a signed address is for no content type');
    request.on('data', (data) => (reported += data));
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  class Command {
    constructor(readonly input: object) {}
  }
  class LambdaClient {
    async send({ input }: Command) {
      asked.push(input);
      invoke?.();
      return { FunctionError: functionError, Payload: Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer)) };
    }
  }
  class CloudFormationClient {
    async send({ input }: Command) {
      asked.push(input);
      return { Stacks: [{ StackStatus: stack }] };
    }
  }
  const modules: Record<string, object> = {
    '@aws-sdk/client-lambda': { LambdaClient, InvokeCommand: Command },
    '@aws-sdk/client-cloudformation': { CloudFormationClient, DescribeStacksCommand: Command },
  };
  const exported: { handler?: (event: object) => Promise<void> } = {};
  vm.runInNewContext(HANDLER, { require: (name: string) => modules[name], exports: exported, fetch, Buffer, setTimeout: setImmediate });
  await exported.handler!({
    RequestType: type,
    ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Check',
    ResourceProperties: { FunctionName: 'authorizer' },
  });
  server.close();
  return { ...(JSON.parse(reported) as { Status: string; Reason?: string; PhysicalResourceId: string }), asked };
}

test('a function that works lets the deployment pass', async () => {
  const { Status, PhysicalResourceId, asked } = await run({});
  assert.deepEqual([Status, PhysicalResourceId], ['SUCCESS', 'Check']);
  assert.deepEqual(asked.map((input) => ({ ...input })), [{ FunctionName: 'authorizer', Payload: '{"type":"STATUS"}' }]);
});

test('a function that does not work fails the deployment', async () => {
  const down = { ...GOOD, available: false, last_failure: { stage: 'connect', error: 'connection refused' } };
  for (const [given, reason] of [
    [{ functionError: 'Unhandled', answer: { errorMessage: 'ISSUER: must be https' } }, /does not start: ISSUER: must be https/],
    [{ functionError: 'Unhandled', answer: {} }, /does not start: \{\}/],
    [{ answer: { ...WORKS, keys: [GOOD, down] } }, /cannot decide: \[\{.*connection refused/],
    [{ answer: { ...WORKS, revocations: [down] } }, /cannot decide: \[\{.*connection refused/],
    [{ answer: { ...WORKS, keys: [{ ...down, available: 'yes' }] } }, /cannot decide/],
    [{ answer: { ...WORKS, keys: [] } }, /gave no status/],
    // A policy is no status: the function is an older one.
    [{ answer: { principalId: 'anonymous', policyDocument: {} } }, /gave no status/],
    [{ answer: { ...WORKS, settings: 'bad' } }, /gave no status/],
    [{ answer: 'null' }, /TypeError/],
    [{ answer: '<html>' }, /SyntaxError/],
    [{ invoke: () => { throw new Error('TooManyRequestsException'); } }, /TooManyRequests/],
  ] as const) {
    for (const type of ['Create', 'Update'] as const) {
      const { Status, Reason } = await run({ ...given, type });
      assert.equal(Status, 'FAILED', JSON.stringify(given));
      assert.match(Reason!, reason);
    }
  }
  const long = { answer: { ...WORKS, keys: Array.from({ length: 100 }, () => down) } };
  assert.equal((await run(long)).Reason!.length, 1000);
});

test('the check waits until its new role works', async () => {
  const denied = Object.assign(new Error('not authorized to perform lambda:InvokeFunction'), { name: 'AccessDeniedException' });
  for (const [failures, expected, tries] of [[4, 'SUCCESS', 5], [5, 'FAILED', 5]] as const) {
    let left = failures;
    const invoke = () => {
      if (left-- > 0) {
        throw denied;
      }
    };
    const { Status, asked } = await run({ invoke });
    assert.deepEqual([Status, asked.filter((input) => 'Payload' in input).length], [expected, tries]);
  }
});

test('a rollback and a deletion are not stopped', async () => {
  const down = { answer: { ...WORKS, keys: [{ available: false }] } };
  assert.equal((await run({ ...down, type: 'Update', stack: 'UPDATE_ROLLBACK_IN_PROGRESS' })).Status, 'SUCCESS');
  assert.equal((await run({ ...down, type: 'Update', stack: 'UPDATE_IN_PROGRESS' })).Status, 'FAILED');
  const deleted = await run({ ...down, type: 'Delete' });
  assert.deepEqual([deleted.Status, deleted.asked.length], ['SUCCESS', 0]);
});

const CHECK = 'Custom::TokenAuthorizerStatus';

test('APIs wait until the function works', () => {
  const { stack, it } = authorizer();
  const rest = new apigateway.RestApi(stack, 'Rest', { defaultMethodOptions: { authorizer: it.forRestApi() } });
  rest.root.addMethod('GET');
  rest.root.addMethod('POST', undefined, { authorizer: it.forRestApi({ id: 'Second', type: 'REQUEST' }) });
  const http = new apigatewayv2.HttpApi(stack, 'Http', { defaultAuthorizer: it.forHttpApi() });
  http.addRoutes({ path: '/pets', integration: new HttpUrlIntegration('Pets', 'https://pets.example.com') });
  http.addRoutes({ path: '/more', integration: new HttpUrlIntegration('More', 'https://pets.example.com') });
  new apigatewayv2.WebSocketApi(stack, 'WebSocket', {
    connectRouteOptions: { integration: new WebSocketMockIntegration('Connect'), authorizer: it.forWebSocketApi() },
  });
  const template = Template.fromStack(stack);
  const [check] = Object.keys(template.findResources(CHECK));
  const found = ['AWS::ApiGateway::Authorizer', 'AWS::ApiGatewayV2::Authorizer'].flatMap((type) => Object.values(template.findResources(type)));
  assert.equal(found.length, 4);
  for (const resource of found) {
    assert.ok(resource.DependsOn.includes(check), JSON.stringify(resource));
  }
  assertNoCycle(template);
});

test('the check can ask this function and nothing else', () => {
  const template = Template.fromStack(authorizer().stack);
  const [fn, check] = Object.keys(template.findResources('AWS::Lambda::Function'));
  template.hasResource(CHECK, {
    DependsOn: [fn],
    Properties: { ServiceToken: { 'Fn::GetAtt': [check, 'Arn'] }, FunctionName: { Ref: fn } },
  });
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        Match.objectLike({ Action: ['logs:CreateLogStream', 'logs:PutLogEvents'] }),
        Match.objectLike({ Action: 'lambda:InvokeFunction', Resource: { 'Fn::GetAtt': [fn, 'Arn'] } }),
        Match.objectLike({ Action: 'cloudformation:DescribeStacks', Resource: { Ref: 'AWS::StackId' } }),
      ],
    },
  });
  // CloudFormation takes up to 4,096 characters.
  assert.ok(HANDLER.length <= 4096);
});

test('the check runs again when the function changes', () => {
  const configuration = (settings: object, later?: (it: ReturnType<typeof authorizer>['it']) => void) => {
    const { stack, it } = authorizer({ settings: { ...TRUST, ...settings } as TokenAuthorizerSettings });
    later?.(it);
    const [check] = Object.values(Template.fromStack(stack).findResources(CHECK));
    return check.Properties.Configuration;
  };
  const first = configuration({});
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(configuration({}), first);
  assert.notEqual(configuration({ LEEWAY_SECONDS: 1 }), first);
  assert.notEqual(configuration({}, (it) => it.function.addEnvironment('LATER', 'x')), first);
});

test('the check can be left out', () => {
  const { stack, it } = authorizer({ statusCheck: false });
  const api = new apigateway.RestApi(stack, 'Api', { defaultMethodOptions: { authorizer: it.forRestApi() } });
  api.root.addMethod('GET');
  const template = Template.fromStack(stack);
  template.resourceCountIs(CHECK, 0);
  template.resourceCountIs('AWS::Lambda::Function', 1);
});

test('APIs of other stacks wait, too', () => {
  const { stack, it } = authorizer();
  const other = new Stack(stack.node.root, 'Other', { env: { account: stack.account, region: stack.region } });
  const http = new apigatewayv2.HttpApi(other, 'Http', { defaultAuthorizer: it.forHttpApi() });
  http.addRoutes({ path: '/pets', integration: new HttpUrlIntegration('Pets', 'https://pets.example.com') });
  Template.fromStack(other).resourceCountIs('AWS::ApiGatewayV2::Authorizer', 1);
  assert.deepEqual(other.dependencies, [stack]);
});

/** CloudFormation refuses resources that wait for each other. */
function assertNoCycle(template: Template): void {
  const resources = template.toJSON().Resources as Record<string, { DependsOn?: string[] }>;
  const needs = (value: unknown): string[] => {
    if (typeof value !== 'object' || value === null) {
      return [];
    }
    const { Ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: string[] };
    return [...(Ref ? [Ref] : []), ...(attribute ? [attribute[0]] : []), ...Object.values(value).flatMap(needs)];
  };
  const left = new Map(Object.entries(resources).map(([id, resource]) => [id, new Set([...(resource.DependsOn ?? []), ...needs(resource)].filter((n) => n in resources))]));
  for (;;) {
    const ready = [...left].filter(([, waits]) => [...waits].every((id) => !left.has(id))).map(([id]) => id);
    if (ready.length === 0) {
      break;
    }
    ready.forEach((id) => left.delete(id));
  }
  assert.deepEqual([...left.keys()], []);
}
