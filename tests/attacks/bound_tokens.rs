//! Tokens that are bound to a key or certificate, in the hands of who does not have it.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(bound_tokens);
}

/// A request event of each kind with this token, and where it has the certificate.
fn kinds(token: &str) -> [(&'static str, Value, &'static str); 3] {
    let arn = format!("{STAGE}/GET/pets");
    let headers = json!({"Authorization": format!("Bearer {token}")});
    let of_method = json!({"type": "REQUEST", "methodArn": arn, "headers": headers});
    let http1 = merged(of_method.clone(), json!({"version": "1.0"}));
    let http2 = json!({"version": "2.0", "type": "REQUEST", "routeArn": arn, "headers": headers});
    [
        ("REST", of_method, "identity"),
        ("HTTP 1.0", http1, "identity"),
        ("HTTP 2.0", http2, "authentication"),
    ]
}

fn in_context(event: &Value, context: Value) -> String {
    merged(event.clone(), json!({"requestContext": context})).to_string()
}

fn held(place: &str, pem: &Value) -> Value {
    json!({place: {"clientCert": {"clientCertPem": pem}}})
}

fn bound_tokens(table: &mut Table) {
    let own = ClientCertificate::issued("client");
    let thief = ClientCertificate::issued("thief");
    let certificate = [("TOKEN_BINDING", "certificate".to_owned())];
    let ignore = [("TOKEN_BINDING", "ignore".to_owned())];
    let bound = |cnf: &Value| K1.token(&claims_with(json!({"cnf": cnf})));
    let named = json!({"x5t#S256": own.thumbprint()});

    table.group("tokens bound to a key or certificate (`cnf`)");
    let kinds_of_cnf = [
        named.clone(),
        json!({"jkt": own.thumbprint()}),
        json!({"jwk": K1.jwk()}),
        json!({"kid": "k1"}),
        json!({}),
        json!([]),
        json!(""),
        json!("none"),
        json!(false),
        json!(0),
    ];
    for cnf in &kinds_of_cnf {
        table.token(format!("{cnf}, refused"), bound(cnf), BINDING);
        table.token_under(&certificate, format!("{cnf}, TOKEN"), bound(cnf), BINDING);
        table.token_under(&ignore, format!("{cnf}, ignored"), bound(cnf), ALLOW);
    }
    table.token("null is no binding", bound(&json!(null)), ALLOW);
    table.token_under(&certificate, "null is no binding", bound(&json!(null)), ALLOW);
    let expired = claims_with(json!({"cnf": named, "exp": 1}));
    table.token("expired besides", K1.token(&expired), "token_expired");
    let nobody = claims_with(json!({"cnf": named, "sub": 5}));
    table.token("of nobody besides", K1.token(&nobody), INVALID);
    let rights = [("REQUIRED_SCOPES", "pets:admin".to_owned())];
    table.token_under(&rights, "without the rights besides", bound(&named), BINDING);
    let arn = format!("{STAGE}/GET/pets");
    let authorization = format!("Bearer {}", bound(&named));
    let event = json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": authorization});
    for place in ["identity", "authentication"] {
        let event = in_context(&event, held(place, &json!(own.pem)));
        table.event_under(&certificate, format!("TOKEN, with {place}"), event, BINDING);
    }

    for (kind, event, place) in kinds(&bound(&named)) {
        let other = if place == "identity" { "authentication" } else { "identity" };
        let pem = json!(own.pem);
        let mut row = |name: &str, context: Value, expected| {
            let name = format!("{kind}: {name}");
            table.event_under(&certificate, name, in_context(&event, context), expected);
        };
        row("its own certificate", held(place, &pem), ALLOW);
        row("its own, then a chain", held(place, &json!(own.pem.clone() + &own.issuer_pem)), ALLOW);
        for (name, text) in [
            ("a thief's", thief.pem.clone()),
            ("a thief's, then its own", thief.pem.clone() + &own.pem),
            ("the authority's", own.issuer_pem.clone()),
            ("no certificate", String::new()),
            ("an empty one", pem_of(&[])),
            ("a key", own.pem.replace("CERTIFICATE", "PUBLIC KEY")),
            ("cut off", own.pem[..own.pem.len() / 2].to_owned()),
            ("with a byte behind it", pem_of(&[&own.der[..], &[0]].concat())),
            ("its thumbprint", own.thumbprint()),
        ] {
            row(name, held(place, &json!(text)), BINDING);
        }
        row("in the place of other kinds", held(other, &pem), BINDING);
        row("several", held(place, &json!([pem])), BINDING);
        row("null", held(place, &json!(null)), BINDING);
        row("beside its place", json!({"clientCert": {"clientCertPem": pem}}), BINDING);
        row("no context", json!(null), BINDING);
        row("another context", json!([held(place, &pem)]), BINDING);
        let header = json!({"X-Amzn-Mtls-Clientcert": own.pem, "clientCertPem": own.pem});
        let mut by_header = event.clone();
        by_header["headers"].as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let name = format!("{kind}: in a header");
        table.event_under(&certificate, name, by_header.to_string(), BINDING);
    }

    let thumbprint = own.thumbprint();
    for (name, cnf) in [
        ("padded", json!({"x5t#S256": format!("{thumbprint}=")})),
        ("with a space", json!({"x5t#S256": format!("{thumbprint} ")})),
        ("in another letter case", json!({"x5t#S256": thumbprint.to_lowercase()})),
        ("empty", json!({"x5t#S256": ""})),
        ("of nothing", json!({"x5t#S256": b64(digest::digest(&SHA256, b""))})),
        ("SHA-1", json!({"x5t": b64(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &own.der))})),
        ("of the PEM", json!({"x5t#S256": b64(digest::digest(&SHA256, own.pem.as_bytes()))})),
        ("one of several", json!({"x5t#S256": [thumbprint]})),
        ("under another name", json!({"x5t#s256": thumbprint})),
        ("in an array", json!([{"x5t#S256": thumbprint}])),
        ("in a text", json!(format!("{{\"x5t#S256\":\"{thumbprint}\"}}"))),
        ("of a key", json!({"jkt": thumbprint})),
    ] {
        for (kind, event, place) in kinds(&bound(&cnf)) {
            let event = in_context(&event, held(place, &json!(own.pem)));
            let name = format!("{kind}: the thumbprint {name}");
            table.event_under(&certificate, name, event, BINDING);
        }
    }
}

fn pem_of(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}
