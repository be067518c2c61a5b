//! What API Gateway sends: which kind of event it is, and what of it is read.
//!
//! Shapes are from the Developer Guides of API Gateway ("Input to an API Gateway Lambda authorizer", "Control
//! access to HTTP APIs with AWS Lambda authorizers"). Members that are not needed are not looked at, since AWS may
//! add to them at any time. Nothing of an event is quoted in an error: it holds the token.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::access::routes::CONNECT;
use crate::gateway::arn::{Stage, arn_problem};
use crate::jose::members::Text;
use crate::reason::{Fault, Obstacle};

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

/// Whether this event, which is of no other kind, asks for the status of the function.
pub(crate) fn asks_for_status(event: &str) -> bool {
    match Event::parse(event) {
        Ok(event) => text(&event.kind) == Some("STATUS") && event.kind().is_none(),
        Err(_) => false,
    }
}

fn not_an_authorizer_event() -> Fault {
    Obstacle::EventUnsupported.because(NOT_AN_AUTHORIZER_EVENT)
}

/// An event that was understood.
pub(crate) struct Request<'a> {
    pub(crate) kind: EventKind,
    pub(crate) stage: Stage<'a>,
    /// What the ARN has after the stage: `GET/pets/1`. For comparing only; it never reaches an answer.
    pub(crate) route: &'a str,
    pub(crate) event: &'a Event<'a>,
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
        // Derived code would also read the struct from an array.
        if json.trim_ascii_start().starts_with('{')
            && let Ok(event) = serde_json::from_str(json)
        {
            return Ok(event);
        }
        Err(not_an_authorizer_event())
    }

    /// What is asked, if this is an event to answer.
    pub(crate) fn request(&'a self) -> Result<Request<'a>, Fault> {
        let Some(kind) = self.kind() else { return Err(not_an_authorizer_event()) };
        let Some((member, arn)) = self.arn(kind) else { return Err(not_an_authorizer_event()) };
        let Some((stage, route)) = Stage::parse(arn, kind) else {
            let problem = format!("`{member}` {}", arn_problem(arn));
            return Err(Obstacle::EventUnsupported.because(problem));
        };
        Ok(Request { kind, stage, route, event: self })
    }

    /// The member that holds the ARN, and the ARN. Local emulators put it under the name of the other payload version.
    fn arn(&self, kind: EventKind) -> Option<(&'static str, &str)> {
        match (kind, text(&self.method_arn), text(&self.route_arn)) {
            (EventKind::Http2, _, Some(arn)) => Some(("routeArn", arn)),
            (_, Some(arn), _) => Some(("methodArn", arn)),
            (_, None, Some(arn)) => Some(("routeArn", arn)),
            (_, None, None) => None,
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

        if let Some(raw) = self.request_context
            && let Ok(context) = serde_json::from_str::<RequestContext<'_>>(raw.get())
            && text(&context.event_type) == Some("CONNECT")
        {
            return true;
        }
        // Compares everything after the stage: the path of a REST API's request can end in `$connect`, too.
        let Some((_, arn)) = self.arn(EventKind::WebSocket) else { return false };
        matches!(Stage::parse(arn, EventKind::WebSocket), Some((_, CONNECT)))
    }

    /// The credential of a `TOKEN` event.
    pub(crate) fn authorization_token(&self) -> Option<&str> {
        text(&self.authorization_token)
    }

    /// Every value of a header. REST APIs pass names on as the client wrote them: HTTP/2 clients in lower case.
    pub(crate) fn headers_named(&self, name: &str) -> Vec<String> {
        values(&[self.headers, self.multi_value_headers], name, str::eq_ignore_ascii_case)
    }

    /// The subprotocols that a WebSocket client offers, from each of the two forms of the headers.
    pub(crate) fn subprotocols(&self) -> [Vec<String>; 2] {
        let values = |map| values(&[map], "Sec-WebSocket-Protocol", str::eq_ignore_ascii_case);
        [values(self.headers), values(self.multi_value_headers)]
    }

    /// Every value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Vec<String> {
        let maps = [self.query_string_parameters, self.multi_value_query_string_parameters];
        values(&maps, name, str::eq)
    }

    /// Every value of a cookie: HTTP API 2.0 lists cookies apart, the other events leave them in their header.
    pub(crate) fn cookies_named(&self, name: &str) -> Vec<String> {
        let mut listed = match self.cookies {
            Some(raw) => serde_json::from_str::<Vec<String>>(raw.get()).unwrap_or_default(),
            None => Vec::new(),
        };
        listed.extend(self.headers_named("Cookie"));
        let mut found = Vec::new();
        for pair in listed.iter().flat_map(|pairs| pairs.split(';')) {
            if let Some((other, value)) = pair.trim().split_once('=')
                && other == name
            {
                found.push(unquote(value).to_owned());
            }
        }
        found
    }
}

impl<'a> Request<'a> {
    /// What a table of routes decides about. A connection is recognized by the event's type, whatever its ARN ends in.
    pub(crate) fn route_to_decide(&self) -> &'a str {
        if self.kind == EventKind::WebSocket { CONNECT } else { self.route }
    }

    /// The client certificate of mutual TLS, in PEM, from the place where API Gateway puts it in events of this kind.
    /// API Gateway has verified it. Parsed on demand only.
    pub(crate) fn client_certificate(&self) -> Option<String> {
        let member = match self.kind {
            EventKind::Token => return None,
            EventKind::Rest | EventKind::WebSocket | EventKind::Http1 => "identity",
            EventKind::Http2 => "authentication",
        };
        let mut context = object(self.event.request_context)?;
        let pem = context.get_mut(member)?.get_mut("clientCert")?.get_mut("clientCertPem")?.take();
        if let Value::String(pem) = pem { Some(pem) } else { None }
    }
}

/// A member that is an object. It may be null.
fn object(member: Option<&RawValue>) -> Option<Map<String, Value>> {
    serde_json::from_str(member?.get()).unwrap_or_default()
}

/// The strings that these maps hold under a name, each by itself or in an array. `is_same` compares names.
fn values(maps: &[Option<&RawValue>], name: &str, is_same: fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (other, value) in maps.iter().filter_map(|map| object(*map)).flatten() {
        if !is_same(&other, name) {
            continue;
        }
        let values = if let Value::Array(values) = value { values } else { vec![value] };
        for value in values {
            if let Value::String(text) = value {
                found.push(text);
            }
        }
    }
    found
}

/// RFC 6265 section 4.1.1: a cookie's value may be in double quotes.
fn unquote(value: &str) -> &str {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').unwrap_or(value),
        None => value,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    const PREFIX: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";

    pub(crate) fn method(route: &str) -> Value {
        json!({"type": "REQUEST", "methodArn": format!("{PREFIX}/{route}")})
    }

    pub(crate) fn with(mut event: Value, name: &str, value: Value) -> Value {
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

    pub(crate) fn bearer(header: &str) -> Value {
        json!({"type": "TOKEN", "methodArn": format!("{PREFIX}/GET/"), "authorizationToken": header})
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
}
