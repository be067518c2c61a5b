//! Whether API Gateway takes a policy: its limits, and the proof at start that every policy of a table keeps them.

use std::cmp::Reverse;

use aws_lambda_events::iam::{IamPolicyDocument, IamPolicyEffect};
use serde::Serialize;

use crate::access::rights::{Access, PolicyScope};
use crate::access::routes::guard::GUARDED;
use crate::access::routes::table::Table;
use crate::access::routes::{Entry, RouteState, RouteStates, Routes};
use crate::clock::date_time;
use crate::gateway::arn::Stage;
use crate::gateway::policy::{document, encoded_len, statement, with_time};
use crate::reason::{Fault, Obstacle};

/// The longest resource that API Gateway takes (Developer Guide, "Output from an API Gateway Lambda authorizer").
pub(crate) const MAX_RESOURCE: usize = 512;

/// The longest policy. No figure is published for REST and HTTP APIs; a WebSocket API takes a result of 8 KB.
pub(crate) const MAX_DOCUMENT: usize = 8 * 1024;

/// The longest ARN up to the stage for which a table of routes is proven to fit: 96 characters leave room for the
/// longest partition and region, and for a stage name of some 30.
const PROVEN_PREFIX: usize = 96;

/// Whether API Gateway takes the document of these rights for this stage. Proven at start for all but the longest
/// stage names.
pub(crate) fn check_length(
    stage: &Stage<'_>,
    access: &Access<'_>,
    expires_at: Option<f64>,
) -> Result<(), Fault> {
    let is_proven = stage.arn().len() <= PROVEN_PREFIX || matches!(access, Access::Stage);
    if is_proven || are_accepted(sizes(&document(stage, access, expires_at))) {
        return Ok(());
    }
    Err(Obstacle::EventUnsupported.because("the stage's name is too long for ROUTES"))
}

/// The document would exceed [`MAX_DOCUMENT`] or [`MAX_RESOURCE`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) document: usize,
    pub(crate) resource: usize,
    /// Where the bytes come from, in words.
    pub(crate) parts: String,
}

/// Whether the document of every token fits, whatever rights it has, for ARNs of up to [`PROVEN_PREFIX`]. With
/// [`PolicyScope::Request`], whether that of every request does.
pub(crate) fn fits(
    routes: &Routes,
    expiry_guard: bool,
    scope: PolicyScope,
) -> Result<(), TooLarge> {
    let expires_at = expiry_guard.then_some(0.0);
    match scope {
        PolicyScope::Stage => check_states(longest(routes, expiry_guard), expires_at),
        PolicyScope::Request => {
            for together in routes.entries_of_requests() {
                let states = longest_of_request(routes, &together, expiry_guard);
                check_states(states, expires_at)?;
            }
            Ok(())
        }
    }
}

fn check_states(states: RouteStates<'_>, expires_at: Option<f64>) -> Result<(), TooLarge> {
    let access = Access::Routes(states);
    let (document, resource) = longest_sizes(&access, expires_at);
    match access {
        Access::Routes(states) if !are_accepted((document, resource)) => {
            Err(TooLarge { document, resource, parts: largest_parts(&states) })
        }
        _ => Ok(()),
    }
}

/// The sizes of the longest policy with these states.
pub(crate) fn longest_sizes(access: &Access<'_>, expires_at: Option<f64>) -> (usize, usize) {
    let mut missing = 0;
    if let (Access::Routes(states), Some(_)) = (access, expires_at) {
        // Which entries share a time depends on the token. So all times count that a policy can have.
        let deny = statement(IamPolicyEffect::Deny, Vec::new());
        let timed = with_time(deny, "DateGreaterThanEquals", date_time(0.0));
        missing = (encoded_len(&timed) + ",".len()) * states.unused_times();
    }
    let (document, resource) = sizes(&document(&longest_stage(), access, expires_at));
    (document + missing, resource)
}

/// The longest policy for a request that these entries match: they are all open, and those that overlap them are all
/// closed.
pub(crate) fn longest_of_request<'r>(
    routes: &'r Routes,
    together: &[usize],
    says_times: bool,
) -> RouteStates<'r> {
    let mut longest = routes.longest(says_times);
    longest.changes.retain(|change| together.contains(&change.entry));
    for index in 0..longest.states.len() {
        if !together.contains(&index) {
            let is_closed = together.iter().any(|other| routes.overlap(index, *other));
            longest.states[index] =
                if is_closed { RouteState::Closed } else { RouteState::Omitted };
        }
    }
    close_cheapest(&mut longest);
    longest
}

pub(crate) fn longest_stage() -> Stage<'static> {
    Stage::of_length(PROVEN_PREFIX)
}

/// The longest policy that any token can get: every entry open, with the Deny of PATH_GUARD. Without the guard, closing
/// the one entry whose Deny saves the fewest bytes is longer still, if the statement around it takes more than that.
pub(crate) fn longest(routes: &Routes, says_times: bool) -> RouteStates<'_> {
    let mut longest = routes.longest(says_times);
    close_cheapest(&mut longest);
    longest
}

