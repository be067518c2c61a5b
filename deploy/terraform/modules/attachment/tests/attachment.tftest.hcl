# terraform test: the submodule under a mocked provider; no account is needed.

mock_provider "aws" {}

variables {
  function_arn = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:token-authorizer"
  settings     = { ISSUER = "https://login.example.com", AUDIENCE = "https://pets.example.com" }
  api_id       = "ymy8tbxw7b"
  api_kind     = "rest"
}

run "rest_token" {
  command = apply

  assert {
    condition = alltrue([
      one(aws_api_gateway_authorizer.this).type == "TOKEN",
      one(aws_api_gateway_authorizer.this).identity_source == "method.request.header.Authorization",
      one(aws_api_gateway_authorizer.this).authorizer_result_ttl_in_seconds == 300,
      can(regex(one(aws_api_gateway_authorizer.this).identity_validation_expression, "Bearer a.b.c")),
      !can(regex(one(aws_api_gateway_authorizer.this).identity_validation_expression, "a.b.c")),
    ])
    error_message = "It must be a TOKEN authorizer for the header Authorization."
  }
  assert {
    condition     = one(aws_api_gateway_authorizer.this).authorizer_uri == "arn:aws-us-gov:apigateway:us-gov-west-1:lambda:path/2015-03-31/functions/${var.function_arn}/invocations"
    error_message = "The URI is not that of the function."
  }
  assert {
    condition     = aws_lambda_permission.this.source_arn == "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:ymy8tbxw7b/authorizers/${output.authorizer_id}"
    error_message = "The permission is for something else."
  }
  assert {
    condition     = length(aws_api_gateway_gateway_response.this) == 0 && length(aws_apigatewayv2_authorizer.this) == 0
    error_message = "There must be nothing else."
  }
}

