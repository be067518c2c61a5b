//! What a good token may do: scopes it must have, and rights by route.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::refusal::{Denial, Reason};
use crate::token::{ClaimPath, Claims};

/// The verbs of an API Gateway method. `ANY` is written out as these: a `*` in the verb's place of an ARN would
/// also match into paths.
const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The name of the entry, and the end of the ARN, of a WebSocket connection.
pub(crate) const CONNECT: &str = "$connect";

/// The rights that are asked for, of whatever issuer the token is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    /// Scopes that every caller needs.
    pub(crate) required: Vec<String>,
    /// Without a table every route of the stage is open.
    pub(crate) routes: Option<Routes>,
}

/// Which routes a token opens.
#[derive(Debug)]
pub(crate) enum Grant<'r> {
    /// Every route of the stage.
    Stage,
    /// Those of the table whose entry is true, and none of those whose entry is false.
    Routes(Vec<(&'r Entry, bool)>),
}

impl Rights {
    /// What the scopes in these claims open. `only`: the one request that the answer will be used for, as it
    /// stands in its ARN after the stage.
    pub(crate) fn grant(
        &self,
        scope_claims: &[ClaimPath],
        claims: &Claims,
        only: Option<&str>,
    ) -> Result<Grant<'_>, Denial> {
        if self.required.is_empty() && self.routes.is_none() {
            return Ok(Grant::Stage);
        }
        let held = scopes(scope_claims, claims);
        if let Some(scope) = self.required.iter().find(|scope| !held.contains(scope.as_str())) {
            return Err(Reason::InsufficientScope.because(format!("scope `{scope}`")));
        }
        let Some(routes) = &self.routes else { return Ok(Grant::Stage) };
        let decided = routes.decide(&held);
        if let Some(request) = only {
            let mut matching = decided.iter().filter(|(entry, _)| entry.matches(request)).peekable();
            return if matching.peek().is_some() && matching.all(|(_, open)| *open) {
                Ok(Grant::Stage)
            } else {
                Err(Reason::InsufficientScope.because("the route is not open to the token"))
            };
        }
        if decided.iter().any(|(_, open)| *open) {
            Ok(Grant::Routes(decided))
        } else {
            Err(Reason::InsufficientScope.because("no route of the table is open to the token"))
        }
    }
}

/// All scopes in these claims: a string holds them separated by spaces (RFC 6749 section 3.3), an element of an
/// array is one scope whole. A claim of another type gives none.
fn scopes<'c>(paths: &[ClaimPath], claims: &'c Claims) -> HashSet<&'c str> {
    let mut held = HashSet::new();
    for value in paths.iter().filter_map(|path| claims.get(path)) {
        match value {
            Value::String(list) => held.extend(list.split(' ').filter(|scope| !scope.is_empty())),
            Value::Array(elements) => held.extend(elements.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    held
}

/// The table of routes: a request passes if an entry matches it, and the token satisfies all that do.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    entries: Vec<Entry>,
    /// Every scope of the table has a number, so that a token's scopes are looked up once and not by entry.
    scopes: HashMap<String, usize>,
}

/// One entry of the table: the requests it stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// What the ARNs of these requests have after the stage, as IAM patterns: `GET/pets/*`.
    pub(crate) patterns: Vec<String>,
    /// The numbers of the scopes that are all needed.
    scopes: Vec<usize>,
}

impl Entry {
    /// Whether a request's `VERB/path`, as it stands in an ARN after the stage, is one of these requests. A
    /// connection has an entry of its own: no other entry opens it, not even that for everything.
    fn matches(&self, request: &str) -> bool {
        let is_connect = |pattern: &str| pattern == CONNECT;
        let matches = |pattern: &String| is_connect(pattern) == is_connect(request) && glob(pattern, request);
        self.patterns.iter().any(matches)
    }
}

