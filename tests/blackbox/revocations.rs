//! Revocation lists: what each member refuses, where a list comes from, and providers of lists that rotate, hang, lie
//! and die. A list that cannot be had is no verdict, and never a policy.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::freezes::{GAP, PATIENT, count, thawed};
use super::providers::{SHORT, ask_until, faults, good};
use super::support::idp::{Behaviour, Idp, costly_values};
use super::support::process::Lambda;
use super::support::tokens::{SigningKey, jwks, now};
use super::{AUDIENCE, assert_no_verdict, bearer, claims, program, provider, refused, said, start};

const UNAVAILABLE: &str = "revocations_unavailable";

/// A list that is due for refresh a second after it was fetched.
const SOON_STALE: (&str, &str) = ("REVOKED_FRESH_SECONDS", "1");

/// A second after which it expires. Both limits are tried to the second where time is an argument.
const SOON_EXPIRED: (&str, &str) = ("REVOKED_STALE_SECONDS", "1");

/// A provider of a list. Its list stands where key sets do elsewhere.
fn publisher(list: &Value) -> Idp {
    let lists = Idp::start();
    lists.serve_json(list.clone());
    lists
}

/// An event with a good token that has these claims, too.
fn with(idp: &Idp, key: &SigningKey, changes: Value) -> String {
    bearer(&key.token(&claims(idp, changes)))
}

fn let_age() {
    thread::sleep(Duration::from_millis(1100));
}

/// The log event of the refresh that failed.
fn failure(lambda: &Lambda) -> Value {
    lambda.wait_for_log(|line| line["message"] == "revocation refresh failed")
}

#[test]
fn every_member_refuses_wherever_the_list_comes_from() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let issued = now();
    let list = json!({
        "jti": ["token-1", "token-2"],
        "sid": ["session-1"],
        "sub": {"user-now": issued, "user-later": issued as f64 + 0.5, "user-2": issued - 60},
        "before": issued - 3600,
    });
    let file = std::env::temp_dir().join(format!("revoked-{}.json", std::process::id()));
    fs::write(&file, list.to_string()).unwrap();
    let lists = publisher(&list);
    let (by_file, by_address) = (format!("@{}", file.display()), lists.jwks_uri());
    for revoked in [&*list.to_string(), &by_file, &by_address] {
        let lambda = start(&idp, &[("REVOKED", revoked)]);
        for (changes, expected) in [
            (json!({}), "Allow"),
            (json!({"jti": "token-1"}), "Deny token_revoked"),
            (json!({"jti": "token-2", "sid": "other"}), "Deny token_revoked"),
            (json!({"jti": "TOKEN-1"}), "Allow"),
            (json!({"jti": "token-1 "}), "Allow"),
            (json!({"jti": ["token-1"]}), "Allow"),
            (json!({"jti": "session-1"}), "Allow"),
            (json!({"sid": "session-1"}), "Deny token_revoked"),
            (json!({"sid": "token-1"}), "Allow"),
            (json!({"sid": 1}), "Allow"),
            (json!({"sub": "user-now", "iat": issued - 1}), "Deny token_revoked"),
            (json!({"sub": "user-now", "iat": issued}), "Allow"),
            (json!({"sub": "user-later", "iat": issued}), "Deny token_revoked"),
            (json!({"sub": "user-later", "iat": issued as f64 + 0.5}), "Allow"),
            (json!({"sub": "user-now", "iat": null}), "Deny token_revoked"),
            (json!({"sub": "user-2", "iat": issued - 61}), "Deny token_revoked"),
            (json!({"sub": "user-2", "iat": issued - 60}), "Allow"),
            (json!({"sub": "user-3", "iat": issued - 3600}), "Allow"),
            (json!({"sub": "user-3", "iat": issued - 3601}), "Deny token_revoked"),
            (json!({"sub": "user-3", "iat": null}), "Deny token_revoked"),
        ] {
            let event = with(&idp, &key, changes.clone());
            let reply = lambda.invoke(&event);
            assert_eq!(said(&reply), expected, "{changes}, {revoked}");
            let is_named = reply.body["principalId"] != "anonymous";
            assert_eq!(is_named, expected == "Allow", "{changes}");
        }
        let output = lambda.end();
        for listed in ["token-1", "session-1", "user-now"] {
            assert!(!output.contains(listed), "{listed} in {output}");
        }
    }
    assert_eq!(lists.fetches(), 1);
    fs::remove_file(file).unwrap();
}

