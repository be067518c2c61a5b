//! Random tables, decided a second time: by the words of docs/routes.md, over all requests of a small universe, without
//! a line of the program. The answers are those of the program, evaluated by IAM's rules.
//!
//! `TABLES=10000 cargo test --test second_opinion` tries more of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a table that cannot be decided ought to fail its test at once"
)]
#![allow(clippy::disallowed_methods, reason = "tokens are made for now")]

mod direct;
mod support;

use std::collections::BTreeSet;

use direct::{STAGE, authorizer, read};
use serde_json::{Map, Value, json};
use support::iam::{Verdict, evaluate};
use support::tokens::{SigningKey, claims, jwks, now};

const ISSUER: &str = "https://login.example.com";
const VERBS: [&str; 4] = ["GET", "POST", "PUT", "TRACE"];

/// Tables that are tried by every `cargo test`.
const FEW: usize = 60;

/// A number that looks random, for each call another.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// All requests that are tried, and sets of them by their numbers.
struct Universe {
    requests: Vec<(&'static str, String)>,
}

type Requests = BTreeSet<usize>;

impl Universe {
    /// Paths of up to four segments, and some with an empty one: they end with a slash or are guarded.
    fn new() -> Self {
        let (mut paths, mut longest) = (Vec::new(), vec![String::new()]);
        for _ in 0..4 {
            let mut longer = Vec::new();
            for path in &longest {
                for segment in ["a", "b", "u", "z"] {
                    longer.push(format!("{path}/{segment}"));
                }
            }
            paths.extend(longer.clone());
            longest = longer;
        }
        for path in ["", "/a", "/u", "/a/b", "/u/u", "/z/a/u"] {
            paths.extend([format!("{path}/"), format!("{path}//a")]);
        }
        let mut requests = Vec::new();
        for verb in VERBS {
            for path in &paths {
                requests.push((verb, path.clone()));
            }
        }
        Self { requests }
    }

    fn set(&self, is_in: impl Fn(&str, &str) -> bool) -> Requests {
        let mut set = Requests::new();
        for (number, (verb, path)) in self.requests.iter().enumerate() {
            if is_in(verb, path) {
                set.insert(number);
            }
        }
        set
    }
}

/// Whether a path fits a template. `segment` is what the program's words allow in the place of a `{name}` here: any
/// characters, as IAM has it, or one segment.
fn fits(template: &str, path: &str, segment: bool) -> bool {
    let (literal, rest) = match template.find(['{', '*']) {
        None => return template == path,
        Some(0) => ("", template),
        Some(at) => template.split_at(at),
    };
    let Some(path) = path.strip_prefix(literal) else { return false };
    let (name, rest) = match rest.strip_prefix('{') {
        None => ("+", &rest[1..]),
        Some(variable) => variable.split_once('}').unwrap(),
    };
    let one_segment = segment && !name.ends_with('+');
    let least = usize::from(one_segment);
    for end in least..=path.len() {
        if one_segment && path[..end].contains('/') {
            return false;
        }
        if fits(rest, &path[end..], segment) {
            return true;
        }
    }
    false
}

fn verbs(route: &str) -> Vec<&str> {
    match route.split_once(' ').unwrap().0 {
        "ANY" => VERBS[..3].to_vec(),
        verb => vec![verb],
    }
}

fn path(route: &str) -> &str {
    route.split_once(' ').unwrap().1
}

fn conditions(rule: &Value) -> Vec<Value> {
    rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()])
}

/// The ways in which a rule can be true: the conditions that are all needed, for each.
fn ways(rule: &Value) -> Vec<Vec<Value>> {
    let mut ways = vec![Vec::new()];
    for condition in conditions(rule) {
        let alternatives = match condition.get("any") {
            Some(any) => any.as_array().unwrap().iter().map(conditions).collect(),
            None => vec![vec![condition]],
        };
        let mut longer = Vec::new();
        for way in &ways {
            for alternative in &alternatives {
                longer.push([way.clone(), alternative.clone()].concat());
            }
        }
        ways = longer;
    }
    ways
}

