variable "name" {
  description = "Name of the authorizer."
  type        = string
  default     = "token-authorizer"
}

variable "function_arn" {
  description = "Output `function_arn` of the module."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[^:]+(:[^:]+)?$", var.function_arn))
    error_message = "function_arn must be arn:aws:lambda:REGION:ACCOUNT:function:NAME, with or without an alias."
  }
}

variable "settings" {
  description = "Output `settings` of the module: where the token is, what an answer depends on, and how requests are refused must be the same on both sides."
  type        = map(string)

  validation {
    condition = alltrue([
      for name in ["CHALLENGE_SCOPES", "RESOURCE_METADATA"] : can(regex("^[^'\"\\\\]*$", coalesce(lookup(var.settings, name, null), " ")))
    ])
    error_message = "CHALLENGE_SCOPES and RESOURCE_METADATA must not contain quotes or backslashes, because gateway responses put them between quotes. In a URL write %27 for a single quote."
  }
}

variable "api_id" {
  description = "ID of the API."
  type        = string
}

variable "api_kind" {
  description = "`rest`, `http` or `websocket`."
  type        = string

  validation {
    condition     = contains(["rest", "http", "websocket"], var.api_kind)
    error_message = "api_kind must be rest, http or websocket."
  }
}

variable "ttl" {
  description = "Seconds for which API Gateway keeps a decision: 0 to 3600. The default is 300, or 0 where the token alone is not a safe cache key: with several places in `TOKEN_SOURCE`, `TOKEN_BINDING` `certificate`, `POLICY_SCOPE` `request`, and simple responses to a table of routes. WebSocket APIs have no cache."
  type        = number
  default     = null

  validation {
    condition     = try(var.ttl >= 0 && var.ttl <= 3600 && floor(var.ttl) == var.ttl, var.ttl == null)
    error_message = "ttl must be a whole number from 0 to 3600."
  }

  validation {
    condition     = coalesce(var.ttl, 0) == 0 || var.api_kind != "websocket"
    error_message = "API Gateway caches no decision for WebSocket APIs: leave ttl out."
  }

  validation {
    condition     = coalesce(var.ttl, 0) == 0 || length(local.places) == 1
    error_message = "With several places in TOKEN_SOURCE ttl must be 0: a request that lacks one of them would get 401."
  }
}

variable "route_keys" {
  description = "For HTTP APIs with simple responses to a table of routes, and a `ttl` above 0: every route of the API that uses this authorizer, for example `[\"GET /pets\"]`. Each must be one verb and one path without variables. Any other route has requests that the table can decide differently and that would share one cached answer."
  type        = list(string)
  default     = []

  validation {
    condition     = local.ttl == 0 || !local.for_route || length(var.route_keys) > 0
    error_message = "SIMPLE_RESPONSE=on answers for one route of the table in ROUTES or ISSUERS. To cache such answers, list every route that uses this authorizer in route_keys. Otherwise leave ttl out, or set SIMPLE_RESPONSE=off: a policy is safe to cache for every route."
  }

  validation {
    condition     = local.ttl == 0 || !local.for_route || length([for route in var.route_keys : route if !can(regex(local.one_request, route))]) == 0
    error_message = "ttl must be 0: these routes match several verbs or paths, which would share one cached answer: ${join(", ", [for route in var.route_keys : route if !can(regex(local.one_request, route))])}. With SIMPLE_RESPONSE=off the answer is a policy, which is safe to cache for every route."
  }
}

variable "type" {
  description = "For REST APIs, `TOKEN` or `REQUEST`. The default is `TOKEN` where one header is all that a decision depends on."
  type        = string
  default     = null

  validation {
    condition     = var.type == null || try(contains(["TOKEN", "REQUEST"], var.type), false) && var.api_kind == "rest"
    error_message = "type must be TOKEN or REQUEST, and is for REST APIs only."
  }

  validation {
    condition     = try(var.type != "TOKEN", true) || local.is_one_header
    error_message = "TOKEN is for a TOKEN_SOURCE that is one header."
  }

  validation {
    condition     = try(var.type != "TOKEN", true) || !local.is_bound
    error_message = "A TOKEN event holds no client certificate, so TOKEN_BINDING=certificate needs REQUEST."
  }

  validation {
    condition     = try(var.type != "TOKEN", true) || !local.for_request || local.ttl == 0
    error_message = "With POLICY_SCOPE=request a decision is for one method and path, and the cache key of a TOKEN authorizer has neither: ttl must be 0, or type REQUEST."
  }

  validation {
    condition     = try(var.type != "TOKEN", true) || length(local.identity_sources) == 1 && startswith(join(",", local.identity_sources), "method.request.header.")
    error_message = "A TOKEN authorizer has one header as its identity source: for others type must be REQUEST."
  }
}

variable "identity_sources" {
  description = "The cache key, instead of the one that follows from `settings`. Unless `ttl` is 0 it must hold everything that a decision depends on: each place of the token, for simple responses to a table `$context.routeKey`, with `POLICY_SCOPE` `request` method and path, and with `TOKEN_BINDING` `certificate` the certificate's serial number and issuer."
  type        = list(string)
  default     = null

  validation {
    condition     = local.ttl == 0 || length(setsubtract(local.places, coalesce(var.identity_sources, local.safe_sources))) == 0
    error_message = "A decision about one token would be served to requests with another: identity_sources must hold ${join(", ", local.places)}."
  }

  validation {
    condition     = local.ttl == 0 || length(setsubtract(local.route_sources, coalesce(var.identity_sources, local.safe_sources))) == 0
    error_message = "A decision about one route would be served to requests for another: identity_sources must hold $context.routeKey."
  }

  validation {
    condition     = local.ttl == 0 || length(setsubtract(local.request_sources, coalesce(var.identity_sources, local.safe_sources))) == 0
    error_message = "With POLICY_SCOPE=request a decision about one request would be served to another: identity_sources must hold ${join(" and ", local.request_sources)}."
  }

  validation {
    condition = local.ttl == 0 || !local.is_bound || alltrue([
      for field in ["serialNumber", "issuerDN"] : anytrue([
        for source in coalesce(var.identity_sources, local.safe_sources) : can(regex("^\\$?context\\.(identity|authentication)\\.clientCert\\.${field}$", source))
      ])
    ])
    error_message = "With TOKEN_BINDING=certificate a decision about one certificate would be served to another: ttl must be 0, or identity_sources must hold both ${local.dollar}context.identity.clientCert.serialNumber and ${local.dollar}context.identity.clientCert.issuerDN. A serial number is unique for one issuer only."
  }
}

variable "payload_format_version" {
  description = "For HTTP APIs, `2.0` or `1.0`."
  type        = string
  default     = "2.0"

  validation {
    condition     = contains(["1.0", "2.0"], var.payload_format_version)
    error_message = "payload_format_version must be 1.0 or 2.0."
  }
}

variable "gateway_responses" {
  description = "For REST APIs, if not null: answers to refused requests with a challenge and the reason, and the CORS header on everything that API Gateway answers itself, 429 and 504 included. `allowed_origin` is the origin that browsers may call from. They are the API's, for all of its methods."
  type = object({
    allowed_origin = optional(string, "*")
  })
  default = null
}
