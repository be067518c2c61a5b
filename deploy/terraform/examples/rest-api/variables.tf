variable "package" {
  description = "The package of a release: the path of its zip, or `s3://bucket/key`."
  type        = string
}

variable "issuer" {
  description = "The exact `iss` of the tokens to trust."
  type        = string
}

variable "audience" {
  description = "Accepted audiences, separated by commas."
  type        = string
}
