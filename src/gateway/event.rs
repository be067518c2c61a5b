//! What API Gateway sends: which kind of event it is, for which stage, and where its credential stands.
//!
//! Shapes are from the Developer Guides of API Gateway ("Input to an API Gateway Lambda authorizer", "Control
//! access to HTTP APIs with AWS Lambda authorizers"). Members that are not needed are not looked at, since AWS may
//! add to them at any time. Nothing of an event is quoted in an error: it holds the token.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::access::rights::CONNECT;
use crate::jose::json::Text;
use crate::jose::token::MAX_TOKEN_BYTES;
use crate::reason::{Denial, Fault, Obstacle, Reason};

/// The kinds of events that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// REST API, `TOKEN` authorizer.
    Token,
    /// REST API, `REQUEST` authorizer.
    Rest,
    /// WebSocket API, `$connect`.
    WebSocket,
    /// HTTP API, payload format 1.0.
    Http1,
    /// HTTP API, payload format 2.0.
    Http2,
}

const NOT_AN_AUTHORIZER_EVENT: &str = "not an authorizer event: must be a REST API's TOKEN or REQUEST event, a \
    WebSocket API's $connect, or an HTTP API's payload 1.0 or 2.0, with the ARN of the request. Attach this function \
    to the API as its Lambda authorizer; it cannot be an integration, nor the target of a function URL, a load \
    balancer or VPC Lattice";

/// An event that was understood.
pub(crate) struct Request<'a> {
    pub(crate) kind: EventKind,
    pub(crate) stage: Stage<'a>,
    /// What the ARN has after the stage: `GET/pets/1`. For comparing only; it never reaches an answer.
    pub(crate) route: &'a str,
    event: &'a Event<'a>,
}

/// The members of an event that matter. Objects among them are not parsed yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    method_arn: Option<Text<'a>>,
    #[serde(borrow)]
    route_arn: Option<Text<'a>>,
    #[serde(borrow)]
    authorization_token: Option<Text<'a>>,
    #[serde(borrow)]
    request_context: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    multi_value_headers: Option<&'a RawValue>,
    #[serde(borrow)]
    query_string_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    multi_value_query_string_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    cookies: Option<&'a RawValue>,
}

fn text<'t>(member: &'t Option<Text<'_>>) -> Option<&'t str> {
    member.as_ref().map(|text| &*text.0)
}

impl<'a> Event<'a> {
    pub(crate) fn parse(json: &'a str) -> Result<Self, Fault> {
        let unsupported = || Obstacle::EventUnsupported.because(NOT_AN_AUTHORIZER_EVENT);
        // Derived code would also read the struct from an array.
        let is_object = json.trim_ascii_start().starts_with('{');
        is_object.then(|| serde_json::from_str(json).ok()).flatten().ok_or_else(unsupported)
    }

    /// What is asked, if this is an event to answer.
    pub(crate) fn request(&'a self) -> Result<Request<'a>, Fault> {
        let not_ours = || Obstacle::EventUnsupported.because(NOT_AN_AUTHORIZER_EVENT);
        let kind = self.kind().ok_or_else(not_ours)?;
        let (name, arn) = self.arn(kind).ok_or_else(not_ours)?;
        let Some((stage, route)) = Stage::parse(arn, kind) else {
            let problem = format!("`{name}` {}", arn_problem(arn));
            return Err(Obstacle::EventUnsupported.because(problem));
        };
        Ok(Request { kind, stage, route, event: self })
    }

    /// The ARN and the member that holds it. Local emulators put it under the name of the other payload version.
    fn arn(&self, kind: EventKind) -> Option<(&'static str, &str)> {
        let method_arn = text(&self.method_arn).map(|arn| ("methodArn", arn));
        let route_arn = text(&self.route_arn).map(|arn| ("routeArn", arn));
        match kind {
            EventKind::Http2 => route_arn.or(method_arn),
            _ => method_arn.or(route_arn),
        }
    }

    fn kind(&self) -> Option<EventKind> {
        match (text(&self.kind), text(&self.version)) {
            (Some("TOKEN"), _) => Some(EventKind::Token),
            // Compared exactly: WebSocket events have been seen with a version of "$LATEST".
            (_, Some("2.0")) => Some(EventKind::Http2),
            (_, Some("1.0")) => Some(EventKind::Http1),
            _ if self.is_connect() => Some(EventKind::WebSocket),
            (Some("REQUEST"), _) => Some(EventKind::Rest),
            _ => None,
        }
    }

    fn is_connect(&self) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RequestContext<'a> {
            #[serde(borrow)]
            event_type: Option<Text<'a>>,
        }

