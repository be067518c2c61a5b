# A WebSocket API. Browsers cannot set headers on a connection, so the token may be in ?token=, too.

module "token_authorizer" {
  source = "../.."

  name    = "chat-token-authorizer"
  package = var.package
  settings = {
    ISSUER       = var.issuer
    AUDIENCE     = var.audience
    TOKEN_SOURCE = "header:Authorization, query:token"
  }
}

module "attachment" {
  source = "../../modules/attachment"

  function_arn = module.token_authorizer.function_arn
  settings     = module.token_authorizer.settings
  api_id       = aws_apigatewayv2_api.chat.id
  api_kind     = "websocket"
}

resource "aws_apigatewayv2_api" "chat" {
  name                       = "chat"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

resource "aws_apigatewayv2_integration" "connect" {
  api_id           = aws_apigatewayv2_api.chat.id
  integration_type = "MOCK"
  request_templates = {
    "200" = jsonencode({ statusCode = 200 })
  }
  template_selection_expression = "200"
}

# Only $connect is authorized, and the decision holds as long as the connection.
resource "aws_apigatewayv2_route" "connect" {
  api_id             = aws_apigatewayv2_api.chat.id
  route_key          = "$connect"
  target             = "integrations/${aws_apigatewayv2_integration.connect.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = module.attachment.authorizer_id
}

resource "aws_apigatewayv2_stage" "dev" {
  api_id      = aws_apigatewayv2_api.chat.id
  name        = "dev"
  auto_deploy = true
}

output "url" {
  description = "Where to connect to."
  value       = aws_apigatewayv2_stage.dev.invoke_url
}
