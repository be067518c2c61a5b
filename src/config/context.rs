//! The claims that are copied to the context of an answer.

use crate::config::reader::Reader;
use crate::config::settings::{self, RESERVED_CONTEXT};
use crate::gateway::policy::ContextClaim;
use crate::jose::token::ClaimPath;

impl Reader<'_> {
    pub(super) fn context(&mut self) -> Vec<ContextClaim> {
        let entries = self.list(settings::CONTEXT_CLAIMS);
        let mut context = Vec::new();
        if entries == ["none"] {
            return context;
        }
        if entries.iter().any(|entry| entry == "none") {
            self.problem("CONTEXT_CLAIMS", "`none` must be the only member");
            return context;
        }
        for entry in &entries {
            let claim = context_claim(entry, &context);
            context.extend(self.or_report("CONTEXT_CLAIMS", claim));
        }
        context
    }
}

/// Reads one entry. `earlier`: those before it.
fn context_claim(entry: &str, earlier: &[ContextClaim]) -> Result<ContextClaim, String> {
    let (name, claim) = entry.split_once('=').unwrap_or((entry, entry));
    if name.is_empty() || claim.is_empty() {
        return Err(format!("`{entry}`: must be `claim` or `name=claim`"));
    }
    if name.starts_with('/') {
        return Err(format!("`{entry}`: a JSON Pointer needs a name, for example roles={entry}"));
    }
    if RESERVED_CONTEXT.contains(&name) {
        return Err(format!(
            "`{name}` is filled by API Gateway or this function: give it another name, for example my_{name}={claim}"
        ));
    }
    if earlier.iter().any(|other| other.name == name) {
        return Err(format!("`{name}` is named twice"));
    }
    Ok(ContextClaim { name: name.to_owned(), path: ClaimPath::parse(claim)? })
}
