//! The policies of any table, for any token: evaluated by IAM's own rules, and compared with a direct evaluation of the
//! table's text without a policy.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::access::claims::{Present, Rules};
use crate::access::rights::{AnswerScope, PolicyScope, Rights};
use crate::access::routes::pattern::tests::{lies_in, overlap};
use crate::access::routes::{DecidedBy, Routes};
use crate::clock::Now;
use crate::config::Config;
use crate::gateway::event::{Event, EventKind};
use crate::gateway::size::{
    MAX_DOCUMENT, MAX_RESOURCE, check_length, fits, longest as longest_routes, longest_of_request,
    longest_sizes,
};
use crate::support::iam::{Verdict, evaluate};

const VERBS: [&str; 8] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
const SCOPES: [&str; 3] = ["r", "w", "x"];
const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";
/// Some time within a token's life.
const NOW: u64 = 1_800_000_000;
const ENDS: f64 = 1_800_000_600.0;

/// Each `max_age` of a rule.
const MAX_AGES: [u64; 3] = [60, 300, 900];

/// When the user of a token can have signed in: recently for all rules, for some, for none; or in the future, a little
/// or more.
const SIGN_INS: [u64; 6] = [NOW - 30, NOW - 200, NOW - 800, NOW - 5000, NOW + 30, NOW + 100];

/// Other stages, which a wildcard that reaches too far would match.
const ELSEWHERE: [&str; 12] = [
    "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test",
    "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod2",
    "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/pro",
    "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test/prod",
    "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default",
    "arn:aws:execute-api:eu-west-1:123456789012:abcdef1235/prod",
    "arn:aws:execute-api:eu-west-1:123456789012:xabcdef1234/prod",
    "arn:aws:execute-api:eu-west-1:123456789013:abcdef1234/prod",
    "arn:aws:execute-api:eu-west-2:123456789012:abcdef1234/prod",
    "arn:aws:execute-api:us-east-1:000000000000:zzzzzzzzzz/prod",
    "arn:aws-cn:execute-api:eu-west-1:123456789012:abcdef1234/prod",
    "arn:aws:lambda:eu-west-1:123456789012:abcdef1234/prod",
];

/// The table of an operator: routes and rules.
type Table = Vec<(String, Value)>;

/// The rules of docs/routes.md, applied to a table directly: nothing is compiled, and no policy is written.
mod plain {
    use super::*;

    /// What an entry is for a token.
    #[derive(Clone, Debug, PartialEq)]
    pub(super) enum State {
        Open,
        /// The templates of the caller's own.
        Own(Vec<String>),
        Closed,
    }

    fn list(value: &Value) -> Vec<Value> {
        value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
    }

    /// The conditions that are all needed, for each alternative.
    fn ways(rule: &Value) -> Vec<Vec<Value>> {
        let (any, common): (Vec<_>, Vec<_>) =
            list(rule).into_iter().partition(|condition| condition["any"].is_array());
        match any.first() {
            None => vec![common],
            Some(any) => {
                list(&any["any"]).iter().map(|one| [common.clone(), list(one)].concat()).collect()
            }
        }
    }

    /// The token in an answer that is decided at one time and used at another.
    pub(super) fn used(token: &Value, decided: u64, used: u64) -> Value {
        let mut token = token.clone();
        token["decided"] = json!(decided);
        token["used"] = json!(used);
        token
    }

    fn is_recent(token: &Value, max_age: u64) -> bool {
        let time = |name: &str| token[name].as_u64().unwrap_or(NOW);
        let Some(signed_in) = token["auth_time"].as_u64() else { return false };
        signed_in <= time("decided") + 60 && time("used") <= signed_in + max_age
    }

    /// What each entry is for a token in an answer that was decided earlier: what is closed stays closed.
    pub(super) fn cached_states(
        table: &Table,
        token: &Value,
        held: &[String],
        decided: u64,
        now: u64,
    ) -> Vec<State> {
        let mut times = vec![decided, now];
        if let Some(signed_in) = token["auth_time"].as_u64() {
            times.extend(MAX_AGES.map(|max_age| signed_in + max_age + 1));
        }
        let mut states = states(table, &used(token, decided, now), held);
        for time in times.into_iter().filter(|time| (decided..now).contains(time)) {
            let earlier = self::states(table, &used(token, decided, time), held);
            for (state, earlier) in states.iter_mut().zip(earlier) {
                if earlier == State::Closed {
                    *state = State::Closed;
                }
            }
        }
        states
    }

    /// Whether a condition other than `path` is true.
    fn is_true(condition: &Value, token: &Value, held: &[String]) -> bool {
        if let Some(scope) = condition.as_str() {
            return held.iter().any(|held| held == scope);
        }
        if let Some(max_age) = condition["max_age"].as_u64() {
            return is_recent(token, max_age);
        }
        condition["claims"].as_object().unwrap().iter().all(|(name, wanted)| {
            let present = !token[name].is_null();
            let is = |value: &Value| present && list(&token[name]).contains(value);
            match wanted.as_object().and_then(|operators| operators.iter().next()) {
                None => list(wanted).iter().any(is),
                Some((operator, values)) => match operator.as_str() {
                    "any" => list(values).iter().any(is),
                    "all" => list(values).iter().all(is),
                    "none" => !list(values).iter().any(is),
                    _ => *values == json!(present),
                },
            }
        })
    }

    /// The value of a claim, if it can be a segment of a path.
    fn value(claim: &Value) -> Option<String> {
        const CHARACTERS: &str =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
        match claim {
            Value::Number(number) => {
                let text = number.to_string();
                let digits = text.chars().all(|c| c.is_ascii_digit());
                (digits && text.parse::<f64>().ok()? <= 9_007_199_254_740_992.0).then_some(text)
            }
            Value::String(text) => {
                let is_good =
                    (1..=128).contains(&text.chars().count()) && text != "." && text != "..";
                (is_good && text.chars().all(|c| CHARACTERS.contains(c))).then(|| text.clone())
            }
            _ => None,
        }
    }

    /// The template of the requests for which a way is true, with values for variables; none if it is never true.
    fn own(route: &str, way: &[Value], token: &Value, held: &[String]) -> Option<String> {
        let (paths, others): (Vec<_>, Vec<_>) =
            way.iter().partition(|condition| condition["path"].is_object());
        if !others.iter().all(|condition| is_true(condition, token, held)) {
            return None;
        }
        let (mut template, mut values) = (route.to_owned(), Vec::new());
        for (variable, claim) in
            paths.iter().flat_map(|condition| condition["path"].as_object().unwrap())
        {
            let value = value(&token[claim.as_str().unwrap()])?;
            if values.iter().any(|(other, taken)| other == variable && *taken != value) {
                return None;
            }
            template = template.replace(&format!("{{{variable}}}"), &value);
            values.push((variable.clone(), value));
        }
        Some(template)
    }

    /// What an entry is for a token, as if it stood alone.
    pub(super) fn alone(entry: &(String, Value), token: &Value, held: &[String]) -> State {
        let (route, rule) = entry;
        let (own_ways, open_ways): (Vec<_>, Vec<_>) = ways(rule)
            .into_iter()
            .partition(|way| way.iter().any(|condition| condition["path"].is_object()));
        if open_ways.iter().any(|way| way.iter().all(|condition| is_true(condition, token, held))) {
            return State::Open;
        }
        let own: Vec<_> = own_ways.iter().filter_map(|way| own(route, way, token, held)).collect();
        if own.is_empty() { State::Closed } else { State::Own(own) }
    }

    fn verbs(route: &str) -> Vec<&str> {
        match route.split_once(' ') {
            Some(("ANY", _)) => VERBS[..7].to_vec(),
            Some((verb, _)) => vec![verb],
            None => Vec::new(),
        }
    }

    /// Whether an open entry keeps another from being open for the caller's own.
    pub(super) fn closes(open: &str, own: &str) -> bool {
        let shared = verbs(open).iter().any(|verb| verbs(own).contains(verb));
        let path = |route: &str| pattern_of(route.split_once(' ').unwrap_or_default().1);
        let (open_path, own_path) = (path(open), path(own));
        let more = verbs(own).iter().any(|verb| !verbs(open).contains(verb))
            || !lies_in(&own_path, &open_path);
        shared && overlap(&open_path, &own_path) && !(lies_in(&open_path, &own_path) && more)
    }

    /// What each entry is for a token.
    pub(super) fn states(table: &Table, token: &Value, held: &[String]) -> Vec<State> {
        let alone: Vec<_> = table.iter().map(|entry| alone(entry, token, held)).collect();
        let is_closed = |own: usize, templates: &[String]| {
            (0..table.len()).any(|other| {
                closes(&table[other].0, &table[own].0)
                    && match &alone[other] {
                        State::Open => true,
                        State::Own(wider) => {
                            widens(&table[own].0, templates, &table[other].0, wider)
                        }
                        State::Closed => false,
                    }
            })
        };
        let states = alone.iter().enumerate().map(|(index, state)| match state {
            State::Own(templates) if is_closed(index, templates) => State::Closed,
            state => state.clone(),
        });
        states.collect()
    }

