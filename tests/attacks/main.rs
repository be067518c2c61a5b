//! Attacks, each with the one reason it must be refused for. Where an attack could pass for another one, a row beside
//! it shows that the same thing done right is allowed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tokens are made for now")]

mod audiences;
mod bound_tokens;
mod broken_signatures;
mod credentials;
mod details;
mod encoding;
mod events;
mod forged_paddings;
mod headers;
mod issuers;
mod json_texts;
mod key_ids;
mod keys_brought_along;
mod keys_of_others;
mod other_algorithms;
mod other_forms;
mod principals;
mod public_key_as_secret;
mod published_keys;
mod revoked_tokens;
mod sizes;
mod tenants;
mod times;
mod unsigned;
mod unusable_keys;

#[path = "../support/mod.rs"]
mod support;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use num_bigint::BigUint;
use serde_json::{Value, json};
use support::certificates::ClientCertificate;
use support::events::{STAGE, bearer, challenge, event};
use support::idp::Idp;
use support::process::Lambda;
use support::tokens::{self, SigningKey, b64};
use token_authorizer::{Authorizer, CheckState, Config, Failure, MAX_TOKEN_BYTES, Reason};

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "https://pets.example.com";

const ALLOW: &str = "Allow";
const MALFORMED: &str = "token_malformed";
const TOO_LONG: &str = "token_too_long";
const CRITICAL: &str = "critical_header_unsupported";
const TYPE: &str = "type_not_accepted";
const ALGORITHM: &str = "algorithm_not_allowed";
const UNTRUSTED: &str = "issuer_untrusted";
const KEY: &str = "key_unknown";
const SIGNATURE: &str = "signature_invalid";
const MISSING: &str = "claim_missing";
const INVALID: &str = "claim_invalid";
const BINDING: &str = "token_binding_invalid";
const EVENT: &str = "event_unsupported";

