import { createHash } from 'node:crypto';
import { CustomResource, Duration, Lazy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/**
 * What CloudFormation runs: invokes the authorizer with `{"type": "STATUS"}`, and fails if it says that it does not work.
 *
 * A deployment that goes back to what was there before is not stopped: the provider may still be down then.
 */
export const HANDLER = `
const { CloudFormationClient, DescribeStacksCommand } = require('@aws-sdk/client-cloudformation');
const { InvokeCommand, LambdaClient } = require('@aws-sdk/client-lambda');

exports.handler = async (event) => {
  let problem;
  try {
    problem = event.RequestType === 'Delete' ? undefined : await check(event);
    if (problem && (await isRollback(event.StackId))) problem = undefined;
  } catch (error) {
    problem = String(error);
  }
  await fetch(event.ResponseURL, {
    method: 'PUT',
    headers: { 'content-type': '' },
    body: JSON.stringify({
      Status: problem ? 'FAILED' : 'SUCCESS',
      Reason: problem && problem.slice(0, 1000),
      PhysicalResourceId: event.LogicalResourceId,
      StackId: event.StackId,
      RequestId: event.RequestId,
      LogicalResourceId: event.LogicalResourceId,
    }),
  });
};

async function check({ ResourceProperties: { FunctionName } }) {
  const { FunctionError, Payload } = await invoke(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ type: 'STATUS' }) }));
  const text = Buffer.from(Payload).toString();
  const status = JSON.parse(text);
  if (FunctionError) return 'The authorizer does not start: ' + (status.errorMessage || text);
  // Key sets and revocation lists.
  const sources = Object.values(status).filter(Array.isArray).flat();
  if (status.settings !== 'ok' || sources.length === 0) return 'The authorizer gave no status: ' + text;
  const bad = sources.filter((source) => source.available !== true);
  if (bad.length > 0) return 'The authorizer cannot decide: ' + JSON.stringify(bad);
}

// A new role takes some seconds until it works everywhere.
async function invoke(command, attempts = 5) {
  try {
    return await new LambdaClient().send(command);
  } catch (error) {
    if (attempts === 1 || error.name !== 'AccessDeniedException') throw error;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    return invoke(command, attempts - 1);
  }
}

async function isRollback(StackName) {
  const { Stacks } = await new CloudFormationClient().send(new DescribeStacksCommand({ StackName }));
  return Stacks[0].StackStatus.includes('ROLLBACK');
}
`;

export interface StatusCheckProps {
  readonly function: lambda.Function;
  readonly logGroup: logs.ILogGroup;
  readonly permissionsBoundary?: iam.IManagedPolicy;
}

/** Fails the deployment if the function does not work: bad settings, or a provider that it cannot reach. */
export class StatusCheck extends Construct {
  /** What must wait until the check has passed depends on this. */
  readonly passed: CustomResource;

  constructor(scope: Construct, id: string, props: StatusCheckProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      permissionsBoundary: props.permissionsBoundary,
    });
    props.logGroup.grantWrite(role);
    role.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [props.function.functionArn] }));
    role.addToPolicy(new iam.PolicyStatement({ actions: ['cloudformation:DescribeStacks'], resources: [stack.stackId] }));
    const handler = new lambda.Function(this, 'Function', {
      description: 'Asks the authorizer for its status when it is deployed',
      runtime: lambda.Runtime.NODEJS_22_X,
      handler: 'index.handler',
      code: lambda.Code.fromInline(HANDLER),
      timeout: Duration.minutes(1),
      role,
      logGroup: props.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      systemLogLevelV2: lambda.SystemLogLevel.WARN,
    });
    const cfn = props.function.node.defaultChild as lambda.CfnFunction;
    this.passed = new CustomResource(this, 'Resource', {
      serviceToken: handler.functionArn,
      resourceType: 'Custom::TokenAuthorizerStatus',
      properties: {
        FunctionName: props.function.functionName,
        // Asks again when what runs has changed.
        Configuration: Lazy.string({ produce: () => configurationHash(stack, cfn) }),
      },
    });
    // Not on the function's construct: the permissions for authorizers belong to that, and they wait for this.
    this.passed.node.addDependency(cfn);
  }
}

/** A value that changes whenever the function behaves otherwise; settings may be secret. */
function configurationHash(stack: Stack, cfn: lambda.CfnFunction): string {
  const { architectures, code, environment, kmsKeyArn, layers, memorySize, role, timeout, vpcConfig } = cfn;
  const all = stack.resolve({ architectures, code, environment, kmsKeyArn, layers, memorySize, role, timeout, vpcConfig });
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}