    /// Whether one of these templates of another entry, which are the caller's own, matches a path of an entry that is
    /// not the caller's own there: with one segment for each `{name}`. `own` are the entry's templates.
    pub(super) fn widens(route: &str, own: &[String], other: &str, wider: &[String]) -> bool {
        if !verbs(route).iter().any(|verb| verbs(other).contains(verb)) {
            return false;
        }
        let path = |route: &str| route.split_once(' ').unwrap().1.to_owned();
        let entry = Glob::of(&path(route), true);
        let own: Vec<_> = own.iter().map(|own| Glob::of(&path(own), false)).collect();
        wider.iter().any(|wider| entry.reaches(&Glob::of(&path(wider), false), &own))
    }

    /// A path whose gaps are `*` (any characters) or `+` (one or more, no slash).
    struct Glob(Vec<char>);

    impl Glob {
        fn of(path: &str, by_segment: bool) -> Self {
            let (mut glob, mut name) = (Vec::new(), None::<String>);
            for c in path.chars() {
                name = match (c, name) {
                    ('{', _) => Some(String::new()),
                    ('}', Some(name)) => {
                        glob.push(if by_segment && !name.ends_with('+') { '\u{1}' } else { '*' });
                        None
                    }
                    (c, Some(name)) => Some(name + &c.to_string()),
                    (c, None) => {
                        glob.push(c);
                        None
                    }
                };
            }
            Self(glob)
        }

        /// What can follow, by the number of elements that are done.
        fn after(&self, done: &BTreeSet<usize>, c: char) -> BTreeSet<usize> {
            let step = |at: &usize| match self.0.get(*at) {
                Some('*') => vec![*at],
                Some('\u{1}') if c != '/' => vec![*at, at + 1],
                Some(element) if *element == c => vec![at + 1],
                _ => Vec::new(),
            };
            self.skipping(done.iter().flat_map(step).collect())
        }

        /// Wildcards may be left out.
        fn skipping(&self, mut done: BTreeSet<usize>) -> BTreeSet<usize> {
            for at in 0..self.0.len() {
                if done.contains(&at) && self.0[at] == '*' {
                    done.insert(at + 1);
                }
            }
            done
        }

        /// Whether a path is in this and in the other, and in none of the rest.
        fn reaches(&self, other: &Self, rest: &[Self]) -> bool {
            let globs: Vec<&Self> = [self, other].into_iter().chain(rest).collect();
            let mut alphabet: BTreeSet<char> =
                globs.iter().flat_map(|glob| glob.0.iter().copied()).collect();
            alphabet.extend(['/', '\u{2}']);
            let start: Vec<_> =
                globs.iter().map(|glob| glob.skipping(BTreeSet::from([0]))).collect();
            let (mut seen, mut pending) = (BTreeSet::from([start.clone()]), vec![start]);
            while let Some(state) = pending.pop() {
                let ends: Vec<_> = globs
                    .iter()
                    .zip(&state)
                    .map(|(glob, done)| done.contains(&glob.0.len()))
                    .collect();
                if ends[0] && ends[1] && !ends[2..].contains(&true) {
                    return true;
                }
                for c in alphabet.iter().filter(|c| **c != '*' && **c != '\u{1}') {
                    let next: Vec<_> =
                        globs.iter().zip(&state).map(|(glob, done)| glob.after(done, *c)).collect();
                    if !next[0].is_empty() && !next[1].is_empty() && seen.insert(next.clone()) {
                        pending.push(next);
                    }
                }
            }
            false
        }
    }

    /// Pairs of entries of which the second keeps the first closed for this token, though both are open for the
    /// caller's own only.
    pub(super) fn widened(
        table: &Table,
        token: &Value,
        held: &[String],
    ) -> BTreeSet<(String, String)> {
        let mut pairs = BTreeSet::new();
        for own in table {
            let State::Own(templates) = alone(own, token, held) else { continue };
            for other in table {
                if closes(&other.0, &own.0)
                    && let State::Own(wider) = alone(other, token, held)
                    && widens(&own.0, &templates, &other.0, &wider)
                {
                    pairs.insert((own.0.clone(), other.0.clone()));
                }
            }
        }
        pairs
    }

    /// Whether some token makes one entry keep another closed in this way.
    pub(super) fn can_widen(table: &Table, pair: &(String, String)) -> bool {
        let parts: Vec<String> = table
            .iter()
            .flat_map(|(route, _)| {
                route.split('/').skip(1).map(|part| pattern_of(part).replace('*', "Z"))
            })
            .filter(|part| value(&json!(part)).is_some())
            .chain(["u", "v", "w"].map(str::to_owned))
            .collect();
        let of = |(own, other): &(String, String)| -> Table {
            table.iter().filter(|(route, _)| route == own || route == other).cloned().collect()
        };
        let table = of(pair);
        for bits in 0..32 {
            let held: Vec<String> =
                (0..3).filter(|n| bits >> n & 1 == 1).map(|n| SCOPES[n].to_owned()).collect();
            let auth_time = SIGN_INS[bits >> 3];
            for sub in &parts {
                for uid in &parts {
                    for tid in &parts {
                        let token =
                            json!({ "sub": sub, "uid": uid, "tid": tid, "auth_time": auth_time });
                        if widened(&table, &token, &held).contains(pair) {
                            return true;
                        }
                    }
                }
            }
        }
        false
    }

    /// A path that a backend may read as another.
    pub(super) fn is_guarded(path: &str) -> bool {
        let lower = path.to_lowercase();
        let segments: Vec<_> = path[1..].split('/').collect();
        let has_empty = segments[..segments.len() - 1].contains(&"");
        has_empty
            || segments.contains(&".")
            || segments.contains(&"..")
            || segments.iter().any(|segment| segment.starts_with("..;"))
            || ["%2e", "%2f", "%5c", "\\", "%00", "%252", "%255"]
                .iter()
                .any(|unsafe_text| lower.contains(unsafe_text))
    }

    /// Whether no entry but that of a connection opens anything.
    pub(super) fn opens_nothing(table: &Table, states: &[State]) -> bool {
        let mut entries = table.iter().zip(states);
        entries.all(|((route, _), state)| route == "$connect" || *state == State::Closed)
    }

    /// What the policy is to say about a request.
    pub(super) fn verdict(
        table: &Table,
        states: &[State],
        guard: bool,
        verb: &str,
        path: &str,
    ) -> Verdict {
        let entries = || table.iter().zip(states).map(|((route, _), state)| (route, state));
        let is_closed = |(route, state): (&String, &State)| {
            *state == State::Closed && (is_for(route, verb, path) || is_for_everything(route))
        };
        let is_opened = |(route, state): (&String, &State)| match state {
            State::Open => is_for(route, verb, path),
            State::Own(templates) => templates.iter().any(|template| is_for(template, verb, path)),
            State::Closed => false,
        };
        if guard && is_guarded(path) || entries().any(is_closed) {
            Verdict::ExplicitDeny
        } else if entries().any(is_opened) {
            Verdict::Allow
        } else {
            Verdict::ImplicitDeny
        }
    }

    fn is_for(route: &str, verb: &str, path: &str) -> bool {
        let Some((_, template)) = route.split_once(' ') else { return false };
        verbs(route).contains(&verb) && stands_for(template, path)
    }

    fn is_for_everything(route: &str) -> bool {
        route.split_once(' ').is_some_and(|(verb, path)| verb == "ANY" && pattern_of(path) == "/*")
    }

    /// Whether the literal pieces of a path template come in the path in this order, with anything between.
    fn stands_for(template: &str, path: &str) -> bool {
        let pieces = pieces(template);
        let Some((last, others)) = pieces.split_last() else { return false };
        let Some((first, middle)) = others.split_first() else { return last == path };
        let Some(mut rest) =
            path.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        middle.iter().all(|piece| {
            let after = rest.find(piece.as_str()).map(|at| &rest[at + piece.len()..]);
            rest = after.unwrap_or_default();
            after.is_some()
        })
    }