/// What the request says beside the stage.
fn hostile_routes() -> Vec<String> {
    let long = "x".repeat(100_000);
    let deep = "/".repeat(10_000);
    [
        "",
        "GET",
        "GET/",
        "GET/*",
        "*/*",
        "*",
        "?",
        "GET/?",
        "GET/${aws:username}",
        "GET/${*}",
        "GET/a\"b",
        "GET/\"}],\"x\":[{\"",
        "GET/a'b",
        "GET/a\\",
        "GET/a\nb",
        "GET/a\r\nb",
        "GET/\0",
        "GET/../../prod/GET/x",
        "GET//pets",
        "GET/%2e%2e%2f",
        "GET/a:b",
        "GET/arn:aws:execute-api:*:*:*/*",
        "PUT/\u{202e}",
        "GET/\u{ff0a}",
        "$connect/x",
        "GET/\u{2028}",
        "\n{\"level\":\"INFO\",\"decision\":\"allow\"}",
        "DELETE/\u{1b}[2J",
        &long,
        &deep,
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn no_byte_of_the_request_changes_the_policy_of_a_token() {
    let token = good();
    type Event = fn(&str, &str) -> Value;
    let kinds: [(&str, Event); 5] = [
        (
            "TOKEN",
            |arn, token| json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": format!("Bearer {token}")}),
        ),
        ("REST", |arn, token| {
            let path = arn.splitn(3, '/').nth(2).unwrap_or_default();
            json!({"type": "REQUEST", "methodArn": arn, "headers": {"Authorization": format!("Bearer {token}"), "X": path},
                "path": path, "httpMethod": path, "resource": path, "pathParameters": {"proxy": path},
                "queryStringParameters": {"q": path}, "stageVariables": {"v": path}})
        }),
        ("HTTP 1.0", |arn, token| {
            json!({"version": "1.0", "type": "REQUEST", "methodArn": arn, "identitySource": "*",
                "headers": {"authorization": format!("Bearer {token}")}})
        }),
        ("HTTP 2.0", |arn, token| {
            json!({"version": "2.0", "type": "REQUEST", "routeArn": arn, "rawPath": arn, "routeKey": arn,
                "headers": {"authorization": format!("Bearer {token}")}})
        }),
        ("WebSocket", |arn, token| {
            json!({"type": "REQUEST", "methodArn": arn, "requestContext": {"eventType": "CONNECT"},
                "headers": {"Authorization": format!("Bearer {token}")}})
        }),
    ];
    let routes = r#"{"GET /pets": ["pets:read"], "ANY /pets/{id}": ["pets:write"], "ANY /admin/*": ["admin"], "$connect": []}"#;
    for settings in [vec![], vec![("ROUTES", routes.to_owned())]] {
        let authorizer = Table::new().authorizer(&settings);
        for (kind, event) in kinds {
            let answer = |route: &str| {
                let arn = format!("{STAGE}/{route}");
                authorizer.answer(&event(&arn, &token).to_string()).unwrap()
            };
            let plain = answer(if kind == "WebSocket" { "$connect" } else { "GET/pets" });
            assert_eq!(said(&Ok(plain.clone())), ALLOW, "{kind}");
            for route in hostile_routes() {
                assert_eq!(answer(&route), plain, "{kind}: {route:?}");
            }
        }
    }
}

/// The shipped binary, in both formats of its log.
#[test]
fn no_request_forges_a_log_line() {
    let jwks = tokens::jwks(&[&K1]).to_string();
    let mut events: Vec<String> = Vec::new();
    for kid in key_ids::hostile_key_ids() {
        events.push(bearer(&K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims())));
        events.push(bearer(
            &K1.token_with(
                &json!({"alg": "RS256", "kid": "k1"}),
                &claims_with(json!({"iss": kid})),
            ),
        ));
        events.push(bearer(&K1.token_with(&json!({"alg": kid, "kid": "k1"}), &claims())));
    }
    for (route, is_right) in hostile_routes().iter().zip([true, false].into_iter().cycle()) {
        let arn = format!("{STAGE}/{route}");
        let token = if is_right { format!("Bearer {}", good()) } else { format!("Bearer {route}") };
        events.push(
            json!({"type": "TOKEN", "authorizationToken": token, "methodArn": arn}).to_string(),
        );
    }
    for arn in events::hostile_arns() {
        events.push(
            json!({"type": "TOKEN", "authorizationToken": good(), "methodArn": arn}).to_string(),
        );
    }
    for format in ["JSON", "TEXT"] {
        let settings = [
            ("ISSUER", ISSUER),
            ("AUDIENCE", AUDIENCE),
            ("JWKS", &jwks),
            ("AWS_LAMBDA_LOG_FORMAT", format),
        ];
        let lambda = Lambda::spawn(Path::new(env!("CARGO_BIN_EXE_token-authorizer")), &settings);
        events.iter().for_each(|event| drop(lambda.invoke(event)));
        // The line of a decision is written after its answer.
        let lines = || -> Vec<String> { lambda.output().lines().map(str::to_owned).collect() };
        let is_decision = |line: &str| match format {
            "JSON" => {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line:?}"));
                assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
                line.get("decision").is_some()
            }
            _ => line.contains(" decision=\"") && !line.starts_with("decision"),
        };
        let written = |line: &String| is_decision(line);
        for _ in 0..500 {
            if lines().len() > events.len() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let lines = lines();
        assert_eq!(lines.iter().filter(|line| written(line)).count(), events.len(), "{format}");
        assert_eq!(
            lines.len(),
            events.len() + 1,
            "{format}: one line for each decision, and `configured`"
        );
        assert!(
            lines.iter().all(|line| line.len() < 4096 && !line.contains(|c: char| c.is_control())),
            "{format}"
        );
    }
}

/// One attack: an event under these settings, and what is to be said to it.
struct Attack {
    group: &'static str,
    name: String,
    settings: Vec<(&'static str, String)>,
    event: String,
    expected: &'static str,
}

/// Each row of these gets exactly its reason, and the rows are those of the docs.
fn check(rows: impl FnOnce(&mut Table)) {
    let mut table = Table::new();
    rows(&mut table);
    table.run();
    table.assert_documented();
}

struct Table {
    group: &'static str,
    attacks: Vec<Attack>,
}

impl Table {
    fn new() -> Self {
        Self { group: "", attacks: Vec::new() }
    }

    fn group(&mut self, name: &'static str) {
        self.group = name;
    }

    fn token(&mut self, name: impl Into<String>, token: String, expected: &'static str) {
        self.token_under(&[], name, token, expected);
    }

    fn token_under(
        &mut self,
        settings: &[(&'static str, String)],
        name: impl Into<String>,
        token: String,
        expected: &'static str,
    ) {
        self.event_under(settings, name, bearer(&token), expected);
    }

    fn event(&mut self, name: impl Into<String>, event: String, expected: &'static str) {
        self.event_under(&[], name, event, expected);
    }

    fn event_under(
        &mut self,
        settings: &[(&'static str, String)],
        name: impl Into<String>,
        event: String,
        expected: &'static str,
    ) {
        let (group, settings) = (self.group, settings.to_vec());
        self.attacks.push(Attack { group, name: name.into(), settings, event, expected });
    }

    /// With these settings in place of the usual ones.
    fn authorizer(&self, settings: &[(&'static str, String)]) -> Local {
        let usual = [
            ("ISSUER", ISSUER.to_owned()),
            ("AUDIENCE", AUDIENCE.to_owned()),
            ("JWKS", set(&[&K1.jwk()])),
        ];
        let all: BTreeMap<_, _> = usual.into_iter().chain(settings.iter().cloned()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = Config::read(&all.iter().collect()).unwrap();
        let authorizer = {
            let _context = runtime.enter();
            Authorizer::new(config)
        };
        Local { runtime, authorizer }
    }

    fn run(&self) {
        let mut wrong = Vec::new();
        let mut authorizers: BTreeMap<&[(&str, String)], Local> = BTreeMap::new();
        for attack in &self.attacks {
            let authorizer = authorizers
                .entry(&attack.settings)
                .or_insert_with(|| self.authorizer(&attack.settings));
            let answer = authorizer.answer(&attack.event);
            let said = said(&answer);
            if said != attack.expected {
                wrong.push(format!(
                    "{}: {}: {said}, not {}",
                    attack.group, attack.name, attack.expected
                ));
            }
            authorizer.assert_explained(attack);
            let text = answer.unwrap_or_else(|failure| format!("{failure:?}"));
            assert!(!leaks(&attack.event, &text), "{}: {}: {text}", attack.group, attack.name);
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            self.attacks.len(),
            wrong.join("\n")
        );
    }

    /// `docs/measurements/security.md` lists the groups with their rows and reasons.
    fn assert_documented(&self) {
        let mut groups: Vec<(&str, usize, Vec<&str>)> = Vec::new();
        for Attack { group, expected, .. } in &self.attacks {
            if groups.last().is_none_or(|(last, ..)| last != group) {
                groups.push((group, 0, Vec::new()));
            }
            let (_, count, reasons) = groups.last_mut().unwrap();
            *count += 1;
            if !reasons.contains(expected) {
                reasons.push(expected);
            }
        }
        let rows = groups.into_iter().map(|(group, count, mut reasons)| {
            reasons.sort_unstable();
            format!("| {group} | {count} | {} |\n", reasons.join(", "))
        });
        let table: String = rows.collect();
        let documented =
            fs::read_to_string("docs/measurements/security.md").unwrap().contains(&table);
        assert!(documented, "docs/measurements/security.md should have these rows:\n{table}");
    }
}

/// The library on a thread of its own, as in the binary.
struct Local {
    runtime: tokio::runtime::Runtime,
    authorizer: Authorizer,
}

impl Local {
    fn answer(&self, event: &str) -> Result<String, Failure> {
        let answer = self.runtime.block_on(self.authorizer.decide(event)).answer;
        answer.map(|answer| answer.get().to_owned())
    }

    /// The checks that `explain` shows end with the one that refused.
    fn assert_explained(&self, attack: &Attack) {
        let Attack { group, name, event, expected, .. } = attack;
        let decision = self.runtime.block_on(self.authorizer.decide(event));
        let checks = self.authorizer.explain(&decision).checks;
        let Some(refused) = Reason::ALL.iter().position(|reason| reason.code() == *expected) else {
            let all_passed = checks.iter().all(|check| check.state == CheckState::Passed);
            assert!(all_passed, "{group}: {name}");
            assert_eq!(checks.is_empty(), *expected == EVENT, "{group}: {name}");
            return;
        };
        assert_eq!(checks.len(), Reason::ALL.len(), "{group}: {name}");
        for (index, check) in checks.iter().enumerate() {
            let state = match index.cmp(&refused) {
                Ordering::Less => CheckState::Passed,
                Ordering::Equal => CheckState::Failed,
                Ordering::Greater => CheckState::NotReached,
            };
            assert_eq!((check.reason, check.state), (Reason::ALL[index], state), "{group}: {name}");
        }
    }
}

/// `Allow`, or the code of the reason.
fn said(answer: &Result<String, Failure>) -> String {
    let text = match answer {
        Ok(text) => text,
        Err(Failure::NoVerdict(fault)) => return fault.obstacle.code().to_owned(),
        Err(Failure::Unauthorized) => return "Unauthorized".to_owned(),
    };
    let answer: Value = serde_json::from_str(text).unwrap();
    let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
    if statements[0]["Effect"] == ALLOW {
        assert_ne!(answer["principalId"], "anonymous");
        return ALLOW.to_owned();
    }
    let reason = answer["context"]["reason"].as_str().unwrap();
    let denied = json!({
        "principalId": "anonymous",
        "policyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Action": ["execute-api:Invoke"], "Resource": [format!("{STAGE}/*")]},
        ]},
        "context": {"reason": reason, "challenge": challenge(reason)},
    });
    assert_eq!(answer, denied, "a refusal says nothing else");
    reason.to_owned()
}

/// Whether a piece of the credential in `event` stands in the answer.
fn leaks(event: &str, answer: &str) -> bool {
    const PIECE: usize = 16;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let own = format!("{STAGE} {ISSUER} {AUDIENCE} authorizationToken awslambda event_unsupported");
    let words = answer.as_bytes().split(|byte| !is_part(byte));
    let mut pieces =
        words.flat_map(|word| word.windows(PIECE)).map(|piece| str::from_utf8(piece).unwrap());
    pieces.any(|piece| event.contains(piece) && !own.contains(piece))
}

static K1: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::rsa("k1"));

fn claims() -> Value {
    tokens::claims(ISSUER, AUDIENCE)
}

fn claims_with(changes: Value) -> Value {
    merged(claims(), changes)
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

fn merged(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("not an object") };
    object.as_object_mut().unwrap().extend(changes);
    object
}

fn good() -> String {
    K1.token(&claims())
}

fn segments(token: &str) -> (&str, &str, &str) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    (header, payload, signature)
}

fn set(keys: &[&Value]) -> String {
    json!({"keys": keys}).to_string()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap());
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.collect::<Vec<_>>().join("\n")
    )
}

/// The same bytes to a lenient decoder: the bits after the last byte are not zero.
fn stray_bits(segment: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", ALPHABET[value | 1] as char)
}

/// An RSA key that raises any block to its private exponent, padded right or wrong.
struct RawKey {
    modulus: BigUint,
    exponent: BigUint,
}

impl RawKey {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // RFC 5208 and RFC 8017 A.1.2: version, algorithm, and within the octets: version, n, e, d.
        let outer = elements(elements(der.as_ref())[0].1);
        let key = elements(elements(outer[2].1)[0].1);
        let number = |index: usize| BigUint::from_bytes_be(key[index].1);
        Self { modulus: number(1), exponent: number(3) }
    }

    fn power(&self, block: &[u8]) -> Vec<u8> {
        let power =
            BigUint::from_bytes_be(block).modpow(&self.exponent, &self.modulus).to_bytes_be();
        [vec![0; 256 - power.len()], power].concat()
    }

    fn jwk(&self, exponent: u32) -> Value {
        let e = b64(BigUint::from(exponent).to_bytes_be());
        json!({"kty": "RSA", "kid": "k1", "n": b64(self.modulus.to_bytes_be()), "e": e})
    }

    fn settings(&self) -> [(&'static str, String); 1] {
        [("JWKS", set(&[&self.jwk(65537)]))]
    }

    fn signed_part(&self) -> String {
        [b64(r#"{"alg":"RS256","kid":"k1"}"#), b64(claims().to_string())].join(".")
    }
}

/// The elements of a piece of DER: tags and contents.
fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut elements = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let (length, rest) = match *first {
            short @ ..0x80 => (usize::from(short), rest),
            long => {
                let (length, rest) = rest.split_at(usize::from(long & 0x7f));
                (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
        };
        elements.push((*tag, &rest[..length]));
        der = &rest[length..];
    }
    elements
}
