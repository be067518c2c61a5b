//! What a good token may do: scopes it must have, and rights by route.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::access::guard;
use crate::access::pattern::{self, Template};
use crate::access::rule::{Facts, Rule, Terms};
use crate::denial::MissingRights;
use crate::jose::token::{ClaimPath, Claims};

/// The verbs of an API Gateway method. `ANY` is written out as these: a `*` in the verb's place of an ARN would
/// also match into paths.
const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The name of the entry, and the end of the ARN, of a WebSocket connection.
pub(crate) const CONNECT: &str = "$connect";

/// The most bytes of paths that are looked at: twice what a policy can hold.
const MAX_PATHS: usize = 16 * 1024;

/// The rights that the tokens of an issuer need. Issuers without a table of their own share one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    /// Scopes that every caller needs.
    pub(crate) required: Vec<String>,
    /// Without a table every route of the stage is open.
    pub(crate) routes: Option<Arc<Routes>>,
}

/// Which routes a token opens.
#[derive(Debug)]
pub(crate) enum Access<'r> {
    /// Every route of the stage.
    Stage,
    /// Those that the entries of the table open.
    Routes(Decided<'r>),
}

impl Rights {
    /// What the scopes and claims open. `single_request`: the one request that the answer will be used for, as it
    /// stands in its ARN after the stage.
    pub(crate) fn access(
        &self,
        scope_claims: &[ClaimPath],
        claims: &Claims,
        single_request: Option<&str>,
    ) -> Result<Access<'_>, MissingRights> {
        if self.required.is_empty() && self.routes.is_none() {
            return Ok(Access::Stage);
        }
        let held = scopes(scope_claims, claims);
        if let Some(scope) = self.missing(&held) {
            let (missing, required) = (scope.to_owned(), self.required.clone());
            return Err(MissingRights::Scope { missing, required });
        }
        let Some(routes) = &self.routes else { return Ok(Access::Stage) };
        let decided = routes.decide(&routes.terms.facts(&held, claims));
        if let Some(request) = single_request {
            return match decided.by(request) {
                DecidedBy::Open(_) => Ok(Access::Stage),
                DecidedBy::Guard => Err(MissingRights::Guard),
                _ => Err(MissingRights::Route),
            };
        }
        if decided.states.iter().any(|state| *state != RouteState::Closed) {
            Ok(Access::Routes(decided))
        } else {
            Err(MissingRights::NoRoute)
        }
    }

    /// The first required scope that is not held.
    pub(crate) fn missing(&self, held: &HashSet<&str>) -> Option<&str> {
        self.required.iter().map(String::as_str).find(|scope| !held.contains(scope))
    }
}

/// All scopes in these claims: a string holds them separated by spaces (RFC 6749 section 3.3), an element of an
/// array is one scope whole. A claim of another type gives none.
pub(crate) fn scopes<'c>(paths: &[ClaimPath], claims: &'c Claims) -> HashSet<&'c str> {
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

/// Whether this can be a scope (RFC 6749 section 3.3, `scope-token`). A challenge has scopes between quotes.
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The table of routes: a request passes if an entry opens it, and no closed entry matches it.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    entries: Vec<Entry>,
    pub(crate) terms: Terms,
    /// Whether paths are refused that a backend may read as others.
    guard: bool,
}

/// One entry of the table: the requests it stands for, by what their ARNs have after the stage, as IAM patterns:
/// `GET/pets/*`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The entry's name, as it is written.
    pub(crate) route: String,
    verbs: Vec<&'static str>,
    /// The pattern of the path alone.
    path: String,
    /// What is allowed where the entry is open.
    allowed: Vec<String>,
    /// What is denied where it is closed: the same, but for `ANY /*`, which closes the stage to other verbs, too.
    denied: Vec<String>,
    pub(crate) rule: Rule,
    /// The entries that, when open, allow some of the same requests to all callers. A policy cannot take back from
    /// that only what belongs to others, so this entry is then closed instead of open for the caller's own.
    closed_beside: Vec<usize>,
}

/// What an entry is for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteState {
    Open,
    /// Open for the caller's own.
    Own,
    Closed,
}

