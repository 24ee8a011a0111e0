//! A tokenizer does not know the text of a language.

use std::collections::{BTreeMap, HashMap};

use mmc_syntax::source::Span;

use super::{Found, Lint, Subject, listed, warning};
use crate::ir::experiment::Experiment;
use crate::world::{SAMPLED_LINES, Sample};

/// Unknown pieces in a thousand that a sample may have: rare letters, names and emoji.
const MOST: u64 = 10;

/// From here on it is not some letters but the script that the vocabulary lacks.
const SCRIPT: u64 = 250;

pub(super) const LINT: Lint =
    warning("mmc::lint::unknown_pieces", "a tokenizer does not know the text of a language", run);

/// A vocabulary's name and a language.
type Side<'a> = (&'a str, &'a str);

/// A file, and the column of it where it has columns.
type Text<'a> = (&'a str, Option<u32>);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let sides = sides(subject);
    let samples: Vec<Sample> = sides
        .iter()
        .filter_map(|((vocabulary, _), (text, column))| {
            let spec = subject.table.vocabularies.get(*vocabulary)?;
            let (tokenizer, kind) = (spec.file.clone(), spec.kind);
            Some(Sample { tokenizer, kind, text: (*text).to_owned(), column: *column })
        })
        .collect();
    let mut unknown: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for ((side, _), facts) in sides.iter().zip(subject.world.samples(&samples)) {
        // A sample that nobody has, as in an index made elsewhere, says nothing.
        let Ok(facts) = facts else { continue };
        let rate = facts.unknown.saturating_mul(1000) / facts.pieces.max(1);
        let (vocabulary, language) = side;
        if rate > MOST {
            let tokenizer = vocabulary.split('.').next().unwrap_or_default();
            unknown.entry(tokenizer).or_default().push((rate, language));
        }
    }
    unknown
        .into_iter()
        .filter_map(|(name, rates)| finding(subject.experiment, name, rates))
        .collect()
}

/// The first training file of every language that a vocabulary is used for, in order.
fn sides<'a>(subject: &Subject<'a>) -> Vec<(Side<'a>, Text<'a>)> {
    let mut first: HashMap<Side<'a>, Text<'a>> = HashMap::new();
    for task in &subject.table.tasks {
        let train = &task.corpus.train;
        let [source, target] = train.columns.map_or([None; 2], |columns| columns.map(Some));
        for (vocabulary, language, files, column) in [
            (&task.source_vocabulary, &task.source, &train.source, source),
            (&task.target_vocabulary, &task.target, &train.target, target),
        ] {
            if let Some(file) = files.first() {
                first.entry((vocabulary, language)).or_insert((file, column));
            }
        }
    }
    let mut sides: Vec<(Side<'a>, Text<'a>)> = first.into_iter().collect();
    sides.sort_unstable();
    sides
}

fn finding(experiment: &Experiment, name: &str, mut rates: Vec<(u64, &str)>) -> Option<Found> {
    let tokenizer = experiment.tokenizers.iter().find(|tokenizer| tokenizer.name == name)?;
    rates.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    rates.dedup_by_key(|(_, language)| *language);
    let (most, worst) = *rates.first()?;
    let languages: Vec<&str> = rates.iter().map(|(_, language)| *language).collect();
    let script = experiment
        .languages
        .iter()
        .find(|language| language.code == worst)
        .and_then(|language| language.attribute("script"))
        .map_or_else(String::new, |script| format!(" ({script})"));
    let help = if most >= SCRIPT {
        format!(
            "its vocabulary lacks the script of `{worst}`{script}: train it on that text too, or give each language its own, `{{lang}}` in the path"
        )
    } else {
        "train it on this text too, with every letter of it among the pieces, or with bytes for the rest".to_owned()
    };
    let span: Span = tokenizer.file.span;
    Some(Found {
        message: format!(
            "tokenizer `{name}` does not know {}.{} % of the pieces in the first {SAMPLED_LINES} lines of {}",
            most / 10,
            most % 10,
            listed(&languages)
        ),
        label: "this vocabulary",
        span,
        help: help.into(),
    })
}
