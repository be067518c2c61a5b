//! Whom to believe: the issuers by their names, and all that one issuer is trusted with: its own keys, rules and
//! rights.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::access::claims::{Caller, Rules};
use crate::access::rights::{Access, AnswerScope, Rights};
use crate::access::routes::path_value;
use crate::clock::Now;
use crate::denial::{Denial, Refusal};
use crate::jose::algorithm::{Algorithm, Algorithms};
use crate::jose::token::{ClaimPath, Claims, Token};
use crate::keys::Keys;
use crate::remote::refresh::PendingRefreshes;
use crate::revocation::Revocations;
use crate::trial::Trial;

/// What Entra ID writes for the tenant into the `issuer` of a key that serves all tenants.
const ANY_TENANT: &str = "{tenantid}";

/// The issuers whose tokens are believed.
#[derive(Default)]
pub(crate) struct Issuers {
    exact: HashMap<String, TrustedIssuer>,
    /// Those whose names have a `{claim}`.
    templates: Vec<TrustedIssuer>,
    /// The header rules of all issuers together, for a token whose issuer is not trusted.
    any_issuer: HeaderRules,
}

/// An issuer whose tokens are believed.
pub(crate) struct TrustedIssuer {
    pub(crate) name: IssuerName,
    pub(crate) header_rules: HeaderRules,
    pub(crate) keys: Arc<Keys>,
    pub(crate) rules: Rules,
    /// The tokens that it has taken back, where there is a list of them.
    pub(crate) revocations: Option<Arc<Revocations>>,
    pub(crate) scope_claims: Vec<ClaimPath>,
    pub(crate) rights: Rights,
    /// Stricter settings to try.
    pub(crate) trial: Option<Arc<Trial>>,
}

/// What the `iss` of an issuer's tokens is. Displayed, it is the name as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssuerName {
    /// This, byte for byte.
    Exact(String),
    /// This, with the value of a claim put in.
    Template(IssuerTemplate),
}

/// The name of an issuer with many tenants: a URL in which a claim of the token stands for a segment of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerTemplate {
    prefix: String,
    /// The literal name of the claim.
    pub(crate) claim: String,
    suffix: String,
    pub(crate) tenants: Tenants,
    /// The `issuer` of a key that serves all tenants.
    key_issuer: String,
}

/// The tenants of an issuer that are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tenants {
    Any,
    Listed(HashSet<String>),
}

/// Which headers of tokens are accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderRules {
    /// Accepted `typ`, in lower case and without `application/`.
    pub(crate) types: Vec<String>,
    pub(crate) algorithms: Algorithms,
}

impl Issuers {
    pub(crate) fn insert(&mut self, issuer: TrustedIssuer) {
        self.any_issuer.add(&issuer.header_rules);
        match &issuer.name {
            IssuerName::Exact(name) => {
                self.exact.insert(name.clone(), issuer);
            }
            IssuerName::Template(_) => self.templates.push(issuer),
        }
    }

