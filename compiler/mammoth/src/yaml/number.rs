//! Numbers as Python writes them.

/// Python's `repr` of a float as PyYAML writes it: the shortest digits that give the number back, `1.0e-05`, `.inf`.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let shortest = shortest(value);
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    // Python's rule: the scientific form below 1e-4 and from 1e16 on.
    if !(-4..16).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}.{rest}e{mark}{:02}", exponent.unsigned_abs());
    }
    let point = usize::try_from(exponent + 1).unwrap_or_default();
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or_default());
        format!("{sign}0.{zeros}{digits}")
    } else if digits.len() <= point {
        format!("{sign}{digits:0<point$}.0")
    } else {
        let (whole, part) = digits.split_at(point);
        format!("{sign}{whole}.{part}")
    }
}

/// The shortest digits that give the number back. Of two that are equally near, Python takes the even one.
fn shortest(value: f64) -> String {
    let found = format!("{value:e}");
    let digits = found.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{value:.*e}", digits.saturating_sub(1));
    let is_same = even.parse::<f64>().is_ok_and(|read| read.to_bits() == value.to_bits());
    if is_same { even } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_python() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (3e-5, "3.0e-05"),
            (0.0003, "0.0003"),
            (1.5e-7, "1.5e-07"),
            (1e16, "1.0e+16"),
            (1e15, "1000000000000000.0"),
            (123_456.789, "123456.789"),
            (1e100, "1.0e+100"),
            (563_541_774_897_564.3, "563541774897564.2"),
            (0.334_370_152_488_210_8, "0.3343701524882108"),
            (f64::INFINITY, ".inf"),
            (f64::NEG_INFINITY, "-.inf"),
            (f64::NAN, ".nan"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
