//! Tokens that are bound to a client certificate (RFC 8705), for every kind of event.

use serde_json::{Value, json};

use super::apis::{KINDS, sample};
use super::support::certificates::ClientCertificate;
use super::support::process::Lambda;
use super::support::tokens::SigningKey;
use super::{claims, provider, said, start};

/// The sample of a kind with this token and client certificate.
fn event(file: &str, token: &str, pem: &str) -> String {
    let mut event = sample(file, token);
    let place = if file == "http-2.0" { "authentication" } else { "identity" };
    event["requestContext"][place]["clientCert"] = json!({"clientCertPem": pem});
    event.to_string()
}

/// A PEM text with each of the line ends.
fn spellings(pem: &str) -> [String; 4] {
    ["\n", "\r\n", " ", ""].map(|end| pem.replace('\n', end))
}

#[test]
fn a_bound_token_needs_its_certificate_whatever_the_line_ends() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let (own, thief) = (ClientCertificate::issued("client"), ClientCertificate::issued("thief"));
    let token = |cnf: Value| key.token(&claims(&idp, json!({ "cnf": cnf })));
    let bound = token(json!({"x5t#S256": own.thumbprint()}));
    let to_another_key = token(json!({"jkt": own.thumbprint()}));
    const REFUSED: &str = "Deny token_binding_invalid";
    for (file, source, _) in KINDS {
        let start =
            |binding: &str| start(&idp, &[("TOKEN_BINDING", binding), ("TOKEN_SOURCE", source)]);
        let ask = |lambda: &Lambda, token: &str, pem: &str| {
            let reply = lambda.invoke(&event(file, token, pem));
            if reply.body["context"]["reason"].is_string() {
                assert_eq!(reply.body["principalId"], "anonymous", "{file}");
            }
            said(&reply)
        };
        let lambda = start("certificate");
        let accepted = if file == "token-allowed" { REFUSED } else { "Allow" };
        for chain in [own.pem.clone(), own.pem.clone() + &own.issuer_pem] {
            for pem in spellings(&chain) {
                assert_eq!(ask(&lambda, &bound, &pem), accepted, "{file}: {pem}");
                assert_eq!(ask(&lambda, &to_another_key, &pem), REFUSED, "{file}");
            }
        }
        for chain in [thief.pem.clone(), thief.pem.clone() + &own.pem, own.issuer_pem.clone()] {
            for pem in spellings(&chain) {
                assert_eq!(ask(&lambda, &bound, &pem), REFUSED, "{file}: {pem}");
            }
        }
        assert_eq!(said(&lambda.invoke(&sample(file, &bound).to_string())), REFUSED, "{file}");
        // A token that is bound to nothing needs no certificate, and may come with any.
        let plain = key.token(&claims(&idp, json!({})));
        for pem in [&*thief.pem, "CERT_CONTENT", ""] {
            assert_eq!(ask(&lambda, &plain, pem), "Allow", "{file}");
        }

        let refusing = start(" ");
        assert_eq!(ask(&refusing, &bound, &own.pem), REFUSED, "{file}");
        assert_eq!(ask(&refusing, &plain, &own.pem), "Allow", "{file}");
        assert_eq!(ask(&start("ignore"), &bound, &thief.pem), "Allow", "{file}");
    }
}

#[test]
fn of_a_certificate_only_the_thumbprint_is_logged() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let (own, thief) = (ClientCertificate::issued("client"), ClientCertificate::issued("thief"));
    let lambda = start(&idp, &[("TOKEN_BINDING", "certificate")]);
    let cnf = json!({"x5t#S256": own.thumbprint()});
    let token = key.token(&claims(&idp, json!({ "cnf": cnf })));
    let odd = "-----BEGIN CERTIFICATE-----thief-----END CERTIFICATE-----";
    for pem in [&*thief.pem, odd, &own.pem] {
        lambda.invoke_to_end(&event("rest-request", &token, pem));
    }
    lambda.invoke_to_end(&sample("token-allowed", &token).to_string());
    let details = [
        Some(format!("bound to another certificate than {}", thief.thumbprint())),
        Some("the client certificate of the event is not PEM".to_owned()),
        None,
        Some("the event has no client certificate".to_owned()),
    ];
    let decisions = || lambda.log_lines().into_iter().filter(|line| line.get("decision").is_some());
    lambda.wait_for_log(|_| decisions().count() == details.len());
    for (line, detail) in decisions().zip(&details) {
        assert_eq!(line["detail"].as_str(), detail.as_deref(), "{line}");
    }
    let output = lambda.output();
    assert!(!output.contains(&own.thumbprint()), "what the token says is not logged: {output}");
    let body: String = thief.pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pieces = body.as_bytes().windows(16).map(|piece| str::from_utf8(piece).unwrap());
    for piece in pieces.chain(["CERTIFICATE", "thief"]) {
        assert!(!output.contains(piece), "{piece}: {output}");
    }
}
