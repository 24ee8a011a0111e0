//! Numbers for people.

/// `1 234 567`: groups of three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1.50 GiB`; whole below 1 KiB.
pub(crate) fn bytes(number: u64) -> String {
    scaled(number, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB"])
}

/// `1.50 TFLOP`; whole below 1000.
pub(crate) fn flops(number: u64) -> String {
    scaled(number, 1000.0, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

/// `1.50 s`, `20.0 ms`, `3.00 us`, with three digits.
pub(crate) fn seconds(number: f64) -> String {
    let (value, unit) = match number.abs() {
        size if size >= 1.0 => (number, "s"),
        size if size >= 1e-3 => (number * 1e3, "ms"),
        size if size >= 1e-9 => (number * 1e6, "us"),
        _ => (number, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// `1.50 h`; seconds below an hour's tenth.
pub(crate) fn hours(number: f64) -> String {
    if number < 360.0 { seconds(number) } else { format!("{} h", three_digits(number / 3600.0)) }
}

/// `8.33 %` of a billion parts.
pub(crate) fn share(parts: u64) -> String {
    format!("{} %", three_digits(float(parts) / 1e7))
}

/// A number in the largest unit that leaves it at 1 or more.
fn scaled(number: u64, base: f64, units: [&str; 5]) -> String {
    let mut value = float(number);
    let [first, larger @ ..] = units;
    if value < base {
        return format!("{number} {first}");
    }
    let mut unit = first;
    for next in larger {
        if value < base {
            break;
        }
        value /= base;
        unit = next;
    }
    format!("{} {unit}", three_digits(value))
}

/// At least three digits: `1.50`, `15.0`, `1500`.
pub(crate) fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1 234 567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.50 KiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!(flops(2_500_000_000), "2.50 GFLOP");
        assert_eq!(seconds(0.0205), "20.5 ms");
        assert_eq!(seconds(0.0), "0.00 s");
        assert_eq!(seconds(3e-6), "3.00 us");
        assert_eq!(hours(5400.0), "1.50 h");
        assert_eq!(hours(20.0), "20.0 s");
        assert_eq!(share(83_333_333), "8.33 %");
    }
}
