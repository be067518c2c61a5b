//! Where an event holds its credential, and the one token in it.

use std::borrow::Cow;
use std::fmt;

use crate::denial::{Denial, Malformed};
use crate::gateway::event::{Event, EventKind, Request};
use crate::jose::token::MAX_TOKEN_BYTES;

/// Where a request event can hold the token: a member of `TOKEN_SOURCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenLocation {
    /// A header, by name in any letter case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// The WebSocket subprotocol after the one of this name. Browsers' WebSockets cannot set any other header.
    Subprotocol(String),
}

impl TokenLocation {
    /// The error says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("header" | "cookie" | "subprotocol", name))
                if !name.is_empty() && !is_token(name) =>
            {
                Err(format!(
                    "`{text}`: no header, cookie or subprotocol has such a name (RFC 9110 section 5.6.2, token)"
                ))
            }
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            Some(("subprotocol", name)) if !name.is_empty() => {
                Ok(Self::Subprotocol(name.to_owned()))
            }
            _ => Err(format!(
                "`{text}`: must be `header:NAME`, `query:NAME`, `cookie:NAME` or `subprotocol:NAME`"
            )),
        }
    }
}

impl fmt::Display for TokenLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Subprotocol(name) => write!(f, "subprotocol:{name}"),
        }
    }
}

/// Where the credential of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialLocation<'c> {
    /// The member of a `TOKEN` event.
    AuthorizationToken,
    /// A member of `TOKEN_SOURCE`.
    Source(&'c TokenLocation),
}

impl fmt::Display for CredentialLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorizationToken => f.write_str("authorizationToken"),
            Self::Source(location) => location.fmt(f),
        }
    }
}

/// RFC 9110 section 5.6.2; RFC 6265 section 4.1.1 takes the names of cookies from there.
fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

/// Whether a header must name the scheme: `BEARER_PREFIX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BearerPrefix {
    /// It must say `Bearer`.
    Required,
    /// It can hold the bare token.
    Optional,
}

/// How credentials are found.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// For request events: the first source that is present counts.
    pub(crate) sources: Vec<TokenLocation>,
    pub(crate) bearer_prefix: BearerPrefix,
}

/// The one token of a request, and where it is.
#[derive(Debug)]
pub(crate) struct Credential<'e, 'c> {
    pub(crate) token: Cow<'e, str>,
    pub(crate) location: CredentialLocation<'c>,
}

impl Credentials {
    /// The one token of a request.
    pub(crate) fn find<'e, 'c>(
        &'c self,
        request: &Request<'e>,
    ) -> Result<Credential<'e, 'c>, Denial> {
        if request.kind == EventKind::Token {
            let location = CredentialLocation::AuthorizationToken;
            return match request.event.authorization_token() {
                Some(header) if !is_blank(header) => {
                    let token = Cow::Borrowed(self.bearer(header)?);
                    Ok(Credential { token, location })
                }
                _ => Err(Denial::TokenMissing { searched: vec![location.to_string()] }),
            };
        }
        for source in &self.sources {
            let mut values = match source {
                TokenLocation::Header(name) => request.event.headers_named(name),
                TokenLocation::Query(name) => request.event.query(name),
                TokenLocation::Cookie(name) => request.event.cookies_named(name),
                TokenLocation::Subprotocol(name) => subprotocol_tokens(request.event, name)?,
            };
            values.retain(|value| !is_blank(value));
            if !values.is_empty() {
                let token = Cow::Owned(self.sole_token(source, &values)?.to_owned());
                return Ok(Credential { token, location: CredentialLocation::Source(source) });
            }
        }
        let searched = self.sources.iter().map(ToString::to_string).collect();
        Err(Denial::TokenMissing { searched })
    }

