//! Scores of validation: parts of a task's text translated by its own direction as `mmc translate` would, and compared with their
//! references. What is found are sums over sentences, so that ranks may share a text; scores are made of the sums of all.

use std::cmp::Reverse;

use mmc_plan::{Measure, PART, Plan, ScoresSpec, TaskSpec};
use mmc_text::batch::{StreamError, Tokenizers};
use mmc_text::metrics::{BleuCounts, BleuOptions, ChrfCounts, ChrfOptions};
use mmc_text::parallel::ParallelReader;

use crate::error::WorkerError;
use crate::model::Direction;
use crate::translate::{Batching, Line, Settings, Sides, Translator};

/// A sentence and its reference.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    /// Its line's number in the text, from 0.
    number: u64,
    source: String,
    reference: String,
}

/// How many pairs of these parts of a task's validation text were scored, and the numbers of each measure in the order of the spec's
/// ([`Measure::numbers`]). Nothing is drawn.
pub(crate) fn of_parts(
    plan: &Plan,
    (task, parts): (&TaskSpec, &[u64]),
    spec: &ScoresSpec,
    tokenizers: &Tokenizers,
    direction: Direction,
) -> Result<Vec<u64>, WorkerError> {
    let sides = Sides::of_task(plan, task, tokenizers)?;
    let translator = Translator::new(vec![direction], sides, Batching::default());
    let settings = Settings { beam: spec.beam, ..Settings::default() };
    let mut pairs = pairs(task, spec.sentences)?;
    // The sort is stable: equals stay in their order.
    pairs.sort_by_cached_key(|pair| Reverse(translator.length(&pair.source, "")));
    let (mut count, mut bleu, mut chrf) = (0, BleuCounts::default(), ChrfCounts::default());
    let last = plan.scored_parts(task).saturating_sub(1);
    for part in parts.iter().map(|&number| part(&pairs, number, last)) {
        let lines: Vec<Line<'_>> = part
            .iter()
            .map(|pair| Line { number: pair.number, source: &pair.source, target: "" })
            .collect();
        let found = translator.translate(&settings, None, &lines)?;
        for (Pair { reference, .. }, found) in part.iter().zip(found) {
            let best = found.first().map(|best| translator.sides().decode(&best.ids));
            let translation = best.unwrap_or_default();
            bleu.add(&translation, &[reference], &BleuOptions::default());
            chrf.add(&translation, &[reference], &ChrfOptions::default());
        }
        count += part.len() as u64;
    }
    let numbers = spec.measures.iter().flat_map(|measure| match measure {
        Measure::Bleu => bleu.numbers(),
        Measure::Chrf => chrf.numbers(),
    });
    Ok(std::iter::once(count).chain(numbers).collect())
}

/// The score that `mmc eval` prints, by a measure's numbers of the whole text.
pub(crate) fn score(measure: Measure, numbers: &[u64]) -> f64 {
    match measure {
        Measure::Bleu => BleuCounts::of(numbers).score(&BleuOptions::default()),
        Measure::Chrf => ChrfCounts::of(numbers).score(&ChrfOptions::default()),
    }
}

/// The pairs of a part; of the last, all that are left, should there be more lines than the plan says.
fn part(pairs: &[Pair], number: u64, last: u64) -> &[Pair] {
    let at = |part: u64| {
        let first = usize::try_from(part.saturating_mul(PART)).unwrap_or(usize::MAX);
        first.min(pairs.len())
    };
    let end = if number == last { pairs.len() } else { at(number.saturating_add(1)) };
    pairs.get(at(number)..end).unwrap_or_default()
}

/// The first so many pairs of a task's validation text of which both sides can be read.
fn pairs(task: &TaskSpec, most: Option<u64>) -> Result<Vec<Pair>, StreamError> {
    let mut found = Vec::new();
    let Some(files) = &task.corpus.valid else { return Ok(found) };
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let mut reader = ParallelReader::open(files)?;
    while found.len() < most
        && let Some(pair) = reader.next_pair()?
    {
        if let (Some(source), Some(target)) = (pair.source.text(), pair.target.text()) {
            let (source, reference) = (source.to_owned(), target.to_owned());
            found.push(Pair { number: pair.index, source, reference });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use mmc_text::metrics;

    use super::*;

    #[test]
    fn parts_are_all_pairs_in_their_order() {
        let pair = |number: u64| Pair { number, source: String::new(), reference: String::new() };
        let pairs: Vec<Pair> = (0..150).map(pair).collect();
        let parts: Vec<&[Pair]> = (0..4).map(|number| part(&pairs, number, 3)).collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [64, 64, 22, 0]);
        assert_eq!(parts.concat(), pairs);
        assert_eq!((part(&pairs, 1, 1).len(), part(&pairs, u64::MAX, 3).len()), (86, 0));
    }

    /// Numbers of half a text and of the other half, added, are scored as the text is.
    #[test]
    fn scores_of_sums_are_those_of_the_text() {
        let text =
            [("the cat sat on the mat", "the cat is on the mat"), ("a b c d e", "a b c d f")];
        let (mut bleu, mut chrf) = (Vec::new(), Vec::new());
        for (ours, theirs) in text {
            let (mut words, mut characters) = (BleuCounts::default(), ChrfCounts::default());
            words.add(ours, &[theirs], &BleuOptions::default());
            characters.add(ours, &[theirs], &ChrfOptions::default());
            bleu.push(words.numbers());
            chrf.push(characters.numbers());
        }
        let sum = |parts: &[Vec<u64>]| -> Vec<u64> {
            parts[0].iter().zip(&parts[1]).map(|(one, other)| one + other).collect()
        };
        let (bleu, chrf) = (sum(&bleu), sum(&chrf));
        assert_eq!(bleu.len() as u64, Measure::Bleu.numbers());
        assert_eq!(chrf.len() as u64, Measure::Chrf.numbers());
        let ours: Vec<String> = text.iter().map(|(ours, _)| (*ours).to_owned()).collect();
        let theirs = [text.iter().map(|(_, theirs)| (*theirs).to_owned()).collect()];
        let of_text = metrics::bleu(&ours, &theirs, &BleuOptions::default()).unwrap().score;
        assert_eq!(score(Measure::Bleu, &bleu).to_bits(), of_text.to_bits());
        let of_text = metrics::chrf(&ours, &theirs, &ChrfOptions::default()).unwrap().score;
        assert_eq!(score(Measure::Chrf, &chrf).to_bits(), of_text.to_bits());
    }
}