/// Closes an entry if that makes the policy longer.
fn close_cheapest(longest: &mut RouteStates<'_>) {
    let frame = encoded_len(&statement(IamPolicyEffect::Deny, Vec::new()));
    let mut cheapest: Option<(usize, usize)> = None;
    let mut opened = 0;
    for (index, entry) in longest.entries.iter().enumerate() {
        if longest.states[index] == RouteState::Closed {
            // The policy has a Deny already.
            return;
        }
        if longest.allowed(index).is_empty() {
            continue;
        }
        opened += 1;
        // One that is closed later has its Deny, and loses the whole Allow.
        if longest.changes.iter().any(|change| change.entry == index) {
            continue;
        }
        let loss = resources_len(longest.allowed(index)) - resources_len(entry.denied_if_closed());
        if cheapest.is_none_or(|(_, least)| loss < least) {
            cheapest = Some((index, loss));
        }
    }
    // The only entry of a policy is not closed: there is no policy that opens nothing.
    if let Some((index, loss)) = cheapest
        && loss < frame
        && opened > 1
        && !longest.guard
    {
        longest.states[index] = RouteState::Closed;
    }
}

/// The bytes that resources take as JSON, each with a comma.
fn resources_len(patterns: &[impl Serialize]) -> usize {
    let mut len = 0;
    for pattern in patterns {
        len += PROVEN_PREFIX + "/".len() + encoded_len(pattern) + ",".len();
    }
    len
}

/// Where the bytes of a document come from, in words: the entries that take the most, and the guard.
fn largest_parts(states: &RouteStates<'_>) -> String {
    const MAX_SHOWN_ENTRIES: usize = 3;
    let mut entries: Vec<(&Entry, usize, usize)> = Vec::new();
    for (index, entry) in states.entries.iter().enumerate() {
        let (bytes, count) = bytes_and_count(states, index);
        if count > 0 {
            entries.push((entry, bytes, count));
        }
    }
    entries.sort_by_key(|(_, bytes, _)| Reverse(*bytes));
    let (mut parts, mut others) = (Vec::new(), 0);
    for (index, (entry, bytes, count)) in entries.iter().enumerate() {
        if index >= MAX_SHOWN_ENTRIES {
            others += bytes;
            continue;
        }
        let route = &entry.route;
        let resources = if *count == 1 { "resource" } else { "resources" };
        parts.push(format!("{bytes} for entry `{route}` ({count} {resources})"));
    }
    if entries.len() > MAX_SHOWN_ENTRIES {
        parts.push(format!("{others} for the {} other entries", entries.len() - MAX_SHOWN_ENTRIES));
    }
    if states.guard {
        parts.push(format!("{} for PATH_GUARD", resources_len(&GUARDED)));
    }
    parts.join(", ")
}

/// The bytes that an entry takes, and the number of its resources.
fn bytes_and_count(states: &RouteStates<'_>, index: usize) -> (usize, usize) {
    let patterns = states.patterns(index, true);
    let mut bytes = resources_len(patterns.allowed) + resources_len(patterns.denied);
    let mut count = patterns.allowed.len() + patterns.denied.len();
    for (_, ending) in &patterns.allowed_until {
        bytes += resources_len(ending);
        count += ending.len();
    }
    if let Some((_, closing)) = patterns.denied_from {
        bytes += resources_len(closing);
        count += closing.len();
    }
    (bytes, count)
}

/// How long the policy of a table can get, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySize<'t> {
    /// The bytes of the longest policy that a token can get.
    pub bytes: usize,
    /// The most bytes that a policy can have.
    pub limit: usize,
    /// The bytes that `PATH_GUARD` takes.
    pub path_guard: usize,
    /// Each entry, with the bytes that it takes and the number of its resources.
    pub entries: Vec<(&'t str, usize, usize)>,
}

impl Table {
    /// How long the policy of this table can get, with `EXPIRY_GUARD` or without.
    #[must_use]
    pub fn policy_size(&self, expiry_guard: bool) -> PolicySize<'_> {
        let routes = self.routes();
        let expires_at = expiry_guard.then_some(0.0);
        let longest = Access::Routes(longest(routes, expiry_guard));
        let (bytes, _) = longest_sizes(&longest, expires_at);
        let open = routes.longest(expiry_guard);
        let mut entries = Vec::new();
        for (index, entry) in open.entries.iter().enumerate() {
            let (bytes, count) = bytes_and_count(&open, index);
            entries.push((entry.route.as_str(), bytes, count));
        }
        let guarded = resources_len(&GUARDED.map(str::to_owned));
        PolicySize {
            bytes,
            limit: MAX_DOCUMENT,
            path_guard: if open.guard { guarded } else { 0 },
            entries,
        }
    }
}

/// The size of a document, and that of its longest resource.
fn sizes(document: &IamPolicyDocument) -> (usize, usize) {
    let mut resource = 0;
    for statement in &document.statement {
        for name in &statement.resource {
            resource = resource.max(name.len());
        }
    }
    (encoded_len(document), resource)
}

