//! The documentation says what the code does: settings, defaults and reasons, by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use token_authorizer::{Environment, Obstacle, Reason, SETTINGS};

/// The rows of the tables in this document whose first cell is a code: the code, and the other cells.
fn rows(document: &str) -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(document).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.filter_map(|row| {
        let (code, rest) = row.split_once("` | ")?;
        Some((code.to_owned(), rest.split(" | ").map(str::to_owned).collect()))
    })
    .collect()
}

#[test]
fn every_setting_is_documented_once_with_its_default() {
    let rows = rows("docs/settings.md");
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join("\n")
    };
    let documented = sorted(rows.iter().map(|(name, _)| &**name).collect());
    assert_eq!(documented, sorted(SETTINGS.iter().map(|setting| setting.name).collect()));
    assert_defaults(&rows);
}

fn assert_defaults(rows: &[(String, Vec<String>)]) {
    for (name, cells) in rows {
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .unwrap_or_else(|| panic!("{name}"));
        let default = cells.last().unwrap().trim_end_matches('|').trim();
        if setting.default.is_empty() || setting.default == "{}" && !default.contains('`') {
            assert!(!default.starts_with('`'), "{name}: {default}");
        } else {
            assert_eq!(default, format!("`{}`", setting.default), "{name}");
        }
    }
}

#[test]
fn the_sample_has_every_setting_with_its_default() {
    let sample = fs::read_to_string(".env.sample").unwrap();
    let assignments: Vec<(String, String)> = sample
        .lines()
        .filter_map(|line| {
            line.strip_prefix("# ").or(Some(line))?.strip_suffix('\'')?.split_once("='")
        })
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for setting in SETTINGS {
        let found: Vec<_> = assignments.iter().filter(|(name, _)| name == setting.name).collect();
        let [(_, value)] = &found[..] else { panic!("{}: {found:?}", setting.name) };
        if !matches!(setting.name, "ISSUER" | "AUDIENCE") {
            assert_eq!(value, setting.default, "{}", setting.name);
        }
    }
    assert_eq!(assignments.len(), SETTINGS.len(), "{assignments:?}");
}

#[test]
fn the_sample_is_a_good_configuration_with_and_without_its_defaults() {
    let sample = fs::read_to_string(".env.sample").unwrap();
    for commented in [false, true] {
        let lines =
            sample.lines().map(|line| if commented { line.trim_start_matches("# ") } else { line });
        let lines = lines.filter(|line| !line.starts_with('#'));
        let variables = lines.filter_map(|line| line.strip_suffix('\'')?.split_once("='"));
        let environment: Environment = variables.collect();
        assert!(environment.get("ISSUER").is_some());
        token_authorizer::Config::read(&environment).unwrap();
    }
}

#[test]
fn every_link_leads_somewhere() {
    let in_folder = |folder: &str| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_document = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let folders = [
        ".",
        "docs",
        "docs/measurements",
        "deploy/cdk",
        "deploy/cdk/jsii",
        "deploy/terraform",
        "deploy/terraform/modules/attachment",
    ];
    for document in folders.into_iter().flat_map(in_folder).filter(is_document) {
        let text = fs::read_to_string(&document).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(file)
            };
            assert!(file.exists(), "{}: {target}", document.display());
            assert!(
                heading.is_empty() || has_heading(&file, heading),
                "{}: {target}",
                document.display()
            );
        }
    }
}

/// Whether a heading has this anchor: its words in lower case, without punctuation, with hyphens between.
fn has_heading(document: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(document).unwrap();
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| self::anchor(heading.trim_start_matches('#').trim()) == anchor)
}

fn anchor(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")
}

#[test]
fn the_page_of_providers_begins_with_a_link_to_each() {
    let page = fs::read_to_string("docs/providers.md").unwrap();
    let (head, sections) = page.split_once("\n## ").unwrap();
    let headings = sections.split("\n## ").map(|section| section.lines().next().unwrap());
    let links: Vec<_> =
        headings.map(|heading| format!("- [{heading}](#{})", anchor(heading))).collect();
    let listed: Vec<_> = head.lines().filter(|line| line.starts_with("- [")).collect();
    assert_eq!(listed, links);
}

#[test]
fn the_settings_of_the_sam_example_are_good() {
    let page = fs::read_to_string("docs/tasks.md").unwrap();
    let section =
        page.split("\n## ").find(|section| section.starts_with("Where do settings go?")).unwrap();
    // The settings as SAM has them; YAML's quotes and its block are taken off.
    let yaml = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let value = |name: &str| {
        let (_, rest) = yaml.split_once(&format!("    {name}: "))?;
        let (line, following) = rest.split_once('\n')?;
        let block =
            || following.lines().take_while(|line| line.starts_with("      ")).collect::<String>();
        Some(if line == "|" { block() } else { line.trim_matches('\'').to_owned() })
    };
    assert!(value("ROUTES").unwrap().contains("POST /pets"));
    let required =
        [("ISSUER", "https://login.example.com".to_owned()), ("AUDIENCE", "client-1".to_owned())];
    let shown = SETTINGS.iter().filter_map(|setting| Some((setting.name, value(setting.name)?)));
    token_authorizer::Config::read(&shown.chain(required).collect()).unwrap();
}

#[test]
fn every_reason_is_documented_in_the_order_of_the_checks() {
    let codes: Vec<_> = Reason::ALL
        .map(Reason::code)
        .into_iter()
        .chain(Obstacle::ALL.map(Obstacle::code))
        .collect();
    assert_eq!(
        rows("docs/reasons.md").into_iter().map(|(code, _)| code).collect::<Vec<_>>(),
        codes
    );
}

#[test]
fn the_list_of_pages_names_every_page_once() {
    let list = fs::read_to_string("docs/README.md").unwrap();
    for folder in ["", "measurements/"] {
        for entry in fs::read_dir(Path::new("docs").join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") && name != "README.md" {
                assert_eq!(
                    list.matches(&format!("]({folder}{name})")).count(),
                    1,
                    "{folder}{name}"
                );
            }
        }
    }
}

/// What the log says is quoted in double backticks, with `...` for what differs.
#[test]
fn pages_quote_the_log_as_the_code_has_it() {
    let mut code = String::new();
    read_sources(Path::new("src"), &mut code);
    for (page, at_least) in [("operations", 30), ("keys", 4), ("reasons", 6), ("providers", 2)] {
        let text = fs::read_to_string(format!("docs/{page}.md")).unwrap();
        // Blocks of code have three backticks.
        let prose: String = text.split("```").step_by(2).collect();
        let quotes: Vec<_> = prose.split("``").skip(1).step_by(2).collect();
        assert!(quotes.len() >= at_least, "{page}: {quotes:?}");
        for quote in quotes {
            for part in quote.split("...").map(str::trim).filter(|part| part.len() > 1) {
                assert!(code.contains(part), "{page}: {part}");
            }
        }
    }
}

/// The text of all files in a folder, with strings that span lines in one piece.
fn read_sources(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, code);
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for (index, piece) in text.split("\\\n").enumerate() {
            code.push_str(if index == 0 { piece } else { piece.trim_start() });
        }
    }
}
