# A REST API with GET /pets, open to tokens with the scope pets:read.

module "token_authorizer" {
  source = "../.."

  name    = "pets-token-authorizer"
  package = var.package
  settings = {
    ISSUER   = var.issuer
    AUDIENCE = var.audience
    ROUTES   = jsonencode({ "GET /pets" = ["pets:read"] })
  }
  alarms = {}
}

module "attachment" {
  source = "../../modules/attachment"

  function_arn      = module.token_authorizer.function_arn
  settings          = module.token_authorizer.settings
  api_id            = aws_api_gateway_rest_api.pets.id
  api_kind          = "rest"
  gateway_responses = {}
}

resource "aws_api_gateway_rest_api" "pets" {
  name = "pets"
}

resource "aws_api_gateway_resource" "pets" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  parent_id   = aws_api_gateway_rest_api.pets.root_resource_id
  path_part   = "pets"
}

resource "aws_api_gateway_method" "get_pets" {
  rest_api_id   = aws_api_gateway_rest_api.pets.id
  resource_id   = aws_api_gateway_resource.pets.id
  http_method   = "GET"
  authorization = "CUSTOM"
  authorizer_id = module.attachment.authorizer_id
}

resource "aws_api_gateway_integration" "get_pets" {
  rest_api_id       = aws_api_gateway_rest_api.pets.id
  resource_id       = aws_api_gateway_resource.pets.id
  http_method       = aws_api_gateway_method.get_pets.http_method
  type              = "MOCK"
  request_templates = { "application/json" = jsonencode({ statusCode = 200 }) }
}

resource "aws_api_gateway_method_response" "get_pets" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  resource_id = aws_api_gateway_resource.pets.id
  http_method = aws_api_gateway_method.get_pets.http_method
  status_code = "200"

  response_parameters = {
    "method.response.header.Access-Control-Allow-Origin" = true
  }
}

resource "aws_api_gateway_integration_response" "get_pets" {
  rest_api_id        = aws_api_gateway_rest_api.pets.id
  resource_id        = aws_api_gateway_resource.pets.id
  http_method        = aws_api_gateway_method.get_pets.http_method
  status_code        = aws_api_gateway_method_response.get_pets.status_code
  response_templates = { "application/json" = "[]" }
  # For browsers, as the answers to refused requests have it. Name in Access-Control-Expose-Headers what scripts are to
  # read besides.
  response_parameters = {
    "method.response.header.Access-Control-Allow-Origin" = "'*'"
  }

  depends_on = [aws_api_gateway_integration.get_pets]
}

# For browsers add an OPTIONS method with authorization = "NONE": a preflight carries no token.

resource "aws_api_gateway_deployment" "pets" {
  rest_api_id = aws_api_gateway_rest_api.pets.id

  # A change of the API reaches its stage only by a new deployment.
  triggers = {
    redeployment = sha1(jsonencode([
      module.attachment.redeployment,
      aws_api_gateway_method.get_pets,
      aws_api_gateway_integration.get_pets,
      aws_api_gateway_integration_response.get_pets,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "dev" {
  rest_api_id   = aws_api_gateway_rest_api.pets.id
  deployment_id = aws_api_gateway_deployment.pets.id
  stage_name    = "dev"
}

output "url" {
  description = "The example, behind the authorizer."
  value       = "${aws_api_gateway_stage.dev.invoke_url}/pets"
}
