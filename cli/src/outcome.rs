//! What a command comes to.

/// The answer to the question that a command asks.
pub(crate) struct Outcome {
    /// For standard output.
    pub(crate) text: String,
    /// For standard error.
    pub(crate) notes: String,
    /// Whether everything is as it should be.
    pub(crate) is_expected: bool,
}

/// Why the question could not be answered.
pub(crate) struct Misuse(pub(crate) String);

impl<T: Into<String>> From<T> for Misuse {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

/// Text in which nothing drives the terminal: no control characters, and none that reorder or hide text.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => plain.push(c),
            _ => plain.extend(c.escape_debug()),
        }
    }
    plain
}
