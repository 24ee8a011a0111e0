//! Text files to a `tokenizer.json`: unigram and BPE vocabularies by the `tokenizers` library.
//!
//! The same files give the same bytes on any number of threads: training runs on one thread, words come in order, and
//! what the library leaves to the order of a hash map (scores of characters that no piece needs, ties) is put in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer, PreTokenizerWrapper, Trainer,
};

use crate::columns::TextFile;
use crate::error::TextError;
use crate::lines::{self, Line};
use crate::write;

/// How pieces are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Byte-pair encoding over characters (Sennrich et al. 2016).
    Bpe,
    /// Unigram language model (Kudo 2018).
    Unigram,
}

/// What is trained, on what.
#[derive(Debug, Clone)]
pub struct Training {
    /// How pieces are found.
    pub method: Method,
    /// Most pieces, special ones included.
    pub pieces: u32,
    /// Special pieces behind `<unk>`, `<s>`, `</s>` and `<pad>`, which have ids 0 to 3.
    pub special: Vec<String>,
    /// Share of all characters that must be in the vocabulary, in millionths; the rarest others become unknown.
    pub coverage: u32,
    /// The texts.
    pub files: Vec<TextFile>,
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trained {
    /// Pieces, special ones included.
    pub pieces: u32,
    /// Lines read.
    pub lines: u64,
    /// Lines left out: not UTF-8, too long, or without the column.
    pub skipped: u64,
    /// Different words.
    pub words: u64,
}

/// Ids 0 to 3.
const SPECIAL: [&str; 4] = ["<unk>", "<s>", "</s>", "<pad>"];

/// Longer words (texts without spaces) are cut, for training only.
const LONGEST_WORD: usize = 64;

/// Control characters and odd spaces to spaces, compatibility forms to plain ones, runs of spaces to one: as
/// SentencePiece's `nmt_nfkc`.
const NORMALISER: &str = r#"{"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"NFKC"},
  {"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Strip","strip_left":true,"strip_right":true}]}"#;

/// Trains a vocabulary and writes it to `out`, whole or not at all.
pub fn train(training: &Training, out: &Path) -> Result<Trained, TextError> {
    let refused = |reason: String| TextError::Training { reason };
    let least = SPECIAL.len() + training.special.len() + 4;
    if usize::try_from(training.pieces).map_or(true, |pieces| pieces < least) {
        return Err(refused(format!("{} pieces are too few: at least {least}", training.pieces)));
    }
    let normaliser: NormalizerWrapper =
        serde_json::from_str(NORMALISER).map_err(|fault| refused(fault.to_string()))?;
    let mut corpus = Corpus::default();
    for file in &training.files {
        corpus.read(file, &normaliser)?;
    }
    let covered = corpus.cover(training)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|fault| refused(fault.to_string()))?;
    let json = pool.install(|| serialise(training, &covered, normaliser)).map_err(refused)?;
    let facts = super::huggingface::facts(json.as_bytes(), String::new()).map_err(refused)?;
    write::atomically(out, json.as_bytes())?;
    let words = corpus.words.len() as u64;
    Ok(Trained { pieces: facts.pieces, lines: corpus.lines, skipped: corpus.skipped, words })
}

/// Words of the files with their counts.
#[derive(Debug, Default)]
struct Corpus {
    words: HashMap<String, u64>,
    lines: u64,
    skipped: u64,
}

impl Corpus {
    fn read(&mut self, file: &TextFile, normaliser: &NormalizerWrapper) -> Result<(), TextError> {
        let metaspace = metaspace();
        let mut reader = lines::open(&file.path)?;
        while let Some(line) = reader.next_line()? {
            self.lines += 1;
            let Line::Text(text) = file.of(line) else {
                self.skipped += 1;
                continue;
            };
            let cut = words(text, normaliser, &metaspace);
            for word in cut.map_err(|fault| TextError::Training { reason: fault.to_string() })? {
                *self.words.entry(word).or_default() += 1;
            }
        }
        Ok(())
    }