        let context = self
            .request_context
            .and_then(|raw| serde_json::from_str::<RequestContext<'_>>(raw.get()).ok());
        context.is_some_and(|context| text(&context.event_type) == Some("CONNECT"))
            // Compares everything after the stage: the path of a REST API's request may end in `$connect`, too.
            || self
                .arn(EventKind::WebSocket)
                .and_then(|(_, arn)| Stage::parse(arn, EventKind::WebSocket))
                .is_some_and(|(_, route)| route == CONNECT)
    }
}

/// The stage that a policy is for: the one thing that is taken from an event's ARN.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stage<'a> {
    /// `arn:{partition}:execute-api:{region}:{account}:{api}/{stage}`
    arn: Cow<'a, str>,
    is_websocket: bool,
}

impl<'a> Stage<'a> {
    /// The stage of an ARN, and what comes after it. Every part is held to the characters of names, so that no
    /// wildcard, separator or policy variable gets into a resource. The account is a name as well: local emulators
    /// have none of 12 digits.
    fn parse(arn: &'a str, kind: EventKind) -> Option<(Self, &'a str)> {
        let mut parts = arn.splitn(6, ':');
        let mut next = |is_right: fn(&str) -> bool| parts.next().filter(|part| is_right(part));
        next(|prefix| prefix == "arn")?;
        next(is_name)?;
        next(|service| service == "execute-api")?;
        next(is_name)?;
        next(is_name)?;
        let resource = parts.next()?;
        let (api, rest) = resource.split_once('/')?;
        let (stage, route) = rest.split_once('/')?;
        if !is_name(api) || !(is_name(stage) || stage == "$default") {
            return None;
        }
        let end = arn.len() - route.len() - "/".len();
        Some((
            Self { arn: Cow::Borrowed(&arn[..end]), is_websocket: kind == EventKind::WebSocket },
            route,
        ))
    }

    /// This stage, without the event that named it.
    pub(crate) fn to_owned(&self) -> Stage<'static> {
        Stage { arn: Cow::Owned(self.arn.to_string()), is_websocket: self.is_websocket }
    }

    /// A stage with an ARN of this length, to measure with.
    pub(crate) fn of_length(length: usize) -> Self {
        Self { arn: Cow::Owned("a".repeat(length)), is_websocket: false }
    }

    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// The pattern below the stage of every request that the answer could be used for.
    pub(crate) fn everything(&self) -> &'static str {
        if self.is_websocket { CONNECT } else { "*" }
    }
}

/// Why an ARN does not parse. Sample events of AWS have a stage `*`.
fn arn_problem(arn: &str) -> &'static str {
    let mut before_route = arn.split('/').take(2);
    if before_route.any(|part| part.contains(['*', '?'])) {
        "has a wildcard before its route: must name one stage of one API, for example `prod` instead of `*`"
    } else {
        "is not the ARN of a route: must be `arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/VERB/PATH`, or \
            `.../STAGE/$connect`"
    }
}

