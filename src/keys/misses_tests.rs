//! Histories of keys: in tables, at random, and of a thousand processes.

use super::Confirmation::{BeforeToken, SinceToken};
use super::*;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use crate::remote::cache::RefreshState::{Idle, UnderWay};
use crate::remote::cache::{Lifetimes, Refreshed};

const FRESH: u64 = 600;
const STALE: u64 = 86_400;
const LIFETIMES: Lifetimes =
    Lifetimes { fresh: Duration::from_secs(FRESH), stale: Duration::from_secs(STALE) };

/// Keys and their misses, as one process holds them.
struct Cache {
    keys: super::Cache<KeySet>,
    misses: Misses,
}

impl Cache {
    fn of(keys: super::Cache<KeySet>) -> Self {
        Self { keys, misses: Misses::default() }
    }

    fn empty(lifetimes: Lifetimes, now: Now) -> Self {
        Self::of(super::Cache::empty(lifetimes, now))
    }

    fn seeded(keys: KeySet, lifetimes: Lifetimes, now: Now) -> Self {
        Self::of(super::Cache::seeded(keys, lifetimes, now))
    }

    fn fixed(keys: KeySet, lifetimes: Lifetimes, now: Now) -> Self {
        Self::of(super::Cache::fixed(keys, lifetimes, now))
    }

    fn action_for(
        &self,
        key_match: KeyMatch,
        refresh: RefreshState,
        confirmation: Confirmation,
        now: &Now,
    ) -> CacheAction {
        self.misses.action_for(&self.keys, key_match, refresh, confirmation, now)
    }

    fn record_miss(&mut self, key_match: KeyMatch, now: Now) {
        self.misses.record(&self.keys, key_match, now);
    }

    fn succeeded(&mut self, keys: Refreshed<KeySet>, max_age: Option<Duration>, requested_at: Now) {
        self.keys.succeeded(keys, max_age, requested_at);
    }