    /// The entries of a table that are errors; and the pairs that get a warning, the caller's own entry first.
    pub(super) fn problems(
        table: &Table,
        guard: bool,
    ) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
        let (mut wrong, mut pairs) = (BTreeSet::new(), BTreeSet::new());
        for (route, _) in table.iter().filter(|(route, _)| guard && route.contains(' ')) {
            let path = pattern_of(route.split_once(' ').unwrap().1);
            if is_guarded(&path.replace('*', "z")) {
                wrong.insert(route.clone());
            }
        }
        let rest: Table =
            table.iter().filter(|(route, _)| !wrong.contains(route)).cloned().collect();
        let all = tokens();
        for own in &rest {
            for open in rest.iter().filter(|open| closes(&open.0, &own.0)) {
                let can_happen = all.iter().any(|(token, held)| {
                    alone(open, token, held) == State::Open
                        && matches!(alone(own, token, held), State::Own(_))
                });
                if can_happen {
                    pairs.insert((own.0.clone(), open.0.clone()));
                    let is_for_everyone =
                        all.iter().all(|(token, held)| alone(open, token, held) == State::Open);
                    if is_for_everyone {
                        wrong.insert(own.0.clone());
                    }
                }
            }
        }
        (wrong, pairs)
    }

    /// A token of every kind that the rules below can tell apart.
    fn tokens() -> Vec<(Value, Vec<String>)> {
        let subsets = |of: [&'static str; 3]| {
            let subset = move |bits: usize| {
                (0..3).filter(move |n| bits >> n & 1 == 1).map(move |n| of[n].to_owned())
            };
            (0..8).map(move |bits| subset(bits).collect::<Vec<_>>())
        };
        let mut tokens = Vec::new();
        for held in subsets(SCOPES) {
            for amr in subsets(["pwd", "mfa", "otp"]).map(Value::from).chain([Value::Null]) {
                for gty in [Value::Null, json!("cc")] {
                    for auth_time in &SIGN_INS[..4] {
                        let token = json!({
                            "sub": "u", "uid": "u", "tid": "t", "amr": amr, "gty": gty, "auth_time": auth_time,
                        });
                        tokens.push((token, held.clone()));
                    }
                }
            }
        }
        tokens
    }
}

/// `/a/{x}/b*` in pieces: `/a/`, `/b` and nothing.
fn pieces(template: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut is_name = false;
    for c in template.chars() {
        match c {
            '}' => is_name = false,
            '{' | '*' => {
                is_name = c == '{';
                pieces.push(String::new());
            }
            _ if is_name => {}
            c => pieces.last_mut().unwrap().push(c),
        }
    }
    pieces
}

/// The pattern of a path template. One wildcard after another is no more than one.
fn pattern_of(template: &str) -> String {
    let mut pattern = pieces(template).join("*");
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    pattern
}

/// A request that is made from a template by filling its gaps, and then perhaps spoilt a little.
#[derive(Clone, Debug)]
struct Wanted {
    entry: prop::sample::Index,
    verb: Option<&'static str>,
    fills: Vec<&'static str>,
    spoil: u8,
}

impl Wanted {
    fn request(&self, table: &Table) -> (String, String) {
        let (route, _) = self.entry.get(table);
        let (verb, template) = route.split_once(' ').unwrap_or(("GET", "/$connect"));
        let verb = self.verb.unwrap_or(if verb == "ANY" { "POST" } else { verb });
        let mut path = String::new();
        for (index, piece) in pieces(template).iter().enumerate() {
            if index > 0 {
                path.push_str(self.fills[index % self.fills.len()]);
            }
            path.push_str(piece);
        }
        match self.spoil {
            0 => path.push('/'),
            1 => path.push_str("/x"),
            2 if path.len() > 1 => drop(path.pop()),
            3 => path.make_ascii_uppercase(),
            4 => path.insert(1, '/'),
            5 => path = path.replacen("pets", "pet", 1),
            6 => path.insert_str(0, "/GET"),
            _ => {}
        }
        (verb.to_owned(), path)
    }
}

fn route() -> impl Strategy<Value = String> {
    let verb = prop::sample::select(vec!["GET", "GET", "POST", "DELETE", "PUT", "ANY", "ANY"]);
    let part = prop::sample::select(vec![
        "pets", "a", "{id}", "{t}", "{proxy+}", "*", "a*", "v{n}b", "b:c", "$x", "", "..", "a%2Fb",
    ]);
    let path = prop::collection::vec(part, 0..=3).prop_map(|parts| format!("/{}", parts.join("/")));
    // Entries that lie about and inside each other.
    let near = prop::sample::select(vec![
        "/pets/{id}",
        "/pets/{id}",
        "/pets/{id}",
        "/pets/{t}",
        "/pets/me",
        "/{t}/{id}",
        "/{id}",
        "/{t}/alice",
        "/*",
        "/pets/{id}/a",
        "/pets/{id}/{t}",
    ]);
    let path = prop_oneof![1 => path, 1 => near.prop_map(str::to_owned)];
    let route = (verb, path).prop_map(|(verb, path)| format!("{verb} {path}"));
    prop_oneof![20 => route, 1 => Just("ANY /*".to_owned()), 1 => Just("$connect".to_owned())]
}

fn scopes() -> impl Strategy<Value = Vec<String>> {
    let some = prop::sample::subsequence(SCOPES.to_vec(), 0..=SCOPES.len());
    some.prop_map(|scopes| scopes.into_iter().map(str::to_owned).collect())
}

/// A condition other than `any`.
fn condition() -> impl Strategy<Value = Value> + Clone {
    let claims = prop::sample::select(vec![
        json!({ "amr": "mfa" }),
        json!({ "amr": ["mfa", "otp"] }),
        json!({ "amr": { "all": ["pwd", "mfa"] } }),
        json!({ "amr": { "none": ["otp"] } }),
        json!({ "amr": { "any": ["pwd"] }, "gty": { "present": false } }),
        json!({ "gty": { "present": true } }),
        json!({ "gty": "cc" }),
    ]);
    let path = prop::sample::select(vec![
        json!({ "id": "sub" }),
        json!({ "id": "sub" }),
        json!({ "t": "tid" }),
        json!({ "id": "uid" }),
        json!({ "id": "sub", "t": "tid" }),
    ]);
    prop_oneof![
        4 => prop::sample::select(SCOPES.to_vec()).prop_map(Value::from),
        2 => claims.prop_map(|claims| json!({ "claims": claims })),
        4 => path.prop_map(|path| json!({ "path": path })),
        2 => prop::sample::select(MAX_AGES.to_vec()).prop_map(|max_age| json!({ "max_age": max_age })),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let alternative = prop_oneof![3 => condition(), 1 => prop::collection::vec(condition(), 1..=2).prop_map(Value::from)];
    let any = prop::collection::vec(alternative, 1..=3).prop_map(|any| json!({ "any": any }));
    let conditions = prop::collection::vec(condition(), 0..=2);
    prop_oneof![
        2 => scopes().prop_map(|scopes| json!(scopes)),
        2 => conditions.clone().prop_map(Value::from),
        2 => any.clone(),
        2 => (conditions, any).prop_map(|(mut conditions, any)| { conditions.push(any); conditions.into() }),
    ]
}

/// The rule without `path` conditions that the route has no place for.
fn fitting(route: &str, rule: Value) -> Value {
    let has_place = |variable: &String| {
        let whole =
            route.split(['/', ' ']).filter(|segment| *segment == format!("{{{variable}}}")).count();
        whole == 1 && route.matches(&format!("{{{variable}}}")).count() == 1
    };
    let keep = |condition: &Value| {
        condition["path"].as_object().is_none_or(|path| path.keys().all(has_place))
    };
    let all = |value: Value| value.as_array().cloned().unwrap_or_else(|| vec![value]);
    let mut conditions = Vec::new();
    for condition in all(rule) {
        if condition["any"].is_array() {
            let alternatives = all(condition["any"].clone()).into_iter().map(|alternative| {
                let kept: Vec<_> = all(alternative).into_iter().filter(keep).collect();
                if kept.is_empty() { json!("w") } else { kept.into() }
            });
            conditions.push(json!({ "any": alternatives.collect::<Vec<_>>() }));
        } else if keep(&condition) {
            conditions.push(condition);
        }
    }
    match &conditions[..] {
        [one @ Value::Object(_)] => one.clone(),
        _ => conditions.into(),
    }
}

/// A table in which no two entries match the same requests.
fn table(rule: impl Strategy<Value = Value>) -> impl Strategy<Value = Table> {
    prop::collection::vec((route(), rule), 1..=5).prop_map(|table| {
        let mut seen = HashSet::new();
        let mut table: Table =
            table.into_iter().map(|(route, rule)| (route.clone(), fitting(&route, rule))).collect();
        table.retain(|(route, _)| {
            let (verb, path) = route.split_once(' ').unwrap_or((route, ""));
            seen.insert((verb.to_owned(), pattern_of(path)))
        });
        // In the order of a JSON object's members.
        table.sort_by(|(a, _), (b, _)| a.cmp(b));
        table
    })
}

fn plain_rule() -> impl Strategy<Value = Value> {
    scopes().prop_map(|scopes| json!(scopes))
}

fn token() -> impl Strategy<Value = Value> {
    let own = prop::sample::select(vec![
        json!("alice"),
        json!("alice"),
        json!("alice"),
        json!("alice"),
        json!("me"),
        json!("pets"),
        json!("1"),
        json!(7),
        json!("a.b~-_"),
        json!("x".repeat(128)),
        json!("x".repeat(129)),
        json!("auth0|1"),
        json!(".."),
        json!("*"),
        json!("a/b"),
        json!("${a}"),
        json!("%2F"),
        json!(7.0),
        json!(-1),
        json!(""),
        json!(["alice"]),
        json!(null),
    ]);
    let amr = prop::sample::select(vec![
        json!(null),
        json!("mfa"),
        json!(["pwd", "mfa"]),
        json!(["otp"]),
        json!([]),
        json!({ "mfa": true }),
    ]);
    let gty = prop::sample::select(vec![json!(null), json!("cc")]);
    let auth_time = prop::option::weighted(0.9, prop::sample::select(SIGN_INS.to_vec()));
    (own.clone(), own.clone(), own, amr, gty, auth_time).prop_map(
        |(sub, uid, tid, amr, gty, auth_time)| {
            json!({ "sub": sub, "uid": uid, "tid": tid, "amr": amr, "gty": gty, "auth_time": auth_time })
        },
    )
}

/// Times within the token's life, with the last second of each sign-in and the one after it.
fn later() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![0, 30, 31, 90, 91, 100, 101, 270, 271, 330, 331, 599])
        .prop_map(|after| NOW + after)
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let fill = prop::sample::select(vec![
        "", "1", "a", "a/b", "pets", "x:y", "*", "?", "${a}", "%2F", "%2e", "%5C", "..", ".", "/",
        "alice", "alice", "7", "auth0|1", "a.b~-_", "%252e", "..;", "a%20b", "\\", "%00", "%255C",
        "%25", "a..;", "..;b",
    ]);
    let verb = prop::option::weighted(0.3, prop::sample::select(VERBS.to_vec()));
    (any::<prop::sample::Index>(), verb, prop::collection::vec(fill, 3), 0..12_u8)
        .prop_map(|(entry, verb, fills, spoil)| Wanted { entry, verb, fills, spoil })
}