#[test]
fn a_null_iat_is_invalid_and_a_subject_is_the_claim() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let signed_out_at = now() - 60;
    let list = json!({"sub": {"u": signed_out_at}}).to_string();
    let lambda = start(&idp, &[("REVOKED", &list), ("PRINCIPAL_CLAIM", "client_id")]);
    let event = |changes: Value| {
        let mut claims = claims(&idp, json!({"client_id": "c", "sub": "u"}));
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        bearer(&key.token(&claims))
    };
    for (changes, expected) in [
        (json!({"iat": null}), "Deny claim_invalid"),
        (json!({"iat": "1"}), "Deny claim_invalid"),
        (json!({"iat": signed_out_at - 1}), "Deny token_revoked"),
        (json!({"iat": signed_out_at - 1, "sub": "v", "client_id": "u"}), "Allow"),
    ] {
        assert_eq!(said(&lambda.invoke(&event(changes.clone()))), expected, "{changes}");
    }
}

#[test]
fn checks_before_it_keep_their_reasons_and_rights_come_after_it() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({"jti": ["listed"]}));
    let settings =
        |uri| [("REVOKED", uri), ("REQUIRED_SCOPES", "admin"), ("REFUSAL", "unauthorized")];
    let lambda = start(&idp, &settings(&*lists.jwks_uri()));
    let listed = with(&idp, &key, json!({"jti": "listed"}));
    let reply = lambda.invoke(&listed);
    assert_eq!((reply.is_error, &*said(&reply)), (true, "Unauthorized"));
    lambda.wait_for_log(|line| line["reason"] == "token_revoked");
    assert_eq!(said(&lambda.invoke(&with(&idp, &key, json!({})))), "Deny insufficient_scope");

    lists.behave(Behaviour::Status(500));
    let lambda = start(&idp, &[("REVOKED", &*lists.jwks_uri()), ("REQUIRED_SCOPES", "admin")]);
    let forged = SigningKey::rsa_other("k1", 1).token(&claims(&idp, json!({"jti": "listed"})));
    for (event, expected) in [
        (bearer("rubbish"), "Deny token_malformed"),
        (bearer(&forged), "Deny signature_invalid"),
        (with(&idp, &key, json!({"iss": "https://example.com"})), "Deny issuer_untrusted"),
        (with(&idp, &key, json!({"exp": now() - 60})), "Deny token_expired"),
        (with(&idp, &key, json!({"aud": "other"})), "Deny audience_mismatch"),
        (with(&idp, &key, json!({"sub": null})), "Deny claim_missing"),
        (with(&idp, &key, json!({"sub": " "})), "Deny claim_invalid"),
    ] {
        assert_eq!(said(&lambda.invoke(&event)), expected);
    }
    assert_no_verdict(&lambda.invoke(&listed), UNAVAILABLE);
    assert_no_verdict(&lambda.invoke(&with(&idp, &key, json!({}))), UNAVAILABLE);
}