/// What a way opens of an entry to a token, so many seconds later: the template, with the claims' values in the places
/// of variables. The flag says whether there are any.
fn opened(route: &str, way: &[Value], token: &Value, later: u64) -> Option<(String, bool)> {
    let (mut template, mut is_own) = (path(route).to_owned(), false);
    let mut values = Map::new();
    for condition in way {
        if let Some(scope) = condition.as_str() {
            token["scope"].as_str()?.split(' ').find(|held| *held == scope)?;
        } else if let Some(claims) = condition.get("claims") {
            for (claim, wanted) in claims.as_object().unwrap() {
                if token.get(claim)? != wanted {
                    return None;
                }
            }
        } else if let Some(max_age) = condition.get("max_age") {
            let seconds_ago = token.get("seconds_ago")?.as_u64()? + later;
            if seconds_ago > max_age.as_u64()? {
                return None;
            }
        } else {
            for (variable, claim) in condition["path"].as_object().unwrap() {
                let value = token.get(claim.as_str().unwrap())?.as_str()?;
                let known = values.insert(variable.clone(), json!(value));
                if value.contains('|') || known.is_some_and(|known| known != json!(value)) {
                    return None;
                }
                template = template.replace(&format!("{{{variable}}}"), value);
                is_own = true;
            }
        }
    }
    Some((template, is_own))
}

/// An entry, as if it were the only one.
struct Alone {
    /// The requests that IAM matches.
    all: Requests,
    /// Those with one segment in the place of each `{name}`.
    by_segment: Requests,
    /// The caller's own by each way, if the rule is true only with `path` conditions.
    own: Vec<Requests>,
    open: bool,
    verbs: BTreeSet<String>,
}

impl Alone {
    fn new(universe: &Universe, route: &str, rule: &Value, token: &Value, later: u64) -> Self {
        let set = |template: &str, segment: bool| {
            universe.set(|verb, path| verbs(route).contains(&verb) && fits(template, path, segment))
        };
        let (mut open, mut own) = (false, Vec::new());
        for way in ways(rule) {
            match opened(route, &way, token, later) {
                Some((_, false)) => open = true,
                Some((template, true)) => own.push(set(&template, false)),
                None => {}
            }
        }
        if open {
            own.clear();
        }
        Self {
            all: set(path(route), false),
            by_segment: set(path(route), true),
            own,
            open,
            verbs: verbs(route).into_iter().map(str::to_owned).collect(),
        }
    }

    /// "In the verbs that they share all its requests are among the other's, and some request of the other is none of
    /// its own."
    fn lies_inside(&self, other: &Self, universe: &Universe) -> bool {
        let is_shared = |number: &&usize| {
            let verb = universe.requests[**number].0;
            self.verbs.contains(verb) && other.verbs.contains(verb)
        };
        self.all.iter().filter(is_shared).all(|number| other.all.contains(number))
            && other.all.iter().any(|number| !self.all.contains(number))
    }

    /// Whether another entry makes this one count as closed.
    fn is_closed_by(&self, other: &Self, universe: &Universe) -> bool {
        if self.all.is_disjoint(&other.all) || other.lies_inside(self, universe) {
            return false;
        }
        let opens_other_owners = |pattern: &Requests| {
            pattern
                .intersection(&self.by_segment)
                .any(|number| !self.own.iter().any(|own| own.contains(number)))
        };
        other.open || other.own.iter().any(opens_other_owners)
    }
}

fn is_guarded(path: &str) -> bool {
    path.contains("//")
}

/// What each entry opens at one time; none if it is closed.
fn opened_by_entries(
    universe: &Universe,
    table: &[(String, Value)],
    token: &Value,
    later: u64,
) -> Vec<Option<Requests>> {
    let mut alone = Vec::new();
    for (route, rule) in table {
        alone.push(Alone::new(universe, route, rule, token, later));
    }
    let mut opened = Vec::new();
    for (index, entry) in alone.iter().enumerate() {
        let is_kept = alone
            .iter()
            .enumerate()
            .any(|(other, by)| other != index && entry.is_closed_by(by, universe));
        opened.push(if entry.open {
            Some(entry.all.clone())
        } else if !entry.own.is_empty() && !is_kept {
            Some(entry.own.iter().flatten().copied().collect())
        } else {
            None
        });
    }
    opened
}

