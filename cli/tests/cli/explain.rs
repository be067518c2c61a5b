//! `authorizer explain`: every check, every entry and every request, and nothing of the signature.

use serde_json::{Value, json};
use token_authorizer::Reason;

use crate::Ran;
use crate::support::tokens::{self, SigningKey};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://pets.example.com";

/// An issuer whose key is in the settings.
struct Trusted {
    key: SigningKey,
    settings: Vec<(&'static str, String)>,
}

impl Trusted {
    fn new(settings: &[(&'static str, &str)]) -> Self {
        let key = SigningKey::es256("k1");
        let jwks = tokens::jwks(&[&key]).to_string();
        let basic =
            [("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE), ("ALGORITHMS", "ES256"), ("JWKS", &jwks)];
        let settings = basic
            .iter()
            .chain(settings)
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        Self { key, settings }
    }

    fn token(&self, changes: Value) -> String {
        let mut claims = tokens::claims(ISSUER, AUDIENCE);
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.key.token(&claims)
    }

    fn explain(&self, arguments: &[&str]) -> String {
        let page = run(&self.settings, arguments, "").unwrap();
        for token in arguments.iter().filter(|argument| argument.len() > 100) {
            assert_keeps_the_signature(&page, token);
        }
        page
    }
}

/// Returns the output for any exit code, or the error if the call itself is wrong.
fn run(
    settings: &[(&'static str, String)],
    arguments: &[&str],
    input: &str,
) -> Result<String, String> {
    let ran = explained(settings, arguments, input);
    if ran.code == 2 { Err(ran.err) } else { Ok(ran.out) }
}

fn explained(settings: &[(&'static str, String)], arguments: &[&str], input: &str) -> Ran {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    crate::run(&settings, &[&["explain"], arguments].concat(), input)
}

/// Nor any piece of it, nor the token's other segments as they were sent.
#[track_caller]
fn assert_keeps_the_signature(page: &str, token: &str) {
    for segment in token.split('.') {
        let pieces = segment.as_bytes().windows(12).map(|piece| str::from_utf8(piece).unwrap());
        let shown: Vec<_> = pieces.filter(|piece| page.contains(piece)).collect();
        assert!(shown.is_empty(), "{shown:?} in:\n{page}");
    }
}

/// The checks as they were marked: `ok`, `REFUSED`, `UNKNOWN` or `-`.
fn marks(page: &str) -> Vec<(&str, &str)> {
    let words = page.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let steps = words.filter(|(mark, _)| ["ok", "REFUSED", "UNKNOWN", "-"].contains(mark));
    steps.map(|(mark, rest)| (mark, rest.split_whitespace().next().unwrap())).collect()
}

#[test]
fn the_failed_check_is_shown_with_those_before_and_after() {
    let trusted = Trusted::new(&[]);
    let forged = SigningKey::es256("k1").token(&tokens::claims(ISSUER, AUDIENCE));
    let hour_ago = tokens::now() - 3600;
    for (token, reason, found) in [
        (trusted.token(json!({"exp": hour_ago})), Reason::TokenExpired, " s ago"),
        (forged, Reason::SignatureInvalid, "claims (unverified)"),
        (
            trusted.token(json!({"aud": "https://cats.example.com"})),
            Reason::AudienceMismatch,
            "cats",
        ),
        (
            trusted.token(json!({"iss": "https://example.com"})),
            Reason::IssuerUntrusted,
            r#""https://example.com""#,
        ),
        (trusted.token(json!({"sub": null})), Reason::ClaimMissing, "claim `sub`"),
        ("a.b".to_owned(), Reason::TokenMalformed, "not three segments"),
        (" ".to_owned(), Reason::TokenMissing, "looked in authorizationToken"),
    ] {
        let page = trusted.explain(&[&token]);
        let expected: Vec<_> = Reason::ALL
            .map(|step| match step.cmp(&reason) {
                std::cmp::Ordering::Less => ("ok", step.code()),
                std::cmp::Ordering::Equal => ("REFUSED", step.code()),
                std::cmp::Ordering::Greater => ("-", step.code()),
            })
            .into();
        assert_eq!(marks(&page), expected, "{page}");
        assert!(page.contains(&format!("  Deny: {}", reason.code())), "{page}");
        assert!(page.contains(found), "{found} is not in:\n{page}");
        assert!(page.contains("closed GET /"), "{page}");
    }
}

#[test]
fn a_binding_is_explained_as_it_is_set() {
    let token = |trusted: &Trusted, cnf: Value| trusted.token(json!({ "cnf": cnf }));
    let named = json!({"x5t#S256": "thumbprint"});
    for (binding, cnf, mark, line) in [
        ("refuse", json!(null), "ok", "Allow"),
        ("refuse", named.clone(), "REFUSED", "claim `cnf`, which TOKEN_BINDING refuses"),
        ("certificate", json!(null), "ok", "Allow"),
        ("certificate", named.clone(), "REFUSED", "the event has no client certificate"),
        ("ignore", named, "ok", "Allow"),
    ] {
        let trusted = Trusted::new(&[("TOKEN_BINDING", binding)]);
        let page = trusted.explain(&[&token(&trusted, cnf)]);
        assert!(marks(&page).contains(&(mark, "token_binding_invalid")), "{page}");
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
}

#[test]
fn requests_are_decided_by_the_policy() {
    let routes =
        r#"{"GET /pets": ["pets:read"], "ANY /admin/{proxy+}": ["admin"], "POST /pets": []}"#;
    let trusted = Trusted::new(&[("ROUTES", routes), ("REVOKED", "{}")]);
    let token = trusted.token(json!({}));
    let every_step = trusted.explain(&[&token]);
    assert!(marks(&every_step).iter().all(|(mark, _)| *mark == "ok"), "{every_step}");
    assert_eq!(
        verdicts(&every_step),
        ["closed ANY /admin/{proxy+}", "open GET /pets", "open POST /pets"]
    );
    let asked = [&token, "GET", "/pets", "DELETE /pets", "$connect", "ANY /pets"];
    assert_eq!(
        verdicts(&trusted.explain(&asked)),
        [
            "open GET /pets",
            "closed DELETE /pets",
            "closed $connect",
            "closed DELETE /pets",
            "open GET /pets",
            "closed HEAD /pets",
            "closed OPTIONS /pets",
            "closed PATCH /pets",
            "open POST /pets",
            "closed PUT /pets",
        ]
    );
}

#[test]
fn every_entry_tells_what_it_is_and_every_request_which_entry_decided() {
    let own = json!({"any": ["users:read", {"path": {"id": "sub"}}]});
    let routes = json!({"GET /users/{id}": own, "POST /users": ["users:write"], "GET /users/{id}/{rest+}": own});
    let trusted = Trusted::new(&[("ROUTES", &routes.to_string())]);
    let page = trusted.explain(&[
        &trusted.token(json!({})),
        "GET /users/user-1",
        "GET /users/bob",
        "GET /x//y",
    ]);
    for line in [
        "GET /users/{id}: open for `sub` = user-1",
        "POST /users: closed: needs users:write",
        "open   GET /users/user-1  (entry `GET /users/{id}` is open)",
        "closed GET /users/bob  (nothing in the policy matches; a resource policy of the API could still allow it; entry \
         `GET /users/{id}` is open for the caller's own, and this is another's)",
        "closed GET /x//y  (a Deny of the policy matches; PATH_GUARD refuses the path)",
    ] {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
    let page = trusted.explain(&[&trusted.token(json!({"sub": "auth0|1"})), "POST /users"]);
    let lacking = "GET /users/{id}: closed: needs users:read, or id = sub: the token's `sub` has a character that is not \
                   allowed in a path";
    assert!(page.contains(lacking), "{page}");
    assert!(page.contains("entry `POST /users` is closed"), "{page}");

    let trusted = Trusted::new(&[("ROUTES", &routes.to_string()), ("REQUIRED_SCOPES", "api")]);
    let page = trusted.explain(&[&trusted.token(json!({}))]);
    assert!(page.contains("none counts: the token lacks api"), "{page}");
}

/// What the page says about requests, without the reasons.
fn verdicts(page: &str) -> Vec<String> {
    let lines = page
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("open ") || line.starts_with("closed "));
    let verdicts = lines.map(|line| {
        line.split("  (").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    });
    verdicts.collect()
}

#[test]
fn a_token_may_come_as_argument_file_event_or_standard_input() {
    let trusted = Trusted::new(&[("TOKEN_SOURCE", "cookie:session")]);
    let token = trusted.token(json!({}));
    let arn = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/GET/pets";
    let event = json!({"type": "REQUEST", "methodArn": arn, "headers": {"Cookie": format!("a=b; session={token}")}});
    for input in [token.clone(), format!("Bearer {token}\n"), event.to_string()] {
        let page = run(&trusted.settings, &["-"], &input).unwrap();
        assert!(page.contains("  Allow\n") && page.contains(r#""sub": "user-1""#), "{page}");
        assert!(page.contains("open   GET /"), "{page}");
        assert_keeps_the_signature(&page, &token);
    }
}

#[test]
fn without_settings_a_provider_on_this_machine_stands_in() {
    for (arguments, expected) in [
        (&["events/token-allowed.json"][..], "  Allow\n"),
        (&["events/token-expired.json"], "  Deny: token_expired"),
        (&["events/token-no-bearer.json"], "  Deny: token_malformed"),
        (&["events/rest-request.json"], "  Allow\n"),
        (&["events/http-2.0.json"], "  Allow\n"),
        (&["events/websocket-connect.json"], "open   $connect\n"),
        (&["{{token:forged}}"], "  Deny: signature_invalid\n"),
        (&["{{token:audience}}"], "  Deny: audience_mismatch"),
        (&["{\"no\": \"event\"}"], "no verdict: event_unsupported"),
    ] {
        let page = run(&[], arguments, "").unwrap();
        assert!(page.contains(expected), "{expected} is not in:\n{page}");
    }
}

#[test]
fn keys_that_cannot_be_had_are_told_from_a_bad_token() {
    let mut trusted = Trusted::new(&[]);
    trusted.settings.retain(|(name, _)| *name != "JWKS");
    // Port 1 of this machine: nobody listens there.
    trusted.settings.push(("JWKS_URI", "http://127.0.0.1:1/keys".to_owned()));
    let page = trusted.explain(&[&trusted.token(json!({}))]);
    assert!(marks(&page).contains(&("UNKNOWN", "key_unknown")), "{page}");
    assert!(page.contains("the last fetch failed: connect: "), "{page}");
    assert!(page.contains("no verdict: keys_unavailable"), "{page}");
    assert!(page.contains("there is no policy"), "{page}");
}

#[test]
fn a_revocation_list_is_a_check_of_its_own() {
    let token = |trusted: &Trusted| trusted.token(json!({"jti": "token-x", "sid": "session-x"}));
    let trusted = Trusted::new(&[("REVOKED", r#"{"sid": ["session-x", "session-y"]}"#)]);
    let page = trusted.explain(&[&token(&trusted)]);
    assert!(marks(&page).contains(&("REFUSED", "token_revoked")), "{page}");
    assert!(marks(&page).contains(&("-", "insufficient_scope")), "{page}");
    for line in [
        "Revocation list\n  2 entries\n",
        "add the authorizer's time to live",
        "its `sid` is listed\n",
        "  Deny: token_revoked (its `sid` is listed)",
    ] {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
    assert!(!page.contains("session-y"), "{page}");
    // Port 1 of this machine: nobody listens there.
    let trusted = Trusted::new(&[("REVOKED", "http://127.0.0.1:1/list?signature=QUERY")]);
    let page = trusted.explain(&[&token(&trusted)]);
    assert!(marks(&page).contains(&("UNKNOWN", "token_revoked")), "{page}");
    assert!(marks(&page).contains(&("ok", "claim_invalid")), "{page}");
    assert!(page.contains("no verdict: revocations_unavailable"), "{page}");
    assert!(page.contains("the last fetch failed: connect: "), "{page}");
    assert!(!page.contains("QUERY"), "{page}");
    let trusted = Trusted::new(&[]);
    let page = trusted.explain(&[&token(&trusted)]);
    assert!(marks(&page).contains(&("ok", "token_revoked")), "{page}");
    assert!(!page.contains("Revocation list"), "{page}");
}

#[test]
fn refusal_unauthorized_has_its_reason_all_the_same() {
    let trusted = Trusted::new(&[("REFUSAL", "unauthorized"), ("REQUIRED_SCOPES", "pets:read")]);
    let page = trusted.explain(&[&trusted.token(json!({"exp": 1}))]);
    assert!(page.contains("Deny: token_expired") && page.contains("answers 401"), "{page}");
    let page = trusted.explain(&[&trusted.token(json!({"scope": "none"}))]);
    assert!(
        page.contains("Deny: insufficient_scope (scope `pets:read`)")
            && !page.contains("answers 401"),
        "{page}"
    );
}

#[test]
fn each_issuer_is_explained_by_its_own_settings() {
    let trusted = Trusted::new(&[]);
    let jwks = tokens::jwks(&[&trusted.key]);
    let issuers = json!([
        {"issuer": "https://example.com", "audience": "other", "jwks": jwks, "algorithms": "ES256"},
        {"issuer": ISSUER, "audience": [AUDIENCE], "algorithms": ["ES256"], "jwks": jwks, "token_types": "JWT"},
    ]);
    let settings = [("ISSUERS", issuers.to_string())];
    for (token, line) in [
        (trusted.token(json!({})), "  Allow\n"),
        (
            trusted.token(json!({"iss": "x"})),
            "`iss` must be exactly https://example.com or https://login.",
        ),
        (trusted.token(json!({"aud": "other"})), "`aud` must hold https://pets.example.com\n"),
        (trusted.token(json!({"iss": "https://example.com"})), "`aud` must hold other\n"),
        (
            trusted.key.token_with(
                &json!({"alg": "ES256", "typ": "at+jwt"}),
                &tokens::claims(ISSUER, AUDIENCE),
            ),
            "`typ` must be jwt, in any letter case\n",
        ),
    ] {
        let page = run(&settings, &[&token], "").unwrap();
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
}

#[test]
fn another_name_of_a_trusted_issuer_is_recognized() {
    let original = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01";
    let updated = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01";
    let page = |settings: &[(&'static str, &str)], iss: &str, tid: Value| {
        let trusted = Trusted::new(settings);
        trusted.explain(&[&trusted.token(json!({"iss": iss, "tid": tid}))])
    };
    let same_pool = "another name of the user pool";
    for (trusted, iss, is_told) in [
        (original, updated, true),
        (updated, original, true),
        (original, &*updated.replace("Example01", "Example02"), false),
        (original, &*updated.replace("eu-west-1.", "eu-west-2."), false),
        (original, "https://example.com", false),
        ("https://example.com", updated, false),
    ] {
        let page = page(&[("ISSUER", trusted)], iss, json!(null));
        assert!(page.contains("  Deny: issuer_untrusted"), "{page}");
        assert_eq!(page.contains(same_pool), is_told, "{trusted} {iss}: {page}");
    }
    let both = format!("{original} {updated}");
    let page_of_both = page(&[("ISSUER", &both)], updated, json!(null));
    assert!(page_of_both.contains("  Allow\n"), "{page_of_both}");
    assert!(!page_of_both.contains(same_pool), "{page_of_both}");

    let template = "https://login.example.com/{tid}/v2.0";
    let of = |tenant: &str| template.replace("{tid}", tenant);
    for (tenants, wanted) in [
        ("any", "`iss` must be exactly https://login.example.com/{tid}/v2.0 for any `tid`"),
        (
            "a, b",
            "`iss` must be exactly https://login.example.com/{tid}/v2.0 for a `tid` of 2 TENANTS",
        ),
    ] {
        let settings = [("ISSUER", template), ("TENANTS", tenants)];
        let refused = page(&settings, &of("a"), json!("b"));
        assert!(refused.contains(wanted), "{refused}");
        assert!(refused.contains(r#""tid": "b""#), "{refused}");
        let allowed = page(&settings, &of("a"), json!("a"));
        assert!(allowed.contains("  Allow\n"), "{allowed}");
        assert!(allowed.contains("usable, of https://login.example.com/{tid}/v2.0"), "{allowed}");
    }
}

#[test]
fn only_keys_that_are_of_use_to_the_issuer_are_counted() {
    let mut trusted = Trusted::new(&[]);
    let both = tokens::jwks(&[&trusted.key, &SigningKey::rsa("r")]).to_string();
    for (algorithms, usable) in [("ES256", "1 usable"), ("ES256 RS256", "2 usable")] {
        trusted.settings.retain(|(name, _)| !["ALGORITHMS", "JWKS"].contains(name));
        trusted.settings.extend([("ALGORITHMS", algorithms.to_owned()), ("JWKS", both.clone())]);
        let page = trusted.explain(&[&trusted.token(json!({}))]);
        assert!(page.contains("  Allow\n") && page.contains(usable), "{page}");
    }
}

#[test]
fn the_table_is_that_of_the_token_s_issuer() {
    let trusted = Trusted::new(&[]);
    let jwks = tokens::jwks(&[&trusted.key]);
    let other = "https://example.com";
    let issuers = json!([
        {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": "ES256", "jwks": jwks},
        {"issuer": other, "audience": AUDIENCE, "algorithms": "ES256", "jwks": jwks,
            "required_scopes": ["partner"], "routes": {"GET /pets": ["pets"]}},
    ]);
    let settings =
        [("ISSUERS", issuers.to_string()), ("ROUTES", json!({"GET /cats": ["cats"]}).to_string())];
    for (iss, scope, entry, not) in [
        (ISSUER, "cats", "GET /cats", "GET /pets"),
        (other, "partner pets", "GET /pets", "GET /cats"),
    ] {
        let token = trusted.token(json!({"iss": iss, "scope": scope}));
        let page = run(&settings, &[&token], "").unwrap();
        assert!(page.contains("  Allow\n"), "{page}");
        assert!(page.contains(entry) && !page.contains(not), "{page}");
    }
}

#[test]
fn nothing_in_a_token_drives_the_terminal() {
    let trusted = Trusted::new(&[]);
    let page = trusted
        .explain(&[&trusted.token(json!({"sub": "\u{1b}[31m\u{9b}\u{202e}\u{7f}", "jti": "é\n"}))]);
    assert!(page.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{page:?}");
    assert!(page.contains("é\\n"), "{page}");
}

#[test]
fn a_verdict_can_be_expected() {
    let trusted = Trusted::new(&[]);
    let (good, late) = (trusted.token(json!({})), trusted.token(json!({"exp": 1})));
    for (token, word, is_expected) in [
        (&good, "allow", true),
        (&good, "deny", false),
        (&good, "token_expired", false),
        (&late, "deny", true),
        (&late, "token_expired", true),
        (&late, "audience_mismatch", false),
        (&late, "allow", false),
        (&"{}".to_owned(), "event_unsupported", true),
        (&"{}".to_owned(), "deny", false),
    ] {
        let explained = explained(&trusted.settings, &["--expect", word, token], "");
        assert_eq!(explained.code, i32::from(!is_expected), "{word}: {}", explained.out);
    }
    let error = run(&trusted.settings, &["--expect", "alow", &good], "").unwrap_err();
    assert!(
        error.contains("--expect must be `allow`, `deny` or a reason: token_missing "),
        "{error}"
    );
}

#[test]
fn the_location_of_the_credential_is_shown() {
    let trusted = Trusted::new(&[("TOKEN_SOURCE", "header:Authorization, query:token")]);
    let arn = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/GET/pets";
    let event = json!({
        "type": "REQUEST", "methodArn": arn, "headers": {"Authorization": " "},
        "queryStringParameters": {"token": trusted.token(json!({}))},
    });
    let page = trusted.explain(&[&event.to_string()]);
    assert!(
        page.contains("in query:token")
            && page.contains("  Allow\n")
            && page.contains("open   GET /pets\n"),
        "{page}"
    );
}

#[test]
fn what_is_wrong_is_said_without_an_echo() {
    let trusted = Trusted::new(&[("REFUSAL", "no")]);
    let token = trusted.token(json!({}));
    for (arguments, expected) in [
        (&[][..], "Usage: "),
        (&["Bearer", &token], "a request must be `VERB /path`"),
        (&[&token, "get /pets"], "a request must be `VERB /path`"),
        (&["events/none.json"], "events/none.json: No such file"),
        (&[&token], "REFUSAL: `no`: must be `deny` or `unauthorized`"),
    ] {
        let error = run(&trusted.settings, arguments, "").unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert_keeps_the_signature(&error, &token);
    }
}

#[test]
fn color_only_adds_color() {
    let trusted = Trusted::new(&[]);
    let token = trusted.token(json!({"iss": "https://example.com"}));
    let page = |color| run(&trusted.settings, &["--color", color, &token], "").unwrap();
    let (plain, colored) = (page("never"), page("always"));
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}[31m"));
    assert_eq!(page("auto"), plain);
    let (first, rest) = colored.split_once("\u{1b}[").unwrap();
    let rest = rest.split("\u{1b}[").map(|part| part.split_once('m').unwrap().1);
    let bare = first.to_owned() + &rest.collect::<String>();
    assert_eq!(bare, plain);
}

#[test]
fn a_path_that_looks_like_a_mistake_is_pointed_out() {
    let trusted = Trusted::new(&[("ROUTES", r#"{"GET /orders/:id": [], "GET /dev/pets": []}"#)]);
    let arn = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/GET/pets";
    let token = format!("Bearer {}", trusted.token(json!({})));
    let event = json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": token}).to_string();
    let page =
        |requests: &[&str]| run(&trusted.settings, &[&["-"], requests].concat(), &event).unwrap();
    let entries = page(&[]);
    for line in [
        "warning: `:id` is a literal segment here: a variable is written `{id}`",
        "warning: `/dev` is the stage's name, which is not part of the path: leave it out",
    ] {
        assert_eq!(entries.matches(line).count(), 1, "{line} is not in:\n{entries}");
    }
    assert!(!page(&["GET /pets/a:b", "GET /pets/dev"]).contains("warning"));
}

#[test]
fn every_request_is_decided_by_a_policy_of_its_own() {
    let trusted = Trusted::new(&[
        ("ROUTES", r#"{"GET /a": [], "GET /b": ["b"]}"#),
        ("SIMPLE_RESPONSE", "on"),
    ]);
    let event = json!({
        "version": "2.0", "type": "REQUEST", "routeKey": "GET /a",
        "routeArn": "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/GET/a",
        "headers": {"authorization": format!("Bearer {}", trusted.token(json!({})))},
    });
    let page = run(&trusted.settings, &["-", "GET /a", "GET /b"], &event.to_string()).unwrap();
    assert_eq!(verdicts(&page), ["open GET /a", "closed GET /b"]);
}

#[test]
fn a_script_gets_json() {
    let trusted =
        Trusted::new(&[("ROUTES", r#"{"GET /pets": ["pets:read"], "POST /pets": ["x"]}"#)]);
    let ask = |claims: Value| {
        let token = trusted.token(claims);
        let ran = explained(&trusted.settings, &["--format", "json", "-", "GET /pets"], &token);
        assert_keeps_the_signature(&ran.out, &token);
        (ran.code, ran.json())
    };
    let (code, allowed) = ask(json!({"sub": "alice"}));
    assert_eq!((code, &allowed["verdict"], &allowed["reason"]), (0, &json!("allow"), &Value::Null));
    assert_eq!(allowed["token"]["claims"]["sub"], "alice");
    assert_eq!(allowed["requests"][0]["open"], true);
    assert_eq!(allowed["entries"][1]["state"], "closed: needs x");
    let (code, refused) = ask(json!({"exp": 1}));
    assert_eq!(
        (code, &refused["verdict"], &refused["reason"]),
        (0, &json!("deny"), &json!("token_expired"))
    );
    assert_eq!(refused["requests"][0]["open"], false);
    assert_eq!(refused["checks"].as_array().unwrap().len(), Reason::ALL.len());
}

#[test]
fn the_ids_of_the_keys_are_shown_if_the_token_names_another() {
    let mut trusted = Trusted::new(&[]);
    let jwks = tokens::jwks(&[&trusted.key, &SigningKey::es256("k2")]).to_string();
    trusted.settings.iter_mut().find(|(name, _)| *name == "JWKS").unwrap().1 = jwks;
    let ids = "2 usable, of https://login.example.com\n  with the ids k1, k2\n";
    let page = trusted.explain(&[&trusted.token(json!({}))]);
    assert!(!page.contains("with the ids"), "{page}");
    let unknown = SigningKey::es256("k3").token(&tokens::claims(ISSUER, AUDIENCE));
    let page = trusted.explain(&[&unknown]);
    assert!(page.contains("Deny: key_unknown") && page.contains(ids), "{page}");
}

#[test]
fn what_the_trial_would_refuse_is_shown() {
    let trusted = Trusted::new(&[("TRIAL", r#"{"audience": ["https://cats.example.com"]}"#)]);
    let token = trusted.token(json!({}));
    let page = trusted.explain(&[&token]);
    let heading = "Trial\n  the settings of TRIAL would refuse it: audience_mismatch\n";
    assert!(page.contains("  Allow\n") && page.contains(heading), "{page}");
    let ran = explained(&trusted.settings, &["--format", "json", "-"], &token);
    assert_eq!(ran.json()["trial"], "audience_mismatch");
}

#[test]
fn the_end_of_a_sign_in_is_not_that_of_the_policy() {
    let trusted =
        Trusted::new(&[("ROUTES", r#"{"GET /pets": [{"max_age": 300}], "PUT /pets": []}"#)]);
    let token = trusted.token(json!({"auth_time": tokens::now(), "exp": 4_102_444_800_u64}));
    let page = trusted.explain(&[&token, "GET /pets"]);
    assert!(
        page.contains("From 2100-01-01T00:00:00Z on, this policy refuses everything."),
        "{page}"
    );
    assert!(page.contains("on closed, because the sign-in is too old by then"), "{page}");
    let old = trusted.token(json!({"auth_time": tokens::now() - 1000}));
    let page = trusted.explain(&[&old, "GET /pets"]);
    assert!(
        page.contains("closed: needs a sign-in at most 300 s ago: by `auth_time` it was 10"),
        "{page}"
    );
    assert!(
        page.contains(r#"error=\"insufficient_user_authentication\", max_age=\"300\""#),
        "{page}"
    );
}
