//! The issuers to trust. Each is built from its fields once these are valid.

use crate::access::claims::Rules;
use crate::access::requirement::Requirement;
use crate::access::rights::Rights;
use crate::config::fields::{Fields, has_scheme};
use crate::config::key_sources::{KeyOrigin, KeySources};
use crate::config::reader::{Reader, quoted};
use crate::config::rights::Guards;
use crate::issuer::{HeaderRules, IssuerName};
use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::Origin;
use crate::jose::jwks::{self, ParsedKeys};
use crate::jose::token::ClaimPath;
use crate::remote::endpoint::Endpoint;
use crate::revocation::list::RevocationList;

/// A trusted issuer, or several under the same rules.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// Each with the number of its source of keys.
    pub(crate) names: Vec<(IssuerName, usize)>,
    pub(crate) header_rules: HeaderRules,
    pub(crate) rules: Rules,
    pub(crate) scope_claims: Vec<ClaimPath>,
    pub(crate) revoked: Option<RevocationSource>,
    pub(crate) rights: Rights,
}

/// What holds for all issuers, or for those that have no settings of their own.
pub(super) struct Shared {
    pub(super) rules: SharedRules,
    pub(super) rights: Rights,
    pub(super) guards: Guards,
}

/// The rules for claims that issuers share. The others name what one issuer writes.
pub(super) struct SharedRules {
    /// Seconds.
    pub(super) leeway: u64,
    /// Seconds.
    pub(super) max_life: Option<u64>,
    pub(super) principal_claims: Vec<ClaimPath>,
}

/// Where a revocation list comes from.
#[derive(Debug)]
pub(crate) enum RevocationSource {
    /// The configuration.
    Static(RevocationList),
    /// This address.
    At(Endpoint),
}

impl Reader<'_> {
    /// Builds an issuer from its fields, if all are valid.
    pub(super) fn issuer(
        &mut self,
        fields: &Fields,
        shared: &Shared,
        sources: &mut KeySources,
    ) -> Option<Issuer> {
        let earlier_problems = self.problems.len();
        let names = self.issuer_names(fields);
        let audience = fields.setting("AUDIENCE");
        if fields.audience.is_empty() && !self.reported(&audience) {
            self.problem(&audience, "is required: the audiences of this API's tokens");
        }
        let algorithms = self.algorithms(fields);
        let SharedRules { leeway, max_life, principal_claims } = &shared.rules;
        let rules = Rules {
            audience_claims: self.audience_claims(fields),
            audiences: fields.audience.clone(),
            leeway: *leeway as f64,
            required: self.required_claims(fields),
            max_life: max_life.map(|seconds| seconds as f64),
            principal_claims: match &fields.principal_claim {
                Some(names) => self.claims_at(&fields.setting("PRINCIPAL_CLAIM"), names),
                None => principal_claims.clone(),
            },
        };
        let scope_claims = self.claims_at(&fields.setting("SCOPE_CLAIMS"), &fields.scope_claims);
        let rights = self.rights(fields, shared);
        let keys = self.key_origin(fields, algorithms.unwrap_or(Algorithms::ALL));
        let revoked = self.revocation_source(fields);
        if self.problems.len() > earlier_problems {
            return None;
        }
        let algorithms = algorithms?;
        let names = sources.assign_sources(names, keys?, fields.jwks.as_deref(), algorithms);
        let header_rules = HeaderRules { types: fields.types(), algorithms };
        Some(Issuer { names, header_rules, rules, revoked, scope_claims, rights })
    }

    pub(super) fn audience_claims(&mut self, fields: &Fields) -> Vec<ClaimPath> {
        let setting = fields.setting("AUDIENCE_CLAIM");
        for name in &fields.audience_claim {
            // Issuer and times say nothing about the audience.
            if ["iss", "exp", "nbf", "iat"].contains(&name.strip_prefix('/').unwrap_or(name)) {
                self.problem(&setting, format!("`{name}` cannot hold an audience"));
            }
        }
        self.claims_at(&setting, &fields.audience_claim)
    }

    pub(super) fn required_claims(&mut self, fields: &Fields) -> Vec<Requirement> {
        let mut required = Vec::new();
        for (claim, value) in &fields.required_claims {
            let requirement = Requirement::parse(claim, value);
            required.extend(self.or_report(&fields.setting("REQUIRED_CLAIMS"), requirement));
        }
        required
    }

    fn algorithms(&mut self, fields: &Fields) -> Option<Algorithms> {
        let setting = fields.setting("ALGORITHMS");
        let has_no_keys = fields.jwks.is_none() && !self.reported(&fields.setting("JWKS"));
        let earlier_problems = self.problems.len();
        let mut algorithms = Algorithms::default();
        for name in &fields.algorithms {
            match Algorithms::parse([&**name]) {
                Ok(known) => algorithms = algorithms | known,
                Err(unknown) => {
                    let (unknown, known) = (quoted(&setting, &unknown), Algorithms::known());
                    self.problem(&setting, format!("{unknown} is unknown; there are {known}"));
                }
            }
        }
        if has_no_keys && !(algorithms & Algorithms::HMAC).is_empty() {
            let message =
                "HS256, HS384 and HS512 need their keys in JWKS: none is taken from the network";
            self.problem(&setting, message);
        }
        if self.problems.len() > earlier_problems { None } else { Some(algorithms) }
    }

    fn key_origin(&mut self, fields: &Fields, algorithms: Algorithms) -> Option<KeyOrigin> {
        let address = fields
            .jwks_uri
            .as_ref()
            .map(|text| self.or_report(&fields.setting("JWKS_URI"), Endpoint::parse(text)));
        let keys = match &fields.jwks {
            Some(text) => self.configured_keys(&fields.setting("JWKS"), text, algorithms)?,
            None => ParsedKeys::default(),
        };
        match address {
            Some(address) => Some(KeyOrigin::Address(address?, keys)),
            None if keys.keys.is_empty() => Some(KeyOrigin::Discovery),
            None => Some(KeyOrigin::Static(keys)),
        }
    }

    /// No message quotes what the list says, or its address: see [`RevocationList::parse`].
    fn revocation_source(&mut self, fields: &Fields) -> Option<RevocationSource> {
        let text = fields.revoked.as_deref()?;
        let setting = fields.setting("REVOKED");
        if has_scheme(text) {
            let address = self.or_report(&setting, Endpoint::parse(text))?;
            return Some(RevocationSource::At(address));
        }
        let text = self.text_or_file(&setting, text)?;
        let list = self.or_report(&setting, RevocationList::parse(text.as_bytes()))?;
        Some(RevocationSource::Static(list))
    }

    /// The keys of the `JWKS` setting, if the issuer can use one of them. Another issuer that shares them may use the
    /// others. No message quotes more of them than their ids.
    fn configured_keys(
        &mut self,
        setting: &str,
        text: &str,
        algorithms: Algorithms,
    ) -> Option<ParsedKeys> {
        let parsed = jwks::parse(text.as_bytes(), Algorithms::ALL, Origin::Configuration);
        let parsed = self.or_report(setting, parsed.map_err(|unusable| unusable.to_string()))?;
        let own = parsed.clone().restrict_to(algorithms);
        let own = self.or_report(setting, own.map_err(|unusable| unusable.to_string()))?;
        for skipped in &own.skipped {
            self.warnings.push(format!("{setting}: {skipped}; the key is skipped"));
        }
        for key in &own.keys {
            if key.has_private_half {
                let key = key.listed();
                self.warnings.push(format!(
                    "{setting}: {key} has private members, which sign tokens; only public ones are needed here"
                ));
            }
        }
        Some(parsed)
    }
}