#[test]
fn without_a_list_there_is_no_verdict_and_the_stage_is_told() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let event = good(&idp, &key);
    for (name, fault, stage) in faults() {
        // Long enough to take its time where it drips.
        let lists = publisher(&json!({"jti": ["x".repeat(100)]}));
        lists.behave(fault);
        let address = lists.jwks_uri() + "?signature=QUERY";
        let lambda = start(&idp, &[SHORT, ("REVOKED", &address)]);
        assert_no_verdict(&lambda.invoke(&event), UNAVAILABLE);
        let failure = failure(&lambda);
        assert_eq!(failure["stage"], stage, "{name}: {}", lambda.output());
        assert_eq!(failure["list"], lists.jwks_uri(), "{failure}");
        assert_eq!((failure.get("issuer"), failure.get("age_seconds")), (None, None));
        assert!(lambda.peak_kib() < 24 * 1024, "{name}: {} KiB", lambda.peak_kib());
        assert!(!lambda.end().contains("QUERY"), "{name}");
    }
    let tls = Idp::start_tls();
    tls.serve_json(json!({}));
    for (address, stage) in [
        ("https://provider.invalid/list?signature=QUERY", "name_resolution"),
        ("https://127.0.0.1:1/list?signature=QUERY", "connect"),
        (&*(tls.jwks_uri() + "?signature=QUERY"), "tls"),
    ] {
        let lambda = start(&idp, &[("REVOKED", address)]);
        assert_no_verdict(&lambda.invoke(&event), UNAVAILABLE);
        assert_eq!(failure(&lambda)["stage"], stage, "{}", lambda.output());
        assert!(!lambda.end().contains("QUERY"), "{address}");
    }
}

#[test]
fn what_is_no_list_replaces_nothing_and_is_not_told() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let (event, listed) = (good(&idp, &key), with(&idp, &key, json!({"jti": "listed"})));
    let lists = publisher(&json!({"jti": ["listed"]}));
    for document in [
        "SECRET",
        r#"["SECRET"]"#,
        r#"{"SECRET":[]}"#,
        r#"{"jti":"SECRET"}"#,
        r#"{"jti":null}"#,
        r#"{"jti":["SECRET",1]}"#,
        r#"{"jti":["SECRET"],"jti":[]}"#,
        r#"{"sub":{"SECRET":1,"SECRET":1}}"#,
        r#"{"sub":{"SECRET":1e400}}"#,
        r#"{"before":"SECRET"}"#,
        "\u{feff}\u{feff}{}",
    ] {
        lists.serve_json(json!({"jti": ["listed"]}));
        let lambda = start(&idp, &[SOON_STALE, ("REVOKED", &*lists.jwks_uri())]);
        lists.serve_bytes(document.as_bytes().to_vec());
        let_age();
        assert_eq!(said(&lambda.invoke(&event)), "Allow", "{document}");
        let failure = failure(&lambda);
        assert_eq!((&failure["stage"], &failure["age_seconds"]), (&json!("parse"), &json!(1)));
        assert_eq!(said(&lambda.invoke(&listed)), "Deny token_revoked", "{document}");
        assert!(!lambda.end().contains("SECRET"), "{document}");
    }
    lists.serve_bytes(b"{\"jti\":[\"\xff\"]}".to_vec());
    let lambda = start(&idp, &[("REVOKED", &*lists.jwks_uri())]);
    assert_no_verdict(&lambda.invoke(&event), UNAVAILABLE);
    let long = [&b"{}"[..], &[b' '; 1 << 20]].concat();
    for (document, expected) in [(&long[..1 << 20], "Allow"), (&long[..], UNAVAILABLE)] {
        lists.serve_bytes(document[..document.len().min((1 << 20) + 1)].to_vec());
        let lambda = start(&idp, &[("REVOKED", &*lists.jwks_uri())]);
        assert!(said(&lambda.invoke(&event)).starts_with(expected), "{expected}");
    }
}

#[test]
fn a_list_in_the_settings_that_is_none_does_not_start_and_is_not_quoted() {
    let idp = provider(&SigningKey::rsa("k1"));
    let issuer = idp.issuer();
    for revoked in
        [r#"{"jti":["SECRET",null]}"#, "SECRET", "http://SECRET.example.com/", r#"{"SECRET":1}"#]
    {
        let exit = refused(&[("ISSUER", &issuer), ("AUDIENCE", AUDIENCE), ("REVOKED", revoked)]);
        assert_eq!(exit.code, Some(78));
        assert!(exit.output.contains("\n  REVOKED: "), "{}", exit.output);
        let report = exit.init_error.unwrap().to_string();
        assert!(!exit.output.contains("SECRET") && !report.contains("SECRET"), "{}", exit.output);
    }
    assert_eq!(idp.requests(), 0);
}

#[test]
fn the_start_log_states_the_bounds_of_a_fetched_list() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let lambda = start(&idp, &[("REVOKED", &*lists.jwks_uri())]);
    let stated = lambda.wait_for_log(|line| line.get("REVOKED_STALE_SECONDS").is_some());
    assert_eq!(
        (&stated["REVOKED_FRESH_SECONDS"], &stated["REVOKED_STALE_SECONDS"]),
        (&json!(60), &json!(3600))
    );
    let refreshed = lambda.wait_for_log(|line| line["message"] == "revocations refreshed");
    assert_eq!((&refreshed["list"], &refreshed["entries"]), (&json!(lists.jwks_uri()), &json!(0)));
    let lambda = start(&idp, &[("REVOKED", "{}")]);
    assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
    assert!(!lambda.end().contains("REVOKED_STALE_SECONDS"));
}

