//! `ROUTES` from the operations of an API: each operation's alternatives become a rule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use token_authorizer::{Config, Environment, Table};

use crate::routes::openapi::{OpenApi, Operation, VERBS};

/// Replaces a variable: a segment that no document uses as a literal one.
const SEGMENT: &str = "-_-_-";

/// What the table is for, as the caller of the program said.
pub(crate) struct Wanted {
    /// The schemes whose credential is the token.
    pub(crate) schemes: Vec<String>,
    /// Schemes that something else checks besides the token.
    pub(crate) checked_elsewhere: Vec<String>,
    /// Whether an operation without security is opened to every good token. Otherwise it has no entry.
    pub(crate) opens_public: bool,
    /// Entries that were written by hand.
    pub(crate) by_hand: Map<String, Value>,
}

/// A table, and what there is to say about it.
pub(crate) struct Generated {
    pub(crate) table: Map<String, Value>,
    /// What has to be done by hand.
    pub(crate) problems: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// Sets of scopes: a token needs all of one of them.
type Alternatives = Vec<BTreeSet<String>>;

/// Who an operation is for.
#[derive(Clone, PartialEq)]
enum Access {
    /// Everybody, with a token or without.
    Public,
    Scopes(Alternatives),
    /// No token opens it: it needs these schemes.
    OtherSchemes(BTreeSet<String>),
}

impl Access {
    /// What both ask for.
    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::OtherSchemes(one), Self::OtherSchemes(another)) => {
                Self::OtherSchemes(one | another)
            }
            (closed @ Self::OtherSchemes(_), _) | (_, closed @ Self::OtherSchemes(_)) => {
                closed.clone()
            }
            (Self::Public, access) | (access, Self::Public) => access.clone(),
            (Self::Scopes(one), Self::Scopes(another)) => {
                let both = one.iter().flat_map(|a| another.iter().map(move |b| a | b));
                Self::Scopes(least(both.collect()))
            }
        }
    }
}

/// An operation that has an entry, or needs one that closes it.
struct Planned {
    route: String,
    access: Access,
}

pub(crate) fn generate(api: &OpenApi, wanted: &Wanted) -> Generated {
    let mut made =
        Generated { table: Map::new(), problems: api.problems.clone(), notes: api.notes.clone() };
    let planned = plan(api, wanted, &mut made);
    let mut alternatives: BTreeMap<&str, &Alternatives> = BTreeMap::new();
    for Planned { route, access } in &planned {
        let rule = match access {
            Access::Scopes(scopes) => {
                alternatives.insert(route, scopes);
                rule(scopes)
            }
            Access::Public if wanted.opens_public => json!([]),
            Access::Public | Access::OtherSchemes(_) => continue,
        };
        let entry = Map::from_iter([(route.clone(), rule)]);
        match Table::parse(&entry, true) {
            Ok(_) => made.table.extend(entry),
            Err(problems) => made.problems.extend(problems),
        }
    }
    made.table.extend(wanted.by_hand.clone());
    close_what_others_open(&planned, &mut made);
    report_refusals(&planned, &alternatives, &mut made);
    check_size(&mut made);
    made
}

/// The operations with the names of their entries. Those that an entry written by hand decides are left out.
fn plan(api: &OpenApi, wanted: &Wanted, made: &mut Generated) -> Vec<Planned> {
    let by_hand: BTreeSet<String> =
        wanted.by_hand.keys().flat_map(|route| requests(&pattern(route))).collect();
    let mut planned: Vec<Planned> = Vec::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for operation in written_out(api) {
        let path = match route_path(&operation.path) {
            Ok(path) => path,
            Err(problem) => {
                made.problems
                    .push(format!("{}: {problem}, so there is no entry", operation.name()));
                continue;
            }
        };
        let access = access(&operation, wanted);
        let route = format!("{} {path}", operation.verb);
        let all = requests(&pattern(&route));
        let mut free = Vec::new();
        for request in &all {
            if let Some(index) = taken.get(request) {
                let other: &mut Planned = &mut planned[*index];
                if other.access != access {
                    made.problems.push(format!(
                        "{route}: {} is the same requests to IAM, but its security differs; the entry asks for both",
                        other.route
                    ));
                    other.access = other.access.and(&access);
                }
            } else if !by_hand.contains(request) {
                free.push(request);
            }
        }
        let mut routes = vec![route];
        if free.len() < all.len() {
            // Some of the verbs of `ANY` are decided already.
            let verbs = free.iter().filter_map(|request| request.split_once('/'));
            routes = verbs.map(|(verb, _)| format!("{verb} {path}")).collect();
        }
        for route in routes {
            for request in requests(&pattern(&route)) {
                taken.insert(request, planned.len());
            }
            planned.push(Planned { route, access: access.clone() });
        }
    }
    planned
}