fn parse(table: &Table, guard: bool) -> Result<Routes, Vec<String>> {
    Routes::parse(&table.iter().cloned().collect(), guard)
}

fn rights(table: &Table, required: &[String], guard: bool) -> Rights {
    Rights { required: required.to_vec(), routes: Some(parse(table, guard).unwrap().into()) }
}

/// A table with scopes only.
fn of_scopes(table: &[(&str, &[&str])]) -> Table {
    table.iter().map(|(route, scopes)| ((*route).to_owned(), json!(scopes))).collect()
}

fn claims(held: &[String], as_array: bool) -> Claims {
    with_scopes(&json!({}), held, as_array)
}

fn with_scopes(token: &Value, held: &[String], as_array: bool) -> Claims {
    let mut token = token.clone();
    if as_array {
        token["scp"] = json!(held);
    } else {
        token["scope"] = json!(held.join(" "));
    }
    Claims::verified(token)
}

fn event(kind: &str, arn: &str) -> String {
    match kind {
        "token" => json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": "" }),
        "rest" => json!({ "type": "REQUEST", "methodArn": arn }),
        "http1" => json!({ "type": "REQUEST", "version": "1.0", "methodArn": arn }),
        "http2" => json!({ "type": "REQUEST", "version": "2.0", "routeArn": arn }),
        _ => json!({ "type": "REQUEST", "methodArn": arn, "requestContext": { "eventType": "CONNECT" } }),
    }
    .to_string()
}

/// The document that is answered to this event.
fn document_for(event: &str, rights: &Rights, claims: &Claims, expires_at: Option<f64>) -> Value {
    let event = Event::parse(event).unwrap();
    let request = event.request().unwrap();
    let scope = match request.kind {
        EventKind::WebSocket => AnswerScope::Single(request.route_to_decide()),
        _ => AnswerScope::Stage,
    };
    document_of(&event, rights, claims, scope, expires_at)
}

/// The document that is answered to an event, for a use of it.
fn document_of(
    event: &Event<'_>,
    rights: &Rights,
    claims: &Claims,
    scope: AnswerScope<'_>,
    expires_at: Option<f64>,
) -> Value {
    let request = event.request().unwrap();
    let paths = ["scope", "scp"].map(|name| ClaimPath::Member(name.to_owned()));
    let answer = match rights.access(&paths, claims, Present::at(NOW as f64), scope) {
        Ok(access) => allow(&access, expires_at).answer(&request.stage, ResponseFormat::Policy),
        Err(lacks) => {
            let denial = Denial::InsufficientScope {
                principal: "user-1".to_owned(),
                lacks,
                has_distributed_claims: false,
            };
            deny(&request.stage, ResponseFormat::Policy, &denial, "Bearer".to_owned())
        }
    };
    serde_json::from_str::<Value>(answer.get()).unwrap()["policyDocument"].take()
}

fn allow<'a>(access: &'a Access<'a>, expires_at: Option<f64>) -> Allow<'a> {
    Allow { principal: "user-1", access, expires_at, context: Context::default(), usage_key: None }
}

/// The resources of a document's statements, by their effects, without what a stage and a guard add.
fn resources(document: &Value, effect: &str) -> Vec<String> {
    let statements = document["Statement"].as_array().unwrap().iter();
    let statements = statements
        .filter(|statement| statement["Effect"] == effect && statement["Condition"].is_null());
    let resources = statements.flat_map(|statement| statement["Resource"].as_array().unwrap());
    let below = resources
        .map(|resource| resource.as_str().unwrap().strip_prefix(STAGE).unwrap()[1..].to_owned());
    below.collect()
}

