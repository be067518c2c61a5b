# The inputs that a restricted account sets. With them every check of checkov passes on the module.
package                 = "package.zip"
settings                = { ISSUER = "https://login.example.com", AUDIENCE = "https://pets.example.com" }
permissions_boundary    = "arn:aws:iam::123456789012:policy/boundary"
environment_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
log_key_arn             = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
code_signing_config_arn = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef0"
reserved_concurrency    = 100
tracing                 = true
log_retention_days      = 365
vpc_config              = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
