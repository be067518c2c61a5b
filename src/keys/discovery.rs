//! Discovery documents (OpenID Connect Discovery 1.0): where the keys of an issuer are.

use std::borrow::Cow;

use crate::jose::members::{self, Members};
use crate::remote::endpoint::Endpoint;

/// The most characters of a wrong issuer's name that are shown.
const MAX_SHOWN_CHARS: usize = 128;

/// The address of the document. Section 4.1: one slash at the end of the issuer is removed first.
pub(crate) fn endpoint(issuer: &str) -> Option<Endpoint> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    Endpoint::parse(&format!("{base}/.well-known/openid-configuration")).ok()
}

/// The address of the keys that the document of this issuer names.
///
/// # Errors
///
/// What is wrong with the document.
pub fn jwks_uri(document: &[u8], issuer: &str) -> Result<Endpoint, String> {
    let document = str::from_utf8(document).map_err(|_| "not UTF-8")?;
    let document = Members::read(document, &["issuer", "jwks_uri"])?;
    // Section 4.3: exactly the issuer that was asked.
    let named = string(&document, "issuer")?;
    if named != issuer {
        let shown: String = named.chars().take(MAX_SHOWN_CHARS).collect();
        return Err(format!("`issuer` is {shown:?}, not {issuer:?}"));
    }
    let keys_at = Endpoint::parse(&string(&document, "jwks_uri")?)
        .map_err(|problem| format!("`jwks_uri` {problem}"))?;
    // Local services trust every caller: Lambda's Runtime API hands out the next event. Redirects stay within their
    // origin, so the document came from the origin of the issuer's name.
    if let Ok(issuer) = Endpoint::parse(issuer)
        && issuer.is_https()
    {
        if !keys_at.is_https() {
            return Err("`jwks_uri` must be https, as the document came by https".to_owned());
        }
        if keys_at.is_on_this_machine() && !keys_at.has_origin_of(&issuer) {
            const LOOPBACK: &str =
                "`jwks_uri` must not be a loopback address, as the document came by https";
            return Err(LOOPBACK.to_owned());
        }
    }
    Ok(keys_at)
}

