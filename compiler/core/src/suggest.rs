//! "Did you mean": the candidate nearest to a misspelt word, and the help lines made of it.

/// Candidates that a help line lists in full; beyond that only the nearest is worth showing.
const LISTED: usize = 12;

/// The candidate nearest to `word`: fewest edits (transpositions count once, case counts little), at most a third of the
/// word's length; ties go to the alphabetically first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .filter_map(|candidate| {
            let edits = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            // A one-letter word is one edit from every other one-letter word: only its own other case is near.
            let near =
                edits <= most && edits < candidate.chars().count().max(lower.chars().count());
            near.then_some((edits, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// A help line: the nearest candidate if there is one, else the candidates themselves, else `otherwise`.
pub fn help<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match candidates.len() {
        0 => otherwise.to_owned(),
        1..=LISTED => format!("there is {}", listed(&candidates, "and")),
        _ => otherwise.to_owned(),
    }
}

/// `` `a`, `b` or `c` ``.
pub fn listed(words: &[&str], conjunction: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {conjunction} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_wins_and_far_ones_are_left_out() {
        let words = ["dropout", "dim", "heads", "ffn"];
        assert_eq!(nearest("dorpout", words), Some("dropout"), "a transposition");
        assert_eq!(nearest("head", words), Some("heads"));
        assert_eq!(nearest("FFN", words), Some("ffn"), "other case");
        assert_eq!(nearest("optimizer", words), None);
    }

    #[test]
    fn short_codes_need_a_shared_letter() {
        assert_eq!(nearest("d", ["e", "f"]), None);
        assert_eq!(nearest("ed", ["de", "en"]), Some("de"));
    }

    #[test]
    fn ties_go_to_the_alphabetically_first() {
        assert_eq!(nearest("dx", ["de", "da"]), Some("da"));
    }

    #[test]
    fn help_lists_few_candidates() {
        assert_eq!(help("zzz", ["a", "b"], "none"), "there is `a` and `b`");
        assert_eq!(help("zzz", [], "declare one"), "declare one");
    }
}
