import { Stack, StackProps } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { TokenAuthorizer } from '../src'; // 'token-authorizer-cdk'

export class ApiStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);

    const authorizer = new TokenAuthorizer(this, 'Authorizer', {
      code: lambda.Code.fromAsset('token-authorizer-0.1.0-arm64.zip'),
      settings: {
        ISSUER: 'https://login.example.com',
        AUDIENCE: 'https://pets.example.com',
        ROUTES: { 'GET /pets': ['pets:read'], 'POST /pets': ['pets:write'] },
      },
      alarms: {},
    });

    const api = new apigateway.RestApi(this, 'Api', {
      cloudWatchRole: false, // else CDK changes a setting of the whole account
      defaultMethodOptions: { authorizer: authorizer.forRestApi() },
      // The preflight that CDK adds is open, whatever the default authorizer.
      defaultCorsPreflightOptions: { allowOrigins: apigateway.Cors.ALL_ORIGINS, allowHeaders: ['Authorization', 'Content-Type'] },
    });
    authorizer.addGatewayResponses(api);

    // Browsers need it on every answer. Access-Control-Expose-Headers names the other headers that scripts may read.
    const origin = 'method.response.header.Access-Control-Allow-Origin';
    const answer = new apigateway.MockIntegration({
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      integrationResponses: [
        { statusCode: '200', responseTemplates: { 'application/json': '[]' }, responseParameters: { [origin]: "'*'" } },
      ],
    });
    api.root.addResource('pets').addMethod('GET', answer, {
      methodResponses: [{ statusCode: '200', responseParameters: { [origin]: true } }],
    });
  }
}