    /// Accepts a token whose header keeps the rules of the trusted issuer that it names. The header is checked first,
    /// so the reason does not depend on the issuer for tokens that no issuer accepts.
    pub(crate) fn accept<'t>(&self, token: Token<'t>) -> Result<AcceptedToken<'_, 't>, Denial> {
        let issuer = self.select_issuer(&token);
        let rules = issuer.map_or(&self.any_issuer, |issuer| &issuer.header_rules);
        let algorithm = token.check_header(&rules.types, rules.algorithms)?;
        match issuer {
            Some(issuer) => Ok(AcceptedToken { token, issuer, algorithm }),
            None => Err(Denial::IssuerUntrusted { alias: self.alias(&token) }),
        }
    }

    /// The issuer that a token names. An exact name takes precedence over one with a `{claim}`.
    fn select_issuer(&self, token: &Token<'_>) -> Option<&TrustedIssuer> {
        let iss = token.unverified_issuer()?;
        if let Some(issuer) = self.exact.get(iss) {
            return Some(issuer);
        }
        for issuer in &self.templates {
            if let IssuerName::Template(template) = &issuer.name
                && template.covers(iss, token.unverified_claim(&template.claim))
            {
                return Some(issuer);
            }
        }
        None
    }

    /// The trusted issuer that is another name of the one in the token. A user pool of Amazon Cognito has two, of
    /// which the second is for pools that were switched to it.
    fn alias(&self, token: &Token<'_>) -> Option<String> {
        const FORMS: [&str; 2] = ["https://cognito-idp.", "https://issuer-cognito-idp."];
        let iss = token.unverified_issuer()?;
        for (form, other) in [(FORMS[0], FORMS[1]), (FORMS[1], FORMS[0])] {
            if let Some(pool) = iss.strip_prefix(form) {
                let alias = [other, pool].concat();
                return self.exact.contains_key(&alias).then_some(alias);
            }
        }
        None
    }

    /// In the order of their names.
    pub(crate) fn names(&self) -> Vec<&IssuerName> {
        let mut names = Vec::new();
        for issuer in self.exact.values().chain(&self.templates) {
            names.push(&issuer.name);
        }
        names.sort_by_cached_key(ToString::to_string);
        names
    }
}

impl HeaderRules {
    fn add(&mut self, other: &Self) {
        for typ in &other.types {
            if !self.types.contains(typ) {
                self.types.push(typ.clone());
            }
        }
        self.algorithms = self.algorithms | other.algorithms;
    }
}

/// A token whose header its issuer accepts. Its signature is yet to be verified.
pub(crate) struct AcceptedToken<'i, 't> {
    token: Token<'t>,
    pub(crate) issuer: &'i TrustedIssuer,
    algorithm: Algorithm,
}

impl AcceptedToken<'_, '_> {
    /// The claims, if a key of the issuer verifies the signature: see [`Keys::verify`].
    pub(crate) async fn verify(self, pending: &mut PendingRefreshes) -> Result<Claims, Refusal> {
        let Self { token, issuer, algorithm } = self;
        issuer.keys.verify(token, algorithm, issuer.key_issuer(), pending).await
    }
}

impl TrustedIssuer {
    fn template(&self) -> Option<&IssuerTemplate> {
        match &self.name {
            IssuerName::Exact(_) => None,
            IssuerName::Template(template) => Some(template),
        }
    }

    /// The `issuer` of keys that serve all tenants of this issuer, if it has tenants.
    pub(crate) fn key_issuer(&self) -> Option<&str> {
        self.template().map(|template| &*template.key_issuer)
    }

    /// Who calls, if the claims are those of this issuer and keep its rules.
    pub(crate) fn caller(&self, claims: &Claims, now: &Now) -> Result<Caller, Denial> {
        // The issuer was picked before the signature was checked. What is verified must name it, too.
        if let Some(template) = self.template()
            && !template.is_of(claims)
        {
            return Err(Denial::IssuerUntrusted { alias: None });
        }
        self.rules.check(claims, now)
    }

    /// Starts the refresh of the revocation list that a check would have to wait for, in parallel to that of the keys. A
    /// forged token cannot trigger more fetches this way than a good one.
    pub(crate) fn prepare_revocations(&self, pending: &mut PendingRefreshes) {
        if let Some(list) = &self.revocations {
            list.prepare(pending);
        }
    }

    /// Refuses a token that is on the issuer's revocation list, or that expired while that was waited for. Returns the
    /// time at which it was good: the one given, if there is no list.
    pub(crate) async fn check_not_revoked(
        &self,
        claims: &Claims,
        caller: &Caller,
        checked_at: Now,
        pending: &mut PendingRefreshes,
    ) -> Result<Now, Refusal> {
        let Some(list) = &self.revocations else { return Ok(checked_at) };
        list.check(claims, self.rules.present(&Now::read()).latest, pending).await?;
        let checked_at = Now::read();
        let seconds_ago = checked_at.unix() - caller.expires_at;
        if seconds_ago >= 0.0 {
            return Err(Denial::TokenExpired { seconds_ago }.into());
        }
        Ok(checked_at)
    }