run "rest_gateway_responses" {
  command = plan

  variables {
    gateway_responses = { allowed_origin = "https://example.com" }
  }

  assert {
    condition     = toset(keys(aws_api_gateway_gateway_response.this)) == toset(["UNAUTHORIZED", "ACCESS_DENIED", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR", "DEFAULT_4XX", "DEFAULT_5XX"])
    error_message = "Other responses are set."
  }
  assert {
    condition = aws_api_gateway_gateway_response.this["ACCESS_DENIED"].response_parameters == tomap({
      "gatewayresponse.header.Access-Control-Allow-Origin"   = "'https://example.com'"
      "gatewayresponse.header.Access-Control-Expose-Headers" = "'WWW-Authenticate,X-Refusal-Reason'"
      "gatewayresponse.header.WWW-Authenticate"              = "context.authorizer.challenge"
      "gatewayresponse.header.X-Refusal-Reason"              = "context.authorizer.reason"
    })
    error_message = "403 has other headers."
  }
  assert {
    condition = aws_api_gateway_gateway_response.this["UNAUTHORIZED"].response_parameters == tomap({
      "gatewayresponse.header.Access-Control-Allow-Origin"   = "'https://example.com'"
      "gatewayresponse.header.Access-Control-Expose-Headers" = "'WWW-Authenticate'"
      "gatewayresponse.header.WWW-Authenticate"              = "'Bearer realm=\"api\"'"
    })
    error_message = "401 has other headers."
  }
  assert {
    condition = alltrue([
      for type in ["DEFAULT_4XX", "DEFAULT_5XX"] : alltrue([
        aws_api_gateway_gateway_response.this[type].response_parameters == tomap({ "gatewayresponse.header.Access-Control-Allow-Origin" = "'https://example.com'" }),
        aws_api_gateway_gateway_response.this[type].response_templates == null,
      ])
    ])
    error_message = "The others must get the CORS header and keep their body."
  }
  assert {
    condition     = alltrue([for response in values(aws_api_gateway_gateway_response.this) : contains(keys(response.response_parameters), "gatewayresponse.header.Access-Control-Allow-Origin")])
    error_message = "A browser hides an answer without the CORS header."
  }
}

run "rest_pointer_to_metadata" {
  command = plan

  variables {
    settings          = { REFUSAL = "unauthorized", RESOURCE_METADATA = " https://mcp.example.com/.well-known/oauth-protected-resource " }
    gateway_responses = {}
  }

  assert {
    condition     = aws_api_gateway_gateway_response.this["UNAUTHORIZED"].response_parameters["gatewayresponse.header.WWW-Authenticate"] == "'Bearer realm=\"api\", error=\"invalid_token\", resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource\"'"
    error_message = "The challenge of a 401 must say where to get a token."
  }
}

run "rest_scopes_to_ask_for" {
  command = plan

  variables {
    settings          = { CHALLENGE_SCOPES = "pets:read, pets:write", RESOURCE_METADATA = "https://mcp.example.com/metadata" }
    gateway_responses = {}
  }

  assert {
    condition     = aws_api_gateway_gateway_response.this["UNAUTHORIZED"].response_parameters["gatewayresponse.header.WWW-Authenticate"] == "'Bearer realm=\"api\", scope=\"pets:read pets:write\", resource_metadata=\"https://mcp.example.com/metadata\"'"
    error_message = "The challenge of a 401 must say what to ask for."
  }
}

run "rest_bound_tokens" {
  command = plan

  variables {
    settings = { TOKEN_BINDING = "certificate" }
  }

  assert {
    condition     = one(aws_api_gateway_authorizer.this).type == "REQUEST" && one(aws_api_gateway_authorizer.this).authorizer_result_ttl_in_seconds == 0
    error_message = "It must be a REQUEST authorizer, and its decisions must not be cached by the token alone."
  }
}

run "rest_bound_tokens_cached_by_certificate" {
  command = plan

  variables {
    settings         = { TOKEN_BINDING = "certificate" }
    identity_sources = ["method.request.header.Authorization", "context.identity.clientCert.serialNumber", "context.identity.clientCert.issuerDN"]
    ttl              = 300
  }

  assert {
    condition     = one(aws_api_gateway_authorizer.this).authorizer_result_ttl_in_seconds == 300
    error_message = "Decisions must be cached by token and certificate."
  }
}

run "rest_bare_token_in_another_header" {
  command = plan

  variables {
    settings          = { TOKEN_SOURCE = "header:X-Token", BEARER_PREFIX = "optional", REFUSAL = "unauthorized" }
    ttl               = 0
    gateway_responses = {}
  }

  assert {
    condition     = one(aws_api_gateway_authorizer.this).identity_source == "method.request.header.X-Token" && can(regex(one(aws_api_gateway_authorizer.this).identity_validation_expression, "a.b.c"))
    error_message = "The scheme is optional."
  }
  assert {
    condition     = aws_api_gateway_gateway_response.this["UNAUTHORIZED"].response_parameters["gatewayresponse.header.WWW-Authenticate"] == "'Bearer realm=\"api\", error=\"invalid_token\"'"
    error_message = "401 must name the error of a refused token."
  }
}

run "rest_cookie" {
  command = plan

  variables {
    settings = { TOKEN_SOURCE = "cookie:session" }
  }

  assert {
    condition     = one(aws_api_gateway_authorizer.this).type == "REQUEST" && one(aws_api_gateway_authorizer.this).identity_source == "method.request.header.Cookie" && one(aws_api_gateway_authorizer.this).identity_validation_expression == null
    error_message = "It must be a REQUEST authorizer for the header Cookie."
  }
}

run "rest_several_places" {
  command = plan

  variables {
    settings = { TOKEN_SOURCE = "header:Authorization, cookie:session" }
  }

  assert {
    condition     = one(aws_api_gateway_authorizer.this).type == "REQUEST" && one(aws_api_gateway_authorizer.this).identity_source == "" && one(aws_api_gateway_authorizer.this).authorizer_result_ttl_in_seconds == 0
    error_message = "There must be no identity source and no cache."
  }
}

run "rest_more_to_cache_by" {
  command = plan

  variables {
    identity_sources = ["method.request.header.Authorization", "method.request.header.X-Tenant"]
  }

  assert {
    condition     = one(aws_api_gateway_authorizer.this).type == "REQUEST" && one(aws_api_gateway_authorizer.this).identity_source == "method.request.header.Authorization,method.request.header.X-Tenant"
    error_message = "Both must be identity sources."
  }
}

run "http" {
  command = plan

  variables {
    api_kind = "http"
  }

  assert {
    condition = alltrue([
      one(aws_apigatewayv2_authorizer.this).authorizer_payload_format_version == "2.0",
      one(aws_apigatewayv2_authorizer.this).enable_simple_responses == false,
      one(aws_apigatewayv2_authorizer.this).identity_sources == toset(["$request.header.Authorization"]),
      one(aws_apigatewayv2_authorizer.this).authorizer_result_ttl_in_seconds == 300,
    ])
    error_message = "It must be payload 2.0 with policies."
  }
}

# tests/terraform/cache.py simulates the cache over what the module gives to the API, for many more settings.
run "http_simple_by_route" {
  command = plan

  variables {
    api_kind = "http"
    settings = { SIMPLE_RESPONSE = "on", ROUTES = "{}" }
  }

  assert {
    condition     = one(aws_apigatewayv2_authorizer.this).enable_simple_responses && one(aws_apigatewayv2_authorizer.this).authorizer_result_ttl_in_seconds == 0
    error_message = "A simple response is for one route and must not be cached."
  }
}

run "http_simple_cached_by_route" {
  command = plan

  variables {
    api_kind   = "http"
    settings   = { SIMPLE_RESPONSE = "on", ISSUERS = "@/opt/issuers.json" }
    ttl        = 60
    route_keys = ["GET /pets", "DELETE /admin"]
  }

  assert {
    condition     = one(aws_apigatewayv2_authorizer.this).authorizer_result_ttl_in_seconds == 60 && one(aws_apigatewayv2_authorizer.this).identity_sources == toset(["$request.header.Authorization", "$context.routeKey"])
    error_message = "The cache key must hold the route."
  }
}

run "websocket" {
  command = plan

  variables {
    api_kind = "websocket"
    settings = { TOKEN_SOURCE = "query:token" }
  }

  assert {
    condition = alltrue([
      one(aws_apigatewayv2_authorizer.this).identity_sources == toset(["route.request.querystring.token"]),
      one(aws_apigatewayv2_authorizer.this).authorizer_payload_format_version == null,
      one(aws_apigatewayv2_authorizer.this).enable_simple_responses == null,
    ])
    error_message = "WebSocket APIs know neither payloads nor simple responses."
  }
}

run "websocket_subprotocol" {
  command = plan

  variables {
    api_kind = "websocket"
    settings = { TOKEN_SOURCE = "subprotocol:bearer" }
  }

  assert {
    condition     = one(aws_apigatewayv2_authorizer.this).identity_sources == toset(["route.request.header.Sec-WebSocket-Protocol"])
    error_message = "The token must be in the header of the subprotocols."
  }
}

run "one_token_for_another" {
  command = plan
  variables {
    identity_sources = ["method.request.header.X-Tenant"]
  }
  expect_failures = [var.identity_sources]
}

run "a_cache_for_several_places" {
  command = plan
  variables {
    settings = { TOKEN_SOURCE = "query:a query:b" }
    ttl      = 60
  }
  expect_failures = [var.ttl]
}

run "a_cache_for_a_websocket" {
  command = plan
  variables {
    api_kind = "websocket"
    ttl      = 300
  }
  expect_failures = [var.ttl]
}

run "a_longer_cache_than_there_is" {
  command = plan
  variables {
    ttl = 3601
  }
  expect_failures = [var.ttl]
}

run "one_certificate_for_another" {
  command = plan
  variables {
    settings = { TOKEN_BINDING = "certificate" }
    ttl      = 300
  }
  expect_failures = [var.identity_sources]
}

run "a_token_event_with_a_certificate" {
  command = plan
  variables {
    settings = { TOKEN_BINDING = "certificate" }
    type     = "TOKEN"
  }
  expect_failures = [var.type]
}

run "a_quote_in_a_literal" {
  command = plan
  variables {
    settings = { RESOURCE_METADATA = "https://mcp.example.com/'" }
  }
  expect_failures = [var.settings]
}

run "a_quote_in_a_scope" {
  command = plan
  variables {
    settings = { CHALLENGE_SCOPES = "pets'read" }
  }
  expect_failures = [var.settings]
}

run "a_token_event_with_a_cookie" {
  command = plan
  variables {
    settings = { TOKEN_SOURCE = "cookie:session" }
    type     = "TOKEN"
  }
  expect_failures = [var.type]
}