    /// The token of all values of one source. Both forms of a map hold the same value, and a client may send it twice.
    fn sole_token<'v>(
        &self,
        source: &TokenLocation,
        values: &'v [String],
    ) -> Result<&'v str, Denial> {
        let (mut tokens, mut first_denial): (Vec<&str>, Option<Denial>) = (Vec::new(), None);
        for value in values {
            match self.token_in(source, value) {
                Ok(token) if !tokens.contains(&token) => tokens.push(token),
                Ok(_) => {}
                // The earliest reason, wherever its value is in the event.
                Err(denial) => match &first_denial {
                    Some(earlier) if earlier.reason() <= denial.reason() => {}
                    _ => first_denial = Some(denial),
                },
            }
        }
        match (first_denial, &tokens[..]) {
            (Some(denial), _) => Err(denial),
            (None, [token]) => Ok(token),
            (None, _) => Err(Denial::TokenMalformed(Malformed::SeveralTokens)),
        }
    }

    fn token_in<'v>(&self, source: &TokenLocation, value: &'v str) -> Result<&'v str, Denial> {
        match source {
            TokenLocation::Header(_) => self.bearer(value),
            TokenLocation::Query(_) | TokenLocation::Cookie(_) | TokenLocation::Subprotocol(_) => {
                check_length(value)?;
                Ok(value)
            }
        }
    }

    /// The token of an `Authorization` header (RFC 6750 section 2.1; RFC 9110 section 11.1 on letter case).
    fn bearer<'h>(&self, header: &'h str) -> Result<&'h str, Denial> {
        let token = match header.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Bearer") => {
                rest.trim_start_matches(' ')
            }
            _ if self.bearer_prefix == BearerPrefix::Optional => header,
            _ => {
                check_length(header)?;
                return Err(Denial::TokenMalformed(Malformed::Scheme));
            }
        };
        check_length(token)?;
        // Decoding rejects everything else. Without an early exit, the loop compares sixteen bytes at once.
        let has_space = token.bytes().fold(false, |found, byte| found | (byte == b' '));
        if token.is_empty() || has_space {
            return Err(Denial::TokenMalformed(Malformed::NotOneToken));
        }
        Ok(token)
    }
}

/// The members after `name` in the lists of subprotocols (RFC 6455 section 11.3.4; RFC 9110 section 5.6.1 on lists).
fn subprotocol_tokens(event: &Event<'_>, name: &str) -> Result<Vec<String>, Denial> {
    let mut tokens = Vec::new();
    for values in event.subprotocols() {
        let (mut members, mut is_present) = (Vec::new(), false);
        for member in values.iter().flat_map(|value| value.split(',')) {
            let member = member.trim_matches([' ', '\t']);
            if !member.is_empty() {
                members.push(member);
            }
        }
        for (index, member) in members.iter().enumerate() {
            if *member != name {
                continue;
            }
            match members.get(index + 1) {
                Some(token) if !is_present => tokens.push((*token).to_owned()),
                _ => return Err(Denial::TokenMalformed(Malformed::Subprotocol)),
            }
            is_present = true;
        }
    }
    Ok(tokens)
}