    /// What the claims open: see [`Rights::access`].
    pub(crate) fn access(
        &self,
        claims: &Claims,
        caller: &Caller,
        now: &Now,
        scope: AnswerScope<'_>,
    ) -> Result<Access<'_>, Denial> {
        match self.rights.access(&self.scope_claims, claims, self.rules.present(now), scope) {
            Ok(access) => Ok(access),
            Err(lacks) => Err(Denial::InsufficientScope {
                principal: caller.principal.clone(),
                lacks,
                has_distributed_claims: claims.has_distributed_claims(),
            }),
        }
    }
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIssuer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl IssuerTemplate {
    /// Reads a name with braces. The error says what would be right. Whether it is a URL is left to the caller: see
    /// [`IssuerTemplate::example`].
    pub(crate) fn parse(text: &str, tenants: Tenants) -> Result<Self, &'static str> {
        const WANT: &str = "braces hold the name of one claim as a whole segment of a URL's path, as \
            https://login.microsoftonline.com/{tid}/v2.0";
        let (prefix, rest) = text.split_once('{').ok_or(WANT)?;
        let (claim, suffix) = rest.split_once('}').ok_or(WANT)?;
        let is_in_path = prefix.split_once("://").is_some_and(|(_, rest)| rest.ends_with('/'));
        let is_whole = suffix.is_empty() || suffix.starts_with('/');
        let is_claim = !claim.is_empty() && !claim.contains('/');
        if !is_in_path || !is_whole || !is_claim || text.matches(['{', '}']).count() != 2 {
            return Err(WANT);
        }
        let key_issuer = [prefix, ANY_TENANT, suffix].concat();
        let [prefix, claim, suffix] = [prefix, claim, suffix].map(str::to_owned);
        Ok(Self { prefix, claim, suffix, tenants, key_issuer })
    }

    /// The name of some tenant.
    pub(crate) fn example(&self) -> String {
        [&self.prefix, "tenant", &self.suffix].concat()
    }

    /// Whether some `iss` could match both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.key_issuer.split('/'), other.key_issuer.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(ours), Some(theirs))
                    if ours == theirs || ours == ANY_TENANT || theirs == ANY_TENANT => {}
                _ => return false,
            }
        }
    }

    /// Whether this `iss` is that of a trusted tenant, and `claim` names the same tenant.
    fn covers(&self, iss: &str, claim: Option<&Value>) -> bool {
        let Some(tenant) = claim.and_then(Value::as_str) else { return false };
        let in_iss =
            iss.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_suffix(&*self.suffix));
        in_iss == Some(tenant) && self.tenants.contains(tenant)
    }

    fn is_of(&self, claims: &Claims) -> bool {
        let iss = claims.member("iss").and_then(Value::as_str);
        iss.is_some_and(|iss| self.covers(iss, claims.member(&self.claim)))
    }
}

impl Tenants {
    fn contains(&self, tenant: &str) -> bool {
        match self {
            Self::Any => is_tenant(tenant),
            Self::Listed(tenants) => tenants.contains(tenant),
        }
    }
}

