//! Plain scalars to values, by the rules of YAML 1.1 as PyYAML has them (`Resolver` and `SafeConstructor`).

use super::time::{self, Time};
use super::tree::Value;

/// What a plain scalar is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    /// `<<`.
    Merge,
    Text,
}

impl Kind {
    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Int | Self::Float => "number",
            Self::Timestamp => "date",
            Self::Merge | Self::Text => "text",
        }
    }

    /// The kind of a tag's name behind `tag:yaml.org,2002:`.
    pub(super) fn of_tag(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "timestamp" => Self::Timestamp,
            "str" => Self::Text,
            _ => return None,
        })
    }
}

/// What a plain scalar is taken for.
pub(super) fn resolve(text: &str) -> Kind {
    match text.as_bytes().first() {
        None => Kind::Null,
        Some(b'~') if text == "~" => Kind::Null,
        Some(b'n' | b'N') if matches!(text, "null" | "Null" | "NULL") => Kind::Null,
        Some(b'<') if text == "<<" => Kind::Merge,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O') => {
            if boolean(text).is_some() { Kind::Bool } else { Kind::Text }
        }
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {
            if is_float(text) {
                Kind::Float
            } else if is_int(text) {
                Kind::Int
            } else if time::looks_like(text) {
                Kind::Timestamp
            } else {
                Kind::Text
            }
        }
        Some(_) => Kind::Text,
    }
}

/// The text's value as a kind. Errors: why it is none.
pub(super) fn construct(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Null => Ok(Value::Null),
        Kind::Bool => {
            let lower = text.to_ascii_lowercase();
            boolean(&lower).map(Value::Bool).ok_or("booleans are yes, no, true, false, on and off")
        }
        Kind::Int => int(text).map(Value::Int),
        Kind::Float => float(text).map(Value::Float),
        Kind::Timestamp => Time::parse(text)
            .filter(|_| time::looks_like(text))
            .map(Value::Time)
            .ok_or("there is no such day or time of day"),
        Kind::Merge | Kind::Text => Ok(Value::Text(text.into())),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(|byte| byte == b'_' || fits(byte))
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Parts behind the first of a base-60 number: one or two digits, below 60.
fn is_sixtieth(part: &str) -> bool {
    match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, ones] => (b'0'..=b'5').contains(tens) && ones.is_ascii_digit(),
        _ => false,
    }
}

fn is_int(text: &str) -> bool {
    let digits = unsigned(text);
    if let Some(rest) = digits.strip_prefix("0b") {
        return !rest.is_empty() && all(rest, |byte| matches!(byte, b'0' | b'1'));
    }
    if let Some(rest) = digits.strip_prefix("0x") {
        return !rest.is_empty() && all(rest, |byte| byte.is_ascii_hexdigit());
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return all(rest, |byte| (b'0'..=b'7').contains(&byte));
    }
    let mut parts = digits.split(':');
    let first = parts.next().unwrap_or_default();
    starts_with_digit(first) && all(first, |byte| byte.is_ascii_digit()) && parts.all(is_sixtieth)
}

fn is_float(text: &str) -> bool {
    let digits = unsigned(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, part)) = digits.split_once('.') else { return false };
    if whole.contains(':') {
        let mut parts = whole.split(':');
        let first = parts.next().unwrap_or_default();
        return starts_with_digit(first)
            && all(first, |byte| byte.is_ascii_digit())
            && parts.all(is_sixtieth)
            && all(part, |byte| byte.is_ascii_digit());
    }
    // `.5` may have no sign and needs a digit; `5.` needs none behind the dot.
    let begins = if whole.is_empty() {
        digits.len() == text.len() && starts_with_digit(part)
    } else {
        starts_with_digit(whole) && all(whole, |byte| byte.is_ascii_digit())
    };
    begins && is_fraction(part)
}

/// Digits, then perhaps an exponent, which must have a sign.
fn is_fraction(part: &str) -> bool {
    let (digits, exponent) = match part.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (part, None),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['-', '+']).is_some_and(|power| {
            !power.is_empty() && power.bytes().all(|byte| byte.is_ascii_digit())
        })
    });
    all(digits, |byte| byte.is_ascii_digit()) && is_exponent
}

/// Largest sum of a base-60 number; what is larger is no time of day.
const BEYOND: &str = "it is too large or has no digits";

