output "authorizer_id" {
  description = "ID of the authorizer, for methods and routes."
  value       = local.authorizer_id
}

output "identity_sources" {
  description = "What API Gateway caches decisions by."
  value       = local.identity_sources
}

output "redeployment" {
  description = "Changes with all that a REST API needs a new deployment for: put it into the deployment's `triggers`."
  value       = sha1(jsonencode([aws_api_gateway_authorizer.this, aws_api_gateway_gateway_response.this]))
}
