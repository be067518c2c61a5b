//! `authorizer check`: everything that can be said about the settings before they are deployed.

use clap::Args;
use serde_json::{Map, Value, json};
use token_authorizer::{Config, Environment, FetchError, PolicySize, Probe, Probed, Table};

use crate::outcome::{Misuse, Outcome, plain};
use crate::settings::{Settings, SettingsArguments, named_tables};
use crate::{Format, paths};

/// What Lambda takes: the bytes of all variables of a function, as compact JSON.
const MAX_VARIABLES: usize = 4096;

/// Check the settings: every problem and warning, and the sizes that have limits
///
/// Nothing is fetched without --online.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Also fetch discovery documents, keys and revocation lists, each once
    #[arg(long)]
    online: bool,
    /// The name of a stage of the API: entries of ROUTES must not begin with it; can be given several times
    ///
    /// The names of the stages in --deployment are known.
    #[arg(long = "stage", value_name = "NAME")]
    stages: Vec<String>,
    #[command(flatten)]
    settings: SettingsArguments,
}

const EXAMPLES: &str = "\
Examples:
  authorizer check
  authorizer check --env-file .env --online
  terraform show -json plan.out | authorizer check --deployment -
  aws lambda get-function-configuration --function-name authorizer | authorizer check --deployment -
  authorizer check --deployment template.yaml --parameter Issuer=https://login.example.com --format json";

/// All that was found.
struct Report {
    source: String,
    problems: Vec<String>,
    warnings: Vec<String>,
    /// The bytes of the variables.
    variables: usize,
    tables: Vec<(String, Table)>,
    /// Whether policies have the Deny of `EXPIRY_GUARD`.
    expiry_guard: bool,
    /// What was fetched, if that was asked for.
    probes: Option<Vec<Probe>>,
}

pub(crate) async fn run(arguments: &Arguments, format: Format) -> Result<Outcome, Misuse> {
    let settings = arguments.settings.read()?;
    let environment = settings.environment(&[]);
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let config = match Config::read(&environment) {
        Ok(config) => {
            warnings.extend_from_slice(config.warnings());
            Some(config)
        }
        Err(found) => {
            problems.extend(found.0.iter().map(ToString::to_string));
            None
        }
    };
    let tables = match &config {
        Some(config) => named_tables(config),
        None => readable_tables(&settings, &environment),
    };
    let stages: Vec<_> =
        settings.stages.iter().chain(&arguments.stages).map(String::as_str).collect();
    for (name, table) in &tables {
        warnings.extend(doubts(name, table, &stages));
    }
    let variables = compact_len(&settings.counted());
    if variables > MAX_VARIABLES {
        problems.push(format!(
            "the variables take {variables} bytes as JSON, and Lambda takes {MAX_VARIABLES}: put the largest into a \
             file of the package, for example ROUTES=@routes.json"
        ));
    }
    let probes = match &config {
        Some(config) if arguments.online => Some(config.probe().await),
        _ => None,
    };
    let expiry_guard = is_on("EXPIRY_GUARD", &environment);
    let source = settings.source;
    let report = Report { source, problems, warnings, variables, tables, expiry_guard, probes };
    let text = if format == Format::Json { report.json() } else { report.page() };
    Ok(Outcome { text, notes: String::new(), is_expected: report.is_expected() })
}

/// The tables that can be read although the settings are wrong: perhaps because a table is too large.
fn readable_tables(settings: &Settings, environment: &Environment) -> Vec<(String, Table)> {
    let value = |name: &str| {
        let text = settings.text_or_file(environment, name)?.ok()?;
        serde_json::from_str::<Value>(&text).ok()
    };
    let path_guard = is_on("PATH_GUARD", environment);
    let mut tables = Vec::new();
    let mut add = |name: String, table: &Map<String, Value>| {
        if let Ok(table) = Table::parse(table, path_guard) {
            tables.push((name, table));
        }
    };
    if let Some(Value::Object(table)) = value("ROUTES") {
        add("ROUTES".to_owned(), &table);
    }
    if let Some(Value::Array(issuers)) = value("ISSUERS") {
        for (index, issuer) in issuers.iter().enumerate() {
            if let Value::Object(table) = &issuer["routes"] {
                add(format!("ISSUERS[{index}].routes"), table);
            }
        }
    }
    tables
}

/// Whether a guard is on, as it is unless the settings say otherwise.
fn is_on(name: &str, environment: &Environment) -> bool {
    environment.get(name).is_none_or(|value| value.trim() != "off")
}

