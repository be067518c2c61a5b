//! The commands and files that `docs/cli.md` and `docs/ci.md` show.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::{Folder, program, run};

/// The blocks of this language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let page =
        fs::read_to_string(format!("{}/../docs/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    let blocks = blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")));
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_pipelines_of_the_page_about_ci_pass_with_its_files() {
    let folder = Folder::new("docs-ci");
    folder.file("settings.env", &blocks("ci.md", "sh")[0]);
    let yaml = blocks("ci.md", "yaml");
    folder.file("cases.yaml", &yaml[0]);
    folder.file(
        "routes.json",
        &json!({"GET /pets/{petId}": ["pets:read"], "POST /pets": ["pets:write"]}).to_string(),
    );
    folder.file(
        "openapi.yaml",
        "openapi: 3.0.3
components: {securitySchemes: {OAuth2: {type: oauth2, flows: {}}}}
paths:
  /pets: {post: {security: [{OAuth2: ['pets:write']}]}}
  /pets/{petId}: {get: {security: [{OAuth2: ['pets:read']}]}}
",
    );
    let mut commands = Vec::new();
    for pipeline in &yaml[1..] {
        let lines = pipeline.lines().filter_map(|line| {
            let line = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
            line.trim_start_matches("./").strip_prefix("authorizer ").map(str::to_owned)
        });
        commands.extend(lines);
    }
    assert_eq!(commands.len(), 6, "{commands:?}");
    for command in commands {
        let done = Command::new(program())
            .args(command.split(' '))
            .env_clear()
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    }
    assert!(folder.path("results.xml").exists());
}

#[test]
fn the_check_of_the_page_about_commands_comes_out_as_shown() {
    let folder = Folder::new("docs-check");
    let settings = blocks("cli.md", "sh").into_iter().find(|text| text.contains("ISSUER="));
    folder.file(".env", &settings.unwrap());
    let shown = blocks("cli.md", "text").into_iter().find(|text| text.contains("Variables: "));
    let done = Command::new(program())
        .args(["check", "--env-file", ".env"])
        .env_clear()
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), shown.unwrap());
}

#[test]
fn the_cases_of_the_page_about_commands_come_out_as_shown() {
    let cases = blocks("cli.md", "yaml").remove(0);
    let shown = blocks("cli.md", "text").into_iter().find(|text| text.contains("FAILED")).unwrap();
    // This table opens more than the cases expect.
    let routes = json!({"GET /pets/{petId}": [], "POST /pets": ["pets:write"]}).to_string();
    let settings = [
        ("ISSUER", "https://login.example.com"),
        ("AUDIENCE", "a"),
        ("ALGORITHMS", "ES256"),
        ("ROUTES", &routes),
    ];
    let ran = run(&settings, &["test", "-"], &cases);
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&ran.out), words(&shown));
}

#[test]
fn the_command_has_the_version_of_the_function() {
    let manifest =
        fs::read_to_string(format!("{}/../Cargo.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let version = run(&[], &["--version"], "").out;
    let version = version.trim().strip_prefix("authorizer ").unwrap();
    assert!(manifest.contains(&format!("\nversion = \"{version}\"\n")), "{version}");
}

#[test]
fn every_command_has_help_with_examples() {
    let help = run(&[], &["--help"], "");
    assert_eq!(help.code, 0);
    let commands: Vec<_> = help
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .collect();
    let page =
        fs::read_to_string(format!("{}/../docs/cli.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(commands.len() >= 4, "{}", help.out);
    for name in commands {
        let help = run(&[], &[name, "--help"], "");
        assert!(help.code == 0 && help.out.contains("Examples:\n  authorizer "), "{}", help.out);
        assert!(page.contains(&format!("## {name}\n")), "{name}");
    }
    assert_eq!(run(&[], &[], "").code, 2);
    assert_eq!(run(&[], &["chek"], "").code, 2);
}
