# A gradual rollout: APIs name the alias, and CodeDeploy moves it to a new version, or back when an alarm goes off.

data "aws_partition" "current" {
  count = var.canary == null ? 0 : 1
}

resource "aws_lambda_alias" "live" {
  count = var.canary == null ? 0 : 1

  name             = "live"
  function_name    = aws_lambda_function.authorizer.function_name
  function_version = aws_lambda_function.authorizer.version

  lifecycle {
    # CodeDeploy's to move.
    ignore_changes = [function_version, routing_config]
  }
}

resource "aws_codedeploy_app" "authorizer" {
  count = var.canary == null ? 0 : 1

  name             = var.name
  compute_platform = "Lambda"
  tags             = var.tags
}

resource "aws_codedeploy_deployment_group" "live" {
  count = var.canary == null ? 0 : 1

  app_name               = aws_codedeploy_app.authorizer[0].name
  deployment_group_name  = "live"
  deployment_config_name = "CodeDeployDefault.Lambda${var.canary.type}"
  service_role_arn       = var.canary.role_arn == null ? one(aws_iam_role.canary[*].arn) : var.canary.role_arn
  tags                   = var.tags

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  alarm_configuration {
    enabled = true
    alarms  = concat(aws_cloudwatch_metric_alarm.no_verdict[*].alarm_name, aws_cloudwatch_metric_alarm.function_error[*].alarm_name)
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }
}

resource "aws_iam_role" "canary" {
  count = try(var.canary.role_arn == null, false) ? 1 : 0

  name_prefix          = "${substr(var.name, 0, 30)}-canary-"
  permissions_boundary = var.permissions_boundary
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "codedeploy.amazonaws.com" } }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "canary" {
  count = length(aws_iam_role.canary)

  role       = aws_iam_role.canary[0].name
  policy_arn = "arn:${data.aws_partition.current[0].partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"
}

# The provider cannot start a deployment, so the AWS CLI does.
resource "terraform_data" "rollout" {
  count = var.canary == null ? 0 : 1

  triggers_replace = aws_lambda_function.authorizer.version

  provisioner "local-exec" {
    command = "bash \"${path.module}/rollout.sh\""
    environment = {
      FUNCTION           = aws_lambda_function.authorizer.function_name
      VERSION            = aws_lambda_function.authorizer.version
      ALIAS              = aws_lambda_alias.live[0].name
      APPLICATION        = aws_codedeploy_app.authorizer[0].name
      DEPLOYMENT_GROUP   = aws_codedeploy_deployment_group.live[0].deployment_group_name
      AWS_DEFAULT_REGION = split(":", aws_lambda_function.authorizer.arn)[3]
    }
  }

  depends_on = [aws_iam_role_policy_attachment.canary, aws_lambda_invocation.status]
}
