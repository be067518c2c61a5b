//! The answer to API Gateway: an IAM policy that stays right for as long as it is cached.
//!
//! API Gateway applies a cached policy to every method of the stage, so the document is decided for the token
//! and never for the request: resources are made of the ARN's partition, region, account, API and stage, and of
//! configured routes. No byte of the request's verb or path reaches it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerPolicy;
use aws_lambda_events::iam::{IamPolicyEffect, IamPolicyStatement};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::Stage;
use crate::refusal::Reason;
use crate::rights::{Grant, Routes};
use crate::token::{ClaimPath, Claims};

/// The longest resource that API Gateway takes (Developer Guide, "Output from an API Gateway Lambda authorizer").
pub(crate) const MAX_RESOURCE: usize = 512;

/// The longest policy. No figure is published for REST and HTTP APIs; a WebSocket API takes a result of 8 KB.
pub(crate) const MAX_DOCUMENT: usize = 8 * 1024;

/// The size of `context` up to which claims are copied: they end up in headers, of which API Gateway takes 10,240
/// bytes in sum.
pub(crate) const MAX_CONTEXT: usize = 4 * 1024;

/// The longest ARN up to the stage for which a table of routes is proven to fit: 96 characters leave room for the
/// longest partition and region, and for a stage name of some 30.
const PROVEN_PREFIX: usize = 96;

/// Who a refused caller is: nothing unverified is answered as fact.
const ANONYMOUS: &str = "anonymous";

/// A claim to hand to the backend, and the name it gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextClaim {
    pub(crate) name: String,
    pub(crate) path: ClaimPath,
}

/// An answer, ready to be sent.
pub type Answer = Box<RawValue>;

/// The form in which an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An IAM policy.
    Policy,
    /// `{isAuthorized, context}`, for HTTP APIs with simple responses.
    Simple,
}

/// What is answered to a good token.
pub(crate) struct Permit<'a> {
    pub(crate) principal: &'a str,
    pub(crate) grant: Grant<'a>,
    /// The Unix time from which on the policy itself refuses, if it is to.
    pub(crate) ends: Option<f64>,
    pub(crate) context: Context<'a>,
    pub(crate) usage_key: Option<&'a str>,
}

impl Permit<'_> {
    /// The answer as JSON. `Err` if the document would be longer than API Gateway takes.
    pub(crate) fn answer(&self, stage: &Stage<'_>, form: Form) -> Result<Answer, TooLarge> {
        if form == Form::Simple {
            return Ok(json(&Simple { is_authorized: true, context: &self.context }));
        }
        let document = document(stage, &self.grant, self.ends);
        // Proven at start for all but the longest names of a stage.
        if stage.arn().len() > PROVEN_PREFIX && matches!(self.grant, Grant::Routes(_)) {
            check(&document)?;
        }
        Ok(json(&Output {
            principal_id: self.principal,
            policy_document: &document,
            context: &self.context,
            usage_identifier_key: self.usage_key,
        }))
    }
}

/// A Deny for everything that a cached answer could be applied to. `principal` is given for a verified token.
pub(crate) fn deny(stage: &Stage<'_>, form: Form, reason: Reason, principal: Option<&str>) -> Answer {
    let context = Context { entries: vec![("reason", reason.code().into())], left_out: Vec::new() };
    if form == Form::Simple {
        return json(&Simple { is_authorized: false, context: &context });
    }
    json(&Output {
        principal_id: principal.unwrap_or(ANONYMOUS),
        policy_document: &policy(vec![statement(IamPolicyEffect::Deny, vec![stage.everything()])]),
        context: &context,
        usage_identifier_key: None,
    })
}

/// The document would exceed [`MAX_DOCUMENT`] or [`MAX_RESOURCE`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) document: usize,
    pub(crate) resource: usize,
}

/// Whether the document of every token fits, whatever rights it has, for an ARN up to the stage of this length.
pub(crate) fn fits(routes: &Routes) -> Result<(), TooLarge> {
    let stage = Stage::of_length(PROVEN_PREFIX);
    // Every resource stands once, in one of two statements; with one entry refused there are both.
    let entries = routes.entries().iter().enumerate().map(|(index, entry)| (entry, index != 0)).collect();
    check(&document(&stage, &Grant::Routes(entries), Some(0.0)))
}

