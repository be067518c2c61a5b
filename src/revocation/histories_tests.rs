//! Histories of a list at random: a provider that revokes, reinstates and is down, a process that is frozen, and what
//! the cache makes of it. Time is simulated; cache and list are the real ones.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::remote::cache::{CacheAction, RefreshState};

const LIFETIMES: Lifetimes =
    Lifetimes { fresh: Duration::from_secs(60), stale: Duration::from_secs(3600) };

struct World {
    cache: Cache<RevocationList>,
    now: Now,
    /// The ids that the provider has on its list now, and every list that it had, from when on.
    listed: Vec<u8>,
    published: Vec<(Now, Vec<u8>)>,
    down: bool,
    fetches: Vec<(Now, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Accepted,
    Revoked,
    Undecided,
}

impl World {
    fn new() -> Self {
        let now = Now::at(1_800_000_000.0);
        Self {
            cache: Cache::empty(LIFETIMES, now),
            now,
            listed: Vec::new(),
            published: vec![(now, Vec::new())],
            down: false,
            fetches: Vec::new(),
        }
    }

    fn publish(&mut self, listed: Vec<u8>) {
        self.listed = listed;
        self.published.push((self.now, self.listed.clone()));
    }

    fn fetch(&mut self, jitter: f64) {
        self.fetches.push((self.now, !self.down));
        if self.down {
            self.cache.failed(jitter, self.now);
        } else {
            let ids: Vec<_> = self.listed.iter().map(u8::to_string).collect();
            let list = RevocationList::parse(json!({ "jti": ids }).to_string().as_bytes());
            self.cache.succeeded(Refreshed::Document(Arc::new(list.unwrap())), None, self.now);
        }
    }

    /// What `Revocations::check` does, with a fetch that takes no time.
    fn ask(&mut self, id: u8, jitter: f64) -> Verdict {
        for _ in 0..2 {
            let action = self.cache.action(RefreshState::Idle, &self.now);
            match action {
                CacheAction::Answer | CacheAction::AnswerAndRefresh => {
                    let list = Arc::clone(self.cache.document().unwrap());
                    if action == CacheAction::AnswerAndRefresh {
                        self.fetch(jitter);
                    }
                    let claims = Claims::verified(json!({ "jti": id.to_string() }));
                    return list
                        .check(&claims, f64::MAX)
                        .map_or(Verdict::Revoked, |()| Verdict::Accepted);
                }
                CacheAction::RefreshAndWait => self.fetch(jitter),
                CacheAction::Wait => unreachable!("no refresh outlasts its call here"),
                CacheAction::Unavailable => return Verdict::Undecided,
            }
        }
        unreachable!("one fetch decides")
    }

    /// For how long the provider has had this id on its list, or not had it, without a break.
    fn since(&self, id: u8, is_listed: bool) -> Option<Duration> {
        let mut since = None;
        for (then, listed) in self.published.iter().rev() {
            if listed.contains(&id) != is_listed {
                break;
            }
            since = Some(self.now.since(then));
        }
        since
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u8),
    Pass(u64),
    Freeze(u64),
    Publish(Vec<u8>),
    Down(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let time = prop_oneof![0..5u64, 0..100u64, 0..4000u64, 0..20_000u64];
    let step = prop_oneof![
        8 => (0..4u8).prop_map(Step::Ask),
        4 => time.clone().prop_map(Step::Pass),
        1 => time.prop_map(Step::Freeze),
        2 => proptest::collection::vec(0..4u8, 0..3).prop_map(Step::Publish),
        1 => any::<bool>().prop_map(Step::Down),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn no_history_accepts_a_revoked_token_beyond_the_bound(
        steps in steps(),
        jitter in 0.0..1.0f64,
    ) {
        let mut world = World::new();
        let (mut asked, mut last_good) = (Vec::<Now>::new(), None::<Now>);
        let mut up_since = Some(world.now);
        for step in steps {
            match step {
                Step::Pass(time) => world.now = world.now.later(Duration::from_secs(time)),
                Step::Freeze(time) => world.now = world.now.frozen(Duration::from_secs(time)),
                Step::Publish(listed) => world.publish(listed),
                Step::Down(down) => {
                    up_since = if down { None } else { up_since.or(Some(world.now)) };
                    world.down = down;
                }
                Step::Ask(id) => {
                    let age = last_good.map(|then| world.now.since(&then));
                    let before = world.fetches.len();
                    let verdict = world.ask(id, jitter);
                    let fetches = &world.fetches[before..];
                    prop_assert!(fetches.len() <= 1, "one request, one fetch");
                    let good = fetches.iter().any(|(_, good)| *good);
                    let is_usable = age.is_some_and(|age| age <= LIFETIMES.stale);
                    match verdict {
                        // Whatever the provider does, and however long the process was frozen.
                        Verdict::Accepted => prop_assert!(
                            world.since(id, true).is_none_or(|since| since <= LIFETIMES.stale)
                        ),
                        Verdict::Revoked => prop_assert!(
                            world.since(id, false).is_none_or(|since| since <= LIFETIMES.stale)
                        ),
                        // An outage shorter than stale takes no verdict away.
                        Verdict::Undecided => prop_assert!(!is_usable && !good),
                    }
                    // While the provider answers, the first request later than fresh fetches the new list. So no
                    // revoked token passes after such a request.
                    if verdict == Verdict::Accepted
                        && let Some(since) = world.since(id, true)
                        && up_since.is_some_and(|then| world.now.since(&then) >= since)
                    {
                        let late = asked.iter().any(|then| {
                            since.saturating_sub(world.now.since(then)) > LIFETIMES.fresh
                        });
                        prop_assert!(!late, "revoked {since:?} ago");
                    }
                    if good {
                        last_good = Some(world.now);
                    }
                    asked.push(world.now);
                }
            }
        }
        // Nothing asks early: after a good answer the next fetch is later than fresh, after a failure a backoff later.
        for pair in world.fetches.windows(2) {
            let gap = pair[1].0.since(&pair[0].0);
            let least = if pair[0].1 { LIFETIMES.fresh } else { Duration::from_millis(500) };
            prop_assert!(gap >= least, "{gap:?}");
        }
    }
}
