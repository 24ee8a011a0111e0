//! `mmc mammoth`: a stage of MAMMOTH's configuration compiler on a configuration, in its place.

mod files;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use mmc_core::diagnostics::Diagnostics;
use mmc_mammoth::yaml::Tree;
use mmc_mammoth::{Addition, Flags, Stage};
use mmc_syntax::SourceMap;

use crate::error::{At as _, CliError, Exit, Stop};
use crate::findings::Findings;
use crate::{output, report};

/// Options of `mmc mammoth`; their names are MAMMOTH's.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case", infer_long_args = true)]
pub(crate) struct Arguments {
    /// The stage: `config_all`, or one of its parts (docs/mammoth.md)
    #[arg(value_parser = stage)]
    stage: Stage,
    /// Configuration to begin with
    #[arg(long, value_name = "FILE")]
    in_config: PathBuf,
    /// Where to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out_config: Option<PathBuf>,
    /// Also do what MAMMOTH does wrong (docs/mammoth.md lists it)
    #[arg(long = "bug-for-bug")]
    bug_for_bug: bool,
    #[command(flatten)]
    paths: PathFlags,
    #[command(flatten)]
    numbers: NumberFlags,
    /// Sharing pattern of an encoder stack; once for each
    #[arg(long, value_name = "PATTERN")]
    enc_sharing_groups: Vec<String>,
    /// Sharing pattern of a decoder stack; once for each
    #[arg(long, value_name = "PATTERN")]
    dec_sharing_groups: Vec<String>,
    /// Transform of translation tasks; once for each
    #[arg(long, value_name = "NAME")]
    transforms: Vec<String>,
    /// Transform of tasks of one language; once for each
    #[arg(long, value_name = "NAME")]
    ae_transforms: Vec<String>,
    #[command(flatten)]
    switches: SwitchFlags,
}

/// Flags with a text.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
struct PathFlags {
    /// Template of source files
    #[arg(long, value_name = "TEMPLATE")]
    src_path: Option<String>,
    /// Template of target files
    #[arg(long, value_name = "TEMPLATE")]
    tgt_path: Option<String>,
    /// Template of files of one language
    #[arg(long, value_name = "TEMPLATE")]
    ae_path: Option<String>,
    /// Template of validation source files
    #[arg(long, value_name = "TEMPLATE")]
    valid_src_path: Option<String>,
    /// Template of validation target files
    #[arg(long, value_name = "TEMPLATE")]
    valid_tgt_path: Option<String>,
    /// Distances between languages, as CSV
    #[arg(long, value_name = "FILE")]
    distance_matrix: Option<String>,
    /// Name of the record in `gpu_assignment_cost_log.jsonl`
    #[arg(long, value_name = "NAME")]
    log_name: Option<String>,
    /// Vocabulary of all languages
    #[arg(long, value_name = "FILE")]
    joint_vocab: Option<String>,
    /// Configuration whose GPUs are taken over
    #[arg(long, value_name = "FILE")]
    copy_from: Option<PathBuf>,
}

/// Flags with a number.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
struct NumberFlags {
    /// Exponent of a corpus' share of the lines
    #[arg(long, allow_negative_numbers = true, value_name = "X")]
    temperature: Option<f64>,
    /// Factor of the weights of tasks of one language
    #[arg(long, allow_negative_numbers = true, value_name = "X")]
    ae_weight: Option<f64>,
    /// Distance from which clusters are not joined
    #[arg(long, allow_negative_numbers = true, value_name = "X")]
    cutoff_threshold: Option<f64>,
    /// Number of language groups
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    n_groups: Option<i64>,
    /// Nodes
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    n_nodes: Option<i64>,
    /// GPUs of a node
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    n_gpus_per_node: Option<i64>,
    /// Most tasks of a GPU
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    n_slots_per_gpu: Option<i64>,
    /// Accepted; the search counts steps and not seconds
    #[arg(long, allow_negative_numbers = true, value_name = "SECONDS")]
    time_budget_s: Option<i64>,
}

/// Flags that are on or not there.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct SwitchFlags {
    /// Make tasks of one language too
    #[arg(long)]
    autoencoder: bool,
    /// Validate them
    #[arg(long)]
    autoencoder_validation: bool,
    /// Weigh tasks by their lines
    #[arg(long)]
    use_weight: bool,
    /// Let large tasks begin first
    #[arg(long)]
    use_introduce_at_training_step: bool,
    /// Accepted; has no effect, in MAMMOTH too
    #[arg(long)]
    zero_shot: bool,
}