/// The operations, with `ANY` written out where its path has operations of their own: these go first.
pub(crate) fn written_out(api: &OpenApi) -> Vec<Operation> {
    let mut operations = Vec::new();
    for operation in &api.operations {
        let own: Vec<_> = api
            .operations
            .iter()
            .filter(|other| other.path == operation.path && other.verb != "ANY")
            .map(|other| other.verb.as_str())
            .collect();
        if operation.verb != "ANY" || own.is_empty() {
            operations.push(operation.clone());
            continue;
        }
        for verb in VERBS.into_iter().filter(|verb| !own.contains(verb)) {
            operations.push(Operation { verb: verb.to_owned(), ..operation.clone() });
        }
    }
    operations
}

fn access(operation: &Operation, wanted: &Wanted) -> Access {
    if operation.is_public() {
        return Access::Public;
    }
    let mut alternatives = Alternatives::new();
    let mut others = BTreeSet::new();
    for requirement in &operation.security {
        let mut scopes = BTreeSet::new();
        let mut has_token = false;
        let mut is_met = true;
        for (scheme, named) in requirement {
            if wanted.schemes.contains(scheme) {
                has_token = true;
                scopes.extend(named.iter().cloned());
            } else if !wanted.checked_elsewhere.contains(scheme) {
                is_met = false;
                others.insert(scheme.clone());
            }
        }
        if has_token && is_met {
            alternatives.push(scopes);
        }
    }
    if alternatives.is_empty() {
        Access::OtherSchemes(others)
    } else {
        Access::Scopes(least(alternatives))
    }
}

/// Without the alternatives that ask for all that another one asks for, and more.
fn least(alternatives: Alternatives) -> Alternatives {
    let mut least = Alternatives::new();
    for (index, scopes) in alternatives.iter().enumerate() {
        let is_less = |(other, others): (usize, &BTreeSet<String>)| {
            others.is_subset(scopes) && (others != scopes || other < index)
        };
        if !alternatives.iter().enumerate().any(is_less) {
            least.push(scopes.clone());
        }
    }
    least
}

fn rule(alternatives: &Alternatives) -> Value {
    match alternatives.as_slice() {
        [scopes] => json!(scopes),
        _ => {
            let alternatives: Vec<Value> = alternatives
                .iter()
                .map(|scopes| match scopes.first() {
                    Some(scope) if scopes.len() == 1 => json!(scope),
                    _ => json!(scopes),
                })
                .collect();
            json!({ "any": alternatives })
        }
    }
}

/// A rule that no token keeps: every good token has an issuer.
fn closed_to_all() -> Value {
    json!({ "claims": { "iss": { "present": false } } })
}

/// An operation that no token opens needs an entry where the entry of another operation would open it: a variable
/// spans slashes.
fn close_what_others_open(planned: &[Planned], made: &mut Generated) {
    let Some(table) = table_of(made) else { return };
    for Planned { route, access } in planned {
        let Access::OtherSchemes(others) = access else { continue };
        let names: Vec<_> = others.iter().map(|scheme| format!("`{scheme}`")).collect();
        let is_matched =
            requests(&sample(route)).iter().any(|request| !table.matching(request).is_empty());
        if is_matched {
            made.table.insert(route.clone(), closed_to_all());
        }
        made.notes
            .push(format!("{route}: no token opens it, since it needs {}", names.join(" or ")));
    }
}

