//! Providers that are down, slow, lying or rotating: known keys serve on, what cannot be known is no verdict, and
//! a Deny is never answered because of an outage.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::http::Server;
use super::support::idp::{Behaviour, Idp, costly_values};
use super::support::process::Lambda;
use super::support::tokens::{self, SigningKey};
use super::{AUDIENCE, assert_no_verdict, bearer, claims, program, provider, said, start};

pub(crate) const SHORT: (&str, &str) = ("JWKS_TIMEOUT_MS", "300");

/// Keys that are due for refresh a second after they were fetched.
pub(crate) const SOON_AGING: (&str, &str) = ("JWKS_FRESH_SECONDS", "1");

pub(crate) fn good(idp: &Idp, key: &SigningKey) -> String {
    bearer(&key.token(&claims(idp, json!({}))))
}

/// Lets the keys of a function with [`SOON_AGING`] age.
pub(crate) fn let_age() {
    thread::sleep(Duration::from_millis(1100));
}

/// Asks until the answer is this one, as clients do. No other answer may come than `meanwhile`.
#[track_caller]
pub(crate) fn ask_until(lambda: &Lambda, event: &str, wanted: &str, meanwhile: &str) {
    let since = Instant::now();
    loop {
        let answer = said(&lambda.invoke(event));
        if answer == wanted {
            return;
        }
        assert!(answer.starts_with(meanwhile), "{answer}\n{}", lambda.output());
        assert!(since.elapsed() < Duration::from_secs(10), "still {answer}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The log event of the refresh that failed.
fn failure(lambda: &Lambda) -> Value {
    lambda.wait_for_log(|line| line["message"] == "key refresh failed")
}

/// Everything that can be wrong with a provider's answer, and the stage it is reported by.
pub(crate) fn faults() -> Vec<(&'static str, Behaviour, &'static str)> {
    let redirect = |to: &str| Behaviour::Redirect(to.to_owned());
    vec![
        ("hangs", Behaviour::Hang, "timeout"),
        ("drips", Behaviour::Drip { byte_every: Duration::from_millis(20) }, "timeout"),
        ("hangs up", Behaviour::Reset, "transfer"),
        ("is broken", Behaviour::Status(500), "status"),
        ("forgot its keys", Behaviour::Status(404), "status"),
        ("says not modified", Behaviour::Status(304), "status"),
        ("redirects to another port", redirect("http://127.0.0.1:9/jwks2?secret"), "redirect"),
        ("redirects to another host", redirect("http://localhost:9/jwks2"), "redirect"),
        ("redirects in a circle", redirect("/jwks"), "redirect"),
        ("sends 200 MiB", Behaviour::Huge { bytes: 200 << 20 }, "size"),
        ("sends a gzip bomb", Behaviour::Gzip(vec![0x1f; 4096]), "parse"),
    ]
}

#[test]
fn without_keys_there_is_no_verdict_and_the_stage_is_told() {
    for (name, fault, stage) in faults() {
        let key = SigningKey::rsa("k1");
        let idp = provider(&key);
        idp.behave(fault);
        let jwks_uri = idp.jwks_uri();
        let signed = format!("{jwks_uri}?signature=secret");
        let lambda = start(&idp, &[SHORT, ("JWKS_URI", &signed)]);
        assert_no_verdict(&lambda.invoke(&good(&idp, &key)), "keys_unavailable");
        let failure = failure(&lambda);
        assert_eq!(failure["stage"], stage, "{name}: {}", lambda.output());
        let error = failure["error"].as_str().unwrap();
        assert!(error.starts_with(&jwks_uri), "{name}: {error}");
        assert!(!lambda.output().contains("secret"), "{name}: {}", lambda.output());
        assert!(lambda.peak_kib() < 24 * 1024, "{name}: {} KiB", lambda.peak_kib());
    }
}

#[test]
fn documents_that_are_no_key_set_are_rubbish() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let jwk = key.jwk();
    let weak = json!({"kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB"});
    for document in [
        json!("text"),
        json!([]),
        json!([[jwk]]),
        json!({}),
        json!({"keys": jwk}),
        json!({"keys": []}),
        json!({"keys": [null, 1, "k", [], weak, SigningKey::es256("k1").jwk()]}),
        json!({"keys": [SigningKey::hmac("k1", &[7; 64]).jwk()]}),
        json!({"keys": vec![jwk.clone(); 1001]}),
    ] {
        idp.serve_json(document.clone());
        let lambda = start(&idp, &[]);
        assert_no_verdict(&lambda.invoke(&good(&idp, &key)), "keys_unavailable");
        assert_eq!(failure(&lambda)["stage"], "parse", "{document}");
    }
    idp.serve_bytes(b"<html>".to_vec());
    let lambda = start(&idp, &[]);
    assert_no_verdict(&lambda.invoke(&good(&idp, &key)), "keys_unavailable");
}

#[test]
fn an_odd_key_costs_only_itself() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    let mut encrypts = SigningKey::rsa("k2").jwk();
    encrypts["use"] = json!("enc");
    idp.serve_json(json!({"keys": [
        null, 7, "key", {}, {"kty": "AKP", "alg": "ML-DSA-65"}, {"kty": 1}, {"kid": ["k1"], "kty": "RSA"}, encrypts,
        SigningKey::es256("k1").jwk(), key.jwk(),
    ]}));
    let lambda = start(&idp, &[]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    assert_eq!(said(&lambda.invoke(&good(&idp, &SigningKey::rsa("k2")))), "Deny key_unknown");
    let refreshed = lambda.wait_for_log(|line| line["message"] == "keys refreshed");
    assert_eq!((&refreshed["keys"], &refreshed["skipped"]), (&json!(1), &json!(9)));
}

/// The log events that name a key, by its index: its id, and what is wrong with it.
fn named_keys(lambda: &Lambda, message: &str) -> Vec<(u64, Value, String)> {
    let mut named = Vec::new();
    for line in lambda.output().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        if line["message"] == message {
            let problem = line["problem"].as_str().unwrap().to_owned();
            named.push((line["index"].as_u64().unwrap(), line["kid"].clone(), problem));
        }
    }
    named
}

#[test]
fn each_skipped_key_is_named_once_for_each_set() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    let with = |name: &str, value: Value| {
        let mut jwk = SigningKey::rsa("k2").jwk();
        jwk[name] = value;
        jwk
    };
    let mut keys = vec![
        key.jwk(),
        with("use", json!("enc")),
        with("alg", json!("SHA256withRSA")),
        SigningKey::es256("line\nbreak \u{202e}").jwk(),
        with("kid", json!("k".repeat(1000))),
        json!(null),
    ];
    keys[4]["n"] = json!("AQAB");
    idp.serve_json(json!({"keys": keys}));
    let lambda = start(&idp, &[("JWKS_FRESH_SECONDS", "1")]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    let named = named_keys(&lambda, "key skipped");
    let all = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA HS256 HS384 HS512";
    let expected = [
        (1, json!("k2"), "`use` is not `sig`".to_owned()),
        (2, json!("k2"), format!("`alg` is not a supported algorithm: {all}")),
        (
            3,
            json!("line\nbreak \\u{202e}"),
            "ALGORITHMS does not list its algorithms: ES256".to_owned(),
        ),
        (4, json!("k".repeat(128)), "`n` has 17 bits, not 2048 to 8192".to_owned()),
        (5, Value::Null, "not a JSON object whose members have distinct names".to_owned()),
    ];
    assert_eq!(named, expected);

    // The same set again says nothing new, and another does.
    let fetches = |count: usize| {
        let is_refreshed = |line: &&str| line.contains("keys refreshed");
        while lambda.output().lines().filter(is_refreshed).count() < count {
            thread::sleep(Duration::from_millis(100));
            lambda.invoke(&good(&idp, &key));
        }
    };
    fetches(3);
    assert_eq!(named_keys(&lambda, "key skipped").len(), 5);
    keys.truncate(2);
    idp.serve_json(json!({"keys": keys}));
    fetches(5);
    let named = named_keys(&lambda, "key skipped");
    assert!(named.len() == 6 && named[5] == expected[0], "{named:?}");
}

#[test]
fn a_set_without_a_usable_key_says_why() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let mut keys = vec![SigningKey::es256("ec").jwk(); 9];
    keys[0] = SigningKey::hmac("hs", &[7; 64]).jwk();
    idp.serve_json(json!({"keys": keys}));
    let lambda = start(&idp, &[]);
    assert_no_verdict(&lambda.invoke(&good(&idp, &key)), "keys_unavailable");
    let error = failure(&lambda)["error"].as_str().unwrap().to_owned();
    let start = "no key in it can verify a signature of an allowed algorithm: keys[0] (kid \"hs\"): symmetric, but \
        published: secrets are read from JWKS only; keys[1] (kid \"ec\"): ALGORITHMS does not list its algorithms: ES256; ";
    assert!(error.contains(start), "{error}");
    assert!(error.contains("keys[7]") && !error.contains("keys[8]"), "{error}");
    assert!(error.ends_with("; and 1 more"), "{error}");
}

