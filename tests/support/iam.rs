//! What IAM makes of a policy document, for the one action `execute-api:Invoke`. Written from the reference of the
//! JSON policy elements and of the evaluation logic (AWS IAM User Guide), and strict: what an answer to API Gateway
//! has no business to hold (null members, unknown members, policy variables) ends the test.
use serde_json::{Map, Value};

const ACTION: &str = "execute-api:Invoke";

/// What the document says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    /// A Deny statement matches: nothing outside the document can allow the request any more.
    ExplicitDeny,
    /// No statement matches: refused, unless the API's resource policy allows it.
    ImplicitDeny,
}

/// The verdict on a request for the resource with this ARN, at this Unix time.
pub(crate) fn evaluate(document: &Value, arn: &str, unix: u64) -> Verdict {
    refuse_nulls(document);
    let document = object(document, "the document");
    known(document, &["Version", "Id", "Statement"]);
    // In the older version, which is also the default, `${...}` is plain text.
    assert_eq!(document.get("Version"), Some(&Value::from("2012-10-17")), "the document's version");
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        other => panic!("the document's statements: {other:?}"),
    };
    assert!(!statements.is_empty(), "a document without statements");
    // Every statement is read, also after one has decided, so that a bad one is always found.
    let effects: Vec<_> =
        statements.into_iter().filter_map(|statement| effect(statement, arn, unix)).collect();
    if effects.contains(&Verdict::ExplicitDeny) {
        Verdict::ExplicitDeny
    } else if effects.contains(&Verdict::Allow) {
        Verdict::Allow
    } else {
        Verdict::ImplicitDeny
    }
}

/// The effect of a statement on this request, if it is one of those that the statement is about.
fn effect(statement: &Value, arn: &str, unix: u64) -> Option<Verdict> {
    let statement = object(statement, "a statement");
    known(statement, &["Sid", "Effect", "Action", "Resource", "Condition"]);
    let effect = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Verdict::Allow,
        Some("Deny") => Verdict::ExplicitDeny,
        _ => panic!("the effect of {statement:?}"),
    };
    // Actions are compared without regard to letter case, resources are not.
    let lower = str::to_ascii_lowercase;
    let actions = strings(statement.get("Action"), "Action");
    let is_meant = actions.iter().any(|action| like(&lower(action), &lower(ACTION)));
    let resources = strings(statement.get("Resource"), "Resource");
    resources.iter().for_each(|resource| check_resource(resource));
    let matches = resources.iter().any(|resource| like(resource, arn));
    let holds = statement.get("Condition").is_none_or(|condition| holds(condition, unix));
    (is_meant && matches && holds).then_some(effect)
}

fn check_resource(resource: &str) {
    assert!(!resource.contains("${"), "a policy variable in the resource {resource}");
    let is_whole =
        resource == "*" || resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
    assert!(is_whole, "not a whole ARN: {resource}");
}

/// Whether all operators, and of each all keys, are satisfied; by one of its values a key is.
fn holds(condition: &Value, unix: u64) -> bool {
    let mut holds = true;
    for (operator, keys) in object(condition, "a condition") {
        let compare = match operator.as_str() {
            "DateGreaterThanEquals" => u64::ge,
            "DateLessThan" => u64::lt,
            _ => panic!("the condition operator {operator}"),
        };
        for (key, values) in object(keys, "the keys of a condition") {
            assert_eq!(key, "aws:CurrentTime", "the condition key");
            holds &=
                strings(Some(values), key).into_iter().any(|value| compare(&unix, &date(value)));
        }
    }
    holds
}

/// The Unix time of an ISO 8601 date in UTC with whole seconds: `2026-11-20T23:59:59Z`.
fn date(text: &str) -> u64 {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "the date {text}");
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_date =
        year >= 1970 && (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    assert!(is_date, "the date {text}");
    let past_months = usize::try_from(month - 1).unwrap();
    assert!((1..=lengths[past_months]).contains(&day), "the date {text}");
    let years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let days = years + lengths[..past_months].iter().sum::<u64>() + day - 1;
    ((days * 24 + hour) * 60 + minute) * 60 + second
}

/// `*` stands for any characters, also none and also `/` and `:`; `?` for exactly one.
fn like(pattern: &str, text: &str) -> bool {
    let (literal, pattern) = pattern.split_at(pattern.find(['*', '?']).unwrap_or(pattern.len()));
    let Some(text) = text.strip_prefix(literal) else { return false };
    let text: Vec<char> = text.chars().collect();
    // Whether the pattern so far matches the first n characters of the text, for every n.
    let mut matched = vec![false; text.len() + 1];
    matched[0] = true;
    for wanted in pattern.chars() {
        let before = matched;
        matched = vec![false; text.len() + 1];
        for end in 0..=text.len() {
            matched[end] = match wanted {
                '*' => before[end] || end > 0 && matched[end - 1],
                '?' => end > 0 && before[end - 1],
                wanted => end > 0 && before[end - 1] && text[end - 1] == wanted,
            };
        }
    }
    matched[text.len()]
}

fn refuse_nulls(value: &Value) {
    match value {
        Value::Null => panic!("a null member in the document"),
        Value::Array(elements) => elements.iter().for_each(refuse_nulls),
        Value::Object(members) => members.values().for_each(refuse_nulls),
        _ => {}
    }
}

fn known(members: &Map<String, Value>, names: &[&str]) {
    for name in members.keys() {
        assert!(names.contains(&name.as_str()), "the member {name}");
    }
}

fn object<'v>(value: &'v Value, what: &str) -> &'v Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{what} is not an object: {value}"))
}

/// One string, or an array of at least one.
fn strings<'v>(value: Option<&'v Value>, what: &str) -> Vec<&'v str> {
    let strings: Option<Vec<_>> = match value {
        Some(Value::Array(elements)) => elements.iter().map(Value::as_str).collect(),
        Some(Value::String(one)) => Some(vec![one]),
        _ => None,
    };
    let strings = strings.filter(|strings| !strings.is_empty());
    strings.unwrap_or_else(|| panic!("{what} is not a string or an array of strings: {value:?}"))
}
