//! Script: a pair stays when enough of each side's letters are of its language's script.

use regex::Regex;

use super::number;

/// The letters of a script by its code (ISO 15924); codes of several scripts mean all of them. `Err` names one that is not known.
pub(super) fn letters(code: &str) -> Result<Regex, String> {
    let class = match code {
        "Hans" | "Hant" => "\\p{sc=Hani}".to_owned(),
        "Jpan" => "[\\p{sc=Hani}\\p{sc=Hira}\\p{sc=Kana}]".to_owned(),
        "Kore" => "[\\p{sc=Hani}\\p{sc=Hang}]".to_owned(),
        code => format!("\\p{{sc={code}}}"),
    };
    Regex::new(&class).map_err(|_| format!("letters of script `{code}`"))
}

/// The part of a line's letters that are of a script; 1 without letters.
pub(super) fn part(script: &Regex, side: &str) -> f64 {
    let (mut letters, mut own) = (0, 0);
    let mut text = [0; 4];
    for letter in side.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        own += usize::from(script.is_match(letter.encode_utf8(&mut text)));
    }
    if letters == 0 { 1.0 } else { number(own) / number(letters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_by_script() {
        let of = |code: &str, side: &str| part(&letters(code).unwrap(), side);
        for (code, side, expected) in [
            ("Latn", "water 12", 1.0),
            ("Cyrl", "вода", 1.0),
            ("Latn", "abc да", 0.6),
            ("Latn", "123?!", 1.0),
            ("Jpan", "水を飲むガ", 1.0),
            ("Hans", "水を", 0.5),
            ("Kore", "물水a.", 2.0 / 3.0),
        ] {
            assert!((of(code, side) - expected).abs() < 1e-12, "{code}: {side}");
        }
        assert!(letters("Zorg").is_err());
    }
}
