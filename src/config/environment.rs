//! The environment variables, read once. An unreadable variable does not count as unset.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// The variables of a process: `std::env::vars_os().collect()`. If a name comes twice, the later value counts.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl<N: AsRef<OsStr>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            // No setting has a name that is not UTF-8, but such a name can be a misspelled setting.
            let name = name.as_ref().to_string_lossy().into_owned();
            environment.0.insert(name, value.into());
        }
        environment
    }
}

/// Shows names only: values can hold secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The variable of this name, if it is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str()
    }

    /// The variable of this name. Bytes that are not UTF-8 are replaced.
    pub(crate) fn get_lossy(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(self.0.get(name)?.to_string_lossy())
    }

    /// Whether there is a variable of this name that is not UTF-8.
    pub(crate) fn is_unreadable(&self, name: &str) -> bool {
        self.0.contains_key(name) && self.get(name).is_none()
    }

    /// The names of all variables that are not blank.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for name in self.0.keys() {
            let is_blank = matches!(self.get(name), Some(value) if value.trim().is_empty());
            if !is_blank {
                names.push(&**name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn a_variable_that_is_not_utf_8_is_not_unset() {
        let bytes = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
        let variables = [
            (bytes(b"A"), bytes(b"a")),
            (bytes(b"B"), bytes(b"b\xff")),
            (bytes(b"C"), bytes(b" \t")),
            (bytes(b"D\xff"), bytes(b"d")),
            (bytes(b"A"), bytes(b"later")),
        ];
        let environment: Environment = variables.into_iter().collect();
        assert_eq!(environment.get("A"), Some("later"));
        assert_eq!((environment.get("B"), environment.get("E")), (None, None));
        assert!(environment.is_unreadable("B"));
        assert!(["A", "C", "E"].iter().all(|name| !environment.is_unreadable(name)));
        assert_eq!(environment.get_lossy("B").as_deref(), Some("b\u{fffd}"));
        assert_eq!(environment.names(), ["A", "B", "D\u{fffd}"]);
        assert!(!format!("{environment:?}").contains("later"));
    }
}
