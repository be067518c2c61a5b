# What can be seen to be wrong in the settings before anything is deployed. The program checks the rest when it starts,
# which `check_status` makes the apply wait for.
locals {
  trimmed = { for name, value in local.settings : name => trimspace(value) }

  # Nobody can look into a file here.
  texts = {
    for name, value in local.trimmed : name => value
    if try(local.known[name].kind == "json", false) && !startswith(value, "@") && !(name == "REVOKED" && can(regex("^[A-Za-z]+:", value)))
  }
  json     = { for name, text in local.texts : name => try(jsondecode(text), null) }
  not_json = [for name, value in local.json : name if name == "ISSUERS" ? !can([for issuer in value : keys(issuer)]) || !startswith(local.texts[name], "[") : !can(keys(value))]

  # The members of ISSUERS, and the variables as one more of the kind.
  issuers = try([for issuer in local.json.ISSUERS : issuer], [])
  tables  = concat([try(local.json.ROUTES, null), try(local.json.TRIAL.routes, null)], [for issuer in local.issuers : try(issuer.routes, null)])
  entries = distinct(flatten([for table in local.tables : try(keys(table), [])]))
  urls = merge(
    { for name in ["JWKS_URI", "RESOURCE_METADATA"] : name => local.trimmed[name] if contains(keys(local.trimmed), name) },
    { for name in ["REVOKED"] : name => local.trimmed[name] if can(regex("^[A-Za-z]+:", lookup(local.trimmed, name, ""))) },
    # With keys of its own an issuer may have any name. Otherwise its keys are found at this address.
    {
      for issuer in regexall("[^,\\s]+", lookup(local.trimmed, "ISSUER", "")) : "ISSUER ${issuer}" => issuer
      if length(setintersection(keys(local.trimmed), ["JWKS_URI", "JWKS"])) == 0
    },
    {
      for issuer in local.issuers : "ISSUERS, issuer ${try(tostring(issuer.issuer), "")}" => try(tostring(issuer.issuer), "")
      if !can(issuer.jwks) && !can(issuer.jwks_uri)
    },
    { for issuer in local.issuers : "ISSUERS, jwks_uri of ${try(tostring(issuer.issuer), "")}" => try(tostring(issuer.jwks_uri), "") if can(issuer.jwks_uri) },
  )

  # ISSUERS has members for what these say.
  of_issuers = setintersection(keys(local.trimmed), [
    "ISSUER", "TENANTS", "AUDIENCE", "JWKS_URI", "JWKS", "ALGORITHMS", "AUDIENCE_CLAIM", "TOKEN_TYPES", "REQUIRED_CLAIMS", "SCOPE_CLAIMS", "REVOKED",
  ])

  problems = concat(
    [for name in local.not_json : "${name} must be ${name == "ISSUERS" ? "a JSON array of objects" : "a JSON object"}, or @ and the path of a file."],
    [
      for entry in local.entries : "Entry \"${entry}\" of a table must be a verb (DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or ANY), a space and a path with a slash in front, or $connect."
      if !can(regex("^((ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^ ]*|\\$connect)$", entry))
    ],
    [
      for name, url in local.urls : "${name} must be an https URL, or http on a loopback address."
      if !can(regex("^(?i:https://[^/\\s]+|http://(localhost|127(\\.[0-9]+){3}|\\[::1\\])(:[0-9]+)?)(/\\S*)?$", url))
    ],
    contains(keys(local.trimmed), "ISSUERS") && length(local.of_issuers) > 0 ? ["ISSUERS says what ${join(", ", local.of_issuers)} would: leave these out."] : [],
    [
      for name in ["JWKS", "REVOKED"] : "${name}_STALE_SECONDS must be at least ${name}_FRESH_SECONDS."
      if try(
        tonumber(lookup(local.trimmed, "${name}_STALE_SECONDS", local.known["${name}_STALE_SECONDS"].default)) <
        tonumber(lookup(local.trimmed, "${name}_FRESH_SECONDS", local.known["${name}_FRESH_SECONDS"].default)), false
      )
    ],
  )
}