/// What the entries of a table are for a token.
#[derive(Debug)]
pub(crate) struct Decided<'r> {
    pub(crate) entries: &'r [Entry],
    /// Of each entry, in their order.
    pub(crate) states: Vec<RouteState>,
    /// What is allowed of entries that are open for the caller's own, by their places.
    own: Vec<(usize, Vec<String>)>,
    pub(crate) guard: bool,
}

/// What decides a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy<'r> {
    /// `PATH_GUARD` refuses the path.
    Guard,
    /// The entry of this name matches the request, and is closed.
    Closed(&'r str),
    /// The entry of this name opens the request.
    Open(&'r str),
    /// The entry of this name matches the request, and is open for the caller's own only. This one is another's.
    Another(&'r str),
    /// No entry matches the request.
    NoEntry,
}

impl<'r> Decided<'r> {
    /// What is allowed below the stage of the entry at this place.
    pub(crate) fn allowed(&self, index: usize) -> &[String] {
        match self.states[index] {
            RouteState::Open => &self.entries[index].allowed,
            RouteState::Own => self
                .own
                .iter()
                .find(|(place, _)| *place == index)
                .map_or(&[], |(_, patterns)| patterns),
            RouteState::Closed => &[],
        }
    }

    /// Whether an entry other than that of a connection is closed, or open for the caller's own only.
    pub(crate) fn leaves_route_closed(&self) -> bool {
        let mut entries = self.entries.iter().zip(&self.states);
        entries.any(|(entry, state)| *state != RouteState::Open && entry.route != CONNECT)
    }

    /// What is denied below the stage.
    pub(crate) fn denied(&self, index: usize) -> &'r [String] {
        if self.states[index] == RouteState::Closed { &self.entries[index].denied } else { &[] }
    }

    /// What decides a request, given as it stands in an ARN after the stage: `GET/pets/1`. The policy says the same.
    pub(crate) fn by(&self, request: &str) -> DecidedBy<'r> {
        if self.guard && guard::refuses(request) {
            return DecidedBy::Guard;
        }
        let named = |is_wanted: &dyn Fn(usize) -> bool| {
            let index = (0..self.entries.len()).find(|index| is_wanted(*index))?;
            Some(self.entries[index].route.as_str())
        };
        let closed = named(&|index| matches(self.denied(index), request)).map(DecidedBy::Closed);
        let open = || named(&|index| matches(self.allowed(index), request)).map(DecidedBy::Open);
        let another = || {
            named(&|index| matches(&self.entries[index].allowed, request)).map(DecidedBy::Another)
        };
        closed.or_else(open).or_else(another).unwrap_or(DecidedBy::NoEntry)
    }
}

/// Whether a request is one of those that the patterns stand for. A connection has an entry of its own: no other
/// entry decides it, not even `ANY /*`.
fn matches(patterns: &[String], request: &str) -> bool {
    let is_connect = |pattern: &str| pattern == CONNECT;
    patterns.iter().any(|pattern| {
        is_connect(pattern) == is_connect(request) && pattern::matches(pattern, request)
    })
}

impl Entry {
    /// Reads `"VERB /path": rule`. The error says what would be right.
    fn parse(route: &str, rule: &Value, terms: &mut Terms) -> Result<Self, String> {
        let (verbs, template) = match route {
            CONNECT => (Vec::new(), None),
            _ => {
                let (verbs, path) = verbs_and_path(route)?;
                (verbs, Some(Template::parse(path)?))
            }
        };
        let path = template.as_ref().map_or_else(|| CONNECT.to_owned(), Template::pattern);
        let mut entry = Self {
            route: route.to_owned(),
            rule: Rule::parse(rule, template.as_ref(), terms)?,
            verbs,
            path,
            allowed: Vec::new(),
            denied: Vec::new(),
            closed_beside: Vec::new(),
        };
        let paths = [entry.path.clone()];
        entry.allowed = if template.is_none() { paths.into() } else { entry.with_verbs(&paths) };
        let is_everything = entry.verbs.len() == VERBS.len() && entry.path == "*";
        // A `*` alone also covers verbs that no entry can name. These may be denied, but not allowed.
        entry.denied = if is_everything { vec!["*".to_owned()] } else { entry.allowed.clone() };
        Ok(entry)
    }

