variable "name" {
  description = "Name of the function, and the beginning of the names of all that belongs to it."
  type        = string
  default     = "token-authorizer"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "package" {
  description = "The package of a release: the path of its zip, or `s3://bucket/key`."
  type        = string

  validation {
    condition     = !startswith(var.package, "s3:") || can(regex("^s3://[^/]+/.+$", var.package))
    error_message = "package must be a path, or s3://bucket/key."
  }
}

variable "package_object_version" {
  description = "Version of the object, for a package in a bucket that keeps versions."
  type        = string
  default     = null
}

variable "architecture" {
  description = "`arm64` or `x86_64`: what the package was built for."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "settings" {
  description = "Settings of the program, for example `{ ISSUER = \"https://login.example.com\" }`. JSON as `jsonencode(...)`; blank counts as unset. The log is set by `log_level` and `log_format`."
  type        = map(string)

  validation {
    condition     = length(setsubtract(keys(var.settings), keys(local.known))) == 0
    error_message = "Unknown settings: ${join(", ", setsubtract(keys(var.settings), keys(local.known)))}. There are ${join(", ", keys(local.known))}."
  }

  validation {
    condition = anytrue([
      for names in [["ISSUER", "AUDIENCE"], ["ISSUERS"]] :
      alltrue([for name in names : trimspace(coalesce(lookup(var.settings, name, null), " ")) != ""])
    ])
    error_message = "Say whom to trust: set ISSUER and AUDIENCE, or ISSUERS."
  }

  validation {
    condition = alltrue([
      for name, setting in local.known : contains(concat([""], setting.of), trimspace(coalesce(lookup(var.settings, name, null), " ")))
      if setting.kind == "word"
    ])
    error_message = join(" ", [
      for name, setting in local.known : "${name} must be ${join(" or ", setting.of)}." if setting.kind == "word" && contains(keys(var.settings), name)
    ])
  }

  validation {
    condition = alltrue([
      for name, setting in local.known : length(setsubtract(regexall("[^,\\s]+", coalesce(lookup(var.settings, name, null), " ")), setting.of)) == 0
      if setting.kind == "list" && length(try(setting.of, [])) > 0
    ])
    error_message = "ALGORITHMS must be a list of ${join(", ", local.known.ALGORITHMS.of)}."
  }

  validation {
    condition = alltrue([
      for name, setting in local.known : try(tonumber(var.settings[name]) >= setting.min && tonumber(var.settings[name]) <= setting.max, false) && can(regex("^\\s*[0-9]+\\s*$", var.settings[name]))
      if setting.kind == "number" && trimspace(coalesce(lookup(var.settings, name, null), " ")) != ""
    ])
    error_message = join(" ", [
      for name, setting in local.known : "${name} must be a whole number from ${setting.min} to ${setting.max}." if setting.kind == "number" && contains(keys(var.settings), name)
    ])
  }
}

variable "layers" {
  description = "ARNs of layers, at most 5. Their files are what settings can name: `ROUTES = \"@/opt/routes.json\"`."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.layers) <= 5
    error_message = "A function takes at most 5 layers."
  }
}

variable "vpc_config" {
  description = "Where the function runs, if the provider can be reached from there only."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "role_arn" {
  description = "An existing role for the function. Without one the module makes it. It must trust `lambda.amazonaws.com` and allow what [role.tf](role.tf) does."
  type        = string
  default     = null
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds the roles that the module makes."
  type        = string
  default     = null
}

variable "environment_key_arn" {
  description = "KMS key for the variables of the function. The role gets `kms:Decrypt` for it. The default is Lambda's own key."
  type        = string
  default     = null
}

variable "log_key_arn" {
  description = "KMS key for the log group. Its policy must allow CloudWatch Logs to use it. The default is CloudWatch's own key."
  type        = string
  default     = null
}

variable "code_signing_config_arn" {
  description = "Code signing configuration, for a package that you have signed."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "How many invocations may run at once; -1 is no limit but the account's. **Too few refuse everybody**: requests beyond them get 500. Fewer than 10 get a warning."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "reserved_concurrency must be at least 1, or -1 for no limit: 0 refuses everybody."
  }
}

variable "tracing" {
  description = "Whether X-Ray samples the requests to the function. Otherwise it follows the decision of the caller."
  type        = bool
  default     = false
}

variable "canary" {
  description = "A gradual rollout, if not null: a new version gets its share of requests, and none when one of the `alarms` goes off. `type` is one of CodeDeploy's, for example `Linear10PercentEvery1Minute`; `role_arn` is an existing role for CodeDeploy. Needs the AWS CLI where Terraform runs."
  type = object({
    type     = optional(string, "Canary10Percent5Minutes")
    role_arn = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^(Canary10Percent(5|10|15|30)Minutes|Linear10PercentEvery(1Minute|2Minutes|3Minutes|10Minutes))$", var.canary.type)) || var.canary == null
    error_message = "canary.type must be Canary10Percent5Minutes (or 10, 15, 30), or Linear10PercentEvery1Minute (or 2Minutes, 3Minutes, 10Minutes)."
  }

  validation {
    condition     = var.canary == null || var.alarms != null
    error_message = "canary needs alarms, because they roll a version back: set alarms = {}."
  }

  validation {
    condition     = var.canary == null || trimspace(coalesce(lookup(var.settings, "REFUSAL", null), "deny")) != "unauthorized"
    error_message = "canary needs REFUSAL=deny. With unauthorized every refused token is a function error, so no alarm tells a broken version from a refused token."
  }
}

variable "check_status" {
  description = "Whether the apply asks the function if it works, and fails if it does not. Needs `lambda:InvokeFunction`."
  type        = bool
  default     = true
}

variable "memory_size" {
  description = "Memory in MiB, and CPU with it."
  type        = number
  default     = 128

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240
    error_message = "memory_size must be from 128 to 10240."
  }
}

variable "log_level" {
  description = "`TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`. Of effect with `log_format` `JSON` only."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(local.all_settings.AWS_LAMBDA_LOG_LEVEL.of, var.log_level)
    error_message = "log_level must be one of ${join(", ", local.all_settings.AWS_LAMBDA_LOG_LEVEL.of)}."
  }
}

variable "log_format" {
  description = "`JSON` or `TEXT`."
  type        = string
  default     = "JSON"

  validation {
    condition     = contains(local.all_settings.AWS_LAMBDA_LOG_FORMAT.of, var.log_format)
    error_message = "log_format must be ${join(" or ", local.all_settings.AWS_LAMBDA_LOG_FORMAT.of)}."
  }
}

variable "log_retention_days" {
  description = "Days for which the log is kept; 0 means forever."
  type        = number
  default     = 30

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "alarms" {
  description = "Metrics and alarms, if not null: `actions` are the ARNs that alarms notify, `key_age_seconds` is the age of keys that raises one, `revocation_age_seconds` that of a revocation list. Metrics go to the setting `METRICS_NAMESPACE`, or to `TokenAuthorizer/{name}`."
  type = object({
    actions                = optional(list(string), [])
    key_age_seconds        = optional(number, 43200)
    revocation_age_seconds = optional(number, 1800)
  })
  default = null
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
}
