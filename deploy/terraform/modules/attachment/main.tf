locals {
  # arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME
  arn            = split(":", var.function_arn)
  authorizer_uri = "arn:${local.arn[1]}:apigateway:${local.arn[3]}:lambda:path/2015-03-31/functions/${var.function_arn}/invocations"
  authorizer_id  = one(concat(aws_api_gateway_authorizer.this[*].id, aws_apigatewayv2_authorizer.this[*].id))

  settings     = { for name, value in var.settings : name => trimspace(value) }
  token_source = regexall("[^,\\s]+", lookup(local.settings, "TOKEN_SOURCE", "header:Authorization"))
  prefix       = { rest = "method.request.", http = "$request.", websocket = "route.request." }[var.api_kind]
  # The places of the token as API Gateway writes them. A cookie is no place of its own, its header is.
  places = distinct([
    for source in local.token_source : join("", [local.prefix, {
      header = "header.${split(":", source)[1]}"
      query  = "querystring.${split(":", source)[1]}"
      cookie = "header.Cookie"
    }[split(":", source)[0]]])
  ])
  is_one_header = length(local.token_source) == 1 && startswith(local.token_source[0], "header:")
  # A decision about a bound token is one about the client's certificate, too.
  is_bound = lookup(local.settings, "TOKEN_BINDING", "refuse") == "certificate"

  is_simple = var.api_kind == "http" && var.payload_format_version == "2.0" && lookup(local.settings, "SIMPLE_RESPONSE", "off") == "on"
  # With ROUTES a simple response is the answer for one route.
  route_key = local.is_simple && contains(keys(local.settings), "ROUTES") ? ["$context.routeKey"] : []

  ttl              = var.ttl != null ? var.ttl : var.api_kind == "websocket" || length(local.places) > 1 || local.is_bound ? 0 : 300
  identity_sources = var.identity_sources != null ? var.identity_sources : length(local.places) > 1 ? [] : concat(local.places, local.route_key)
  type             = var.api_kind != "rest" ? "" : var.type != null ? var.type : local.is_one_header && var.identity_sources == null && !local.is_bound ? "TOKEN" : "REQUEST"

  # What cannot be a bearer JWT gets 401 from API Gateway and costs no invocation.
  scheme     = lookup(local.settings, "BEARER_PREFIX", "required") == "optional" ? "([Bb][Ee][Aa][Rr][Ee][Rr] +)?" : "[Bb][Ee][Aa][Rr][Ee][Rr] +"
  expression = "^${local.scheme}[-_0-9A-Za-z]+\\.[-_0-9A-Za-z]+\\.[-_0-9A-Za-z]+$"
}

resource "aws_api_gateway_authorizer" "this" {
  count = var.api_kind == "rest" ? 1 : 0

  rest_api_id                      = var.api_id
  name                             = var.name
  type                             = local.type
  authorizer_uri                   = local.authorizer_uri
  identity_source                  = join(",", local.identity_sources)
  identity_validation_expression   = local.type == "TOKEN" ? local.expression : null
  authorizer_result_ttl_in_seconds = local.ttl
}

resource "aws_apigatewayv2_authorizer" "this" {
  count = var.api_kind == "rest" ? 0 : 1

  api_id           = var.api_id
  name             = var.name
  authorizer_type  = "REQUEST"
  authorizer_uri   = local.authorizer_uri
  identity_sources = local.identity_sources
  # WebSocket APIs know none of these.
  authorizer_payload_format_version = var.api_kind == "http" ? var.payload_format_version : null
  authorizer_result_ttl_in_seconds  = var.api_kind == "http" ? local.ttl : null
  enable_simple_responses           = var.api_kind == "http" ? local.is_simple : null
}

# Without it every request gets 500.
resource "aws_lambda_permission" "this" {
  statement_id_prefix = "api-gateway-"
  function_name       = var.function_arn
  action              = "lambda:InvokeFunction"
  principal           = "apigateway.amazonaws.com"
  source_arn          = "arn:${local.arn[1]}:execute-api:${local.arn[3]}:${local.arn[4]}:${var.api_id}/authorizers/${local.authorizer_id}"
}
