//! An API compared with a table: what no entry opens, what every token opens, what no operation needs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use token_authorizer::{Table, TableEntry};

use crate::Format;
use crate::outcome::{Misuse, Outcome, plain};
use crate::routes::generate::{requests, sample, written_out};
use crate::routes::openapi::{OpenApi, Operation};
use crate::routes::{Arguments, table_file};

/// How an API and a table differ. Operations are named as in the document.
#[derive(Default)]
struct Comparison {
    unopened: Vec<Unopened>,
    open_to_all: Vec<OpenToAll>,
    /// Entries that match no operation.
    unmatched: Vec<String>,
}

/// An operation that no token opens.
struct Unopened {
    operation: String,
    because: String,
    /// It needs no token, and so no entry.
    is_public: bool,
}

/// An operation that every good token opens.
struct OpenToAll {
    operation: String,
    /// Its security asks for a scope.
    asks_for_scope: bool,
}

pub(super) fn run(arguments: &Arguments, api: &OpenApi, format: Format) -> Result<Outcome, Misuse> {
    let tables = match &arguments.table {
        Some(path) => {
            let table = Table::parse(&table_file(path)?, true)
                .map_err(|problems| format!("{}: {}", path.display(), problems.join("\n  ")))?;
            vec![("ROUTES".to_owned(), table)]
        }
        None => arguments.settings.tables()?,
    };
    let (mut text, mut results, mut is_expected) = (String::new(), Vec::new(), true);
    for (setting, table) in &tables {
        let comparison = compare(api, table);
        is_expected &= comparison.is_expected();
        if format == Format::Text {
            text += &comparison.page(setting);
        }
        results.push(comparison.json(setting));
    }
    if format == Format::Json {
        text = format!("{:#}\n", json!({ "tables": results }));
    }
    let notes = api.problems.iter().chain(&api.notes);
    let notes = notes.map(|note| format!("note: {}\n", plain(note))).collect();
    Ok(Outcome { text, notes, is_expected })
}

fn compare(api: &OpenApi, table: &Table) -> Comparison {
    let mut comparison = Comparison::default();
    let mut matched = BTreeSet::new();
    for operation in written_out(api) {
        let operation_name = operation.name();
        let mut unopened = None;
        let mut is_open_to_all = true;
        for request in requests(&sample(&operation_name)) {
            let entries = table.matching(&request);
            matched.extend(entries.iter().map(|entry| entry.route));
            is_open_to_all &= entries.iter().all(|entry| entry.is_for_everyone);
            unopened = unopened.or_else(|| refused_to_all(table, &request, &entries));
        }
        let operation_is_public = operation.is_public();
        if let Some(because) = unopened {
            comparison.unopened.push(Unopened {
                operation: operation_name,
                because,
                is_public: operation_is_public,
            });
        } else if is_open_to_all {
            comparison.open_to_all.push(OpenToAll {
                operation: operation_name,
                asks_for_scope: asks_for_scope(&operation),
            });
        }
    }
    for entry in table.entries() {
        // A connection is no operation of an OpenAPI document.
        if matched.contains(entry.route) || entry.route == "$connect" {
            continue;
        }
        // `GET /users/me` is for some requests of the operation `GET /users/{id}`.
        let is_part = |request: &String| api.operations.iter().any(|one| serves(one, request));
        if !requests(&sample(entry.route)).iter().any(is_part) {
            comparison.unmatched.push(entry.route.to_owned());
        }
    }
    comparison
}

/// Whether API Gateway would hand this request to the operation: a variable is one segment, a greedy one the rest.
fn serves(operation: &Operation, request: &str) -> bool {
    let Some((verb, path)) = request.split_once('/') else { return false };
    if operation.verb != "ANY" && operation.verb != verb {
        return false;
    }
    let mut segments = path.split('/');
    for expected in operation.path.trim_start_matches('/').split('/') {
        let Some(segment) = segments.next() else { return false };
        let (before, after) = match (expected.split_once('{'), expected.rsplit_once('}')) {
            _ if expected.ends_with("+}") => return true,
            (Some((before, _)), Some((_, after))) => (before, after),
            _ if expected == segment => continue,
            _ => return false,
        };
        if !segment.starts_with(before) || !segment.ends_with(after) {
            return false;
        }
    }
    segments.next().is_none()
}

/// Why no token passes with this request.
fn refused_to_all(table: &Table, request: &str, entries: &[TableEntry<'_>]) -> Option<String> {
    if table.guard_refuses(request) {
        return Some("PATH_GUARD refuses its path".to_owned());
    }
    if entries.is_empty() {
        return Some("no entry matches it".to_owned());
    }
    let closed = entries.iter().find(|entry| entry.is_for_nobody)?;
    Some(format!("entry `{}` is closed to every token", closed.route))
}

/// Whether every alternative has a scope, of whichever scheme.
fn asks_for_scope(operation: &Operation) -> bool {
    !operation.is_public()
        && operation
            .security
            .iter()
            .all(|requirement| requirement.iter().any(|(_, scopes)| !scopes.is_empty()))
}

impl Comparison {
    /// Whether the table does what the document says, as far as this can tell.
    fn is_expected(&self) -> bool {
        self.unopened.iter().all(|unopened| unopened.is_public)
            && !self.open_to_all.iter().any(|open| open.asks_for_scope)
            && self.unmatched.is_empty()
    }

    fn page(&self, setting: &str) -> String {
        let unopened = self.unopened.iter().map(|Unopened { operation, because, is_public }| {
            let public = if *is_public { "; the document asks for no token" } else { "" };
            format!("{operation}  ({because}{public})")
        });
        let open = self.open_to_all.iter().map(|OpenToAll { operation, asks_for_scope }| {
            let but = if *asks_for_scope { "  (the document asks for a scope)" } else { "" };
            format!("{operation}{but}")
        });
        let mut page = String::new();
        for (title, lines) in [
            ("Operations that no token opens", unopened.collect::<Vec<_>>()),
            ("Operations open to every token", open.collect()),
            ("Entries that match no operation", self.unmatched.clone()),
        ] {
            page += &format!("{title} ({setting}): {}\n", lines.len());
            lines.iter().for_each(|line| page += &format!("  {}\n", plain(line)));
        }
        page
    }

    fn json(&self, setting: &str) -> Value {
        let unopened: Vec<_> = self.unopened.iter().map(|one| {
            json!({"operation": one.operation, "because": one.because, "public": one.is_public})
        }).collect();
        let open: Vec<_> = self
            .open_to_all
            .iter()
            .map(|one| json!({"operation": one.operation, "asks_for_scope": one.asks_for_scope}))
            .collect();
        json!({
            "setting": setting,
            "as_expected": self.is_expected(),
            "opened_by_no_token": unopened,
            "open_to_every_token": open,
            "entries_without_operation": self.unmatched,
        })
    }
}