/// A partition, region, account, API id or stage: letters, digits, hyphen and underscore; stage names have at most 128.
fn is_name(part: &str) -> bool {
    (1..=128).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Where a request event may hold the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenLocation {
    /// A header, by name in any letter case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

impl TokenLocation {
    /// The error says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}`: want `header:NAME`, `query:NAME` or `cookie:NAME`");
        match text.split_once(':') {
            Some((_, "")) | None => Err(wanted()),
            Some(("query", name)) => Ok(Self::Query(name.to_owned())),
            Some(("header" | "cookie", name)) if !is_token(name) => Err(format!(
                "`{text}`: no header or cookie has such a name (RFC 9110 section 5.6.2, token)"
            )),
            Some(("header", name)) => Ok(Self::Header(name.to_owned())),
            Some(("cookie", name)) => Ok(Self::Cookie(name.to_owned())),
            Some(_) => Err(wanted()),
        }
    }
}

impl fmt::Display for TokenLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// Where an event holds its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'c> {
    /// The member of a `TOKEN` event.
    AuthorizationToken,
    TokenLocation(&'c TokenLocation),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorizationToken => f.write_str("authorizationToken"),
            Self::TokenLocation(source) => source.fmt(f),
        }
    }
}

/// RFC 9110 section 5.6.2; RFC 6265 section 4.1.1 takes the names of cookies from there.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// How credentials are to be found.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// For request events: the first source that is present counts.
    pub(crate) sources: Vec<TokenLocation>,
    /// Whether a header must name the scheme.
    pub(crate) bearer_required: bool,
}

impl Credentials {
    /// The one token of a request. `found` gets the place of the credential that counts, even if it holds no token.
    pub(crate) fn token<'a, 'c>(
        &'c self,
        request: &Request<'a>,
        found: &mut Option<Place<'c>>,
    ) -> Result<Cow<'a, str>, Denial> {
        let event = request.event;
        if request.kind == EventKind::Token {
            let header = text(&event.authorization_token).filter(|header| !is_blank(header));
            let header = header.ok_or(Reason::TokenMissing)?;
            *found = Some(Place::AuthorizationToken);
            return self.bearer(header).map(Cow::Borrowed);
        }
        for source in &self.sources {
            let mut values = match source {
                TokenLocation::Header(name) => event.headers_named(name),
                TokenLocation::Query(name) => event.query(name),
                TokenLocation::Cookie(name) => event.cookies_named(name),
            };
            values.retain(|value| !is_blank(value));
            if values.is_empty() {
                continue;
            }
            *found = Some(Place::TokenLocation(source));
            let (mut tokens, mut denials) = (Vec::new(), Vec::new());
            for value in &values {
                match self.token_in(source, value) {
                    Ok(token) => tokens.push(token),
                    Err(denial) => denials.push(denial),
                }
            }
            // The earliest reason, whichever value comes first in the event.
            if let Some(denial) = denials.into_iter().min_by_key(|denial| denial.reason) {
                return Err(denial);
            }
            // Both forms of a map hold the same value, and a client may send it twice.
            tokens.sort_unstable();
            tokens.dedup();
            return match tokens[..] {
                [token] => Ok(Cow::Owned(token.to_owned())),
                _ => Err(Reason::TokenMalformed.because("several tokens in one source")),
            };
        }
        Err(Reason::TokenMissing.into())
    }

    /// The token of a value that stands in this source.
    fn token_in<'v>(&self, source: &TokenLocation, value: &'v str) -> Result<&'v str, Denial> {
        match source {
            TokenLocation::Header(_) => self.bearer(value),
            _ if value.len() > MAX_TOKEN_BYTES => Err(Reason::TokenTooLong.into()),
            _ => Ok(value),
        }
    }

    /// The token of an `Authorization` header (RFC 6750 section 2.1; RFC 9110 section 11.1 on letter case).
    fn bearer<'h>(&self, header: &'h str) -> Result<&'h str, Denial> {
        let credential = match header.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Bearer") => {
                Some(rest.trim_start_matches(' '))
            }
            _ if self.bearer_required => None,
            _ => Some(header),
        };
        if credential.unwrap_or(header).len() > MAX_TOKEN_BYTES {
            return Err(Reason::TokenTooLong.into());
        }
        let credential =
            credential.ok_or(Reason::TokenMalformed.because("the scheme is not `Bearer`"))?;
        // Decoding rejects everything else. Without an early exit, the loop compares sixteen bytes at once.
        let has_space = credential.bytes().fold(false, |found, byte| found | (byte == b' '));
        if credential.is_empty() || has_space {
            return Err(Reason::TokenMalformed.because("not exactly one token after the scheme"));
        }
        Ok(credential)
    }
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

