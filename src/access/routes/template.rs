//! The path of an entry: literal text, wildcards and variables.

use crate::access::routes::paths::PathSet;

/// A path without its first slash.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    /// `*`
    Wildcard,
    /// A variable that is a whole segment, by its name: `{petId}`.
    Segment(String),
    /// A variable that is less than one segment, by its name: `v{version}`.
    Part(String),
    /// A variable that can be several segments, by its name: `{proxy+}`.
    Greedy(String),
}

impl Template {
    /// Reads a path. `{name}`, `{name+}` and `*` are wildcards. IAM's `?` is not allowed, and no `{` is left that
    /// could begin a policy variable.
    pub(crate) fn parse(path: &str) -> Result<Self, &'static str> {
        let mut template = Self::default();
        let mut rest = path;
        while let Some(next) = rest.chars().next() {
            if next == '{' {
                rest = template.push_variable(rest)?;
                continue;
            }
            // RFC 3986 section 3.3, and `*` for any characters.
            if next == '*' {
                template.pieces.push(Piece::Wildcard);
            } else if next.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@%/".contains(next) {
                template.push_literal(next);
            } else {
                return Err("the path has a character that is not allowed in a route");
            }
            rest = &rest[1..];
        }
        Ok(template)
    }

    fn push_literal(&mut self, character: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(character);
        } else {
            self.pieces.push(Piece::Text(character.into()));
        }
    }

    /// Reads the variable at the start of `path`, and returns what comes after it.
    fn push_variable<'p>(&mut self, path: &'p str) -> Result<&'p str, &'static str> {
        let (name, rest) = path[1..].split_once('}').ok_or("`{` without `}`")?;
        let bare = name.strip_suffix('+').unwrap_or(name);
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if bare.is_empty() || !bare.chars().all(is_allowed) {
            return Err("`{` must begin a path variable, for example `{petId}` or `{proxy+}`");
        }
        let begins_segment = match self.pieces.last() {
            None => true,
            Some(Piece::Text(text)) => text.ends_with('/'),
            Some(_) => false,
        };
        let ends_segment = rest.is_empty() || rest.starts_with('/');
        let is_whole = begins_segment && ends_segment;
        let bare = bare.to_owned();
        self.pieces.push(match (name.ends_with('+'), is_whole) {
            (true, _) => Piece::Greedy(bare),
            (false, true) => Piece::Segment(bare),
            (false, false) => Piece::Part(bare),
        });
        Ok(rest)
    }

    /// The IAM pattern that matches every path of this template.
    pub(super) fn pattern(&self) -> String {
        self.with_values(&[])
    }

    /// The pattern of the paths in which these variables have these values.
    pub(super) fn with_values(&self, values: &[(&str, &str)]) -> String {
        let mut pattern = String::new();
        for piece in &self.pieces {
            let text = match piece {
                Piece::Text(text) => text,
                Piece::Segment(name) => value_of(name, values).unwrap_or("*"),
                Piece::Wildcard | Piece::Part(_) | Piece::Greedy(_) => "*",
            };
            // Two wildcards in a row match the same as one.
            if text != "*" || !pattern.ends_with('*') {
                pattern.push_str(text);
            }
        }
        pattern
    }

    /// The paths in which each `{name}` is one segment, or a part of one.
    pub(super) fn with_one_segment_each(&self) -> PathSet {
        let mut paths = PathSet::default();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => paths.push_pattern(text),
                Piece::Segment(_) | Piece::Part(_) => paths.push_segment(),
                Piece::Wildcard | Piece::Greedy(_) => paths.push_pattern("*"),
            }
        }
        paths
    }

    /// The paths in which these variables are one segment each, whatever it is. The others match slashes too.
    pub(super) fn with_segments_for(&self, variables: &[&str]) -> PathSet {
        let mut paths = PathSet::default();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => paths.push_pattern(text),
                Piece::Segment(name) if variables.contains(&name.as_str()) => paths.push_segment(),
                _ => paths.push_pattern("*"),
            }
        }
        paths
    }

    /// The first variable that matches slashes although literal text follows, unless it is one of those that have a
    /// value.
    pub(super) fn spanning_variable(&self, with_value: &[&str]) -> Option<&str> {
        let mut spanning = None;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) if spanning.is_some() && text != "/" => return spanning,
                Piece::Segment(name) if with_value.contains(&name.as_str()) => {}
                Piece::Segment(name) | Piece::Part(name) | Piece::Greedy(name)
                    if spanning.is_none() =>
                {
                    spanning = Some(name);
                }
                _ => {}
            }
        }
        None
    }

    /// Whether a variable can have a value: it occurs once, and is a whole segment.
    pub(crate) fn check_variable(&self, name: &str) -> Result<(), String> {
        let (mut segments, mut loose) = (0, 0);
        for piece in &self.pieces {
            match piece {
                Piece::Segment(other) if other == name => segments += 1,
                Piece::Part(other) | Piece::Greedy(other) if other == name => loose += 1,
                _ => {}
            }
        }
        match (segments, loose) {
            (1, 0) => Ok(()),
            (0, 0) => Err(format!("`path` names `{name}`, but the route has no `{{{name}}}`")),
            (0, 1) => Err(format!(
                "`path` names `{name}`: `{{{name}}}` must be a whole segment, without `+`"
            )),
            _ => Err(format!("`path` names `{name}`, but the route has it more than once")),
        }
    }
}