    /// What is denied where it is closed.
    pub(crate) fn closing(&self) -> &[String] {
        &self.denied
    }

    /// These paths under each of the entry's verbs.
    fn with_verbs(&self, paths: &[String]) -> Vec<String> {
        paths
            .iter()
            .flat_map(|path| self.verbs.iter().map(move |verb| [verb, "/", path].concat()))
            .collect()
    }

    /// What the caller's own part allows.
    fn own(&self, facts: &Facts<'_>) -> Vec<String> {
        self.with_verbs(&self.rule.own_paths(facts))
    }

    /// Whether some request is matched by both.
    fn overlaps(&self, other: &Self) -> bool {
        self.verbs.iter().any(|verb| other.verbs.contains(verb))
            && pattern::intersect(&self.path, &other.path)
    }

    /// Whether this entry lies inside another that it overlaps: in the verbs that they share, the other matches
    /// all its requests; and the other matches some request that it does not.
    fn lies_inside(&self, other: &Self) -> bool {
        let has_other_verbs = other.verbs.iter().any(|verb| !self.verbs.contains(verb));
        pattern::contains(&other.path, &self.path)
            && (has_other_verbs || !pattern::contains(&self.path, &other.path))
    }
}

impl Routes {
    /// The table in a JSON object `"VERB /path"` -> rule. Every problem is one line that names its entry.
    pub(crate) fn parse(table: &Map<String, Value>, guard: bool) -> Result<Self, Vec<String>> {
        let (mut routes, mut problems) =
            (Self { entries: Vec::new(), terms: Terms::default(), guard }, Vec::new());
        if table.is_empty() {
            problems.push(
                "is empty: name at least one route, as {\"GET /pets\": [\"pets:read\"]}".to_owned(),
            );
        }
        let mut seen = HashSet::new();
        for (route, rule) in table {
            match Entry::parse(route, rule, &mut routes.terms) {
                Ok(entry) if !seen.insert(entry.allowed.clone()) => {
                    problems.push(format!(
                        "entry `{route}`: another entry stands for the same requests"
                    ));
                }
                Ok(entry)
                    if guard && entry.allowed.iter().all(|pattern| guard::refuses_all(pattern)) =>
                {
                    problems.push(format!("entry `{route}`: PATH_GUARD refuses all its requests"));
                }
                Ok(entry) => routes.entries.push(entry),
                Err(problem) => problems.push(format!("entry `{route}`: {problem}")),
            }
        }
        let paths: usize = routes.entries.iter().map(|entry| entry.path.len()).sum();
        if paths > MAX_PATHS {
            problems.push(format!(
                "its paths alone take {paths} bytes, more than a policy of API Gateway may have"
            ));
        }
        if problems.is_empty() {
            problems = routes.find_overlaps();
        }
        if problems.is_empty() { Ok(routes) } else { Err(problems) }
    }