/// What the table says about each request, so many seconds after it was decided. "A closed entry stays closed while a
/// policy is cached."
fn verdicts(
    universe: &Universe,
    table: &[(String, Value)],
    token: &Value,
    later: u64,
) -> Vec<Verdict> {
    let decided = opened_by_entries(universe, table, token, 0);
    let cached = opened_by_entries(universe, table, token, later);
    let opens_nothing = decided.iter().all(Option::is_none);
    let (mut opened, mut closed) = (Requests::new(), Requests::new());
    for (index, (route, rule)) in table.iter().enumerate() {
        match (&decided[index], &cached[index]) {
            (Some(_), Some(requests)) => opened.extend(requests),
            _ if route.starts_with("ANY /")
                && ["/*", "/{p+}", "/{x}", "/{y}"].contains(&path(route)) =>
            {
                // "Closed, `ANY /*` is the Deny of the stage."
                closed.extend(0..universe.requests.len());
            }
            _ => closed.extend(Alone::new(universe, route, rule, token, later).all),
        }
    }
    let mut verdicts = Vec::new();
    for (number, (_, path)) in universe.requests.iter().enumerate() {
        verdicts.push(if opens_nothing || is_guarded(path) || closed.contains(&number) {
            Verdict::ExplicitDeny
        } else if opened.contains(&number) {
            Verdict::Allow
        } else {
            Verdict::ImplicitDeny
        });
    }
    verdicts
}

/// Whether the table is an error: an entry that is open to every token keeps another's `path` from ever counting.
fn is_error(universe: &Universe, table: &[(String, Value)]) -> bool {
    let mut alone = Vec::new();
    for (route, rule) in table {
        alone.push(Alone::new(universe, route, rule, &json!({}), 0));
    }
    for (own, (_, rule)) in table.iter().enumerate() {
        let has_path = ways(rule).iter().flatten().any(|condition| condition.get("path").is_some());
        let is_open = ways(rule).iter().any(Vec::is_empty);
        for (open, (_, rule)) in table.iter().enumerate() {
            if has_path
                && !is_open
                && *rule == json!([])
                && !alone[own].all.is_disjoint(&alone[open].all)
                && !alone[open].lies_inside(&alone[own], universe)
            {
                return true;
            }
        }
    }
    false
}

fn random_table(dice: &mut Dice) -> Vec<(String, Value)> {
    let mut table: Vec<(String, Value)> = Vec::new();
    for _ in 0..dice.below(4) + 1 {
        let verb = dice.one_of(&["GET", "GET", "POST", "ANY"]);
        let (mut path, mut variables) = (String::new(), Vec::new());
        for _ in 0..dice.below(3) + 1 {
            let segment = dice.one_of(&["a", "a", "b", "{x}", "{x}", "{y}", "{p+}", "*", "u"]);
            if segment.len() == 3 && variables.contains(&segment) {
                path.push_str("/b");
                continue;
            }
            if segment.len() == 3 {
                variables.push(segment);
            }
            path.push('/');
            path.push_str(segment);
        }
        let rule = random_rule(dice, &variables);
        let pattern = |path: &str| {
            let mut pattern = path.to_owned();
            for variable in ["{x}", "{y}", "{p+}"] {
                pattern = pattern.replace(variable, "*");
            }
            pattern
        };
        let is_new = table.iter().all(|(route, _)| {
            route.split_once(' ').unwrap().0 != verb || pattern(self::path(route)) != pattern(&path)
        });
        if is_new {
            table.push((format!("{verb} {path}"), rule));
        }
    }
    table
}

