//! The files of an artificial corpus.
//!
//! ```text
//! train.<language>                without skew: line `i` of all languages says the same
//! train.<a>-<b>.<language>        with skew: one pair's files, codes in alphabetical order
//! valid.<language>, test.<language>
//! families.yaml                   family -> languages: the ground truth
//! README.md                       what this is and how it was made
//! ```
//! No sentence comes twice: what is in validation and test is in no training file.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::SynthOptions;
use super::language::{Language, languages};
use super::meaning::{Clause, Inventory, Speaker};
use super::say::say;
use crate::error::TextError;

/// Draws without a new sentence before the lexicon counts as used up.
const MOST_REPEATS: u32 = 100_000;

/// The smallest corpus of a skewed pair.
const LEAST_LINES: u64 = 50;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Files, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Training lines of every pair `(a, b)`, in the order of the options.
    pub train: Vec<(String, String, u64)>,
}

/// Sentences, none of them twice.
struct NewSentences {
    speaker: Speaker,
    said: HashSet<u64>,
}

impl NewSentences {
    fn next(&mut self) -> Result<Clause, TextError> {
        for _ in 0..MOST_REPEATS {
            let sentence = self.speaker.sentence();
            if self.said.insert(sentence.key()) {
                return Ok(sentence);
            }
        }
        let reason = format!(
            "after {} sentences the lexicon gives hardly a new one; ask for fewer lines or more meanings",
            self.said.len()
        );
        Err(TextError::Synth { reason })
    }
}

/// A file that gets its name when it is complete.
struct Growing {
    part: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
}

impl Growing {
    fn new(path: PathBuf) -> Result<Self, TextError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = File::create(&part).map_err(|cause| TextError::unwritable(&part, cause))?;
        Ok(Self { part, path, file: BufWriter::new(file) })
    }

    fn line(&mut self, line: &str) -> Result<(), TextError> {
        let written =
            self.file.write_all(line.as_bytes()).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|cause| TextError::unwritable(&self.part, cause))
    }

    fn finish(mut self) -> Result<PathBuf, TextError> {
        let done = self.file.flush().and_then(|()| fs::rename(&self.part, &self.path));
        done.map_err(|cause| TextError::unwritable(&self.path, cause))?;
        Ok(self.path)
    }
}

/// One training file: the first `lines` sentences in a language.
struct Corpus {
    language: usize,
    lines: u64,
    file: Growing,
}

pub(super) fn write(options: &SynthOptions, folder: &Path) -> Result<Written, TextError> {
    fs::create_dir_all(folder).map_err(|cause| TextError::unwritable(folder, cause))?;
    let languages = languages(options);
    let mut sentences = NewSentences {
        speaker: Speaker::new(Inventory::new(options.meanings), options.seed),
        said: HashSet::new(),
    };
    let mut files = Vec::new();
    for (part, lines) in [("test", options.test), ("valid", options.valid)] {
        let name = |language: &Language| format!("{part}.{}", language.code);
        let corpora = whole(&languages, folder, lines, &name)?;
        files.extend(fill(corpora, &languages, &mut sentences)?);
    }
    let train = sizes(options, &languages);
    let corpora = if options.skew == 100 {
        let name = |language: &Language| format!("train.{}", language.code);
        whole(&languages, folder, options.train, &name)?
    } else {
        paired(&languages, folder, &train)?
    };
    files.extend(fill(corpora, &languages, &mut sentences)?);
    for (name, text) in [("families.yaml", families(options)), ("README.md", readme(options))] {
        let path = folder.join(name);
        crate::write::atomically(&path, text.as_bytes())?;
        files.push(path);
    }
    files.sort();
    Ok(Written { files, train })
}

/// Training lines of every pair: each further pair has `skew` percent of the one before.
fn sizes(options: &SynthOptions, languages: &[Language]) -> Vec<(String, String, u64)> {
    let mut lines = options.train;
    let mut sizes = Vec::new();
    for (at, first) in languages.iter().enumerate() {
        for second in languages.iter().skip(at + 1) {
            let (a, b) = (
                first.code.clone().min(second.code.clone()),
                first.code.clone().max(second.code.clone()),
            );
            sizes.push((a, b, lines.max(LEAST_LINES).min(options.train)));
            lines = lines * u64::from(options.skew) / 100;
        }
    }
    sizes
}

fn whole(
    languages: &[Language],
    folder: &Path,
    lines: u64,
    name: &dyn Fn(&Language) -> String,
) -> Result<Vec<Corpus>, TextError> {
    let corpus = |(number, language): (usize, &Language)| {
        let file = Growing::new(folder.join(name(language)))?;
        Ok(Corpus { language: number, lines, file })
    };
    languages.iter().enumerate().map(corpus).collect()
}

fn paired(
    languages: &[Language],
    folder: &Path,
    sizes: &[(String, String, u64)],
) -> Result<Vec<Corpus>, TextError> {
    let mut corpora = Vec::new();
    for (a, b, lines) in sizes {
        for code in [a, b] {
            let Some(language) = languages.iter().position(|language| language.code == *code)
            else {
                continue;
            };
            let file = Growing::new(folder.join(format!("train.{a}-{b}.{code}")))?;
            corpora.push(Corpus { language, lines: *lines, file });
        }
    }
    Ok(corpora)
}

/// Says new sentences into all corpora until the longest is full.
fn fill(
    mut corpora: Vec<Corpus>,
    languages: &[Language],
    sentences: &mut NewSentences,
) -> Result<Vec<PathBuf>, TextError> {
    let longest = corpora.iter().map(|corpus| corpus.lines).max().unwrap_or(0);
    for line in 0..longest {
        let sentence = sentences.next()?;
        let said: Vec<String> = languages.iter().map(|language| say(language, &sentence)).collect();
        for corpus in corpora.iter_mut().filter(|corpus| line < corpus.lines) {
            if let Some(text) = said.get(corpus.language) {
                corpus.file.line(text)?;
            }
        }
    }
    corpora.into_iter().map(|corpus| corpus.file.finish()).collect()
}

fn families(options: &SynthOptions) -> String {
    let line =
        |family: &super::Family| format!("{}: [{}]\n", family.name, family.languages.join(", "));
    options.families.iter().map(line).collect()
}

fn readme(options: &SynthOptions) -> String {
    format!(
        "# Artificial parallel corpus\n\n\
         Made by `mmc synth`: {} families, {} training, {} validation and {} test sentences, {} meanings, \
         {} % of roots shared within a family, skew {} %, seed {}.\n\
         The same options give the same bytes. `families.yaml` is the ground truth.\n",
        options.families.len(),
        options.train,
        options.valid,
        options.test,
        options.meanings,
        options.relatedness,
        options.skew,
        options.seed
    )
}