/// Whether API Gateway takes a document of these sizes.
fn are_accepted((document, resource): (usize, usize)) -> bool {
    document <= MAX_DOCUMENT && resource <= MAX_RESOURCE
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::policy::ResponseFormat;
    use crate::gateway::policy::tests::{allow, routes, stage, with_rights};

    #[test]
    fn the_size_of_a_policy_is_that_of_its_parts() {
        let table =
            |entries: &Value, guard| Table::parse(entries.as_object().unwrap(), guard).unwrap();
        let few = table(&json!({"GET /a": ["a"]}), true);
        let more = table(&json!({"GET /a": ["a"], "ANY /b": ["b"]}), true);
        let (few_size, more_size) = (few.policy_size(true), more.policy_size(true));
        assert_eq!(few_size.entries, [("GET /a", 96 + "/GET/a".len() + 3, 1)]);
        let (_, bytes, resources) = more_size.entries[0];
        assert_eq!((resources, more_size.bytes - few_size.bytes), (7, bytes));
        let unguarded = table(&json!({"GET /a": ["a"]}), false);
        let unguarded = unguarded.policy_size(true);
        assert!(few_size.bytes - unguarded.bytes > few_size.path_guard && few_size.path_guard > 0);
        assert_eq!(unguarded.path_guard, 0);
        assert!(few_size.bytes > few.policy_size(false).bytes);
    }

    #[test]
    fn a_resource_has_at_most_512_characters() {
        let path = |length: usize| json!({format!("GET /{}", "a".repeat(length)): []});
        let longest = 512 - 96 - "/GET/".len();
        assert_eq!(fits(&routes(&path(longest)), true, PolicyScope::Stage), Ok(()));
        assert_eq!(
            fits(&routes(&path(longest + 1)), true, PolicyScope::Stage).unwrap_err().resource,
            513
        );
    }

    #[test]
    fn a_document_has_at_most_8_kib_whatever_the_rights() {
        let table = |last: usize| {
            let mut table = json!({"GET /open": ["a"]});
            for entry in 0..15 {
                table[format!("POST /{entry:0>391}")] = json!(["b"]);
            }
            table[format!("PUT /{}", "a".repeat(last))] = json!(["b"]);
            table
        };
        let measured = |last: usize| {
            let routes = routes(&table(last));
            let mut longest = routes.longest(true);
            longest.states[0] = RouteState::Closed;
            encoded_len(&document(&Stage::of_length(96), &Access::Routes(longest), Some(0.0)))
        };
        let exact = 8192 - measured(0);
        assert_eq!(fits(&routes(&table(exact)), true, PolicyScope::Stage), Ok(()));
        let larger = fits(&routes(&table(exact + 1)), true, PolicyScope::Stage).unwrap_err();
        assert_eq!((larger.document, larger.resource), (8193, 493));
        assert_eq!(
            fits(&routes(&table(exact + 1)), false, PolicyScope::Stage),
            Ok(()),
            "the guard takes no room"
        );

        let long_stage = |length: usize| {
            let arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/";
            stage(&format!("{arn}{}/GET/open", "s".repeat(length - arn.len())))
        };
        for scopes in ["a", "b", "a b"] {
            with_rights(&table(exact), scopes, |access| {
                let allow = allow(&access, Some(0.0));
                let answer = allow.answer(&long_stage(96), ResponseFormat::Policy);
                let answer: Value = serde_json::from_str(answer.get()).unwrap();
                let document = encoded_len(&answer["policyDocument"]);
                assert!((8000..=8192).contains(&document), "{document}");
                assert!(check_length(&long_stage(96), &access, Some(0.0)).is_ok());
                assert!(check_length(&long_stage(128), &access, Some(0.0)).is_err());
            });
        }
        assert!(check_length(&long_stage(128), &Access::Stage, None).is_ok());
    }

    #[test]
    fn a_connection_takes_no_room_in_a_policy() {
        // Without PATH_GUARD, the longest policy closes the entry whose Deny saves the fewest bytes.
        let table = json!({ "GET /a": ["a"], "ANY /*": ["b"] });
        let mut with_connection = table.clone();
        with_connection["$connect"] = json!(["chat"]);
        for guard in [false, true] {
            let longest_of = |table: &Value| {
                let routes = Routes::parse(table.as_object().unwrap(), guard).unwrap();
                let states = longest(&routes, true);
                encoded_len(&document(&longest_stage(), &Access::Routes(states), None))
            };
            assert_eq!(longest_of(&with_connection), longest_of(&table), "guard {guard}");
        }
        assert!(!largest_parts(&routes(&with_connection).longest(true)).contains("$connect"));
    }

    #[test]
    fn what_is_proven_at_start_is_not_measured_again() {
        // A table that no start lets pass, so that it is seen whether its document is measured.
        let table = json!({ format!("GET /{}", "a".repeat(512)): [] });
        with_rights(&table, "", |access| {
            for (length, is_measured) in [(70, false), (96, false), (97, true)] {
                let outcome = check_length(&Stage::of_length(length), &access, None);
                assert_eq!(outcome.is_err(), is_measured, "{length}");
            }
        });
    }
}