#[test]
fn a_revocation_takes_effect_after_fresh_and_one_request_and_so_does_its_end() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let lambda = start(&idp, &[SOON_STALE, ("REVOKED", &*lists.jwks_uri())]);
    let event = with(&idp, &key, json!({"jti": "listed"}));
    lists.serve_json(json!({"jti": ["listed"]}));
    let_age();
    assert_eq!(said(&lambda.invoke(&event)), "Allow", "answered from the list at hand");
    ask_until(&lambda, &event, "Deny token_revoked", "Allow");
    // A good list replaces the last one whole.
    lists.serve_json(json!({"jti": ["other"]}));
    let_age();
    ask_until(&lambda, &event, "Allow", "Deny token_revoked");
}

#[test]
fn an_outage_shorter_than_stale_is_invisible_and_a_longer_one_is_no_verdict() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({"jti": ["listed"]}));
    let (event, listed) = (good(&idp, &key), with(&idp, &key, json!({"jti": "listed"})));
    let patient = start(&idp, &[SOON_STALE, ("REVOKED", &*lists.jwks_uri())]);
    let strict = start(&idp, &[SOON_STALE, SOON_EXPIRED, ("REVOKED", &*lists.jwks_uri())]);
    lists.down();
    let_age();
    for _ in 0..10 {
        assert_eq!(said(&patient.invoke(&event)), "Allow");
        assert_eq!(said(&patient.invoke(&listed)), "Deny token_revoked");
        // It decides nothing, not even about a token that it holds.
        assert_no_verdict(&strict.invoke(&listed), UNAVAILABLE);
        assert_no_verdict(&strict.invoke(&event), UNAVAILABLE);
    }
    failure(&patient);
    lists.up();
    ask_until(&strict, &event, "Allow", UNAVAILABLE);
    assert_eq!(said(&strict.invoke(&listed)), "Deny token_revoked");
}

#[test]
fn an_unchanged_list_is_confirmed_by_its_etag() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({"jti": ["listed"]}));
    lists.etag(Some("\"v1\""));
    let lambda = start(&idp, &[SOON_STALE, SOON_EXPIRED, ("REVOKED", &*lists.jwks_uri())]);
    let listed = with(&idp, &key, json!({"jti": "listed"}));
    let_age();
    assert_eq!(said(&lambda.invoke(&listed)), "Deny token_revoked", "young again");
    lambda.wait_for_log(|line| {
        line["message"] == "revocations refreshed" && line["unchanged"] == true
    });
    assert_eq!((lists.fetches(), lists.not_modified()), (2, 1));
    // What is no list does not make its own ETag known.
    lists.etag(Some("\"v2\""));
    lists.serve_bytes(b"[]".to_vec());
    let_age();
    assert_no_verdict(&lambda.invoke(&listed), UNAVAILABLE);
    let seen = lists.headers_seen();
    assert!(seen.contains(&("if-none-match".to_owned(), "\"v1\"".to_owned())), "{seen:?}");
    lists.serve_json(json!({}));
    ask_until(&lambda, &listed, "Allow", UNAVAILABLE);
    assert_eq!(lists.not_modified(), 1);
}

