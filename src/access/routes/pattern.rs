//! Patterns of IAM. The only wildcard here is `*`: any characters, `/` included.

/// Whether a pattern matches this text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after_star, from)) = retry {
            (p, t) = (after_star, from + 1);
            retry = Some((p, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether every text that `inner` matches is also matched by `outer`.
///
/// It is enough to try one text: `inner` with each `*` taken for a character that `outer` does not name. If `outer`
/// matches that, only its own wildcards cover those characters, so they would cover anything else in their place.
/// A `*` in the text is such a character, since `outer` names none.
pub(crate) fn contains(outer: &str, inner: &str) -> bool {
    matches(outer, inner)
}

/// Whether some text is matched by both patterns.
pub(crate) fn intersect(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // Most patterns of a table begin or end differently.
    if fixed_parts_differ(a.iter(), b.iter()) || fixed_parts_differ(a.iter().rev(), b.iter().rev())
    {
        return false;
    }
    // `row[j]`: some text is matched by the first i bytes of `a` and by the first j bytes of `b`. A wildcard at the
    // end of one prefix covers nothing, or the last byte of the other prefix.
    let mut row = vec![false; b.len() + 1];
    for i in 0..=a.len() {
        let mut diagonal = false;
        for j in 0..=b.len() {
            let above = row[j];
            let has_wildcard = i > 0 && a[i - 1] == b'*' || j > 0 && b[j - 1] == b'*';
            row[j] = if i == 0 && j == 0 {
                true
            } else if has_wildcard {
                // In the first row nothing is above.
                above || j > 0 && row[j - 1]
            } else {
                i > 0 && j > 0 && a[i - 1] == b[j - 1] && diagonal
            };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// Whether the bytes differ before the first wildcard of one of them.
fn fixed_parts_differ<'p>(
    a: impl Iterator<Item = &'p u8>,
    b: impl Iterator<Item = &'p u8>,
) -> bool {
    for (a, b) in a.zip(b) {
        if *a == b'*' || *b == b'*' {
            return false;
        }
        if a != b {
            return true;
        }
    }
    false
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
pub(crate) mod tests;
