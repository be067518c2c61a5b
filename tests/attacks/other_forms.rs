//! Other forms than three segments.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(other_forms);
}

fn other_forms(table: &mut Table) {
    table.group("1, 2, 4, 5 segments, JSON serialisation, JWE, nested");
    let valid = good();
    let (header, payload, signature) = segments(&valid);
    let jwe = b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k1"}"#);
    let flat = json!({"protected": header, "payload": payload, "signature": signature});
    let general =
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    let wrong = b64("wrong");
    for (name, token) in [
        ("one segment", header.to_owned()),
        ("two segments", format!("{header}.{payload}")),
        ("four segments", format!("{valid}.{wrong}")),
        ("four segments, signed part first", format!("{header}.{payload}.{wrong}.{signature}")),
        ("five segments", format!("{valid}.{wrong}.{wrong}")),
        ("a thousand segments", "a.".repeat(1000)),
        ("dots", "..".to_owned()),
        ("dot before", format!(".{valid}")),
        ("dot after", format!("{valid}.")),
        ("two tokens with a dot", format!("{valid}.{valid}")),
        ("two tokens with a comma", format!("{valid},{valid}")),
        ("flattened JSON serialisation", flat.to_string()),
        ("general JSON serialisation", general.to_string()),
        ("JSON serialisation in base64url", b64(flat.to_string())),
        ("JWE", format!("{jwe}.{wrong}.{wrong}.{wrong}.{wrong}")),
        ("detached payload", format!("{header}..{signature}")),
        ("token as payload", K1.token_raw(br#"{"alg":"RS256","kid":"k1"}"#, valid.as_bytes())),
        ("token as JSON text", format!("\"{valid}\"")),
    ] {
        table.token(name, token, MALFORMED);
    }
    table.token("JWE header on three segments", format!("{jwe}.{payload}.{signature}"), ALGORITHM);
    for cty in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
        let header = json!({"alg": "RS256", "kid": "k1", "cty": cty});
        table.token(format!("cty {cty}"), K1.token_with(&header, &claims()), TYPE);
    }
}
