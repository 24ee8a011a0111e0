//! Path templates from the paths of all directions: the text with variables that gives every one of them.

use std::collections::BTreeSet;

/// Places of codes in one path beyond which no template is looked for.
const MOST_PLACES: usize = 6;

/// Variables in order of preference, with what each stands for in a direction.
fn variables(source: &str, target: &str) -> Vec<(&'static str, String)> {
    let (a, b) = if source <= target { (source, target) } else { (target, source) };
    let (side_a, side_b) = if source <= target { ("src", "trg") } else { ("trg", "src") };
    vec![
        ("{sorted_pair}", format!("{a}-{b}")),
        ("{lang_pair}", format!("{source}-{target}")),
        ("{src_lang}", source.to_owned()),
        ("{tgt_lang}", target.to_owned()),
        ("{side_a}", side_a.to_owned()),
        ("{side_b}", side_b.to_owned()),
        ("{lang_a}", a.to_owned()),
        ("{lang_b}", b.to_owned()),
    ]
}

/// The best template that gives all paths: `(source, target, path)`.
pub(super) fn recover<'p>(
    paths: impl Iterator<Item = (&'p str, &'p str, &'p str)>,
) -> Option<String> {
    let mut common: Option<BTreeSet<Vec<(u8, String)>>> = None;
    for (source, target, path) in paths {
        let found = templates(path, &variables(source, target));
        let rest = match common {
            None => found,
            Some(common) => common.intersection(&found).cloned().collect(),
        };
        if rest.is_empty() {
            return None;
        }
        common = Some(rest);
    }
    // The order of pieces prefers variables that say more, in the order above.
    let best = common?.into_iter().next()?;
    Some(best.into_iter().map(|(_, piece)| piece).collect())
}

/// A path that was read up to a place.
#[derive(Default)]
struct Reading {
    at: usize,
    pieces: Vec<(u8, String)>,
    /// Variables among the pieces.
    places: usize,
}

/// All texts with variables that give a path; every piece with its rank.
fn templates(path: &str, variables: &[(&'static str, String)]) -> BTreeSet<Vec<(u8, String)>> {
    let mut found = vec![Reading::default()];
    let mut done = BTreeSet::new();
    while let Some(Reading { at, pieces, places }) = found.pop() {
        let Some(rest) = path.get(at..) else { continue };
        let Some(letter) = rest.chars().next() else {
            done.insert(merged(pieces));
            continue;
        };
        let starts =
            path.get(..at).and_then(|before| before.chars().next_back()).is_none_or(is_border);
        let mut matched = false;
        if starts && places < MOST_PLACES {
            for (rank, (name, value)) in (0_u8..).zip(variables) {
                let ends = rest
                    .strip_prefix(value.as_str())
                    .is_some_and(|rest| rest.chars().next().is_none_or(is_border));
                if ends {
                    let mut longer = pieces.clone();
                    longer.push((rank, (*name).to_owned()));
                    found.push(Reading {
                        at: at + value.len(),
                        pieces: longer,
                        places: places + 1,
                    });
                    matched = true;
                }
            }
        }
        // `src` and `trg` are words of their own too: both readings stay.
        if !matched || rest.starts_with("src") || rest.starts_with("trg") {
            let mut longer = pieces;
            longer.push((u8::MAX, escaped(letter)));
            found.push(Reading { at: at + letter.len_utf8(), pieces: longer, places });
        }
    }
    done
}

fn is_border(letter: char) -> bool {
    !letter.is_alphanumeric()
}

/// A brace that is no variable's.
fn escaped(letter: char) -> String {
    match letter {
        '{' => "{'{'}".to_owned(),
        other => other.to_string(),
    }
}

/// Letters in a row as one piece.
fn merged(pieces: Vec<(u8, String)>) -> Vec<(u8, String)> {
    let mut merged: Vec<(u8, String)> = Vec::new();
    for (rank, piece) in pieces {
        match merged.last_mut() {
            Some((last, text)) if *last == u8::MAX && rank == u8::MAX => text.push_str(&piece),
            _ => merged.push((rank, piece)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::recover;

    #[test]
    fn templates_of_the_usual_layouts_come_back() {
        let found = |rows: &[(&str, &str, &str)]| recover(rows.iter().copied());
        let opus =
            [("de", "en", "opus/de-en/train.de-en.de"), ("en", "de", "opus/de-en/train.de-en.en")];
        let template = "opus/{sorted_pair}/train.{sorted_pair}.{src_lang}";
        assert_eq!(found(&opus).as_deref(), Some(template));
        let sides = [("de", "en", "de-en/train.src.gz"), ("en", "de", "de-en/train.trg.gz")];
        assert_eq!(found(&sides).as_deref(), Some("{sorted_pair}/train.{side_a}.gz"));
        let plain = [("cs", "de", "train.cs"), ("cs", "en", "train.cs")];
        assert_eq!(found(&plain).as_deref(), Some("train.{src_lang}"));
        assert_eq!(found(&[("cs", "de", "a"), ("cs", "en", "b")]), None);
    }
}