fn random_rule(dice: &mut Dice, variables: &[&str]) -> Value {
    let own = |dice: &mut Dice| -> Value {
        let mut members = Map::new();
        for variable in variables {
            if dice.below(3) > 0 || members.is_empty() {
                let name = variable.trim_matches(['{', '}']);
                members.insert(name.to_owned(), json!(dice.one_of(&["sub", "sub", "tid"])));
            }
        }
        if members.is_empty() { json!("r") } else { json!({ "path": members }) }
    };
    match dice.below(10) {
        0 => json!([]),
        7 => json!(["r", { "max_age": dice.one_of(&[300, 2000]) }]),
        8 => json!([own(dice), { "max_age": dice.one_of(&[300, 2000]) }]),
        9 => json!({ "any": [["r", { "max_age": 300 }], { "max_age": 2000 }, own(dice)] }),
        1 => json!(["r"]),
        2 => json!({ "any": ["w", own(dice)] }),
        3 => json!(["r", own(dice)]),
        4 => json!({ "any": [own(dice), [own(dice), "w"]] }),
        5 => json!([{ "claims": { "k": 1 } }, own(dice)]),
        _ => json!([own(dice)]),
    }
}

fn random_token(dice: &mut Dice) -> Value {
    let mut token = json!({ "scope": dice.one_of(&["", "r", "w", "r w"]) });
    token["sub"] = json!(dice.one_of(&["a", "b", "u", "u", "u|1"]));
    if dice.below(4) > 0 {
        token["tid"] = json!(dice.one_of(&["a", "u", "z"]));
    }
    if dice.below(2) > 0 {
        token["k"] = json!(1);
    }
    // Far enough from the ages of the rules, so that the test may be slow.
    if dice.below(3) > 0 {
        token["seconds_ago"] = json!(dice.one_of(&[100, 1000, 3000]));
    }
    token
}

#[tokio::test]
async fn a_second_evaluator_agrees_about_random_tables() {
    let tables = std::env::var("TABLES").map_or(FEW, |tables| tables.parse().unwrap());
    let universe = Universe::new();
    let key = SigningKey::es256("k1");
    let keys = jwks(&[&key]).to_string();
    let mut dice = Dice(1);
    let (mut compared, mut errors, mut too_large) = (0, 0, 0);
    for _ in 0..tables {
        let table = random_table(&mut dice);
        let routes: Map<String, Value> = table.iter().cloned().collect();
        let routes = Value::Object(routes).to_string();
        let settings = [
            ("ISSUER", ISSUER),
            ("AUDIENCE", "my-api"),
            ("ALGORITHMS", "ES256"),
            ("JWKS", &keys),
            ("ROUTES", &routes),
        ];
        let problems = read(&settings).err().map(|problems| problems.to_string());
        if problems
            .as_deref()
            .is_some_and(|problems| !problems.contains("can never have an effect"))
        {
            assert!(problems.unwrap().contains("the policy would have"), "{routes}");
            too_large += 1;
            continue;
        }
        assert_eq!(problems.is_some(), is_error(&universe, &table), "{routes}: {problems:?}");
        if problems.is_some() {
            errors += 1;
            continue;
        }
        let authorizer = authorizer(&settings);
        for _ in 0..2 {
            let token = random_token(&mut dice);
            let mut all = claims(ISSUER, "my-api");
            all.as_object_mut().unwrap().extend(token.as_object().unwrap().clone());
            if let Some(seconds_ago) = token["seconds_ago"].as_u64() {
                all["auth_time"] = json!(now() - seconds_ago);
            }
            let event = json!({
                "type": "TOKEN",
                "methodArn": format!("{STAGE}/GET/a"),
                "authorizationToken": format!("Bearer {}", key.token(&all)),
            });
            let answer = authorizer.decide(&event.to_string()).await.answer.unwrap();
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            for later in [0, 500] {
                let expected = verdicts(&universe, &table, &token, later);
                for ((verb, path), expected) in universe.requests.iter().zip(expected) {
                    if dice.below(4) > 0 {
                        continue;
                    }
                    let arn = format!("{STAGE}/{verb}{path}");
                    let found = evaluate(&answer["policyDocument"], &arn, now() + later);
                    assert_eq!(
                        found, expected,
                        "{verb} {path} after {later}: {token} {routes} {answer}"
                    );
                    compared += 1;
                }
            }
        }
    }
    println!("{tables} tables: {compared} requests, {errors} errors, {too_large} too large");
    assert!(compared > tables * 200 && errors > 0, "{compared} {errors}");
}
