//! Numerals: a pair stays when its sides have about the same digits other than 0.

use super::number;

/// Whether the sequences of digits of both sides are alike by `least`.
pub(super) fn keeps(sides: [&str; 2], least: f64) -> bool {
    let [s, t] = sides.map(digits);
    similarity(&s, &t) >= least
}

fn digits(side: &str) -> Vec<u32> {
    side.chars().filter_map(|c| c.to_digit(10)).filter(|&digit| digit > 0).collect()
}

/// Twice the length of all matching blocks over the sum of lengths (Ratcliff and Metzener 1988); 1 for two empty ones.
fn similarity(a: &[u32], b: &[u32]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    2.0 * number(matching(a, b)) / number(a.len() + b.len())
}

/// The length of the longest common block, the first in `a` and then in `b`, and of those on both sides of it.
fn matching(a: &[u32], b: &[u32]) -> usize {
    let (mut length, mut at) = (0, [0, 0]);
    // Lengths of the common blocks that end at the present element of `a` and at each of `b`.
    let mut before = vec![0; b.len() + 1];
    for (i, x) in a.iter().enumerate() {
        let mut now = vec![0; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            if x != y {
                continue;
            }
            let run = before.get(j).copied().unwrap_or(0) + 1;
            if let Some(place) = now.get_mut(j + 1) {
                *place = run;
            }
            if run > length {
                (length, at) = (run, [i + 1 - run, j + 1 - run]);
            }
        }
        before = now;
    }
    if length == 0 {
        return 0;
    }
    let split = |side: &[u32], from: usize| {
        let left = side.get(..from).unwrap_or_default().to_vec();
        let right = side.get(from + length..).unwrap_or_default().to_vec();
        (left, right)
    };
    let ((a_left, a_right), (b_left, b_right)) = (split(a, at[0]), split(b, at[1]));
    matching(&a_left, &b_left) + length + matching(&a_right, &b_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_digits_stay() {
        assert!(keeps(["in 1905", "1905 an"], 0.9));
        assert!(keeps(["10", "100"], 0.9), "zeros do not count");
        assert!(!keeps(["in 1905", "in 1917"], 0.9));
        assert!(keeps(["none", "none either"], 1.0));
    }

    #[test]
    fn likeness_is_that_of_difflib() {
        // difflib.SequenceMatcher(None, [1,2,3,4], [3,4,1,2]).ratio() is 0.5.
        assert!((similarity(&[1, 2, 3, 4], &[3, 4, 1, 2]) - 0.5).abs() < 1e-12);
    }
}
