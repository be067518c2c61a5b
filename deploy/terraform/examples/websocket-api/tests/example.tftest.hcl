mock_provider "aws" {
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:token-authorizer" }
  }
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"settings\":\"ok\",\"sources\":[{\"available\":true}]}" }
  }
}

variables {
  package  = "main.tf" # any file will do
  issuer   = "https://login.example.com"
  audience = "https://pets.example.com"
}

run "it_applies" {
  assert {
    condition     = length(output.url) > 0
    error_message = "No address."
  }
}
