//! `TRIAL`: stricter settings to try, as members of an object.

use crate::config::issuers::Shared;
use crate::config::reader::Reader;
use crate::config::settings;
use crate::trial::TrialSettings;

/// The members of `TRIAL`.
const MEMBERS: [&str; 7] = [
    "audience",
    "audience_claim",
    "token_types",
    "required_claims",
    "max_token_seconds",
    "required_scopes",
    "routes",
];

impl Reader<'_> {
    /// Each member is held to the rules of the setting that it is for.
    pub(super) fn trial(&mut self, shared: &Shared) -> Option<TrialSettings> {
        let mut members = self.object(settings::TRIAL)?;
        let known = MEMBERS.join(", ");
        if members.is_empty() {
            self.problem("TRIAL", format!("is empty: must have at least one of {known}"));
        }
        let mut trial = TrialSettings::default();
        if let Some(max_life) = members.remove("max_token_seconds") {
            let seconds = settings::MAX_TOKEN_SECONDS.within_bounds(max_life.as_u64());
            let seconds = self.or_report("TRIAL.max_token_seconds", seconds);
            trial.max_life = seconds.map(|seconds| seconds as f64);
        }
        for name in members.keys() {
            if !MEMBERS.contains(&name.as_str()) {
                let message = format!("unknown member; there are {known}");
                self.problem(&format!("TRIAL.{name}"), message);
                return None;
            }
        }
        let fields = self.entry("TRIAL".to_owned(), &members);
        for name in members.keys() {
            match name.as_str() {
                "audience" => trial.audiences = Some(fields.audience.clone()),
                "audience_claim" => trial.audience_claims = Some(self.audience_claims(&fields)),
                "token_types" => trial.types = Some(fields.types()),
                "required_claims" => trial.required_claims = Some(self.required_claims(&fields)),
                // The rights, which are read as a whole.
                _ => {}
            }
        }
        let rights = self.rights(&fields, shared);
        if fields.required_scopes.is_some() {
            trial.required_scopes = Some(rights.required);
        }
        if fields.routes.is_some() {
            trial.routes = rights.routes;
        }
        Some(trial)
    }
}
