//! Functions in what `terraform show -json` writes: a plan or a state.

use serde_json::Value;

use crate::settings::deployment::{Function, Variable};

pub(super) fn functions(document: &Value) -> Vec<Function> {
    let values = document.get("planned_values").unwrap_or(&document["values"]);
    let mut functions = Vec::new();
    collect(&values["root_module"], document, &mut functions);
    functions
}

fn collect(module: &Value, document: &Value, functions: &mut Vec<Function>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        if resource["type"] != "aws_lambda_function" || resource["mode"] == "data" {
            continue;
        }
        let address = resource["address"].as_str().unwrap_or_default();
        let known = resource["values"]["environment"][0]["variables"].as_object();
        let mut variables: Vec<_> = known
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| {
                let value = Ok(value.as_str()?.to_owned());
                Some(Variable { name: name.clone(), value })
            })
            .collect();
        variables.extend(unknown(address, document));
        functions.push(Function { name: address.to_owned(), variables });
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        collect(child, document, functions);
    }
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
