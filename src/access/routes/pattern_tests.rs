//! Patterns, compared with every text of a small alphabet and with automata built for these tests.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// All strings of up to this many characters of the alphabet.
fn texts(alphabet: &str, longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last
            .iter()
            .flat_map(|text| alphabet.chars().map(move |c| format!("{text}{c}")))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

fn pattern(longest: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!['a', 'b', '/', '*', '*']), 0..=longest)
        .prop_map(|pattern| pattern.into_iter().collect())
}

/// Matching, written down as its definition.
fn is_matched(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|end| is_matched(&pattern[1..], &text[end..])),
        Some(literal) => {
            text.strip_prefix(literal).is_some_and(|rest| is_matched(&pattern[1..], rest))
        }
    }
}

/// The positions that a pattern can reach after one more character. A wildcard can match nothing.
fn step(pattern: &[u8], at: &BTreeSet<usize>, c: u8) -> BTreeSet<usize> {
    let after = at.iter().filter_map(|position| match pattern.get(*position) {
        Some(b'*') => Some(*position),
        Some(literal) if *literal == c => Some(position + 1),
        _ => None,
    });
    closure(pattern, after.collect())
}

fn closure(pattern: &[u8], mut at: BTreeSet<usize>) -> BTreeSet<usize> {
    while let Some(next) =
        at.iter().find(|p| pattern.get(**p) == Some(&b'*') && !at.contains(&(**p + 1)))
    {
        let next = next + 1;
        at.insert(next);
    }
    at
}

/// Whether `is_wanted` is true for some text of any length, given whether each pattern matches it: a search through
/// the product of their automata, over the characters of both and one of neither.
fn some_text(a: &str, b: &str, is_wanted: fn(bool, bool) -> bool) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let alphabet: BTreeSet<u8> =
        a.iter().chain(b).copied().filter(|c| *c != b'*').chain([b'\n']).collect();
    let start = (closure(a, BTreeSet::from([0])), closure(b, BTreeSet::from([0])));
    let (mut seen, mut next) = (BTreeSet::from([start.clone()]), vec![start]);
    while let Some((at_a, at_b)) = next.pop() {
        if is_wanted(at_a.contains(&a.len()), at_b.contains(&b.len())) {
            return true;
        }
        for c in &alphabet {
            let after = (step(a, &at_a, *c), step(b, &at_b, *c));
            if seen.insert(after.clone()) {
                next.push(after);
            }
        }
    }
    false
}

/// Whether some text is matched by both.
pub(crate) fn overlap(a: &str, b: &str) -> bool {
    some_text(a, b, |in_a, in_b| in_a && in_b)
}

/// Whether all texts of `inner` are matched by `outer`.
pub(crate) fn lies_in(inner: &str, outer: &str) -> bool {
    !some_text(inner, outer, |in_inner, in_outer| in_inner && !in_outer)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn patterns_compare_as_their_automata_do(a in pattern(9), b in pattern(9)) {
        prop_assert_eq!(intersect(&a, &b), overlap(&a, &b), "{} {}", a, b);
        prop_assert_eq!(contains(&a, &b), lies_in(&b, &a), "{} {}", a, b);
        prop_assert_eq!(intersect(&a, &b), intersect(&b, &a));
        prop_assert!(intersect(&a, &a) && contains(&a, &a) && contains("*", &a));
    }

    /// `z` is a character of no pattern.
    #[test]
    fn patterns_compare_as_their_short_texts_do(a in pattern(4), b in pattern(4)) {
        let texts = texts("abz/", 6);
        let matched = |pattern: &str| -> Vec<bool> { texts.iter().map(|text| is_matched(pattern, text)).collect() };
        let (of_a, of_b) = (matched(&a), matched(&b));
        for (text, expected) in texts.iter().zip(&of_a) {
            prop_assert_eq!(matches(&a, text), *expected, "{} {}", a, text);
        }
        let both = || of_a.iter().zip(&of_b);
        // Six characters are enough for four of each: where both have a wildcard, they have three others.
        prop_assert_eq!(intersect(&a, &b), both().any(|(in_a, in_b)| *in_a && *in_b), "{} {}", a, b);
        prop_assert_eq!(contains(&a, &b), both().all(|(in_a, in_b)| !in_b || *in_a), "{} {}", a, b);
    }
}

#[test]
fn patterns_intersect() {
    for (a, b, expected) in [
        ("", "", true),
        ("", "*", true),
        ("", "a", false),
        ("a", "b", false),
        ("users/*", "users/me", true),
        ("users/*", "users/*/posts", true),
        ("users/*/posts", "*/posts/1", false),
        ("users/*/posts", "*/posts/1/*", true),
        ("users/*", "user", false),
        ("*/posts", "users/*", true),
        ("*a", "b*", true),
        ("a*", "b*", false),
        ("*a", "*b", false),
        ("a*b", "*c*", true),
        ("a*a", "a", false),
        ("ab*ba", "aba", false),
        ("ab*ba", "a*a", true),
        ("a*b*c", "a*c*b", false),
        ("a*b*c", "a*c*b*", true),
    ] {
        assert_eq!(intersect(a, b), expected, "{a} {b}");
        assert_eq!(intersect(b, a), expected, "{b} {a}");
    }
}

#[test]
fn a_pattern_contains_another() {
    for (outer, inner, expected) in [
        ("users/*", "users/me", true),
        ("users/*", "users/*", true),
        ("users/*", "users/*/posts", true),
        ("users/*/posts", "users/*", false),
        ("*/posts", "users/*/posts", true),
        ("users/*", "*", false),
        ("*", "", true),
        ("*a*", "*a", true),
        ("*a", "*a*", false),
        ("a*a", "a", false),
        ("*ab*", "a*b", false),
        ("*a*b*", "a*b", true),
    ] {
        assert_eq!(contains(outer, inner), expected, "{inner} in {outer}");
    }
}
