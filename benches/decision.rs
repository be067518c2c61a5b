//! How long one decision takes, from event bytes to answer bytes: `cargo bench --bench decision`
//!
//! Beside each case stands the least that it can cost, such as the signature check alone. Times of a busy machine
//! differ by a third; `instructions.rs` counts what does not.
#![allow(missing_docs, reason = "a benchmark")]

mod measuring;
mod scenarios;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use scenarios::{Case, all};

fn decisions(criterion: &mut Criterion) {
    let mut seen = HashSet::new();
    for Case { group, name, work, floor } in all() {
        let mut group = criterion.benchmark_group(group);
        if let Some((name, work)) = floor.filter(|(name, _)| seen.insert(name.clone())) {
            let mut work = work.prepare();
            group.bench_function(name, |bencher| bencher.iter(&mut work));
        }
        let mut work = work.prepare();
        group.bench_function(name, |bencher| bencher.iter(&mut work));
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = decisions
}
criterion_main!(benches);
