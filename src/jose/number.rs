//! Numbers of JSON, compared by their decimal digits. As floats, large numbers would equal their neighbours.

use serde_json::Number;

/// Whether two numbers are the same: 2 is 2.0, and 1e2 is 100.
pub(crate) fn equal(a: &Number, b: &Number) -> bool {
    a == b || Decimal::of(&a.to_string()) == Decimal::of(&b.to_string())
}

/// The numbers of a JSON text that have more digits than are kept when it is read: as they are read, they equal
/// numbers that they are not.
pub(crate) fn rounded(text: &str) -> Vec<Number> {
    let mut rounded = Vec::new();
    for literal in literals(text) {
        if let Ok(number) = serde_json::from_str::<Number>(literal)
            && number.is_f64()
            && Decimal::of(literal) != Decimal::of(&number.to_string())
        {
            rounded.push(number);
        }
    }
    rounded
}

/// The numbers in a JSON text, as they are written.
fn literals(text: &str) -> Vec<&str> {
    let mut literals = Vec::new();
    let (mut start, mut in_string, mut escaped) = (None, false, false);
    for (index, byte) in text.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        let in_number = match byte {
            b'0'..=b'9' | b'-' => true,
            b'.' | b'e' | b'E' | b'+' => start.is_some(),
            _ => false,
        };
        match start {
            None if in_number => start = Some(index),
            Some(first) if !in_number => {
                literals.push(&text[first..index]);
                start = None;
            }
            _ => {}
        }
        in_string = byte == b'"';
    }
    if let Some(first) = start {
        literals.push(&text[first..]);
    }
    literals
}

/// A number as its digits, without zeros at either end, and the power of ten that they are multiplied with.
#[derive(Debug, PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number of JSON, unless its exponent is too large to be compared.
    fn of(literal: &str) -> Option<Self> {
        let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = [whole, fraction].concat();
        let digits = all.trim_end_matches('0');
        let zeros = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let exponent: i64 = exponent.parse().ok()?;
        let shift = zeros - i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.checked_add(shift)?;
        Some(Self { negative: mantissa != unsigned, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_their_value_not_their_spelling() {
        for (a, b, expected) in [
            ("2", "2.0", true),
            ("1e2", "100", true),
            ("1E+2", "100.00", true),
            ("-0", "0", true),
            ("0.0", "0e5", true),
            ("-1", "1", false),
            ("1.5", "15e-1", true),
            ("0.1", "0.01", false),
            ("9007199254740993", "9007199254740992.0", false),
            ("18446744073709551615", "18446744073709551615", true),
            ("18446744073709551615", "18446744073709551614", false),
            ("18446744073709549568", "1.844674407370955e19", false),
            ("100000000000000000000", "1e20", true),
            ("1e20", "1e21", false),
        ] {
            assert_eq!(equal(&number(a), &number(b)), expected, "{a} {b}");
            assert_eq!(equal(&number(b), &number(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn numbers_with_too_many_digits_are_found() {
        for (text, expected) in [
            ("20000000000000000001", 1),
            ("20000000000000000000", 0),
            ("18446744073709551615", 0),
            ("18446744073709551616", 1),
            ("-9223372036854775808", 0),
            ("-9223372036854775809", 1),
            ("1e400", 0),
            ("1e-400", 1),
            ("0e-400", 0),
            ("0.1", 0),
            ("0.10000000000000000001", 1),
            ("1.0000000000000000000", 0),
            ("1.0000000000000000001", 1),
            ("1800000000.123456", 0),
            (r#"{"a":[20000000000000000001,{"b":-1.0000000000000000001}],"c":1}"#, 2),
            (r#"{"a":"20000000000000000001","\"20000000000000000001":"\\"}"#, 0),
            (r#"["\\",20000000000000000001]"#, 1),
            ("", 0),
        ] {
            assert_eq!(rounded(text).len(), expected, "{text}");
        }
        let text = r#"{"n":20000000000000000001}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(rounded(text), [value["n"].as_number().unwrap().clone()]);
    }
}
