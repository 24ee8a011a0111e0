//! Tokenizers and texts -> how many pieces of each text are unknown: known from the cache, or looked at on all cores.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mmc_core::world::{SAMPLED_LINES, Sample, SampleFacts, WorldError};
use mmc_text::TextError;
use mmc_text::columns::TextFile;
use mmc_text::tokenizer::Tokenizer;
use rayon::prelude::*;

use crate::cache::{Cache, Stamp};
use crate::cores;
use crate::disk::stamp;

/// What two files were like when the one was looked at with the other.
type Stamps = Result<[Stamp; 2], WorldError>;

/// An answer for each sample, and whether the cache has learnt something.
pub(crate) fn answer(
    wanted: &[Sample],
    cache: &mut Cache,
) -> (Vec<Result<SampleFacts, WorldError>>, bool) {
    let stamps: Vec<Stamps> = cores::each(wanted.iter().collect(), |sample: &Sample| {
        Ok([stamp(&sample.tokenizer)?, stamp(&sample.text)?])
    });
    let mut answers: Vec<Option<Result<SampleFacts, WorldError>>> = wanted
        .iter()
        .zip(&stamps)
        .map(|(sample, stamps)| match stamps {
            Ok(stamps) => known(sample, stamps, cache).map(Ok),
            Err(fault) => Some(Err(fault.clone())),
        })
        .collect();
    // One tokenizer is loaded once, whatever texts it is for.
    let mut open: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, sample) in wanted.iter().enumerate() {
        if answers.get(at).is_some_and(Option::is_none) {
            open.entry(key(sample)).or_default().push(at);
        }
    }
    let looked: Vec<(usize, Result<SampleFacts, WorldError>)> = if open.is_empty() {
        Vec::new()
    } else {
        open.into_par_iter().flat_map(|(_, places)| look(wanted, places)).collect()
    };
    let has_new = looked.iter().any(|(_, facts)| facts.is_ok());
    for (at, facts) in looked {
        if let (Ok(facts), Some(sample), Some(Ok(stamps))) =
            (&facts, wanted.get(at), stamps.get(at))
        {
            let texts = cache.samples.entry(key(sample)).or_default();
            texts.insert(sample.text_name(), (*stamps, *facts));
        }
        if let Some(answer) = answers.get_mut(at) {
            *answer = Some(facts);
        }
    }
    let answers = answers.into_iter().map(|answer| answer.unwrap_or(Err(WorldError::Missing)));
    (answers.collect(), has_new)
}

fn key(sample: &Sample) -> String {
    format!("{:?} {}", sample.kind, sample.tokenizer)
}

fn known(sample: &Sample, stamps: &[Stamp; 2], cache: &Cache) -> Option<SampleFacts> {
    let (before, facts) = cache.samples.get(&key(sample))?.get(&sample.text_name())?;
    (before == stamps).then_some(*facts)
}

/// Looks at the texts of some samples with their one tokenizer.
fn look(wanted: &[Sample], places: Vec<usize>) -> Vec<(usize, Result<SampleFacts, WorldError>)> {
    let samples = places.into_iter().filter_map(|at| Some((at, wanted.get(at)?)));
    let samples: Vec<(usize, &Sample)> = samples.collect();
    let Some((_, first)) = samples.first() else { return Vec::new() };
    let loaded = Tokenizer::load(first.kind, &first.tokenizer).map_err(|fault| fault.to_string());
    let looked = |(at, sample)| {
        let facts = loaded
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|tokenizer| sampled(tokenizer, sample).map_err(|fault| fault.to_string()));
        (at, facts.map_err(WorldError::Unreadable))
    };
    samples.into_par_iter().map(looked).collect()
}

/// Lines that are not UTF-8, too long, or without the column are passed over.
fn sampled(tokenizer: &Tokenizer, sample: &Sample) -> Result<SampleFacts, TextError> {
    let file = TextFile { path: PathBuf::from(&sample.text), column: sample.column };
    let mut reader = mmc_text::lines::open(&file.path)?;
    let unk = tokenizer.facts().unk;
    let mut facts = SampleFacts::default();
    for _ in 0..SAMPLED_LINES {
        let Some(line) = reader.next_line()? else { break };
        let pieces = tokenizer.encode(file.of(line).text().unwrap_or_default());
        facts.pieces += pieces.len() as u64;
        facts.unknown += pieces.iter().filter(|piece| Some(**piece) == unk).count() as u64;
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mmc_plan::VocabularyKind;
    use mmc_text::tokenizer::train::{Method, Training, train};

    use super::*;

    #[test]
    fn a_script_that_was_never_seen_is_unknown_and_looked_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("latin"), "the cat sat on the mat\nthe dog sat\n".repeat(50)).unwrap();
        fs::write(path("greek"), "η γάτα κάθισε\n".repeat(50)).unwrap();
        fs::write(path("both"), "the cat sat\tη γάτα κάθισε\n".repeat(50)).unwrap();
        let training = Training {
            method: Method::Bpe,
            pieces: 40,
            special: Vec::new(),
            coverage: 1_000_000,
            files: vec![PathBuf::from(path("latin")).into()],
        };
        train(&training, path("model").as_ref()).unwrap();
        let sample = |text: &str| Sample {
            tokenizer: path("model"),
            kind: VocabularyKind::Huggingface,
            text: path(text),
            column: None,
        };
        let mut cache = Cache::default();
        let columns = [1, 2].map(|column| Sample { column: Some(column), ..sample("both") });
        let [first, second] = columns;
        let wanted = [sample("latin"), sample("greek"), sample("absent"), first, second];
        let (answers, has_new) = answer(&wanted, &mut cache);
        assert!(has_new);
        let rate = |at: usize| {
            let facts = answers[at].as_ref().unwrap();
            (facts.pieces, facts.unknown * 100 / facts.pieces)
        };
        assert_eq!(rate(0).1, 0);
        assert!(rate(1).1 >= 25, "{:?}", answers[1]);
        assert_eq!(answers[2], Err(WorldError::Missing));
        assert_eq!((rate(3).1, &answers[4]), (0, &answers[1]));
        let (again, has_new) = answer(&wanted, &mut cache);
        assert!(!has_new && again == answers);
    }
}