impl Request<'_> {
    /// The client certificate of mutual TLS, in PEM, from the place where API Gateway puts it in events of this kind.
    /// API Gateway has verified it. Parsed on demand only.
    pub(crate) fn client_certificate(&self) -> Option<String> {
        let place = match self.kind {
            EventKind::Token => return None,
            EventKind::Rest | EventKind::WebSocket | EventKind::Http1 => "identity",
            EventKind::Http2 => "authentication",
        };
        let mut context = object(self.event.request_context)?;
        let pem = context.get_mut(place)?.get_mut("clientCert")?.get_mut("clientCertPem")?.take();
        if let Value::String(pem) = pem { Some(pem) } else { None }
    }
}

impl Event<'_> {
    /// Every value of a header. REST APIs pass names on as the client wrote them: HTTP/2 clients in lower case.
    fn headers_named(&self, name: &str) -> Vec<String> {
        let is_named = |other: &str| other.eq_ignore_ascii_case(name);
        let mut values = values(self.headers, is_named);
        values.extend(self::values(self.multi_value_headers, is_named));
        values
    }

    /// Every value of a query parameter.
    fn query(&self, name: &str) -> Vec<String> {
        let is_named = |other: &str| other == name;
        let mut values = values(self.query_string_parameters, is_named);
        values.extend(self::values(self.multi_value_query_string_parameters, is_named));
        values
    }

    /// Every value of a cookie: HTTP API 2.0 lists cookies apart, the other events leave them in their header.
    fn cookies_named(&self, name: &str) -> Vec<String> {
        let listed = self
            .cookies
            .and_then(|raw| serde_json::from_str::<Option<Vec<String>>>(raw.get()).ok().flatten());
        let pairs = listed.into_iter().flatten().chain(self.headers_named("Cookie"));
        let values = pairs.flat_map(|pairs| {
            let values = pairs.split(';').filter_map(|pair| pair.trim().split_once('='));
            let values = values
                .filter(|(other, _)| *other == name)
                .map(|(_, value)| unquote(value).to_owned());
            values.collect::<Vec<_>>()
        });
        values.collect()
    }
}

/// A member that is an object. It may be null.
fn object(member: Option<&RawValue>) -> Option<Map<String, Value>> {
    serde_json::from_str::<Option<Map<String, Value>>>(member?.get()).ok().flatten()
}

/// The values in a map of strings, or of arrays of strings, under the names that `is_named` accepts.
fn values(map: Option<&RawValue>, is_named: impl Fn(&str) -> bool) -> Vec<String> {
    let named = object(map).into_iter().flatten().filter(|(name, _)| is_named(name));
    let strings = named.flat_map(|(_, value)| match value {
        Value::Array(values) => values,
        value => vec![value],
    });
    strings
        .filter_map(|value| if let Value::String(text) = value { Some(text) } else { None })
        .collect()
}

