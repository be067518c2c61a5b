//! One refresh at a time: a task of its own, and who waits for it.

use std::pin::Pin;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

/// Closed when a refresh has ended, in whatever way.
pub(crate) type Ended = watch::Receiver<()>;

/// The last refresh that was begun, if there was one.
#[derive(Default)]
pub(crate) struct Refresh(Option<Task>);

struct Task {
    ended: Ended,
    /// Alive while an invocation is to wait for it after its answer.
    waiter: Weak<()>,
}

/// A refresh that one invocation waits for once its answer is sent: the invocation that began it. If that gave up, or
/// there was none, it is the next one that looks the document up. Dropping this leaves the wait to another.
#[derive(Debug)]
pub(crate) struct PendingRefresh {
    ended: Ended,
    _waiter: Arc<()>,
}

impl PendingRefresh {
    pub(crate) async fn ended(self) {
        ended(self.ended).await;
    }
}

impl Refresh {
    /// The refresh that has not ended yet.
    pub(crate) fn under_way(&self) -> Option<&Ended> {
        let task = self.0.as_ref()?;
        task.ended.has_changed().is_ok().then_some(&task.ended)
    }

    /// Runs this as a task. It is boxed, so that tasks for all kinds of documents are the same code.
    pub(crate) fn start(&mut self, refresh: Pin<Box<dyn Future<Output = ()> + Send>>) -> Ended {
        let (end, ended) = watch::channel(());
        tokio::spawn(async move {
            refresh.await;
            // Dropped on a panic too, so no waiter hangs.
            drop(end);
        });
        self.0 = Some(Task { ended: ended.clone(), waiter: Weak::new() });
        ended
    }

    /// The wait for the refresh under way, unless an invocation has it already.
    pub(crate) fn claim(&mut self) -> Option<PendingRefresh> {
        let task = self.0.as_mut()?;
        if task.ended.has_changed().is_err() || task.waiter.strong_count() > 0 {
            return None;
        }
        let waiter = Arc::new(());
        task.waiter = Arc::downgrade(&waiter);
        Some(PendingRefresh { ended: task.ended.clone(), _waiter: waiter })
    }
}

pub(crate) async fn ended(mut refresh: Ended) {
    // Nothing is ever sent: this ends when the sender is dropped.
    while refresh.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    /// Starts a refresh that ends when it is told to.
    fn start(refresh: &mut Refresh) -> (oneshot::Sender<()>, Ended) {
        let (end, told) = oneshot::channel();
        let ended = refresh.start(Box::pin(async { told.await.unwrap() }));
        (end, ended)
    }

    #[tokio::test]
    async fn a_refresh_is_under_way_until_it_ends() {
        let mut refresh = Refresh::default();
        assert!(refresh.under_way().is_none());
        let (end, first) = start(&mut refresh);
        let mut wait = Box::pin(ended(first));
        assert!(wait.as_mut().now_or_never().is_none() && refresh.under_way().is_some());
        end.send(()).unwrap();
        wait.await;
        assert!(refresh.under_way().is_none());
        let (_end, _) = start(&mut refresh);
        assert!(refresh.under_way().is_some(), "the next one");
    }

    #[tokio::test]
    async fn a_panic_ends_a_refresh() {
        let mut refresh = Refresh::default();
        ended(refresh.start(Box::pin(async { panic!("a fault") }))).await;
        assert!(refresh.under_way().is_none() && refresh.claim().is_none());
    }

    #[tokio::test]
    async fn one_invocation_at_a_time_waits_for_a_refresh() {
        let mut refresh = Refresh::default();
        assert!(refresh.claim().is_none(), "nothing to wait for");
        let (end, _) = start(&mut refresh);
        let first = refresh.claim().unwrap();
        assert!(refresh.claim().is_none(), "it is another's");
        let mut wait = Box::pin(first.ended());
        assert!(wait.as_mut().now_or_never().is_none() && refresh.claim().is_none(), "it waits");
        drop(wait);
        let second = refresh.claim().expect("the first one gave up");
        assert!(refresh.claim().is_none());
        end.send(()).unwrap();
        second.ended().await;
        assert!(refresh.claim().is_none(), "it has ended");
    }
}
