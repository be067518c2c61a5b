//! What the benchmarks of one decision measure: the cases, and the least that their parts can cost.
//!
//! A [`Work`] is plain data, so that a case can be made in one process and measured in another, which then spends
//! no instruction on making keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;

use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerPolicy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use token_authorizer::{Authorizer, Config, Failure, Invocation};

use crate::measuring::{AUDIENCE, key_set, public_key, signature_check, stranger};
use crate::support::events::bearer;
use crate::support::tokens::{SigningKey, now};

const ISSUER: &str = "https://id.example.com";

/// One thing to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Event bytes to answer bytes, by the authorizer with these settings.
    Decide { settings: HashMap<String, String>, event: String, outcome: String },
    /// The signature check alone, with a key that was parsed before.
    Check { jwk: Value, token: String },
    /// What has to be done with every byte of a token: the event and its two JSON parts read, base64 decoded, the
    /// signature checked.
    Read { jwk: Value, event: String },
    /// An answer like this one, from resources to text.
    Write { answer: Value },
}

/// A case, and the work that it is compared with.
pub(crate) struct Case {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) work: Work,
    /// Cases with the same floor name share it.
    pub(crate) floor: Option<(String, Work)>,
}

impl Work {
    /// Does what has to be done once, and gives what is to be measured.
    pub(crate) fn prepare(self) -> Box<dyn FnMut()> {
        match self {
            Self::Decide { settings, event, outcome } => {
                let config =
                    Config::read(&settings.iter().collect()).unwrap_or_else(|bad| panic!("{bad}"));
                let authorizer = Authorizer::new(config);
                let decide = move |event: &str| {
                    // It never waits: the keys are configured.
                    let (answer, after) = authorizer.handle(event).now_or_never().unwrap();
                    after.record(Invocation::default());
                    answer
                };
                assert_eq!(said(&decide(&event)), outcome);
                Box::new(move || {
                    let _ = black_box(decide(black_box(&event)));
                })
            }
            Self::Check { jwk, token } => Box::new(signature_check(&jwk, &token)),
            Self::Read { jwk, event } => {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Event<'a> {
                    authorization_token: &'a str,
                }
                let key = public_key(&jwk);
                Box::new(move || {
                    let event: Event<'_> = serde_json::from_str(black_box(&event)).unwrap();
                    let token = event.authorization_token.strip_prefix("Bearer ").unwrap();
                    let (message, signature) = token.rsplit_once('.').unwrap();
                    for part in message.split('.') {
                        let text = URL_SAFE_NO_PAD.decode(part).unwrap();
                        black_box(serde_json::from_slice::<Value>(&text).unwrap());
                    }
                    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
                    key.verify_sig(message.as_bytes(), &signature).unwrap();
                })
            }
            Self::Write { answer } => {
                let policy = answer["policyDocument"].clone();
                let policy: ApiGatewayCustomAuthorizerPolicy =
                    serde_json::from_value(policy).unwrap();
                Box::new(move || {
                    black_box(serde_json::to_string(black_box(&policy)).unwrap());
                })
            }
        }
    }
}

fn said(answer: &Result<token_authorizer::Answer, Failure>) -> String {
    let answer = answer.as_ref().unwrap_or_else(|failure| panic!("{failure:?}"));
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    let reason = answer["context"]["reason"].as_str();
    reason.or(answer["policyDocument"]["Statement"][0]["Effect"].as_str()).unwrap().to_owned()
}

fn settings(settings: &[(&str, String)]) -> HashMap<String, String> {
    let basic = [("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE), ("ALGORITHMS", "RS256 ES256 EdDSA")];
    let basic = basic.into_iter().map(|(name, value)| (name, value.to_owned()));
    let all = basic.chain(settings.iter().map(|(name, value)| (*name, value.clone())));
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Claims as providers write them: a token of some 900 bytes with RS256.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "auth0|64f1c2a97b3e5d0012ab34cd",
        "client_id": "8Yw2Qm4ZrT6vKx1LpN3sBd7HjF5cGa9E",
        "scope": "pets:read pets:write",
        "token_use": "access",
        "iat": now(),
        "nbf": now(),
        "exp": now() + 86_400,
        "jti": "0b6f3f0e-5b0e-4c36-9d1e-3a6f0c2f7d11",
    })
}