fn stage(name: &str) -> Result<Stage, String> {
    let names = || Stage::ALL.iter().map(|stage| stage.name());
    Stage::find(name).ok_or_else(|| {
        let help = mmc_core::suggest::nearest(name, names());
        help.map_or_else(
            || format!("stages are {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        )
    })
}

/// Runs the stage.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Stop> {
    let mut sources = SourceMap::new();
    let mut sink = Diagnostics::default();
    let tree = read(&arguments.in_config, &mut sources, &mut sink)?;
    let other = match &arguments.paths.copy_from {
        Some(path) => read(path, &mut sources, &mut sink)?,
        None => None,
    };
    let out = arguments.out_config.clone();
    let stage = arguments.stage;
    let flags = flags(arguments, other)?;
    let (text, additions) = match tree {
        Some(tree) if sink.checkpoint().is_ok() => {
            let disk = files::Directory::new();
            let outcome = stage.run(tree, &sources, &flags, &disk);
            disk.keep();
            let mut found = sink.into_findings();
            found.extend(outcome.findings);
            Findings::new(found, sources).show();
            (outcome.text, outcome.additions)
        }
        Some(_) | None => {
            Findings::new(sink.into_findings(), sources).show();
            (None, Vec::new())
        }
    };
    append(&additions)?;
    let Some(text) = text else { return Ok(Exit::FINDINGS) };
    match &out {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::FINE)
}

/// Reads a configuration; none: its fault is reported.
fn read(
    path: &Path,
    sources: &mut SourceMap,
    sink: &mut Diagnostics,
) -> Result<Option<Tree>, Stop> {
    let text = fs::read_to_string(path).reading(path)?;
    let source = sources.add(&path.display().to_string(), &text);
    match Tree::read(source, &text) {
        Ok(read) => {
            for twice in read.duplicates {
                sink.report(twice);
            }
            Ok(Some(read.tree))
        }
        Err(fault) => {
            sink.report(fault);
            Ok(None)
        }
    }
}

/// The flags that were given. Errors: one that the stage does not read, or lacks.
fn flags(arguments: Arguments, copy_from: Option<Tree>) -> Result<Flags, Stop> {
    let Arguments { stage, paths, numbers, switches, .. } = arguments;
    let copies = paths.copy_from.is_some();
    let flags = Flags {
        texts: given([
            ("src_path", paths.src_path),
            ("tgt_path", paths.tgt_path),
            ("ae_path", paths.ae_path),
            ("valid_src_path", paths.valid_src_path),
            ("valid_tgt_path", paths.valid_tgt_path),
            ("distance_matrix", paths.distance_matrix),
            ("log_name", paths.log_name),
            ("joint_vocab", paths.joint_vocab),
        ]),
        numbers: given([
            ("temperature", numbers.temperature),
            ("ae_weight", numbers.ae_weight),
            ("cutoff_threshold", numbers.cutoff_threshold),
        ]),
        counts: given([
            ("n_groups", numbers.n_groups),
            ("n_nodes", numbers.n_nodes),
            ("n_gpus_per_node", numbers.n_gpus_per_node),
            ("n_slots_per_gpu", numbers.n_slots_per_gpu),
            ("time_budget_s", numbers.time_budget_s),
        ]),
        switches: given([
            ("autoencoder", switches.autoencoder.then_some(())),
            ("autoencoder_validation", switches.autoencoder_validation.then_some(())),
            ("use_weight", switches.use_weight.then_some(())),
            (
                "use_introduce_at_training_step",
                switches.use_introduce_at_training_step.then_some(()),
            ),
            ("zero_shot", switches.zero_shot.then_some(())),
        ])
        .into_iter()
        .map(|(name, ())| name)
        .collect(),
        lists: given([
            ("enc_sharing_groups", Some(arguments.enc_sharing_groups)),
            ("dec_sharing_groups", Some(arguments.dec_sharing_groups)),
            ("transforms", Some(arguments.transforms)),
            ("ae_transforms", Some(arguments.ae_transforms)),
        ])
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .collect(),
        copy_from,
        bug_for_bug: arguments.bug_for_bug,
    };
    check(stage, &flags, copies)?;
    Ok(flags)
}

fn given<T, const N: usize>(flags: [(&'static str, Option<T>); N]) -> Vec<(&'static str, T)> {
    flags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn check(stage: Stage, flags: &Flags, copies: bool) -> Result<(), Stop> {
    let known = stage.flags();
    let names = flags.texts.iter().map(|(name, _)| *name);
    let names = names.chain(flags.numbers.iter().map(|(name, _)| *name));
    let names = names.chain(flags.counts.iter().map(|(name, _)| *name));
    let names = names.chain(flags.lists.iter().map(|(name, _)| *name));
    let mut names =
        names.chain(flags.switches.iter().copied()).chain(copies.then_some("copy_from"));
    let name = stage.name();
    if let Some(other) = names.find(|name| !known.contains(name)) {
        return usage(format!("the stage `{name}` has no flag `--{other}`"), &known);
    }
    let needed = known.iter().find(|flag| match **flag {
        "joint_vocab" => flags.texts.is_empty(),
        "copy_from" => !copies,
        _ => false,
    });
    match needed {
        Some(flag) => usage(format!("the stage `{name}` needs `--{flag}`"), &known),
        None => Ok(()),
    }
}

fn usage(message: String, known: &[&str]) -> Result<(), Stop> {
    let listed: Vec<String> = known.iter().map(|flag| format!("--{flag}")).collect();
    let help = if listed.is_empty() {
        "it has no flags but `--in_config` and `--out_config`".to_owned()
    } else {
        format!("its flags are {}", listed.join(", "))
    };
    Err(CliError::Usage { message, help }.into())
}

/// Adds lines to files of the working directory.
fn append(additions: &[Addition]) -> Result<(), Stop> {
    let mut names: Vec<&str> = additions.iter().map(|addition| addition.file).collect();
    names.dedup();
    for name in names {
        let lines = additions.iter().filter(|addition| addition.file == name);
        let text: String = lines.flat_map(|addition| [addition.line.as_str(), "\n"]).collect();
        let path = Path::new(name);
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).writing(path)?;
    }
    Ok(())
}
