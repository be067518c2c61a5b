//! Lambda stops the process as soon as it asks for the next event, for as long as none comes. Keys are refreshed between
//! an answer and that moment; what a freeze interrupts all the same is tried again.

use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::providers::{SHORT, SOON_AGING, good, let_age};
use super::support::idp::{Behaviour, Idp};
use super::support::process::Lambda;
use super::support::tokens::SigningKey;
use super::{assert_no_verdict, provider, said, start};

/// Longer than the time limit of a fetch in these tests, and longer than [`SOON_AGING`] keys are fresh.
pub(crate) const GAP: Duration = Duration::from_millis(1500);

/// A provider hangs for longer than any test takes.
pub(crate) const PATIENT: (&str, &str) = ("JWKS_TIMEOUT_MS", "10000");

pub(crate) fn count(lambda: &Lambda, message: &str) -> usize {
    lambda.log_lines().iter().filter(|line| line["message"] == message).count()
}

/// An invocation as on Lambda: the process runs from its event to the request for the next one.
pub(crate) fn thawed(lambda: &Lambda, event: &str) -> String {
    lambda.thaw();
    let answer = said(&lambda.invoke(event));
    lambda.freeze();
    answer
}

#[test]
fn a_withdrawn_key_serves_at_most_fresh_and_one_request_whatever_the_gaps() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[SOON_AGING, SHORT]);
    let event = good(&idp, &old);
    idp.behave(Behaviour::Delay(Duration::from_millis(50)));
    idp.serve(&[&new]);
    lambda.freeze();
    thread::sleep(GAP);
    assert_eq!(thawed(&lambda, &event), "Allow", "answered from the keys at hand");
    for _ in 0..3 {
        assert_eq!(thawed(&lambda, &event), "Deny key_unknown", "{}", lambda.output());
        thread::sleep(GAP);
    }
    assert_eq!(count(&lambda, "key refresh failed"), 0, "{}", lambda.output());
    lambda.thaw();
}

#[test]
fn a_provider_that_hangs_delays_no_answer_and_the_next_event_once_in_a_pause() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[SOON_AGING, SHORT]);
    let event = good(&idp, &key);
    idp.behave(Behaviour::Hang);
    let_age();
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    assert_eq!(count(&lambda, "key refresh failed"), 0, "the answer came before the refresh ended");
    // The process is stopped when it asks for the next event: what it has to say by then, it has written.
    lambda.freeze();
    let failed = lambda.wait_for_log(|line| line["message"] == "key refresh failed");
    assert_eq!((&failed["stage"], idp.fetches()), (&json!("timeout"), 2));
    lambda.thaw();
    for _ in 0..20 {
        assert_eq!(said(&lambda.invoke(&event)), "Allow");
    }
    assert_eq!(
        (idp.fetches(), count(&lambda, "key refresh failed")),
        (2, 1),
        "nothing more in the pause"
    );
}

#[test]
fn a_refresh_is_not_waited_for_beyond_half_a_second_before_the_deadline() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[SOON_AGING, PATIENT]);
    let event = good(&idp, &key);
    idp.behave(Behaviour::Hang);
    lambda.api().time_limit(Duration::from_secs(2));
    let_age();
    for _ in 0..2 {
        let deadline = SystemTime::now() + Duration::from_secs(2);
        assert_eq!(said(&lambda.invoke(&event)), "Allow");
        lambda.api().settle();
        assert!(SystemTime::now() < deadline, "the next event was asked for in time");
    }
    // The second invocation has taken the wait over: it began no other refresh, and did not go without.
    assert_eq!((idp.fetches(), count(&lambda, "key refresh failed")), (2, 0));
}

#[test]
fn with_several_invocations_at_once_only_the_one_that_began_a_refresh_waits() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[SOON_AGING, PATIENT, ("AWS_LAMBDA_MAX_CONCURRENCY", "2")]);
    let event = good(&idp, &key);
    idp.behave(Behaviour::Hang);
    let_age();
    // One of the two waits from the first of these on; the other one serves them all.
    for _ in 0..50 {
        assert_eq!(said(&lambda.invoke(&event)), "Allow");
    }
    assert_eq!((idp.fetches(), count(&lambda, "key refresh failed")), (2, 0));
    idp.behave(Behaviour::Healthy);
    lambda.wait_for_log(|line| line["message"] == "key refresh failed");
}

#[test]
fn what_a_freeze_interrupted_is_no_outage_and_tried_again() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[SOON_AGING, SHORT, ("METRICS_NAMESPACE", "Pets")]);
    idp.behave(Behaviour::Hang);
    let_age();
    assert_eq!(said(&lambda.invoke(&good(&idp, &old))), "Allow");
    while idp.fetches() < 2 {
        thread::yield_now();
    }
    // As if this was the end of the invocation's time, and then a long night.
    lambda.stop();
    idp.behave(Behaviour::Healthy);
    idp.down();
    idp.up();
    idp.serve(&[&old, &new]);
    thread::sleep(GAP);
    lambda.thaw();
    assert_eq!(said(&lambda.invoke(&good(&idp, &new))), "Allow", "{}", lambda.output());
    assert_eq!(count(&lambda, "key refresh failed"), 0, "{}", lambda.output());
    lambda.wait_for_log(|line| line["message"] == "key refresh interrupted by a freeze");
    lambda.wait_for_log(|line| line["message"] == "keys refreshed" && line["keys"] == 2);
    let counted =
        |name: &str| lambda.log_lines().iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    lambda.wait_for_log(|_| counted("KeyFetches") == 3);
    assert_eq!(counted("KeyFetchFailures"), 0, "{}", lambda.output());
}

