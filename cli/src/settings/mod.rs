//! Where the settings come from: the environment, an env file, or what is deployed.

mod deployment;
mod template;
mod terraform;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use token_authorizer::{Config, Environment, Table};

use crate::document;
use crate::outcome::Misuse;

/// The options that say where the settings come from.
#[derive(Args)]
#[command(next_help_heading = "Settings (from the environment, unless one of these is given)")]
pub(crate) struct SettingsArguments {
    /// A file of NAME=value lines
    #[arg(long, value_name = "FILE", conflicts_with = "deployment")]
    env_file: Option<PathBuf>,
    /// What is deployed, as JSON; `-` for standard input
    ///
    /// The output of `terraform show -json` (a plan or a state), of `aws lambda get-function-configuration`, or a
    /// CloudFormation template as `cdk synth` and SAM write it.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// The function in --deployment, where several have an ISSUER or ISSUERS: its address, logical id or name
    #[arg(long, value_name = "NAME", requires = "deployment")]
    function: Option<String>,
    /// A parameter of the template in --deployment; can be given several times
    #[arg(long = "parameter", value_name = "NAME=VALUE", requires = "deployment")]
    parameters: Vec<String>,
    /// Changes or adds a setting; can be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The folder that `@file` settings are in: what is in the root of the deployment package
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The folder whose content a layer has in /opt, for settings such as `@/opt/routes.json`
    #[arg(long, value_name = "DIR")]
    layer: Option<PathBuf>,
}

/// The variables of a function.
pub(crate) struct Settings {
    variables: Vec<(OsString, OsString)>,
    /// The variables that are the function's own; nothing if they come from the environment of this process.
    own: Option<Vec<(String, String)>>,
    /// Where they come from, for people.
    pub(crate) source: String,
    root: Option<PathBuf>,
    layer: Option<PathBuf>,
    /// The names of the API's stages, as far as they are known.
    pub(crate) stages: Vec<String>,
}

impl SettingsArguments {
    pub(crate) fn read(&self) -> Result<Settings, Misuse> {
        let changes = pairs("--set", &self.set)?;
        let (mut own, source, stages) = match (&self.env_file, &self.deployment) {
            (Some(path), _) => (env_file(path)?, path.display().to_string(), Vec::new()),
            (None, Some(path)) => {
                let parameters = pairs("--parameter", &self.parameters)?;
                let found =
                    deployment::read(path, self.function.as_deref(), &parameters, &changes)?;
                let source = format!("{} in {}", found.function, path.display());
                (found.variables, source, found.stages)
            }
            (None, None) => return Ok(self.of_process(&changes)),
        };
        own.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        own.extend(changes);
        let variables = own.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let (root, layer) = (self.root.clone(), self.layer.clone());
        Ok(Settings { variables, own: Some(own), source, root, layer, stages })
    }

    #[allow(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    fn of_process(&self, changes: &[(String, String)]) -> Settings {
        let changes = changes.iter().map(|(name, value)| (name.into(), value.into()));
        Settings {
            variables: std::env::vars_os().chain(changes).collect(),
            own: None,
            source: "the environment".to_owned(),
            root: self.root.clone(),
            layer: self.layer.clone(),
            stages: Vec::new(),
        }
    }

    /// The tables of routes in the settings, each with its name.
    pub(crate) fn tables(&self) -> Result<Vec<(String, Table)>, Misuse> {
        let tables = named_tables(&self.read()?.config()?);
        if tables.is_empty() {
            return Err("the settings have no ROUTES: every route is open to every token".into());
        }
        Ok(tables)
    }
}

/// The tables of a configuration, each with its name.
pub(crate) fn named_tables(config: &Config) -> Vec<(String, Table)> {
    let mut tables = Vec::new();
    for (issuers, table) in config.tables() {
        tables.push((format!("ROUTES for {}", issuers.join(" ")), table));
    }
    tables
}

impl Settings {
    /// What the function would see, with these variables changed.
    pub(crate) fn environment(&self, changes: &[(&str, &str)]) -> Environment {
        let root = self.root.iter().map(|root| ("LAMBDA_TASK_ROOT".into(), root.into()));
        let changes = changes.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let variables =
            self.variables.iter().map(|(name, value)| (name.clone(), self.outside_lambda(value)));
        variables.chain(root).chain(changes).collect::<Environment>()
    }

    /// A value in which a file of a layer is where `--layer` says.
    fn outside_lambda(&self, value: &OsString) -> OsString {
        let Some(layer) = self.layer.as_ref().and_then(|layer| std::path::absolute(layer).ok())
        else {
            return value.clone();
        };
        match value.to_str().and_then(|value| value.trim().strip_prefix("@/opt/")) {
            Some(file) => format!("@{}", layer.join(file).display()).into(),
            None => value.clone(),
        }
    }

    pub(crate) fn config(&self) -> Result<Config, Misuse> {
        Config::read(&self.environment(&[])).map_err(|problems| Misuse(problems.to_string()))
    }

    /// Where an `@file` setting leads.
    fn package_file(&self, name: &str) -> PathBuf {
        let environment = self.environment(&[]);
        let root = environment.get("LAMBDA_TASK_ROOT").unwrap_or_default();
        PathBuf::from(root).join(name)
    }

    /// The text of a setting, or of the file that it names.
    pub(crate) fn text_or_file(
        &self,
        environment: &Environment,
        name: &str,
    ) -> Option<Result<String, String>> {
        let text = environment.get(name)?.trim();
        match text.strip_prefix('@') {
            Some(file) => Some(document::read(&self.package_file(file))),
            None if text.is_empty() => None,
            None => Some(Ok(text.to_owned())),
        }
    }

    /// The variables that count for Lambda's limit. In the environment of this process, those are the settings.
    pub(crate) fn counted(&self) -> Vec<(String, String)> {
        if let Some(own) = &self.own {
            return own.clone();
        }
        let environment = self.environment(&[]);
        let names = token_authorizer::SETTINGS.iter().map(|setting| setting.name);
        let set =
            names.filter_map(|name| Some((name.to_owned(), environment.get(name)?.to_owned())));
        // Lambda sets these itself.
        set.filter(|(name, _)| !name.starts_with("AWS_")).collect()
    }
}

/// `NAME=VALUE`.
fn pairs(option: &str, texts: &[String]) -> Result<Vec<(String, String)>, Misuse> {
    let mut pairs = Vec::new();
    for text in texts {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                pairs.push((name.to_owned(), value.to_owned()));
            }
            // Not quoted: it may be a secret.
            _ => return Err(format!("{option} must be NAME=VALUE").into()),
        }
    }
    Ok(pairs)
}

fn env_file(path: &Path) -> Result<Vec<(String, String)>, Misuse> {
    let at = |error: dotenvy::Error| Misuse(format!("{}: {}", path.display(), reason(&error)));
    let mut variables = Vec::new();
    for variable in dotenvy::from_path_iter(path).map_err(at)? {
        variables.push(variable.map_err(at)?);
    }
    Ok(variables)
}

/// What is wrong with an env file, without the line: it may have a secret.
fn reason(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::Io(error) => error.to_string(),
        _ => "a line is not NAME=value; put values in single quotes".to_owned(),
    }
}
