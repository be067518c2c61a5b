# An HTTP API whose GET /pets goes to a backend on the web.

module "token_authorizer" {
  source = "../.."

  name    = "pets-token-authorizer"
  package = var.package
  settings = {
    ISSUER   = var.issuer
    AUDIENCE = var.audience
  }
}

module "attachment" {
  source = "../../modules/attachment"

  function_arn = module.token_authorizer.function_arn
  settings     = module.token_authorizer.settings
  api_id       = aws_apigatewayv2_api.pets.id
  api_kind     = "http"
}

resource "aws_apigatewayv2_api" "pets" {
  name          = "pets"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "pets" {
  api_id             = aws_apigatewayv2_api.pets.id
  integration_type   = "HTTP_PROXY"
  integration_method = "GET"
  integration_uri    = "https://petstore.example.com/pets"
}

resource "aws_apigatewayv2_route" "get_pets" {
  api_id             = aws_apigatewayv2_api.pets.id
  route_key          = "GET /pets"
  target             = "integrations/${aws_apigatewayv2_integration.pets.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = module.attachment.authorizer_id
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.pets.id
  name        = "$default"
  auto_deploy = true
}

output "url" {
  description = "The example, behind the authorizer."
  value       = "${aws_apigatewayv2_api.pets.api_endpoint}/pets"
}
