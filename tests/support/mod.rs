//! What the black-box tests stand on: loopback stand-ins for everything around the shipped binary.
//! Nothing here knows the program's own code, so a test can only see what an operator would see.
#![allow(dead_code, reason = "each target uses only part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a broken stand-in ought to fail its test at once, and real time passes between processes"
)]

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) mod certificates;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod iam;
pub(crate) mod idp;
pub(crate) mod process;
pub(crate) mod runtime_api;
pub(crate) mod tokens;

/// State that threads share and wait upon. One that panicked has failed its test already, and must not keep
/// the others from cleaning up: poison is ignored.
#[derive(Default)]
struct Watched<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits for `until`, but no longer than `time`.
    fn wait(&self, time: Duration, until: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let wait = self.changed.wait_timeout_while(self.lock(), time, |state| !until(state));
        wait.unwrap_or_else(PoisonError::into_inner).0
    }
}
