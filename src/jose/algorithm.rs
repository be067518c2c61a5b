//! The signature algorithms (RFC 7518 section 3.1, RFC 8037): a closed list, and sets of it.

use std::fmt;

pub(crate) use jsonwebtoken::Algorithm;

/// Every algorithm that can be allowed, by the name it has in a header and in the `ALGORITHMS` setting.
const NAMES: [(&str, Algorithm); 12] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
];

/// The algorithm of this exact name in a header or a key. `none` is not on the list, so nothing can allow it.
pub(crate) fn named(name: &str) -> Option<Algorithm> {
    // RFC 9864 gives Ed25519 a name of its own; `EdDSA` means the same here, since Ed448 is not supported.
    if name == "Ed25519" { Some(Algorithm::EdDSA) } else { listed(name) }
}

/// The algorithm of this name in the `ALGORITHMS` setting.
fn listed(name: &str) -> Option<Algorithm> {
    for (known, algorithm) in NAMES {
        if known == name {
            return Some(algorithm);
        }
    }
    None
}

/// A set of algorithms.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Algorithms(u16);

impl Algorithms {
    pub(crate) const COUNT: usize = NAMES.len();

    /// The names of all algorithms, in the order of the documentation.
    pub(crate) const NAMES: [&str; Self::COUNT] = {
        let mut names = [""; Self::COUNT];
        let mut n = 0;
        while n < Self::COUNT {
            names[n] = NAMES[n].0;
            n += 1;
        }
        names
    };

    pub(crate) const ALL: Self = Self((1 << Self::COUNT) - 1);

    pub(crate) const RSA: Self = Self(
        Self::of(Algorithm::RS256).0
            | Self::of(Algorithm::RS384).0
            | Self::of(Algorithm::RS512).0
            | Self::of(Algorithm::PS256).0
            | Self::of(Algorithm::PS384).0
            | Self::of(Algorithm::PS512).0,
    );

    pub(crate) const HMAC: Self = Self(
        Self::of(Algorithm::HS256).0 | Self::of(Algorithm::HS384).0 | Self::of(Algorithm::HS512).0,
    );

    pub(crate) const fn of(algorithm: Algorithm) -> Self {
        Self(1 << algorithm as u16)
    }

    /// The set that a list of names spells. The error is the first name that is not on the list.
    pub(crate) fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut set = Self::default();
        for name in names {
            let Some(algorithm) = listed(name) else { return Err(name.to_owned()) };
            set = set | Self::of(algorithm);
        }
        Ok(set)
    }

    pub(crate) const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & Self::of(algorithm).0 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the whole list, for messages.
    pub(crate) fn known() -> String {
        Self::NAMES.join(" ")
    }

    /// The names of its members.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for (name, algorithm) in NAMES {
            if self.contains(algorithm) {
                names.push(name);
            }
        }
        names
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Algorithm> {
        NAMES.into_iter().map(|(_, algorithm)| algorithm).filter(move |one| self.contains(*one))
    }
}

impl std::ops::BitOr for Algorithms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitAnd for Algorithms {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for (name, algorithm) in NAMES {
            assert_eq!(named(name), Some(algorithm));
            assert_eq!(format!("{algorithm:?}"), name);
        }
        assert_eq!(named("Ed25519"), Some(Algorithm::EdDSA));
        for name in [
            "none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "Ed448", "ES512", "ES256K",
            "RSA-OAEP",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_was_named() {
        let set = Algorithms::parse(["RS256", "EdDSA"]).unwrap();
        assert!(set.contains(Algorithm::RS256) && set.contains(Algorithm::EdDSA));
        assert!(!set.contains(Algorithm::RS384) && !set.contains(Algorithm::HS256));
        assert_eq!(set.iter().count(), 2);
        assert_eq!(Algorithms::parse(["RS256", "none"]), Err("none".to_owned()));
    }
}
