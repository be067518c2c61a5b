//! Stricter settings on trial: whom they would refuse is logged and counted. No answer depends on it.

use std::sync::Arc;

use serde_json::Value;

use crate::access::claims::Rules;
use crate::access::requirement::Requirement;
use crate::access::rights::{AnswerScope, Rights};
use crate::access::routes::Routes;
use crate::clock::Now;
use crate::denial::Denial;
use crate::jose::token::{self, ClaimPath, Claims};

/// The settings of `TRIAL`. What is absent is as the token's issuer has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrialSettings {
    /// Accepted `typ`, in lower case and without `application/`.
    pub(crate) types: Option<Vec<String>>,
    pub(crate) audience_claims: Option<Vec<ClaimPath>>,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) required_claims: Option<Vec<Requirement>>,
    /// Seconds.
    pub(crate) max_life: Option<f64>,
    pub(crate) required_scopes: Option<Vec<String>>,
    pub(crate) routes: Option<Arc<Routes>>,
}

/// The settings on trial for the tokens of one issuer.
#[derive(Debug)]
pub(crate) struct Trial {
    types: Vec<String>,
    rules: Rules,
    scope_claims: Vec<ClaimPath>,
    /// Has no table unless one is on trial: the issuer's own has decided already.
    rights: Rights,
}

impl TrialSettings {
    /// These settings in place of an issuer's own.
    pub(crate) fn for_issuer(
        &self,
        types: &[String],
        rules: &Rules,
        scope_claims: &[ClaimPath],
        rights: &Rights,
    ) -> Trial {
        let or = |own: &Option<Vec<String>>, issuer: &[String]| match own {
            Some(own) => own.clone(),
            None => issuer.to_vec(),
        };
        let mut rules = rules.clone();
        rules.audiences = or(&self.audiences, &rules.audiences);
        if let Some(audience_claims) = &self.audience_claims {
            rules.audience_claims.clone_from(audience_claims);
        }
        if let Some(required) = &self.required_claims {
            rules.required.clone_from(required);
        }
        if self.max_life.is_some() {
            rules.max_life = self.max_life;
        }
        let required = or(&self.required_scopes, &rights.required);
        Trial {
            types: or(&self.types, types),
            rules,
            scope_claims: scope_claims.to_vec(),
            rights: Rights { required, routes: self.routes.clone() },
        }
    }
}

/// An allowed request that is yet to be held against the settings on trial.
#[derive(Debug)]
pub(crate) struct TrialRun {
    pub(crate) trial: Arc<Trial>,
    /// The token's header.
    pub(crate) header: Arc<Value>,
    pub(crate) claims: Claims,
    /// The request of the event, as its ARN has it after the stage; for a connection, its entry's name.
    pub(crate) request: String,
    /// When the claims were checked.
    pub(crate) checked_at: Now,
}

impl TrialRun {
    /// Why the settings on trial would refuse the request, if they would. The checks are in the order of
    /// [`Reason`](crate::reason::Reason).
    pub(crate) fn refusal(&self) -> Option<Denial> {
        let Trial { types, rules, scope_claims, rights } = &*self.trial;
        let typ = self.header.get("typ").and_then(Value::as_str);
        if !token::is_accepted_type(typ, types) {
            return Some(Denial::TypeNotAccepted { accepted: Some(types.clone()) });
        }
        let caller = match rules.check(&self.claims, &self.checked_at) {
            Ok(caller) => caller,
            Err(denial) => return Some(denial),
        };
        let present = rules.present(&self.checked_at);
        let scope = AnswerScope::Single(&self.request);
        match rights.access(scope_claims, &self.claims, present, scope) {
            Ok(_) => None,
            Err(lacks) => Some(Denial::InsufficientScope {
                principal: caller.principal,
                lacks,
                has_distributed_claims: self.claims.has_distributed_claims(),
            }),
        }
    }
}
