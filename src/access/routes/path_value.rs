//! Values of claims that can be a segment of a path.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

/// The longest value.
pub(super) const MAX_LEN: usize = 128;

/// The largest number. Beyond it, JSON readers no longer tell whole numbers apart.
const MAX_NUMBER: u64 = 1 << 53;

/// Why a claim has no value that can be a segment of a path. Displayed, it follows the claim's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoValue {
    /// The token has no such claim.
    Absent,
    /// It is neither a string nor a whole number from 0 to 2^53, written in digits alone.
    Type,
    /// It is empty, or has more than 128 characters.
    Length,
    /// It has a character other than `A-Z a-z 0-9 - . _ ~`.
    Character,
    /// It is `.` or `..`.
    Dots,
}

/// Checks that a string can be a segment of a path. Nothing is decoded or encoded, and no character is allowed that
/// IAM or a backend could read as something else: a wildcard, a slash, a `%`.
pub(crate) fn check(text: &str) -> Result<&str, NoValue> {
    if text == "." || text == ".." {
        return Err(NoValue::Dots);
    }
    for byte in text.bytes() {
        if !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte) {
            return Err(NoValue::Character);
        }
    }
    if text.is_empty() || text.len() > MAX_LEN {
        return Err(NoValue::Length);
    }
    Ok(text)
}

/// The value of a claim.
pub(super) fn of_claim(claim: Option<&Value>) -> Result<Cow<'_, str>, NoValue> {
    match claim {
        None => Err(NoValue::Absent),
        Some(Value::String(text)) => Ok(Cow::Borrowed(check(text)?)),
        // JSON with a fraction, an exponent or a sign is no `u64`.
        Some(Value::Number(number)) => match number.as_u64() {
            Some(number) if number <= MAX_NUMBER => Ok(Cow::Owned(number.to_string())),
            _ => Err(NoValue::Type),
        },
        Some(_) => Err(NoValue::Type),
    }
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "is absent",
            Self::Type => "is neither a string nor a whole number up to 2^53",
            Self::Length => "is empty or has more than 128 characters",
            Self::Character => "has a character that is not allowed in a path",
            Self::Dots => "is `.` or `..`",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_plain_strings_and_whole_numbers_are_path_values() {
        let value = |json: &str| {
            let claim: Value = serde_json::from_str(json).unwrap();
            of_claim(Some(&claim)).map(Cow::into_owned)
        };
        let (longest, too_long) = ("x".repeat(128), "x".repeat(129));
        for (json, expected) in [
            (r#""alice""#, Ok("alice")),
            (r#""AZaz09-._~""#, Ok("AZaz09-._~")),
            (r#""...""#, Ok("...")),
            (r#""0""#, Ok("0")),
            (r#""\u0061""#, Ok("a")),
            ("0", Ok("0")),
            ("7", Ok("7")),
            ("9007199254740992", Ok("9007199254740992")),
            (&format!("\"{longest}\""), Ok(&*longest)),
            (&format!("\"{too_long}\""), Err(NoValue::Length)),
            (r#""""#, Err(NoValue::Length)),
            (r#"".""#, Err(NoValue::Dots)),
            (r#""..""#, Err(NoValue::Dots)),
            ("9007199254740993", Err(NoValue::Type)),
            ("18446744073709551615", Err(NoValue::Type)),
            ("18446744073709551616", Err(NoValue::Type)),
            ("7.0", Err(NoValue::Type)),
            ("7e0", Err(NoValue::Type)),
            ("-0", Err(NoValue::Type)),
            ("-7", Err(NoValue::Type)),
            ("true", Err(NoValue::Type)),
            ("[\"alice\"]", Err(NoValue::Type)),
            ("{\"a\":1}", Err(NoValue::Type)),
        ] {
            assert_eq!(value(json), expected.map(str::to_owned), "{json}");
        }
        assert_eq!(of_claim(None), Err(NoValue::Absent));
        for text in
            (0..=0x17f).filter_map(char::from_u32).chain(['\u{ff0e}', '\u{2024}', '\u{202e}'])
        {
            let is_listed = text.is_ascii_alphanumeric() || "-._~".contains(text);
            let found = of_claim(Some(&json!(format!("a{text}b")))).is_ok();
            assert_eq!(found, is_listed, "{text:?}");
        }
        for bad in [
            "auth0|123",
            "a@example.com",
            "*",
            "a*",
            "?",
            "${aws:username}",
            "a/b",
            "a%2fb",
            "a b",
            "",
            "a\u{0}",
        ] {
            assert!(of_claim(Some(&json!(bad))).is_err(), "{bad}");
        }
    }
}
