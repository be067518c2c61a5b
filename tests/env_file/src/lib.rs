//! The docs' env files, read by the reader that cargo-lambda has for `--env-file`. Run by `.ci/lambda`.
#![cfg(test)]

use std::collections::HashMap;

const PROVIDERS: &str = include_str!("../../../docs/providers.md");
const SAMPLE: &str = include_str!("../../../.env.sample");
const SETTINGS: &str = include_str!("../../../docs/settings.md");

fn blocks(document: &str) -> impl Iterator<Item = &str> {
    document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

fn read(text: &str) -> HashMap<String, String> {
    env_file_reader::read_str(text).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

/// The settings that stand in a text as `NAME='value'`, whatever is between the quotes.
fn written(text: &str) -> HashMap<String, String> {
    let mut settings = HashMap::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("='") {
        let (value, after) = after.split_once('\'').unwrap();
        settings.insert(before.rsplit('\n').next().unwrap().to_owned(), value.to_owned());
        rest = after;
    }
    settings
}

#[test]
fn each_recipe_is_read_byte_for_byte() {
    let mut recipes = 0;
    for block in blocks(PROVIDERS) {
        assert!(written(block).len() > 2, "{block}");
        assert_eq!(read(block), written(block));
        recipes += 1;
    }
    assert!(recipes > 10, "{recipes}");
}

#[test]
fn examples_of_issuers_are_read_byte_for_byte() {
    let mut examples = 0;
    for block in
        blocks(SETTINGS).filter(|block| block.contains("ISSUERS=") || block.contains("TENANTS="))
    {
        assert_eq!(read(block), written(block));
        examples += 1;
    }
    assert_eq!(examples, 2);
}

#[test]
fn the_sample_is_read_and_so_is_each_of_its_lines_without_the_mark() {
    let lines: Vec<_> = SAMPLE.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(read(SAMPLE), written(&lines.join("\n")));
    let settings = SAMPLE.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let settings = settings.filter(|line| {
        line.split_once("='")
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    });
    let mut lines = 0;
    for line in settings {
        assert_eq!(read(line), written(line));
        lines += 1;
    }
    assert!(lines > 20, "{lines}");
}
