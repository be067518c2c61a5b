//! The operations of an OpenAPI 3 document, and what the `security` of each asks for.

use std::path::Path;

use serde_json::Value;

use crate::routes::references::{Documents, Node};

/// The verbs of an entry of `ROUTES`.
pub(crate) const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

/// A server URL with more combinations of values than this is not written out.
const MAX_BASE_PATHS: usize = 64;

/// The longest server URL. The value of a variable can name other variables, so a short document can ask for gigabytes.
const MAX_URL: usize = 2048;

/// An OpenAPI document.
pub(crate) struct OpenApi {
    pub(crate) operations: Vec<Operation>,
    pub(crate) schemes: Vec<Scheme>,
    /// What could not be taken from the document, for people.
    pub(crate) problems: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// A member of `components.securitySchemes`.
pub(crate) struct Scheme {
    pub(crate) name: String,
    /// Whether its credential is a token that this authorizer could be asked about.
    pub(crate) is_token: bool,
}

/// An operation, under one of the base paths of its servers.
#[derive(Clone)]
pub(crate) struct Operation {
    /// One of [`VERBS`], or `ANY`.
    pub(crate) verb: String,
    pub(crate) path: String,
    /// Alternatives. An empty list: no security. An alternative without schemes: no token is needed.
    pub(crate) security: Vec<Requirement>,
}

/// Schemes that are all needed, each with its scopes.
pub(crate) type Requirement = Vec<(String, Vec<String>)>;

impl Operation {
    /// `GET /pets/{id}`.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.verb, self.path)
    }

    /// Whether it is for everybody, with a token or without.
    pub(crate) fn is_public(&self) -> bool {
        self.security.is_empty() || self.security.iter().any(Vec::is_empty)
    }
}

impl OpenApi {
    /// Reads the document. `base_path` replaces those of the servers.
    pub(crate) fn read(path: &Path, base_path: Option<&str>) -> Result<Self, String> {
        let documents = Documents::open(path)?;
        let main = documents.main();
        check_version(main.value())?;
        let mut api = Self {
            operations: Vec::new(),
            schemes: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        };
        api.schemes(&documents)?;
        let servers = base_paths(&main.value()["servers"], &mut api.notes)?;
        let servers = servers.unwrap_or_else(|| vec![String::new()]);
        let paths = main.member("paths");
        for path in paths.iter().flat_map(member_names) {
            if !path.starts_with('/') {
                continue;
            }
            let Some(item) = paths.as_ref().and_then(|paths| paths.member(&path)) else { continue };
            let item = documents.follow(&item);
            let read = item
                .and_then(|item| api.path_item(&path, &item, &servers, base_path, main.value()));
            if let Err(problem) = read {
                api.problems.push(format!("{path}: {problem}"));
            }
        }
        Ok(api)
    }

    fn schemes(&mut self, documents: &Documents) -> Result<(), String> {
        let main = documents.main();
        let schemes = main.member("components").and_then(|all| all.member("securitySchemes"));
        for name in schemes.iter().flat_map(member_names) {
            let Some(scheme) = schemes.as_ref().and_then(|all| all.member(&name)) else { continue };
            let nodes = documents.follow(&scheme)?;
            let scheme = nodes[nodes.len() - 1].value();
            let is_bearer = |scheme: &Value| {
                scheme["scheme"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("bearer"))
            };
            let is_token = match scheme["type"].as_str() {
                Some("oauth2" | "openIdConnect") => true,
                Some("http") => is_bearer(scheme),
                // How API Gateway's own documents name a Lambda authorizer.
                Some("apiKey") => scheme.get("x-amazon-apigateway-authorizer").is_some(),
                _ => false,
            };
            self.schemes.push(Scheme { name, is_token });
        }
        Ok(())
    }

