//! Sets of paths, and whether two of them share a path that a third has not. Unlike IAM patterns, these sets can keep
//! a variable to one segment.

use std::collections::HashSet;

/// The most states of a search. Paths of real tables take some hundreds.
const MAX_STATES: usize = 2_000;

/// A byte that is in no template and in no value: any character that no set names.
const OTHER: u8 = 0;

/// The paths that match a sequence of elements.
#[derive(Clone, Debug, Default)]
pub(super) struct PathSet(Vec<Element>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Byte(u8),
    /// One or more characters, none of them a slash.
    Segment,
    /// Any characters, or none.
    Wildcard,
}

impl PathSet {
    /// The paths that an IAM pattern matches.
    pub(super) fn of_pattern(pattern: &str) -> Self {
        let mut set = Self::default();
        set.push_pattern(pattern);
        set
    }

    /// Appends an IAM pattern.
    pub(super) fn push_pattern(&mut self, pattern: &str) {
        for byte in pattern.bytes() {
            self.0.push(if byte == b'*' { Element::Wildcard } else { Element::Byte(byte) });
        }
    }

    /// Appends one or more characters other than a slash.
    pub(super) fn push_segment(&mut self) {
        self.0.push(Element::Segment);
    }

    /// Whether both sets have a first segment, second segment and so on that is fixed, and not the same: a quick way
    /// to see that they share nothing.
    pub(super) fn fixed_segments_differ(&self, other: &Self) -> bool {
        let ours = self.0.split(|element| *element == Element::Byte(b'/'));
        let theirs = other.0.split(|element| *element == Element::Byte(b'/'));
        for (ours, theirs) in ours.zip(theirs) {
            if ours.contains(&Element::Wildcard) || theirs.contains(&Element::Wildcard) {
                return false;
            }
            let is_fixed = !ours.contains(&Element::Segment) && !theirs.contains(&Element::Segment);
            if is_fixed && ours != theirs {
                return true;
            }
        }
        false
    }

    /// The elements that can come next, by their places, once nothing is read.
    fn start(&self) -> Vec<usize> {
        let mut places = Vec::new();
        self.push_place(0, &mut places);
        places
    }

    /// The elements that can come next after one more byte. All places are in rising order.
    fn step(&self, places: &[usize], byte: u8) -> Vec<usize> {
        let mut next = Vec::new();
        for place in places {
            match self.0.get(*place) {
                Some(Element::Byte(expected)) if *expected == byte => {
                    self.push_place(place + 1, &mut next);
                }
                Some(Element::Segment) if byte != b'/' => {
                    self.push_place(*place, &mut next);
                    self.push_place(place + 1, &mut next);
                }
                Some(Element::Wildcard) => self.push_place(*place, &mut next),
                _ => {}
            }
        }
        next
    }

    /// Adds a place. What comes after a wildcard can come in its place. What comes before it is superfluous: all
    /// that could follow there can also follow from the wildcard.
    fn push_place(&self, place: usize, places: &mut Vec<usize>) {
        if self.0.get(place) == Some(&Element::Wildcard) {
            places.clear();
            places.push(place);
            self.push_place(place + 1, places);
        } else if !places.contains(&place) {
            places.push(place);
        }
    }

    fn is_end(&self, places: &[usize]) -> bool {
        places.contains(&self.0.len())
    }

    /// Adds the bytes that lead on from these places and from no other.
    fn push_bytes(&self, places: &[usize], bytes: &mut Vec<u8>) {
        for place in places {
            if let Some(Element::Byte(byte)) = self.0.get(*place)
                && !bytes.contains(byte)
            {
                bytes.push(*byte);
            }
        }
    }
}

/// Whether two sets share a path that none of the others has. The search is exact; if it takes more than
/// [`MAX_STATES`], the answer is yes.
pub(super) fn share_path_outside(a: &PathSet, b: &PathSet, outside: &[PathSet]) -> bool {
    let sets: Vec<&PathSet> = [a, b].into_iter().chain(outside).collect();
    let start: Vec<Vec<usize>> = sets.iter().map(|set| set.start()).collect();
    let mut seen = HashSet::from([start.clone()]);
    let mut pending = vec![start];
    while let Some(state) = pending.pop() {
        let mut ends = Vec::new();
        // All bytes that no set names at this place lead to the same state, unless one is a slash.
        let mut bytes = vec![OTHER, b'/'];
        for (set, places) in sets.iter().zip(&state) {
            ends.push(set.is_end(places));
            set.push_bytes(places, &mut bytes);
        }
        if ends[0] && ends[1] && !ends[2..].contains(&true) {
            return true;
        }
        for byte in bytes {
            let mut next = Vec::with_capacity(sets.len());
            for (set, places) in sets.iter().zip(&state) {
                next.push(set.step(places, byte));
                if next.len() <= 2 && next.last().is_some_and(Vec::is_empty) {
                    break;
                }
            }
            if next.len() == sets.len() && !seen.contains(&next) {
                if seen.len() == MAX_STATES {
                    return true;
                }
                seen.insert(next.clone());
                pending.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
