//! One refresh at a time: a task of its own, and who waits for it.

use std::pin::Pin;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use crate::remote::cache::RefreshState;

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

/// The refreshes that one invocation waits for once its answer is sent: those that it started, and those that nobody
/// waits for. Dropping this leaves the wait to the next invocation that looks the document up.
#[derive(Debug, Default)]
pub(crate) struct PendingRefreshes(Vec<(Completion, Arc<()>)>);

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
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the refresh under way, unless an invocation waits for it already.
    pub(crate) fn claim(&mut self, refresh: &mut Refresh) {
        let Some(Task { completion, waiter }) = &mut refresh.0 else { return };
        if completion.is_done() || waiter.strong_count() > 0 {
            return;
        }
        let alive = Arc::new(());
        *waiter = Arc::downgrade(&alive);
        self.0.push((completion.clone(), alive));
    }

    /// They run side by side, so one wait after the other is as long as the longest.
    pub(crate) async fn wait_until_done(self) {
        for (completion, _alive) in self.0 {
            completion.wait_until_done().await;
        }
    }
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
        let mut pending = PendingRefreshes::default();
        pending.claim(refresh);
        pending
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