/// Entries that are allowed but look like a mistake.
fn doubts(name: &str, table: &Table, stages: &[&str]) -> Vec<String> {
    let paths = || table.entries().filter_map(|entry| Some(entry.route.split_once(' ')?.1));
    let mut doubts = Vec::new();
    for entry in table.entries() {
        let path = entry.route.split_once(' ').map_or("", |(_, path)| path);
        for doubt in paths::doubts(path, stages) {
            doubts.push(format!("{name}: entry `{}`: {doubt}", entry.route));
        }
    }
    if let Some(stage) = paths::common_stage(paths())
        && !stages.contains(&stage)
    {
        doubts.push(format!(
            "{name}: every path begins with `/{stage}`: if that is the stage's name, leave it out, since it is not part \
             of the path"
        ));
    }
    doubts
}

/// The bytes of the variables as Lambda counts them.
fn compact_len(variables: &[(String, String)]) -> usize {
    let object: Map<String, Value> =
        variables.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    Value::from(object).to_string().len()
}

impl Report {
    fn is_expected(&self) -> bool {
        self.problems.is_empty() && self.probes.iter().flatten().all(|probe| probe.result.is_ok())
    }

    fn page(&self) -> String {
        let mut page = format!("Settings: {}\n", plain(&self.source));
        for (title, lines) in [("Problems", &self.problems), ("Warnings", &self.warnings)] {
            page += &format!("{title}: {}\n", lines.len());
            lines.iter().for_each(|line| page += &format!("  {}\n", plain(line)));
        }
        page += &format!("Variables: {} of {MAX_VARIABLES} bytes\n", self.variables);
        for (name, table) in &self.tables {
            let size = table.policy_size(self.expiry_guard);
            let PolicySize { bytes, limit, path_guard, .. } = size;
            page += &format!("Longest policy ({}): {bytes} of {limit} bytes\n", plain(name));
            for (route, bytes, resources) in by_size(&size) {
                let resources = match resources {
                    1 => String::new(),
                    more => format!("  ({more} resources)"),
                };
                page += &format!("  {bytes:>5}  {}{resources}\n", plain(route));
            }
            if path_guard > 0 {
                page += &format!("  {path_guard:>5}  PATH_GUARD\n");
            }
        }
        match &self.probes {
            Some(probes) if probes.is_empty() => page += "Nothing is to be fetched.\n",
            Some(probes) => probes.iter().for_each(|probe| page += &probe_line(probe)),
            None => {}
        }
        page
    }

    fn json(&self) -> String {
        let mut tables = Vec::new();
        for (name, table) in &self.tables {
            let size = table.policy_size(self.expiry_guard);
            let entries: Vec<_> = by_size(&size)
                .into_iter()
                .map(|(route, bytes, resources)| {
                    json!({"entry": route, "bytes": bytes, "resources": resources})
                })
                .collect();
            tables.push(json!({
                "table": name,
                "bytes": size.bytes,
                "limit": size.limit,
                "path_guard": size.path_guard,
                "entries": entries,
            }));
        }
        let probes =
            self.probes.as_ref().map(|probes| probes.iter().map(probe_json).collect::<Vec<_>>());
        let report = json!({
            "as_expected": self.is_expected(),
            "settings": self.source,
            "problems": self.problems,
            "warnings": self.warnings,
            "variables": {"bytes": self.variables, "limit": MAX_VARIABLES},
            "policies": tables,
            "fetched": probes,
        });
        format!("{report:#}\n")
    }
}

/// The entries, the largest first.
fn by_size<'t>(size: &PolicySize<'t>) -> Vec<(&'t str, usize, usize)> {
    let mut entries = size.entries.clone();
    entries.sort_by(|(one, bytes, _), (other, more, _)| more.cmp(bytes).then(one.cmp(other)));
    entries
}

fn kind(document: Probed) -> &'static str {
    match document {
        Probed::Discovery => "discovery",
        Probed::Keys => "keys",
        Probed::Revocations => "revocations",
    }
}

fn probe_line(probe: &Probe) -> String {
    let kind = kind(probe.document);
    let result = match (&probe.result, probe.document) {
        (Ok(_), Probed::Discovery) => "ok".to_owned(),
        (Ok(count), Probed::Keys) => format!("{count} usable"),
        (Ok(count), Probed::Revocations) => format!("{count} entries"),
        (Err(failure), _) => format!("FAILED: {failure}"),
    };
    let milliseconds = probe.elapsed.as_millis();
    format!("Fetched {kind}: {} ({milliseconds} ms): {}\n", plain(&probe.address), plain(&result))
}

fn probe_json(probe: &Probe) -> Value {
    let failure = probe.result.as_ref().err();
    json!({
        "document": kind(probe.document),
        "address": probe.address,
        "milliseconds": u64::try_from(probe.elapsed.as_millis()).unwrap_or(u64::MAX),
        "usable": probe.result.as_ref().ok().filter(|_| probe.document != Probed::Discovery),
        "stage": failure.map(FetchError::stage),
        "detail": failure.map(|failure| &failure.detail),
    })
}