    /// The words in order, cut where a character isn't covered and where they are very long.
    fn cover(&self, training: &Training) -> Result<BTreeMap<String, u64>, TextError> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "sums into an ordered map")]
        for (word, count) in &self.words {
            for c in word.chars() {
                *counts.entry(c).or_default() += count;
            }
        }
        let total: u128 = counts.values().map(|&count| u128::from(count)).sum();
        if total == 0 {
            return Err(TextError::Training { reason: "the files hold no text".to_owned() });
        }
        let mut by_count: Vec<(char, u64)> = counts.into_iter().collect();
        by_count.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let wanted = total * u128::from(training.coverage.min(1_000_000));
        let mut sum = 0_u128;
        let mut kept: BTreeSet<char> = BTreeSet::new();
        for (c, count) in by_count {
            if sum * 1_000_000 >= wanted {
                break;
            }
            sum += u128::from(count);
            kept.insert(c);
        }
        let needed = kept.len() + SPECIAL.len() + training.special.len();
        if usize::try_from(training.pieces).map_or(true, |pieces| pieces <= needed) {
            let reason = format!(
                "{} pieces are too few for {} different characters: take more than {needed} or a lower coverage",
                training.pieces,
                kept.len()
            );
            return Err(TextError::Training { reason });
        }
        let mut covered: BTreeMap<String, u64> = BTreeMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "sums into an ordered map")]
        for (word, count) in &self.words {
            for run in word.split(|c| !kept.contains(&c)).filter(|run| !run.is_empty()) {
                let letters: Vec<char> = run.chars().collect();
                for part in letters.chunks(LONGEST_WORD) {
                    *covered.entry(part.iter().collect()).or_default() += count;
                }
            }
        }
        Ok(covered)
    }
}

fn metaspace() -> Metaspace {
    Metaspace::new('\u{2581}', PrependScheme::Always, true)
}

/// Whether a tokenizer normalises text and cuts it into words as those do that are trained here.
pub(super) fn cuts_like_ours(tokenizer: &tokenizers::Tokenizer) -> bool {
    let ours = serde_json::from_str::<NormalizerWrapper>(NORMALISER).and_then(serde_json::to_value);
    let theirs = serde_json::to_value(tokenizer.get_normalizer());
    let same = matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs);
    let cut = tokenizer.get_pre_tokenizer();
    same && matches!(cut, Some(PreTokenizerWrapper::Metaspace(cut)) if *cut == metaspace())
}

/// A line's words as the finished tokenizer will see them, each with its `▁`.
fn words(
    text: &str,
    normaliser: &NormalizerWrapper,
    metaspace: &Metaspace,
) -> tokenizers::Result<Vec<String>> {
    let mut normal = NormalizedString::from(text);
    normaliser.normalize(&mut normal)?;
    if normal.is_empty() {
        return Ok(Vec::new());
    }
    let mut cut = PreTokenizedString::from(normal);
    metaspace.pre_tokenize(&mut cut)?;
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(splits.into_iter().map(|(word, _, _)| word.to_owned()).collect())
}

/// Trains on one thread and writes the `tokenizer.json`.
fn serialise(
    training: &Training,
    words: &BTreeMap<String, u64>,
    normaliser: NormalizerWrapper,
) -> Result<String, String> {
    tokenizers::utils::parallelism::set_parallelism(false);
    let special: Vec<AddedToken> = SPECIAL
        .into_iter()
        .chain(training.special.iter().map(String::as_str))
        .map(|piece| AddedToken::from(piece, true))
        .collect();
    let model = match training.method {
        Method::Bpe => bpe(training, words, &special),
        Method::Unigram => unigram(training, words, &special),
    };
    let model = model.map_err(|fault| fault.to_string())?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normaliser)).map_err(|fault| fault.to_string())?;
    tokenizer.with_pre_tokenizer(Some(metaspace()));
    tokenizer.with_decoder(Some(metaspace()));
    tokenizer.add_special_tokens(special).map_err(|fault| fault.to_string())?;
    tokenizer.to_string(false).map_err(|fault| fault.to_string())
}

