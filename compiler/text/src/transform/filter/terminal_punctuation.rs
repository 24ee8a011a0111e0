//! Terminal punctuation: a pair stays when its sides have about as many marks that end sentences, and few of them (Vázquez et al. 2019,
//! section 2).

use super::super::words::TERMINAL;
use super::number;

/// Whether the score of a pair with `s` and `t` marks, `-ln(1 + |s-t| + max(s-1, 0) + max(t-1, 0))`, is at least `least`.
pub(super) fn keeps(sides: [&str; 2], least: f64) -> bool {
    let [s, t] = sides.map(|side| number(side.chars().filter(|c| TERMINAL.contains(c)).count()));
    let penalty = (s - t).abs() + (s - 1.0).max(0.0) + (t - 1.0).max(0.0);
    -libm::log(1.0 + penalty) >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_that_of_the_formula() {
        assert!(keeps(["Yes.", "Ja."], 0.0));
        // -ln(1 + 1), -ln(1 + 2 + 2).
        for (sides, score) in [(["Yes.", "Ja"], -2.0_f64.ln()), (["Yes...", "Ja."], -5.0_f64.ln())]
        {
            assert!(keeps(sides, score - 1e-9) && !keeps(sides, score + 1e-9));
        }
    }
}