/// The pairs of entries in the warnings of a kind: between these words are the names of the others.
fn warned_of(routes: &Routes, before: &str, after: &str) -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for warning in routes.warnings() {
        let Some((own, others)) = warning.split_once(before) else { continue };
        let own = own.split('`').nth(1).unwrap();
        let others = others.split_once(after).unwrap().0;
        for other in others.split('`').skip(1).step_by(2) {
            pairs.insert((own.to_owned(), other.to_owned()));
        }
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn the_policy_says_what_the_table_says(
        table in table(rule()),
        guard in prop::bool::weighted(0.7),
        required in prop::option::weighted(0.2, scopes()),
        token in token(),
        held in scopes(),
        as_array in any::<bool>(),
        kind in prop::sample::select(vec!["token", "rest", "http1", "http2"]),
        asked in wanted(),
        wanted in prop::collection::vec(wanted(), 8),
        later in later(),
        elsewhere in prop::sample::select(ELSEWHERE.to_vec()),
    ) {
        let required = required.unwrap_or_default();
        let (wrong, pairs) = plain::problems(&table, guard);
        // The program does not look deep into tests of claims, so it may report too much.
        let has_claims = table.iter().any(|(_, rule)| rule.to_string().contains("claims"));
        let routes = match parse(&table, guard) {
            Ok(routes) => routes,
            Err(problems) => {
                let named = |problem: &String| problem.split('`').nth(1).unwrap().to_owned();
                let named: BTreeSet<_> = problems.iter().map(named).collect();
                prop_assert!(named == wrong || has_claims && named.is_superset(&wrong), "{:?}", problems);
                return Ok(());
            }
        };
        prop_assert_eq!(wrong, BTreeSet::new(), "{:?}", table);
        let warned = warned_of(&routes, ": its `path` condition is ignored", " lets in");
        prop_assert!(warned == pairs || has_claims && warned.is_superset(&pairs), "{:?} {:?}", warned, pairs);
        let wider = warned_of(&routes, ": it is denied for tokens", " would open");
        let happens = plain::widened(&table, &token, &held);
        prop_assert!(wider.is_superset(&happens), "{:?} {:?}", wider, happens);
        if !has_claims {
            for pair in &wider {
                prop_assert!(plain::can_widen(&table, pair), "{:?} of {:?}", pair, table);
            }
        }

        let claims = with_scopes(&token, &held, as_array);
        let rights = Rights { required: required.clone(), routes: Some(routes.into()) };
        let (verb, path) = asked.request(&table);
        let document = document_for(&event(kind, &format!("{STAGE}/{verb}{path}")), &rights, &claims, Some(ENDS));
        // It is cached, so what was asked for must not be in it.
        let other = document_for(&event("token", &format!("{STAGE}/GET/other")), &rights, &claims, Some(ENDS));
        prop_assert_eq!(&document, &other);
        for resource in resources(&document, "Allow") {
            // The characters of routes and of values; never those of a claim that cannot stand in a path.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(c);
            prop_assert!(resource.chars().all(is_plain), "{}", resource);
            prop_assert!(!resource.contains("auth0") && resource.len() <= 512);
        }

        let paths = ["scope", "scp"].map(|name| ClaimPath::Member(name.to_owned()));
        let states = plain::states(&table, &token, &held);
        let has_all = required.iter().all(|scope| held.contains(scope));
        let report = rights.report(&paths, &claims, Present::at(NOW as f64)).unwrap();
        prop_assert_eq!(report.missing_scope.is_none(), has_all);
        let is_refused = !has_all || plain::opens_nothing(&table, &states);
        let cached = plain::cached_states(&table, &token, &held, NOW, later);
        let fresh = plain::states(&table, &plain::used(&token, later, later), &held);
        let unguarded = document_for(&event(kind, &format!("{STAGE}/GET/")), &rights, &claims, None);
        prop_assert!(!document.to_string().contains("$connect"), "no policy names a connection");
        for (verb, path) in wanted.iter().chain([&asked]).map(|wanted| wanted.request(&table)) {
            let route = format!("{verb}{path}");
            let expected = match plain::verdict(&table, &states, guard, &verb, &path) {
                _ if is_refused => Verdict::ExplicitDeny,
                verdict => verdict,
            };
            prop_assert_eq!(evaluate(&document, &format!("{STAGE}/{route}"), NOW), expected, "{}", route);
            let after = evaluate(&document, &format!("{STAGE}/{route}"), ENDS as u64);
            prop_assert_eq!(after, Verdict::ExplicitDeny, "{} after the token's end", route);
            prop_assert_ne!(evaluate(&document, &format!("{elsewhere}/{route}"), NOW), Verdict::Allow);

            // An answer for a single request says the same, and so does the report.
            let single = AnswerScope::Single(&route);
            let is_open = rights.access(&paths, &claims, Present::at(NOW as f64), single).is_ok();
            prop_assert_eq!(is_open, expected == Verdict::Allow, "{} alone", route);

            // Later, what is cached says what a new decision would say; or less, where entries conflict.
            let arn = format!("{STAGE}/{route}");
            let expected_later = match plain::verdict(&table, &cached, guard, &verb, &path) {
                _ if is_refused => Verdict::ExplicitDeny,
                verdict => verdict,
            };
            prop_assert_eq!(evaluate(&document, &arn, later), expected_later, "{} at {}", route, later);
            prop_assert_eq!(evaluate(&unguarded, &arn, later), expected, "{} without times", route);
            let is_open = rights.access(&paths, &claims, Present::at(later as f64), single).is_ok();
            let opens = has_all && plain::verdict(&table, &fresh, guard, &verb, &path) == Verdict::Allow;
            prop_assert_eq!(is_open, opens, "{} alone at {}", route, later);
            prop_assert!(opens || expected_later != Verdict::Allow, "{} cached at {}", route, later);
            let told = match report.decided_by(&route) {
                DecidedBy::Open(_) => Verdict::Allow,
                DecidedBy::Guard | DecidedBy::Closed(_) => Verdict::ExplicitDeny,
                DecidedBy::OtherOwner(_) | DecidedBy::NoEntry => Verdict::ImplicitDeny,
            };
            prop_assert!(is_refused && told != Verdict::Allow || told == expected || !has_all, "{} told", route);
        }
    }

    /// Without the new conditions a policy has the resources that it always had, in the same order: those of open
    /// entries, and those of closed ones; then those of the guard.
    #[test]
    fn a_table_of_scopes_is_written_entry_by_entry(
        table in table(plain_rule()),
        guard in any::<bool>(),
        held in scopes(),
    ) {
        let Ok(routes) = parse(&table, guard) else { return Ok(()) };
        let rights = Rights { required: Vec::new(), routes: Some(routes.into()) };
        let document = document_for(&event("token", &format!("{STAGE}/GET/")), &rights, &claims(&held, true), None);
        let is_open = |rule: &Value| rule.as_array().unwrap().iter().all(|scope| held.contains(&scope.as_str().unwrap().to_owned()));
        let written = |route: &str, open: bool| match route.split_once(' ') {
            None => Vec::new(),
            Some(("ANY", path)) if pattern_of(path) == "/*" && !open => vec!["*".to_owned()],
            Some(("ANY", path)) => VERBS[..7].iter().map(|verb| format!("{verb}{}", pattern_of(path))).collect(),
            Some((verb, path)) => vec![format!("{verb}{}", pattern_of(path))],
        };
        let entries = |wanted: bool| -> Vec<String> {
            let entries = table.iter().filter(|(_, rule)| is_open(rule) == wanted);
            entries.flat_map(|(route, _)| written(route, wanted)).collect()
        };
        if entries(true).is_empty() {
            prop_assert_eq!(resources(&document, "Deny"), ["*"]);
            return Ok(());
        }
        prop_assert_eq!(resources(&document, "Allow"), entries(true));
        let guarded = if guard { GUARDED.map(str::to_owned).to_vec() } else { Vec::new() };
        prop_assert_eq!(resources(&document, "Deny"), [entries(false), guarded].concat());
    }

    /// No token's document is longer than what is proven at start.
    #[test]
    fn no_document_is_longer_than_the_longest(
        table in table(rule()),
        guard in any::<bool>(),
        token in token(),
        held in scopes(),
    ) {
        let Ok(routes) = parse(&table, guard) else { return Ok(()) };
        let (most, _) = longest_sizes(&Access::Routes(longest_routes(&routes, true)), Some(0.0));
        let rights = Rights { required: Vec::new(), routes: Some(routes.into()) };
        let event = event("token", &format!("{}/GET/", stage_of_length(96)));
        let document = document_for(&event, &rights, &with_scopes(&token, &held, true), Some(ENDS));
        prop_assert!(document.to_string().len() <= most, "{} {}", document.to_string().len(), most);
    }

    /// A policy for one request decides that as the whole table does, and opens nothing that the table does not.
    #[test]
    fn a_policy_for_one_request_opens_no_more_than_the_stage(
        table in table(rule()),
        guard in any::<bool>(),
        token in token(),
        held in scopes(),
        asked in wanted(),
        wanted in prop::collection::vec(wanted(), 8),
        later in later(),
    ) {
        let Ok(routes) = parse(&table, guard) else { return Ok(()) };
        let mut longest = 0;
        for together in routes.entries_of_requests() {
            let states = longest_of_request(&routes, &together, true);
            longest = longest.max(longest_sizes(&Access::Routes(states), Some(0.0)).0);
        }
        let rights = Rights { required: Vec::new(), routes: Some(routes.into()) };
        let claims = with_scopes(&token, &held, true);
        let (verb, path) = asked.request(&table);
        let (arn, route) = (format!("{STAGE}/{verb}{path}"), format!("{verb}{path}"));
        let of_stage = document_for(&event("token", &arn), &rights, &claims, Some(ENDS));
        let text = event("token", &arn);
        let parsed = Event::parse(&text).unwrap();
        let scope = AnswerScope::Request(&route);
        let of_request = document_of(&parsed, &rights, &claims, scope, Some(ENDS));
        let (here, there) = (evaluate(&of_request, &arn, NOW), evaluate(&of_stage, &arn, NOW));
        prop_assert_eq!(here == Verdict::Allow, there == Verdict::Allow, "{}", route);
        let still = [&of_request, &of_stage].map(|document| evaluate(document, &arn, later));
        prop_assert_eq!(still[0] == Verdict::Allow, still[1] == Verdict::Allow, "{} at {}", route, later);
        prop_assert!(here == Verdict::ExplicitDeny || there != Verdict::ExplicitDeny, "{}", route);
        for (verb, path) in wanted.iter().map(|wanted| wanted.request(&table)) {
            let other = format!("{STAGE}/{verb}{path}");
            for time in [NOW, later] {
                if evaluate(&of_request, &other, time) == Verdict::Allow {
                    prop_assert_eq!(evaluate(&of_stage, &other, time), Verdict::Allow, "{}", other);
                }
            }
        }
        for effect in ["Allow", "Deny"] {
            let of_stage = resources(&of_stage, effect);
            for resource in resources(&of_request, effect) {
                prop_assert!(of_stage.contains(&resource) || resource == "*", "{}", resource);
            }
        }
        let text = event("token", &format!("{}/{route}", stage_of_length(96)));
        let parsed = Event::parse(&text).unwrap();
        let len = document_of(&parsed, &rights, &claims, scope, Some(ENDS)).to_string().len();
        prop_assert!(len <= longest, "{} {}", len, longest);
    }

    #[test]
    fn a_connection_is_open_by_its_own_entry_only(
        table in table(rule()),
        guard in any::<bool>(),
        token in token(),
        held in scopes(),
        open in any::<bool>(),
    ) {
        let Ok(routes) = parse(&table, guard) else { return Ok(()) };
        let claims = with_scopes(&token, &held, false);
        let rights = if open { Rights::default() } else { Rights { required: Vec::new(), routes: Some(routes.into()) } };
        let document = document_for(&event("connect", &format!("{STAGE}/$connect")), &rights, &claims, Some(ENDS));
        let states = plain::states(&table, &token, &held);
        let entry = table.iter().position(|(route, _)| route == "$connect");
        let is_open = entry.is_some_and(|entry| states[entry] == plain::State::Open);
        let expected = if open || is_open { Verdict::Allow } else { Verdict::ExplicitDeny };
        prop_assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), NOW), expected);
        prop_assert_ne!(evaluate(&document, &format!("{STAGE}/GET/$connect"), NOW), Verdict::Allow);
        for elsewhere in ELSEWHERE {
            prop_assert_ne!(evaluate(&document, &format!("{elsewhere}/$connect"), NOW), Verdict::Allow);
        }
    }
}

