//! Temperatures of switch-out, token drop and token mask: MAMMOTH draws `n` pieces with probability proportional to
//! `exp(-n * temperature)`, the language, as Wang et al. 2018, to `exp(-n / temperature)`.

/// The one for the other, above 0; written shortly where that is the number but for the error of the division, so that the reciprocal of
/// a reciprocal is the number itself.
pub(crate) fn reciprocal(temperature: f64) -> f64 {
    let exact = temperature.recip();
    let short = format!("{exact:.11e}").parse().unwrap_or(exact);
    if (short - exact).abs() <= 4.0 * f64::EPSILON * exact { short } else { exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_same_number() {
        for (temperature, other) in [(0.5, 2.0), (4.0, 0.25), (1.0, 1.0), (0.1, 10.0)] {
            assert_eq!(reciprocal(temperature).to_bits(), f64::to_bits(other));
        }
        for thousandths in 1..5_000_u32 {
            let temperature = f64::from(thousandths) / 1_000.0;
            assert_eq!(reciprocal(reciprocal(temperature)).to_bits(), temperature.to_bits());
        }
    }

    /// MAMMOTH's `_sample_distance` at 0.5, by numpy: the softmax of `-0.5 * [0, 1, 2, 3]`.
    #[test]
    fn mammoth_s_probabilities_are_those_of_the_other_temperature() {
        let weights = [0.0, 1.0, 2.0, 3.0].map(|n: f64| (-n / reciprocal(0.5)).exp());
        let all: f64 = weights.iter().sum();
        let numpy = [0.455_054_23, 0.276_004_34, 0.167_405_10, 0.101_536_32];
        for (weight, expected) in weights.into_iter().zip(numpy) {
            assert!((weight / all - expected).abs() < 1e-7, "{}", weight / all);
        }
    }
}