#[test]
fn keys_and_list_are_fetched_side_by_side() {
    let key = SigningKey::rsa("k1");
    let (idp, lists) = (provider(&key), publisher(&json!({})));
    let event = good(&idp, &key);
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < Duration::from_secs(10), "{what}");
            thread::yield_now();
        }
    };
    // At start: while the one hangs, the other has been asked.
    for (hanging, other) in [(&idp, &lists), (&lists, &idp)] {
        hanging.behave(Behaviour::Hang);
        let before = (hanging.fetches(), other.fetches());
        thread::scope(|scope| {
            let lambda = scope.spawn(|| start(&idp, &[PATIENT, ("REVOKED", &*lists.jwks_uri())]));
            until("both are asked", &|| hanging.fetches() > before.0 && other.fetches() > before.1);
            hanging.behave(Behaviour::Healthy);
            ask_until(&lambda.join().unwrap(), &event, "Allow", "");
        });
    }
    // And for a token that waits for both.
    let age = [("JWKS_FRESH_SECONDS", "1"), ("JWKS_STALE_SECONDS", "1"), SOON_STALE, SOON_EXPIRED];
    let lambda = start(&idp, &[&age[..], &[PATIENT, ("REVOKED", &*lists.jwks_uri())]].concat());
    let_age();
    idp.behave(Behaviour::Hang);
    let before = (idp.fetches(), lists.fetches());
    let ticket = lambda.submit(&event);
    until("both are asked", &|| idp.fetches() > before.0 && lists.fetches() > before.1);
    lambda.wait_for_log(|_| count(&lambda, "revocations refreshed") == 2);
    assert_eq!(count(&lambda, "keys refreshed"), 1, "{}", lambda.output());
    idp.behave(Behaviour::Healthy);
    // The keys' connection was cut: that is a failed attempt, and the next one is a backoff later.
    let _ = lambda.wait(ticket);
    ask_until(&lambda, &event, "Allow", "keys_unavailable");
}

#[test]
fn a_list_that_hangs_delays_no_answer_and_the_next_event_once_in_a_backoff() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let lambda = start(&idp, &[SOON_STALE, SHORT, ("REVOKED", &*lists.jwks_uri())]);
    let event = good(&idp, &key);
    lists.behave(Behaviour::Hang);
    let_age();
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    // The process is stopped when it asks for the next event: the refresh was waited for before.
    lambda.freeze();
    assert_eq!(failure(&lambda)["stage"], "timeout");
    lambda.thaw();
    for _ in 0..20 {
        assert_eq!(said(&lambda.invoke(&event)), "Allow");
    }
    assert_eq!((lists.fetches(), count(&lambda, "revocation refresh failed")), (2, 1));
}

#[test]
fn with_several_invocations_at_once_only_one_waits_for_a_list() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let slots = ("AWS_LAMBDA_MAX_CONCURRENCY", "2");
    let lambda = start(&idp, &[SOON_STALE, PATIENT, slots, ("REVOKED", &*lists.jwks_uri())]);
    let event = good(&idp, &key);
    lists.behave(Behaviour::Hang);
    let_age();
    for _ in 0..50 {
        assert_eq!(said(&lambda.invoke(&event)), "Allow");
    }
    assert_eq!(lists.fetches(), 2);
    lists.behave(Behaviour::Healthy);
    failure(&lambda);
}

#[test]
fn a_revoked_token_passes_at_most_fresh_and_one_request_whatever_the_gaps() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let lambda = start(&idp, &[SOON_STALE, SHORT, ("REVOKED", &*lists.jwks_uri())]);
    let event = with(&idp, &key, json!({"jti": "listed"}));
    lists.behave(Behaviour::Delay(Duration::from_millis(50)));
    lists.serve_json(json!({"jti": ["listed"]}));
    lambda.freeze();
    thread::sleep(GAP);
    assert_eq!(thawed(&lambda, &event), "Allow", "answered from the list at hand");
    for _ in 0..3 {
        assert_eq!(thawed(&lambda, &event), "Deny token_revoked", "{}", lambda.output());
        thread::sleep(GAP);
    }
    assert_eq!(count(&lambda, "revocation refresh failed"), 0, "{}", lambda.output());
    lambda.thaw();
}

