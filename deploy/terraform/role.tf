# What the function may do: write its own log, and what its VPC, its key and its traces need.
locals {
  statements = concat(
    [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.authorizer.arn}:*"
    }],
    [for vpc in var.vpc_config[*] : {
      Effect = "Allow"
      Action = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = "*"
    }],
    [for key in var.environment_key_arn[*] : {
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = key
    }],
    [for mode in var.tracing ? ["Active"] : [] : {
      Effect   = "Allow"
      Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      Resource = "*"
    }],
  )
}

resource "aws_iam_role" "authorizer" {
  count = var.role_arn == null ? 1 : 0

  # IAM takes 38 characters of a prefix.
  name_prefix          = "${substr(var.name, 0, 37)}-"
  permissions_boundary = var.permissions_boundary
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "authorizer" {
  count = var.role_arn == null ? 1 : 0

  name   = "log"
  role   = aws_iam_role.authorizer[0].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}
