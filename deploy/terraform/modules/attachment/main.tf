locals {
  # arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME, and :ALIAS with a canary
  arn            = split(":", var.function_arn)
  authorizer_uri = "arn:${local.arn[1]}:apigateway:${local.arn[3]}:lambda:path/2015-03-31/functions/${var.function_arn}/invocations"
  authorizer_id  = one(concat(aws_api_gateway_authorizer.this[*].id, aws_apigatewayv2_authorizer.this[*].id))

  settings     = { for name, value in var.settings : name => trimspace(value) if trimspace(coalesce(value, " ")) != "" }
  token_source = regexall("[^,\\s]+", lookup(local.settings, "TOKEN_SOURCE", "header:Authorization"))
  prefix       = { rest = "method.request.", http = "$request.", websocket = "route.request." }[var.api_kind]
  # Where the token is, in API Gateway's words. A cookie or a subprotocol has no place of its own, its header has.
  places = distinct([
    for source in local.token_source : join("", [local.prefix, {
      header      = "header.${split(":", source)[1]}"
      query       = "querystring.${split(":", source)[1]}"
      cookie      = "header.Cookie"
      subprotocol = "header.Sec-WebSocket-Protocol"
    }[split(":", source)[0]]])
  ])
  is_one_header = length(local.token_source) == 1 && startswith(local.token_source[0], "header:")
  is_simple     = var.api_kind == "http" && var.payload_format_version == "2.0" && lookup(local.settings, "SIMPLE_RESPONSE", "off") == "on"

  # ISSUERS may have tables, too. It has none only if it can be read here, which a file cannot, and no member is `routes`.
  issuers_without_table = try(alltrue([for issuer in jsondecode(lookup(local.settings, "ISSUERS", "[]")) : !contains(keys(issuer), "routes")]), false)
  has_table             = contains(keys(local.settings), "ROUTES") || !local.issuers_without_table

  # What a decision depends on besides the token. If the cache key lacks it, one request gets the answer to another.
  is_bound    = lookup(local.settings, "TOKEN_BINDING", "refuse") == "certificate"
  for_route   = local.is_simple && local.has_table
  for_request = !local.is_simple && var.api_kind != "websocket" && local.has_table && lookup(local.settings, "POLICY_SCOPE", "stage") == "request"

  dollar          = var.api_kind == "rest" ? "" : "$"
  route_sources   = local.for_route ? ["$context.routeKey"] : []
  request_sources = local.for_request && (var.api_kind == "http" || local.ttl > 0) ? ["${local.dollar}context.httpMethod", "${local.dollar}context.path"] : []

  # A route of which all requests are the same to a table.
  one_request = "^(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^{}]*$"

  is_cacheable     = var.api_kind != "websocket" && length(local.places) == 1 && !local.is_bound && !local.for_route && !local.for_request
  ttl              = var.ttl != null ? var.ttl : local.is_cacheable ? 300 : 0
  safe_sources     = length(local.places) > 1 ? [] : concat(local.places, local.route_sources, local.request_sources)
  identity_sources = coalesce(var.identity_sources, local.safe_sources)

  may_be_token = local.is_one_header && !local.is_bound && try(local.identity_sources == local.places, false)
  type         = var.api_kind != "rest" ? "" : var.type != null ? var.type : local.may_be_token ? "TOKEN" : "REQUEST"

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
  function_name       = join(":", slice(local.arn, 0, 7))
  qualifier           = try(local.arn[7], null)
  action              = "lambda:InvokeFunction"
  principal           = "apigateway.amazonaws.com"
  source_arn          = "arn:${local.arn[1]}:execute-api:${local.arn[3]}:${local.arn[4]}:${var.api_id}/authorizers/${local.authorizer_id}"
}
