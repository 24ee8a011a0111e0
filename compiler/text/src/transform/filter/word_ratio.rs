//! Ratio of words: a pair stays when its longer side has less than so many times the words of the shorter one. Words are what white space
//! separates.

use super::number;

/// Whether a pair stays.
pub(super) fn keeps(sides: [&str; 2], most: f64) -> bool {
    let [a, b] = sides.map(|side| number(side.split_whitespace().count()));
    a.max(b) < most * a.min(b).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_ratio_stays() {
        assert!(keeps(["a b", "a b c d e"], 3.0));
        assert!(!keeps(["a b", "a b c d e f"], 3.0));
        assert!(!keeps(["a b c", ""], 3.0));
    }
}