fn int(text: &str) -> Result<i128, &'static str> {
    let clean = text.replace('_', "");
    let digits = unsigned(&clean);
    let value = if digits == "0" {
        Ok(0)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        i128::from_str_radix(rest, 2)
    } else if let Some(rest) = digits.strip_prefix("0x") {
        i128::from_str_radix(rest, 16)
    } else if digits.starts_with('0') {
        i128::from_str_radix(digits, 8)
    } else if digits.contains(':') {
        return sixties(digits).map(|value| if clean.starts_with('-') { -value } else { value });
    } else {
        digits.parse()
    };
    let value = value.map_err(|_| BEYOND)?;
    Ok(if clean.starts_with('-') { -value } else { value })
}

fn sixties(digits: &str) -> Result<i128, &'static str> {
    digits.split(':').try_fold(0_i128, |sum, part| {
        let part: i128 = part.parse().map_err(|_| BEYOND)?;
        sum.checked_mul(60).and_then(|sum| sum.checked_add(part)).ok_or(BEYOND)
    })
}

fn float(text: &str) -> Result<f64, &'static str> {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let (sign, digits) = match clean.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, unsigned(&clean)),
    };
    match digits {
        ".inf" => return Ok(sign * f64::INFINITY),
        ".nan" => return Ok(f64::NAN),
        _ => {}
    }
    if digits.contains(':') {
        // The order of Python's additions: from the last part to the first.
        let mut base = 1.0;
        let mut sum = 0.0;
        for part in digits.rsplit(':') {
            sum += part.parse::<f64>().map_err(|_| BEYOND)? * base;
            base *= 60.0;
        }
        return Ok(sign * sum);
    }
    // What Rust reads and Python's numbers don't mean: `inf`, `nan`, signs behind signs.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(BEYOND);
    }
    digits.parse::<f64>().map(|value| sign * value).map_err(|_| BEYOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        let bools = ["yes", "No", "ON", "off", "true", "FALSE"];
        let texts = [
            "y",
            "n",
            "nO",
            "1e-4",
            "1e5",
            "1.5e5",
            "-.5",
            "08",
            "0o7",
            "1:60",
            "1:0:60",
            "0:1",
            ".",
            "-",
            "+.",
            "1.2.3",
            "...",
            "0b",
            "0x",
            "0b2",
            "=",
            "nan",
            "inf",
            "-.nan",
            "1:",
            "1::2",
            "12:30:45:",
            "_1",
            "1.e5",
            "1.5_e-5x",
            "2001-1-1",
            "<",
            "null ",
            "~~",
            "Nil",
        ];
        for text in bools {
            assert_eq!(resolve(text), Kind::Bool, "{text}");
        }
        for text in texts {
            assert_eq!(resolve(text), Kind::Text, "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(resolve(text), Kind::Null, "{text}");
        }
        assert_eq!(resolve("<<"), Kind::Merge);
    }

    #[test]
    fn numbers_have_pythons_values() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("+12", 12),
            ("1_000", 1000),
            ("010", 8),
            ("0x1F", 31),
            ("-0b101", -5),
            ("1:0", 60),
            ("190:20:30", 685_230),
            ("0_", 0),
            ("-1:30", -90),
        ] {
            assert_eq!(resolve(text), Kind::Int, "{text}");
            assert_eq!(construct(Kind::Int, text), Ok(Value::Int(value)), "{text}");
        }
        for (text, value) in [
            ("1.", 1.0),
            ("1.5", 1.5),
            ("-1.5e-3", -0.0015),
            (".5", 0.5),
            ("1_0.2_5", 10.25),
            ("1:30.5", 90.5),
            ("0:1.", 1.0),
            ("3.0e-05", 3e-5),
            ("-.INF", f64::NEG_INFINITY),
            ("1.e+5", 1e5),
        ] {
            assert_eq!(resolve(text), Kind::Float, "{text}");
            assert_eq!(construct(Kind::Float, text), Ok(Value::Float(value)), "{text}");
        }
        assert!(construct(Kind::Int, "0x_").is_err());
        assert!(construct(Kind::Int, "9".repeat(50).as_str()).is_err());
        assert!(construct(Kind::Float, "infinity").is_err());
    }
}
