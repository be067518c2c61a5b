//! Keys in the spellings that providers publish. Tokens in the same spellings are refused.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

#[test]
fn each_gets_exactly_its_reason() {
    check(published_keys);
}

fn published_keys(table: &mut Table) {
    table.group("spellings that are read in keys, and refused in tokens");
    members_that_say_nothing(table);
    other_base64(table);
    numbers_of_other_lengths(table);
    byte_order_marks(table);
}

/// Null, and `key_ops` without an element.
fn members_that_say_nothing(table: &mut Table) {
    for name in ["use", "alg", "key_ops", "x5c", "x5t", "x5u", "exp", "crv", "k", "d", "oth"] {
        key(table, format!("key: {name} null"), json!({name: null}), ALLOW);
    }
    key(table, "key: key_ops, x5c, oth empty", json!({"key_ops": [], "x5c": [], "oth": []}), ALLOW);
    let nothing = json!({"use": null, "alg": null, "key_ops": [], "x5c": null, "x5t#S256": null});
    key(table, "key: nothing said of its use", nothing, ALLOW);
    for (name, value) in
        [("use", json!("")), ("alg", json!("")), ("use", json!([])), ("key_ops", json!([null]))]
    {
        key(table, format!("key: {name} {value}"), json!({name: value}), KEY);
    }
    let nameless = [("JWKS", set(&[&merged(K1.jwk(), json!({"kid": null}))]))];
    let without_kid = K1.token_with(&json!({"alg": "RS256"}), &claims());
    table.token_under(&nameless, "key: kid null", without_kid, ALLOW);

    for (member, reason) in
        [("alg", MALFORMED), ("kid", MALFORMED), ("typ", MALFORMED), ("crit", CRITICAL)]
    {
        let header = merged(json!({"alg": "RS256", "kid": "k1"}), json!({member: null}));
        table.token(format!("token: {member} null"), K1.token_with(&header, &claims()), reason);
    }
    let header = json!({"alg": "RS256", "kid": "k1", "crit": []});
    table.token("token: crit empty", K1.token_with(&header, &claims()), CRITICAL);
    let header = json!({"alg": "RS256", "kid": "null"});
    table.token_under(&nameless, "token: kid \"null\"", K1.token_with(&header, &claims()), KEY);
}