#[test]
fn a_published_private_key_is_warned_of() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    let (mut private, mut empty) = (key.jwk(), SigningKey::rsa("k2").jwk());
    private["d"] = json!("AQAB");
    (empty["d"], empty["p"]) = (json!(null), json!(""));
    idp.serve_json(json!({"keys": [empty, private]}));
    let lambda = start(&idp, &[]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    let problem = "anybody can sign tokens with this key".to_owned();
    assert_eq!(named_keys(&lambda, "private key published"), [(1, json!("k1"), problem)]);
}

/// Takes the first message of a TLS client, and hangs up.
fn hang_up_on_hello(mut stream: TcpStream) {
    // RFC 8446 section 5.1: a record's type, version and length.
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let length = u16::from_be_bytes([head[3], head[4]]);
    std::io::copy(&mut stream.take(length.into()), &mut std::io::sink()).unwrap();
}

#[test]
fn connections_that_fail_are_told_apart() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start_tls();
    idp.serve(&[&key]);
    let event = good(&idp, &key);
    let plain = Idp::start();
    let plain_port = plain.port();
    let silent = Server::listen(0, hang_up_on_hello);
    let [not_tls, hangs_up] =
        [plain_port, silent.port()].map(|port| format!("https://127.0.0.1:{port}/jwks"));
    let untrusted = idp.jwks_uri();
    for (jwks_uri, stage) in [
        ("https://provider.invalid/jwks", "name_resolution"),
        ("https://127.0.0.1:1/jwks", "connect"),
        (&untrusted, "tls"),
        (&not_tls, "tls"),
        (&hangs_up, "tls"),
    ] {
        let lambda = start(&idp, &[("JWKS_URI", jwks_uri)]);
        assert_no_verdict(&lambda.invoke(&event), "keys_unavailable");
        assert_eq!(failure(&lambda)["stage"], stage, "{jwks_uri}: {}", lambda.output());
    }
}

