locals {
  # RFC 6750 section 3: no error code where the request had no token at all. RFC 9728 section 5.1: where to get one.
  # An error of the function carries no context, so the challenge of a 401 is a fixed text.
  challenge = join(", ", concat(
    ["Bearer realm=\"api\""],
    lookup(local.settings, "REFUSAL", "deny") == "unauthorized" ? ["error=\"invalid_token\""] : [],
    length(local.challenge_scopes) > 0 ? ["scope=\"${join(" ", local.challenge_scopes)}\""] : [],
    local.resource_metadata != "" ? ["resource_metadata=\"${local.resource_metadata}\""] : [],
  ))
  challenge_scopes  = regexall("[^,\\s]+", lookup(local.settings, "CHALLENGE_SCOPES", ""))
  resource_metadata = lookup(local.settings, "RESOURCE_METADATA", "")
  no_verdict        = jsonencode({ message = "The request could not be authorized. Try again later." })
  # One mapping is either a literal or one variable, so the function makes the challenge of a 403 as a whole.
  gateway_responses = {
    # The header is missing or no bearer JWT; with REFUSAL=unauthorized also every refused token.
    UNAUTHORIZED = {
      status = "401"
      body   = "{\"message\":$context.error.messageString}"
      headers = {
        WWW-Authenticate              = "'${local.challenge}'"
        Access-Control-Expose-Headers = "'WWW-Authenticate'"
      }
    }
    # The token is refused, or its rights are not enough.
    ACCESS_DENIED = {
      status = "403"
      body   = "{\"message\":$context.error.messageString,\"reason\":\"$context.authorizer.reason\"}"
      headers = {
        WWW-Authenticate              = "context.authorizer.challenge"
        X-Refusal-Reason              = "context.authorizer.reason"
        Access-Control-Expose-Headers = "'WWW-Authenticate,X-Refusal-Reason'"
      }
    }
    # No verdict. No challenge, since another token would not help, and no reason: an error carries no context.
    AUTHORIZER_FAILURE             = { status = "500", body = local.no_verdict, headers = {} }
    AUTHORIZER_CONFIGURATION_ERROR = { status = "500", body = local.no_verdict, headers = {} }
    # What API Gateway answers itself: 403 for a wrong path, 413, 415, 429, 504. Each keeps its status and its body.
    DEFAULT_4XX = { status = null, body = null, headers = {} }
    DEFAULT_5XX = { status = null, body = null, headers = {} }
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
  response_templates = each.value.body == null ? null : { "application/json" = each.value.body }
}