/// What a token of `new` gets if the process is frozen during its key fetch, and the provider, which hung, has come back
/// with this key by then.
fn said_after_a_freeze(
    idp: &Idp,
    lambda: &Lambda,
    new: &SigningKey,
    behaviour: Behaviour,
    frozen: Duration,
) -> String {
    idp.behave(Behaviour::Hang);
    let ticket = lambda.submit(&good(idp, new));
    while idp.fetches() < 2 {
        thread::yield_now();
    }
    lambda.stop();
    idp.down();
    idp.up();
    idp.behave(behaviour);
    idp.serve(&[new]);
    thread::sleep(frozen);
    lambda.thaw();
    said(&lambda.wait(ticket))
}

#[test]
fn what_a_freeze_interrupted_says_nothing_about_a_key() {
    let old = SigningKey::rsa("k1");
    for new in [SigningKey::rsa("k2"), SigningKey::rsa_other("k1", 1)] {
        let idp = provider(&old);
        let lambda = start(&idp, &[SHORT]);
        let answer = said_after_a_freeze(&idp, &lambda, &new, Behaviour::Healthy, GAP);
        assert_eq!(answer, "Allow", "{}", lambda.output());
        assert_eq!((idp.fetches(), count(&lambda, "key refresh failed")), (3, 0));
    }
}

#[test]
fn time_frozen_does_not_count_as_waiting() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    // A request can wait for two seconds.
    let lambda = start(&idp, &[("JWKS_TIMEOUT_MS", "1000")]);
    let (slow, frozen) =
        (Behaviour::Delay(Duration::from_millis(600)), Duration::from_millis(1900));
    let answer = said_after_a_freeze(&idp, &lambda, &new, slow, frozen);
    assert_eq!(answer, "Allow", "{}", lambda.output());
}

#[test]
fn a_wait_that_freezes_break_again_and_again_ends_without_a_verdict() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[SHORT]);
    idp.behave(Behaviour::Hang);
    let event = good(&idp, &new);
    let ticket = lambda.submit(&event);
    let interrupted = || count(&lambda, "key refresh interrupted by a freeze");
    // Three waits, and two attempts in each.
    for n in 1..=6 {
        while idp.fetches() < n + 1 {
            thread::yield_now();
        }
        lambda.stop();
        if n == 6 {
            idp.behave(Behaviour::Healthy);
            idp.serve(&[&new]);
        }
        thread::sleep(Duration::from_millis(700));
        lambda.thaw();
        lambda.wait_for_log(|_| interrupted() as u64 == n);
    }
    assert_no_verdict(&lambda.wait(ticket), "keys_unavailable");
    // One more refresh was begun, and is not waited for before the answer.
    assert_eq!(said(&lambda.invoke(&event)), "Allow", "{}", lambda.output());
    assert_eq!((idp.fetches(), count(&lambda, "key refresh failed")), (8, 0));
}

#[test]
fn an_answer_to_an_earlier_question_does_not_stand_for_one_about_a_new_key() {
    let old = SigningKey::rsa("k1");
    for new in [SigningKey::rsa("k2"), SigningKey::rsa_other("k1", 1)] {
        let idp = provider(&old);
        let lambda = start(&idp, &[SOON_AGING, PATIENT]);
        idp.behave(Behaviour::Delay(Duration::from_millis(2000)));
        lambda.api().time_limit(Duration::from_millis(800));
        let_age();
        // The invocation's time ends before the refresh that it began.
        assert_eq!(said(&lambda.invoke(&good(&idp, &old))), "Allow");
        lambda.freeze();
        assert_eq!(idp.fetches(), 2);
        idp.behave(Behaviour::Healthy);
        idp.serve(&[&new]);
        lambda.api().time_limit(Duration::from_secs(20));
        lambda.thaw();
        // It gets the answer with the old key first.
        let answer = said(&lambda.invoke(&good(&idp, &new)));
        assert_eq!((&*answer, idp.fetches()), ("Allow", 3), "{}", lambda.output());
    }
}

#[test]
fn an_answer_that_lay_in_the_socket_is_as_old_as_its_question() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[SOON_AGING, ("JWKS_STALE_SECONDS", "2"), PATIENT]);
    let event = good(&idp, &old);
    idp.behave(Behaviour::Delay(Duration::from_millis(200)));
    let_age();
    assert_eq!(said(&lambda.invoke(&event)), "Allow");
    while idp.fetches() < 2 {
        thread::yield_now();
    }
    lambda.stop();
    // The provider answers with the old key to a process that does not read, and withdraws it.
    thread::sleep(Duration::from_millis(2500));
    idp.serve(&[&new]);
    lambda.thaw();
    assert_eq!(said(&lambda.invoke(&event)), "Deny key_unknown", "{}", lambda.output());
    lambda.wait_for_log(|_| count(&lambda, "keys refreshed") == 3);
    assert_eq!(idp.fetches(), 3, "the answer in the socket was read: {}", lambda.output());
}
