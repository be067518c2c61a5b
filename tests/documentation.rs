//! The documentation says what the code does: settings, defaults and reasons, by name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;

use token_authorizer::{Obstacle, Reason, SETTINGS};

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
fn the_readme_has_every_setting_with_its_default() {
    let rows = rows("README.md");
    assert_eq!(rows.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), SETTINGS.map(|setting| setting.name));
    for ((name, cells), setting) in rows.iter().zip(SETTINGS) {
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
        .filter_map(|line| line.strip_prefix("# ").or(Some(line))?.strip_suffix('\'')?.split_once("='"))
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
        let variable = |name: &str| {
            let line = |line: &str| {
                let line = if commented { line.strip_prefix("# ").unwrap_or(line) } else { line };
                Some(line.strip_prefix(name)?.strip_prefix("='")?.strip_suffix('\'')?.to_owned())
            };
            sample.lines().find_map(line)
        };
        assert!(variable("ISSUER").is_some());
        token_authorizer::Config::read(variable).unwrap();
    }
}

#[test]
fn every_reason_is_documented_in_the_order_of_the_checks() {
    let codes: Vec<_> = Reason::ALL.map(Reason::code).into_iter().chain(Obstacle::ALL.map(Obstacle::code)).collect();
    assert_eq!(rows("docs/reasons.md").into_iter().map(|(code, _)| code).collect::<Vec<_>>(), codes);
}