#[test]
fn a_provider_that_is_down_at_start_is_found_when_it_returns() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    idp.down();
    let lambda = start(&idp, &[]);
    let event = good(&idp, &key);
    for _ in 0..20 {
        assert_no_verdict(&lambda.invoke(&event), "keys_unavailable");
    }
    idp.up();
    ask_until(&lambda, &event, "Allow", "keys_unavailable");
}

#[test]
fn an_outage_is_invisible_while_keys_are_held() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[SOON_AGING, SHORT]);
    let event = good(&idp, &key);
    let forged = bearer(&SigningKey::rsa_other("k1", 1).token(&claims(&idp, json!({}))));
    let unknown = good(&idp, &SigningKey::rsa("k2"));
    idp.down();
    let_age();
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    assert_eq!(failure(&lambda)["stage"], "connect");
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    assert_eq!(said(&lambda.invoke(&forged)), "Deny signature_invalid");
    assert_no_verdict(&lambda.invoke(&unknown), "keys_unavailable");
    for (name, fault, _) in faults().into_iter().take(4) {
        idp.up();
        idp.behave(fault);
        let_age();
        for _ in 0..3 {
            assert_eq!(said(&lambda.invoke(&event)), "Allow", "{name}");
        }
        idp.down();
    }
}

#[test]
fn an_answer_without_usable_keys_replaces_nothing() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let event = good(&idp, &key);
    idp.serve_json(json!({"keys": []}));
    assert_no_verdict(&lambda.invoke(&good(&idp, &SigningKey::rsa("k2"))), "keys_unavailable");
    assert_eq!(failure(&lambda)["stage"], "parse");
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
}

#[test]
fn keys_too_old_are_not_used() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[SOON_AGING, ("JWKS_STALE_SECONDS", "1"), SHORT]);
    let event = good(&idp, &key);
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    idp.behave(Behaviour::Hang);
    let_age();
    let waited = lambda.invoke(&event);
    assert_no_verdict(&waited, "keys_unavailable");
    assert!(
        waited.elapsed >= Duration::from_millis(300),
        "the refresh is waited for: {:?}",
        waited.elapsed
    );
    idp.behave(Behaviour::Healthy);
    ask_until(&lambda, &event, "Allow", "keys_unavailable");
}

#[test]
fn a_rotated_key_is_found_and_a_withdrawn_one_forgotten() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &old))), "Allow");
    idp.serve(&[&new]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Allow", "found by its id at once");
    assert_eq!(said(&lambda.invoke(&good(&idp, &old))), "Deny key_unknown");
    assert_eq!(idp.fetches(), 2);
}