fn value_of<'v>(variable: &str, values: &[(&str, &'v str)]) -> Option<&'v str> {
    let (_, value) = values.iter().find(|(name, _)| *name == variable)?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_unique_whole_segment_can_have_a_value() {
        let template = |path| Template::parse(path).unwrap();
        for (path, name, problem) in [
            ("users/{id}", "id", ""),
            ("{id}", "id", ""),
            ("{id}/x", "id", ""),
            ("{a}/{id}", "id", ""),
            ("*/{id}/*", "id", ""),
            ("users", "id", "no `{id}`"),
            ("users/{ID}", "id", "no `{id}`"),
            ("users/{id+}", "id", "a whole segment"),
            ("users/u{id}", "id", "a whole segment"),
            ("users/{id}.json", "id", "a whole segment"),
            ("users/{id}{x}", "id", "a whole segment"),
            ("users/*{id}", "id", "a whole segment"),
            ("{id}/{id}", "id", "more than once"),
            ("{id}/x{id}", "id", "more than once"),
            ("{id+}/{id+}", "id", "more than once"),
        ] {
            let found = template(path).check_variable(name).err().unwrap_or_default();
            assert!(
                found.contains(problem) && found.is_empty() == problem.is_empty(),
                "{path}: {found}"
            );
        }
    }

    #[test]
    fn variables_without_a_value_become_wildcards() {
        let bound = |path: &str, names: &[&str]| {
            let numbers: Vec<_> = (0..names.len()).map(|number| format!("<{number}>")).collect();
            let values: Vec<_> =
                names.iter().copied().zip(numbers.iter().map(String::as_str)).collect();
            Template::parse(path).unwrap().with_values(&values)
        };
        assert_eq!(bound("{t}/users/{id}", &["id", "t"]), "<1>/users/<0>");
        assert_eq!(bound("{t}/users/{id}/*", &["id"]), "*/users/<0>/*");
        assert_eq!(bound("users/{id}/{proxy+}", &["id"]), "users/<0>/*");
        assert_eq!(bound("{id}", &["id"]), "<0>");
        assert_eq!(Template::parse("{t}/users/{id}/v{x}/**").unwrap().pattern(), "*/users/*/v*/*");
        assert_eq!(Template::parse("a{b}{c}*").unwrap().pattern(), "a*");
    }
}
