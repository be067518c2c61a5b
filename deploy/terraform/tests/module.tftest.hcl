# terraform test: the module under a mocked provider; no account is needed.

mock_provider "aws" {
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"settings\":\"ok\",\"sources\":[{\"available\":true}]}" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:token-authorizer" }
  }
}

variables {
  package  = "versions.tf" # any file will do
  settings = { ISSUER = "https://login.example.com", AUDIENCE = "https://pets.example.com" }
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_lambda_function.authorizer.architectures == tolist(["arm64"]) && aws_lambda_function.authorizer.memory_size == 128
    error_message = "The function is not as it should be."
  }
  assert {
    condition     = one(aws_lambda_function.authorizer.environment).variables == tomap(var.settings)
    error_message = "The function has other settings."
  }
  assert {
    condition     = one(aws_lambda_function.authorizer.logging_config).application_log_level == "INFO"
    error_message = "No log level."
  }
  assert {
    condition     = aws_lambda_function.authorizer.source_code_hash == filebase64sha256("versions.tf") && aws_lambda_function.authorizer.s3_bucket == null
    error_message = "The package is not the file."
  }
  assert {
    condition     = length(aws_lambda_function.authorizer.vpc_config) == 0 && length(aws_cloudwatch_metric_alarm.no_verdict) == 0
    error_message = "There must be nothing else."
  }
}

run "package_in_a_bucket" {
  command = plan

  variables {
    package                = "s3://packages/token-authorizer/0.1.0-arm64.zip"
    package_object_version = "v1"
  }

  assert {
    condition = alltrue([
      aws_lambda_function.authorizer.s3_bucket == "packages",
      aws_lambda_function.authorizer.s3_key == "token-authorizer/0.1.0-arm64.zip",
      aws_lambda_function.authorizer.s3_object_version == "v1",
      aws_lambda_function.authorizer.filename == null,
    ])
    error_message = "The package is not the object."
  }
}

run "alarms" {
  command = plan

  variables {
    alarms = { actions = ["arn:aws:sns:eu-west-1:123456789012:ops"] }
  }

  assert {
    condition     = one(aws_lambda_function.authorizer.environment).variables.METRICS_NAMESPACE == "TokenAuthorizer/token-authorizer"
    error_message = "The program does not write the metrics."
  }
  assert {
    condition     = one(aws_cloudwatch_metric_alarm.key_age).threshold == 43200 && one(aws_cloudwatch_metric_alarm.no_verdict).namespace == "TokenAuthorizer/token-authorizer"
    error_message = "The alarms watch something else."
  }
  assert {
    condition     = one(aws_cloudwatch_metric_alarm.function_error).alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:ops"])
    error_message = "The alarm notifies nobody."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.revocation_age) == 0
    error_message = "There is no list to be watched."
  }
}

run "a_revocation_list_has_an_alarm" {
  command = plan

  variables {
    settings = {
      ISSUER   = "https://login.example.com"
      AUDIENCE = "https://pets.example.com"
      REVOKED  = "https://lists.example.com/revoked.json"
    }
    alarms = {}
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.revocation_age).threshold == 1800 && one(aws_cloudwatch_metric_alarm.revocation_age).metric_name == "RevocationAge"
    error_message = "Nobody is told of a list that grows old."
  }
}

run "refusals_as_errors_raise_no_alarm" {
  command = plan

  variables {
    settings = {
      ISSUER            = "https://login.example.com"
      AUDIENCE          = "https://pets.example.com"
      REFUSAL           = "unauthorized"
      METRICS_NAMESPACE = "Pets"
      REQUIRED_SCOPES   = " "
    }
    alarms = {}
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.function_error) == 0 && one(aws_cloudwatch_metric_alarm.key_age).namespace == "Pets"
    error_message = "Every refused token would raise an alarm."
  }
  assert {
    condition     = !contains(keys(one(aws_lambda_function.authorizer.environment).variables), "REQUIRED_SCOPES")
    error_message = "Blank counts as unset."
  }
}

run "vpc_and_text_log" {
  command = plan

  variables {
    vpc_config = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    log_format = "TEXT"
    layers     = ["arn:aws:lambda:eu-west-1:123456789012:layer:keys:1"]
  }

  assert {
    condition     = one(aws_lambda_function.authorizer.vpc_config).subnet_ids == toset(["subnet-1"])
    error_message = "The function is not in the VPC."
  }
  assert {
    condition     = one(aws_lambda_function.authorizer.logging_config).log_format == "Text" && one(aws_lambda_function.authorizer.logging_config).application_log_level == null
    error_message = "Lambda takes levels for JSON only."
  }
}

run "restricted_account" {
  command = plan

  variables {
    role_arn                = "arn:aws:iam::123456789012:role/authorizer"
    permissions_boundary    = "arn:aws:iam::123456789012:policy/boundary"
    environment_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/1"
    log_key_arn             = "arn:aws:kms:eu-west-1:123456789012:key/2"
    code_signing_config_arn = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-1"
    reserved_concurrency    = 100
    tracing                 = true
  }

  assert {
    condition = alltrue([
      aws_lambda_function.authorizer.role == var.role_arn,
      aws_lambda_function.authorizer.kms_key_arn == var.environment_key_arn,
      aws_lambda_function.authorizer.code_signing_config_arn == var.code_signing_config_arn,
      aws_lambda_function.authorizer.reserved_concurrent_executions == 100,
      one(aws_lambda_function.authorizer.tracing_config).mode == "Active",
      aws_cloudwatch_log_group.authorizer.kms_key_id == var.log_key_arn,
    ])
    error_message = "The function must have what was given."
  }
  assert {
    condition     = length(aws_iam_role.authorizer) + length(aws_iam_role_policy.authorizer) == 0
    error_message = "With a role of its own the module must make none."
  }
}

