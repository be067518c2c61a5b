//! What API Gateway sends: which kind of event it is, for which stage, and where its credential stands.
//!
//! Shapes are from the Developer Guides of API Gateway ("Input to an API Gateway Lambda authorizer", "Control
//! access to HTTP APIs with AWS Lambda authorizers"). Members that are not needed are not looked at, since AWS may
//! add to them at any time. Nothing of an event is quoted in an error: it holds the token.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::refusal::{Denial, Fault, Obstacle, Reason};
use crate::rights::CONNECT;
use crate::token::MAX_BYTES;

/// The kinds of events that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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

const EXPECTED: &str = "not an authorizer event: want a REST API's TOKEN or REQUEST event, a WebSocket API's \
    $connect, or an HTTP API's payload 1.0 or 2.0";

/// An event that was understood.
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    pub(crate) stage: Stage<'a>,
    /// What the ARN has after the stage: `GET/pets/1`. For comparing only; it never reaches an answer.
    pub(crate) route: &'a str,
    event: &'a Event<'a>,
}

/// The members of an event that matter, as they stand.
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

/// A string, borrowed where it has no escapes (serde borrows a bare `Cow`, but not one in an `Option`).
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text<'t>(member: &'t Option<Text<'_>>) -> Option<&'t str> {
    member.as_ref().map(|text| &*text.0)
}

impl<'a> Event<'a> {
    pub(crate) fn parse(json: &'a str) -> Result<Self, Fault> {
        let unsupported = || Obstacle::EventUnsupported.because(EXPECTED);
        // A derived struct would also be read from an array.
        let is_object = json.trim_ascii_start().starts_with('{');
        is_object.then(|| serde_json::from_str(json).ok()).flatten().ok_or_else(unsupported)
    }

    /// What is asked, if this is an event to answer.
    pub(crate) fn request(&'a self) -> Result<Request<'a>, Fault> {
        let kind = self.kind().ok_or_else(|| Obstacle::EventUnsupported.because(EXPECTED))?;
        let (name, arn) = match kind {
            Kind::Http2 => ("routeArn", &self.route_arn),
            _ => ("methodArn", &self.method_arn),
        };
        let parsed = text(arn).and_then(|arn| Stage::parse(arn, kind));
        let unsupported = || Obstacle::EventUnsupported.because(format!("`{name}` is not the ARN of a route"));
        let (stage, route) = parsed.ok_or_else(unsupported)?;
        Ok(Request { kind, stage, route, event: self })
    }

    fn kind(&self) -> Option<Kind> {
        match (text(&self.kind), text(&self.version)) {
            (Some("TOKEN"), _) => Some(Kind::Token),
            // Compared exactly: WebSocket events have been seen with a version of "$LATEST".
            (Some("REQUEST"), Some("2.0")) => Some(Kind::Http2),
            (Some("REQUEST"), Some("1.0")) => Some(Kind::Http1),
            (Some("REQUEST"), _) if self.is_connect() => Some(Kind::WebSocket),
            (Some("REQUEST"), _) => Some(Kind::Rest),
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

        let context = self.request_context.and_then(|raw| serde_json::from_str::<RequestContext<'_>>(raw.get()).ok());
        context.is_some_and(|context| text(&context.event_type) == Some("CONNECT"))
            || text(&self.method_arn)
                .and_then(|arn| Stage::parse(arn, Kind::WebSocket))
                // The whole of it: a REST API may be asked for a path that ends so.
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
    /// The stage of an ARN, and what comes after it. Every part is held to the characters that AWS uses there, so
    /// that no wildcard and no policy variable gets into a resource.
    fn parse(arn: &'a str, kind: Kind) -> Option<(Self, &'a str)> {
        let mut parts = arn.splitn(6, ':');
        let mut next = |is_right: fn(&str) -> bool| parts.next().filter(|part| is_right(part));
        next(|prefix| prefix == "arn")?;
        next(is_name)?;
        next(|service| service == "execute-api")?;
        next(is_name)?;
        next(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))?;
        let resource = parts.next()?;
        let (api, rest) = resource.split_once('/')?;
        let (stage, route) = rest.split_once('/')?;
        if !is_name(api) || !(is_name(stage) || stage == "$default") {
            return None;
        }
        let end = arn.len() - route.len() - "/".len();
        Some((Self { arn: Cow::Borrowed(&arn[..end]), is_websocket: kind == Kind::WebSocket }, route))
    }

    /// A stage with an ARN of this length, to measure with.
    pub(crate) fn of_length(length: usize) -> Self {
        Self { arn: Cow::Owned("a".repeat(length)), is_websocket: false }
    }

    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// The resource of what matches this pattern below the stage.
    pub(crate) fn resource(&self, pattern: &str) -> String {
        [&self.arn, "/", pattern].concat()
    }

    /// The resource of every request that the answer could be used for.
    pub(crate) fn everything(&self) -> String {
        self.resource(if self.is_websocket { CONNECT } else { "*" })
    }
}

/// A partition, region, API id or stage: letters, digits, hyphen and underscore; stage names have at most 128.
fn is_name(part: &str) -> bool {
    (1..=128).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Where a request event may hold the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A header, by name in any letter case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

impl Source {
    /// The error says what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}`: want `header:NAME`, `query:NAME` or `cookie:NAME`");
        match text.split_once(':') {
            Some((_, "")) | None => Err(wanted()),
            Some(("header", name)) => Ok(Self::Header(name.to_owned())),
            Some(("query", name)) => Ok(Self::Query(name.to_owned())),
            Some(("cookie", name)) => Ok(Self::Cookie(name.to_owned())),
            Some(_) => Err(wanted()),
        }
    }
}

/// How credentials are to be found.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// For request events: the first source that is present counts.
    pub(crate) sources: Vec<Source>,
    /// Whether a header must name the scheme.
    pub(crate) bearer_required: bool,
}

impl Credentials {
    /// The one token of a request.
    pub(crate) fn token<'a>(&self, request: &Request<'a>) -> Result<Cow<'a, str>, Denial> {
        let event = request.event;
        if request.kind == Kind::Token {
            let header = text(&event.authorization_token).filter(|header| !is_blank(header));
            return self.bearer(header.ok_or(Reason::TokenMissing)?).map(Cow::Borrowed);
        }
        for source in &self.sources {
            let mut values = match source {
                Source::Header(name) => event.headers_named(name),
                Source::Query(name) => event.query(name),
                Source::Cookie(name) => event.cookies_named(name),
            };
            values.retain(|value| !is_blank(value));
            match (values.pop(), values.is_empty()) {
                (None, _) => {}
                (Some(_), false) => return Err(Reason::TokenMalformed.because("several values in one source")),
                (Some(header), true) if matches!(source, Source::Header(_)) => {
                    return self.bearer(&header).map(|token| Cow::Owned(token.to_owned()));
                }
                (Some(token), true) => return Ok(Cow::Owned(token)),
            }
        }
        Err(Reason::TokenMissing.into())
    }

