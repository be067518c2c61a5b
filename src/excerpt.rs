//! Strings of tokens and key sets, made safe to log.

use std::borrow::Cow;

/// The most characters of such a string that are shown.
const MAX_SHOWN_CHARACTERS: usize = 128;

/// The first characters of a string, safe to log. JSON escapes control characters, but not those at which some
/// readers break lines, those that reorder text in a terminal, and most that are invisible. These are escaped here.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    let text = cut(text);
    if text.bytes().all(|byte| byte < 0x7f) {
        return Cow::Borrowed(text);
    }
    let mut excerpt = String::with_capacity(text.len());
    for c in text.chars() {
        if c < '\u{7f}' {
            excerpt.push(c);
        } else {
            // Escapes what Rust does not consider printable, and combining marks, which have no width of their own.
            excerpt.extend(c.escape_debug());
        }
    }
    Cow::Owned(excerpt)
}

/// The first characters of a string, as they are.
pub(crate) fn cut(text: &str) -> &str {
    // Every character has at least one byte.
    if text.len() <= MAX_SHOWN_CHARACTERS {
        return text;
    }
    let end = text.char_indices().nth(MAX_SHOWN_CHARACTERS).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