#[test]
fn a_list_that_froze_with_the_process_is_as_old_as_its_question() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let lambda = start(&idp, &[SOON_STALE, SOON_EXPIRED, PATIENT, ("REVOKED", &*lists.jwks_uri())]);
    let event = with(&idp, &key, json!({"jti": "listed"}));
    // The list ages though the process does not run.
    lambda.freeze();
    thread::sleep(GAP);
    lists.serve_json(json!({"jti": ["listed"]}));
    lambda.thaw();
    assert_eq!(said(&lambda.invoke(&event)), "Deny token_revoked", "{}", lambda.output());
    // An answer that lay in the socket is no younger for that.
    lists.serve_json(json!({}));
    lists.behave(Behaviour::Delay(Duration::from_millis(200)));
    let_age();
    let ticket = lambda.submit(&event);
    while lists.fetches() < 3 {
        thread::yield_now();
    }
    lambda.stop();
    thread::sleep(GAP);
    lists.serve_json(json!({"jti": ["listed"]}));
    lambda.thaw();
    assert_eq!(said(&lambda.wait(ticket)), "Deny token_revoked", "{}", lambda.output());
    assert_eq!(lists.fetches(), 4);
}

#[test]
fn what_a_freeze_interrupted_is_no_outage_of_the_list() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let metrics = ("METRICS_NAMESPACE", "Pets");
    let lambda = start(&idp, &[SOON_STALE, SHORT, metrics, ("REVOKED", &*lists.jwks_uri())]);
    lists.behave(Behaviour::Hang);
    let_age();
    let event = with(&idp, &key, json!({"jti": "listed"}));
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    while lists.fetches() < 2 {
        thread::yield_now();
    }
    lambda.stop();
    lists.behave(Behaviour::Healthy);
    lists.down();
    lists.up();
    lists.serve_json(json!({"jti": ["listed"]}));
    thread::sleep(GAP);
    lambda.thaw();
    ask_until(&lambda, &event, "Deny token_revoked", "Allow");
    lambda.wait_for_log(|line| line["message"] == "revocation refresh interrupted by a freeze");
    assert_eq!(count(&lambda, "revocation refresh failed"), 0, "{}", lambda.output());
    let counted =
        |name: &str| lambda.log_lines().iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    lambda.wait_for_log(|_| counted("RevocationFetches") == 3);
    assert_eq!(counted("RevocationFetchFailures"), 0, "{}", lambda.output());
}

/// Two issuers under one function, with these lists.
fn two(idps: [&Idp; 2], lists: [Value; 2], more: &[(&str, &str)]) -> Lambda {
    let entries: Vec<_> = idps
        .iter()
        .zip(lists)
        .map(|(idp, list)| {
            let mut entry = json!({
                "issuer": idp.issuer(), "jwks_uri": idp.jwks_uri(), "audience": AUDIENCE,
            });
            if !list.is_null() {
                entry["revoked"] = list;
            }
            entry
        })
        .collect();
    let issuers = json!(entries).to_string();
    Lambda::spawn(&program(), &[&[("ISSUERS", &*issuers)], more].concat())
}

#[test]
fn issuers_share_a_list_by_its_address_and_no_list_by_anything_else() {
    let key = SigningKey::rsa("k1");
    let (a, b) = (provider(&key), provider(&key));
    let (ours, theirs) = (publisher(&json!({"jti": ["x"]})), publisher(&json!({"jti": ["y"]})));
    let event = |idp, id: &str| with(idp, &key, json!({"jti": id}));
    let asked = |lambda: &Lambda| {
        [(&a, "x"), (&a, "y"), (&b, "x"), (&b, "y")]
            .map(|(idp, id)| said(&lambda.invoke(&event(idp, id))) == "Deny token_revoked")
    };

    let shared = two([&a, &b], [json!(ours.jwks_uri()), json!(ours.jwks_uri())], &[]);
    assert_eq!(asked(&shared), [true, false, true, false]);
    assert_eq!(ours.fetches(), 1, "one list, one fetch");

    let apart = two([&a, &b], [json!(ours.jwks_uri()), json!(theirs.jwks_uri())], &[]);
    assert_eq!(asked(&apart), [true, false, false, true]);
    let given = two([&a, &b], [json!({"jti": ["x"]}), json!(theirs.jwks_uri())], &[]);
    assert_eq!(asked(&given), [true, false, false, true]);
    let one = two([&a, &b], [Value::Null, json!({"jti": ["y"]})], &[]);
    assert_eq!(asked(&one), [false, false, false, true]);

    // The outage of a list is none of the other issuer's.
    theirs.down();
    let outage = two([&a, &b], [json!(ours.jwks_uri()), json!(theirs.jwks_uri())], &[]);
    assert_eq!(said(&outage.invoke(&event(&a, "y"))), "Allow");
    assert_no_verdict(&outage.invoke(&event(&b, "x")), UNAVAILABLE);
}

