resource "aws_cloudwatch_metric_alarm" "no_verdict" {
  count = var.alarms == null ? 0 : 1

  alarm_name          = "${var.name}-no-verdict"
  alarm_description   = "Requests fail with 500 because no verdict was possible, most often because the issuer's keys are unavailable"
  namespace           = local.metrics_namespace
  metric_name         = "Unavailable"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

# Sees what the function cannot count itself: bad configuration at start, timeouts, crashes.
# With REFUSAL=unauthorized every refused token is a function error, so there is no such alarm.
resource "aws_cloudwatch_metric_alarm" "function_error" {
  count = var.alarms == null || trimspace(lookup(local.settings, "REFUSAL", "deny")) == "unauthorized" ? 0 : 1

  alarm_name          = "${var.name}-function-error"
  alarm_description   = "The authorizer function fails"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.authorizer.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "key_age" {
  count = var.alarms == null ? 0 : 1

  alarm_name          = "${var.name}-key-age"
  alarm_description   = "The issuer's keys could not be refreshed for a long time; past JWKS_STALE_SECONDS requests fail"
  namespace           = local.metrics_namespace
  metric_name         = "KeyAge"
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = var.alarms.key_age_seconds
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

# ISSUERS may hold lists, too. Without any there is no such metric, and no alarm.
resource "aws_cloudwatch_metric_alarm" "revocation_age" {
  count = var.alarms == null || length(setintersection(keys(local.settings), ["REVOKED", "ISSUERS"])) == 0 ? 0 : 1

  alarm_name          = "${var.name}-revocation-age"
  alarm_description   = "A revocation list could not be refreshed for a long time; past REVOKED_STALE_SECONDS requests fail"
  namespace           = local.metrics_namespace
  metric_name         = "RevocationAge"
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = var.alarms.revocation_age_seconds
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}
