//! The names of the issuers, and the tenants of one whose name has a `{claim}`.

use std::collections::HashSet;

use serde_json::Value;

use crate::config::issuers::Fields;
use crate::config::reader::{Reader, members_of};
use crate::config::settings;
use crate::issuer::{IssuerName, IssuerTemplate, Tenants, is_tenant};
use crate::remote::endpoint::Endpoint;

/// The problem if `TENANTS` is missing.
const WANT_TENANTS: &str = "a name with a `{claim}` needs TENANTS: the tenants to trust, or `any`";

impl Reader<'_> {
    /// The members of `TENANTS`: a list, or `@` and the file that holds it.
    pub(super) fn tenant_list(&mut self) -> Option<Vec<String>> {
        let text = self.value(&settings::TENANTS)?;
        self.tenants_of("TENANTS", text)
    }

    /// The same of an object in `ISSUERS`, where a list is an array.
    pub(super) fn tenants_member(&mut self, place: &str, value: Value) -> Option<Vec<String>> {
        match value {
            Value::String(text) if text.trim().starts_with('@') => {
                self.tenants_of(place, text.trim().to_owned())
            }
            value => Some(self.strings(place, value)),
        }
    }

    fn tenants_of(&mut self, place: &str, text: String) -> Option<Vec<String>> {
        let list = self.text_or_file(place, text)?;
        Some(self.members(place, &list))
    }

    /// The names under which the issuer is trusted, as far as they are right.
    pub(super) fn issuer_names(&mut self, fields: &Fields) -> Vec<IssuerName> {
        let place = fields.place("ISSUER");
        if fields.issuer.is_empty() && !self.reported(&place) {
            self.problem(&place, "is required: the exact `iss` of the tokens to trust");
        }
        let has_keys = self.has_keys(fields);
        let (templates, exact): (Vec<_>, Vec<_>) =
            fields.issuer.iter().partition(|name| name.contains(['{', '}']));
        let mut names = Vec::new();
        for name in exact {
            match check_name(name, has_keys) {
                Ok(()) => names.push(IssuerName::Exact(name.clone())),
                Err(problem) => self.problem(&place, problem),
            }
        }
        let tenants = self.tenants(fields);
        match &templates[..] {
            [] if fields.tenants.is_some() && !self.reported(&fields.place("TENANTS")) => {
                let message = "is for a name in ISSUER with a `{claim}`, as \
                    https://login.microsoftonline.com/{tid}/v2.0";
                self.problem(&fields.place("TENANTS"), message);
            }
            [] => {}
            [name] => names.extend(self.template(fields, name, tenants)),
            _ => self.problem(&place, "only one name can have a `{claim}`"),
        }
        names
    }

    /// Whether the settings say where the keys are, valid or not.
    fn has_keys(&self, fields: &Fields) -> bool {
        let reported = |name| self.reported(&fields.place(name));
        fields.has_keys() || reported("JWKS_URI") || reported("JWKS")
    }

    fn template(
        &mut self,
        fields: &Fields,
        name: &str,
        tenants: Option<Tenants>,
    ) -> Option<IssuerName> {
        let place = fields.place("ISSUER");
        let template = IssuerTemplate::parse(name, tenants.clone().unwrap_or(Tenants::Any));
        let template = template.and_then(|template| {
            check_url(&template.example())?;
            Ok(template)
        });
        if fields.tenants.is_none() && !self.reported(&fields.place("TENANTS")) {
            self.problem(&place, WANT_TENANTS);
        }
        if !self.has_keys(fields) {
            let message =
                "is required with a `{claim}` in ISSUER, or else JWKS: the keys of all tenants";
            self.problem(&fields.place("JWKS_URI"), message);
        }
        match template {
            Ok(template) => tenants.map(|_| IssuerName::Template(template)),
            Err(problem) => {
                self.problem(&place, problem);
                None
            }
        }
    }

    /// The tenants, if they are given and right.
    fn tenants(&mut self, fields: &Fields) -> Option<Tenants> {
        let (members, place) = (fields.tenants.as_ref()?, fields.place("TENANTS"));
        if let [any] = &members[..]
            && any == "any"
        {
            return Some(Tenants::Any);
        }
        if members.iter().any(|member| member == "any") {
            self.problem(&place, "`any` must be the only member");
            return None;
        }
        let bad = members.iter().enumerate().filter(|(_, member)| !is_tenant(member));
        for (index, _) in bad {
            let message = format!(
                "tenant {} of {}: no token could have it; want 1 to 128 characters out of A-Z a-z 0-9 - . _ ~",
                index + 1,
                members.len()
            );
            self.problem(&place, message);
        }
        Some(Tenants::Listed(members.iter().cloned().collect()))
    }

    /// No two issuers may have the same `iss`, since only one could decide about it.
    pub(super) fn names_twice<'n>(&mut self, fields: &'n [Fields], names: &[&'n IssuerName]) {
        let place = match fields {
            [fields] => fields.place("ISSUER"),
            _ => "ISSUERS".to_owned(),
        };
        let mut seen = HashSet::new();
        for name in fields.iter().flat_map(|fields| &fields.issuer) {
            if !seen.insert(name) {
                self.problem(&place, format!("issuer `{name}` is named twice"));
            }
        }
        let templates = names.iter().filter_map(|name| match name {
            IssuerName::Template(template) => Some((name, template)),
            IssuerName::Exact(_) => None,
        });
        let templates: Vec<_> = templates.collect();
        for (index, (name, template)) in templates.iter().enumerate() {
            for (other, _) in templates[..index]
                .iter()
                .filter(|(other, earlier)| other != name && earlier.overlaps(template))
            {
                let message = format!("issuers `{other}` and `{name}` could be the same `iss`");
                self.problem(&place, message);
            }
        }
    }
}

/// Whether an exact `iss` can be trusted. Without configured keys it says where they are: by a URL.
fn check_name(name: &str, has_keys: bool) -> Result<(), String> {
    if members_of(name) != [name] {
        return Err(format!("`{name}`: want one name, without commas and spaces"));
    }
    if has_keys {
        return Ok(());
    }
    check_url(name).map_err(|problem| {
        format!("`{name}`: {problem}. An issuer that is not such a URL needs JWKS_URI or JWKS")
    })
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