impl Routes {
    /// The table in a JSON object `"VERB /path"` -> array of scopes. Every problem is one line that names its entry.
    pub(crate) fn parse(table: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let (mut routes, mut problems) = (Self { entries: Vec::new(), scopes: HashMap::new() }, Vec::new());
        if table.is_empty() {
            problems.push("is empty: name at least one route, as {\"GET /pets\": [\"pets:read\"]}".to_owned());
        }
        for (route, scopes) in table {
            let entry = patterns(route).and_then(|patterns| {
                let scopes = scope_list(scopes).ok_or("its scopes are not an array of strings, as [\"pets:read\"]")?;
                Ok(Entry { patterns, scopes: scopes.map(|scope| routes.number(scope)).collect() })
            });
            match entry {
                Ok(entry) if routes.entries.iter().any(|other| other.patterns == entry.patterns) => {
                    problems.push(format!("entry `{route}`: another entry stands for the same requests"));
                }
                Ok(entry) => routes.entries.push(entry),
                Err(problem) => problems.push(format!("entry `{route}`: {problem}")),
            }
        }
        if problems.is_empty() { Ok(routes) } else { Err(problems) }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn number(&mut self, scope: &str) -> usize {
        let next = self.scopes.len();
        *self.scopes.entry(scope.to_owned()).or_insert(next)
    }

    fn decide(&self, held: &HashSet<&str>) -> Vec<(&Entry, bool)> {
        let mut has = vec![false; self.scopes.len()];
        for number in held.iter().filter_map(|scope| self.scopes.get(*scope)) {
            has[*number] = true;
        }
        self.entries.iter().map(|entry| (entry, entry.scopes.iter().all(|number| has[*number]))).collect()
    }
}

/// Scopes as an array of strings. A scope that no token can have would close its route for everybody.
fn scope_list(value: &Value) -> Option<impl Iterator<Item = &str>> {
    let scopes = value.as_array()?;
    let strings = scopes.iter().all(|scope| scope.as_str().is_some_and(|scope| !scope.is_empty()));
    strings.then(|| scopes.iter().filter_map(Value::as_str))
}

/// What stands for a route in the ARN of a request, after the stage.
fn patterns(route: &str) -> Result<Vec<String>, &'static str> {
    if route == CONNECT {
        return Ok(vec![CONNECT.to_owned()]);
    }
    let (verb, path) = route.split_once(' ').ok_or("want a verb, one space and a path, as `GET /pets`")?;
    let path = path.strip_prefix('/').ok_or("the path must begin with `/`")?;
    let path = path_pattern(path)?;
    match verb {
        // Everything: shorter than seven patterns, and it cannot match into a path.
        "ANY" if path == "*" => Ok(vec![path]),
        "ANY" => Ok(VERBS.map(|verb| format!("{verb}/{path}")).into()),
        verb if VERBS.contains(&verb) => Ok(vec![format!("{verb}/{path}")]),
        _ => Err("the verb must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT"),
    }
}

/// A path as an IAM pattern: `{name}` and `{name+}` become `*`. `?` (IAM's any one character) and `${`
/// (a policy variable) cannot stand in a route.
fn path_pattern(path: &str) -> Result<String, &'static str> {
    let mut pattern = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(next) = rest.chars().next() {
        if next == '{' {
            let (name, after) = rest[1..].split_once('}').ok_or("`{` without `}`")?;
            let name = name.strip_suffix('+').unwrap_or(name);
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || !name.chars().all(is_name) {
                return Err("`{` must begin a path variable, as `{petId}` or `{proxy+}`");
            }
            pattern.push('*');
            rest = after;
        } else if next.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(next) {
            // RFC 3986 section 3.3, and `*` for any characters.
            pattern.push(next);
            rest = &rest[1..];
        } else {
            return Err("the path has a character that cannot stand in a route");
        }
    }
    if pattern.contains("${") { Err("`${` cannot stand in a route") } else { Ok(pattern) }
}

/// IAM's matching for the one wildcard that a pattern here can have: `*`, any characters, `/` included.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = retry {
            (p, t) = (star, from + 1);
            retry = Some((star, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