    /// Finds the entries beside which others are closed instead of open for the caller's own. It is a problem if an
    /// entry is closed like this to every token.
    fn find_overlaps(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if !entry.rule.has_own() {
                continue;
            }
            let others = self.entries.iter().enumerate().filter(|(other, _)| *other != index);
            let beside =
                others.filter(|(_, other)| other.overlaps(entry) && !other.lies_inside(entry));
            let beside: Vec<_> = beside.map(|(other, _)| other).collect();
            for other in beside.iter().map(|other| &self.entries[*other]) {
                if other.rule.is_for_everyone(&self.terms)
                    && entry.rule.can_be_own_beside(&other.rule, &self.terms)
                {
                    let problem = format!(
                        "entry `{}`: entry `{}` opens some of the same requests to every good token, so no `path` can \
                         keep them for their owner: give both the same alternatives",
                        entry.route, other.route
                    );
                    problems.push(problem);
                }
            }
            self.entries[index].closed_beside = beside;
        }
        problems
    }

    /// The entries that others can close although they would be open for the caller's own, each with these others.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warning = |entry: &Entry| {
            let others = entry.closed_beside.iter().map(|other| &self.entries[*other]);
            let others =
                others.filter(|other| entry.rule.can_be_own_beside(&other.rule, &self.terms));
            let others: Vec<_> = others.map(|other| format!("`{}`", other.route)).collect();
            (!others.is_empty()).then(|| {
                format!(
                    "entry `{}` is closed, instead of open for the caller's own, to a token to which {} is open: they \
                     match some of the same requests. Give both the same alternatives",
                    entry.route,
                    others.join(" or ")
                )
            })
        };
        self.entries.iter().filter_map(warning).collect()
    }

    /// What each entry is for a token.
    pub(crate) fn decide(&self, facts: &Facts<'_>) -> Decided<'_> {
        let alone = |entry: &Entry| {
            if entry.rule.is_open(facts) { RouteState::Open } else { RouteState::Closed }
        };
        let mut states: Vec<_> = self.entries.iter().map(alone).collect();
        let mut own = Vec::new();
        for (index, entry) in
            self.entries.iter().enumerate().filter(|(_, entry)| entry.rule.has_own())
        {
            if states[index] == RouteState::Open
                || entry.closed_beside.iter().any(|other| states[*other] == RouteState::Open)
            {
                continue;
            }
            let patterns = entry.own(facts);
            if !patterns.is_empty() {
                states[index] = RouteState::Own;
                own.push((index, patterns));
            }
        }
        Decided { entries: &self.entries, states, own, guard: self.guard }
    }

    /// The entry that is open to a token and closes this one, which would be open for the caller's own.
    pub(crate) fn closing(&self, entry: &Entry, facts: &Facts<'_>) -> Option<&Entry> {
        let mut others = entry.closed_beside.iter().map(|other| &self.entries[*other]);
        others.find(|other| other.rule.is_open(facts)).filter(|_| !entry.own(facts).is_empty())
    }

    /// The entries as they are written in the table.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.route)
    }

    /// The entries in the state that takes the most bytes in a policy, for any token: open to all, or, which is never
    /// shorter, open for the caller's own in every way at once and with the longest values.
    pub(crate) fn longest(&self) -> Decided<'_> {
        let own = self
            .entries
            .iter()
            .map(|entry| entry.with_verbs(&entry.rule.longest_own_paths()))
            .enumerate();
        let own: Vec<_> = own.filter(|(_, patterns)| !patterns.is_empty()).collect();
        let mut states = vec![RouteState::Open; self.entries.len()];
        own.iter().for_each(|(index, _)| states[*index] = RouteState::Own);
        Decided { entries: &self.entries, states, own, guard: self.guard }
    }
}