#[test]
fn a_key_replaced_under_its_id_is_found() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa_other("k1", 1));
    for named in [true, false] {
        let idp = provider(&old);
        let lambda = start(&idp, &[]);
        let token = |key: &SigningKey| {
            let header =
                if named { json!({"alg": "RS256", "kid": "k1"}) } else { json!({"alg": "RS256"}) };
            bearer(&key.token_with(&header, &claims(&idp, json!({}))))
        };
        assert_eq!(said(&lambda.invoke(&token(&old))), "Allow");
        idp.serve(&[&new]);
        assert_eq!(said(&lambda.invoke(&token(&new))), "Allow");
        assert_eq!(said(&lambda.invoke(&token(&old))), "Deny signature_invalid");
        assert_eq!(idp.fetches(), 2);
    }
}

#[test]
fn made_up_tokens_cost_the_provider_one_fetch_in_half_a_minute() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let event = good(&idp, &key);
    let claims = claims(&idp, json!({}));
    for n in 0..200 {
        let invented =
            key.token_with(&json!({"alg": "RS256", "kid": format!("invented-{n}")}), &claims);
        assert_eq!(said(&lambda.invoke(&bearer(&invented))), "Deny key_unknown");
        let forged = SigningKey::rsa_other("k1", 1).token(&claims);
        assert_eq!(said(&lambda.invoke(&bearer(&forged))), "Deny signature_invalid");
        assert_eq!(said(&lambda.invoke(&event)), "Allow");
    }
    assert_eq!(idp.fetches(), 2);
}

#[test]
fn an_unchanged_set_is_confirmed_by_its_etag() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    idp.etag(Some("\"v1\""));
    let lambda = start(&idp, &[SOON_AGING]);
    let event = good(&idp, &key);
    let_age();
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    lambda.wait_for_log(|line| line["message"] == "keys refreshed" && line["unchanged"] == true);
    assert_eq!((idp.fetches(), idp.not_modified()), (2, 1));
    for _ in 0..10 {
        assert_eq!(said(&lambda.invoke(&event)), "Allow", "fresh again");
    }
    assert_eq!(idp.fetches(), 2);
}

#[test]
fn a_redirect_within_the_origin_is_followed() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    idp.behave(Behaviour::Redirect("/jwks2".to_owned()));
    let lambda = start(&idp, &[]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
}

#[test]
fn a_discovery_document_that_cannot_be_trusted_gives_no_keys() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let (issuer, jwks_uri) = (idp.issuer(), idp.jwks_uri());
    for document in [
        json!({"issuer": format!("{issuer}/"), "jwks_uri": jwks_uri}),
        json!({"issuer": issuer.to_uppercase(), "jwks_uri": jwks_uri}),
        json!({"issuer": [issuer], "jwks_uri": jwks_uri}),
        json!({"jwks_uri": jwks_uri}),
        json!({"issuer": issuer}),
        json!({"issuer": issuer, "jwks_uri": "http://login.example.com/jwks"}),
        json!({"issuer": issuer, "jwks_uri": "file:///etc/passwd"}),
        json!([]),
    ] {
        idp.set_discovery(document.clone());
        let lambda = Lambda::spawn(&program(), &[("ISSUER", &issuer), ("AUDIENCE", AUDIENCE)]);
        assert_no_verdict(&lambda.invoke(&good(&idp, &key)), "keys_unavailable");
        let failure = failure(&lambda);
        assert_eq!(failure["stage"], "parse", "{document}");
        assert!(
            failure["error"].as_str().unwrap().starts_with("discovery document: "),
            "{failure}"
        );
    }
    assert_eq!(idp.fetches(), 0);
}

/// Settings for a provider over https, of which only the discovery document says where the keys are.
fn discovered(idp: &Idp) -> Vec<(&'static str, String)> {
    let ca_file = idp.ca_file().to_str().unwrap().to_owned();
    vec![("ISSUER", idp.issuer()), ("AUDIENCE", AUDIENCE.to_owned()), ("JWKS_CA_FILE", ca_file)]
}

