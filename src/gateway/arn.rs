//! The ARN of a request: the stage, which policies are for, and the route, which never reaches an answer.

use std::borrow::Cow;

use crate::access::routes::CONNECT;
use crate::gateway::event::EventKind;

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
    pub(crate) fn parse(arn: &'a str, kind: EventKind) -> Option<(Self, &'a str)> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next();
        let (Some("arn"), Some(partition), Some("execute-api"), Some(region), Some(account)) =
            (next(), next(), next(), next(), next())
        else {
            return None;
        };
        let (api, rest) = next()?.split_once('/')?;
        let (stage, route) = rest.split_once('/')?;
        let is_stage = is_name(stage) || stage == "$default";
        if !is_stage || ![partition, region, account, api].into_iter().all(is_name) {
            return None;
        }
        let end = arn.len() - route.len() - "/".len();
        let is_websocket = kind == EventKind::WebSocket;
        Some((Self { arn: Cow::Borrowed(&arn[..end]), is_websocket }, route))
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
pub(crate) fn arn_problem(arn: &str) -> &'static str {
    for part in arn.split('/').take(2) {
        if part.contains(['*', '?']) {
            return "has a wildcard before its route: must name one stage of one API, for example `prod` instead of `*`";
        }
    }
    "is not the ARN of a route: must be `arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/VERB/PATH`, or \
        `.../STAGE/$connect`"
}

/// A partition, region, account, API id or stage: letters, digits, hyphen and underscore; stage names have at most 128.
fn is_name(part: &str) -> bool {
    (1..=128).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";

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
}