/// The verbs of a route, and its path without the first slash.
fn verbs_and_path(route: &str) -> Result<(Vec<&'static str>, &str), &'static str> {
    let (verb, path) =
        route.split_once(' ').ok_or("want a verb, one space and a path, as `GET /pets`")?;
    let path = path.strip_prefix('/').ok_or("the path must begin with `/`")?;
    if path.contains("${") {
        return Err("`${` cannot stand in a route");
    }
    let verbs: Vec<_> = VERBS.into_iter().filter(|known| verb == "ANY" || verb == *known).collect();
    if verbs.is_empty() {
        return Err("the verb must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT");
    }
    Ok((verbs, path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(table: Value) -> Result<Routes, Vec<String>> {
        Routes::parse(table.as_object().unwrap(), false)
    }

    fn patterns_of(route: &str) -> Vec<String> {
        parse(json!({ route: [] })).unwrap().entries[0].allowed.clone()
    }

    fn held(paths: &[&str], claims: Value) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|path| ClaimPath::parse(path).unwrap()).collect();
        let claims = Claims::verified(claims);
        let mut held: Vec<_> = scopes(&paths, &claims).into_iter().map(str::to_owned).collect();
        held.sort_unstable();
        held
    }

    /// What `scope` opens: the routes of the table in their order, or why nothing.
    fn access(
        rights: &Rights,
        scope: &str,
        single_request: Option<&str>,
    ) -> Result<Option<Vec<bool>>, String> {
        let claims = Claims::verified(json!({ "scope": scope }));
        let access = rights
            .access(&[ClaimPath::Member("scope".to_owned())], &claims, single_request)
            .map_err(|lacks| lacks.to_string())?;
        match access {
            Access::Stage => Ok(None),
            Access::Routes(decided) => Ok(Some(
                decided.states.into_iter().map(|state| state == RouteState::Open).collect(),
            )),
        }
    }

    fn refused(because: &str) -> Result<Option<Vec<bool>>, String> {
        Err(because.to_owned())
    }

    fn rights(required: &[&str], table: Value) -> Rights {
        let required = required.iter().map(ToString::to_string).collect();
        Rights { required, routes: table.is_object().then(|| parse(table).unwrap().into()) }
    }

    #[test]
    fn a_route_becomes_what_stands_in_an_arn() {
        for (route, expected) in [
            ("GET /", "GET/"),
            ("GET /pets", "GET/pets"),
            ("GET /pets/", "GET/pets/"),
            ("POST /pets/{petId}/toys", "POST/pets/*/toys"),
            ("PUT /{proxy+}", "PUT/*"),
            ("PATCH /v1/*", "PATCH/v1/*"),
            ("HEAD /a{b}c*d", "HEAD/a*c*d"),
            ("DELETE /-._~!$&'()+,;=:@%20", "DELETE/-._~!$&'()+,;=:@%20"),
            ("OPTIONS /a//b", "OPTIONS/a//b"),
            ("$connect", "$connect"),
        ] {
            assert_eq!(patterns_of(route), [expected], "{route}");
        }
        for route in ["ANY /*", "ANY /{proxy+}"] {
            assert_eq!(patterns_of(route), VERBS.map(|verb| format!("{verb}/*")), "{route}");
        }
        let any = patterns_of("ANY /pets/*");
        assert_eq!(any, VERBS.map(|verb| format!("{verb}/pets/*")));
        assert!(
            any.iter().all(|pattern| !pattern.starts_with('*')),
            "a `*` for a verb would match into paths"
        );
    }

    #[test]
    fn a_bad_route_is_named_with_what_is_wrong() {
        const NO_PATH: &str = "want a verb, one space and a path, as `GET /pets`";
        const VERB: &str = "the verb must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT";
        const SLASH: &str = "the path must begin with `/`";
        const CHARACTER: &str = "the path has a character that cannot stand in a route";
        const VARIABLE: &str = "`{` must begin a path variable, as `{petId}` or `{proxy+}`";
        for (route, expected) in [
            ("", NO_PATH),
            ("GET", NO_PATH),
            ("/pets", NO_PATH),
            ("GET/pets", NO_PATH),
            ("$default", NO_PATH),
            ("$disconnect", NO_PATH),
            ("$connect ", SLASH),
            ("GET pets", SLASH),
            ("GET ", SLASH),
            ("GET  /pets", SLASH),
            (" GET /pets", SLASH),
            ("GET https://example.com/pets", SLASH),
            (" /pets", VERB),
            ("get /pets", VERB),
            ("Any /pets", VERB),
            ("* /pets", VERB),
            ("TRACE /pets", VERB),
            ("CONNECT /pets", VERB),
            ("GET, /pets", VERB),
            ("GET /pets?all=1", CHARACTER),
            ("GET /pets#all", CHARACTER),
            ("GET /pets/a b", CHARACTER),
            ("GET /pets ", CHARACTER),
            ("GET /pets/}", CHARACTER),
            ("GET /p\u{e4}ts", CHARACTER),
            ("GET /pets\\", CHARACTER),
            ("GET /\"pets\"", CHARACTER),
            ("GET /<pets>", CHARACTER),
            ("GET /pets\n", CHARACTER),
            ("GET /[pets]", CHARACTER),
            ("GET /a|b", CHARACTER),
            ("GET /{pet", "`{` without `}`"),
            ("GET /{}", VARIABLE),
            ("GET /{+}", VARIABLE),
            ("GET /{pet id}", VARIABLE),
            ("GET /{a/b}", VARIABLE),
            ("GET /{a{b}}", VARIABLE),
            ("GET /{proxy++}", VARIABLE),
            ("GET /{*}", VARIABLE),
            ("GET /${aws:username}", "`${` cannot stand in a route"),
            ("GET /a${b}", "`${` cannot stand in a route"),
            ("GET /$${", "`${` cannot stand in a route"),
        ] {
            assert_eq!(
                parse(json!({ route: [] })).unwrap_err(),
                [format!("entry `{route}`: {expected}")]
            );
        }
    }

    #[test]
    fn a_table_has_entries_and_each_once() {
        let problems = parse(json!({})).unwrap_err();
        assert_eq!(
            problems,
            [r#"is empty: name at least one route, as {"GET /pets": ["pets:read"]}"#]
        );
        for (a, b) in [
            ("GET /pets/{id}", "GET /pets/{petId}"),
            ("GET /pets/*", "GET /pets/{id}"),
            ("GET /{id}", "GET /{proxy+}"),
            ("ANY /*", "ANY /{proxy+}"),
            ("ANY /pets/{a}", "ANY /pets/{b}"),
            ("GET /pets/{a}{b}", "GET /pets/{c}*"),
            ("ANY /**", "ANY /{proxy+}"),
        ] {
            let problems = parse(json!({ a: [], b: ["x"] })).unwrap_err();
            assert_eq!(
                problems,
                [format!("entry `{b}`: another entry stands for the same requests")]
            );
        }
        for (a, b) in
            [("GET /pets", "PUT /pets"), ("GET /pets", "GET /pets/"), ("ANY /pets", "GET /pets")]
        {
            assert!(parse(json!({ a: [], b: ["x"] })).is_ok(), "{a}, {b}");
        }
    }

    #[test]
    fn every_bad_entry_is_reported_at_once() {
        let problems =
            parse(json!({ "GET": [], "GET /": 1, "GET /ok": [], "get /": [] })).unwrap_err();
        let entries: Vec<_> =
            problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(entries, ["entry `GET`", "entry `GET /`", "entry `get /`"]);
    }

    #[test]
    fn scopes_come_from_strings_and_arrays() {
        let none: [&str; 0] = [];
        assert_eq!(held(&["scope"], json!({ "scope": "a b  c " })), ["a", "b", "c"]);
        assert_eq!(held(&["scp"], json!({ "scp": ["a", "b c", "a"] })), ["a", "b c"]);
        assert_eq!(
            held(&["scope", "scp"], json!({ "scope": "a b", "scp": ["b", "c"] })),
            ["a", "b", "c"]
        );
        assert_eq!(
            held(&["/realm_access/roles"], json!({ "realm_access": { "roles": ["admin"] } })),
            ["admin"]
        );
        assert_eq!(
            held(&["https://example.com/roles"], json!({ "https://example.com/roles": ["r"] })),
            ["r"]
        );
        assert_eq!(held(&["scope"], json!({ "scope": ["a", 1, null, ["b"], { "c": 1 }] })), ["a"]);
        assert_eq!(held(&["scope"], json!({ "scope": "a\tb,c" })), ["a\tb,c"]);
        for value in [
            json!(null),
            json!(1),
            json!(true),
            json!({ "a": true }),
            json!(""),
            json!(" "),
            json!([]),
        ] {
            assert_eq!(held(&["scope"], json!({ "scope": value })), none, "{value}");
        }
        assert_eq!(held(&["scope"], json!({ "Scope": "a", "scp": "b" })), none);
    }

    #[test]
    fn without_rights_to_ask_for_the_stage_is_open() {
        let rights = rights(&[], json!(null));
        for single_request in [None, Some("GET/pets"), Some("$connect")] {
            assert_eq!(access(&rights, "", single_request), Ok(None));
        }
    }

    #[test]
    fn required_scopes_are_all_needed() {
        let only_scopes = rights(&["a", "b"], json!(null));
        assert_eq!(access(&only_scopes, "b c a", None), Ok(None));
        assert_eq!(access(&only_scopes, "b", None), refused("scope `a`"));
        assert_eq!(access(&only_scopes, "a ab", None), refused("scope `b`"));
        assert_eq!(access(&only_scopes, "A B", None), refused("scope `a`"));
        assert_eq!(access(&only_scopes, "", Some("$connect")), refused("scope `a`"));

        let both = rights(&["a"], json!({ "GET /": [], "GET /x": ["x"] }));
        assert_eq!(access(&both, "x", None), refused("scope `a`"));
        assert_eq!(access(&both, "x", Some("GET/x")), refused("scope `a`"));
        assert_eq!(access(&both, "a", None), Ok(Some(vec![true, false])));
        assert_eq!(access(&both, "a x", None), Ok(Some(vec![true, true])));
    }

    #[test]
    fn a_scope_is_printable_ascii_without_quote_and_backslash() {
        for (text, is_scope) in [
            ("pets:read", true),
            ("!#[]~", true),
            ("", false),
            ("a b", false),
            ("a\"", false),
            ("a\\", false),
            ("a\u{7f}", false),
            ("p\u{e4}ts", false),
        ] {
            assert_eq!(super::is_scope(text), is_scope, "{text}");
        }
    }

    #[test]
    fn a_refusal_has_all_required_scopes_if_one_is_missing() {
        let rights = rights(&["b", "a"], json!({ "GET /x": ["x"] }));
        let required = rights.required.clone();
        for (scope, missing) in [("", Some("b")), ("b", Some("a")), ("a b", None), ("a b x", None)]
        {
            let claims = Claims::verified(json!({ "scope": scope }));
            let paths = [ClaimPath::Member("scope".to_owned())];
            let outcome = rights.access(&paths, &claims, None);
            let found = match outcome {
                Err(MissingRights::Scope { missing, required: all }) => {
                    assert_eq!(all, required);
                    Some(missing)
                }
                _ => None,
            };
            assert_eq!(found.as_deref(), missing, "{scope}");
        }
    }

    #[test]
    fn a_table_opens_what_the_token_has_all_scopes_for() {
        let rights = rights(&[], json!({ "GET /a": ["r"], "GET /b": ["r", "w"], "GET /c": ["w"] }));
        assert_eq!(access(&rights, "r", None), Ok(Some(vec![true, false, false])));
        assert_eq!(access(&rights, "w r", None), Ok(Some(vec![true, true, true])));
        assert_eq!(
            access(&rights, "x", None),
            refused("no route of the table is open to the token")
        );
    }

    #[test]
    fn one_request_passes_if_an_entry_matches_and_all_that_match_are_satisfied() {
        const CLOSED: &str = "the route is not open to the token";
        let rights = rights(
            &[],
            json!({ "ANY /*": [], "ANY /admin/*": ["admin"], "DELETE /{proxy+}": ["w"] }),
        );
        for (scope, request, is_open) in [
            ("", "GET/pets", true),
            ("", "GET/", true),
            ("", "GET/admin", true),
            ("", "GET/admin/", false),
            ("", "GET/admin/x", false),
            ("admin", "GET/admin/x", true),
            ("admin", "DELETE/admin/x", false),
            ("admin w", "DELETE/admin/x", true),
            ("w", "DELETE/admin/x", false),
            ("w", "DELETE/", true),
            ("admin", "PROPFIND/admin/x", false),
            ("w", "TRACE/", false),
        ] {
            let expected = if is_open { Ok(None) } else { refused(CLOSED) };
            assert_eq!(access(&rights, scope, Some(request)), expected, "{scope} {request}");
        }
    }

    #[test]
    fn an_entry_for_everything_closes_every_verb() {
        let rights = rights(&[], json!({ "ANY /*": ["all"], "GET /pets": [] }));
        for (scope, request, is_open) in [
            ("all", "GET/pets", true),
            ("all", "PROPFIND/pets", false),
            ("", "GET/pets", false),
            ("", "PROPFIND/pets", false),
        ] {
            let expected =
                if is_open { Ok(None) } else { refused("the route is not open to the token") };
            assert_eq!(access(&rights, scope, Some(request)), expected, "{scope} {request}");
        }
    }

    #[test]
    fn only_its_own_entry_opens_a_connection() {
        const CLOSED: &str = "the route is not open to the token";
        let wide = rights(&[], json!({ "ANY /*": [], "GET /$connect": [] }));
        assert_eq!(access(&wide, "", Some("$connect")), refused(CLOSED));
        assert_eq!(access(&wide, "", Some("GET/$connect")), Ok(None));

        let named = rights(&[], json!({ "ANY /*": ["x"], "$connect": ["chat"] }));
        assert_eq!(access(&named, "chat", Some("$connect")), Ok(None));
        assert_eq!(access(&named, "x", Some("$connect")), refused(CLOSED));
        assert_eq!(access(&named, "chat", Some("GET/$connect")), refused(CLOSED));
    }
}

#[cfg(test)]
#[path = "rights_tests.rs"]
mod own_tests;
