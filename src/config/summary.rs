//! What tools ask about a configuration, or change in it. The function does neither.

use std::sync::Arc;

use crate::access::routes::Routes;
use crate::access::routes::table::Table;
use crate::config::{Config, KeyOrigin, RevocationSource};
use crate::issuer::{IssuerName, Tenants};
use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::Origin;
use crate::jose::jwks;
use crate::jose::token::ClaimPath;
use crate::revocation::list::RevocationList;

/// What the tokens of a trusted issuer must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSummary<'c> {
    /// Its name, as it is written: perhaps with a claim in braces.
    pub name: String,
    /// The claim in its name, and a value that it may have.
    pub tenant: Option<(&'c str, &'c str)>,
    /// The accepted audiences.
    pub audiences: &'c [String],
    /// The claims of which the first that is there must hold one of these.
    pub audience_claims: Vec<&'c str>,
    /// The claims of which the first that is there is the principal.
    pub principal_claims: Vec<&'c str>,
    /// The algorithms by the names that a header has.
    pub algorithms: Vec<&'static str>,
    /// The accepted `typ`, in lower case.
    pub token_types: &'c [String],
}

impl Config {
    /// What the tokens of each trusted issuer must have.
    #[must_use]
    pub fn issuers(&self) -> Vec<IssuerSummary<'_>> {
        let mut summaries = Vec::new();
        for issuer in &self.issuers {
            for (name, _) in &issuer.names {
                summaries.push(IssuerSummary {
                    name: name.to_string(),
                    tenant: tenant(name),
                    audiences: &issuer.rules.audiences,
                    audience_claims: texts(&issuer.rules.audience_claims),
                    principal_claims: texts(&issuer.rules.principal_claims),
                    algorithms: issuer.header_rules.algorithms.names(),
                    token_types: &issuer.header_rules.types,
                });
            }
        }
        summaries
    }

    /// The tables of routes, each with the names of its issuers.
    #[must_use]
    pub fn tables(&self) -> Vec<(Vec<String>, Table)> {
        let mut tables: Vec<(Vec<String>, &Arc<Routes>)> = Vec::new();
        for issuer in &self.issuers {
            let Some(routes) = &issuer.rights.routes else { continue };
            let names = issuer.names.iter().map(|(name, _)| name.to_string());
            match tables.iter_mut().find(|(_, other)| Arc::ptr_eq(other, routes)) {
                Some((issuers, _)) => issuers.extend(names),
                None => tables.push((names.collect(), routes)),
            }
        }
        tables.into_iter().map(|(issuers, routes)| (issuers, Table::of(routes))).collect()
    }

    /// Settings that are allowed but need attention.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Puts these keys in the place of all issuers' keys, and an empty list in the place of each revocation list that
    /// would be fetched. Decisions then need no network, and only tokens signed with these keys are good.
    ///
    /// # Errors
    ///
    /// What is wrong with the key set.
    pub fn replace_keys(&mut self, jwks: &str) -> Result<(), String> {
        for source in &mut self.key_sources {
            let parsed = jwks::parse(jwks.as_bytes(), Algorithms::ALL, Origin::Configuration)
                .map_err(|unusable| unusable.to_string())?;
            source.origin = KeyOrigin::Static(parsed);
        }
        for issuer in &mut self.issuers {
            if let Some(RevocationSource::At(_)) = issuer.revoked {
                issuer.revoked = Some(RevocationSource::Static(RevocationList::parse(b"{}")?));
            }
        }
        Ok(())
    }
}

fn tenant(name: &IssuerName) -> Option<(&str, &str)> {
    let IssuerName::Template(template) = name else { return None };
    let tenant = match &template.tenants {
        Tenants::Any => "tenant",
        // The order of a set is not the same in every process.
        Tenants::Listed(tenants) => tenants.iter().min()?,
    };
    Some((&template.claim, tenant))
}

fn texts(paths: &[ClaimPath]) -> Vec<&str> {
    paths.iter().map(ClaimPath::text).collect()
}
