//! Patterns of IAM, and the paths that they are made of. The one wildcard here is `*`: any characters, `/` included.

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
    // `row[j]`: the first i bytes of `a` and the first j bytes of `b` have a text in common. A wildcard at the end of
    // one prefix covers nothing, or whatever the other prefix ends in.
    let mut row: Vec<bool> = vec![false; b.len() + 1];
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

/// The path of an entry, without its first slash.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// The names of variables that stand for more, or less, than one segment: `{proxy+}`, `v{version}`.
    loose: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    /// Literal text and wildcards.
    Text(String),
    /// A variable that is a whole segment, by its name.
    Segment(String),
}

/// A part of a path in which some variables have values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// Literal text and wildcards.
    Text(String),
    /// The place of a value, by its number.
    Value(usize),
}

impl Template {
    /// Reads a path: `{name}`, `{name+}` and `*` are wildcards. `?`, IAM's any one character, cannot stand in a
    /// path, and no `{` is left that could make a policy variable.
    pub(crate) fn parse(path: &str) -> Result<Self, &'static str> {
        let mut template = Self { pieces: Vec::new(), loose: Vec::new() };
        let mut text = String::new();
        let mut rest = path;
        while let Some(next) = rest.chars().next() {
            if next == '{' {
                let (name, after) = rest[1..].split_once('}').ok_or("`{` without `}`")?;
                let is_first = text.is_empty() && template.pieces.is_empty();
                let is_segment = (is_first || text.ends_with('/'))
                    && (after.is_empty() || after.starts_with('/'));
                let one = name.strip_suffix('+').unwrap_or(name);
                let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if one.is_empty() || !one.chars().all(is_name) {
                    return Err("`{` must begin a path variable, as `{petId}` or `{proxy+}`");
                }
                if is_segment && one == name {
                    template.pieces.push(Piece::Text(std::mem::take(&mut text)));
                    template.pieces.push(Piece::Segment(name.to_owned()));
                } else {
                    template.loose.push(one.to_owned());
                    push_wildcard(&mut text);
                }
                rest = after;
            } else if next.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(next) {
                // RFC 3986 section 3.3, and `*` for any characters.
                if next == '*' {
                    push_wildcard(&mut text)
                } else {
                    text.push(next)
                }
                rest = &rest[1..];
            } else {
                return Err("the path has a character that cannot stand in a route");
            }
        }
        template.pieces.push(Piece::Text(text));
        Ok(template)
    }

    /// The pattern of all paths that this one stands for.
    pub(crate) fn pattern(&self) -> String {
        let text = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Segment(_) => "*",
        });
        text.collect()
    }

    /// Whether a variable can have a value: it stands once, and is a whole segment.
    pub(crate) fn check_variable(&self, name: &str) -> Result<(), String> {
        let is_named = |piece: &&Piece| matches!(piece, Piece::Segment(other) if other == name);
        let segments = self.pieces.iter().filter(is_named).count();
        let loose = self.loose.iter().filter(|other| *other == name).count();
        match (segments, loose) {
            (1, 0) => Ok(()),
            (0, 0) => Err(format!("`path` names `{name}`, and the path has no `{{{name}}}`")),
            (0, 1) => Err(format!(
                "`path` names `{name}`: want `{{{name}}}` as a whole segment, without `+`"
            )),
            _ => Err(format!("`path` names `{name}`, and the path has it more than once")),
        }
    }

    /// The path with the places of values for these variables, and wildcards for the others.
    pub(crate) fn bind(&self, values: &[(String, usize)]) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(more) => text.push_str(more),
                Piece::Segment(name) => match values.iter().find(|(other, _)| other == name) {
                    Some((_, value)) => {
                        parts.extend([Part::Text(std::mem::take(&mut text)), Part::Value(*value)])
                    }
                    None => text.push('*'),
                },
            }
        }
        parts.push(Part::Text(text));
        parts
    }
}

/// One wildcard after another matches no more than one alone.
fn push_wildcard(text: &mut String) {
    if !text.ends_with('*') {
        text.push('*');
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
pub(crate) mod tests;