fn other_base64(table: &mut Table) {
    // One in 10^19 keys has no `+`, `/` and no padding.
    let n = K1.modulus();
    let url = URL_SAFE_NO_PAD.encode(&n);
    for (name, n, expected) in [
        ("padded", URL_SAFE.encode(&n), ALLOW),
        ("plain", STANDARD_NO_PAD.encode(&n), ALLOW),
        ("plain and padded", STANDARD.encode(&n), ALLOW),
        ("+ for - alone", url.replace('-', "+"), ALLOW),
        ("/ for _ alone", url.replace('_', "/"), ALLOW),
        ("padded once", format!("{url}="), ALLOW),
        ("padded thrice", format!("{url}==="), KEY),
        ("padded with commas", format!("{url},,"), KEY),
        ("padded in percent", format!("{url}%3D%3D"), KEY),
        ("padding within", format!("{}={}", &url[..100], &url[100..]), KEY),
        ("padding before", format!("={url}"), KEY),
        ("space before", format!(" {url}"), KEY),
        ("LF after", format!("{url}\n"), KEY),
        ("line breaks", format!("{}\r\n{}", &url[..76], &url[76..]), KEY),
        ("a letter outside", format!("{}!{}", &url[..100], &url[101..]), KEY),
        ("stray bits", stray_bits(&url), KEY),
        ("hexadecimal", n.iter().map(|byte| format!("{byte:02x}")).collect(), SIGNATURE),
    ] {
        key(table, format!("key: n {name}"), json!({"n": n}), expected);
    }
    key(table, "key: e padded", json!({"e": "AQAB===="}), KEY);
    key(table, "key: e of 2 octets padded", json!({"e": "AQE="}), SIGNATURE);

    let ec = SigningKey::es256("k1");
    let [x, y] = coordinates(&ec);
    let plain = json!({"x": STANDARD.encode(x), "y": STANDARD.encode(y)});
    ec_key(table, "key: x, y plain and padded", &ec, plain, ALLOW);
    let ed = SigningKey::ed25519("k1");
    let x = URL_SAFE_NO_PAD.decode(ed.jwk()["x"].as_str().unwrap()).unwrap();
    for (name, x, expected) in [
        ("plain and padded", STANDARD.encode(&x), ALLOW),
        ("with a zero in front", b64([&[0], &*x].concat()), KEY),
        ("cut", b64(&x[1..]), KEY),
    ] {
        let jwk = merged(ed.jwk(), json!({"x": x}));
        let settings = [("ALGORITHMS", "EdDSA".to_owned()), ("JWKS", with_spare(&jwk))];
        let name = format!("key: Ed25519 x {name}");
        table.token_under(&settings, name, ed.token(&claims()), expected);
    }
    let secret = [0, 0xfb, 0xef, 0xff].repeat(8);
    let secret_key = SigningKey::hmac("k1", &secret);
    for (name, k, expected) in [
        ("plain and padded", STANDARD.encode(&secret), ALLOW),
        ("without its zero in front", b64([&secret[1..], &[1]].concat()), SIGNATURE),
        ("with a zero in front", b64([&[0], &*secret].concat()), SIGNATURE),
    ] {
        let jwk = merged(secret_key.jwk(), json!({"k": k}));
        let settings = [("ALGORITHMS", "HS256".to_owned()), ("JWKS", set(&[&jwk]))];
        table.token_under(
            &settings,
            format!("key: k {name}"),
            secret_key.token(&claims()),
            expected,
        );
    }

    let token = good();
    let (header, payload, signature) = segments(&token);
    let plain = |segment: &str| STANDARD.encode(URL_SAFE_NO_PAD.decode(segment).unwrap());
    let plain_signature = format!("{header}.{payload}.{}", plain(signature));
    table.token("token: signature plain and padded", plain_signature, MALFORMED);
    let padded = format!("{header}.{payload}.{signature}==");
    table.token("token: signature padded", padded, MALFORMED);
    let swapped = signature.replace('-', "+").replace('_', "/");
    table.token("token: signature plain", format!("{header}.{payload}.{swapped}"), MALFORMED);
    let header = URL_SAFE.encode(r#"{"alg":"RS256","kid":"k1"}"#);
    let signed = format!("{header}.{payload}");
    let signature = b64(K1.sign(signed.as_bytes()));
    assert!(header.ends_with('='));
    table.token("token: header padded, and signed so", format!("{signed}.{signature}"), MALFORMED);
}

/// Zero octets in front of a number, and coordinates that lack theirs.
fn numbers_of_other_lengths(table: &mut Table) {
    let n = K1.modulus();
    for zeros in [1, 2, 256] {
        let n = b64([&vec![0; zeros][..], &n].concat());
        key(table, format!("key: n after {zeros} zeros"), json!({"n": n}), ALLOW);
    }
    key(table, "key: e after a zero", json!({"e": "AAEAAQ"}), ALLOW);
    key(table, "key: n before a zero", json!({"n": b64([&*n, &[0]].concat())}), KEY);

    for name in ["x", "y"] {
        let (ec, coordinate) = with_zero_in(name);
        let row = |text: &str| format!("key: P-256 {name} {text}");
        let omitted = json!({name: b64(&coordinate[1..])});
        ec_key(table, row("without its zero"), &ec, omitted, ALLOW);
        let doubled = json!({name: b64([&[0], &*coordinate].concat())});
        ec_key(table, row("with another zero"), &ec, doubled, ALLOW);
        let moved = json!({name: b64([&coordinate[1..], &[0]].concat())});
        ec_key(table, row("with its zero at the end"), &ec, moved, KEY);
        let cut = json!({name: b64(&coordinate[..31])});
        ec_key(table, row("cut at its end"), &ec, cut, KEY);
    }
    let ec = SigningKey::es256("k1");
    let [x, y] = coordinates(&ec);
    let after = |count: usize, number: &[u8]| b64([&vec![0; count], number].concat());
    let java = json!({"x": after(1, &x), "y": after(1, &y)});
    ec_key(table, "key: P-256 x, y of 33 octets", &ec, java, ALLOW);
    let as_p384 = json!({"crv": "P-384", "alg": null, "x": after(16, &x), "y": after(16, &y)});
    ec_key(table, "key: P-256 point as one of P-384", &ec, as_p384, KEY);
    let longer = json!({"x": b64([&[1], &x[..]].concat())});
    ec_key(table, "key: P-256 x of 33 octets, no zero", &ec, longer, KEY);
    let other = json!({"x": b64(&y)});
    ec_key(table, "key: P-256 x is another number", &ec, other, KEY);

    let token = ec.token(&claims());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = signature.split_at(32);
    let settings = [("ALGORITHMS", "ES256".to_owned()), ("JWKS", set(&[&ec.jwk()]))];
    for (name, signature) in [
        ("R and S of 33 octets", [&[0], r, &[0], s].concat()),
        ("R of 33 octets", [&[0], r, s].concat()),
        ("R cut", signature[1..].to_vec()),
    ] {
        let token = format!("{signed}.{}", b64(signature));
        table.token_under(&settings, format!("token: {name}"), token, SIGNATURE);
    }
    let signature = URL_SAFE_NO_PAD.decode(segments(&good()).2).unwrap();
    let token = good();
    let (header, payload, _) = segments(&token);
    let longer = b64([&[0], &*signature].concat());
    let token = format!("{header}.{payload}.{longer}");
    table.token("token: RSA signature after a zero", token, SIGNATURE);
}

fn byte_order_marks(table: &mut Table) {
    let marked = [("JWKS", format!("\u{feff}{}", set(&[&K1.jwk()])))];
    table.token_under(&marked, "key set: byte order mark", good(), ALLOW);
    let (header, payload) = (r#"{"alg":"RS256","kid":"k1"}"#, claims().to_string());
    let mark = |text: &str| format!("\u{feff}{text}");
    let marked = K1.token_raw(mark(header).as_bytes(), payload.as_bytes());
    table.token("token: byte order mark in the header", marked, MALFORMED);
    let marked = K1.token_raw(header.as_bytes(), mark(&payload).as_bytes());
    table.token("token: byte order mark in the payload", marked, MALFORMED);
    table.token("token: byte order mark before it", mark(&good()), MALFORMED);
}

/// K1 with these changes, and a token of it.
fn key(table: &mut Table, name: impl Into<String>, changes: Value, expected: &'static str) {
    let settings = [("JWKS", with_spare(&merged(K1.jwk(), changes)))];
    table.token_under(&settings, name, good(), expected);
}

fn ec_key(
    table: &mut Table,
    name: impl Into<String>,
    key: &SigningKey,
    changes: Value,
    expected: &'static str,
) {
    let jwk = merged(key.jwk(), changes);
    let settings = [("ALGORITHMS", "ES256 ES384".to_owned()), ("JWKS", with_spare(&jwk))];
    table.token_under(&settings, name, key.token(&claims()), expected);
}

/// A set of this key and one for each type, so that it is a set to work with.
fn with_spare(jwk: &Value) -> String {
    let spare =
        [SigningKey::rsa("spare"), SigningKey::es256("spare"), SigningKey::ed25519("spare")];
    let [rsa, ec, ed] = spare.map(|key| key.jwk());
    set(&[jwk, &rsa, &ec, &ed])
}

fn coordinates(key: &SigningKey) -> [Vec<u8>; 2] {
    ["x", "y"].map(|name| URL_SAFE_NO_PAD.decode(key.jwk()[name].as_str().unwrap()).unwrap())
}

/// A P-256 key of which one coordinate begins with a zero octet, as one in 256 does.
fn with_zero_in(name: &str) -> (SigningKey, Vec<u8>) {
    loop {
        let key = SigningKey::es256("k1");
        let [x, y] = coordinates(&key);
        let coordinate = if name == "x" { x } else { y };
        if coordinate[0] == 0 {
            return (key, coordinate);
        }
    }
}
