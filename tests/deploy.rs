//! What deploys the function knows every setting. The Terraform module and the CDK construct take theirs from files
//! that are written here; `tests/template.py` holds the SAM template to the same list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "UPDATE is for whoever runs the tests")]

use std::{env, fs};

use serde_json::json;
use token_authorizer::{SETTINGS, SettingKind};

/// All settings as JSON, one a line, in the order of the documentation.
fn settings() -> String {
    let lines = SETTINGS.iter().map(|setting| {
        let (kind, limits) = match &setting.kind {
            SettingKind::Text => ("text", String::new()),
            SettingKind::List(of) => ("list", format!(r#", "of": {}"#, json!(of))),
            SettingKind::Word(of) => ("word", format!(r#", "of": {}"#, json!(of))),
            SettingKind::Number(bounds) => {
                ("number", format!(r#", "min": {}, "max": {}"#, bounds.start(), bounds.end()))
            }
            SettingKind::Json => ("json", String::new()),
        };
        format!(
            r#"  "{}": {{"kind": "{kind}"{limits}, "default": {}}}"#,
            setting.name,
            json!(setting.default)
        )
    });
    format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
}

#[test]
fn the_module_and_the_construct_have_the_settings_of_the_program() {
    let json = settings();
    assert!(
        serde_json::from_str::<serde_json::Value>(&json).unwrap().as_object().unwrap().len()
            == SETTINGS.len()
    );
    let typescript = format!(
        "// Every setting of the program. Written by tests/deploy.rs from `SETTINGS` in src/config/settings.rs; do not edit.\n\
         export const SETTINGS = {} as const;\n",
        json.trim_end()
    );
    let mut outdated = Vec::new();
    for (path, wanted) in
        [("deploy/terraform/settings.json", json), ("deploy/cdk/src/settings.ts", typescript)]
    {
        let found = fs::read_to_string(path).unwrap_or_default();
        if found != wanted && env::var_os("UPDATE").is_some() {
            fs::write(path, wanted).unwrap();
        } else if found != wanted {
            outdated.push(format!("{path}:\n{}", difference(&found, &wanted)));
        }
    }
    let outdated = outdated.join("\n");
    assert!(outdated.is_empty(), "{outdated}\nUPDATE=1 cargo test --test deploy writes them");
}

/// The lines that one text has and the other has not.
fn difference(found: &str, wanted: &str) -> String {
    let only_in = |text: &str, other: &str, mark: &str| {
        let lines = text.lines().filter(|line| !other.lines().any(|there| there == *line));
        lines.map(|line| format!("{mark}{line}\n")).collect::<String>()
    };
    only_in(found, wanted, "-") + &only_in(wanted, found, "+")
}