/// Whether this can be a tenant's name. A text that could mean something else in a URL's path cannot.
pub(crate) fn is_tenant(name: &str) -> bool {
    path_value::check(name).is_ok()
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Template(IssuerTemplate { prefix, claim, suffix, .. }) => {
                write!(f, "{prefix}{{{claim}}}{suffix}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::denial::MissingRights;
    use crate::jose::jwks::ParsedKeys;
    use crate::jose::token::ClaimPath;
    use crate::reason::Reason;
    use crate::remote::cache::Lifetimes;
    use crate::support::tokens::b64;

    const ENTRA: &str = "https://login.example.com/{tid}/v2.0";

    fn listed(tenants: &[&str]) -> Tenants {
        Tenants::Listed(tenants.iter().map(ToString::to_string).collect())
    }

    fn template(text: &str, tenants: Tenants) -> IssuerTemplate {
        IssuerTemplate::parse(text, tenants).unwrap()
    }

    fn trusted(name: IssuerName) -> TrustedIssuer {
        let lifetimes = Lifetimes { fresh: Default::default(), stale: Default::default() };
        let path = |name: &str| vec![ClaimPath::parse(name).unwrap()];
        TrustedIssuer {
            name,
            header_rules: HeaderRules::default(),
            keys: Keys::fixed(String::new(), ParsedKeys::default(), lifetimes),
            rules: Rules {
                audience_claims: path("aud"),
                audiences: vec!["api".to_owned()],
                leeway: 0.0,
                required: Vec::new(),
                max_life: None,
                principal_claims: path("sub"),
            },
            revocations: None,
            scope_claims: Vec::new(),
            rights: Rights::default(),
            trial: None,
        }
    }

    fn issuers(names: impl IntoIterator<Item = IssuerName>) -> Issuers {
        let mut issuers = Issuers::default();
        names.into_iter().for_each(|name| issuers.insert(trusted(name)));
        issuers
    }

    /// The name under which a token with these claims is trusted.
    fn found(issuers: &Issuers, claims: &Value) -> Option<String> {
        let text = format!("{}.{}.c2ln", b64(r#"{"alg":"RS256"}"#), b64(claims.to_string()));
        let token = Token::parse(&text).unwrap();
        issuers.select_issuer(&token).map(|issuer| issuer.name.to_string())
    }

    #[test]
    fn claim_iss_and_list_must_agree() {
        let a_or_b = issuers([IssuerName::Template(template(ENTRA, listed(&["a", "b"])))]);
        let all = issuers([IssuerName::Template(template(ENTRA, Tenants::Any))]);
        let iss = |tenant: &str| format!("https://login.example.com/{tenant}/v2.0");
        for (claims, by_list, by_any) in [
            (json!({"iss": iss("a"), "tid": "a"}), true, true),
            (json!({"iss": iss("b"), "tid": "b"}), true, true),
            (json!({"iss": iss("c"), "tid": "c"}), false, true),
            (json!({"iss": iss("A"), "tid": "A"}), false, true),
            (json!({"iss": iss("a"), "tid": "b"}), false, false),
            (json!({"iss": iss("a"), "tid": "A"}), false, false),
            (json!({"iss": iss("a"), "tid": "a/"}), false, false),
            (json!({"iss": iss("a/"), "tid": "a/"}), false, false),
            (json!({"iss": iss("a")}), false, false),
            (json!({"iss": iss("a"), "tid": null}), false, false),
            (json!({"iss": iss("a"), "tid": ["a"]}), false, false),
            (json!({"iss": iss("7"), "tid": 7}), false, false),
            (json!({"iss": iss("a"), "TID": "a"}), false, false),
            (json!({"iss": [iss("a")], "tid": "a"}), false, false),
            (json!({"tid": "a"}), false, false),
            (json!({"iss": ENTRA, "tid": "{tid}"}), false, false),
            (json!({"iss": iss("{tenantid}"), "tid": "{tenantid}"}), false, false),
            (json!({"iss": format!("{}/", iss("a")), "tid": "a"}), false, false),
            (json!({"iss": "https://login.example.com/v2.0", "tid": ""}), false, false),
            (json!({"iss": iss(""), "tid": ""}), false, false),
        ] {
            assert_eq!(found(&a_or_b, &claims).is_some(), by_list, "{claims}");
            assert_eq!(found(&all, &claims).is_some(), by_any, "{claims}");
        }
    }

    #[test]
    fn an_exact_name_goes_before_a_template_and_the_templates_do_not_mix() {
        let [a, b] = ["a", "b"].map(|tenant| format!("https://login.example.com/{tenant}/v2.0"));
        let sts = "https://sts.example.com/{org}/";
        let all = issuers([
            IssuerName::Template(template(ENTRA, Tenants::Any)),
            IssuerName::Template(template(sts, listed(&["x"]))),
            IssuerName::Exact(a.clone()),
        ]);
        assert_eq!(found(&all, &json!({"iss": a, "tid": "a"})), Some(a.clone()));
        assert_eq!(found(&all, &json!({ "iss": a })), Some(a));
        assert_eq!(found(&all, &json!({"iss": b, "tid": "b"})).as_deref(), Some(ENTRA));
        let of_sts =
            |claim: &str| found(&all, &json!({"iss": "https://sts.example.com/x/", claim: "x"}));
        assert_eq!(of_sts("org").as_deref(), Some(sts));
        assert_eq!(of_sts("tid"), None);
        let names: Vec<_> = all.names().into_iter().map(ToString::to_string).collect();
        assert_eq!(names, ["https://login.example.com/a/v2.0", ENTRA, sts]);
    }

    #[test]
    fn keys_may_name_issuers_only_under_a_template() {
        let tenants = trusted(IssuerName::Template(template(ENTRA, Tenants::Any)));
        assert_eq!(tenants.key_issuer(), Some("https://login.example.com/{tenantid}/v2.0"));
        assert_eq!(trusted(IssuerName::Exact(ENTRA.to_owned())).key_issuer(), None);
    }

    #[test]
    fn what_is_verified_must_name_the_issuer_that_was_picked() {
        let now = Now::at(1_000.0);
        let claims = |iss: &str, tid: &str| {
            let text = format!("https://login.example.com/{iss}/v2.0");
            json!({"iss": text, "tid": tid, "aud": "api", "sub": "u", "exp": 2_000})
        };
        let outcome = |name: &IssuerName, claims: Value| {
            let claims = Claims::verified(claims);
            let caller = trusted(name.clone()).caller(&claims, &now);
            caller.map(|caller| caller.principal).map_err(|denial| denial.reason())
        };
        let tenants = IssuerName::Template(template(ENTRA, listed(&["a"])));
        assert_eq!(outcome(&tenants, claims("a", "a")), Ok("u".to_owned()));
        for (iss, tid) in [("a", "b"), ("b", "a"), ("b", "b")] {
            assert_eq!(outcome(&tenants, claims(iss, tid)), Err(Reason::IssuerUntrusted));
        }
        assert_eq!(outcome(&tenants, json!({"tid": "a"})), Err(Reason::IssuerUntrusted));
        let mut late = claims("a", "a");
        late["exp"] = json!(1_000);
        assert_eq!(outcome(&tenants, late), Err(Reason::TokenExpired));
        // An exact name was found by the very bytes that the signature covers.
        let exact = IssuerName::Exact("https://login.example.com/a/v2.0".to_owned());
        assert_eq!(outcome(&exact, claims("a", "b")), Ok("u".to_owned()));
    }

    #[test]
    fn scopes_are_those_of_the_claims_that_the_issuer_has_them_in() {
        let mut issuer = trusted(IssuerName::Exact("https://login.example.com".to_owned()));
        issuer.scope_claims = vec![ClaimPath::parse("scp").unwrap()];
        issuer.rights.required = ["read", "write"].map(str::to_owned).into();
        for (claims, missing) in [
            (json!({"scp": "write read"}), None),
            (json!({"scp": "read"}), Some("write")),
            (json!({"scope": "read write"}), Some("read")),
        ] {
            let verified = Claims::verified(claims.clone());
            let expected = match missing {
                None => Ok(()),
                Some(missing) => {
                    let (missing, required) = (missing.to_owned(), issuer.rights.required.clone());
                    let lacks = MissingRights::Scope { missing, required };
                    Err(Denial::InsufficientScope {
                        principal: "u".to_owned(),
                        lacks,
                        has_distributed_claims: false,
                    })
                }
            };
            let caller = Caller { principal: "u".to_owned(), expires_at: 0.0 };
            let scope = AnswerScope::Stage;
            let outcome = issuer.access(&verified, &caller, &Now::at(0.0), scope).map(|_| ());
            assert_eq!(outcome, expected, "{claims}");
        }
    }

    #[test]
    fn a_debug_text_names_the_issuer_and_shows_none_of_its_keys() {
        let text = format!("{:?}", trusted(IssuerName::Exact("auth".to_owned())));
        assert_eq!(text, r#"TrustedIssuer { name: Exact("auth"), .. }"#);
    }
}
