//! A table of routes without a token: which entries a request meets, and what they ask of everybody.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::access::rights::PolicyScope;
use crate::access::routes::rule::{Predicates, Rule};
use crate::access::routes::{Entry, Routes, guard};

/// A table of routes.
#[derive(Clone, Debug)]
pub struct Table(Arc<Routes>);

/// An entry of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntry<'t> {
    /// The entry's name: `GET /users/{id}`.
    pub route: &'t str,
    /// Whether it is open to every good token.
    pub is_for_everyone: bool,
    /// Whether it is closed to every token.
    pub is_for_nobody: bool,
}

impl Table {
    /// Reads a table: a JSON object `"VERB /path"` -> rule.
    ///
    /// # Errors
    ///
    /// Every problem, each naming its entry.
    pub fn parse(table: &Map<String, Value>, path_guard: bool) -> Result<Self, Vec<String>> {
        // Of any size: whether it fits into one policy is another question.
        let (routes, problems) = Routes::read(table, path_guard, PolicyScope::Request);
        if problems.is_empty() { Ok(Self(Arc::new(routes))) } else { Err(problems) }
    }

    pub(crate) fn of(routes: &Arc<Routes>) -> Self {
        Self(Arc::clone(routes))
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.0
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = TableEntry<'_>> {
        self.0.entries.iter().map(|entry| self.entry(entry))
    }

    /// The entries that match a request, given as it is in an ARN after the stage: `GET/pets/1`. It passes if one of
    /// them opens it and none is closed.
    #[must_use]
    pub fn matching(&self, request: &str) -> Vec<TableEntry<'_>> {
        let mut matching = Vec::new();
        for entry in &self.0.entries {
            if entry.matches(request) {
                matching.push(self.entry(entry));
            }
        }
        matching
    }

    /// Whether `PATH_GUARD` refuses this request, whatever the entries say.
    #[must_use]
    pub fn guard_refuses(&self, request: &str) -> bool {
        self.0.guard && guard::refuses(request)
    }

    fn entry<'t>(&self, entry: &'t Entry) -> TableEntry<'t> {
        TableEntry {
            route: &entry.route,
            is_for_everyone: entry.rule.is_for_everyone(&self.0.predicates),
            is_for_nobody: entry.rule.is_for_nobody(&self.0.predicates),
        }
    }
}

impl Rule {
    /// Whether no good token satisfies the rule: each alternative forbids a claim that every good token has.
    fn is_for_nobody(&self, predicates: &Predicates) -> bool {
        let owner_scoped = self.owner_scoped.iter().map(|alternative| &alternative.all_of);
        self.open.iter().chain(owner_scoped).all(|all_of| {
            all_of.requirements(predicates).iter().any(|requirement| {
                requirement.forbids_claim() && ["iss", "exp"].contains(&requirement.claim.text())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(entries: &Value) -> Table {
        Table::parse(entries.as_object().unwrap(), true).unwrap()
    }

    #[test]
    fn a_request_meets_the_entries_that_match_it() {
        let table = table(&json!({
            "ANY /pets/{id}": ["a"],
            "GET /pets/{id}/owner": [],
            "POST /pets": [],
            "$connect": [],
        }));
        let routes = |request: &str| {
            table.matching(request).iter().map(|entry| entry.route).collect::<Vec<_>>()
        };
        assert_eq!(routes("GET/pets/1/owner"), ["ANY /pets/{id}", "GET /pets/{id}/owner"]);
        assert_eq!(routes("POST/pets"), ["POST /pets"]);
        assert_eq!(routes("$connect"), ["$connect"]);
        assert!(routes("GET/").is_empty());
        assert!(table.guard_refuses("GET/pets//1") && !table.guard_refuses("GET/pets/1"));
        assert_eq!(table.entries().count(), 4);
    }

    #[test]
    fn an_entry_for_everyone_or_nobody_is_recognized() {
        let never = json!({"claims": {"iss": {"present": false}}});
        for (rule, everyone, nobody) in [
            (json!([]), true, false),
            (json!(["a"]), false, false),
            (
                json!({"any": [{"claims": {"x": {"present": true}}}, {"claims": {"x": {"present": false}}}]}),
                true,
                false,
            ),
            (never.clone(), false, true),
            (json!({"claims": {"/exp": {"present": false}}}), false, false),
            (json!({"claims": {"sub": {"present": false}}}), false, false),
            (json!(["a", never]), false, true),
            (json!({"any": ["a", never]}), false, false),
            (json!({"path": {"id": "sub"}}), false, false),
            (json!([{"path": {"id": "sub"}}, never]), false, true),
        ] {
            let table = table(&json!({"GET /{id}": rule}));
            let entry = table.entries().next().unwrap();
            assert_eq!((entry.is_for_everyone, entry.is_for_nobody), (everyone, nobody), "{rule}");
        }
    }
}