fn check_length(token: &str) -> Result<(), Denial> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Denial::TokenTooLong { limit: MAX_TOKEN_BYTES });
    }
    Ok(())
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::event::Event;
    use crate::gateway::event::tests::{bearer, method, with};
    use crate::reason::Reason;

    fn token_of(
        event: &Value,
        sources: &[&str],
        bearer_prefix: BearerPrefix,
    ) -> Result<String, Reason> {
        let sources = sources.iter().map(|source| TokenLocation::parse(source).unwrap()).collect();
        let event = event.to_string();
        let event = Event::parse(&event).unwrap();
        let credentials = Credentials { sources, bearer_prefix };
        match credentials.find(&event.request().unwrap()) {
            Ok(credential) => Ok(credential.token.into_owned()),
            Err(denial) => Err(denial.reason()),
        }
    }

    #[test]
    fn a_place_is_told_as_it_is_written_in_the_settings() {
        for text in ["header:X-Token", "query:token", "cookie:token", "subprotocol:bearer"] {
            let source = TokenLocation::parse(text).unwrap();
            assert_eq!(source.to_string(), text);
            assert_eq!(CredentialLocation::Source(&source).to_string(), text);
        }
        assert_eq!(CredentialLocation::AuthorizationToken.to_string(), "authorizationToken");
    }

    #[test]
    fn a_header_says_bearer_and_one_token() {
        use Reason::*;
        let cases = [
            ("Bearer t", Ok("t"), Ok("t")),
            ("bearer t", Ok("t"), Ok("t")),
            ("BEARER t", Ok("t"), Ok("t")),
            ("Bearer    t", Ok("t"), Ok("t")),
            ("t", Err(TokenMalformed), Ok("t")),
            ("Bearer", Err(TokenMalformed), Ok("Bearer")),
            ("Bearer ", Err(TokenMalformed), Err(TokenMalformed)),
            ("Bearer t ", Err(TokenMalformed), Err(TokenMalformed)),
            ("Bearer t u", Err(TokenMalformed), Err(TokenMalformed)),
            ("Bearer t, Bearer u", Err(TokenMalformed), Err(TokenMalformed)),
            ("Bearer\tt u", Err(TokenMalformed), Err(TokenMalformed)),
            (" Bearer t", Err(TokenMalformed), Err(TokenMalformed)),
            ("Basic dDp0", Err(TokenMalformed), Err(TokenMalformed)),
            ("DPoP t", Err(TokenMalformed), Err(TokenMalformed)),
            ("Bearer: t", Err(TokenMalformed), Err(TokenMalformed)),
            ("", Err(TokenMissing), Err(TokenMissing)),
            (" \t\n", Err(TokenMissing), Err(TokenMissing)),
        ];
        for (header, required, optional) in cases {
            assert_eq!(
                token_of(&bearer(header), &[], BearerPrefix::Required),
                required.map(str::to_owned),
                "{header:?}, required"
            );
            assert_eq!(
                token_of(&bearer(header), &[], BearerPrefix::Optional),
                optional.map(str::to_owned),
                "{header:?}, optional"
            );
        }
        for absent in [with(bearer(""), "authorizationToken", json!(null)), {
            let mut event = bearer("");
            event.as_object_mut().unwrap().remove("authorizationToken");
            event
        }] {
            assert_eq!(
                token_of(&absent, &["header:Authorization"], BearerPrefix::Required),
                Err(TokenMissing),
                "{absent}"
            );
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_so_under_any_scheme() {
        use Reason::*;
        let (longest, too_long) = ("t".repeat(16_384), "t".repeat(16_385));
        assert_eq!(
            token_of(&bearer(&format!("Bearer {longest}")), &[], BearerPrefix::Required),
            Ok(longest.clone())
        );
        assert_eq!(token_of(&bearer(&longest), &[], BearerPrefix::Optional), Ok(longest.clone()));
        assert_eq!(token_of(&bearer(&longest), &[], BearerPrefix::Required), Err(TokenMalformed));
        for header in [format!("Bearer {too_long}"), too_long.clone(), format!("Basic {too_long}")]
        {
            assert_eq!(token_of(&bearer(&header), &[], BearerPrefix::Required), Err(TokenTooLong));
            assert_eq!(token_of(&bearer(&header), &[], BearerPrefix::Optional), Err(TokenTooLong));
        }
        assert_eq!(
            token_of(&bearer(&format!("Bearer {longest} t")), &[], BearerPrefix::Required),
            Err(TokenTooLong)
        );
    }

    #[test]
    fn the_first_reason_counts_whichever_value_comes_first() {
        use Reason::*;
        let too_long = "t".repeat(16_385);
        let bearer_of = |token: &str| format!("Bearer {token}");
        for values in [
            [bearer_of(&too_long), "Basic x".to_owned()],
            [bearer_of("t"), bearer_of(&too_long)],
            [bearer_of(&too_long), bearer_of(&"u".repeat(16_385))],
        ] {
            for values in [json!(values), json!([values[1], values[0]])] {
                let event = with(method("GET/"), "multiValueHeaders", json!({"A": values}));
                assert_eq!(
                    token_of(&event, &["header:A"], BearerPrefix::Required),
                    Err(TokenTooLong)
                );
            }
        }
        let two = json!([bearer_of("t"), "Basic x"]);
        let event = with(method("GET/"), "multiValueHeaders", json!({"A": two}));
        assert_eq!(token_of(&event, &["header:A"], BearerPrefix::Required), Err(TokenMalformed));
        for values in [["t", too_long.as_str()], [too_long.as_str(), "t"]] {
            let query = json!({"t": values});
            let event = with(method("GET/"), "multiValueQueryStringParameters", query);
            assert_eq!(token_of(&event, &["query:t"], BearerPrefix::Required), Err(TokenTooLong));
            let cookies = json!(values.map(|value| format!("t={value}")));
            let event = with(method("GET/"), "cookies", cookies);
            assert_eq!(token_of(&event, &["cookie:t"], BearerPrefix::Required), Err(TokenTooLong));
        }
        let longest = "t".repeat(16_384);
        let event =
            with(method("GET/"), "multiValueQueryStringParameters", json!({"t": [longest]}));
        assert_eq!(token_of(&event, &["query:t"], BearerPrefix::Required), Ok(longest));
    }

    #[test]
    fn a_request_is_searched_where_the_sources_say() {
        use Reason::*;
        let event = |parts: Value| {
            let mut event = method("GET/pets");
            event.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
            event
        };
        let cases: Vec<(&[&str], Value, Result<&str, Reason>)> = vec![
            (&["header:Authorization"], json!({"headers": {"Authorization": "Bearer t"}}), Ok("t")),
            (&["header:Authorization"], json!({"headers": {"authorization": "Bearer t"}}), Ok("t")),
            (&["header:authorization"], json!({"headers": {"AUTHORIZATION": "Bearer t"}}), Ok("t")),
            (
                &["header:X-Token"],
                json!({"headers": {"x-token": "Bearer t", "Authorization": "Bearer u"}}),
                Ok("t"),
            ),
            (
                &["header:X-Token"],
                json!({"headers": {"Authorization": "Bearer u"}}),
                Err(TokenMissing),
            ),
            (
                &["header:Authorization"],
                json!({"multiValueHeaders": {"authorization": ["Bearer t"]}}),
                Ok("t"),
            ),
            (
                &["header:A"],
                json!({"headers": {"A": "Bearer t"}, "multiValueHeaders": {"A": ["Bearer t"]}}),
                Ok("t"),
            ),
            (&["header:A"], json!({"multiValueHeaders": {"A": ["Bearer t", "Bearer t"]}}), Ok("t")),
            (&["header:A"], json!({"headers": {"A": "Bearer t", "a": "Bearer t"}}), Ok("t")),
            (
                &["header:A"],
                json!({"multiValueHeaders": {"A": ["Bearer t", "Bearer u"]}}),
                Err(TokenMalformed),
            ),
            (
                &["header:A"],
                json!({"headers": {"A": "Bearer t", "a": "Bearer u"}}),
                Err(TokenMalformed),
            ),
            (
                &["header:A"],
                json!({"headers": {"A": "Bearer u"}, "multiValueHeaders": {"A": ["Bearer t", "Bearer u"]}}),
                Err(TokenMalformed),
            ),
            (&["header:A"], json!({"multiValueHeaders": {"A": ["", "Bearer t", " "]}}), Ok("t")),
            (&["header:A"], json!({"headers": {"A": "t"}}), Err(TokenMalformed)),
            (&["header:A"], json!({"headers": {"A": null}}), Err(TokenMissing)),
            (&["header:A"], json!({"headers": {"A": 5}}), Err(TokenMissing)),
            (&["header:A"], json!({"headers": null, "multiValueHeaders": null}), Err(TokenMissing)),
            (&["header:A"], json!({"headers": ["A", "Bearer t"]}), Err(TokenMissing)),
            (&["header:A"], json!({}), Err(TokenMissing)),
            (&["query:token"], json!({"queryStringParameters": {"token": "t"}}), Ok("t")),
            (&["query:token"], json!({"queryStringParameters": {"Token": "t"}}), Err(TokenMissing)),
            (&["query:token"], json!({"queryStringParameters": {"token": ""}}), Err(TokenMissing)),
            (&["query:token"], json!({"queryStringParameters": null}), Err(TokenMissing)),
            (
                &["query:token"],
                json!({"multiValueQueryStringParameters": {"token": ["t", "t"]}}),
                Ok("t"),
            ),
            (
                &["query:token"],
                json!({"multiValueQueryStringParameters": {"token": ["t", "u"]}}),
                Err(TokenMalformed),
            ),
            (&["cookie:id"], json!({"headers": {"Cookie": "a=b; id=t; c=d"}}), Ok("t")),
            (&["cookie:id"], json!({"headers": {"cookie": "id=t"}}), Ok("t")),
            (&["cookie:id"], json!({"headers": {"cookie": "id=\"t\""}}), Ok("t")),
            (&["cookie:id"], json!({"headers": {"cookie": "id=\"t"}}), Ok("\"t")),
            (&["cookie:id"], json!({"headers": {"cookie": "id=\""}}), Ok("\"")),
            (&["cookie:id"], json!({"headers": {"cookie": "id=t=u=="}}), Ok("t=u==")),
            (&["cookie:id"], json!({"headers": {"cookie": "ID=t; xid=t; id"}}), Err(TokenMissing)),
            (&["cookie:id"], json!({"headers": {"cookie": "id=; a=b"}}), Err(TokenMissing)),
            (&["cookie:id"], json!({"headers": {"cookie": "id=t;id=\"t\""}}), Ok("t")),
            (&["cookie:id"], json!({"headers": {"cookie": "id=t; id=u"}}), Err(TokenMalformed)),
            (&["cookie:id"], json!({"cookies": ["a=b", "id=t"]}), Ok("t")),
            (
                &["cookie:id"],
                json!({"cookies": ["id=t"], "headers": {"cookie": "id=u"}}),
                Err(TokenMalformed),
            ),
            (&["cookie:id"], json!({"cookies": null, "headers": {"cookie": "id=t"}}), Ok("t")),
            (&["cookie:id"], json!({"multiValueHeaders": {"Cookie": ["a=b", "id=t"]}}), Ok("t")),
        ];
        for (sources, parts, expected) in cases {
            assert_eq!(
                token_of(&event(parts.clone()), sources, BearerPrefix::Required),
                expected.map(str::to_owned),
                "{parts}"
            );
        }
    }

    #[test]
    fn the_first_source_that_is_present_counts() {
        let sources = ["header:A", "query:q", "cookie:c"];
        let event = |header: &str, query: &str| {
            let event =
                with(method("GET/pets"), "headers", json!({"A": header, "Cookie": "c=cookie"}));
            with(event, "queryStringParameters", json!({"q": query}))
        };
        for (header, query, expected) in [
            ("Bearer header", "query", Ok("header")),
            ("", "query", Ok("query")),
            (" ", " ", Ok("cookie")),
            ("Basic x", "query", Err(Reason::TokenMalformed)),
        ] {
            let token = token_of(&event(header, query), &sources, BearerPrefix::Required);
            assert_eq!(token, expected.map(str::to_owned), "{header:?} {query:?}");
        }
        let event = with(bearer("Bearer t"), "queryStringParameters", json!({"q": "query"}));
        assert_eq!(
            token_of(&event, &["query:q"], BearerPrefix::Required),
            Ok("t".to_owned()),
            "a TOKEN event has one place"
        );
    }

    #[test]
    fn a_source_is_a_place_and_a_name() {
        assert_eq!(TokenLocation::parse("header:X-A"), Ok(TokenLocation::Header("X-A".to_owned())));
        assert_eq!(TokenLocation::parse("query:a:b"), Ok(TokenLocation::Query("a:b".to_owned())));
        assert_eq!(
            TokenLocation::parse("cookie:__Host-id"),
            Ok(TokenLocation::Cookie("__Host-id".to_owned()))
        );
        assert_eq!(
            TokenLocation::parse("header:!#$%&'*+-.^_`|~1"),
            Ok(TokenLocation::Header("!#$%&'*+-.^_`|~1".to_owned()))
        );
        for bad in ["", "Authorization", "header:", "Header:A", "body:token", ":A", "header"] {
            assert!(TokenLocation::parse(bad).unwrap_err().contains("header:NAME"), "{bad}");
        }
        for name in [
            "A B",
            "Authorization:",
            "a=b",
            "a;b",
            "\"a\"",
            "(a)",
            "a/b",
            "a@b",
            "é",
            "a\n",
            "a\0",
            "[a]",
            "{a}",
        ] {
            for place in ["header", "cookie", "subprotocol"] {
                let found = TokenLocation::parse(&format!("{place}:{name}")).unwrap_err();
                assert!(found.contains("RFC 9110"), "{place}:{name}: {found}");
            }
        }
    }

    #[test]
    fn a_subprotocol_s_token_is_the_member_after_its_name() {
        use Reason::{TokenMalformed, TokenMissing, TokenTooLong};
        let ask = |headers: Value| {
            let mut event = method("$connect");
            event.as_object_mut().unwrap().extend(headers.as_object().unwrap().clone());
            token_of(&event, &["subprotocol:bearer"], BearerPrefix::Required)
        };
        let too_long = format!("bearer, {}", "t".repeat(16_385));
        for (value, expected) in [
            ("bearer, t", Ok("t")),
            ("bearer,t", Ok("t")),
            ("chat, bearer ,\tt , more", Ok("t")),
            ("bearer,, ,t", Ok("t")),
            ("bearer, Bearer", Ok("Bearer")),
            ("bearer", Err(TokenMalformed)),
            ("t, bearer", Err(TokenMalformed)),
            ("bearer, ,", Err(TokenMalformed)),
            ("bearer, bearer", Err(TokenMalformed)),
            ("bearer, t, bearer, t", Err(TokenMalformed)),
            ("bearer, t, bearer", Err(TokenMalformed)),
            (&too_long, Err(TokenTooLong)),
            ("Bearer, t", Err(TokenMissing)),
            ("bearer t", Err(TokenMissing)),
            ("bearer;, t", Err(TokenMissing)),
            ("chat", Err(TokenMissing)),
            ("", Err(TokenMissing)),
        ] {
            let expected = expected.map(str::to_owned);
            for headers in [
                json!({"headers": {"Sec-WebSocket-Protocol": value}}),
                json!({"headers": {"sec-websocket-protocol": value}}),
                json!({"multiValueHeaders": {"Sec-WebSocket-Protocol": [value]}}),
                json!({
                    "headers": {"Sec-WebSocket-Protocol": value},
                    "multiValueHeaders": {"Sec-WebSocket-Protocol": [value]},
                }),
            ] {
                assert_eq!(ask(headers.clone()), expected, "{headers}");
            }
        }
        // `headers` has the last of several headers only.
        let both = |last: &str, all: &[&str]| {
            let (last, all) =
                (json!({"Sec-WebSocket-Protocol": last}), json!({"Sec-WebSocket-Protocol": all}));
            ask(json!({"headers": last, "multiValueHeaders": all}))
        };
        assert_eq!(both("t", &["bearer", "t"]), Ok("t".to_owned()));
        assert_eq!(both("bearer, t", &["chat", "bearer, t"]), Ok("t".to_owned()));
        assert_eq!(both("bearer, u", &["bearer, t"]), Err(TokenMalformed), "two tokens");
        assert_eq!(both("bearer, t", &["bearer, t", "bearer, t"]), Err(TokenMalformed), "twice");
        assert_eq!(ask(json!({})), Err(TokenMissing));
    }
}