/// What a closed entry refuses although the security of another operation would let it pass.
fn report_refusals(
    planned: &[Planned],
    alternatives: &BTreeMap<&str, &Alternatives>,
    made: &mut Generated,
) {
    let Some(table) = table_of(made) else { return };
    let mut refused: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Planned { route, access } in planned {
        let Access::Scopes(own) = access else { continue };
        for request in requests(&sample(route)) {
            for entry in table.matching(&request) {
                let is_implied = match alternatives.get(entry.route) {
                    _ if entry.is_for_everyone || entry.route == route => true,
                    Some(others) => implies(own, others),
                    None => made.table.get(route) == made.table.get(entry.route),
                };
                let refused_by = refused.entry(entry.route).or_default();
                if !is_implied && !refused_by.contains(&route.as_str()) {
                    refused_by.push(route);
                }
            }
        }
    }
    let notes = refused.iter().filter(|(_, routes)| !routes.is_empty()).map(|(entry, routes)| {
        format!(
            "`{entry}` also matches {}: a variable spans slashes. A token that does not open `{entry}` is refused \
             there, too",
            routes.iter().map(|route| format!("`{route}`")).collect::<Vec<_>>().join(", ")
        )
    });
    made.notes.extend(notes);
}

/// Whether every token that has one of `own` has one of `others`.
fn implies(own: &Alternatives, others: &Alternatives) -> bool {
    own.iter().all(|scopes| others.iter().any(|other| other.is_subset(scopes)))
}

fn table_of(made: &mut Generated) -> Option<Table> {
    if made.table.is_empty() {
        return None;
    }
    match Table::parse(&made.table, true) {
        Ok(table) => Some(table),
        Err(problems) => {
            made.problems.extend(problems);
            made.problems.sort();
            made.problems.dedup();
            None
        }
    }
}

/// Says whether the function would take the table.
fn check_size(made: &mut Generated) {
    if made.table.is_empty() {
        made.problems.push("there is no entry: no operation is opened by a token".to_owned());
        return;
    }
    let table = Value::from(made.table.clone()).to_string();
    let with = |scope: &str| {
        let settings = [
            ("ISSUER", "https://issuer.example"),
            ("AUDIENCE", "audience"),
            ("ROUTES", &table),
            ("POLICY_SCOPE", scope),
        ];
        Config::read(&settings.into_iter().collect::<Environment>())
    };
    if with("stage").is_ok() {
        return;
    }
    let Err(problems) = with("request") else {
        made.notes.push(format!(
            "the table is too large for one policy: set POLICY_SCOPE=request. {} bytes of JSON; the variables of a \
             function take 4096, so give it as a file: ROUTES=@routes.json",
            table.len()
        ));
        return;
    };
    for problem in problems.0 {
        let problem = problem.to_string();
        if !made.problems.iter().any(|known| problem.ends_with(known)) {
            made.problems.push(problem);
        }
    }
}

/// A path as an entry has it. Names of variables are written in the characters that an entry may have.
fn route_path(path: &str) -> Result<String, &'static str> {
    let mut written = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(next) = rest.chars().next() {
        if next == '{' {
            let (name, after) = rest[1..].split_once('}').ok_or("`{` without `}`")?;
            let (name, greedy) = name.strip_suffix('+').map_or((name, ""), |name| (name, "+"));
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let name: String = name.chars().map(|c| if is_name(c) { c } else { '_' }).collect();
            if name.is_empty() {
                return Err("a variable has no name");
            }
            written += &format!("{{{name}{greedy}}}");
            rest = after;
            continue;
        }
        match next {
            '*' => return Err("`*` would stand for any characters"),
            '?' => return Err("a query is not part of a path"),
            '#' => return Err("a fragment is not part of a path"),
            _ if next.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@%/".contains(next) => {}
            _ => return Err("the path has a character that no entry can have"),
        }
        written.push(next);
        rest = &rest[next.len_utf8()..];
    }
    Ok(written)
}

/// A route with `with` in the place of each variable.
fn filled(route: &str, with: &str) -> String {
    let mut filled = String::with_capacity(route.len());
    let mut rest = route;
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        filled += with;
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    filled + rest
}

/// The pattern that IAM matches against. Entries with the same pattern match the same requests.
fn pattern(route: &str) -> String {
    let mut pattern = filled(route, "*");
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    pattern
}

/// A route with one segment in the place of each variable.
pub(crate) fn sample(route: &str) -> String {
    filled(route, SEGMENT)
}

/// As they are in ARNs after the stage: `GET/pets`, of which `ANY /pets` has seven.
pub(crate) fn requests(route: &str) -> Vec<String> {
    match route.split_once(' ') {
        Some(("ANY", path)) => VERBS.iter().map(|verb| format!("{verb}{path}")).collect(),
        Some((verb, path)) => vec![format!("{verb}{path}")],
        None => vec![route.to_owned()],
    }
}
