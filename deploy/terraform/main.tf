locals {
  # Every setting of the program. The file is written by its tests.
  all_settings = jsondecode(file("${path.module}/settings.json"))
  # The others are variables that Lambda sets itself, by its logging controls.
  known = { for name, setting in local.all_settings : name => setting if !startswith(name, "AWS_LAMBDA_") }

  settings = { for name, value in var.settings : name => value if trimspace(coalesce(value, " ")) != "" }
  # The metrics name no function, so each function has a namespace of its own.
  metrics_namespace = lookup(local.settings, "METRICS_NAMESPACE", "TokenAuthorizer/${var.name}")
  effective         = merge(local.settings, var.alarms == null ? {} : { METRICS_NAMESPACE = local.metrics_namespace })

  # Lambda measures the compact JSON of all variables, in UTF-8: {"NAME":"value","OTHER":"value"}.
  base64 = { for name, value in local.effective : name => base64encode(value) }
  bytes = {
    for name, value in local.effective : name => sum([
      length("\"\":\"\",") + length(name),
      length(local.base64[name]) / 4 * 3 - length(regexall("=", local.base64[name])),
      length(regexall("[\"\\\\\\x08\\f\\n\\r\\t]", value)),         # escaped as \" and the like
      5 * length(regexall("[\\x00-\\x07\\x0b\\x0e-\\x1f]", value)), # escaped as \u0001
    ])
  }
  environment_bytes = sum(values(local.bytes)) + length("{}") - length(",")
  largest           = slice(reverse(sort([for name, bytes in local.bytes : format("%06d %s", bytes, name)])), 0, min(3, length(local.bytes)))

  in_bucket = startswith(var.package, "s3://")
  object    = try(regex("^s3://(?P<bucket>[^/]+)/(?P<key>.+)$", var.package), { bucket = null, key = null })
}

resource "aws_lambda_function" "authorizer" {
  #checkov:skip=CKV_AWS_116:API Gateway waits for the answer, so there is no event that a dead-letter queue could keep
  function_name = var.name
  description   = "Decides about access tokens for API Gateway"
  role          = var.role_arn == null ? one(aws_iam_role.authorizer[*].arn) : var.role_arn
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]

  filename          = local.in_bucket ? null : var.package
  source_code_hash  = local.in_bucket ? null : filebase64sha256(var.package)
  s3_bucket         = local.object.bucket
  s3_key            = local.object.key
  s3_object_version = var.package_object_version

  memory_size = var.memory_size
  # Enough for a cold start that waits for discovery and keys (JWKS_TIMEOUT_MS each).
  timeout = 10
  layers  = var.layers

  kms_key_arn                    = var.environment_key_arn
  code_signing_config_arn        = var.code_signing_config_arn
  reserved_concurrent_executions = var.reserved_concurrency
  publish                        = var.canary != null

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  environment {
    variables = local.effective
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.authorizer.name
    log_format = var.log_format == "JSON" ? "JSON" : "Text"
    # Lambda takes levels for JSON only.
    application_log_level = var.log_format == "JSON" ? var.log_level : null
    system_log_level      = var.log_format == "JSON" ? "INFO" : null
  }

  dynamic "vpc_config" {
    for_each = var.vpc_config[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.authorizer]

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = join("\n", local.problems)
    }

    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The variables of the function have ${local.environment_bytes} bytes as Lambda counts them (compact JSON, quotes and escapes included), and it takes 4096. The largest are ${join(", ", [for entry in local.largest : "${split(" ", entry)[1]} (${tonumber(split(" ", entry)[0])})"])}. Put JSON into a file of a layer and name it, for example ROUTES = \"@/opt/routes.json\": see docs/deploy.md, \"Settings in a layer\"."
    }
  }
}

# A wrong setting or an unreachable provider fails the apply here, before an API gets to know the function: the outputs
# wait for it. The function answers this event with its state and decides about no token.
resource "aws_lambda_invocation" "status" {
  count = var.check_status ? 1 : 0

  function_name = aws_lambda_function.authorizer.function_name
  qualifier     = aws_lambda_function.authorizer.version
  input         = jsonencode({ type = "STATUS" })
  # Once for each change of what it runs.
  triggers = {
    function = sha1(jsonencode([
      var.package, aws_lambda_function.authorizer.source_code_hash, var.package_object_version, local.effective, var.layers, var.vpc_config,
    ]))
  }

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.result).settings == "ok", false)
      error_message = "The function gave no status: ${self.result}"
    }

    postcondition {
      condition     = try(length(jsondecode(self.result).sources) > 0 && alltrue([for source in jsondecode(self.result).sources : source.available]), false)
      error_message = "The function cannot decide, because keys or a revocation list are unavailable: ${self.result}"
    }
  }
}

resource "aws_cloudwatch_log_group" "authorizer" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
  tags              = var.tags
}

check "reserved_concurrency" {
  assert {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 10
    error_message = "reserved_concurrency is ${var.reserved_concurrency}: every request beyond that many at once gets 500. A decision that waits for keys takes up to 4 seconds."
  }
}