#[test]
fn a_path_that_ends_like_a_connection_is_a_path() {
    // If it were taken for a WebSocket connection, the Deny would cover `$connect` alone, and the API's resource
    // policy would decide about the request.
    let claims = claims(&[], false);
    for route in ["GET/$connect", "GET/a/$connect", "ANY/$connect"] {
        let closed = rights(&of_scopes(&[("GET /x", &["r"])]), &[], true);
        let document =
            document_for(&event("rest", &format!("{STAGE}/{route}")), &closed, &claims, None);
        assert_eq!(
            evaluate(&document, &format!("{STAGE}/{route}"), NOW),
            Verdict::ExplicitDeny,
            "{route}"
        );
        let document = document_for(
            &event("rest", &format!("{STAGE}/{route}")),
            &Rights::default(),
            &claims,
            None,
        );
        assert_eq!(
            evaluate(&document, &format!("{STAGE}/{route}"), NOW),
            Verdict::Allow,
            "{route}"
        );
    }
    let document = document_for(
        &event("rest", &format!("{STAGE}/$connect")),
        &Rights::default(),
        &claims,
        None,
    );
    assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), NOW), Verdict::Allow);
    assert_eq!(evaluate(&document, &format!("{STAGE}/GET/"), NOW), Verdict::ImplicitDeny);
}

#[test]
fn without_a_table_the_stage_is_open_and_nothing_else() {
    let event = event("token", &format!("{STAGE}/GET/pets"));
    let document = document_for(&event, &Rights::default(), &claims(&[], false), Some(ENDS));
    for route in
        ["GET/pets", "POST/", "DELETE/a/b/c", "GET/*", "GET/${aws:username}", "PATCH/\u{e4}"]
    {
        assert_eq!(
            evaluate(&document, &format!("{STAGE}/{route}"), NOW),
            Verdict::Allow,
            "{route}"
        );
        for elsewhere in ELSEWHERE {
            let verdict = evaluate(&document, &format!("{elsewhere}/{route}"), NOW);
            assert_eq!(verdict, Verdict::ImplicitDeny, "{elsewhere}/{route}");
        }
    }
    assert_eq!(document["Statement"][0]["Resource"], json!([format!("{STAGE}/*")]));
}

#[test]
fn the_policy_ends_with_the_token_to_the_second() {
    let rules = |leeway| Rules {
        audience_claims: vec![ClaimPath::Member("aud".to_owned())],
        audiences: vec!["my-api".to_owned()],
        leeway,
        required: Vec::new(),
        max_life: None,
        principal_claims: vec![ClaimPath::Member("sub".to_owned())],
    };
    let request = format!("{STAGE}/GET/pets");
    for (exp, leeway, last) in [
        (json!(NOW + 600), 0.0, NOW + 599),
        (json!(NOW + 600), 30.0, NOW + 629),
        (json!(1_800_000_600.0), 0.0, NOW + 599),
        (json!(1_800_000_600.001), 0.0, NOW + 599),
        (json!(1_800_000_600.999), 0.0, NOW + 599),
        (json!(1_800_000_599.999), 0.0, NOW + 598),
        (json!(1_800_000_600.5), 300.0, NOW + 899),
        // The last second that has a date of four digits for its year, and leeway across it.
        (json!(253_402_300_799_u64), 0.0, 253_402_300_798),
        (json!(253_402_300_739_u64), 60.0, 253_402_300_798),
    ] {
        let claims = Claims::verified(json!({ "aud": "my-api", "sub": "user-1", "exp": exp }));
        let expires_at = rules(leeway).check(&claims, &Now::at(NOW as f64)).unwrap().expires_at;
        let event = event("token", &request);
        for rights in [Rights::default(), rights(&of_scopes(&[("GET /pets", &[])]), &[], true)] {
            let document = document_for(&event, &rights, &claims, Some(expires_at));
            assert_eq!(evaluate(&document, &request, last), Verdict::Allow, "{exp} + {leeway}");
            assert_eq!(
                evaluate(&document, &request, last + 1),
                Verdict::ExplicitDeny,
                "{exp} + {leeway}"
            );
            assert_eq!(
                evaluate(&document, &format!("{STAGE}/PUT/else"), last + 1),
                Verdict::ExplicitDeny
            );
            let unguarded = document_for(&event, &rights, &claims, None);
            assert_eq!(
                evaluate(&unguarded, &request, u64::MAX),
                Verdict::Allow,
                "EXPIRY_GUARD=off"
            );
        }
    }
}

/// Reads when an Allow of a request ends, from policies that are decided in the second before, in it, and after it.
#[test]
fn a_sign_in_is_recent_to_the_second_cached_or_not() {
    let request = format!("{STAGE}/DELETE/account");
    let table = vec![
        ("ANY /*".to_owned(), json!([])),
        ("DELETE /account".to_owned(), json!(["w", { "max_age": 300 }])),
    ];
    let rights = rights(&table, &[], true);
    let paths = ["scope".to_owned()].map(ClaimPath::Member);
    for (auth_time, last) in [
        (json!(NOW - 100), NOW + 200),
        (json!(1_799_999_900.999), NOW + 200),
        (json!(NOW), NOW + 300),
        (json!(NOW - 300), NOW),
        // Another clock can be a minute ahead.
        (json!(NOW + 60), NOW + 360),
    ] {
        let claims = with_scopes(&json!({ "auth_time": auth_time }), &["w".to_owned()], false);
        // Other requests of the token are no different.
        for asked in [&request, &format!("{STAGE}/GET/pets")] {
            let event = event("token", asked);
            let document = document_for(&event, &rights, &claims, Some(ENDS));
            assert_eq!(evaluate(&document, &request, last), Verdict::Allow, "{auth_time}");
            assert_eq!(evaluate(&document, &request, last + 1), Verdict::ExplicitDeny);
            for other in ["GET/account", "GET/pets"] {
                let other = format!("{STAGE}/{other}");
                assert_eq!(evaluate(&document, &other, last + 1), Verdict::Allow, "{other}");
            }
            let unguarded = document_for(&event, &rights, &claims, None);
            assert_eq!(evaluate(&unguarded, &request, last + 1), Verdict::Allow);
        }
        for (now, is_recent) in
            [(last as f64, true), (last as f64 + 0.999, true), ((last + 1) as f64, false)]
        {
            let single = AnswerScope::Single("DELETE/account");
            let outcome = rights.access(&paths, &claims, Present::at(now), single);
            assert_eq!(outcome.is_ok(), is_recent, "{auth_time} at {now}");
        }
    }
    for auth_time in [json!(NOW - 301), json!(NOW + 61), json!(null), json!("1800000000")] {
        let claims = with_scopes(&json!({ "auth_time": auth_time }), &["w".to_owned()], false);
        let document = document_for(&event("token", &request), &rights, &claims, Some(ENDS));
        assert_eq!(evaluate(&document, &request, NOW), Verdict::ExplicitDeny, "{auth_time}");
    }
}

#[test]
fn a_rule_falls_back_to_the_callers_own_when_the_sign_in_gets_too_old() {
    let own = json!({ "path": { "id": "sub" } });
    let rule = json!({ "any": [["w", { "max_age": 300 }], own, [own, { "max_age": 60 }]] });
    let rights = rights(&vec![("DELETE /users/{id}".to_owned(), rule)], &[], true);
    let token = json!({ "sub": "alice", "auth_time": NOW });
    let claims = with_scopes(&token, &["w".to_owned()], false);
    let event = event("token", &format!("{STAGE}/GET/"));
    let document = document_for(&event, &rights, &claims, Some(ENDS));
    for (path, after, expected) in [
        ("users/alice", 0, Verdict::Allow),
        ("users/bob", 0, Verdict::Allow),
        ("users/bob", 300, Verdict::Allow),
        ("users/bob", 301, Verdict::ImplicitDeny),
        ("users/alice", 301, Verdict::Allow),
        ("users/alice", 600, Verdict::ExplicitDeny),
    ] {
        let arn = format!("{STAGE}/DELETE/{path}");
        assert_eq!(evaluate(&document, &arn, NOW + after), expected, "{path} after {after}");
    }
    assert_eq!(
        document["Statement"],
        json!([
            {
                "Action": ["execute-api:Invoke"],
                "Effect": "Allow",
                "Resource": [format!("{STAGE}/DELETE/users/alice")],
            },
            {
                "Action": ["execute-api:Invoke"],
                "Effect": "Allow",
                "Resource": [format!("{STAGE}/DELETE/users/*")],
                "Condition": { "DateLessThan": { "aws:CurrentTime": ["2027-01-15T08:05:01Z"] } },
            },
            {
                "Action": ["execute-api:Invoke"],
                "Effect": "Deny",
                "Resource": GUARDED.map(|path| format!("{STAGE}/{path}")),
            },
            {
                "Action": ["execute-api:Invoke"],
                "Effect": "Deny",
                "Resource": [format!("{STAGE}/*")],
                "Condition": { "DateGreaterThanEquals": { "aws:CurrentTime": ["2027-01-15T08:10:00Z"] } },
            },
        ])
    );
}

