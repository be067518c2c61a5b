# terraform test: an apply fails where the function says that it does not work. Each run has a state of its own.

mock_provider "aws" {
  alias = "no_settings"
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"settings\":\"wrong\",\"sources\":[{\"available\":true}]}" }
  }
}

mock_provider "aws" {
  alias = "no_keys"
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"settings\":\"ok\",\"sources\":[{\"available\":true},{\"available\":false}]}" }
  }
}

mock_provider "aws" {
  alias = "no_source"
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"settings\":\"ok\",\"sources\":[]}" }
  }
}

mock_provider "aws" {
  alias = "policy"
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"principalId\":\"anonymous\",\"policyDocument\":{\"Statement\":[]}}" }
  }
}

variables {
  package  = "versions.tf" # any file will do
  settings = { ISSUER = "https://login.example.com", AUDIENCE = "https://pets.example.com" }
}

run "wrong_settings" {
  state_key       = "no_settings"
  providers       = { aws = aws.no_settings }
  expect_failures = [aws_lambda_invocation.status]
}

run "a_list_that_is_unavailable" {
  state_key       = "no_keys"
  providers       = { aws = aws.no_keys }
  expect_failures = [aws_lambda_invocation.status]
}

run "no_source" {
  state_key       = "no_source"
  providers       = { aws = aws.no_source }
  expect_failures = [aws_lambda_invocation.status]
}

run "another_answer" {
  state_key       = "policy"
  providers       = { aws = aws.policy }
  expect_failures = [aws_lambda_invocation.status]
}