/// A token of this many bytes, filled up with groups as identity providers list them.
fn sized(key: &SigningKey, bytes: usize) -> String {
    let mut all = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "u", "exp": now() + 86_400 });
    if bytes >= 1024 {
        all = claims();
        all["groups"] = json!([]);
    }
    let mut text = key.token(&all);
    for n in 1.. {
        let before = text;
        if bytes >= 1024 {
            all["groups"]
                .as_array_mut()
                .unwrap()
                .push(json!(format!("/example/teams/team-{n:04}")));
        } else {
            all["jti"] = json!("x".repeat(n));
        }
        text = key.token(&all);
        if text.len() > bytes {
            return before;
        }
    }
    unreachable!()
}

/// A table of so many routes; of more than one, the token of [`claims`] opens every second.
fn routes(count: usize) -> String {
    let scope = |n| if n % 2 == 0 { "pets:read" } else { "pets:own" };
    // Sorted, so that counts are reproducible: the answer has the table's order.
    let table: BTreeMap<_, _> =
        (0..count).map(|n| (format!("GET /p/{n:02}"), [scope(n)])).collect();
    json!(table).to_string()
}

/// A table of 60 routes with conditions of every kind, as many of them for the caller's own as a policy has room for.
fn conditions() -> String {
    let own = json!({ "path": { "id": "client_id" } });
    let entry = |n: usize| match n {
        0..8 => (format!("GET /{n}/{{id}}"), json!({ "any": ["users:read", own] })),
        _ => {
            let rule = match n % 5 {
                0 => json!({ "any": ["pets:own", "pets:read"] }),
                1 => json!(["pets:read", { "claims": { "token_use": "access" } }]),
                2 => {
                    json!({ "any": [["pets:own", "admin"], { "claims": { "client_id": { "none": ["x", "y"] } } }] })
                }
                3 => {
                    json!(["pets:read", { "any": ["admin", { "claims": { "amr": { "all": ["pwd", "mfa"] } } }] }])
                }
                _ => json!({ "claims": { "jti": { "present": true }, "iss": ISSUER } }),
            };
            (format!("GET /p/{n:02}"), rule)
        }
    };
    json!((0..60).map(entry).collect::<BTreeMap<_, _>>()).to_string()
}

/// The setting `ISSUERS`, with the issuer of [`claims`] in the middle.
fn issuers(key: &SigningKey, count: usize) -> String {
    let entry = |n: usize| {
        let (name, keys) = if n == count / 2 {
            (ISSUER.to_owned(), json!({ "keys": [key.jwk()] }))
        } else {
            (format!("https://id-{n}.example.com"), json!({ "keys": [stranger(n)] }))
        };
        json!({ "issuer": name, "audience": AUDIENCE, "jwks": keys })
    };
    json!((0..count).map(entry).collect::<Vec<_>>()).to_string()
}