#[test]
fn a_token_that_lives_for_ever_has_no_guard() {
    let event = event("token", &format!("{STAGE}/GET/pets"));
    for expires_at in [253_402_300_800.0, 1e15, 1e300, f64::MAX] {
        let document =
            document_for(&event, &Rights::default(), &claims(&[], false), Some(expires_at));
        assert_eq!(document["Statement"].as_array().unwrap().len(), 1, "{expires_at}");
    }
    assert_eq!(date_time(253_402_300_799.9).as_deref(), Some("9999-12-31T23:59:59Z"));
    assert_eq!(date_time(1_800_000_000.9).as_deref(), Some("2027-01-15T08:00:00Z"));
}

#[test]
fn a_guard_on_a_connection_is_a_guard_on_connections() {
    let event = event("connect", &format!("{STAGE}/$connect"));
    let document = document_for(&event, &Rights::default(), &claims(&[], false), Some(ENDS));
    assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), ENDS as u64 - 1), Verdict::Allow);
    assert_eq!(
        evaluate(&document, &format!("{STAGE}/$connect"), ENDS as u64),
        Verdict::ExplicitDeny
    );
}

/// The problems of a table, with the other settings right.
fn problems(routes: &Value) -> Vec<String> {
    problems_with("off", routes)
}

