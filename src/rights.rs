//! What a good token may do: scopes it must have, and rights by route.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::reason::{Denial, Reason};
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
            let mut matching = decided.iter().filter(|(entry, is_open)| entry.matches(request, *is_open)).peekable();
            return if matching.peek().is_some() && matching.all(|(_, is_open)| *is_open) {
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

/// One entry of the table: the requests it stands for, by what their ARNs have after the stage, as IAM patterns:
/// `GET/pets/*`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// As it stands in the table.
    pub(crate) name: String,
    /// What is allowed where the entry is open.
    allowed: Vec<String>,
    /// What is denied where it is closed: the same, but for `ANY /*`, which closes the stage to other verbs, too.
    denied: Vec<String>,
    /// The numbers of the scopes that are all needed.
    scopes: Vec<usize>,
}

impl Entry {
    pub(crate) fn patterns(&self, is_open: bool) -> &[String] {
        if is_open { &self.allowed } else { &self.denied }
    }

    /// Whether a request's `VERB/path`, as it stands in an ARN after the stage, is one of those that the entry opens
    /// or closes. A connection has an entry of its own: no other entry opens it, not even that for everything.
    fn matches(&self, request: &str, is_open: bool) -> bool {
        let is_connect = |pattern: &str| pattern == CONNECT;
        let matches = |pattern: &String| is_connect(pattern) == is_connect(request) && glob(pattern, request);
        self.patterns(is_open).iter().any(matches)
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
            let entry = patterns(route).and_then(|allowed| {
                let scopes = scope_list(scopes).ok_or("its scopes are not an array of strings, as [\"pets:read\"]")?;
                let denied = if allowed == everything() { vec!["*".to_owned()] } else { allowed.clone() };
                Ok(Entry {
                    name: route.clone(),
                    allowed,
                    denied,
                    scopes: scopes.map(|scope| routes.number(scope)).collect(),
                })
            });
            match entry {
                Ok(entry) if routes.entries.iter().any(|other| other.allowed == entry.allowed) => {
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
    if path.contains("${") {
        return Err("`${` cannot stand in a route");
    }
    let path = path_pattern(path)?;
    match verb {
        "ANY" => Ok(VERBS.map(|verb| format!("{verb}/{path}")).into()),
        verb if VERBS.contains(&verb) => Ok(vec![format!("{verb}/{path}")]),
        _ => Err("the verb must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT"),
    }
}

/// What `ANY /*` allows: a `*` alone would allow verbs that no entry can name.
fn everything() -> [String; 7] {
    VERBS.map(|verb| format!("{verb}/*"))
}

/// A path as an IAM pattern: `{name}` and `{name+}` become `*`. `?`, IAM's any one character, cannot stand in a
/// route, and no `{` is left that could make a policy variable.
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
    Ok(pattern)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(table: Value) -> Result<Routes, Vec<String>> {
        Routes::parse(table.as_object().unwrap())
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
    fn grant(rights: &Rights, scope: &str, only: Option<&str>) -> Result<Option<Vec<bool>>, Denial> {
        let claims = Claims::verified(json!({ "scope": scope }));
        match rights.grant(&[ClaimPath::Member("scope".to_owned())], &claims, only)? {
            Grant::Stage => Ok(None),
            Grant::Routes(entries) => Ok(Some(entries.into_iter().map(|(_, open)| open).collect())),
        }
    }

    fn rights(required: &[&str], table: Value) -> Rights {
        let required = required.iter().map(ToString::to_string).collect();
        Rights { required, routes: table.is_object().then(|| parse(table).unwrap()) }
    }

    fn refused(because: &'static str) -> Result<Option<Vec<bool>>, Denial> {
        Err(Reason::InsufficientScope.because(because))
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
        assert!(any.iter().all(|pattern| !pattern.starts_with('*')), "a `*` for a verb would match into paths");
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
            assert_eq!(parse(json!({ route: [] })).unwrap_err(), [format!("entry `{route}`: {expected}")]);
        }
    }

    #[test]
    fn scopes_of_an_entry_are_an_array_of_strings() {
        for scopes in [
            json!(null),
            json!("pets:read"),
            json!(true),
            json!(1),
            json!({}),
            json!([1]),
            json!(["pets:read", null]),
            json!([["pets:read"]]),
            json!([""]),
        ] {
            let problems = parse(json!({ "GET /pets": scopes })).unwrap_err();
            let expected = r#"entry `GET /pets`: its scopes are not an array of strings, as ["pets:read"]"#;
            assert_eq!(problems, [expected], "{scopes}");
        }
        for scopes in [json!([]), json!(["a"]), json!(["a", "a"]), json!(["two words"])] {
            assert!(parse(json!({ "GET /pets": scopes })).is_ok(), "{scopes}");
        }
    }

    #[test]
    fn a_table_has_entries_and_each_once() {
        let problems = parse(json!({})).unwrap_err();
        assert_eq!(problems, [r#"is empty: name at least one route, as {"GET /pets": ["pets:read"]}"#]);
        for (a, b) in [
            ("GET /pets/{id}", "GET /pets/{petId}"),
            ("GET /pets/*", "GET /pets/{id}"),
            ("GET /{id}", "GET /{proxy+}"),
            ("ANY /*", "ANY /{proxy+}"),
            ("ANY /pets/{a}", "ANY /pets/{b}"),
        ] {
            let problems = parse(json!({ a: [], b: ["x"] })).unwrap_err();
            assert_eq!(problems, [format!("entry `{b}`: another entry stands for the same requests")]);
        }
        for (a, b) in [("GET /pets", "PUT /pets"), ("GET /pets", "GET /pets/"), ("ANY /pets", "GET /pets")] {
            assert!(parse(json!({ a: [], b: ["x"] })).is_ok(), "{a}, {b}");
        }
    }

    #[test]
    fn every_bad_entry_is_reported_at_once() {
        let problems = parse(json!({ "GET": [], "GET /": 1, "GET /ok": [], "get /": [] })).unwrap_err();
        let entries: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(entries, ["entry `GET`", "entry `GET /`", "entry `get /`"]);
    }

    #[test]
    fn scopes_come_from_strings_and_arrays() {
        let none: [&str; 0] = [];
        assert_eq!(held(&["scope"], json!({ "scope": "a b  c " })), ["a", "b", "c"]);
        assert_eq!(held(&["scp"], json!({ "scp": ["a", "b c", "a"] })), ["a", "b c"]);
        assert_eq!(held(&["scope", "scp"], json!({ "scope": "a b", "scp": ["b", "c"] })), ["a", "b", "c"]);
        assert_eq!(held(&["/realm_access/roles"], json!({ "realm_access": { "roles": ["admin"] } })), ["admin"]);
        assert_eq!(held(&["https://example.com/roles"], json!({ "https://example.com/roles": ["r"] })), ["r"]);
        assert_eq!(held(&["scope"], json!({ "scope": ["a", 1, null, ["b"], { "c": 1 }] })), ["a"]);
        assert_eq!(held(&["scope"], json!({ "scope": "a\tb,c" })), ["a\tb,c"]);
        for value in [json!(null), json!(1), json!(true), json!({ "a": true }), json!(""), json!(" "), json!([])] {
            assert_eq!(held(&["scope"], json!({ "scope": value })), none, "{value}");
        }
        assert_eq!(held(&["scope"], json!({ "Scope": "a", "scp": "b" })), none);
    }

    #[test]
    fn without_rights_to_ask_for_the_stage_is_open() {
        let rights = rights(&[], json!(null));
        for only in [None, Some("GET/pets"), Some("$connect")] {
            assert_eq!(grant(&rights, "", only), Ok(None));
        }
    }

    #[test]
    fn required_scopes_are_all_needed() {
        let only_scopes = rights(&["a", "b"], json!(null));
        assert_eq!(grant(&only_scopes, "b c a", None), Ok(None));
        assert_eq!(grant(&only_scopes, "b", None), refused("scope `a`"));
        assert_eq!(grant(&only_scopes, "a ab", None), refused("scope `b`"));
        assert_eq!(grant(&only_scopes, "A B", None), refused("scope `a`"));
        assert_eq!(grant(&only_scopes, "", Some("$connect")), refused("scope `a`"));

        let both = rights(&["a"], json!({ "GET /": [], "GET /x": ["x"] }));
        assert_eq!(grant(&both, "x", None), refused("scope `a`"));
        assert_eq!(grant(&both, "x", Some("GET/x")), refused("scope `a`"));
        assert_eq!(grant(&both, "a", None), Ok(Some(vec![true, false])));
        assert_eq!(grant(&both, "a x", None), Ok(Some(vec![true, true])));
    }

    #[test]
    fn a_table_opens_what_the_token_has_all_scopes_for() {
        let rights = rights(&[], json!({ "GET /a": ["r"], "GET /b": ["r", "w"], "GET /c": ["w"] }));
        assert_eq!(grant(&rights, "r", None), Ok(Some(vec![true, false, false])));
        assert_eq!(grant(&rights, "w r", None), Ok(Some(vec![true, true, true])));
        assert_eq!(grant(&rights, "x", None), refused("no route of the table is open to the token"));
    }

    #[test]
    fn one_request_passes_if_an_entry_matches_and_all_that_match_are_satisfied() {
        const CLOSED: &str = "the route is not open to the token";
        let rights = rights(&[], json!({ "ANY /*": [], "ANY /admin/*": ["admin"], "DELETE /{proxy+}": ["w"] }));
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
            assert_eq!(grant(&rights, scope, Some(request)), expected, "{scope} {request}");
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
            let expected = if is_open { Ok(None) } else { refused("the route is not open to the token") };
            assert_eq!(grant(&rights, scope, Some(request)), expected, "{scope} {request}");
        }
    }

    #[test]
    fn only_its_own_entry_opens_a_connection() {
        const CLOSED: &str = "the route is not open to the token";
        let wide = rights(&[], json!({ "ANY /*": [], "GET /$connect": [] }));
        assert_eq!(grant(&wide, "", Some("$connect")), refused(CLOSED));
        assert_eq!(grant(&wide, "", Some("GET/$connect")), Ok(None));

        let named = rights(&[], json!({ "ANY /*": ["x"], "$connect": ["chat"] }));
        assert_eq!(grant(&named, "chat", Some("$connect")), Ok(None));
        assert_eq!(grant(&named, "x", Some("$connect")), refused(CLOSED));
        assert_eq!(grant(&named, "chat", Some("GET/$connect")), refused(CLOSED));
    }
}
