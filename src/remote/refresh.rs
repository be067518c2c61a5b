//! One refresh at a time: a task of its own, and who waits for it.

use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::Now;
use crate::remote::cache::RefreshState;
use crate::remote::http::SCHEDULING_MARGIN;

/// A wait is measured in steps of this length, so that a freeze in it shows.
const STEP: Duration = Duration::from_millis(50);

/// The last refresh that was started, if there was one.
#[derive(Default)]
pub(crate) struct Refresh(Option<Task>);

struct Task {
    completion: Completion,
    /// Alive while an invocation is to wait for it after its answer.
    waiter: Weak<()>,
}

/// The end of a refresh: success, failure or panic.
#[derive(Clone, Debug)]
pub(crate) struct Completion(watch::Receiver<()>);

/// What one invocation waits for.
///
/// Before its answer, it waits for refreshes that it needs, but only for a limited time in all. This is counted in steps
/// of running time, not from one time of day to another: a freeze in the middle of a wait says nothing about the source,
/// and the refresh that it broke is repeated. With the time frozen counted, the limit would be over before that refresh
/// could end, and a good token would get no verdict. So a step that took far too long counts as one step. Each step uses
/// some of the limit up, so no number of freezes makes a wait endless.
///
/// Once its answer is sent, it waits for the refreshes that it started, and for those that nobody waits for. Dropping this
/// leaves that wait to the next invocation that looks the document up.
#[derive(Debug)]
pub(crate) struct PendingRefreshes {
    /// When the invocation was received.
    pub(crate) received_at: Now,
    /// For how long it can still wait before its answer.
    left: Duration,
    after_answer: Vec<(Completion, Arc<()>)>,
}

impl Refresh {
    pub(crate) fn state(&self) -> RefreshState {
        if self.under_way().is_some() { RefreshState::UnderWay } else { RefreshState::Idle }
    }

    /// The refresh that has not ended yet.
    pub(crate) fn under_way(&self) -> Option<&Completion> {
        let Task { completion, .. } = self.0.as_ref()?;
        if completion.is_done() { None } else { Some(completion) }
    }

    /// Runs this as a task. It is boxed, so that tasks for all kinds of documents are the same code.
    pub(crate) fn start(
        &mut self,
        refresh: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Completion {
        let (done, completion) = watch::channel(());
        tokio::spawn(async move {
            refresh.await;
            // Dropped on a panic too, so no waiter hangs.
            drop(done);
        });
        let completion = Completion(completion);
        self.0 = Some(Task { completion: completion.clone(), waiter: Weak::new() });
        completion
    }
}

impl Completion {
    fn is_done(&self) -> bool {
        // Nothing is ever sent: the sender is dropped when the refresh ends.
        self.0.has_changed().is_err()
    }