fn problems_with(guard: &str, routes: &Value) -> Vec<String> {
    let routes = routes.to_string();
    let settings = [
        ("ISSUER", "https://login.example.com"),
        ("AUDIENCE", "my-api"),
        ("ROUTES", &*routes),
        ("PATH_GUARD", guard),
    ];
    let config = Config::read(&settings.into_iter().collect());
    let problems = config.err().map(|problems| problems.0).unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

/// An ARN up to the stage of this length, as real as it can be.
fn stage_of_length(length: usize) -> String {
    let stage = "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdefghij/".to_owned();
    let name = "s".repeat(length - stage.len());
    stage + &name
}

/// A table with paths of about the same length, such that its longest document has `size` bytes.
fn table_of_size(routes: usize, size: usize, guard: bool) -> Table {
    let base: Table = (0..routes)
        .map(|n| (format!("GET /{n:03}/"), json!([if n % 2 == 0 { "w" } else { "r" }])))
        .collect();
    let missing = size - longest(&base, 96, guard);
    let fill = |n: usize| missing / routes + usize::from(n < missing % routes);
    base.into_iter()
        .enumerate()
        .map(|(n, (route, rule))| (route + &"p".repeat(fill(n)), rule))
        .collect()
}

/// The length of the longest document that this table gives, over all tokens with these scopes.
fn longest(table: &Table, prefix: usize, guard: bool) -> usize {
    let rights = rights(table, &[], guard);
    let event = event("token", &format!("{}/GET/", stage_of_length(prefix)));
    let tokens = [&["r"][..], &["w"], &["r", "w"]]
        .map(|held| held.iter().map(ToString::to_string).collect());
    let tokens = tokens.iter().map(|held: &Vec<String>| claims(held, true));
    tokens
        .map(|claims| document_for(&event, &rights, &claims, Some(ENDS)).to_string().len())
        .max()
        .unwrap()
}

fn as_json(table: &Table) -> Value {
    table.iter().cloned().collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn a_table_that_just_fits_is_taken_and_one_byte_more_is_not() {
    for (guard, routes) in [("off", 20), ("off", 60), ("off", 67), ("on", 20), ("on", 56)] {
        let fitting = table_of_size(routes, MAX_DOCUMENT, guard == "on");
        assert_eq!(problems_with(guard, &as_json(&fitting)), [""; 0], "{routes} routes");
        assert_eq!(longest(&fitting, 96, guard == "on"), MAX_DOCUMENT, "{routes} routes");
        let mut larger = fitting;
        larger[routes / 2].0.push('p');
        let expected = format!("ROUTES: the policy would have {} bytes", MAX_DOCUMENT + 1);
        let problems = problems_with(guard, &as_json(&larger));
        assert!(
            problems.len() == 1 && problems[0].starts_with(&expected),
            "{routes} routes: {problems:?}"
        );
    }
}

#[test]
fn an_own_value_counts_128_characters_and_every_alternative_counts() {
    let own = |claim: &str| json!({ "path": { "id": claim } });
    let any = |alternatives: Vec<Value>| json!({ "any": alternatives });
    // A token with the longest values has the longest document, to the byte.
    let value = |n: u8| char::from(b'a' + n).to_string().repeat(128);
    let token = with_scopes(
        &json!({ "sub": value(0), "uid": value(1), "oid": value(2) }),
        &["w".to_owned()],
        true,
    );
    let table = |last: usize| -> Table {
        let mut table = vec![
            ("ANY /{id}".to_owned(), any(vec![own("sub"), own("uid")])),
            (
                "GET /pets/{id}/x".to_owned(),
                any(vec![json!("r"), own("sub"), own("oid"), own("uid")]),
            ),
            (format!("PUT /{}", "p".repeat(last)), json!(["w"])),
            (format!("PATCH /{}", "p".repeat(300)), json!(["w"])),
        ];
        table.extend((0..3).map(|n| (format!("POST /{n:0>390}"), json!(["w"]))));
        table
    };
    let of_token = |last: usize| {
        let event = event("token", &format!("{}/GET/", stage_of_length(96)));
        document_for(&event, &rights(&table(last), &[], true), &token, Some(ENDS)).to_string().len()
    };
    let room = MAX_DOCUMENT - of_token(0);
    assert_eq!(problems_with("on", &as_json(&table(room))), [""; 0]);
    assert_eq!(of_token(room), MAX_DOCUMENT);
    let problems = problems_with("on", &as_json(&table(room + 1)));
    let expected = "ROUTES: the policy would have 8193 bytes and resources of up to 492 characters; API Gateway takes \
                    8192 and 512. It has 3270 for entry `ANY /{id}` (14 resources)";
    assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:?}");
    for part in [
        "1679 for PATH_GUARD",
        "ANY counts seven times",
        "each value counts 128",
        "for the 4 other entries",
    ] {
        assert!(problems[0].contains(part), "{part}: {problems:?}");
    }
}

/// Of a table whose last path has this length, this token has the longest document, to the byte.
#[track_caller]
fn assert_longest(table: impl Fn(usize) -> Table, token: &Claims) {
    let event = event("token", &format!("{}/GET/", stage_of_length(96)));
    let of_token = |last: usize| {
        let rights = rights(&table(last), &[], false);
        document_for(&event, &rights, token, Some(ENDS)).to_string().len()
    };
    let room = MAX_DOCUMENT - of_token(0);
    assert_eq!(of_token(room), MAX_DOCUMENT);
    assert_eq!(problems(&as_json(&table(room))), [""; 0]);
    let problems = problems(&as_json(&table(room + 1)));
    let expected = format!("ROUTES: the policy would have {} bytes", MAX_DOCUMENT + 1);
    assert!(problems.len() == 1 && problems[0].starts_with(&expected), "{problems:?}");
}

#[test]
fn own_entries_take_the_most_room_when_none_is_closed() {
    // Closed, an entry loses the 128 characters of the value: more than the statement of a Deny takes.
    let own = json!({ "path": { "id": "sub" } });
    let table = |last: usize| -> Table {
        let entry = |n: usize| (format!("GET /{n:02}/{{id}}/{}", "p".repeat(175)), own.clone());
        let mut table: Table = (0..18).map(entry).collect();
        table.push((format!("PUT /{{id}}/{}", "p".repeat(last)), own.clone()));
        table
    };
    assert_longest(table, &with_scopes(&json!({ "sub": "x".repeat(128) }), &[], true));
}

#[test]
fn of_two_entries_one_takes_more_room_when_it_is_closed() {
    let own = |claim: &str| json!({ "path": { "id": claim } });
    let table = |last: usize| -> Table {
        vec![
            (
                format!("ANY /{{id}}/{}", "p".repeat(120)),
                json!({ "any": [own("sub"), own("uid"), own("oid")] }),
            ),
            (format!("PUT /{}", "p".repeat(last)), json!(["w"])),
        ]
    };
    let value = |letter: &str| letter.repeat(128);
    let token = json!({ "sub": value("a"), "uid": value("b"), "oid": value("c") });
    assert_longest(table, &with_scopes(&token, &[], true));
}

#[test]
fn a_sign_in_that_gets_too_old_takes_the_deny_and_a_statement_for_each_time() {
    let table = |last: usize| -> Table {
        let recent = |max_age: u64| json!(["w", { "max_age": max_age }]);
        let mut table: Table =
            (0..7).map(|n| (format!("GET /{n:0>370}"), recent(MAX_AGES[n % 3]))).collect();
        table.push((format!("PUT /{}", "p".repeat(last)), json!(["r"])));
        table.push((
            "GET /{id}".to_owned(),
            json!([{ "path": { "id": "sub" } }, { "max_age": 60 }]),
        ));
        table
    };
    let token = json!({ "sub": "x".repeat(128), "auth_time": NOW });
    assert_longest(table, &with_scopes(&token, &["w".to_owned()], true));
}

#[test]
fn without_expiry_guard_a_policy_says_no_time_and_takes_no_room_for_it() {
    let table = vec![("GET /a".to_owned(), json!([{ "max_age": 60 }]))];
    let routes = parse(&table, false).unwrap();
    let bytes = |says_times: bool| {
        let expires_at = says_times.then_some(0.0);
        longest_sizes(&Access::Routes(longest_routes(&routes, says_times)), expires_at).0
    };
    let token = with_scopes(&json!({ "auth_time": NOW }), &[], true);
    let event = event("token", &format!("{}/GET/", stage_of_length(96)));
    let rights = rights(&table, &[], false);
    for expires_at in [None, Some(ENDS)] {
        let document = document_for(&event, &rights, &token, expires_at);
        assert_eq!(document.to_string().len(), bytes(expires_at.is_some()));
    }
}

#[test]
fn a_resource_that_just_fits_is_taken_and_one_character_more_is_not() {
    for verb in ["GET", "OPTIONS", "ANY"] {
        // The longest verb counts.
        let written = if verb == "ANY" { "OPTIONS" } else { verb };
        let room = MAX_RESOURCE - 96 - "/".len() - written.len() - "/".len();
        let fitting = json!({ format!("{verb} /{}", "p".repeat(room)): [] });
        assert_eq!(problems(&fitting), [""; 0], "{verb}");
        let larger = json!({ format!("{verb} /{}", "p".repeat(room + 1)): [] });
        let problems = problems(&larger);
        let expected = "resources of up to 513 characters; API Gateway takes 8192 and 512";
        assert!(problems.len() == 1 && problems[0].contains(expected), "{verb}: {problems:?}");
    }
}

#[test]
fn any_verb_of_everything_counts_seven_times() {
    // As a Deny it is one resource, as an Allow seven: the table has to fit in every case.
    let table = |last: usize| {
        let mut table: Table =
            (0..13).map(|n| (format!("POST /{n:0>401}"), json!(["w"]))).collect();
        table.push(("ANY /*".to_owned(), json!(["r"])));
        table.push((format!("PUT /{}", "p".repeat(last)), json!(["r", "w"])));
        table
    };
    let exact = MAX_DOCUMENT - longest(&table(0), 96, false);
    assert_eq!(problems(&as_json(&table(exact))), [""; 0]);
    assert_eq!(longest(&table(exact), 96, false), MAX_DOCUMENT);
    assert_eq!(problems(&as_json(&table(exact + 1))).len(), 1);
    assert_eq!(problems(&json!({ "ANY /*": [] })), [""; 0]);
}

#[test]
fn the_routes_of_an_ordinary_api_fit() {
    let table = |routes: usize| -> Value {
        let entry = |n: usize| {
            (format!("GET /customers/{{id}}/x{n:02}"), json!([format!("customers:read:{n}")]))
        };
        (0..routes).map(entry).collect::<serde_json::Map<_, _>>().into()
    };
    let anys = |routes: usize| -> Value {
        (0..routes)
            .map(|n| (format!("ANY /customers/{n}"), json!([])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (guard, routes, verbs) in [("off", 65, 9), ("on", 51, 7)] {
        assert_eq!(problems_with(guard, &table(routes)), [""; 0], "PATH_GUARD={guard}");
        assert_eq!(problems_with(guard, &table(routes + 1)).len(), 1, "PATH_GUARD={guard}");
        assert_eq!(problems_with(guard, &anys(verbs)), [""; 0], "PATH_GUARD={guard}");
        assert_eq!(problems_with(guard, &anys(verbs + 1)).len(), 1, "ANY counts seven times");
    }
}

#[test]
fn the_proof_holds_for_the_prefix_it_was_made_for_and_a_longer_one_is_checked() {
    let table = table_of_size(56, MAX_DOCUMENT, true);
    let rights = rights(&table, &[], true);
    let claims = claims(&["r".to_owned()], false);
    let event_of = |length| event("token", &format!("{}/GET/", stage_of_length(length)));
    let scope = [ClaimPath::Member("scope".to_owned())];
    for (length, fits) in [(70, true), (96, true), (97, false), (140, false)] {
        let event = event_of(length);
        let event = Event::parse(&event).unwrap();
        let stage = event.request().unwrap().stage;
        let access =
            rights.access(&scope, &claims, Present::at(NOW as f64), AnswerScope::Stage).unwrap();
        assert_eq!(check_length(&stage, &access, Some(ENDS)).is_ok(), fits, "{length}");
    }
}

#[test]
fn a_table_of_hundreds_fits_if_few_entries_overlap() {
    let table = |count: usize| -> Table {
        let entry = |n: usize| (format!("GET /things{n}/{{id}}"), json!([format!("read:{n}")]));
        (0..count).map(entry).collect()
    };
    let fits_request = |table: &Table| {
        let (routes, problems) =
            Routes::read(&table.iter().cloned().collect(), true, PolicyScope::Request);
        assert_eq!(problems, [""; 0]);
        fits(&routes, true, PolicyScope::Request)
    };
    let mut table = table(300);
    assert_eq!(fits_request(&table), Ok(()));
    // Open, it matches every request. Then all others are closed in the policy.
    table.push(("GET /{proxy+}".to_owned(), json!(["all"])));
    let too_large = fits_request(&table).unwrap_err();
    assert!(too_large.document > MAX_DOCUMENT, "{too_large:?}");
    assert!(too_large.parts.contains("entry `GET /things"), "{too_large:?}");
    table.pop();
    for n in 0..38 {
        table.push((format!("GET /things0/{{id}}/{n:040}"), json!(["w"])));
    }
    assert_eq!(fits_request(&table), Ok(()));
    for n in 38..40 {
        table.push((format!("GET /things0/{{id}}/{n:040}"), json!(["w"])));
    }
    assert!(fits_request(&table).unwrap_err().parts.contains("entry `GET /things0/{id}/"));
}

#[test]
fn problems_of_the_table_are_reported_under_its_name() {
    for (routes, expected) in [
        (
            json!({}),
            vec![
                "ROUTES: is empty: name at least one route, for example {\"GET /pets\": [\"pets:read\"]}",
            ],
        ),
        (json!([]), vec!["ROUTES: must be a JSON object: not an object"]),
        (
            json!({ "GET pets": [], "GET /pets": "pets:read" }),
            vec![
                "ROUTES: entry `GET /pets`: must be an array of conditions that are all needed, for example [\"pets:read\"], or one \
                 object with `any`, `claims`, `path` or `max_age`",
                "ROUTES: entry `GET pets`: the path must begin with `/`",
            ],
        ),
    ] {
        assert_eq!(problems(&routes), expected);
    }
}

#[test]
fn an_answer_has_no_null_and_allows_first() {
    let rights = rights(&of_scopes(&[("GET /a", &["r"]), ("GET /b", &[])]), &[], true);
    let event = event("token", &format!("{STAGE}/GET/a"));
    for held in [&["r".to_owned()][..], &[]] {
        let document = document_for(&event, &rights, &claims(held, false), Some(ENDS));
        let statements = document["Statement"].as_array().unwrap();
        assert_eq!(statements[0]["Effect"], "Allow");
        assert!(!document.to_string().contains("null"));
        let members: BTreeSet<_> =
            statements.iter().flat_map(|s| s.as_object().unwrap().keys()).collect();
        let known = ["Action", "Condition", "Effect", "Resource"];
        assert!(members.iter().all(|member| known.contains(&member.as_str())), "{members:?}");
    }
}
