//! Reads the rule of an entry as it is written in `ROUTES`.

use std::slice;

use serde_json::{Map, Value};

use crate::access::requirement::Requirement;
use crate::access::sign_in::MAX_MAX_AGE;
use crate::jose::token::ClaimPath;

const EXPECTED: &str = "must be an array of conditions that are all needed, for example [\"pets:read\"], or one \
    object with `any`, `claims`, `path` or `max_age`";

const OPERATORS: [&str; 4] = ["any", "claims", "path", "max_age"];

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Scope(String),
    Claim(Requirement),
    /// The variable of the path has the value of the claim.
    Path {
        variable: String,
        claim: ClaimPath,
    },
    /// The user signed in at most so many seconds ago.
    MaxAge(u32),
}

/// The alternatives of a rule. It is true if all conditions of one alternative are. The error says what would be right.
pub(super) fn alternatives(rule: &Value) -> Result<Vec<Vec<Condition>>, String> {
    let conditions = match rule {
        Value::Array(conditions) => conditions.as_slice(),
        Value::Object(_) => slice::from_ref(rule),
        _ => return Err(EXPECTED.to_owned()),
    };
    let (mut common, mut any) = (Vec::new(), None);
    for condition in conditions {
        let Some(("any", list)) = operator(condition)? else {
            read(condition, &mut common)?;
            continue;
        };
        if any.is_some() {
            return Err("a rule has at most one `any`".to_owned());
        }
        any = Some(read_any(list)?);
    }
    let Some(any) = any else { return Ok(vec![common]) };
    let mut alternatives = Vec::new();
    for alternative in any {
        alternatives.push([common.clone(), alternative].concat());
    }
    Ok(alternatives)
}

/// The name and the value of the one member of a condition that is an object.
fn operator(condition: &Value) -> Result<Option<(&str, &Value)>, String> {
    let Some(members) = condition.as_object() else { return Ok(None) };
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) if OPERATORS.contains(&name.as_str()) => {
            Ok(Some((name, value)))
        }
        _ => Err("a condition that is an object has exactly one of `any`, `claims`, `path` and `max_age`"
            .to_owned()),
    }
}

fn read_any(list: &Value) -> Result<Vec<Vec<Condition>>, String> {
    let list = match list {
        Value::Array(list) if !list.is_empty() => list,
        _ => return Err("`any` must be an array of at least one alternative".to_owned()),
    };
    let mut alternatives = Vec::new();
    for alternative in list {
        let conditions = match alternative {
            Value::Array(conditions) => conditions.as_slice(),
            one => slice::from_ref(one),
        };
        if conditions.is_empty() {
            return Err("`any`: an alternative is empty".to_owned());
        }
        let mut alternative = Vec::new();
        for condition in conditions {
            read(condition, &mut alternative)?;
        }
        alternatives.push(alternative);
    }
    Ok(alternatives)
}

/// Appends what one condition other than `any` asks for.
fn read(condition: &Value, found: &mut Vec<Condition>) -> Result<(), String> {
    match operator(condition)? {
        Some(("claims", value)) => {
            for (claim, wanted) in members("claims", value, r#"{"amr": "mfa"}"#)? {
                found.push(Condition::Claim(Requirement::parse(claim, wanted)?));
            }
        }
        Some(("path", value)) => {
            for (variable, claim) in members("path", value, r#"{"id": "sub"}"#)? {
                let claim = match claim.as_str() {
                    Some(name) if !name.is_empty() => ClaimPath::parse(name)?,
                    _ => {
                        return Err(format!(
                            "`path`: the claim for `{variable}` must be the name of a claim"
                        ));
                    }
                };
                found.push(Condition::Path { variable: variable.clone(), claim });
            }
        }
        Some(("max_age", value)) => match value.as_u64().map(u32::try_from) {
            Some(Ok(seconds)) if (1..=MAX_MAX_AGE).contains(&seconds) => {
                found.push(Condition::MaxAge(seconds));
            }
            _ => return Err(format!("`max_age` must be whole seconds from 1 to {MAX_MAX_AGE}")),
        },
        Some(_) => return Err("`any` is not allowed inside an `any`".to_owned()),
        None => match condition.as_str() {
            None => return Err(EXPECTED.to_owned()),
            Some("") => return Err("a scope is empty".to_owned()),
            Some(scope) => found.push(Condition::Scope(scope.to_owned())),
        },
    }
    Ok(())
}

