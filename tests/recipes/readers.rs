//! Blocks of the documentation, read by what reads them where they are copied to.

use std::collections::BTreeMap;
use std::process::Command;

type Settings = BTreeMap<String, String>;

/// The one block of this format in a section.
pub(crate) fn block<'s>(section: &'s str, format: &str) -> &'s str {
    let fence = format!("```{format}\n");
    let mut parts = section.split(&*fence);
    let block = parts.nth(1).unwrap_or_else(|| panic!("no {format} in {section}"));
    assert_eq!(parts.next(), None, "one block of {format}: {section}");
    block.split("```").next().unwrap()
}

/// What a shell sets, in an environment without anything else.
pub(crate) fn shell(block: &str) -> Settings {
    let names = block.lines().filter_map(|line| Some(line.split_once('=')?.0));
    let names: Vec<_> = names
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !name.is_empty())
        .collect();
    // `%s`: printed as it is, whatever is in it.
    let print = r#"eval "$0"; for name; do eval "printf '%s\\0' \"\$$name\""; done"#;
    let output =
        Command::new("sh").env_clear().args(["-euc", print, block]).args(&names).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let values = String::from_utf8(output.stdout).unwrap();
    let values = values.split_terminator('\0').map(str::to_owned);
    names.into_iter().map(str::to_owned).zip(values).collect()
}

pub(crate) fn env_file(block: &str) -> Settings {
    dotenvy::from_read_iter(block.as_bytes()).map(Result::unwrap).collect()
}

pub(crate) fn yaml(block: &str) -> Settings {
    serde_norway::from_str(block).unwrap()
}

pub(crate) fn hcl(block: &str) -> Settings {
    hcl::from_str(block).unwrap()
}