    /// `item`: the path item, and what its `$ref` leads to. Members that stand nearer win.
    fn path_item(
        &mut self,
        path: &str,
        item: &[Node],
        servers: &[String],
        base_path: Option<&str>,
        document: &Value,
    ) -> Result<(), String> {
        let member = |name: &str| item.iter().find_map(|node| node.member(name));
        let servers_of = |value: Option<Node>, notes: &mut Vec<String>| {
            base_paths(value.as_ref().map_or(&Value::Null, Node::value), notes)
        };
        let own_servers = servers_of(member("servers"), &mut self.notes)?;
        let servers = own_servers.as_deref().unwrap_or(servers);
        let mut names: Vec<String> = item.iter().flat_map(member_names).collect();
        names.sort();
        names.dedup();
        for name in names {
            let verb = match name.as_str() {
                ANY_METHOD => "ANY".to_owned(),
                "delete" | "get" | "head" | "options" | "patch" | "post" | "put" => {
                    name.to_uppercase()
                }
                // API Gateway has no such methods.
                "trace" | "query" | "additionalOperations" => {
                    self.notes.push(format!("{path}: no entry can name the methods in `{name}`"));
                    continue;
                }
                _ => continue,
            };
            let Some(operation) = member(&name) else { continue };
            let security = operation.value().get("security").or_else(|| document.get("security"));
            let security = match security.map_or(Ok(Vec::new()), requirements) {
                Ok(security) => security,
                Err(problem) => {
                    self.problems.push(format!("{verb} {path}: {problem}, so there is no entry"));
                    continue;
                }
            };
            let own_servers = servers_of(operation.member("servers"), &mut self.notes)?;
            let bases = match base_path {
                Some(base) => vec![base.trim_end_matches('/').to_owned()],
                None => own_servers.unwrap_or_else(|| servers.to_vec()),
            };
            for base in bases {
                self.operations.push(Operation {
                    verb: verb.clone(),
                    path: format!("{base}{path}"),
                    security: security.clone(),
                });
            }
        }
        Ok(())
    }
}

fn check_version(document: &Value) -> Result<(), String> {
    if document.get("swagger").is_some() {
        return Err("this is Swagger 2.0: convert it to OpenAPI 3 first".to_owned());
    }
    match document["openapi"].as_str() {
        Some(version) if version.starts_with("3.") => Ok(()),
        _ => Err("this is not an OpenAPI 3 document: it has no `openapi: 3.x`".to_owned()),
    }
}

fn member_names(node: &Node) -> Vec<String> {
    node.value().as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
}

fn requirements(security: &Value) -> Result<Vec<Requirement>, &'static str> {
    let alternatives = security.as_array().ok_or("its `security` is not an array")?;
    let mut requirements = Vec::new();
    for alternative in alternatives {
        let alternative = alternative.as_object().ok_or("its `security` holds no objects")?;
        let mut requirement = Vec::new();
        for (scheme, scopes) in alternative {
            let scopes = scopes.as_array().ok_or("the scopes in its `security` are no array")?;
            let mut names = Vec::new();
            for scope in scopes {
                let scope = scope.as_str().ok_or("a scope in its `security` is no string")?;
                names.push(scope.to_owned());
            }
            requirement.push((scheme.clone(), names));
        }
        requirements.push(requirement);
    }
    Ok(requirements)
}

/// The different paths of these servers, without a slash at their ends; nothing if there are no servers.
fn base_paths(servers: &Value, notes: &mut Vec<String>) -> Result<Option<Vec<String>>, String> {
    let Some(servers) = servers.as_array().filter(|servers| !servers.is_empty()) else {
        return Ok(None);
    };
    let mut paths: Vec<String> = Vec::new();
    for server in servers {
        for url in urls(server)? {
            let path = base_path(&url, notes);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    Ok(Some(paths))
}

/// The URLs of a server: each variable has its default, or in turn each of the values it may have.
fn urls(server: &Value) -> Result<Vec<String>, String> {
    let mut urls = vec![server["url"].as_str().unwrap_or_default().to_owned()];
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        let place = format!("{{{name}}}");
        let mut values: Vec<&str> = vec![variable["default"].as_str().unwrap_or_default()];
        let others = variable["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        values.extend(others.filter(|value| Some(*value) != variable["default"].as_str()));
        if urls.len() * values.len() > MAX_BASE_PATHS {
            values.truncate(1);
        }
        let mut filled = Vec::new();
        for url in &urls {
            let places = url.matches(&place).count();
            for value in &values {
                if url.len() + places.saturating_mul(value.len()) > MAX_URL {
                    return Err(format!("a server URL has more than {MAX_URL} characters"));
                }
                filled.push(url.replace(&place, value));
            }
        }
        urls = filled;
    }
    Ok(urls)
}

/// The path of a URL. In API Gateway's own address the first segment is the stage, which no entry names.
fn base_path(url: &str, notes: &mut Vec<String>) -> String {
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or((rest, ""), |at| rest.split_at(at)),
        None => ("", url),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    let is_stage = host.contains(".execute-api.") && !path.is_empty();
    let path = if is_stage {
        let (stage, rest) = path.split_once('/').unwrap_or((path, ""));
        let note = format!("`{stage}` in {host} is taken for the stage, which is not in the paths");
        if !notes.contains(&note) {
            notes.push(note);
        }
        rest
    } else {
        path
    };
    if path.is_empty() { String::new() } else { format!("/{path}") }
}