    fn failed(&mut self, jitter: f64, now: Now) -> Duration {
        self.keys.failed(jitter, now)
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn no_keys() -> Arc<KeySet> {
    Arc::new(KeySet::default())
}

fn start() -> Now {
    static START: LazyLock<Now> = LazyLock::new(|| Now::at(1_800_000_000.0));
    *START
}

/// A cache whose keys were fetched at `start`.
fn fetched(max_age: Option<u64>) -> Cache {
    let mut cache = Cache::empty(LIFETIMES, start());
    cache.succeeded(Refreshed::Document(no_keys()), max_age.map(seconds), start());
    cache
}

#[test]
fn stale_keys_are_refreshed_and_expired_keys_are_unused() {
    use CacheAction::{Answer, AnswerAndRefresh, RefreshAndWait};
    let cache = fetched(None);
    for (age, action) in [
        (0, Answer),
        (FRESH, Answer),
        (FRESH + 1, AnswerAndRefresh),
        (STALE, AnswerAndRefresh),
        (STALE + 1, RefreshAndWait),
        (STALE * 1000, RefreshAndWait),
    ] {
        assert_eq!(
            cache.action_for(KeyMatch::Known, Idle, BeforeToken, &start().later(seconds(age))),
            action,
            "{age} s"
        );
    }
    let frozen = start().frozen(seconds(FRESH + 1));
    assert_eq!(
        cache.action_for(KeyMatch::Known, Idle, BeforeToken, &frozen),
        AnswerAndRefresh,
        "ages while frozen"
    );
    let set_back = start().later(seconds(FRESH + 1)).set_back(seconds(3600));
    assert_eq!(
        cache.action_for(KeyMatch::Known, Idle, BeforeToken, &set_back),
        AnswerAndRefresh,
        "ages though the clock was set back"
    );
}

#[test]
fn a_refresh_delays_no_token_whose_key_is_known() {
    let cache = fetched(None);
    assert_eq!(
        cache.action_for(KeyMatch::Known, UnderWay, BeforeToken, &start().later(seconds(STALE))),
        CacheAction::Answer
    );
    assert_eq!(
        cache.action_for(
            KeyMatch::Known,
            UnderWay,
            BeforeToken,
            &start().later(seconds(STALE + 1))
        ),
        CacheAction::Wait
    );
    assert_eq!(
        Cache::empty(LIFETIMES, start()).action_for(
            KeyMatch::Unknown,
            UnderWay,
            BeforeToken,
            &start()
        ),
        CacheAction::Wait
    );
}

#[test]
fn max_age_shortens_down_to_a_minute_and_never_lengthens() {
    for (max_age, fresh) in [(0, 60), (59, 60), (61, 61), (599, 599), (601, 600), (u64::MAX, 600)] {
        let cache = fetched(Some(max_age));
        let action = |age| {
            cache.action_for(KeyMatch::Known, Idle, BeforeToken, &start().later(seconds(age)))
        };
        assert_eq!(
            (action(fresh), action(fresh + 1)),
            (CacheAction::Answer, CacheAction::AnswerAndRefresh),
            "{max_age}"
        );
    }
    let short = Lifetimes { fresh: seconds(5), stale: seconds(5) };
    let mut cache = Cache::empty(short, start());
    cache.succeeded(Refreshed::Document(no_keys()), Some(seconds(3600)), start());
    assert_eq!(
        cache.action_for(KeyMatch::Known, Idle, BeforeToken, &start().later(seconds(5))),
        CacheAction::Answer
    );
    assert_ne!(
        cache.action_for(KeyMatch::Known, Idle, BeforeToken, &start().later(seconds(6))),
        CacheAction::Answer
    );
}

#[test]
fn misses_refresh_once_in_thirty_seconds() {
    for key_match in [KeyMatch::Unknown, KeyMatch::Mismatch] {
        let mut cache = fetched(None);
        let now = start().later(seconds(1));
        assert_eq!(
            cache.action_for(key_match, Idle, BeforeToken, &now),
            CacheAction::RefreshAndWait
        );
        cache.record_miss(key_match, now);
        assert_eq!(
            cache.action_for(key_match, UnderWay, BeforeToken, &now),
            CacheAction::Wait,
            "shares the refresh"
        );
        cache.succeeded(Refreshed::Unchanged, None, now);
        assert_eq!(
            cache.action_for(key_match, Idle, SinceToken, &now),
            CacheAction::Answer,
            "the provider was asked"
        );
        assert_eq!(
            cache.action_for(
                key_match,
                Idle,
                BeforeToken,
                &now.later(Duration::from_millis(29_999))
            ),
            CacheAction::Answer
        );
        assert_eq!(
            cache.action_for(key_match, Idle, BeforeToken, &now.later(seconds(30))),
            CacheAction::RefreshAndWait
        );
        assert_eq!(
            cache.action_for(KeyMatch::Known, Idle, BeforeToken, &now),
            CacheAction::Answer,
            "known keys are not touched"
        );
    }
}

#[test]
fn only_an_unknown_key_in_a_known_set_is_a_miss() {
    let mut none = Cache::empty(LIFETIMES, start());
    none.record_miss(KeyMatch::Unknown, start());
    none.succeeded(Refreshed::Document(no_keys()), None, start());
    let mut known = fetched(None);
    known.record_miss(KeyMatch::Known, start());
    for cache in [none, known] {
        assert_eq!(
            cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &start().later(seconds(1))),
            CacheAction::RefreshAndWait
        );
    }
}

#[test]
fn after_a_failure_only_an_unknown_key_is_undecided() {
    let mut cache = fetched(None);
    let now = start().later(seconds(1));
    cache.record_miss(KeyMatch::Unknown, now);
    let backoff = cache.failed(1.0, now);
    assert_eq!(backoff, seconds(1));
    for later in [0, 1, 29] {
        let now = now.later(seconds(later));
        assert_eq!(
            cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &now),
            CacheAction::Unavailable,
            "{later} s"
        );
        assert_eq!(
            cache.action_for(KeyMatch::Mismatch, Idle, BeforeToken, &now),
            CacheAction::Answer,
            "{later} s"
        );
        assert_eq!(
            cache.action_for(KeyMatch::Known, Idle, BeforeToken, &now),
            CacheAction::Answer,
            "{later} s"
        );
    }
    assert_eq!(
        cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &now.later(seconds(30))),
        CacheAction::RefreshAndWait
    );
}