fn members<'v>(
    operator: &str,
    value: &'v Value,
    example: &str,
) -> Result<&'v Map<String, Value>, String> {
    match value {
        Value::Object(members) if !members.is_empty() => Ok(members),
        _ => Err(format!(
            "`{operator}` must be an object with at least one member, for example {example}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::routes::rule::{Predicates, Rule};
    use crate::access::routes::template::Template;

    fn problem(rule: &Value, path: &str) -> String {
        let path = Template::parse(path).unwrap();
        Rule::parse(rule, &path, &mut Predicates::default()).unwrap_err()
    }

    #[test]
    fn a_bad_rule_is_named_with_what_is_wrong() {
        let one = "has exactly one of `any`, `claims`, `path` and `max_age`";
        let seconds = "`max_age` must be whole seconds from 1 to 31536000";
        for (rule, expected) in [
            (json!(null), EXPECTED),
            (json!("pets:read"), EXPECTED),
            (json!(true), EXPECTED),
            (json!(1), EXPECTED),
            (json!([1]), EXPECTED),
            (json!(["pets:read", null]), EXPECTED),
            (json!([["pets:read"]]), EXPECTED),
            (json!([""]), "a scope is empty"),
            (json!({}), one),
            (json!([{}]), one),
            (json!({ "all": ["a"] }), one),
            (json!({ "Any": ["a"] }), one),
            (json!({ "any": ["a"], "claims": { "a": 1 } }), one),
            (json!({ "any": [] }), "`any` must be an array of at least one alternative"),
            (json!({ "any": "a" }), "`any` must be an array of at least one alternative"),
            (json!({ "any": { "a": 1 } }), "`any` must be an array of at least one alternative"),
            (json!({ "any": [[]] }), "an alternative is empty"),
            (json!({ "any": ["a", ""] }), "a scope is empty"),
            (json!({ "any": ["a", null] }), EXPECTED),
            (json!({ "any": [[["a"]]] }), EXPECTED),
            (json!({ "any": [{ "any": ["a"] }] }), "`any` is not allowed inside an `any`"),
            (json!({ "any": [["a", { "any": ["b"] }]] }), "`any` is not allowed inside an `any`"),
            (json!([{ "any": ["a"] }, { "any": ["b"] }]), "at most one `any`"),
            (json!({ "claims": {} }), "`claims` must be an object"),
            (json!({ "claims": ["amr"] }), "`claims` must be an object"),
            (json!({ "claims": { "amr": [] } }), "claim `amr`: must be"),
            (json!({ "claims": { "amr": null } }), "claim `amr`: must be"),
            (json!({ "claims": { "amr": { "any": [] } } }), "claim `amr`: must be"),
            (json!({ "claims": { "/a~": 1 } }), "JSON Pointer"),
            (json!({ "max_age": 300, "claims": { "a": 1 } }), one),
            (json!({ "max_age": 0 }), seconds),
            (json!({ "max_age": 31_536_001 }), seconds),
            (json!({ "max_age": 4_294_967_596_u64 }), seconds),
            (json!({ "max_age": -300 }), seconds),
            (json!({ "max_age": 300.0 }), seconds),
            (json!({ "max_age": "300" }), seconds),
            (json!({ "max_age": null }), seconds),
            (json!({ "any": ["a", { "max_age": [300] }] }), seconds),
            (json!({ "path": {} }), "`path` must be an object"),
            (json!({ "path": "id" }), "`path` must be an object"),
            (
                json!({ "path": { "id": 1 } }),
                "`path`: the claim for `id` must be the name of a claim",
            ),
            (
                json!({ "path": { "id": "" } }),
                "`path`: the claim for `id` must be the name of a claim",
            ),
            (json!({ "path": { "id": "/~" } }), "JSON Pointer"),
            (json!({ "path": { "x": "sub" } }), "has no `{x}`"),
            (json!({ "any": ["a", { "path": { "x": "sub" } }] }), "has no `{x}`"),
        ] {
            let problem = problem(&rule, "users/{id}/{t}");
            assert!(problem.contains(expected), "{rule}: {problem}");
        }
        let connection = problem(&json!({ "path": { "id": "sub" } }), "$connect");
        assert_eq!(connection, "`path` names `id`, but the route has no `{id}`");
    }
}
