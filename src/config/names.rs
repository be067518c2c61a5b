//! The names of the issuers, and the tenants of one whose name has a `{claim}`.

use std::collections::HashSet;

use serde_json::Value;

use crate::config::fields::Fields;
use crate::config::issuers::Issuer;
use crate::config::reader::{Reader, members_of};
use crate::config::settings;
use crate::issuer::{IssuerName, IssuerTemplate, Tenants, is_tenant};
use crate::remote::endpoint::Endpoint;

impl Reader<'_> {
    /// The members of `TENANTS`: a list, or `@` and the file that holds it.
    pub(super) fn tenant_list(&mut self) -> Option<Vec<String>> {
        let text = self.value(&settings::TENANTS)?;
        self.tenants_of("TENANTS", text)
    }

    /// The same of an object in `ISSUERS`, where a list is an array.
    pub(super) fn tenants_member(&mut self, setting: &str, value: &Value) -> Option<Vec<String>> {
        match value {
            Value::String(text) if text.trim().starts_with('@') => {
                self.tenants_of(setting, text.trim())
            }
            value => Some(self.strings(setting, value)),
        }
    }

    fn tenants_of(&mut self, setting: &str, text: &str) -> Option<Vec<String>> {
        let list = self.text_or_file(setting, text)?;
        Some(self.members(setting, &list))
    }

    /// The names under which the issuer is trusted, as far as they are valid.
    pub(super) fn issuer_names(&mut self, fields: &Fields) -> Vec<IssuerName> {
        let setting = fields.setting("ISSUER");
        if fields.issuer.is_empty() && !self.reported(&setting) {
            self.problem(&setting, "is required: the exact `iss` of the tokens to trust");
        }
        let has_keys = self.has_keys(fields);
        let (mut names, mut templates) = (Vec::new(), Vec::new());
        for name in &fields.issuer {
            if name.contains(['{', '}']) {
                templates.push(name);
                continue;
            }
            if self.or_report(&setting, check_name(name, has_keys)).is_some() {
                names.push(IssuerName::Exact(name.clone()));
            }
        }
        let tenants = self.tenants(fields);
        match &templates[..] {
            [] if fields.tenants.is_some() && !self.reported(&fields.setting("TENANTS")) => {
                let message = "is for a name in ISSUER with a `{claim}`, for example \
                    https://login.microsoftonline.com/{tid}/v2.0";
                self.problem(&fields.setting("TENANTS"), message);
            }
            [] => {}
            [name] => names.extend(self.template(fields, name, tenants)),
            _ => self.problem(&setting, "only one name can have a `{claim}`"),
        }
        names
    }

    /// Whether the settings say where the keys are, valid or not.
    fn has_keys(&self, fields: &Fields) -> bool {
        fields.has_keys()
            || self.reported(&fields.setting("JWKS_URI"))
            || self.reported(&fields.setting("JWKS"))
    }

    fn template(
        &mut self,
        fields: &Fields,
        name: &str,
        tenants: Option<Tenants>,
    ) -> Option<IssuerName> {
        let setting = fields.setting("ISSUER");
        if fields.tenants.is_none() && !self.reported(&fields.setting("TENANTS")) {
            let message = "a name with a `{claim}` needs TENANTS: the tenants to trust, or `any`";
            self.problem(&setting, message);
        }
        if !self.has_keys(fields) {
            let message =
                "is required with a `{claim}` in ISSUER, or else JWKS: the keys of all tenants";
            self.problem(&fields.setting("JWKS_URI"), message);
        }
        // Without tenants none is trusted, and there is a problem already.
        let trusted = tenants.unwrap_or(Tenants::Listed(HashSet::new()));
        let template = self.or_report(&setting, check_template(name, trusted))?;
        Some(IssuerName::Template(template))
    }

    /// The tenants, if there are any and all are valid.
    fn tenants(&mut self, fields: &Fields) -> Option<Tenants> {
        let (members, setting) = (fields.tenants.as_ref()?, fields.setting("TENANTS"));
        if members == &["any"] {
            return Some(Tenants::Any);
        }
        if members.iter().any(|member| member == "any") {
            self.problem(&setting, "`any` must be the only member");
            return None;
        }
        for (index, member) in members.iter().enumerate() {
            if !is_tenant(member) {
                let message = format!(
                    "tenant {} of {}: no token can have it; \
                     it must be 1 to 128 characters out of A-Z a-z 0-9 - . _ ~",
                    index + 1,
                    members.len()
                );
                self.problem(&setting, message);
            }
        }
        Some(Tenants::Listed(members.iter().cloned().collect()))
    }

    /// No two issuers can have the same `iss`, because only one of them could decide.
    pub(super) fn names_twice(&mut self, fields: &[Fields], issuers: &[Issuer]) {
        let setting = match fields {
            [fields] => fields.setting("ISSUER"),
            _ => "ISSUERS".to_owned(),
        };
        let mut seen = HashSet::new();
        for name in fields.iter().flat_map(|fields| &fields.issuer) {
            if !seen.insert(name) {
                self.problem(&setting, format!("issuer `{name}` is named twice"));
            }
        }
        let mut templates: Vec<(&IssuerName, &IssuerTemplate)> = Vec::new();
        for (name, _) in issuers.iter().flat_map(|issuer| &issuer.names) {
            let IssuerName::Template(template) = name else { continue };
            for (other, earlier) in &templates {
                if *other != name && earlier.overlaps(template) {
                    let message = format!("issuers `{other}` and `{name}` could be the same `iss`");
                    self.problem(&setting, message);
                }
            }
            templates.push((name, template));
        }
    }
}

/// Whether an exact `iss` can be trusted. Without configured keys it says where they are: by a URL.
fn check_name(name: &str, has_keys: bool) -> Result<(), String> {
    if members_of(name) != [name] {
        return Err(format!("`{name}`: must be one name, without commas and spaces"));
    }
    if has_keys {
        return Ok(());
    }
    match check_url(name) {
        Ok(()) => Ok(()),
        Err(problem) => Err(format!(
            "`{name}`: {problem}. An issuer that is not such a URL needs JWKS_URI or JWKS"
        )),
    }
}

/// Reads a name with a `{claim}`.
fn check_template(name: &str, tenants: Tenants) -> Result<IssuerTemplate, &'static str> {
    let template = IssuerTemplate::parse(name, tenants)?;
    check_url(&template.example())?;
    Ok(template)
}

fn check_url(name: &str) -> Result<(), &'static str> {
    if Endpoint::parse(name)?.has_query() {
        return Err("must not have a query (`?...`)");
    }
    Ok(())
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