fn bpe(
    training: &Training,
    words: &BTreeMap<String, u64>,
    special: &[AddedToken],
) -> tokenizers::Result<ModelWrapper> {
    let pieces = usize::try_from(training.pieces)?;
    let builder = BpeTrainer::builder().show_progress(false).vocab_size(pieces);
    let mut trainer = builder.min_frequency(2).special_tokens(special.to_vec()).build();
    // The library counts in 31 bits.
    let total: u64 = words.iter().map(|(word, count)| word.len() as u64 * count).sum();
    let scale = total / u64::from(u32::MAX >> 1) + 1;
    let occurrences = words.iter().flat_map(|(word, count)| {
        std::iter::repeat_n(word.as_str(), usize::try_from(count.div_ceil(scale)).unwrap_or(1))
    });
    trainer.feed(occurrences, |word| Ok(vec![word.to_owned()]))?;
    let unknown = SPECIAL.first().copied().unwrap_or_default().to_owned();
    let mut model = BPE::builder().unk_token(unknown).fuse_unk(true).build()?;
    trainer.train(&mut model)?;
    Ok(model.into())
}

fn unigram(
    training: &Training,
    words: &BTreeMap<String, u64>,
    special: &[AddedToken],
) -> tokenizers::Result<ModelWrapper> {
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(training.pieces)
        .special_tokens(special.to_vec())
        .unk_token(SPECIAL.first().map(|&piece| piece.to_owned()))
        .build()?;
    let total: u64 = words.values().sum();
    let scale = total / u64::from(u32::MAX >> 6) + 1;
    let counted: Vec<(String, u32)> = words
        .iter()
        .map(|(word, count)| Ok((word.clone(), u32::try_from(count.div_ceil(scale))?)))
        .collect::<tokenizers::Result<_>>()?;
    let mut model = Unigram::default();
    trainer.do_train(counted, &mut model)?;
    let vocabulary = in_order(model.iter().cloned().collect(), special.len());
    Ok(Unigram::from(vocabulary, Some(0), false)?.into())
}

/// Puts a trained vocabulary in an order of its own: special pieces, then best score first, ties by text.
///
/// The library gives characters that training dropped the worst score plus 0, 0.0001, 0.0002, ... in the order of a hash
/// map; here they get the same scores in the order of their code points.
fn in_order(mut vocabulary: Vec<(String, f64)>, special: usize) -> Vec<(String, f64)> {
    let mut pieces = vocabulary.split_off(special.min(vocabulary.len()));
    let worst = pieces.iter().map(|piece| piece.1).fold(f64::INFINITY, f64::min);
    let mut penalty = 0.0;
    let mut dropped: Vec<usize> = Vec::new();
    loop {
        let score = worst + penalty;
        let before = dropped.len();
        dropped.extend((0..pieces.len()).filter(|&at| {
            pieces.get(at).is_some_and(|piece| {
                piece.1.to_bits() == score.to_bits() && piece.0.chars().nth(1).is_none()
            })
        }));
        if dropped.len() == before {
            break;
        }
        penalty += 0.0001;
    }
    let mut texts: Vec<String> =
        dropped.iter().filter_map(|&at| pieces.get(at)).map(|piece| piece.0.clone()).collect();
    texts.sort();
    let mut scores: Vec<f64> =
        dropped.iter().filter_map(|&at| pieces.get(at)).map(|piece| piece.1).collect();
    scores.sort_by(f64::total_cmp);
    for (&at, fresh) in dropped.iter().zip(texts.into_iter().zip(scores)) {
        if let Some(piece) = pieces.get_mut(at) {
            *piece = fresh;
        }
    }
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    vocabulary.extend(pieces);
    vocabulary
}