    /// The token of an `Authorization` header (RFC 6750 section 2.1; RFC 9110 section 11.1 on letter case).
    fn bearer<'h>(&self, header: &'h str) -> Result<&'h str, Denial> {
        let credential = match header.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Bearer") => Some(rest.trim_start_matches(' ')),
            _ if self.bearer_required => None,
            _ => Some(header),
        };
        if credential.unwrap_or(header).len() > MAX_BYTES {
            return Err(Reason::TokenTooLong.into());
        }
        let credential = credential.ok_or(Reason::TokenMalformed.because("the scheme is not `Bearer`"))?;
        if credential.is_empty() || credential.contains(char::is_whitespace) {
            return Err(Reason::TokenMalformed.because("not exactly one token after the scheme"));
        }
        Ok(credential)
    }
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

impl Event<'_> {
    /// Every value of a header. REST APIs pass names on as the client wrote them: HTTP/2 clients in lower case.
    fn headers_named(&self, name: &str) -> Vec<String> {
        let is_named = |other: &str| other.eq_ignore_ascii_case(name);
        let mut values = values(self.headers, is_named);
        values.extend(self::values(self.multi_value_headers, is_named));
        distinct(values)
    }

    /// Every value of a query parameter.
    fn query(&self, name: &str) -> Vec<String> {
        let is_named = |other: &str| other == name;
        let mut values = values(self.query_string_parameters, is_named);
        values.extend(self::values(self.multi_value_query_string_parameters, is_named));
        distinct(values)
    }

    /// Every value of a cookie: HTTP API 2.0 lists cookies apart, the other events leave them in their header.
    fn cookies_named(&self, name: &str) -> Vec<String> {
        let listed = self.cookies.and_then(|raw| serde_json::from_str::<Option<Vec<String>>>(raw.get()).ok().flatten());
        let pairs = listed.into_iter().flatten().chain(self.headers_named("Cookie"));
        let values = pairs.flat_map(|pairs| {
            let values = pairs.split(';').filter_map(|pair| pair.trim().split_once('='));
            let values = values.filter(|(other, _)| *other == name).map(|(_, value)| unquote(value).to_owned());
            values.collect::<Vec<_>>()
        });
        distinct(values.collect())
    }
}

/// The values in a map of strings, or of arrays of strings, under the names that are meant. Maps may be null.
fn values(map: Option<&RawValue>, is_named: impl Fn(&str) -> bool) -> Vec<String> {
    let map = map.and_then(|raw| serde_json::from_str::<Option<Map<String, Value>>>(raw.get()).ok().flatten());
    let named = map.into_iter().flatten().filter(|(name, _)| is_named(name));
    let strings = named.flat_map(|(_, value)| match value {
        Value::Array(values) => values,
        value => vec![value],
    });
    strings.filter_map(|value| if let Value::String(text) = value { Some(text) } else { None }).collect()
}

/// The same value in both forms of a map, or sent twice, is one value.
fn distinct(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values.dedup();
    values
}

/// RFC 6265 section 4.1.1: a cookie's value may stand in double quotes.
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}
