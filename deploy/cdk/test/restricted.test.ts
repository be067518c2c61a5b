// Accounts that restrict what a role may be, and which keys, networks and code are used.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Aspects, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as signer from 'aws-cdk-lib/aws-signer';
import { TokenAuthorizer, TokenAuthorizerProps } from '../src';
import { TRUST, zip } from './support';

function deployed(make: (stack: Stack) => Partial<TokenAuthorizerProps>) {
  const stack = new Stack(undefined, 'Pets', { env: { account: '123456789012', region: 'eu-west-1' } });
  const it = new TokenAuthorizer(stack, 'Authorizer', { settings: TRUST, code: lambda.Code.fromAsset(zip), ...make(stack) });
  return { stack, it, template: Template.fromStack(stack) };
}

function statements(template: Template): { Action: string | string[]; Resource: unknown }[] {
  return Object.values(template.findResources('AWS::IAM::Policy')).flatMap((policy) => policy.Properties.PolicyDocument.Statement);
}

const BOUNDARY = 'arn:aws:iam::123456789012:policy/boundary';
const ROLE = 'arn:aws:iam::123456789012:role/authorizer';

test('every role has the permissions boundary', () => {
  const { template } = deployed((stack) => ({
    permissionsBoundary: iam.ManagedPolicy.fromManagedPolicyArn(stack, 'Boundary', BOUNDARY),
  }));
  assert.ok(Object.keys(template.findResources('AWS::IAM::Role')).length === 2);
  template.allResourcesProperties('AWS::IAM::Role', { PermissionsBoundary: BOUNDARY });
});

test('a permissions boundary of the whole app applies', () => {
  const stack = new Stack();
  iam.PermissionsBoundary.of(stack).apply(iam.ManagedPolicy.fromManagedPolicyArn(stack, 'Boundary', BOUNDARY));
  new TokenAuthorizer(stack, 'Authorizer', { settings: TRUST, code: lambda.Code.fromAsset(zip) });
  Template.fromStack(stack).allResourcesProperties('AWS::IAM::Role', { PermissionsBoundary: BOUNDARY });
  assert.ok(Aspects.of(stack).all.length > 0);
});

test('an existing role that must not change stays as it is', () => {
  const { template } = deployed((stack) => ({
    role: iam.Role.fromRoleArn(stack, 'Existing', ROLE, { mutable: false }),
    tracing: lambda.Tracing.ACTIVE,
    vpc: new ec2.Vpc(stack, 'Vpc'),
    environmentEncryption: new kms.Key(stack, 'Key'),
  }));
  template.hasResourceProperties('AWS::Lambda::Function', { Role: ROLE });
  // The account may allow no other role either.
  template.resourceCountIs('AWS::IAM::Role', 0);
  template.resourceCountIs('AWS::IAM::Policy', 0);
  template.resourceCountIs('AWS::Logs::ResourcePolicy', 0);
});

test('an existing role that can change gets the permissions', () => {
  const { template } = deployed((stack) => ({ role: iam.Role.fromRoleArn(stack, 'Existing', ROLE) }));
  template.hasResourceProperties('AWS::IAM::Policy', {
    Roles: ['authorizer'],
    PolicyDocument: { Statement: [Match.objectLike({ Action: ['logs:CreateLogStream', 'logs:PutLogEvents'] })] },
  });
});

test('the environment is encrypted with a key that the role can use', () => {
  const { stack, template, it } = deployed((stack) => ({ environmentEncryption: new kms.Key(stack, 'Key') }));
  const key = stack.resolve((it.function.node.defaultChild as lambda.CfnFunction).kmsKeyArn);
  assert.ok(key['Fn::GetAtt']);
  template.hasResourceProperties('AWS::Lambda::Function', { KmsKeyArn: key });
  assert.deepEqual(statements(template).filter(({ Action }) => Action === 'kms:Decrypt').map(({ Resource }) => Resource), [key]);
});

test('the log is encrypted with a key that CloudWatch Logs can use', () => {
  const { template } = deployed((stack) => ({ logEncryptionKey: new kms.Key(stack, 'Key') }));
  template.hasResourceProperties('AWS::Logs::LogGroup', { KmsKeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] } });
  template.hasResourceProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Principal: { Service: 'logs.eu-west-1.amazonaws.com' },
          Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':logs:eu-west-1:123456789012:*']] } } },
        }),
      ]),
    },
  });
  const arn = 'arn:aws:kms:eu-west-1:123456789012:key/1';
  const imported = deployed((stack) => ({ logEncryptionKey: kms.Key.fromKeyArn(stack, 'Key', arn) })).template;
  imported.hasResourceProperties('AWS::Logs::LogGroup', { KmsKeyId: arn });
});

test('reserved concurrency, tracing, code signing and VPC are passed on', () => {
  const { template } = deployed((stack) => {
    const vpc = new ec2.Vpc(stack, 'Vpc');
    return {
      reservedConcurrentExecutions: 20,
      tracing: lambda.Tracing.ACTIVE,
      codeSigningConfig: new lambda.CodeSigningConfig(stack, 'Signing', {
        signingProfiles: [new signer.SigningProfile(stack, 'Profile', { platform: signer.Platform.AWS_LAMBDA_SHA384_ECDSA })],
      }),
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      securityGroups: [new ec2.SecurityGroup(stack, 'Group', { vpc })],
    };
  });
  template.hasResourceProperties('AWS::Lambda::Function', {
    ReservedConcurrentExecutions: 20,
    TracingConfig: { Mode: 'Active' },
    CodeSigningConfigArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Signing'), 'CodeSigningConfigArn'] },
    VpcConfig: {
      SubnetIds: Match.anyValue(),
      SecurityGroupIds: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^Group'), 'GroupId'] }],
    },
  });
  const actions = statements(template).flatMap(({ Action }) => Action);
  for (const action of ['xray:PutTraceSegments', 'ec2:CreateNetworkInterface', 'logs:PutLogEvents']) {
    assert.ok(actions.includes(action), action);
  }
});

test('no concurrency at all is warned about', () => {
  const { stack } = deployed(() => ({ reservedConcurrentExecutions: 0 }));
  Annotations.fromStack(stack).hasWarning('/Pets/Authorizer', Match.stringLikeRegexp('every request gets 500'));
  Annotations.fromStack(deployed(() => ({ reservedConcurrentExecutions: 1 })).stack).hasNoWarning('*', Match.anyValue());
});
