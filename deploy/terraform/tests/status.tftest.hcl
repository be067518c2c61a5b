# terraform test: an apply fails where the function says that it does not work.

mock_provider "aws" {
  mock_resource "aws_lambda_invocation" {
    defaults = { result = "{\"settings\":\"wrong\"}" }
  }
}

variables {
  package  = "versions.tf" # any file will do
  settings = { ISSUER = "https://login.example.com", AUDIENCE = "https://pets.example.com" }
}

run "a_function_that_does_not_work" {
  command         = apply
  expect_failures = [aws_lambda_invocation.status]
}
