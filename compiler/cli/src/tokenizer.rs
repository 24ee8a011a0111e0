//! `mmc tokenizer train`: the tokenizers that an experiment asks for, from the training text of its tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mmc_core::Options;
use mmc_core::cluster::TextProfile;
use mmc_core::diagnostics::Diagnostics;
use mmc_core::ir::experiment::{Experiment, TokenizerMethod, TokenizerTraining};
use mmc_core::world::{CorpusFacts, Remark, TokenizerFacts, World, WorldError};
use mmc_plan::{Plan, VocabularyKind};
use mmc_syntax::SourceMap;
use mmc_text::columns::TextFile;
use mmc_text::tokenizer::train::{self, Method, Training};

use crate::disk::Disk;
use crate::error::{At as _, Exit, Stop};
use crate::findings::Findings;
use crate::program;
use crate::progress::{counted, grouped};
use crate::report;

/// Share of all characters that get into a vocabulary, in millionths: SentencePiece's default.
const COVERAGE: u32 = 999_500;

/// Commands about tokenizers.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train the tokenizers of an experiment that have `train = ...`, from its tasks' training text
    Train(Arguments),
}

/// Options of `mmc tokenizer train`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiment (`.mmc`)
    file: PathBuf,
    /// Value of a `param` of the file
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = program::parameter)]
    params: Vec<(String, String)>,
    /// Train anew the ones that are there already
    #[arg(long)]
    force: bool,
}

/// A tokenizer to be made.
#[derive(Debug)]
struct Wanted {
    file: String,
    method: Method,
    pieces: u32,
    texts: BTreeSet<TextFile>,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::Train(arguments) => train_all(arguments),
    }
}

fn train_all(arguments: &Arguments) -> Result<Exit, Stop> {
    let disk = Disk::new(false);
    fs::File::open(&arguments.file).reading(&arguments.file)?;
    let experiment = resolve(arguments, &disk)?;
    let world = Untrained { disk: &disk, experiment: &experiment };
    let done =
        program::compile(&arguments.file, &arguments.params, &world, &disk, &Options::default())?;
    let Some(plan) = done.plan else {
        Findings::new(done.findings, done.sources).show();
        return Ok(Exit::FINDINGS);
    };
    let wanted = wanted(&experiment, &plan);
    if wanted.is_empty() {
        report::note("no tokenizer of the experiment has `train = ...`: nothing to train");
    }
    for tokenizer in &wanted {
        make(tokenizer, arguments.force)?;
    }
    Ok(Exit::FINE)
}

fn resolve(arguments: &Arguments, disk: &Disk) -> Result<Experiment, Stop> {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::default());
    let entry = arguments.file.to_string_lossy();
    let resolved =
        mmc_core::resolve::resolve(&entry, &arguments.params, disk, &mut sources, &mut diagnostics);
    resolved.map_err(|_| {
        Findings::new(diagnostics.into_findings(), sources).show();
        Stop::Said(Exit::FINDINGS)
    })
}

fn make(wanted: &Wanted, force: bool) -> Result<(), Stop> {
    let out = Path::new(&wanted.file);
    if out.exists() && !force {
        report::note(&format!("{}: there already (`--force` trains it anew)", wanted.file));
        return Ok(());
    }
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).writing(folder)?;
    }
    let training = Training {
        method: wanted.method,
        pieces: wanted.pieces,
        special: Vec::new(),
        coverage: COVERAGE,
        files: wanted.texts.iter().cloned().collect(),
    };
    let trained = train::train(&training, out)?;
    let skipped = match trained.skipped {
        0 => String::new(),
        lines => format!(
            ", {} lines left out (not UTF-8, too long or without the column)",
            grouped(lines)
        ),
    };
    let files: BTreeSet<&Path> = wanted.texts.iter().map(|text| text.path.as_path()).collect();
    report::note(&format!(
        "{}: {} pieces from {} lines of {}{skipped}",
        wanted.file,
        grouped(u64::from(trained.pieces)),
        grouped(trained.lines),
        counted(files.len() as u64, "file", "files")
    ));
    Ok(())
}

/// The tokenizers with `train`, each with the training text of the sides that use it.
fn wanted(experiment: &Experiment, plan: &Plan) -> Vec<Wanted> {
    let mut found: BTreeMap<&str, Wanted> = BTreeMap::new();
    for task in plan.tasks.values() {
        let train = &task.corpus.train;
        let [source, target] = train.columns.map_or([None; 2], |columns| columns.map(Some));
        let sides = [
            (&task.source_vocabulary, &train.source, source),
            (&task.target_vocabulary, &train.target, target),
        ];
        for (name, files, column) in sides {
            let Some(vocabulary) = plan.vocabularies.get(name) else { continue };
            let Some(training) = training_of(experiment, name) else { continue };
            let entry = found.entry(&vocabulary.file).or_insert_with(|| Wanted {
                file: vocabulary.file.clone(),
                method: method(training.method),
                pieces: training.pieces,
                texts: BTreeSet::new(),
            });
            let texts = files.iter().map(|path| TextFile { path: path.into(), column });
            entry.texts.extend(texts);
        }
    }
    found.into_values().collect()
}

/// A vocabulary is called `<tokenizer>.<language>` or `<tokenizer>.joint`.
fn training_of<'e>(experiment: &'e Experiment, vocabulary: &str) -> Option<&'e TokenizerTraining> {
    let (tokenizer, _) = vocabulary.rsplit_once('.')?;
    let tokenizer = experiment.tokenizers.iter().find(|known| known.name == tokenizer)?;
    tokenizer.train.as_ref()
}

fn method(method: TokenizerMethod) -> Method {
    match method {
        TokenizerMethod::Bpe => Method::Bpe,
        TokenizerMethod::Unigram => Method::Unigram,
    }
}

/// The disk, on which the tokenizers that will be trained are already: the plan says which text each is for.
struct Untrained<'a> {
    disk: &'a Disk,
    experiment: &'a Experiment,
}

impl World for Untrained<'_> {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        self.disk.source(path)
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        self.disk.corpora(paths)
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        self.disk.matching(patterns)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.disk.remarks()
    }

    fn tokenizer(&self, path: &str, kind: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        let found = self.disk.tokenizer(path, kind);
        let trainable = |wanted: &TokenizerTraining| TokenizerFacts {
            pieces: wanted.pieces,
            sha256: "0".repeat(64),
            unk: Some(0),
            bos: Some(1),
            eos: Some(2),
            pad: Some(3),
            one_way: false,
        };
        // Which of them a path belongs to does not matter here: only that some tokenizer makes files of this kind.
        let mut tokenizers = self.experiment.tokenizers.iter().filter(|known| known.kind == kind);
        match (found, tokenizers.find_map(|known| known.train.as_ref())) {
            (Err(_), Some(wanted)) => Ok(trainable(wanted)),
            (found, _) => found,
        }
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        self.disk.profile(path)
    }
}
