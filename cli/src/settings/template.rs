//! Functions in a CloudFormation template, with the intrinsic functions that can be worked out without AWS.

use std::cell::Cell;

use serde_json::Value;

use crate::settings::deployment::{Function, Variable};

/// What AWS fills in. The authorizer does not look at these; they have the length of real ones.
const PSEUDO_PARAMETERS: [(&str, &str); 6] = [
    ("AWS::AccountId", "123456789012"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "us-east-1"),
    ("AWS::StackId", "arn:aws:cloudformation:us-east-1:123456789012:stack/stack/00000000-0000"),
    ("AWS::StackName", "stack"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// Conditions that refer to each other more deeply than this go round in a circle.
const MAX_DEPTH: usize = 32;

/// A variable that takes more steps than this to work out is refused: a few lines can ask for billions of them.
const MAX_STEPS: usize = 10_000;

/// The longest text that is put together: many times what Lambda takes.
const MAX_TEXT: usize = 64 * 1024;

pub(super) fn functions(
    document: &Value,
    parameters: &[(String, String)],
) -> Result<Vec<Function>, String> {
    let declared = &document["Parameters"];
    for (name, _) in parameters {
        if declared.get(name).is_none() {
            let names: Vec<_> =
                declared.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect();
            return Err(format!("there is no parameter {name}; there are {}", names.join(", ")));
        }
    }
    let template = Template { document, parameters, steps: Cell::new(0) };
    let mut functions = Vec::new();
    for (id, resource) in document["Resources"].as_object().into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        if !["AWS::Lambda::Function", "AWS::Serverless::Function"].contains(&kind) {
            continue;
        }
        let variables = resource["Properties"]["Environment"]["Variables"].as_object();
        let variables = variables.into_iter().flatten().filter_map(|(name, value)| {
            template.steps.set(0);
            let value = match template.text(value, 0) {
                Ok(value) => Ok(value?),
                Err(because) => Err(because),
            };
            Some(Variable { name: name.clone(), value })
        });
        functions.push(Function { name: id.clone(), variables: variables.collect() });
    }
    Ok(functions)
}

struct Template<'t> {
    document: &'t Value,
    parameters: &'t [(String, String)],
    /// Taken for the variable that is worked out.
    steps: Cell<usize>,
}

impl Template<'_> {
    /// Counts a step. The error says why there are no more.
    fn step(&self, depth: usize) -> Result<(), &'static str> {
        self.steps.set(self.steps.get() + 1);
        if depth > MAX_DEPTH {
            return Err("refers to itself");
        }
        if self.steps.get() > MAX_STEPS { Err("takes too many steps to work out") } else { Ok(()) }
    }

    /// The text that a value comes to; nothing for `AWS::NoValue`. The error says why it is not known.
    fn text(&self, value: &Value, depth: usize) -> Result<Option<String>, String> {
        self.step(depth)?;
        let (name, argument) = match value {
            Value::String(text) => return Ok(Some(text.clone())),
            Value::Number(_) | Value::Bool(_) => return Ok(Some(value.to_string())),
            Value::Object(members) if members.len() == 1 => match members.iter().next() {
                Some(member) => member,
                None => return Ok(None),
            },
            _ => return Err("is not text".to_owned()),
        };
        let depth = depth + 1;
        match (name.as_str(), argument) {
            ("Ref", Value::String(name)) if name == "AWS::NoValue" => Ok(None),
            ("Ref", Value::String(name)) => self.reference(name).map(Some),
            ("Fn::Sub", Value::String(text)) => {
                self.substituted(text, &Value::Null, depth).map(Some)
            }
            ("Fn::Sub", Value::Array(parts)) => {
                let text = parts.first().and_then(Value::as_str).ok_or("`Fn::Sub` has no text")?;
                self.substituted(text, parts.get(1).unwrap_or(&Value::Null), depth).map(Some)
            }
            ("Fn::Join", Value::Array(parts)) => {
                let separator = parts.first().and_then(Value::as_str).unwrap_or_default();
                let Some(Value::Array(parts)) = parts.get(1) else {
                    return Err("`Fn::Join` of a list that is not in the template".to_owned());
                };
                let mut joined = String::new();
                let mut is_first = true;
                for part in parts {
                    let Some(text) = self.text(part, depth)? else { continue };
                    if !is_first {
                        joined += separator;
                    }
                    joined += &text;
                    is_first = false;
                    check_length(&joined)?;
                }
                Ok(Some(joined))
            }
            ("Fn::If", Value::Array(parts)) => {
                let [Value::String(condition), then, otherwise] = parts.as_slice() else {
                    return Err("`Fn::If` needs a condition and two values".to_owned());
                };
                let holds = self.holds(&self.document["Conditions"][condition], depth)?;
                self.text(if holds { then } else { otherwise }, depth)
            }
            (name, _) => Err(format!("`{name}` is worked out by AWS")),
        }
    }

    fn reference(&self, name: &str) -> Result<String, String> {
        if let Some((_, value)) = self.parameters.iter().find(|(parameter, _)| parameter == name) {
            return Ok(value.clone());
        }
        if let Some((_, value)) = PSEUDO_PARAMETERS.iter().find(|(pseudo, _)| *pseudo == name) {
            return Ok((*value).to_owned());
        }
        let Some(parameter) = self.document["Parameters"].get(name) else {
            return Err(format!("`Ref` of {name}, which AWS creates"));
        };
        match &parameter["Default"] {
            Value::String(text) => Ok(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Ok(value.to_string()),
            _ => Err(format!("the parameter {name} has no default: give it with --parameter")),
        }
    }

    /// `${Name}` is a reference or one of `values`, `${!Name}` is `${Name}`.
    fn substituted(&self, text: &str, values: &Value, depth: usize) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("`${` without `}`")?;
            filled += before;
            if let Some(literal) = name.strip_prefix('!') {
                filled += &format!("${{{literal}}}");
            } else if let Some(value) = values.get(name) {
                filled += &self.text(value, depth)?.unwrap_or_default();
            } else if name.contains('.') {
                return Err(format!("`{name}` is worked out by AWS"));
            } else {
                filled += &self.reference(name)?;
            }
            check_length(&filled)?;
            rest = after;
        }
        Ok(filled + rest)
    }

    fn holds(&self, condition: &Value, depth: usize) -> Result<bool, String> {
        self.step(depth)?;
        let member = condition.as_object().filter(|members| members.len() == 1);
        let Some((name, argument)) = member.and_then(|members| members.iter().next()) else {
            return Err("a condition is not in the template".to_owned());
        };
        let depth = depth + 1;
        if let ("Condition", Some(other)) = (name.as_str(), argument.as_str()) {
            return self.holds(&self.document["Conditions"][other], depth);
        }
        let arguments = argument.as_array().ok_or("a condition has no arguments")?;
        match (name.as_str(), arguments.as_slice()) {
            ("Fn::Equals", [one, other]) => Ok(self.text(one, depth)? == self.text(other, depth)?),
            ("Fn::Not", [condition]) => Ok(!self.holds(condition, depth)?),
            ("Fn::And", conditions) => {
                for condition in conditions {
                    if !self.holds(condition, depth)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            ("Fn::Or", conditions) => {
                for condition in conditions {
                    if self.holds(condition, depth)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (name, _) => Err(format!("the condition `{name}` is worked out by AWS")),
        }
    }
}

fn check_length(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_TEXT { Err("is longer than any variable can be") } else { Ok(()) }
}