#[test]
fn backoffs_double_to_a_minute_and_end_with_success() {
    let mut cache = fetched(None);
    for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(cache.failed(1.0, start()), seconds(longest));
    }
    assert_eq!(cache.failed(0.0, start()), seconds(30), "jitter takes up to half");
    for _ in 0..100 {
        cache.failed(1.0, start());
    }
    cache.succeeded(Refreshed::Unchanged, None, start());
    assert_eq!(cache.failed(1.0, start()), seconds(1));
}

#[test]
fn during_a_backoff_nothing_is_fetched_and_nothing_waits() {
    let mut cache = Cache::empty(LIFETIMES, start());
    assert_eq!(
        cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &start()),
        CacheAction::RefreshAndWait
    );
    cache.failed(1.0, start());
    let at = |milliseconds| start().later(Duration::from_millis(milliseconds));
    assert_eq!(
        cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &at(999)),
        CacheAction::Unavailable
    );
    assert_eq!(
        cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &at(1000)),
        CacheAction::RefreshAndWait
    );

    let mut cache = fetched(None);
    let stale = start().later(seconds(FRESH + 1));
    cache.failed(1.0, stale);
    assert_eq!(cache.action_for(KeyMatch::Known, Idle, BeforeToken, &stale), CacheAction::Answer);
    assert_eq!(
        cache.action_for(KeyMatch::Known, Idle, BeforeToken, &stale.later(seconds(1))),
        CacheAction::AnswerAndRefresh
    );
    assert_eq!(
        cache.action_for(KeyMatch::Unknown, Idle, BeforeToken, &stale),
        CacheAction::Unavailable
    );
    let expired = start().later(seconds(STALE + 1));
    cache.failed(1.0, expired);
    assert_eq!(
        cache.action_for(KeyMatch::Known, Idle, BeforeToken, &expired),
        CacheAction::Unavailable
    );
}

#[test]
fn configured_keys_serve_at_once_and_are_refreshed() {
    let seeded = Cache::seeded(KeySet::default(), LIFETIMES, start());
    let action =
        |age| seeded.action_for(KeyMatch::Known, Idle, BeforeToken, &start().later(seconds(age)));
    assert_eq!(
        (action(0), action(STALE), action(STALE + 1)),
        (CacheAction::AnswerAndRefresh, CacheAction::AnswerAndRefresh, CacheAction::RefreshAndWait)
    );
    let fixed = Cache::fixed(KeySet::default(), LIFETIMES, start());
    for key_match in [KeyMatch::Known, KeyMatch::Unknown, KeyMatch::Mismatch] {
        assert_eq!(
            fixed.action_for(key_match, Idle, BeforeToken, &start().later(seconds(STALE * 1000))),
            CacheAction::Answer
        );
    }
}

/// A provider and a process that asks it, in simulated time; the cache is the real one.
struct World {
    cache: Cache,
    now: Now,
    began: Now,
    /// What the cache's set holds, and what the provider publishes.
    held: Option<Vec<u8>>,
    published: Vec<u8>,
    down: bool,
    fetches: Vec<Fetch>,
}

struct Fetch {
    at: Duration,
    good: bool,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Accepted,
    Unknown,
    Undecided,
}

