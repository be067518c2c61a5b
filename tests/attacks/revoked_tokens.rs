//! Tokens that are on a revocation list, and would rather not be.

use super::*;

const REVOKED: &str = "token_revoked";

#[test]
fn each_gets_exactly_its_reason() {
    check(revoked);
}

fn revoked(table: &mut Table) {
    table.group("revoked tokens in disguise");
    let list = json!({
        "jti": ["token-1", "\u{e9}"],
        "sid": ["session-1"],
        "sub": {"user-1": 1_600_000_000, "\u{212a}": 2_000_000_000},
        "before": 1_000_000_000,
    });
    let settings = [("REVOKED", list.to_string())];
    for (changes, expected) in [
        (json!({"jti": "token-1"}), REVOKED),
        (json!({"jti": "token-1", "sid": "other", "sub": "other"}), REVOKED),
        (json!({"jti": "\u{e9}"}), REVOKED),
        (json!({"sid": "session-1", "jti": "other"}), REVOKED),
        (json!({"sid": "session-1", "sub": "other"}), REVOKED),
        (json!({"sub": "user-1", "iat": 1_599_999_999.999}), REVOKED),
        (json!({"sub": "user-1", "iat": 0}), REVOKED),
        (json!({"sub": "user-1", "iat": -0.0}), REVOKED),
        (json!({"sub": "user-1", "iat": -1e300}), REVOKED),
        (json!({"sub": "user-1", "iat": 999_999_999}), REVOKED),
        (json!({"sub": "\u{212a}"}), REVOKED),
        (json!({"iat": 999_999_999.999}), REVOKED),
        // What says nothing of when it was issued may be old.
        (json!({"sub": "user-1", "iat": null}), INVALID),
        (json!({"sub": "user-1", "iat": "2000000001"}), INVALID),
        (json!({"sub": "user-1", "iat": [2_000_000_001]}), INVALID),
        (json!({"sub": "user-1", "iat": true}), INVALID),
        // What is dated ahead would never be old.
        (json!({"sub": "user-1", "iat": 4_000_000_000_u64}), INVALID),
        (json!({"sub": "someone", "iat": 4_000_000_000_u64}), INVALID),
        (json!({"sub": "user-1", "iat": 1e300}), INVALID),
        (json!({"sub": "user-1", "iat": u64::MAX}), INVALID),
        // Bytes are compared, and only of texts. These were issued by the issuer as they stand.
        (json!({"sub": "user-1", "iat": 1_600_000_000}), ALLOW),
        (json!({"jti": "TOKEN-1"}), ALLOW),
        (json!({"jti": " token-1"}), ALLOW),
        (json!({"jti": "token-1\0"}), ALLOW),
        (json!({"jti": "e\u{301}"}), ALLOW),
        (json!({"jti": ["token-1"]}), ALLOW),
        (json!({"jti": {"token-1": 1}}), ALLOW),
        (json!({"jti": "session-1", "sid": "token-1"}), ALLOW),
        (json!({"sub": "K"}), ALLOW),
    ] {
        let mut claims = claims_with(json!({"sub": "someone", "iat": 1_500_000_000}));
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        table.token_under(&settings, format!("{changes}"), K1.token(&claims), expected);
    }
    for name in ["iat", "jti"] {
        let mut claims = claims_with(json!({"sub": "user-1"}));
        claims.as_object_mut().unwrap().remove(name);
        claims.as_object_mut().unwrap().remove("iat");
        table.token_under(&settings, format!("no {name}"), K1.token(&claims), REVOKED);
    }
    // The first or the last of two members: neither is believed.
    let claims = claims_with(json!({"jti": "token-1"})).to_string();
    let twice = claims.replacen('{', "{\"jti\":\"other\",", 1);
    let header = json!({"alg": K1.alg(), "kid": K1.kid()}).to_string();
    table.token_under(
        &settings,
        "`jti` twice",
        K1.token_raw(header.as_bytes(), twice.as_bytes()),
        MALFORMED,
    );
}