    pub(crate) async fn wait_until_done(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl PendingRefreshes {
    /// `limit` bounds all waits before the answer together.
    pub(crate) fn new(received_at: Now, limit: Duration) -> Self {
        Self { received_at, left: limit, after_answer: Vec::new() }
    }

    /// Waits for the end of a refresh before the answer. Returns whether it has ended within the limit.
    pub(crate) async fn wait_for(&mut self, completion: Completion) -> bool {
        let mut done = pin!(completion.wait_until_done());
        while !self.left.is_zero() {
            let (since, step) = (Now::read(), self.left.min(STEP));
            let is_done = timeout(step, &mut done).await.is_ok();
            self.left = self.left.saturating_sub(counted(Now::read().since(&since), step));
            if is_done {
                return true;
            }
        }
        false
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.after_answer.is_empty()
    }

    /// Adds the refresh under way, unless an invocation waits for it already.
    pub(crate) fn claim(&mut self, refresh: &mut Refresh) {
        let Some(Task { completion, waiter }) = &mut refresh.0 else { return };
        if completion.is_done() || waiter.strong_count() > 0 {
            return;
        }
        let alive = Arc::new(());
        *waiter = Arc::downgrade(&alive);
        self.after_answer.push((completion.clone(), alive));
    }

    /// They run side by side, so one wait after the other is as long as the longest.
    pub(crate) async fn wait_until_done(self) {
        for (completion, _alive) in self.after_answer {
            completion.wait_until_done().await;
        }
    }
}

/// How much of a wait's limit a step uses up that took this long.
fn counted(elapsed: Duration, step: Duration) -> Duration {
    if elapsed > step + SCHEDULING_MARGIN { step } else { elapsed }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    /// Starts a refresh that ends when the test says so.
    fn start(refresh: &mut Refresh) -> (oneshot::Sender<()>, Completion) {
        let (end, ended) = oneshot::channel();
        let completion = refresh.start(Box::pin(async { ended.await.unwrap() }));
        (end, completion)
    }

    fn claim(refresh: &mut Refresh) -> PendingRefreshes {
        let mut pending = PendingRefreshes::new(Now::read(), Duration::ZERO);
        pending.claim(refresh);
        pending
    }

    #[tokio::test]
    async fn all_waits_of_an_invocation_share_one_limit() {
        const LIMIT: Duration = Duration::from_millis(300);
        let mut pending = PendingRefreshes::new(Now::read(), LIMIT);
        let [mut ended, mut hanging, mut other] = [(); 3].map(|()| Refresh::default());
        let (end, completion) = start(&mut ended);
        end.send(()).unwrap();
        assert!(pending.wait_for(completion.clone()).await);
        assert!(!pending.left.is_zero());
        let (_end, completion) = start(&mut hanging);
        assert!(!pending.wait_for(completion).await);
        assert_eq!(pending.left, Duration::ZERO);
        let (_end, completion) = start(&mut other);
        assert_eq!(pending.wait_for(completion).now_or_never(), Some(false), "the limit is over");
    }

    #[test]
    fn a_freeze_counts_as_one_step() {
        let milliseconds = Duration::from_millis;
        for (elapsed, expected) in
            [(0, 0), (49, 49), (50, 50), (300, 300), (301, 50), (3_600_000, 50)]
        {
            assert_eq!(counted(milliseconds(elapsed), milliseconds(50)), milliseconds(expected));
        }
        assert_eq!(counted(milliseconds(300), milliseconds(7)), milliseconds(7));
    }

    #[tokio::test]
    async fn a_refresh_is_under_way_until_it_ends() {
        let mut refresh = Refresh::default();
        assert_eq!(refresh.state(), RefreshState::Idle);
        let (end, first) = start(&mut refresh);
        let mut wait = Box::pin(first.wait_until_done());
        assert!(wait.as_mut().now_or_never().is_none());
        assert_eq!(refresh.state(), RefreshState::UnderWay);
        end.send(()).unwrap();
        wait.await;
        assert_eq!(refresh.state(), RefreshState::Idle);
        let (_end, _) = start(&mut refresh);
        assert_eq!(refresh.state(), RefreshState::UnderWay, "the next one");
    }

    #[tokio::test]
    async fn a_panic_ends_a_refresh() {
        let mut refresh = Refresh::default();
        refresh.start(Box::pin(async { panic!("a fault") })).wait_until_done().await;
        assert_eq!(refresh.state(), RefreshState::Idle);
        assert!(claim(&mut refresh).is_empty());
    }

    #[tokio::test]
    async fn one_invocation_at_a_time_waits_for_a_refresh() {
        let mut refresh = Refresh::default();
        assert!(claim(&mut refresh).is_empty(), "nothing to wait for");
        let (end, _) = start(&mut refresh);
        let first = claim(&mut refresh);
        assert!(!first.is_empty());
        assert!(claim(&mut refresh).is_empty(), "another invocation waits for it");
        let mut wait = Box::pin(first.wait_until_done());
        assert!(wait.as_mut().now_or_never().is_none());
        assert!(claim(&mut refresh).is_empty(), "the first one waits");
        drop(wait);
        let second = claim(&mut refresh);
        assert!(!second.is_empty(), "the first one gave up");
        assert!(claim(&mut refresh).is_empty());
        end.send(()).unwrap();
        second.wait_until_done().await;
        assert!(claim(&mut refresh).is_empty(), "it has ended");
    }
}