/// RFC 6265 section 4.1.1: a cookie's value may stand in double quotes.
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PREFIX: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";

    fn method(route: &str) -> Value {
        json!({"type": "REQUEST", "methodArn": format!("{PREFIX}/{route}")})
    }

    fn with(mut event: Value, name: &str, value: Value) -> Value {
        event[name] = value;
        event
    }

    fn renamed(mut event: Value, from: &str, to: &str) -> Value {
        let members = event.as_object_mut().unwrap();
        let value = members.remove(from).unwrap();
        members.insert(to.to_owned(), value);
        event
    }

    /// EventKind, ARN up to the stage, and what comes after it.
    fn request(event: &str) -> Result<(EventKind, String, String), Obstacle> {
        let event = Event::parse(event).map_err(|fault| fault.obstacle)?;
        let request = event.request().map_err(|fault| fault.obstacle)?;
        Ok((request.kind, request.stage.arn().to_owned(), request.route.to_owned()))
    }

    fn token_of(event: &Value, sources: &[&str], bearer_required: bool) -> Result<String, Reason> {
        let sources = sources.iter().map(|source| TokenLocation::parse(source).unwrap()).collect();
        let event = event.to_string();
        let event = Event::parse(&event).unwrap();
        let token = Credentials { sources, bearer_required }
            .token(&event.request().unwrap(), &mut None)
            .map(Cow::into_owned);
        token.map_err(|denial| denial.reason)
    }

    fn bearer(header: &str) -> Value {
        json!({"type": "TOKEN", "methodArn": format!("{PREFIX}/GET/"), "authorizationToken": header})
    }

    #[test]
    fn a_place_is_told_as_it_is_written_in_the_settings() {
        for text in ["header:X-Token", "query:token", "cookie:token"] {
            let source = TokenLocation::parse(text).unwrap();
            assert_eq!(source.to_string(), text);
            assert_eq!(Place::TokenLocation(&source).to_string(), text);
        }
        assert_eq!(Place::AuthorizationToken.to_string(), "authorizationToken");
    }

    #[test]
    fn a_client_certificate_is_where_events_of_its_kind_have_it() {
        let read = |event: &Value| {
            let event = event.to_string();
            Event::parse(&event).unwrap().request().unwrap().client_certificate()
        };
        let certificate = |pem: Value| json!({"clientCert": {"clientCertPem": pem}});
        let both = json!({
            "identity": certificate(json!("identity")), "authentication": certificate(json!("authentication")),
        });
        let http2 =
            json!({"version": "2.0", "type": "REQUEST", "routeArn": format!("{PREFIX}/GET/")});
        let http1 = with(method("GET/"), "version", json!("1.0"));
        let of_identity = [method("GET/"), method("$connect"), http1];
        for (events, place, other) in [
            (&of_identity[..], "identity", "authentication"),
            (&[http2][..], "authentication", "identity"),
        ] {
            for event in events {
                let with = |context: Value| with(event.clone(), "requestContext", context);
                assert_eq!(read(&with(both.clone())).as_deref(), Some(place), "{event}");
                for context in [
                    json!({other: certificate(json!("pem"))}),
                    json!({place: certificate(json!(null))}),
                    json!({place: certificate(json!(5))}),
                    json!({place: certificate(json!(["pem"]))}),
                    json!({place: certificate(json!({"clientCertPem": "pem"}))}),
                    json!({place: {"clientCert": "pem"}}),
                    json!({place: {"clientCert": ["pem"]}}),
                    json!({place: {"clientCert": null}}),
                    json!({place: {"clientCertPem": "pem"}}),
                    json!({place: "pem"}),
                    json!({place: null}),
                    json!({"clientCert": {"clientCertPem": "pem"}}),
                    json!({}),
                    json!([both]),
                    json!("pem"),
                    json!(null),
                ] {
                    assert_eq!(read(&with(context.clone())), None, "{context}");
                }
                assert_eq!(read(event), None, "{event}");
            }
        }
        assert_eq!(read(&with(bearer("Bearer t"), "requestContext", both)), None, "TOKEN");
    }

    #[test]
    fn every_kind_of_event_is_recognised() {
        let context =
            |event_type: Value| json!({"eventType": event_type, "stage": "prod", "identity": {}});
        let http2 = |version: &str| {
            let arn = format!("{PREFIX}/GET/pets");
            json!({"version": version, "type": "REQUEST", "routeArn": arn, "routeKey": "GET /pets", "cookies": []})
        };
        let cases = [
            (bearer("Bearer t"), EventKind::Token, "GET/"),
            (with(bearer("Bearer t"), "version", json!("2.0")), EventKind::Token, "GET/"),
            (method("GET/pets/1"), EventKind::Rest, "GET/pets/1"),
            (with(method("GET/pets"), "version", json!("$LATEST")), EventKind::Rest, "GET/pets"),
            (with(method("GET/pets"), "version", json!("1")), EventKind::Rest, "GET/pets"),
            (with(method("GET/pets"), "version", json!(null)), EventKind::Rest, "GET/pets"),
            (with(method("GET/pets"), "requestContext", json!(null)), EventKind::Rest, "GET/pets"),
            (
                with(method("GET/pets"), "requestContext", context(json!("MESSAGE"))),
                EventKind::Rest,
                "GET/pets",
            ),
            (method("GET/chat/$connect"), EventKind::Rest, "GET/chat/$connect"),
            (method("$connect"), EventKind::WebSocket, "$connect"),
            (
                with(method("$connect"), "version", json!("$LATEST")),
                EventKind::WebSocket,
                "$connect",
            ),
            (
                with(method("$connect"), "requestContext", context(json!("CONNECT"))),
                EventKind::WebSocket,
                "$connect",
            ),
            (
                with(method("$connect"), "requestContext", context(json!(null))),
                EventKind::WebSocket,
                "$connect",
            ),
            (
                with(method("join"), "requestContext", context(json!("CONNECT"))),
                EventKind::WebSocket,
                "join",
            ),
            (with(method("GET/pets"), "version", json!("1.0")), EventKind::Http1, "GET/pets"),
            (http2("2.0"), EventKind::Http2, "GET/pets"),
            // The ARN under the other name, as local emulators write it.
            (with(method("GET/pets"), "version", json!("2.0")), EventKind::Http2, "GET/pets"),
            (
                with(renamed(method("GET/pets"), "methodArn", "routeArn"), "version", json!("1.0")),
                EventKind::Http1,
                "GET/pets",
            ),
            (renamed(method("GET/pets"), "methodArn", "routeArn"), EventKind::Rest, "GET/pets"),
            (renamed(bearer("Bearer t"), "methodArn", "routeArn"), EventKind::Token, "GET/"),
            (
                renamed(method("$connect"), "methodArn", "routeArn"),
                EventKind::WebSocket,
                "$connect",
            ),
            // Where both are there, each payload version has its own.
            (with(method("GET/pets"), "routeArn", json!("*")), EventKind::Rest, "GET/pets"),
            (with(http2("2.0"), "methodArn", json!("*")), EventKind::Http2, "GET/pets"),
            (with(method("GET/pets"), "routeArn", json!(null)), EventKind::Rest, "GET/pets"),
            (
                with(with(method("GET/pets"), "version", json!("2.0")), "routeArn", json!(null)),
                EventKind::Http2,
                "GET/pets",
            ),
        ];
        for (event, kind, route) in cases {
            assert_eq!(
                request(&event.to_string()),
                Ok((kind, PREFIX.to_owned(), route.to_owned())),
                "{event}"
            );
        }
    }

    #[test]
    fn other_events_are_unsupported() {
        let good = method("GET/pets");
        let cases = [
            String::new(),
            "null".into(),
            "[]".into(),
            json!(["REQUEST", null, good["methodArn"]]).to_string(),
            "\"REQUEST\"".into(),
            "{}".into(),
            format!("{good}{good}"),
            good.to_string().replacen('{', r#"{"type":"TOKEN","#, 1),
            with(good.clone(), "type", json!(null)).to_string(),
            with(good.clone(), "type", json!("request")).to_string(),
            with(good.clone(), "type", json!("AUTHORIZER")).to_string(),
            with(good.clone(), "type", json!(["REQUEST"])).to_string(),
            with(good.clone(), "version", json!(2.0)).to_string(),
            with(good.clone(), "methodArn", json!(null)).to_string(),
            with(good, "methodArn", json!([PREFIX])).to_string(),
            with(bearer("Bearer t"), "authorizationToken", json!(5)).to_string(),
            json!({"version": "2.0", "routeKey": "$default", "rawPath": "/", "requestContext": {"http": {}}})
                .to_string(),
            json!({"Records": [{"eventSource": "aws:sqs"}]}).to_string(),
        ];
        for event in cases {
            assert_eq!(request(&event), Err(Obstacle::EventUnsupported), "{event}");
        }
    }

    #[test]
    fn an_unsupported_event_says_what_is_wrong() {
        let reason = |event: &Value| {
            let event = event.to_string();
            let event = Event::parse(&event).unwrap();
            let fault = event.request().map(|_| ()).unwrap_err();
            fault.detail.to_string()
        };
        let url = json!({"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}}});
        let balancer =
            json!({"requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "GET"});
        let integration =
            with(json!({"version": "1.0"}), "requestContext", json!({"apiId": "abc"}));
        let lattice = json!({"version": "2.0", "requestContext": {"serviceArn": "arn"}});
        let no_type = renamed(method("GET/"), "type", "kind");
        for event in [url, balancer, integration, lattice, no_type, json!({"type": "TOKEN"})] {
            let found = reason(&event);
            assert!(found.starts_with("not an authorizer event"), "{event}: {found}");
            assert!(found.contains("Attach this function"), "{event}: {found}");
        }
        let arn = |prefix: &str| json!({"type": "REQUEST", "methodArn": format!("{prefix}/GET/*")});
        for (prefix, is_wildcard) in [
            ("arn:aws:execute-api:us-east-1:123456789012:abc/*", true),
            ("arn:aws:execute-api:us-east-1:123456789012:*/prod", true),
            ("arn:aws:execute-api:us-east-1:?:abc/prod", true),
            ("arn:aws:execute-api:us-east-1:123456789012:/prod", false),
            ("arn:aws:lambda:us-east-1:123456789012:abc/prod", false),
        ] {
            let found = reason(&arn(prefix));
            assert!(found.starts_with("`methodArn` "), "{prefix}: {found}");
            assert_eq!(found.contains("wildcard"), is_wildcard, "{prefix}: {found}");
            assert_eq!(found.contains("ACCOUNT:API/STAGE"), !is_wildcard, "{prefix}: {found}");
        }
        let http2 = json!({"version": "2.0", "type": "REQUEST", "routeArn": "arn"});
        assert!(reason(&http2).starts_with("`routeArn` "));
    }

    #[test]
    fn the_stage_is_all_that_is_taken_from_an_arn() {
        for (prefix, route) in [
            ("arn:aws:execute-api:eu-west-1:123456789012:abc/prod", "GET/"),
            ("arn:aws:execute-api:eu-west-1:123456789012:abc/prod", ""),
            (
                "arn:aws-cn:execute-api:cn-north-1:123456789012:abc/v1_beta-2",
                "GET/a:b/c?d=*&e=${aws:username}\"\n",
            ),
            ("arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/$default", "POST//x//"),
            ("arn:aws:execute-api:us-east-1:123456789012:abc/ESTestInvoke-stage", "GET/x"),
            ("arn:aws:execute-api:us-east-1:random-account-id:random-api-id/dev", "GET/user1"),
            ("arn:aws:execute-api:us-east-1:undefined:private/local", "$connect"),
            ("arn:aws:execute-api:local:0:abc/$default", "GET/"),
        ] {
            let arn = format!("{prefix}/{route}");
            let (stage, rest) = Stage::parse(&arn, EventKind::Rest).unwrap();
            assert_eq!((stage.arn(), rest), (prefix, route));
            assert_eq!(stage.everything(), "*");
        }
        let arn = format!("{PREFIX}/$connect");
        let (stage, _) = Stage::parse(&arn, EventKind::WebSocket).unwrap();
        assert_eq!((stage.arn(), stage.everything()), (PREFIX, "$connect"));
    }

    #[test]
    fn a_hostile_arn_does_not_parse() {
        let good = ["arn", "aws", "execute-api", "eu-west-1", "123456789012", "abc", "prod"];
        let arn = |[a, partition, service, region, account, api, stage]: [&str; 7]| {
            format!("{a}:{partition}:{service}:{region}:{account}:{api}/{stage}/GET/pets")
        };
        assert!(Stage::parse(&arn(good), EventKind::Rest).is_some());
        let long = "a".repeat(129);
        let hostile = [
            "",
            "*",
            "a*",
            "?",
            "${aws:username}",
            "\"",
            "a\"",
            "a\n",
            "\n",
            "a b",
            "a:b",
            "/",
            "a\\",
            "a%2a",
            "a$",
            "é",
            "１２３",
            "\0",
            "a.b",
            &long,
        ];
        for (index, part) in good.into_iter().enumerate() {
            for value in hostile {
                let mut parts = good;
                parts[index] = value;
                assert!(
                    Stage::parse(&arn(parts), EventKind::Rest).is_none(),
                    "{value:?} for {part}"
                );
            }
        }
        for rest in
            "|abc|abc/|abc/prod|abc//GET/|/prod/GET/|abc:x/prod/GET/|abc/$connect/GET/|$default/prod/GET/".split('|')
        {
            let text = format!("arn:aws:execute-api:eu-west-1:123456789012:{rest}");
            assert!(Stage::parse(&text, EventKind::Rest).is_none(), "{text:?}");
        }
        for part in ["1/abc/prod", "1/*", "1:abc/prod", "$default"] {
            let text = arn(["arn", "aws", "execute-api", "eu-west-1", part, "abc", "prod"]);
            assert!(Stage::parse(&text, EventKind::Rest).is_none(), "{text:?}");
        }
        for text in [
            "",
            ":::::/",
            "arn:aws:execute-api:eu-west-1:123456789012",
            "arn:aws:lambda:eu-west-1:123456789012:abc/prod/GET/",
            "ARN:aws:execute-api:eu-west-1:123456789012:abc/prod/GET/",
            " arn:aws:execute-api:eu-west-1:123456789012:abc/prod/GET/",
        ] {
            assert!(Stage::parse(text, EventKind::Rest).is_none(), "{text:?}");
        }
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
                token_of(&bearer(header), &[], true),
                required.map(str::to_owned),
                "{header:?}, required"
            );
            assert_eq!(
                token_of(&bearer(header), &[], false),
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
                token_of(&absent, &["header:Authorization"], true),
                Err(TokenMissing),
                "{absent}"
            );
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_so_under_any_scheme() {
        use Reason::*;
        let (longest, too_long) = ("t".repeat(16_384), "t".repeat(16_385));
        assert_eq!(token_of(&bearer(&format!("Bearer {longest}")), &[], true), Ok(longest.clone()));
        assert_eq!(token_of(&bearer(&longest), &[], false), Ok(longest.clone()));
        assert_eq!(token_of(&bearer(&longest), &[], true), Err(TokenMalformed));
        for header in [format!("Bearer {too_long}"), too_long.clone(), format!("Basic {too_long}")]
        {
            assert_eq!(token_of(&bearer(&header), &[], true), Err(TokenTooLong));
            assert_eq!(token_of(&bearer(&header), &[], false), Err(TokenTooLong));
        }
        assert_eq!(token_of(&bearer(&format!("Bearer {longest} t")), &[], true), Err(TokenTooLong));
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
                assert_eq!(token_of(&event, &["header:A"], true), Err(TokenTooLong));
            }
        }
        let two = json!([bearer_of("t"), "Basic x"]);
        let event = with(method("GET/"), "multiValueHeaders", json!({"A": two}));
        assert_eq!(token_of(&event, &["header:A"], true), Err(TokenMalformed));
        for values in [["t", too_long.as_str()], [too_long.as_str(), "t"]] {
            let query = json!({"t": values});
            let event = with(method("GET/"), "multiValueQueryStringParameters", query);
            assert_eq!(token_of(&event, &["query:t"], true), Err(TokenTooLong));
            let cookies = json!(values.map(|value| format!("t={value}")));
            let event = with(method("GET/"), "cookies", cookies);
            assert_eq!(token_of(&event, &["cookie:t"], true), Err(TokenTooLong));
        }
        let longest = "t".repeat(16_384);
        let event =
            with(method("GET/"), "multiValueQueryStringParameters", json!({"t": [longest]}));
        assert_eq!(token_of(&event, &["query:t"], true), Ok(longest));
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
                token_of(&event(parts.clone()), sources, true),
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
            let token = token_of(&event(header, query), &sources, true);
            assert_eq!(token, expected.map(str::to_owned), "{header:?} {query:?}");
        }
        let event = with(bearer("Bearer t"), "queryStringParameters", json!({"q": "query"}));
        assert_eq!(
            token_of(&event, &["query:q"], true),
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
            for place in ["header", "cookie"] {
                let found = TokenLocation::parse(&format!("{place}:{name}")).unwrap_err();
                assert!(found.contains("RFC 9110"), "{place}:{name}: {found}");
            }
        }
    }
}
