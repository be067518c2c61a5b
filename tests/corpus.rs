//! The fuzz targets over their committed corpus: see `fuzz/run`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;

#[test]
fn the_corpus_finds_nothing() {
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 7] = [
        ("event", targets::event),
        ("token", targets::token),
        ("keys", targets::keys),
        ("discovery", targets::discovery),
        ("config", targets::config),
        ("revoked", targets::revoked),
        ("routes", targets::routes),
    ];
    for (name, target) in targets {
        let files: Vec<_> = fs::read_dir(format!("fuzz/corpus/{name}"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert!(!files.is_empty(), "{name}");
        for file in files {
            eprintln!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}