fn check(policy: &ApiGatewayCustomAuthorizerPolicy) -> Result<(), TooLarge> {
    let resources = policy.statement.iter().flat_map(|statement| &statement.resource);
    let resource = resources.map(String::len).max().unwrap_or_default();
    let document = length(policy);
    if document > MAX_DOCUMENT || resource > MAX_RESOURCE { Err(TooLarge { document, resource }) } else { Ok(()) }
}

fn document(stage: &Stage<'_>, grant: &Grant<'_>, ends: Option<f64>) -> ApiGatewayCustomAuthorizerPolicy {
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    match grant {
        Grant::Stage => open.push(stage.everything()),
        Grant::Routes(entries) => {
            for (entry, is_open) in entries {
                let resources = if *is_open { &mut open } else { &mut closed };
                resources.extend(entry.patterns.iter().map(|pattern| stage.resource(pattern)));
            }
        }
    }
    let mut statements = vec![statement(IamPolicyEffect::Allow, open)];
    if !closed.is_empty() {
        statements.push(statement(IamPolicyEffect::Deny, closed));
    }
    if let Some(end) = ends.and_then(date_time) {
        // A Deny, since an Allow that only ends leaves the request to the API's resource policy.
        let mut guard = statement(IamPolicyEffect::Deny, vec![stage.everything()]);
        let time = HashMap::from([("aws:CurrentTime".to_owned(), vec![end])]);
        guard.condition = Some(HashMap::from([("DateGreaterThanEquals".to_owned(), time)]));
        statements.push(guard);
    }
    policy(statements)
}

fn policy(statements: Vec<IamPolicyStatement>) -> ApiGatewayCustomAuthorizerPolicy {
    let mut policy = ApiGatewayCustomAuthorizerPolicy::default();
    policy.version = Some("2012-10-17".to_owned());
    policy.statement = statements;
    policy
}

fn statement(effect: IamPolicyEffect, resource: Vec<String>) -> IamPolicyStatement {
    let mut statement = IamPolicyStatement::default();
    statement.action = vec!["execute-api:Invoke".to_owned()];
    statement.effect = effect;
    statement.resource = resource;
    statement
}

/// ISO 8601 in UTC without a fraction, as IAM takes dates; none beyond the year 9999.
fn date_time(unix: f64) -> Option<String> {
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(unix.floor()).ok()?)?;
    let year_10000 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    (end < year_10000).then(|| humantime::format_rfc3339_seconds(end).to_string())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    principal_id: &'a str,
    policy_document: &'a ApiGatewayCustomAuthorizerPolicy,
    context: &'a Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_identifier_key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Simple<'a> {
    is_authorized: bool,
    context: &'a Context<'a>,
}

/// What the backend learns about the caller: strings, numbers and booleans, for every kind of API.
#[derive(Debug, Default)]
pub(crate) struct Context<'a> {
    entries: Vec<(&'a str, Value)>,
    /// The names of claims that would have made it longer than [`MAX_CONTEXT`].
    pub(crate) left_out: Vec<&'a str>,
}

impl<'a> Context<'a> {
    /// Copies the claims that are present, in this order. REST and WebSocket APIs take no arrays and objects, so
    /// these are given as JSON text.
    pub(crate) fn copy(wanted: &'a [ContextClaim], claims: &Claims) -> Self {
        let mut context = Self::default();
        // One member has no comma; the closing brace is counted in its place.
        let mut size = "{".len();
        for ContextClaim { name, path } in wanted {
            let value = match claims.get(path) {
                None => continue,
                Some(nested @ (Value::Array(_) | Value::Object(_))) => Value::String(nested.to_string()),
                Some(scalar) => scalar.clone(),
            };
            let grown = size + length(name) + ":,".len() + length(&value);
            if grown > MAX_CONTEXT {
                context.left_out.push(name);
            } else {
                size = grown;
                context.entries.push((name, value));
            }
        }
        context
    }
}

impl Serialize for Context<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|(name, value)| (name, value)))
    }
}

/// The length of a value as JSON text.
fn length(value: impl Serialize) -> usize {
    serde_json::to_string(&value).map_or(usize::MAX / 4, |text| text.len())
}

#[allow(clippy::expect_used, reason = "serializing plain structs with string keys to memory cannot fail")]
fn json(answer: &impl Serialize) -> Answer {
    serde_json::value::to_raw_value(answer).expect("plain data")
}