run "a_role_for_keys_and_traces" {
  command = apply

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    environment_key_arn  = "arn:aws:kms:eu-west-1:123456789012:key/1"
    tracing              = true
    vpc_config           = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = one(aws_iam_role.authorizer).permissions_boundary == var.permissions_boundary
    error_message = "The role must be bounded."
  }
  assert {
    condition = [for statement in jsondecode(one(aws_iam_role_policy.authorizer).policy).Statement : [statement.Action[0], statement.Resource]] == [
      ["logs:CreateLogStream", "${aws_cloudwatch_log_group.authorizer.arn}:*"],
      ["ec2:AssignPrivateIpAddresses", "*"],
      ["kms:Decrypt", var.environment_key_arn],
      ["xray:PutTelemetryRecords", "*"],
    ]
    error_message = "The role must allow what these need and nothing else."
  }
}

run "a_role_for_the_log_alone" {
  command = apply

  assert {
    condition     = jsondecode(one(aws_iam_role_policy.authorizer).policy).Statement == [{ Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Effect = "Allow", Resource = "${aws_cloudwatch_log_group.authorizer.arn}:*" }]
    error_message = "The role must allow the log and nothing else."
  }
  assert {
    condition     = jsondecode(one(aws_lambda_invocation.status).input) == { type = "STATUS" } && output.function_arn == aws_lambda_function.authorizer.arn
    error_message = "The function must be asked whether it works."
  }
}

run "canary" {
  command = plan

  variables {
    alarms               = {}
    canary               = { type = "Linear10PercentEvery1Minute" }
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = aws_lambda_function.authorizer.publish && one(aws_lambda_alias.live).name == "live" && one(aws_iam_role.canary).permissions_boundary == var.permissions_boundary
    error_message = "There must be versions, an alias and a bounded role."
  }
  assert {
    condition = alltrue([
      one(aws_codedeploy_deployment_group.live).deployment_config_name == "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
      one(one(aws_codedeploy_deployment_group.live).alarm_configuration).alarms == toset(["token-authorizer-no-verdict", "token-authorizer-function-error"]),
      one(one(aws_codedeploy_deployment_group.live).auto_rollback_configuration).enabled,
    ])
    error_message = "Both alarms must roll a version back."
  }
}

run "canary_with_a_role" {
  command = plan

  variables {
    alarms = {}
    canary = { role_arn = "arn:aws:iam::123456789012:role/deploy" }
  }

  assert {
    condition     = length(aws_iam_role.canary) == 0 && one(aws_codedeploy_deployment_group.live).service_role_arn == var.canary.role_arn
    error_message = "The role must be the given one."
  }
}

run "canary_without_alarms" {
  command = plan
  variables {
    canary = {}
  }
  expect_failures = [var.canary]
}

run "canary_without_an_alarm_to_trust" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", REFUSAL = " unauthorized " }
    alarms   = {}
    canary   = {}
  }
  expect_failures = [var.canary]
}

run "canary_all_at_once" {
  command = plan
  variables {
    alarms = {}
    canary = { type = "AllAtOnce" }
  }
  expect_failures = [var.canary]
}

run "no_concurrency" {
  command = plan
  variables {
    reserved_concurrency = 0
  }
  expect_failures = [var.reserved_concurrency]
}

run "little_concurrency" {
  command = plan
  variables {
    reserved_concurrency = 9
  }
  expect_failures = [check.reserved_concurrency]
}

run "no_status_is_asked" {
  command = plan
  variables {
    check_status = false
  }
  assert {
    condition     = length(aws_lambda_invocation.status) == 0
    error_message = "The function must not be invoked."
  }
}

run "one_unknown_setting" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", ROUTE = "{}" }
  }
  expect_failures = [var.settings]
}

run "the_log_is_no_setting" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", AWS_LAMBDA_LOG_LEVEL = "DEBUG" }
  }
  expect_failures = [var.settings]
}

run "nobody_is_trusted" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = " " }
  }
  expect_failures = [var.settings]
}

run "another_word" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", EXPIRY_GUARD = "yes" }
  }
  expect_failures = [var.settings]
}

run "a_number_too_large" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", LEEWAY_SECONDS = 301 }
  }
  expect_failures = [var.settings]
}

run "no_number" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", JWKS_TIMEOUT_MS = "2s" }
  }
  expect_failures = [var.settings]
}

run "no_algorithm" {
  command = plan
  variables {
    settings = { ISSUER = "https://login.example.com", AUDIENCE = "pets", ALGORITHMS = "RS256, none" }
  }
  expect_failures = [var.settings]
}

run "no_address_of_a_package" {
  command = plan
  variables {
    package = "s3://packages"
  }
  expect_failures = [var.package]
}

# Those of a single issuer and ISSUERS exclude each other.
run "every_setting_of_the_program" {
  command = plan
  variables {
    settings = {
      for name, setting in jsondecode(file("settings.json")) : name => {
        number = try(setting.max, "")
        word   = try(setting.of[1], "")
        json   = "@/opt/x.json"
        list   = name == "ISSUER" ? "https://login.example.com" : coalesce(join(", ", try(setting.of, [])), "x")
        text   = contains(["JWKS_URI", "RESOURCE_METADATA"], name) ? "https://login.example.com/x" : "x"
      }[setting.kind]
      if !startswith(name, "AWS_LAMBDA_") && name != "ISSUERS"
    }
  }
  assert {
    condition     = one(aws_lambda_function.authorizer.environment).variables == tomap(var.settings) && length(var.settings) == length(jsondecode(file("settings.json"))) - 3
    error_message = "The function has other settings."
  }
}