#[test]
fn a_list_may_have_fifty_thousand_entries() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let list = |n: usize| json!({"jti": (0..n).map(|n| format!("{n:016x}")).collect::<Vec<_>>()});
    let file = std::env::temp_dir().join(format!("revoked-many-{}.json", std::process::id()));
    fs::write(&file, list(50_000).to_string()).unwrap();
    let lists = publisher(&list(50_000));
    for revoked in [format!("@{}", file.display()), lists.jwks_uri()] {
        let lambda = start(&idp, &[("REVOKED", &revoked)]);
        for n in [0, 1, 25_000, 49_999, 50_000, usize::MAX] {
            let event = with(&idp, &key, json!({"jti": format!("{n:016x}")}));
            let expected = if n < 50_000 { "Deny token_revoked" } else { "Allow" };
            assert_eq!(said(&lambda.invoke(&event)), expected, "{n}");
        }
        if !revoked.starts_with('@') {
            let refreshed = lambda.wait_for_log(|line| line["message"] == "revocations refreshed");
            assert_eq!(refreshed["entries"], 50_000);
        }
    }
    fs::remove_file(file).unwrap();
}

#[test]
fn no_list_costs_much_memory() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    let event = good(&idp, &key);
    let keys = jwks(&[&key]).to_string();
    let peak_and_answer = || {
        let lambda = start(&idp, &[("JWKS", &*keys), ("REVOKED", &*lists.jwks_uri())]);
        let answer = said(&lambda.invoke(&event));
        (lambda.peak_kib(), answer)
    };
    let (ordinary, answer) = peak_and_answer();
    assert_eq!(answer, "Allow");
    let assert_cheap = |what: &str, document: String, expected: &str| {
        assert!(document.len() <= 1 << 20, "{what}");
        lists.serve_bytes(document.into_bytes());
        let (peak, answer) = peak_and_answer();
        assert!(
            peak < ordinary + 16 * 1024,
            "{what}: {peak} KiB, {ordinary} KiB for an ordinary one"
        );
        assert!(answer.starts_with(expected), "{what}: {answer}");
    };
    for (name, value) in costly_values() {
        for document in [
            format!(r#"{{"x":{value}}}"#),
            format!(r#"{{"jti":{value}}}"#),
            format!(r#"{{"jti":[{value}]}}"#),
            format!(r#"{{"sub":{{"u":{value}}}}}"#),
            format!(r#"{{"before":{value}}}"#),
        ] {
            let is_text = value.starts_with('"') && document.starts_with(r#"{"jti":["#);
            assert_cheap(name, document, if is_text { "Allow" } else { UNAVAILABLE });
        }
    }
    // As many entries as there is room for: texts as short as can be, none twice.
    let alphabet: Vec<char> = ('!'..='~').filter(|c| !"\"\\".contains(*c)).collect();
    let short = |n: usize| {
        let letter = |n: usize| alphabet[n % alphabet.len()];
        [letter(n), letter(n / alphabet.len()), letter(n / alphabet.len().pow(2))]
            .iter()
            .collect::<String>()
    };
    let texts: Vec<_> = (0..170_000).map(|n| format!("\"{}\"", short(n))).collect();
    assert_cheap("ids", format!(r#"{{"jti":[{}]}}"#, texts[..170_000].join(",")), "Allow");
    assert_cheap(
        "subjects",
        format!(r#"{{"sub":{{{}:1}}}}"#, texts[..130_000].join(":1,")),
        "Allow",
    );
}

#[test]
fn a_list_comes_over_tls_and_stays_with_its_origin() {
    let key = SigningKey::rsa("k1");
    let (idp, inside) = (provider(&key), publisher(&json!({})));
    let lists = Idp::start_tls();
    lists.serve_json(json!({"jti": ["listed"]}));
    let ca_file = lists.ca_file().to_str().unwrap();
    let settings = [("JWKS_CA_FILE", ca_file), ("REVOKED", &*lists.jwks_uri())];
    let listed = with(&idp, &key, json!({"jti": "listed"}));
    assert_eq!(said(&start(&idp, &settings).invoke(&listed)), "Deny token_revoked");
    lists.behave(Behaviour::Redirect("/jwks2".to_owned()));
    assert_eq!(said(&start(&idp, &settings).invoke(&listed)), "Deny token_revoked");
    lists.behave(Behaviour::Redirect(inside.issuer() + "/jwks2"));
    let lambda = start(&idp, &settings);
    assert_no_verdict(&lambda.invoke(&listed), UNAVAILABLE);
    assert_eq!(failure(&lambda)["stage"], "redirect");
    assert_eq!(inside.connections(), 0);
}

#[test]
fn fetches_of_lists_are_counted_with_the_age_of_the_oldest() {
    let key = SigningKey::rsa("k1");
    let (a, b) = (provider(&key), provider(&key));
    let (one, other) = (publisher(&json!({})), publisher(&json!({})));
    let metrics = ("METRICS_NAMESPACE", "Pets");
    other.behave(Behaviour::Status(500));
    let addresses = [json!(one.jwks_uri()), json!(other.jwks_uri())];
    let lambda = two([&a, &b], addresses, &[metrics, SOON_STALE]);
    let attempts = || {
        let lines = lambda.log_lines().into_iter();
        lines.filter(|line| line.get("RevocationFetches").is_some()).collect::<Vec<_>>()
    };
    lambda.wait_for_log(|_| attempts().len() == 2);
    let failures = || {
        attempts().iter().map(|line| line["RevocationFetchFailures"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(failures(), 1);
    for line in attempts() {
        assert_eq!(line["RevocationFetches"], 1, "{line}");
        let names = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert!(names.iter().all(|metric| metric["Name"] != "KeyFetches"), "{line}");
        assert_eq!(line.get("KeyFetchMilliseconds"), None, "{line}");
    }
    // The other list comes later: the age told is that of the one that was fetched at start.
    let_age();
    other.behave(Behaviour::Healthy);
    ask_until(&lambda, &good(&b, &key), "Allow", UNAVAILABLE);
    lambda.wait_for_log(|_| attempts().len() > 2);
    let age = attempts()[2]["RevocationAge"].as_u64().unwrap();
    assert!((1..20).contains(&age), "{age}");

    // None of what is given, nor before the first.
    let lambda = start(&a, &[metrics, ("REVOKED", "{}")]);
    let keys = lambda.wait_for_log(|line| line["KeyFetches"] == 1);
    assert_eq!(keys.get("RevocationAge"), None, "{keys}");
    one.down();
    let lambda = start(&a, &[metrics, ("REVOKED", &*one.jwks_uri())]);
    let failed = lambda.wait_for_log(|line| line["RevocationFetchFailures"] == 1);
    assert_eq!(failed.get("RevocationAge"), None, "{failed}");
}

#[test]
fn a_token_that_expires_while_the_list_is_waited_for_is_refused() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lists = publisher(&json!({}));
    lists.behave(Behaviour::Status(500));
    let lambda = start(&idp, &[PATIENT, ("REVOKED", &*lists.jwks_uri())]);
    lists.behave(Behaviour::Delay(Duration::from_millis(2500)));
    // As long as the pause after one failure may last.
    let_age();
    let event = with(&idp, &key, json!({"exp": now() + 2}));
    assert_eq!(said(&lambda.invoke(&event)), "Deny token_expired", "{}", lambda.output());
}
