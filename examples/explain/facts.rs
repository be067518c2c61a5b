//! What an event and its token hold, read leniently and for display only: the authorizer decides.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::settings::Settings;

pub(crate) struct Facts {
    /// Where a credential was found, and the token in it without its scheme.
    pub(crate) place: String,
    pub(crate) credential: Option<String>,
    pub(crate) header: Option<Value>,
    pub(crate) claims: Option<Value>,
    /// The ARN up to the stage, and what comes after it.
    pub(crate) stage: String,
    pub(crate) route: String,
}

impl Facts {
    pub(crate) fn of(event: &Value, settings: &Settings<'_>) -> Self {
        let found = if event["type"] == "TOKEN" {
            let header = event["authorizationToken"].as_str();
            header.map(|header| ("authorizationToken".to_owned(), header.to_owned()))
        } else {
            settings.list("TOKEN_SOURCE").into_iter().find_map(|source| Some((source.clone(), sent(event, &source)?)))
        };
        let (place, header) = found.filter(|(_, header)| !header.trim().is_empty()).unwrap_or_default();
        let token = header.trim().rsplit(' ').next().unwrap_or_default();
        let credential = Some(token.to_owned()).filter(|token| !token.is_empty());
        // Two segments of three, or nothing: what has no such shape could be a secret anywhere.
        let segments: Vec<_> = token.split('.').collect();
        let decoded = |index: usize| if segments.len() == 3 { object(segments[index]) } else { None };
        let arn = event["methodArn"].as_str().or_else(|| event["routeArn"].as_str()).unwrap_or_default();
        let mut parts = arn.splitn(3, '/');
        let (api, stage) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Self {
            place,
            credential,
            header: decoded(0),
            claims: decoded(1),
            stage: format!("{api}/{stage}"),
            route: parts.next().unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.as_ref()?["iss"].as_str()
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.header.as_ref()?.get(name)
    }

    /// A claim by its name, or by a JSON Pointer.
    pub(crate) fn claim(&self, path: &str) -> Option<&Value> {
        let claims = self.claims.as_ref()?;
        let claim = if path.starts_with('/') { claims.pointer(path) } else { claims.get(path) };
        claim.filter(|claim| !claim.is_null())
    }
}

/// What a request event holds at `header:NAME`, `query:NAME` or `cookie:NAME`.
fn sent(event: &Value, source: &str) -> Option<String> {
    let (kind, name) = source.split_once(':')?;
    let named = |maps: [&str; 2], is_named: &dyn Fn(&str) -> bool| -> Option<String> {
        let maps = maps.into_iter().filter_map(|map| event[map].as_object());
        let value = maps.flatten().find(|(other, _)| is_named(other)).map(|(_, value)| value)?;
        Some(value.as_str().or_else(|| value[0].as_str())?.to_owned())
    };
    let header = |name: &str| named(["headers", "multiValueHeaders"], &|other| other.eq_ignore_ascii_case(name));
    match kind {
        "header" => header(name),
        "query" => named(["queryStringParameters", "multiValueQueryStringParameters"], &|other| other == name),
        _ => {
            let listed = event["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let all = listed.map(str::to_owned).chain(header("Cookie")).collect::<Vec<_>>().join(";");
            let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(other, _)| *other == name).map(|(_, value)| value.trim_matches('"').to_owned())
        }
    }
}

fn object(segment: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(segment).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}