fn spawn(settings: &[(&'static str, String)]) -> Lambda {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, &**value)).collect();
    Lambda::spawn(&program(), &settings)
}

#[test]
fn what_came_by_https_leads_to_no_service_on_this_machine() {
    const HTTPS: &str = "`jwks_uri` must be https";
    const LOOPBACK: &str = "`jwks_uri` must not be a loopback address";
    let key = SigningKey::rsa("k1");
    let (idp, inside, tls) = (Idp::start_tls(), provider(&key), Idp::start_tls());
    idp.serve(&[&key]);
    let event = good(&idp, &key);
    let by_https = |host: &str| format!("https://{host}:{}/jwks", tls.port());
    // The Runtime API listens on loopback, and gives an event to whoever asks.
    for (jwks_uri, problem) in [
        (inside.jwks_uri(), HTTPS),
        (inside.jwks_uri().replace("127.0.0.1", "localhost"), HTTPS),
        (by_https("localhost"), LOOPBACK),
        (by_https("127.1"), LOOPBACK),
        (by_https("0x7f000001"), LOOPBACK),
        (by_https("0.0.0.0"), LOOPBACK),
        (by_https("[::ffff:127.0.0.1]"), LOOPBACK),
        (by_https("localhost."), LOOPBACK),
        (by_https("idp.localhost"), LOOPBACK),
    ] {
        idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": jwks_uri}));
        let lambda = spawn(&discovered(&idp));
        assert_no_verdict(&lambda.invoke(&event), "keys_unavailable");
        let failure = failure(&lambda);
        assert_eq!(failure["stage"], "parse", "{failure}");
        assert!(failure["error"].as_str().unwrap().contains(problem), "{failure}");
    }
    idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": idp.jwks_uri()}));
    let redirected = |lambda: Lambda| {
        assert_no_verdict(&lambda.invoke(&event), "keys_unavailable");
        assert_eq!(failure(&lambda)["stage"], "redirect");
    };
    idp.behave(Behaviour::Redirect(inside.issuer() + "/jwks2"));
    redirected(spawn(&discovered(&idp)));
    idp.behave(Behaviour::Healthy);
    idp.behave_discovery(Behaviour::Redirect(
        inside.issuer() + "/.well-known/openid-configuration",
    ));
    redirected(spawn(&discovered(&idp)));
    assert_eq!((inside.connections(), tls.connections()), (0, 0));

    idp.behave_discovery(Behaviour::Healthy);
    assert_eq!(said(&spawn(&discovered(&idp)).invoke(&event)), "Allow");
    // A setting may say http on loopback, and so may the document that came from there.
    let settings = [&discovered(&idp)[..], &[("JWKS_URI", inside.jwks_uri())]].concat();
    assert_eq!(said(&spawn(&settings).invoke(&event)), "Allow");
}

#[test]
fn a_provider_cannot_have_the_function_take_its_own_events() {
    let key = SigningKey::rsa("k1");
    let (idp, other) = (Idp::start_tls(), provider(&key));
    idp.serve(&[&key]);
    let issuers = json!([
        {"issuer": idp.issuer(), "audience": AUDIENCE},
        {"issuer": other.issuer(), "audience": AUDIENCE},
    ]);
    let ca_file = idp.ca_file().to_str().unwrap().to_owned();
    // Without keys at the start, the provider is asked again: for their address first.
    idp.behave(Behaviour::Status(404));
    let lambda = spawn(&[
        ("ISSUERS", issuers.to_string()),
        ("JWKS_CA_FILE", ca_file),
        (SHORT.0, SHORT.1.to_owned()),
    ]);
    let runtime_api =
        format!("http://{}/2018-06-01/runtime/invocation/next", lambda.api().address());
    idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": runtime_api}));
    let discoveries = idp.discoveries();
    let (hostile, honest) = (good(&idp, &key), good(&other, &key));
    let since = Instant::now();
    while idp.discoveries() == discoveries {
        let hostile = lambda.submit(&hostile);
        let honest: Vec<_> = (0..3).map(|_| lambda.submit(&honest)).collect();
        assert_no_verdict(&lambda.wait(hostile), "keys_unavailable");
        for ticket in honest {
            assert_eq!(said(&lambda.wait(ticket)), "Allow", "{}", lambda.output());
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{}", lambda.output());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_document_costs_much_memory() {
    const UNAVAILABLE: &str = "keys_unavailable";
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let (event, jwk) = (good(&idp, &key), key.jwk());
    let settings = [("ISSUER", idp.issuer()), ("AUDIENCE", AUDIENCE.to_owned())];
    let peak_and_answer = || {
        let lambda = spawn(&settings);
        let reply = lambda.invoke(&event);
        let answer = if reply.is_error {
            reply.body["errorType"].as_str().unwrap().to_owned()
        } else {
            said(&reply)
        };
        (lambda.peak_kib(), answer)
    };
    let (ordinary, answer) = peak_and_answer();
    assert_eq!(answer, "Allow");
    let assert_cheap = |what: &str, expected: &str| {
        let (peak, answer) = peak_and_answer();
        assert!(
            peak < ordinary + 16 * 1024,
            "{what}: {peak} KiB, {ordinary} KiB for an ordinary one"
        );
        assert_eq!(answer, expected, "{what}");
    };
    for (name, value) in costly_values() {
        for (place, document, expected) in [
            ("beside the keys", format!(r#"{{"x":{value},"keys":[{jwk}]}}"#), "Allow"),
            ("in place of the keys", format!(r#"{{"keys":{value}}}"#), UNAVAILABLE),
            ("in place of a key", format!(r#"{{"keys":[{value},{jwk}]}}"#), "Allow"),
            ("in a key", format!(r#"{{"keys":[{{"kty":"RSA","x":{value}}},{jwk}]}}"#), "Allow"),
            (
                "as key_ops",
                format!(r#"{{"keys":[{{"key_ops":{value},"kty":"RSA"}},{jwk}]}}"#),
                "Allow",
            ),
        ] {
            assert!(document.len() <= 1 << 20, "{name} {place}");
            idp.serve_bytes(document.into_bytes());
            assert_cheap(&format!("{name} {place}"), expected);
        }
        idp.serve(&[&key]);
        let (issuer, jwks_uri) = (json!(idp.issuer()), json!(idp.jwks_uri()));
        for (place, document, expected) in [
            (
                "beside",
                format!(r#"{{"x":{value},"issuer":{issuer},"jwks_uri":{jwks_uri}}}"#),
                "Allow",
            ),
            (
                "as the issuer",
                format!(r#"{{"issuer":{value},"jwks_uri":{jwks_uri}}}"#),
                UNAVAILABLE,
            ),
            ("as the address", format!(r#"{{"issuer":{issuer},"jwks_uri":{value}}}"#), UNAVAILABLE),
        ] {
            idp.set_discovery_bytes(document.into_bytes());
            assert_cheap(&format!("discovery, {name} {place}"), expected);
        }
        idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": idp.jwks_uri()}));
    }
}

#[test]
fn headers_are_read_as_servers_write_them() {
    const UNAVAILABLE: &str = "keys_unavailable";
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let many = "Set-Cookie: a=b\r\n".repeat(200);
    for (lines, expected) in [
        ("Content-Encoding:", "Allow"),
        ("Content-Encoding: Identity, identity", "Allow"),
        ("Content-Encoding: aws-chunked", "Allow"),
        ("Content-Encoding: utf-8", "Allow"),
        ("Content-Encoding: none", "Allow"),
        ("Content-Encoding: \u{e9}", "Allow"),
        ("Content-Security-Policy: default-src 'self';\r\n  img-src *", "Allow"),
        (&format!("{many}A: b"), "Allow"),
        ("Content-Encoding: gzip", UNAVAILABLE),
        ("Content-Encoding: utf-8, BR", UNAVAILABLE),
        (&format!("{many}{many}A: b"), UNAVAILABLE),
        ("A : b", UNAVAILABLE),
    ] {
        idp.behave(Behaviour::HeaderLines(lines.to_owned()));
        let lambda = start(&idp, &[]);
        let answer = said(&lambda.invoke(&good(&idp, &key)));
        assert!(answer.starts_with(expected), "{lines:?}: {answer}: {}", lambda.output());
    }
    let seen = idp.headers_seen();
    let accepted: Vec<_> = seen
        .iter()
        .filter(|(name, _)| name == "accept-encoding")
        .map(|(_, value)| &**value)
        .collect();
    assert_eq!(accepted, ["identity"]);
}

#[test]
fn a_byte_order_mark_before_a_fetched_document_is_skipped() {
    let marked = |document: Value| format!("\u{feff}{document}").into_bytes();
    let key = SigningKey::rsa("k1");
    let (idp, lists) = (Idp::start(), Idp::start());
    idp.serve_bytes(marked(tokens::jwks(&[&key])));
    idp.set_discovery_bytes(marked(json!({"issuer": idp.issuer(), "jwks_uri": idp.jwks_uri()})));
    lists.serve_bytes(marked(json!({"jti": ["a"]})));
    let lambda = spawn(&[
        ("ISSUER", idp.issuer()),
        ("AUDIENCE", AUDIENCE.to_owned()),
        ("REVOKED", lists.jwks_uri()),
    ]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow", "{}", lambda.output());
    let revoked = bearer(&key.token(&claims(&idp, json!({"jti": "a"}))));
    assert_eq!(said(&lambda.invoke(&revoked)), "Deny token_revoked");
}

#[test]
fn the_age_of_bundled_keys_is_unknown() {
    let (built_in, published) = (SigningKey::rsa("k0"), SigningKey::rsa("k1"));
    let idp = provider(&published);
    idp.down();
    let keys = tokens::jwks(&[&built_in]).to_string();
    let lambda = start(&idp, &[("JWKS", &keys), ("METRICS_NAMESPACE", "Pets")]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &built_in))), "Allow");
    let failed = failure(&lambda);
    assert_eq!(failed.get("age_seconds"), None, "{failed}");
    let metric = lambda.wait_for_log(|line| line["KeyFetches"] == 1);
    assert_eq!(metric.get("KeyAge"), None, "{metric}");
    idp.up();
    ask_until(&lambda, &good(&idp, &published), "Allow", "keys_unavailable");
    idp.down();
    lambda.invoke(&good(&idp, &SigningKey::rsa("k2")));
    lambda.wait_for_log(|line| line["KeyFetchFailures"] == 0 && line["KeyAge"] == 0);
}

#[test]
fn keys_that_moved_are_discovered_again() {
    let key = SigningKey::rsa("k1");
    let (idp, elsewhere) = (provider(&key), provider(&SigningKey::rsa("k2")));
    let lambda = Lambda::spawn(
        &program(),
        &[("ISSUER", &*idp.issuer()), ("AUDIENCE", AUDIENCE), SOON_AGING],
    );
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": elsewhere.jwks_uri()}));
    idp.behave(Behaviour::Status(404));
    let_age();
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    failure(&lambda);
    let_age();
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow", "refreshed beside the answer");
    lambda.wait_for_log(|line| {
        line["message"] == "keys refreshed" && line["keys"] == 1 && idp.discoveries() == 2
    });
    ask_until(&lambda, &good(&idp, &SigningKey::rsa("k2")), "Allow", "Deny key_unknown");
}

#[test]
fn configured_keys_serve_until_the_provider_answers() {
    let (built_in, symmetric, published) =
        (SigningKey::rsa("k0"), SigningKey::hmac("h1", &[7; 32]), SigningKey::rsa("k1"));
    let idp = provider(&published);
    idp.down();
    let keys = tokens::jwks(&[&built_in, &symmetric]).to_string();
    let lambda = start(&idp, &[("JWKS", &keys), ("ALGORITHMS", "RS256 HS256")]);
    assert_eq!(idp.connections(), 0, "no fetch at start");
    assert_eq!(said(&lambda.invoke(&good(&idp, &built_in))), "Allow");
    assert_eq!(said(&lambda.invoke(&good(&idp, &symmetric))), "Allow");
    idp.up();
    ask_until(&lambda, &good(&idp, &published), "Allow", "keys_unavailable");
    assert_eq!(
        said(&lambda.invoke(&good(&idp, &built_in))),
        "Deny key_unknown",
        "replaced by what is published"
    );
    assert_eq!(
        said(&lambda.invoke(&good(&idp, &symmetric))),
        "Allow",
        "a secret comes from no provider"
    );
}

#[test]
fn ssl_cert_file_counts_where_plain_discovery_leads_to_https() {
    let key = SigningKey::rsa("k1");
    let (idp, keys) = (Idp::start(), Idp::start_tls());
    keys.serve(&[&key]);
    idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": keys.jwks_uri()}));
    let settings = [("ISSUER", idp.issuer()), ("AUDIENCE", AUDIENCE.to_owned())];
    let ca_file = keys.ca_file().to_str().unwrap().to_owned();
    let lambda = spawn(&[&settings[..], &[("SSL_CERT_FILE", ca_file)]].concat());
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow", "{}", lambda.output());
    let lambda = spawn(&settings);
    assert_no_verdict(&lambda.invoke(&good(&idp, &key)), "keys_unavailable");
}

/// A proxy that opens tunnels (RFC 9110 section 9.3.6), and counts them.
fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tunnels);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || tunnel(client));
        }
    });
    (address, tunnels)
}

fn tunnel(mut client: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let target = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap();
    let server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut up, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut client, &mut up));
    let mut server = server;
    let _ = std::io::copy(&mut server, &mut down);
}

#[test]
fn proxy_variables_are_honoured_for_https_and_plain_http_stays_on_the_machine() {
    let key = SigningKey::rsa("k1");
    let (address, tunnels) = proxy();
    let tls = Idp::start_tls();
    tls.serve(&[&key]);
    let ca_file = tls.ca_file().to_str().unwrap();
    let lambda = start(&tls, &[("JWKS_CA_FILE", ca_file), ("HTTPS_PROXY", &address)]);
    assert_eq!(said(&lambda.invoke(&good(&tls, &key))), "Allow");
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
    let lambda = start(
        &tls,
        &[("JWKS_CA_FILE", ca_file), ("HTTPS_PROXY", &address), ("NO_PROXY", "localhost")],
    );
    assert_eq!(said(&lambda.invoke(&good(&tls, &key))), "Allow");
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);

    let plain = provider(&key);
    let lambda =
        start(&plain, &[("HTTP_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")]);
    assert_eq!(said(&lambda.invoke(&good(&plain, &key))), "Allow");
}

#[test]
fn made_up_key_ids_share_one_renewal_that_delays_no_known_key() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let settings = [("AWS_LAMBDA_MAX_CONCURRENCY", "8"), ("JWKS_TIMEOUT_MS", "3000")];
    let lambda = start(&idp, &settings);
    idp.behave(Behaviour::Hang);
    let claims = claims(&idp, json!({}));
    let made_up = |n| key.token_with(&json!({"alg": "RS256", "kid": format!("k{n}")}), &claims);
    let tickets: Vec<_> = (2..8).map(|n| lambda.submit(&bearer(&made_up(n)))).collect();
    while idp.fetches() < 2 {
        thread::yield_now();
    }
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    assert_eq!(lambda.log_lines().iter().filter(|line| line["decision"] == "none").count(), 0);
    for ticket in tickets {
        assert_no_verdict(&lambda.wait(ticket), "keys_unavailable");
    }
    assert_eq!(idp.fetches(), 2);
}

#[test]
fn a_token_that_expires_while_its_key_is_waited_for_is_refused() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[("JWKS_TIMEOUT_MS", "10000")]);
    idp.serve(&[&new]);
    idp.behave(Behaviour::Delay(Duration::from_millis(2500)));
    let token = new.token(&claims(&idp, json!({"exp": tokens::now() + 2})));
    assert_eq!(said(&lambda.invoke(&bearer(&token))), "Deny token_expired");
}

/// A function that finds this provider's keys by discovery.
fn discovering(idp: &Idp) -> Lambda {
    let settings = [("ISSUER", &*idp.issuer()), ("AUDIENCE", AUDIENCE), SOON_AGING];
    Lambda::spawn(&program(), &settings)
}

#[test]
fn keys_that_moved_are_found_though_the_old_address_answers() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let (idp, elsewhere) = (provider(&old), provider(&new));
    idp.etag(Some("\"1\""));
    let lambda = discovering(&idp);
    assert_eq!(said(&lambda.invoke(&good(&idp, &old))), "Allow");
    idp.set_discovery(json!({"issuer": idp.issuer(), "jwks_uri": elsewhere.jwks_uri()}));
    assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Deny key_unknown");
    assert_eq!((idp.discoveries(), idp.fetches(), elsewhere.fetches()), (1, 2, 0));
    let_age();
    assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Allow", "{}", lambda.output());
    assert_eq!(said(&lambda.invoke(&good(&idp, &old))), "Deny key_unknown");
    assert!(!elsewhere.headers_seen().iter().any(|(name, _)| name == "if-none-match"));
    for _ in 0..3 {
        let_age();
        assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Allow", "{}", lambda.output());
        lambda.api().settle();
    }
    assert_eq!((idp.discoveries(), idp.fetches(), elsewhere.fetches()), (2, 2, 4));
}

#[test]
fn keys_that_nobody_misses_are_fetched_from_where_they_were() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = discovering(&idp);
    for _ in 0..3 {
        let_age();
        assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
        lambda.api().settle();
    }
    assert_eq!((idp.discoveries(), idp.fetches()), (1, 4));
}

#[test]
fn a_discovery_document_that_is_gone_does_not_keep_a_new_key_out() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = discovering(&idp);
    idp.behave_discovery(Behaviour::Status(500));
    assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Deny key_unknown");
    idp.serve(&[&old, &new]);
    let_age();
    assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Allow", "{}", lambda.output());
    assert_eq!((idp.discoveries(), idp.fetches()), (2, 3));
}

