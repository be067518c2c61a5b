variable "name" {
  description = "Name of the authorizer."
  type        = string
  default     = "token-authorizer"
}

variable "function_arn" {
  description = "Output `function_arn` of the module."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[^:]+$", var.function_arn))
    error_message = "Want arn:aws:lambda:REGION:ACCOUNT:function:NAME."
  }
}

variable "settings" {
  description = "Output `settings` of the module: where the token is (`TOKEN_SOURCE`, `BEARER_PREFIX`) and how HTTP APIs are answered (`SIMPLE_RESPONSE`, `ROUTES`) must be the same on both sides, as must `TOKEN_BINDING`, `REFUSAL` and `RESOURCE_METADATA`."
  type        = map(string)

  validation {
    condition     = !strcontains(lookup(var.settings, "RESOURCE_METADATA", ""), "'")
    error_message = "RESOURCE_METADATA stands between single quotes in a gateway response: write one as %27."
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
    error_message = "Want rest, http or websocket."
  }
}

variable "ttl" {
  description = "Seconds for which API Gateway keeps a decision: 0 to 3600. Without a value it is 300, or 0 where nothing can be cached: for WebSocket APIs, with several places in `TOKEN_SOURCE`, and with `TOKEN_BINDING` `certificate`."
  type        = number
  default     = null

  validation {
    condition     = try(var.ttl >= 0 && var.ttl <= 3600 && floor(var.ttl) == var.ttl, var.ttl == null)
    error_message = "Want a whole number from 0 to 3600."
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

variable "type" {
  description = "For REST APIs, `TOKEN` or `REQUEST`. Without a value it is `TOKEN` if `TOKEN_SOURCE` is one header and `TOKEN_BINDING` is not `certificate`."
  type        = string
  default     = null

  validation {
    condition     = var.type == null || try(contains(["TOKEN", "REQUEST"], var.type), false) && var.api_kind == "rest"
    error_message = "Want TOKEN or REQUEST, for REST APIs only."
  }

  validation {
    condition     = try(var.type != "TOKEN", true) || local.is_one_header
    error_message = "TOKEN is for a TOKEN_SOURCE that is one header."
  }

  validation {
    condition     = try(var.type != "TOKEN", true) || !local.is_bound
    error_message = "A TOKEN event holds no client certificate, so TOKEN_BINDING=certificate needs REQUEST."
  }
}

variable "identity_sources" {
  description = "What API Gateway caches decisions by, in place of what follows from `TOKEN_SOURCE`. Must hold every place where a token is looked for, unless `ttl` is 0."
  type        = list(string)
  default     = null

  validation {
    condition     = local.ttl == 0 || try(length(setsubtract(local.places, var.identity_sources)) == 0, true)
    error_message = "A decision about one token would serve requests with another: identity_sources must hold ${join(", ", local.places)}."
  }

  validation {
    condition     = local.ttl == 0 || !local.is_bound || try(anytrue([for source in var.identity_sources : endswith(source, "clientCert.serialNumber")]), false)
    error_message = "A decision about one certificate would serve requests with another: with TOKEN_BINDING=certificate ttl must be 0, or identity_sources hold the certificate's serial number."
  }
}

variable "payload_format_version" {
  description = "For HTTP APIs, `2.0` or `1.0`."
  type        = string
  default     = "2.0"

  validation {
    condition     = contains(["1.0", "2.0"], var.payload_format_version)
    error_message = "Want 1.0 or 2.0."
  }
}

variable "gateway_responses" {
  description = "For REST APIs, answers to refused requests with a challenge and the reason, if not null. `allowed_origin` is for browsers (CORS). They are the API's, for all of its methods."
  type = object({
    allowed_origin = optional(string, "*")
  })
  default = null
}