/// The id of a tenant.
fn tenant(n: usize) -> String {
    format!("9122040d-6c67-4c5b-b112-{n:012}")
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let rsa = SigningKey::rsa("signing-key-1");
    let one_key = |key: &SigningKey| settings(&[("JWKS", key_set(key, 1).to_string())]);
    let decide = |settings: &HashMap<String, String>, token: &str, outcome: &str| Work::Decide {
        settings: settings.clone(),
        event: bearer(token),
        outcome: outcome.to_owned(),
    };
    let check =
        |key: &SigningKey, token: &str| Work::Check { jwk: key.jwk(), token: token.to_owned() };
    let mut cases = Vec::new();
    let mut add = |group, name: &str, work, floor: Option<(&str, Work)>| {
        let floor = floor.map(|(name, work)| (name.to_owned(), work));
        cases.push(Case { group, name: name.to_owned(), work, floor });
    };

    for key in
        [rsa.clone(), SigningKey::es256("signing-key-2"), SigningKey::ed25519("signing-key-3")]
    {
        let token = key.token(&claims());
        let floor = (&*format!("{} signature check", key.alg()), check(&key, &token));
        add(
            "algorithm",
            &format!("{} Allow", key.alg()),
            decide(&one_key(&key), &token, "Allow"),
            Some(floor),
        );
    }

    let (good, settings_of_one) = (rsa.token(&claims()), one_key(&rsa));
    let floor = || Some(("RS256 signature check", check(&rsa, &good)));
    let mut late = claims();
    late["exp"] = json!(now() - 60);
    // A well-formed signature by another key is the most expensive wrong one.
    let forged = SigningKey::rsa_other(rsa.kid(), 1).token(&claims());
    let unknown = SigningKey::rsa("signing-key-9").token(&claims());
    for (name, token, reason) in [
        ("expired", rsa.token(&late), "token_expired"),
        ("bad signature", forged, "signature_invalid"),
        ("unknown key", unknown, "key_unknown"),
    ] {
        add("refusal", &format!("RS256 {name}"), decide(&settings_of_one, &token, reason), floor());
    }

    for count in [1, 1000] {
        let keys = settings(&[("JWKS", key_set(&rsa, count).to_string())]);
        add("keys", &format!("{count} keys"), decide(&keys, &good, "Allow"), floor());
    }

    for count in [1, 100] {
        let mut many = settings(&[("ISSUERS", issuers(&rsa, count))]);
        many.retain(|name, _| name == "ISSUERS");
        add("issuers", &format!("{count} issuers"), decide(&many, &good, "Allow"), floor());
    }

    let mut of_tenant = claims();
    of_tenant["iss"] = json!(format!("{ISSUER}/{}/v2.0", tenant(0)));
    of_tenant["tid"] = json!(tenant(0));
    let of_tenant = rsa.token(&of_tenant);
    for count in [1, 1000] {
        let tenants = settings(&[
            ("ISSUER", format!("{ISSUER}/{{tid}}/v2.0")),
            ("TENANTS", (0..count).map(tenant).collect::<Vec<_>>().join(",")),
            ("JWKS", key_set(&rsa, 1).to_string()),
        ]);
        let floor = Some(("RS256 signature check of a tenant", check(&rsa, &of_tenant)));
        add("tenants", &format!("{count} tenants"), decide(&tenants, &of_tenant, "Allow"), floor);
    }

    // Without the guard, whose bytes are those of sixteen more entries.
    for count in [1, 60] {
        let table = settings(&[
            ("JWKS", key_set(&rsa, 1).to_string()),
            ("ROUTES", routes(count)),
            ("PATH_GUARD", "off".to_owned()),
        ]);
        let work = decide(&table, &good, "Allow");
        let writing = format!("writing the policy of {count} routes");
        let floor = Some((&*writing, Work::Write { answer: answer(&work) }));
        add("routes", &format!("{count} routes"), work, floor);
    }

    let table = [
        ("JWKS", key_set(&rsa, 1).to_string()),
        ("ROUTES", conditions()),
        ("PATH_GUARD", "off".to_owned()),
    ];
    add("routes", "60 routes with conditions", decide(&settings(&table), &good, "Allow"), floor());

    // Without a list, with one of an entry, and with one as long as can be read.
    for (name, entries) in
        [("no list", None), ("1 entry", Some(1)), ("50000 entries", Some(50_000))]
    {
        let list = |entries| {
            let ids: Vec<_> = (0..entries).map(|n| format!("{n:016x}")).collect();
            ("REVOKED", json!({ "jti": ids }).to_string())
        };
        let keys = ("JWKS", key_set(&rsa, 1).to_string());
        let settings: Vec<_> = [keys].into_iter().chain(entries.map(list)).collect();
        add("revocation", name, decide(&self::settings(&settings), &good, "Allow"), floor());
    }

    for bytes in [512, 1024, 4096, 8192] {
        let token = sized(&rsa, bytes);
        let floor = Work::Read { jwk: rsa.jwk(), event: bearer(&token) };
        let work = decide(&settings_of_one, &token, "Allow");
        let kib = bytes as f64 / 1024.0;
        add("token", &format!("{kib} KB token"), work, Some((&format!("reading {kib} KB"), floor)));
    }
    cases
}

/// What the authorizer answers.
fn answer(work: &Work) -> Value {
    let Work::Decide { settings, event, .. } = work else { panic!("not a decision") };
    let authorizer = Authorizer::new(Config::read(&settings.iter().collect()).unwrap());
    let answer = authorizer.decide(event).now_or_never().unwrap().answer.unwrap();
    serde_json::from_str(answer.get()).unwrap()
}
