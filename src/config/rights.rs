//! The scopes and the table of routes that tokens are held against.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::access::rights::{self, PolicyScope, Rights};
use crate::access::routes::Routes;
use crate::config::fields::Fields;
use crate::config::issuers::Shared;
use crate::config::reader::{Reader, quoted};
use crate::config::settings;
use crate::config::words::{ExpiryGuard, PathGuard};
use crate::gateway::size::{self, TooLarge};

/// How the policies of tables are made. A word that is wrong is a problem already, and counts as another one: then the
/// problems of the table itself are found too.
#[derive(Clone, Copy)]
pub(super) struct Guards {
    pub(super) path: Option<PathGuard>,
    pub(super) scope: Option<PolicyScope>,
    pub(super) expiry: Option<ExpiryGuard>,
}

impl Reader<'_> {
    /// The rights of issuers that have none of their own.
    pub(super) fn shared_rights(&mut self, guards: Guards) -> Rights {
        let table = self.object(settings::ROUTES);
        let routes = table.and_then(|table| self.routes("ROUTES", &table, guards));
        let required = self.list(settings::REQUIRED_SCOPES);
        self.check_scopes("REQUIRED_SCOPES", &required);
        Rights { required, routes }
    }

    /// The shared rights, unless the issuer has its own. What another issuer calls `admin` need not be ours.
    pub(super) fn rights(&mut self, fields: &Fields, shared: &Shared) -> Rights {
        let mut rights = shared.rights.clone();
        if let Some(required) = &fields.required_scopes {
            self.check_scopes(&fields.setting("REQUIRED_SCOPES"), required);
            rights.required.clone_from(required);
        }
        if let Some(table) = &fields.routes {
            rights.routes = self.routes(&fields.setting("ROUTES"), table, shared.guards);
        }
        rights
    }

    /// Scopes are written into challenges.
    pub(super) fn check_scopes(&mut self, setting: &str, scopes: &[String]) {
        for scope in scopes {
            if !rights::is_scope(scope) {
                let expected =
                    "must be printable ASCII without quote and backslash (RFC 6749 section 3.3)";
                self.problem(setting, format!("{}: {expected}", quoted(setting, scope)));
            }
        }
    }

    /// Reads a table of routes.
    fn routes(
        &mut self,
        setting: &str,
        table: &Map<String, Value>,
        guards: Guards,
    ) -> Option<Arc<Routes>> {
        let scope = guards.scope.unwrap_or(PolicyScope::Stage);
        let (routes, problems) = Routes::read(table, guards.path == Some(PathGuard::On), scope);
        let is_good = problems.is_empty();
        for problem in problems {
            self.problem(setting, problem);
        }
        for warning in routes.warnings() {
            self.warnings.push(format!("{setting}: {warning}"));
        }
        let fits = size::fits(&routes, guards.expiry == Some(ExpiryGuard::On), scope);
        if let Err(TooLarge { document, resource, parts }) = fits {
            let policy = match scope {
                PolicyScope::Stage => "the policy",
                PolicyScope::Request => "the policy for one request",
            };
            let message = format!(
                "{policy} would have {document} bytes and resources of up to {resource} characters; API Gateway \
                 takes {} and {}. It has {parts}. Use fewer or shorter entries, verbs by name (ANY counts seven times), \
                 fewer `path` conditions (each value counts 128)",
                size::MAX_DOCUMENT,
                size::MAX_RESOURCE,
            );
            self.problem(setting, message);
        }
        if is_good { Some(Arc::new(routes)) } else { None }
    }
}
