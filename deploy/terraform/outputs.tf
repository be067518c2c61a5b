output "function_arn" {
  description = "ARN of the function, or of its alias with `canary`; what `modules/attachment` needs. It waits for `check_status`."
  value       = var.canary == null ? aws_lambda_function.authorizer.arn : one(aws_lambda_alias.live[*].arn)

  depends_on = [aws_lambda_invocation.status]
}

output "invoke_arn" {
  description = "What an authorizer of API Gateway names as its URI."
  value       = var.canary == null ? aws_lambda_function.authorizer.invoke_arn : one(aws_lambda_alias.live[*].invoke_arn)

  depends_on = [aws_lambda_invocation.status]
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.authorizer.function_name
}

output "settings" {
  description = "The settings as the function has them; `modules/attachment` reads there where the token is."
  value       = local.effective
}

output "environment_bytes" {
  description = "Size of the function's variables as Lambda counts it. The limit is 4096."
  value       = local.environment_bytes
}

output "log_group_name" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.authorizer.name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_lambda_function.authorizer.role
}