impl World {
    fn new(lifetimes: Lifetimes, published: Vec<u8>) -> Self {
        let now = start();
        let cache = Cache::empty(lifetimes, now);
        Self { cache, now, began: now, held: None, published, down: false, fetches: Vec::new() }
    }

    fn fetch(&mut self, jitter: f64) {
        self.fetches.push(Fetch { at: self.now.since(&self.began), good: !self.down });
        if self.down {
            self.cache.failed(jitter, self.now);
        } else {
            self.held = Some(self.published.clone());
            self.cache.succeeded(Refreshed::Document(no_keys()), None, self.now);
        }
    }

    fn key_match(&self, kid: u8) -> KeyMatch {
        if self.held.as_ref().is_some_and(|held| held.contains(&kid)) {
            KeyMatch::Known
        } else {
            KeyMatch::Unknown
        }
    }

    /// What `Keys::verify` does, with a fetch that takes no time.
    fn ask(&mut self, kid: u8, jitter: f64) -> Verdict {
        let mut confirmation = BeforeToken;
        for _ in 0..3 {
            let key_match = self.key_match(kid);
            let action = self.cache.action_for(key_match, Idle, confirmation, &self.now);
            match action {
                CacheAction::Answer | CacheAction::AnswerAndRefresh => {
                    if action == CacheAction::AnswerAndRefresh {
                        self.fetch(jitter);
                    }
                    return if key_match == KeyMatch::Known {
                        Verdict::Accepted
                    } else {
                        Verdict::Unknown
                    };
                }
                CacheAction::RefreshAndWait => {
                    self.cache.record_miss(key_match, self.now);
                    self.fetch(jitter);
                    if !self.down {
                        confirmation = SinceToken;
                    }
                }
                CacheAction::Wait => unreachable!("no refresh outlasts its call here"),
                CacheAction::Unavailable => return Verdict::Undecided,
            }
        }
        unreachable!("waits come to an end")
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u8),
    Pass(u64),
    Freeze(u64),
    Rotate(Vec<u8>),
    Down(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let time = prop_oneof![0..5u64, 0..100u64, 0..2000u64, 0..200_000u64];
    let step = prop_oneof![
        8 => (0..6u8).prop_map(Step::Ask),
        4 => time.clone().prop_map(Step::Pass),
        1 => time.prop_map(Step::Freeze),
        1 => proptest::collection::vec(0..4u8, 1..3).prop_map(Step::Rotate),
        1 => any::<bool>().prop_map(Step::Down),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn the_promises_hold_for_every_history(steps in steps(), jitter in 0.0..1.0f64) {
        let mut world = World::new(LIFETIMES, vec![0]);
        let mut last_good: Option<Now> = None;
        for step in steps {
            match step {
                Step::Pass(time) => world.now = world.now.later(seconds(time)),
                Step::Freeze(time) => world.now = world.now.frozen(seconds(time)),
                Step::Rotate(keys) => world.published = keys,
                Step::Down(down) => world.down = down,
                Step::Ask(kid) => {
                    let known = world.held.as_ref().is_some_and(|held| held.contains(&kid));
                    let age = last_good.map(|then| world.now.since(&then));
                    let before = world.fetches.len();
                    let verdict = world.ask(kid, jitter);
                    let fetches = &world.fetches[before..];
                    prop_assert!(fetches.len() <= 1, "one request, one fetch");
                    let good = fetches.iter().any(|fetch| fetch.good);
                    let is_usable = age.is_some_and(|age| age <= LIFETIMES.stale);
                    match verdict {
                        // A key counts only while a good answer, not too old, holds it.
                        Verdict::Accepted => prop_assert!(
                            (known && is_usable) || (good && world.published.contains(&kid))
                        ),
                        Verdict::Unknown => prop_assert!(!known || !is_usable),
                        // An outage shorter than stale refuses no known key.
                        Verdict::Undecided => prop_assert!(!(known && is_usable)),
                    }
                    if good {
                        last_good = Some(world.now);
                        prop_assert_eq!(world.held.as_ref(), Some(&world.published), "a withdrawn key is gone");
                    }
                    if before == 0 {
                        prop_assert_eq!(good, !world.down, "the first request has keys if they can be had");
                    }
                }
            }
        }
        // The budget: after a failure at least half a second; after a good answer, the next fetch comes by
        // age or by a miss, and misses are 30 s apart.
        let mut misses = Vec::new();
        for pair in world.fetches.windows(2) {
            let gap = pair[1].at.saturating_sub(pair[0].at);
            if !pair[0].good {
                prop_assert!(gap >= Duration::from_millis(500));
            } else if gap <= LIFETIMES.fresh {
                misses.push(pair[1].at);
            }
        }
        for pair in misses.windows(2) {
            prop_assert!(pair[1].saturating_sub(pair[0]) >= MISS_COOLDOWN);
        }
    }
}

/// What an hour costs a provider: 1,000 processes with ten requests a second each, started within 20 s. A new
/// key is published in minute 24 and signs more and more of the tokens until minute 44; an outage lasts from
/// minute 42 to 52. The documentation quotes what this prints:
/// `cargo test --lib a_thousand_processes -- --nocapture`
#[test]
fn a_thousand_processes_do_not_strike_together() {
    const PROCESSES: u64 = 1000;
    let mut state = 1u64;
    let mut random = move || {
        // Knuth's MMIX generator: every run has to be the same.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let (mut by_minute, mut by_second) = (BTreeMap::<u64, u64>::new(), BTreeMap::<u64, u64>::new());
    for process in 0..PROCESSES {
        let offset = Duration::from_millis(process * 20);
        let mut world = World::new(LIFETIMES, vec![0]);
        let origin = world.now;
        world.now = origin.later(offset);
        world.fetch(random());
        for tenth in 0..36_000u64 {
            let at = Duration::from_millis(tenth * 100) + offset;
            let minutes = at.as_secs_f64() / 60.0;
            world.now = origin.later(at);
            world.published = if minutes < 24.0 { vec![0] } else { vec![0, 1] };
            world.down = (42.0..52.0).contains(&minutes);
            let kid = u8::from(random() < (minutes - 24.0) / 20.0);
            assert_eq!(world.ask(kid, random()), Verdict::Accepted, "process {process}, {at:?}");
        }
        for fetch in &world.fetches {
            *by_minute.entry(fetch.at.as_secs() / 60).or_default() += 1;
            *by_second.entry(fetch.at.as_secs()).or_default() += 1;
        }
    }
    let total: u64 = by_minute.values().sum();
    println!("{total} fetches in all, {:.1} by process", total as f64 / PROCESSES as f64);
    for (minute, fetches) in &by_minute {
        let seconds = by_second.range(minute * 60..(minute + 1) * 60);
        let most = seconds.map(|(_, fetches)| *fetches).max().unwrap_or_default();
        println!("minute {minute:2}: {fetches:5}, at most {most:3} in a second");
    }
    // Six by age or rotation, and a dozen during the outage.
    assert!((15_000..25_000).contains(&total), "{total}");
    let most = by_second.values().max().unwrap();
    assert!(*most < PROCESSES / 3, "{most} in one second");
}

#[test]
fn a_miss_is_remembered_with_its_time() {
    let start = Now::at(1_800_000_000.0);
    let mut cache = Cache::seeded(KeySet::default(), LIFETIMES, start);
    assert!(!cache.misses.any_since(None) && !cache.misses.any_since(Some(start)));
    let missed_at = start.later(Duration::from_secs(5));
    cache.record_miss(KeyMatch::Unknown, missed_at);
    assert!(cache.misses.any_since(None) && cache.misses.any_since(Some(start)));
    assert!(!cache.misses.any_since(Some(missed_at)));
    assert!(!cache.misses.any_since(Some(missed_at.later(Duration::from_secs(1)))));
}
