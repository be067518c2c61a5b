//! The variables of a deployed function, from the JSON that deployment tools write.

use std::path::Path;

use serde_json::Value;

use crate::document;
use crate::outcome::{Misuse, plain};
use crate::settings::{template, terraform};

const WHAT: &str = "must be what `terraform show -json` or `aws lambda get-function-configuration` writes, or a \
    CloudFormation template";

/// A Lambda function that a template or a Terraform plan defines.
pub(super) struct Function {
    /// Its address, logical id or name.
    pub(super) name: String,
    pub(super) variables: Vec<Variable>,
}

pub(super) struct Variable {
    pub(super) name: String,
    /// The error says why the value is not known before the deployment.
    pub(super) value: Result<String, String>,
}

/// The function whose settings were found.
pub(super) struct Found {
    pub(super) function: String,
    pub(super) variables: Vec<(String, String)>,
    /// The names of the stages of all APIs there.
    pub(super) stages: Vec<String>,
}

/// `changes`: variables whose values are given otherwise.
pub(super) fn read(
    path: &Path,
    name: Option<&str>,
    parameters: &[(String, String)],
    changes: &[(String, String)],
) -> Result<Found, Misuse> {
    let text = document::read(path)?;
    let at = |problem: &str| Misuse(format!("{}: {problem}", path.display()));
    let document = document::parse(&text).map_err(|error| at(&error))?;
    let functions = functions(&document, parameters).map_err(|problem| at(&problem))?;
    let function = select(functions, name).map_err(|problem| at(&problem))?;
    let mut found =
        Found { function: function.name, variables: Vec::new(), stages: stages(&document) };
    let mut unknown = Vec::new();
    for Variable { name, value } in function.variables {
        match value {
            Ok(value) => found.variables.push((name, value)),
            Err(_) if changes.iter().any(|(changed, _)| *changed == name) => {}
            Err(because) => unknown.push(format!("\n  {}: {because}", plain(&name))),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let unknown = unknown.concat();
    Err(at(&format!("some values are not known yet; give them with --set NAME=VALUE:{unknown}")))
}

fn functions(document: &Value, parameters: &[(String, String)]) -> Result<Vec<Function>, String> {
    if document.get("planned_values").is_some() || document.get("terraform_version").is_some() {
        return Ok(terraform::functions(document));
    }
    if document["Resources"].is_object() {
        return template::functions(document, parameters);
    }
    // `get-function` has the configuration as a member.
    let configuration = document.get("Configuration").unwrap_or(document);
    let variables = configuration["Environment"]["Variables"].as_object().ok_or(WHAT)?;
    let name = configuration["FunctionName"].as_str().unwrap_or("the function").to_owned();
    let variables = variables.iter().map(|(name, value)| Variable {
        name: name.clone(),
        value: Ok(value.as_str().unwrap_or_default().to_owned()),
    });
    Ok(vec![Function { name, variables: variables.collect() }])
}

/// The function of this name; else the only one that has an issuer.
fn select(functions: Vec<Function>, name: Option<&str>) -> Result<Function, String> {
    let is_meant = |function: &Function| match name {
        Some(name) => function.name == name,
        None => function
            .variables
            .iter()
            .any(|variable| variable.name == "ISSUER" || variable.name == "ISSUERS"),
    };
    let all: Vec<_> = functions.iter().map(|function| plain(&function.name)).collect();
    let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    let mut meant: Vec<_> = functions.into_iter().filter(is_meant).collect();
    match (meant.len(), name) {
        (1, _) => Ok(meant.remove(0)),
        (0, None) => Err(format!("no function has ISSUER or ISSUERS; there are {all}")),
        (0, Some(_)) => Err(format!("there is no such function; there are {all}")),
        _ => Err(format!("several functions could be meant; name one with --function: {all}")),
    }
}

/// The names of stages: those of API Gateway's resources in a template, or in what Terraform writes.
fn stages(document: &Value) -> Vec<String> {
    let mut stages = Vec::new();
    for resource in document["Resources"].as_object().into_iter().flat_map(|all| all.values()) {
        let kind = resource["Type"].as_str().unwrap_or_default();
        if kind.starts_with("AWS::ApiGateway") || kind.starts_with("AWS::Serverless::") {
            let name = resource["Properties"]["StageName"].as_str();
            stages.extend(name.map(str::to_owned));
        }
    }
    terraform::stages(document, &mut stages);
    stages
}
