//! `authorizer keys`: what a key set holds, and what of it can be used here.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use token_authorizer::{Config, Environment, KeyReport, Probed, SETTINGS, list_members};

use crate::outcome::{Misuse, Outcome, plain};
use crate::settings::{Settings, SettingsArguments};
use crate::{Format, document};

/// List the keys of a key set: which can be used, and why not the others
///
/// A key can be used if it fits one of ALGORITHMS in the settings.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file, `-` for standard input, or a URL; without it, the keys of the settings
    source: Option<String>,
    /// Fetch the key set, or those of all issuers in the settings
    #[arg(long)]
    online: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

const EXAMPLES: &str = "\
Examples:
  authorizer keys jwks.json
  authorizer keys jwks.json --set ALGORITHMS='ES256 EdDSA'
  authorizer keys --online https://login.example.com/keys
  authorizer keys --online --env-file .env";

/// A key set, and what it is read for.
struct KeySet {
    name: String,
    /// The document, or why there is none.
    document: Result<Vec<u8>, String>,
    algorithms: Vec<String>,
    /// Whether everybody can read it.
    is_published: bool,
}

pub(crate) async fn run(arguments: &Arguments, format: Format) -> Result<Outcome, Misuse> {
    let settings = arguments.settings.read()?;
    let environment = settings.environment(&[]);
    let sets = match arguments.source.as_deref() {
        Some(url) if url.contains("://") => {
            if !arguments.online {
                return Err("a URL is fetched with --online only".into());
            }
            let changes = [
                ("ISSUER", "https://issuer.example.com"),
                ("AUDIENCE", "audience"),
                ("JWKS_URI", url),
                ("JWKS", ""),
                ("ISSUERS", ""),
                ("TENANTS", ""),
                ("REVOKED", ""),
            ];
            let config = Config::read(&settings.environment(&changes));
            fetched(&config.map_err(|problems| Misuse(problems.to_string()))?).await
        }
        Some(path) => vec![KeySet {
            name: path.to_owned(),
            document: Ok(document::read(Path::new(path))?.into_bytes()),
            algorithms: algorithms(environment.get("ALGORITHMS")),
            is_published: false,
        }],
        None => {
            let mut sets = configured(&settings, &environment);
            if arguments.online {
                sets.extend(fetched(&settings.config()?).await);
            }
            sets
        }
    };
    if sets.is_empty() {
        return Err("the settings hold no keys: --online fetches those of the issuers".into());
    }
    let (mut text, mut results, mut is_expected) = (String::new(), Vec::new(), true);
    for set in &sets {
        let report = match &set.document {
            Ok(document) => KeyReport::read(document, &set.algorithms, set.is_published),
            Err(problem) => Err(problem.clone()),
        };
        is_expected &= report.as_ref().is_ok_and(|report| is_good(set, report));
        text += &page(set, &report);
        results.push(as_json(set, &report));
    }
    if format == Format::Json {
        text = format!("{:#}\n", json!({ "key_sets": results }));
    }
    Ok(Outcome { text, notes: String::new(), is_expected })
}

/// Whether it has a key that can be used, and none that everybody can sign with.
fn is_good(set: &KeySet, report: &KeyReport) -> bool {
    let gives_away = report.usable.iter().any(|key| set.is_published && key.has_private_half);
    !report.usable.is_empty() && !gives_away
}

/// The key sets that the settings hold.
fn configured(settings: &Settings, environment: &Environment) -> Vec<KeySet> {
    let set = |name: String, document: Result<Vec<u8>, String>, algorithms: Vec<String>| KeySet {
        name,
        document,
        algorithms,
        is_published: false,
    };
    let mut sets = Vec::new();
    if let Some(text) = settings.text_or_file(environment, "JWKS") {
        let document = text.map(String::into_bytes);
        sets.push(set("JWKS".to_owned(), document, algorithms(environment.get("ALGORITHMS"))));
    }
    let issuers = settings.text_or_file(environment, "ISSUERS").and_then(Result::ok);
    let issuers: Option<Value> = issuers.and_then(|text| serde_json::from_str(&text).ok());
    for (index, issuer) in issuers.iter().flat_map(|all| all.as_array()).flatten().enumerate() {
        if issuer["jwks"].is_object() {
            let names = match &issuer["algorithms"] {
                Value::Array(names) => {
                    names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                }
                other => algorithms(other.as_str()),
            };
            let document = Ok(issuer["jwks"].to_string().into_bytes());
            sets.push(set(format!("ISSUERS[{index}].jwks"), document, names));
        }
    }
    sets
}

/// The key sets of all issuers, as they are published now.
async fn fetched(config: &Config) -> Vec<KeySet> {
    let mut sets = Vec::new();
    for probe in config.probe().await {
        let failed = probe.result.is_err();
        if probe.document != Probed::Keys && !(probe.document == Probed::Discovery && failed) {
            continue;
        }
        let document = match (probe.body, probe.result) {
            (Some(body), _) if probe.document == Probed::Keys => Ok(body),
            (_, Err(failure)) => Err(failure.to_string()),
            (_, Ok(_)) => continue,
        };
        let algorithms = probe.algorithms.iter().map(|name| (*name).to_owned()).collect();
        sets.push(KeySet { name: probe.address, document, algorithms, is_published: true });
    }
    sets
}

/// The members of `ALGORITHMS`, or its default.
fn algorithms(setting: Option<&str>) -> Vec<String> {
    let default = SETTINGS.iter().find(|setting| setting.name == "ALGORITHMS");
    let default = default.map_or("", |setting| setting.default);
    list_members(setting.filter(|text| !text.trim().is_empty()).unwrap_or(default))
}

fn page(set: &KeySet, report: &Result<KeyReport, String>) -> String {
    let name = plain(&set.name);
    let report = match report {
        Ok(report) => report,
        Err(problem) => return format!("{name}: {}\n", plain(problem)),
    };
    let KeyReport { usable, skipped } = report;
    let count = usable.len() + skipped.len();
    let names = set.algorithms.join(" ");
    let mut page =
        format!("{name}: {count} keys, {} usable with {}\n", usable.len(), plain(&names));
    for key in usable {
        page +=
            &format!("  usable   {}: {}\n", plain(&key.key.to_string()), key.algorithms.join(" "));
        if key.has_private_half && set.is_published {
            page +=
                "           warning: its private half is in the document, so anybody can sign\n";
        }
    }
    for key in skipped {
        page += &format!("  skipped  {}\n", plain(&key.to_string()));
    }
    page
}

fn as_json(set: &KeySet, report: &Result<KeyReport, String>) -> Value {
    let usable = report.iter().flat_map(|report| &report.usable).map(|key| {
        json!({
            "index": key.key.index,
            "kid": key.key.id,
            "algorithms": key.algorithms,
            "has_private_half": key.has_private_half,
        })
    });
    let skipped = report.iter().flat_map(|report| &report.skipped).map(|skipped| {
        json!({
            "index": skipped.key.index,
            "kid": skipped.key.id,
            "because": skipped.reason.to_string(),
        })
    });
    json!({
        "key_set": set.name,
        "algorithms": set.algorithms,
        "problem": report.as_ref().err(),
        "usable": usable.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
    })
}
