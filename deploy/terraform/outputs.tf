output "function_arn" {
  description = "ARN of the function; what `modules/attachment` needs."
  value       = aws_lambda_function.authorizer.arn
}

output "invoke_arn" {
  description = "What an authorizer of API Gateway names as its URI."
  value       = aws_lambda_function.authorizer.invoke_arn
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
  value       = aws_iam_role.authorizer.arn
}
