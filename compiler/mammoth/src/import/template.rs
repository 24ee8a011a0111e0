//! Path templates from the paths of directions or languages: the text with variables that gives every one of them.

use std::collections::BTreeSet;

use mmc_core::languages;

/// Places of codes in one path beyond which no template is looked for.
const MOST_PLACES: usize = 6;

/// Paths of which a template is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Files of a direction.
    Directions,
    /// Files of one language.
    Languages,
}

/// A text with variables: pieces with the rank of their variable, letters last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template(Vec<(u8, String)>);

/// All templates that give a path.
pub(super) type Candidates = BTreeSet<Template>;

impl Template {
    /// The path of a direction, or of a language (twice the same).
    pub(super) fn fill(&self, of: Of, source: &str, target: &str) -> String {
        let variables = variables(of, source, target);
        let text = |(rank, piece): &(u8, String)| {
            let value = variables.iter().find(|(name, _)| *rank != u8::MAX && name == piece);
            value.map_or_else(|| piece.clone(), |(_, value)| value.clone())
        };
        self.0.iter().map(text).collect()
    }

    /// As an experiment has it.
    pub(super) fn text(&self) -> String {
        let escaped = |(rank, piece): &(u8, String)| {
            if *rank == u8::MAX { piece.replace('{', "{'{'}") } else { piece.clone() }
        };
        self.0.iter().map(escaped).collect()
    }
}

/// Variables in order of preference, with what each stands for.
fn variables(of: Of, source: &str, target: &str) -> Vec<(&'static str, String)> {
    let iso3 = |code: &str| {
        let row = languages::meaning(code)?.row;
        (row.iso1 == Some(code)).then(|| row.iso3.to_owned())
    };
    if of == Of::Languages {
        let own = [("{lang}", source.to_owned())].into_iter();
        return own.chain(iso3(source).map(|code| ("{lang|iso3}", code))).collect();
    }
    let is_sorted = source <= target;
    let (a, b) = if is_sorted { (source, target) } else { (target, source) };
    let (side_a, side_b) = if is_sorted { ("src", "trg") } else { ("trg", "src") };
    let mut variables = vec![
        ("{sorted_pair}", format!("{a}-{b}")),
        ("{lang_pair}", format!("{source}-{target}")),
        ("{src_lang}", source.to_owned()),
        ("{tgt_lang}", target.to_owned()),
    ];
    if source == target {
        // All pairs and all codes are the same here, and sides are not told apart.
        variables.retain(|(name, _)| matches!(*name, "{lang_pair}" | "{src_lang}"));
    } else {
        variables.extend([
            ("{side_a}", side_a.to_owned()),
            ("{side_b}", side_b.to_owned()),
            ("{lang_a}", a.to_owned()),
            ("{lang_b}", b.to_owned()),
        ]);
        variables.extend(iso3(target).map(|code| ("{tgt_lang|iso3}", code)));
    }
    variables.extend(iso3(source).map(|code| ("{src_lang|iso3}", code)));
    variables
}

/// The best template that gives all paths: `(source, target, path)`.
pub(super) fn recover<'p>(
    of: Of,
    paths: impl Iterator<Item = (&'p str, &'p str, &'p str)>,
) -> Option<Template> {
    let mut common: Option<Candidates> = None;
    for (source, target, path) in paths {
        let found = candidates(of, source, target, path);
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
    common?.into_iter().next()
}

/// A path that was read up to a place.
#[derive(Default)]
struct Reading {
    at: usize,
    pieces: Vec<(u8, String)>,
    /// Variables among the pieces.
    places: usize,
}

/// All templates that give a path.
pub(super) fn candidates(of: Of, source: &str, target: &str, path: &str) -> Candidates {
    let variables = variables(of, source, target);
    let mut found = vec![Reading::default()];
    let mut done = BTreeSet::new();
    while let Some(Reading { at, pieces, places }) = found.pop() {
        let Some(rest) = path.get(at..) else { continue };
        let Some(letter) = rest.chars().next() else {
            done.insert(Template(merged(pieces)));
            continue;
        };
        let starts =
            path.get(..at).and_then(|before| before.chars().next_back()).is_none_or(is_border);
        let mut matched = false;
        if starts && places < MOST_PLACES {
            for (rank, (name, value)) in (0_u8..).zip(&variables) {
                let ends = rest
                    .strip_prefix(value.as_str())
                    .is_some_and(|rest| rest.chars().next().is_none_or(is_border));
                if ends && !value.is_empty() {
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
            longer.push((u8::MAX, letter.to_string()));
            found.push(Reading { at: at + letter.len_utf8(), pieces: longer, places });
        }
    }
    done
}

fn is_border(letter: char) -> bool {
    !letter.is_alphanumeric()
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

/// A template of MAMMOTH's for a language to itself, with `{lang}` alone.
pub(super) fn of_one_language(template: &str) -> String {
    let pairs = ["{sorted_pair}", "{lang_pair}"];
    let codes = ["{src_lang}", "{tgt_lang}", "{lang_a}", "{lang_b}"];
    let text =
        pairs.iter().fold(template.to_owned(), |text, name| text.replace(name, "{lang}-{lang}"));
    let text = codes.iter().fold(text, |text, name| text.replace(name, "{lang}"));
    text.replace("{side_a}", "src").replace("{side_b}", "trg")
}

#[cfg(test)]
mod tests {
    use super::{Of, of_one_language, recover};

    #[test]
    fn templates_of_the_usual_layouts_come_back() {
        let found = |rows: &[(&str, &str, &str)]| {
            let found = recover(Of::Directions, rows.iter().copied())?;
            for (source, target, path) in rows {
                assert_eq!(found.fill(Of::Directions, source, target), *path);
            }
            Some(found.text())
        };
        let opus =
            [("de", "en", "opus/de-en/train.de-en.de"), ("en", "de", "opus/de-en/train.de-en.en")];
        let template = "opus/{sorted_pair}/train.{sorted_pair}.{src_lang}";
        assert_eq!(found(&opus).as_deref(), Some(template));
        let sides = [("de", "en", "de-en/train.src.gz"), ("en", "de", "de-en/train.trg.gz")];
        assert_eq!(found(&sides).as_deref(), Some("{sorted_pair}/train.{side_a}.gz"));
        let plain = [("cs", "de", "train.cs"), ("cs", "en", "train.cs")];
        assert_eq!(found(&plain).as_deref(), Some("train.{src_lang}"));
        let longer = [("af", "da", "x.afr.gz"), ("da", "af", "x.dan.gz")];
        assert_eq!(found(&longer).as_deref(), Some("x.{src_lang|iso3}.gz"));
        assert_eq!(found(&[("cs", "de", "a"), ("cs", "en", "b")]), None);
        let own = [("aa", "aa", "aa-aa/t.src"), ("bb", "bb", "bb-bb/t.src")];
        assert_eq!(found(&own).as_deref(), Some("{lang_pair}/t.src"));
    }

    #[test]
    fn templates_of_languages_come_back() {
        let rows = [("af", "af", "v/{x}.afr"), ("sv", "sv", "v/{x}.swe")];
        let found = recover(Of::Languages, rows.into_iter()).map(|found| found.text());
        assert_eq!(found.as_deref(), Some("v/{'{'}x}.{lang|iso3}"));
        assert_eq!(
            of_one_language("{sorted_pair}/t.{side_b}.{tgt_lang}"),
            "{lang}-{lang}/t.trg.{lang}"
        );
    }
}
