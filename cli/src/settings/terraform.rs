//! Functions in what `terraform show -json` writes: a plan or a state.

use serde_json::Value;

use crate::settings::deployment::{Function, Variable};

pub(super) fn functions(document: &Value) -> Vec<Function> {
    let mut functions = Vec::new();
    for resource in resources(document) {
        if resource["type"] != "aws_lambda_function" {
            continue;
        }
        let address = resource["address"].as_str().unwrap_or_default();
        let mut variables = Vec::new();
        let known = resource["values"]["environment"][0]["variables"].as_object();
        for (name, value) in known.into_iter().flatten() {
            if let Some(value) = value.as_str() {
                variables.push(Variable { name: name.clone(), value: Ok(value.to_owned()) });
            }
        }
        variables.extend(unknown(address, document));
        functions.push(Function { name: address.to_owned(), variables });
    }
    functions
}

/// The names of the stages of all APIs.
pub(super) fn stages(document: &Value, stages: &mut Vec<String>) {
    for resource in resources(document) {
        let name = match resource["type"].as_str() {
            Some("aws_api_gateway_stage") => &resource["values"]["stage_name"],
            Some("aws_apigatewayv2_stage") => &resource["values"]["name"],
            _ => continue,
        };
        stages.extend(name.as_str().map(str::to_owned));
    }
}

/// The managed resources of all modules.
fn resources(document: &Value) -> Vec<&Value> {
    let values = document.get("planned_values").unwrap_or(&document["values"]);
    let mut modules = vec![&values["root_module"]];
    let mut resources = Vec::new();
    while let Some(module) = modules.pop() {
        let own = module["resources"].as_array().into_iter().flatten();
        resources.extend(own.filter(|resource| resource["mode"] != "data"));
        modules.extend(module["child_modules"].as_array().into_iter().flatten());
    }
    resources
}

/// The variables of a planned function whose values only the deployment will show.
fn unknown(address: &str, document: &Value) -> Vec<Variable> {
    const BECAUSE: &str = "known after apply";
    let changes = document["resource_changes"].as_array().into_iter().flatten();
    let mut unknown = Vec::new();
    for change in changes.filter(|change| change["address"] == address) {
        match &change["change"]["after_unknown"]["environment"][0]["variables"] {
            Value::Object(names) => {
                let names = names.iter().filter(|(_, is_unknown)| **is_unknown == true);
                unknown.extend(names.map(|(name, _)| name.clone()));
            }
            // Not even the names are known.
            Value::Bool(true) => unknown.push("ISSUER".to_owned()),
            _ => {}
        }
    }
    let variable = |name| Variable { name, value: Err(BECAUSE.to_owned()) };
    unknown.into_iter().map(variable).collect()
}
