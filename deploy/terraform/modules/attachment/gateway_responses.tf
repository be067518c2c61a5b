locals {
  # RFC 6750 section 3: no error code where the request had no token at all.
  is_deny = lookup(local.settings, "REFUSAL", "deny") != "unauthorized"
  challenge = {
    UNAUTHORIZED  = local.is_deny ? "'Bearer realm=\"api\"'" : "'Bearer realm=\"api\", error=\"invalid_token\"'"
    ACCESS_DENIED = local.is_deny ? "'Bearer realm=\"api\"'" : "'Bearer realm=\"api\", error=\"insufficient_scope\"'"
  }
  no_verdict = jsonencode({ message = "The request could not be authorized. Try again later." })
  # One mapping is either a literal or one variable, so the reason stands beside the challenge and not in it.
  gateway_responses = {
    # The header is missing or no bearer JWT; with REFUSAL=unauthorized also every refused token.
    UNAUTHORIZED = {
      status = "401"
      body   = "{\"message\":$context.error.messageString}"
      headers = {
        WWW-Authenticate              = local.challenge.UNAUTHORIZED
        Access-Control-Expose-Headers = "'WWW-Authenticate'"
      }
    }
    # The token is refused, or its rights are not enough.
    ACCESS_DENIED = {
      status = "403"
      body   = "{\"message\":$context.error.messageString,\"reason\":\"$context.authorizer.reason\"}"
      headers = {
        WWW-Authenticate              = local.challenge.ACCESS_DENIED
        X-Refusal-Reason              = "context.authorizer.reason"
        Access-Control-Expose-Headers = "'WWW-Authenticate,X-Refusal-Reason'"
      }
    }
    # No verdict. No challenge, since another token would not help, and no reason: an error carries no context.
    AUTHORIZER_FAILURE             = { status = "500", body = local.no_verdict, headers = {} }
    AUTHORIZER_CONFIGURATION_ERROR = { status = "500", body = local.no_verdict, headers = {} }
  }
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = { for type, response in local.gateway_responses : type => response if var.gateway_responses != null && var.api_kind == "rest" }

  rest_api_id   = var.api_id
  response_type = each.key
  status_code   = each.value.status
  response_parameters = {
    for header, value in merge(each.value.headers, { Access-Control-Allow-Origin = "'${var.gateway_responses.allowed_origin}'" }) :
    "gatewayresponse.header.${header}" => value
  }
  response_templates = { "application/json" = each.value.body }
}