/// A member that must be a string.
fn string<'d>(document: &Members<'d>, name: &str) -> Result<Cow<'d, str>, String> {
    let Some(value) = document.get(name) else { return Err(format!("has no `{name}`")) };
    match members::text(value) {
        Some(text) => Ok(text),
        None => Err(format!("`{name}` must be a string, in Unicode and not longer than 16 KiB")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://login.example.com/a";

    #[test]
    fn the_document_is_below_the_issuer() {
        for (issuer, expected) in [
            ("https://a.example", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example//", "https://a.example//.well-known/openid-configuration"),
            ("https://a.example/b/c", "https://a.example/b/c/.well-known/openid-configuration"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/.well-known/openid-configuration"),
        ] {
            assert_eq!(endpoint(issuer).unwrap().to_string(), expected);
        }
        assert_eq!(endpoint("http://a.example"), None);
    }

    #[test]
    fn a_document_fetched_by_https_names_https() {
        let found = |issuer: &str, keys_at: &str| {
            let document = json!({"issuer": issuer, "jwks_uri": keys_at}).to_string();
            jwks_uri(document.as_bytes(), issuer).map(|endpoint| endpoint.to_string())
        };
        let https = "`jwks_uri` must be https, as the document came by https";
        let keys = "https://keys.example.com/a?b=c";
        assert_eq!(found(ISSUER, keys), Ok(keys.to_owned()));
        assert_eq!(found("https://127.0.0.1", keys), Ok(keys.to_owned()));
        for inside in [
            "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
            "http://[::1]/",
            "http://localhost/",
        ] {
            assert_eq!(found(ISSUER, inside), Err(https.to_owned()));
            assert_eq!(found("HTTPS://login.example.com", inside), Err(https.to_owned()));
            assert_eq!(found("https://localhost:1", inside), Err(https.to_owned()));
            assert_eq!(found("http://127.0.0.1:1", inside), Ok(inside.to_owned()));
        }
        assert_eq!(found("http://localhost:1", keys), Ok(keys.to_owned()));
        let loopback = "`jwks_uri` must not be a loopback address, as the document came by https";
        for inside in ["https://127.0.0.1/", "https://localhost.:9/", "https://[::ffff:127.0.0.1]/"]
        {
            assert_eq!(found(ISSUER, inside), Err(loopback.to_owned()));
            assert_eq!(found("https://localhost:1", inside), Err(loopback.to_owned()));
            assert!(found("http://localhost:1", inside).is_ok());
        }
        // A provider that is on this machine itself can publish its keys there, and nowhere else on it.
        assert!(found("https://localhost:1/a", "https://localhost:1/keys").is_ok());
        assert!(found("https://127.0.0.1", "https://127.0.0.1:443/keys").is_ok());
        for other in
            ["https://localhost/keys", "https://127.0.0.1:1/keys", "https://a.localhost:1/"]
        {
            assert_eq!(found("https://localhost:1/a", other), Err(loopback.to_owned()));
        }
        let outside = "`jwks_uri` must be https: http is for loopback addresses only";
        assert_eq!(found("http://localhost:1", "http://keys.example.com"), Err(outside.to_owned()));
    }

    #[test]
    fn a_document_is_a_json_object_of_its_issuer() {
        const STRING: &str = "`issuer` must be a string, in Unicode and not longer than 16 KiB";
        let keys = "https://keys.example.com/";
        let good = json!({"issuer": ISSUER, "jwks_uri": keys, "scopes_supported": [{"a": {}}]})
            .to_string();
        assert_eq!(jwks_uri(good.as_bytes(), ISSUER).unwrap().to_string(), keys);
        let with = |name: &str, value: Value| {
            let mut document = json!({"issuer": ISSUER, "jwks_uri": keys});
            document[name] = value;
            document.to_string()
        };
        let cases = [
            (String::new(), "not a JSON object"),
            ("[]".to_owned(), "not a JSON object"),
            (format!("[{good}]"), "not a JSON object"),
            ("null".to_owned(), "not a JSON object"),
            (format!("\"{good}"), "not a JSON object"),
            (format!("{good}{{}}"), "not valid JSON: trailing characters at line 1 column "),
            (good.replacen(':', " ", 1), "not valid JSON: expected `:` at line 1 column "),
            (
                good[..30].to_owned(),
                "not valid JSON: EOF while parsing a string at line 1 column 30",
            ),
            (with("issuer", json!("x".repeat(20_000))), STRING),
            (good.replace("\"https://login", "\"\\ud800"), STRING),
            (
                good.replacen('{', r#"{"jwks_uri":"https://keys.example.com/","#, 1),
                "duplicate member name at line 1 column ",
            ),
            (good.replacen('{', r#"{"\u0069ssuer":"x","#, 1), "duplicate member name at line "),
            (good.replacen('{', r#"{"a":1,"a":1,"#, 1), "duplicate member name at line "),
            ("{}".to_owned(), "has no `issuer`"),
            (with("issuer", json!("")), "`issuer` is \"\", not \"https://login.example.com/a\""),
            (with("issuer", json!(null)), STRING),
            (with("issuer", json!([ISSUER])), STRING),
            (
                with("issuer", json!("https://login.example.com/a/")),
                "`issuer` is \"https://login.example.com/a/\"",
            ),
            (with("issuer", json!("x".repeat(1000))), "`issuer` is \"xxx"),
            (json!({"issuer": ISSUER}).to_string(), "has no `jwks_uri`"),
            (with("jwks_uri", json!(null)), "`jwks_uri` must be a string"),
            (with("jwks_uri", json!([keys])), "`jwks_uri` must be a string"),
            (with("jwks_uri", json!("/keys")), "`jwks_uri` must be an absolute URL"),
            (with("jwks_uri", json!("file:///etc/passwd")), "`jwks_uri` must be https"),
        ];
        for (document, expected) in cases {
            let found = jwks_uri(document.as_bytes(), ISSUER).unwrap_err();
            assert!(found.starts_with(expected) && found.len() < 250, "{document}: {found}");
        }
    }
}