#[test]
fn a_request_waits_at_most_twice_the_time_limit() {
    const SLOW: Duration = Duration::from_millis(1200);
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    idp.behave(Behaviour::Status(404));
    let lambda = Lambda::spawn(
        &program(),
        &[
            ("ISSUER", &*idp.issuer()),
            ("AUDIENCE", AUDIENCE),
            ("AWS_LAMBDA_MAX_CONCURRENCY", "2"),
            ("JWKS_TIMEOUT_MS", "1500"),
        ],
    );
    idp.behave(Behaviour::Delay(SLOW));
    idp.behave_discovery(Behaviour::Delay(SLOW));
    let_age();
    let begins = lambda.submit(&good(&idp, &old));
    while idp.discoveries() < 2 {
        thread::yield_now();
    }
    // It joins that refresh, whose answer does not have its key, and needs another one.
    let joins = lambda.submit(&good(&idp, &new));
    while idp.fetches() < 2 {
        thread::yield_now();
    }
    idp.serve(&[&old, &new]);
    assert_eq!(said(&lambda.wait(begins)), "Allow", "{}", lambda.output());
    let waited = lambda.wait(joins);
    assert_no_verdict(&waited, "keys_unavailable");
    assert!(waited.elapsed >= Duration::from_millis(2900), "{:?}", waited.elapsed);
    ask_until(&lambda, &good(&idp, &new), "Allow", "keys_unavailable");
    assert_eq!(idp.fetches(), 3, "the refresh went on without it: {}", lambda.output());
}
