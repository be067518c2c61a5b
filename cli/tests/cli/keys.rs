//! `authorizer keys`: which keys of a set can be used, and why not the others.

use serde_json::{Value, json};

use crate::support::idp::Idp;
use crate::support::tokens::{self, SigningKey};
use crate::{Folder, run};

/// Two keys that can be used with RS256 or ES256, one that cannot be used at all.
fn key_set() -> Value {
    let mut set = tokens::jwks(&[&SigningKey::rsa("r"), &SigningKey::es256("e")]);
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "AKP", "kid": "post-quantum"}));
    set
}

#[test]
fn every_key_of_a_file_is_listed_with_its_use() {
    let folder = Folder::new("keys");
    let file = folder.file("jwks.json", &key_set().to_string());
    let ran = run(&[], &["keys", &file], "");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].ends_with("jwks.json: 3 keys, 1 usable with RS256"), "{}", ran.out);
    assert_eq!(lines[1], "  usable   keys[0] (kid \"r\"): RS256");
    assert!(lines[2].starts_with("  skipped  keys[1] (kid \"e\"): "), "{}", ran.out);
    assert!(lines[3].starts_with("  skipped  keys[2] (kid \"post-quantum\"): "), "{}", ran.out);

    let ran = run(
        &[("ALGORITHMS", "ES256, RS256")],
        &["keys", "-", "--format", "json"],
        &key_set().to_string(),
    );
    let set = &ran.json()["key_sets"][0];
    assert_eq!(
        set["usable"][1],
        json!({"index": 1, "kid": "e", "algorithms": ["ES256"], "has_private_half": false})
    );
    assert_eq!(set["skipped"][0]["kid"], "post-quantum");
    assert!(!set["skipped"][0]["because"].as_str().unwrap().is_empty());

    let ran = run(&[("ALGORITHMS", "ES256\tRS256\n")], &["keys", &file], "");
    assert!(ran.code == 0 && ran.out.contains("2 usable with ES256 RS256"), "{}", ran.out);

    let ran = run(&[("ALGORITHMS", "EdDSA")], &["keys", &file], "");
    assert!(ran.code == 1 && ran.out.contains("3 keys, 0 usable with EdDSA"), "{}", ran.out);
    let ran = run(&[], &["keys", "-"], "[]");
    assert!(ran.code == 1 && ran.out.starts_with("-: not a JSON object"), "{}", ran.out);
    assert_eq!(run(&[], &["keys", "none.json"], "").code, 2);
}

#[test]
fn the_keys_of_the_settings_are_listed_by_issuer() {
    let jwks = key_set().to_string();
    let ran = run(&[("JWKS", &jwks)], &["keys"], "");
    assert!(ran.code == 0 && ran.out.starts_with("JWKS: 3 keys, 1 usable"), "{}", ran.out);
    let folder = Folder::new("keys-settings");
    folder.file("jwks.json", &jwks);
    let root = folder.path("");
    let ran = run(&[("JWKS", "@jwks.json")], &["keys", "--root", root.to_str().unwrap()], "");
    assert!(ran.code == 0 && ran.out.starts_with("JWKS: 3 keys"), "{}", ran.out);
    let issuers = json!([
        {"issuer": "https://one.example", "audience": "a"},
        {"issuer": "https://two.example", "audience": "a", "algorithms": ["ES256"], "jwks": key_set()},
    ]);
    let ran = run(&[("ISSUERS", &issuers.to_string())], &["keys"], "");
    assert!(ran.out.starts_with("ISSUERS[1].jwks: 3 keys, 1 usable with ES256"), "{}", ran.out);
    let ran = run(&[("ISSUER", "https://a.example")], &["keys"], "");
    assert!(
        ran.code == 2 && ran.err.contains("--online fetches those of the issuers"),
        "{}",
        ran.err
    );
}

#[test]
fn keys_are_fetched_only_if_asked() {
    let idp = Idp::start();
    idp.serve_json(key_set());
    let (issuer, url) = (idp.issuer(), idp.jwks_uri());
    let ran = run(&[], &["keys", &url], "");
    assert!(ran.code == 2 && ran.err.contains("fetched with --online only"), "{}", ran.err);
    assert_eq!(idp.requests(), 0);
    let listed = format!("{url}: 3 keys, 1 usable with RS256\n");
    let ran = run(&[], &["keys", "--online", &url], "");
    assert!(ran.code == 0 && ran.out.starts_with(&listed), "{}{}", ran.out, ran.err);
    let settings = [("ISSUER", issuer.as_str()), ("AUDIENCE", "a")];
    let ran = run(&settings, &["keys", "--online"], "");
    assert!(ran.code == 0 && ran.out.starts_with(&listed), "{}{}", ran.out, ran.err);

    let mut private = key_set();
    private["keys"][0]["d"] = json!("AQ");
    idp.serve_json(private);
    let ran = run(&settings, &["keys", "--online"], "");
    assert!(ran.code == 1 && ran.out.contains("anybody can sign"), "{}", ran.out);
    // Port 1 of this machine: nobody listens there.
    let ran = run(&[], &["keys", "--online", "http://127.0.0.1:1/keys?signature=SECRET"], "");
    assert!(ran.code == 1 && ran.out.contains("connect: "), "{}", ran.out);
    assert!(!ran.out.contains("SECRET"), "{}", ran.out);
}
