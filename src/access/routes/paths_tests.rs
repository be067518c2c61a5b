//! Sets of paths, compared with all short paths over a small alphabet.

use proptest::prelude::*;

use super::*;
use crate::access::routes::pattern::matches;

/// A set by its elements: `+` is a segment.
fn set(elements: &str) -> PathSet {
    let mut set = PathSet::default();
    for element in elements.split_inclusive('+') {
        set.push_pattern(element.trim_end_matches('+'));
        if element.ends_with('+') {
            set.push_segment();
        }
    }
    set
}

fn share(a: &str, b: &str, outside: &[&str]) -> bool {
    let outside: Vec<_> = outside.iter().map(|other| set(other)).collect();
    share_path_outside(&set(a), &set(b), &outside)
}

#[test]
fn sets_share_a_path_that_others_have_not() {
    for (a, b, outside, expected) in [
        ("users/+", "users/alice", &[][..], true),
        ("users/+", "users/alice", &["users/alice"], false),
        ("users/+", "users/*", &["users/alice"], true),
        ("users/+", "users/", &[], false),
        ("users/+", "users/a/b", &[], false),
        ("t/+/u/+", "t/acme/*", &["t/acme/u/alice"], true),
        ("t/+/u/+", "t/acme/*", &["t/acme/u/*"], false),
        ("t/+/u/+", "t/acme/*", &["t/other/u/*"], true),
        ("t/+/u/+", "t/acme/u/*", &["t/acme/u/a*", "t/acme/u/*b"], true),
        ("t/+/u/+", "t/acme/o/*", &[], false),
        ("+/x", "*/x", &["*x"], false),
        ("a*", "*b", &["a*b"], false),
        ("a*", "*b", &["a*c*b"], true),
        ("*a*b*", "*b*a*", &["*a*b*a*", "*b*a*b*"], false),
        ("", "", &[], true),
        ("", "*", &["*"], false),
        ("+", "+", &["+"], false),
    ] {
        assert_eq!(share(a, b, outside), expected, "{a} {b} {outside:?}");
    }
}

#[test]
fn a_search_that_takes_too_long_counts_as_shared() {
    // Every path is in the last set. To find that out takes a state for each set of letters that were read.
    let outside = |letters: std::ops::RangeInclusive<char>| -> Vec<String> {
        let mut outside: Vec<_> = letters.map(|letter| format!("*{letter}*")).collect();
        outside.push("*".to_owned());
        outside
    };
    for (letters, expected) in [('a'..='f', false), ('a'..='p', true)] {
        let outside = outside(letters);
        let outside: Vec<_> = outside.iter().map(String::as_str).collect();
        assert_eq!(share("*", "*", &outside), expected, "{outside:?}");
    }
}

#[test]
fn fixed_segments_that_differ_are_seen_at_once() {
    for (a, b, expected) in [
        ("users/+", "pets/+", true),
        ("t/+/users", "t/+/pets", true),
        ("t/+/users", "t/acme/pets", true),
        ("t/+/users", "t/*/pets", false),
        ("t/+/users", "t/+/users", false),
        ("t/v+/users", "t/w+/users", false),
        ("users", "users/+", false),
    ] {
        assert_eq!(set(a).fixed_segments_differ(&set(b)), expected, "{a} {b}");
        assert!(!expected || !share(a, b, &[]), "{a} {b}");
    }
}

/// All texts of up to seven characters.
fn texts() -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut start = 0;
    for _ in 0..7 {
        let end = texts.len();
        for index in start..end {
            for letter in ['a', '/', 'x'] {
                texts.push(format!("{}{letter}", texts[index]));
            }
        }
        start = end;
    }
    texts
}

/// Whether a set has a text, read as a pattern with the segments of the text tried one by one.
fn has(elements: &str, text: &str) -> bool {
    match elements.split_once('+') {
        None => matches(elements, text),
        Some((before, after)) => (0..=text.len()).any(|start| {
            matches(before, &text[..start])
                && (start + 1..=text.len())
                    .take_while(|end| !text[start..*end].contains('/'))
                    .any(|end| has(after, &text[end..]))
        }),
    }
}

fn elements() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "/", "a", "*", "+"]), 0..=3)
        .prop_map(|elements| elements.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn the_search_agrees_with_all_short_paths(
        a in elements(),
        b in elements(),
        outside in prop::collection::vec(elements(), 0..=2),
    ) {
        let found = texts().iter().any(|text| {
            has(&a, text) && has(&b, text) && !outside.iter().any(|other| has(other, text))
        });
        let outside: Vec<&str> = outside.iter().map(String::as_str).collect();
        prop_assert_eq!(share(&a, &b, &outside), found, "{} {} {:?}", a, b, outside);
        prop_assert!(!set(&a).fixed_segments_differ(&set(&b)) || !share(&a, &b, &[]));
    }
}
