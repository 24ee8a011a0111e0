//! Repetitions: a pair stays when neither side says something several times in a row.

/// Whether a string of a length from `shortest` to `longest` characters, which begins with a letter, digit or mark, stands `most` times in
/// a row, with or without white space between.
pub(super) fn repeats(side: &str, most: usize, [shortest, longest]: [usize; 2]) -> bool {
    let chars: Vec<char> = side.chars().collect();
    let longest = longest.min(chars.len() / most.max(1));
    (0..chars.len()).any(|from| {
        let rest = chars.get(from..).unwrap_or_default();
        (shortest..=longest.min(rest.len())).any(|length| {
            let (string, behind) = rest.split_at(length);
            string.first().is_some_and(|first| !first.is_whitespace())
                && (1..most).try_fold(behind, |behind, _| again(string, behind)).is_some()
        })
    })
}

/// What is behind a string that stands first, after white space.
fn again<'a>(string: &[char], text: &'a [char]) -> Option<&'a [char]> {
    let at = text.iter().position(|c| !c.is_whitespace())?;
    text.get(at..)?.strip_prefix(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_times_in_a_row() {
        let of = |side: &str| repeats(side, 3, [2, 5]);
        for side in ["hahaha", "so so so it is", "oh no oh no   oh no", "wassasasa?", "......"] {
            assert!(of(side), "{side}");
        }
        for side in ["haha ho", "aaaaa", "abcdefabcdefabcdef", "so be so be", "", "a a a"] {
            assert!(!of(side), "{side}");
        }
        assert!(!repeats("Mississippi", 3, [3, 100]) && repeats("Mississippi", 2, [3, 100]));
    }

    /// What Python's `re` says of MAMMOTH's expression, `(\S.{1,4}?)(?: *\1){2,}`, in which the string is found at least four times.
    #[test]
    fn mammoth_s_expression_says_the_same() {
        for side in [
            "baa ba bbb b b b bba",
            "aaab bbaa aba abab abab baa ba",
            "bbba baba baa bba",
            "bbab ab ab abbb baab abaa ab baaa",
            "a babb a abbb bb bb bb aaa",
        ] {
            assert!(repeats(side, 4, [2, 5]), "{side}");
        }
        for side in [
            "bab aa b abaa a baba a aaaa",
            "bab b bbb bb",
            "b b abbb b a",
            "aa bbbb b aba bb bb b baa",
        ] {
            assert!(!repeats(side, 4, [2, 5]), "{side}");
        }
    }
}
