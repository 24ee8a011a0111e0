//! `mmc translate`: lines of one language to lines of another, by a checkpoint of a run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use mmc_core::suggest;
use mmc_plan::Plan;
use mmc_plan::path::ModulePath;

use crate::error::{At as _, CliError, Exit, Stop};
use crate::output::{self, Output};
use crate::{program, worker};

/// Options of `mmc translate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Output folder of a run, or its plan (`.yaml`)
    run: PathBuf,
    /// Source language
    #[arg(long, value_name = "LANG")]
    from: String,
    /// Target language; any direction whose modules exist, trained or not
    #[arg(long, value_name = "LANG")]
    to: String,
    /// Hypotheses kept at each step; 1 is greedy
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    beam: u32,
    /// Hypotheses are compared by `log p / length^X`
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    length_penalty: f64,
    /// Step of the checkpoint, `latest`, or `best` (of a run with `stop_early`)
    #[arg(long, value_name = "STEP", default_value = "latest")]
    checkpoint: String,
    /// Text with one segment a line [default: standard input]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where translations go, line by line [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Put each translation's score before it, with a tab between
    #[arg(long)]
    scores: bool,
    #[command(flatten)]
    decoding: Decoding,
    /// Computing threads [default: the worker's choice]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// The worker program [default: beside mmc, then `MMC_WORKER`, then PATH]
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

/// What else is asked of the worker, in its own words.
#[derive(Debug, Args)]
struct Decoding {
    /// Translations of each line, at most the beam; each is written as `line<TAB>score<TAB>text`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    nbest: Option<u32>,
    /// No sequence of N pieces comes twice in a translation
    #[arg(long, value_name = "N")]
    no_repeat: Option<u32>,
    /// Draw translations in place of searching for the best; `--nbest` draws several
    #[arg(long, conflicts_with = "beam")]
    sample: bool,
    /// Raise probabilities to the power of 1/X before drawing
    #[arg(long, value_name = "X", requires = "sample")]
    temperature: Option<f64>,
    /// Draw from the N likeliest pieces
    #[arg(long, value_name = "N", requires = "sample")]
    top_k: Option<u32>,
    /// Draw from the likeliest pieces that together have probability X
    #[arg(long, value_name = "X", requires = "sample")]
    top_p: Option<f64>,
    /// Seed of what is drawn
    #[arg(long, value_name = "N", requires = "sample")]
    seed: Option<u64>,
    /// What input lines hold behind a tab: the beginning of the translation, or all of it, whose score is then written in its place
    #[arg(long, value_enum)]
    given: Option<Given>,
}

/// What is given of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Given {
    /// Its beginning
    Prefix,
    /// All of it
    Translation,
}

impl Decoding {
    fn flags(&self) -> Vec<String> {
        let given = self.given.map(|given| match given {
            Given::Prefix => "prefix".to_owned(),
            Given::Translation => "translation".to_owned(),
        });
        let flags = [
            ("--nbest", self.nbest.map(|n| n.to_string())),
            ("--no-repeat", self.no_repeat.map(|n| n.to_string())),
            ("--temperature", self.temperature.map(|x| x.to_string())),
            ("--top-k", self.top_k.map(|n| n.to_string())),
            ("--top-p", self.top_p.map(|x| x.to_string())),
            ("--seed", self.seed.map(|n| n.to_string())),
            ("--given", given),
        ];
        let flags = flags.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        flags.flatten().chain(self.sample.then(|| "--sample".to_owned())).collect()
    }
}

/// Translates.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let (plan_path, output) = located(&arguments.run)?;
    let plan = program::read_plan(&plan_path)?;
    let output = output.unwrap_or_else(|| Output::new(Path::new(&plan.experiment.output)));
    check_direction(&plan, &arguments.from, &arguments.to)?;
    let checkpoint = checkpoint(&output, &arguments.checkpoint)?;
    let worker = worker::find(arguments.worker.as_deref())?;
    let mut command = Command::new(&worker);
    command.arg("translate").arg("--plan").arg(&plan_path).arg("--checkpoint").arg(checkpoint);
    command.arg("--source").arg(&arguments.from).arg("--target").arg(&arguments.to);
    if !arguments.decoding.sample {
        command.arg("--beam").arg(arguments.beam.to_string());
    }
    command.args(arguments.decoding.flags());
    command.arg("--length-penalty").arg(arguments.length_penalty.to_string());
    if arguments.scores {
        command.arg("--scores");
    }
    if let Some(threads) = arguments.threads {
        command.arg("--threads").arg(threads.to_string());
    }
    if let Some(path) = &arguments.input {
        command.stdin(File::open(path).reading(path)?);
    }
    let start = |cause| CliError::Start { path: worker.clone(), cause };
    let status = match &arguments.output {
        None => command.status().map_err(start)?,
        Some(path) => {
            // There whole or not at all: half a translation looks like a whole one.
            let file = output::beside(path)?;
            let status = command
                .stdout(Stdio::from(file.reopen().writing(path)?))
                .status()
                .map_err(start)?;
            if status.success() {
                file.persist(path).map_err(|fault| fault.error).writing(path)?;
            }
            status
        }
    };
    Ok(if status.success() { Exit::FINE } else { Exit::FINDINGS })
}

/// The plan of a run, and its folder when that was given.
fn located(run: &Path) -> Result<(PathBuf, Option<Output>), CliError> {
    if !run.is_dir() {
        return Ok((run.to_owned(), None));
    }
    let output = Output::new(run);
    let plan = output.plan();
    plan.metadata().reading(&plan)?;
    Ok((plan, Some(output)))
}

fn check_direction(plan: &Plan, from: &str, to: &str) -> Result<(), CliError> {
    for language in [from, to] {
        if !plan.languages.contains_key(language) {
            let known = plan.languages.keys().map(String::as_str);
            let nearest = suggest::nearest(language, known.clone());
            let all = suggest::listed(&known.collect::<Vec<_>>(), "and");
            let help = nearest.map_or_else(
                || format!("the plan has {all}"),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("the plan has no language `{language}`");
            return Err(CliError::NoModules { message, help });
        }
    }
    let path = plan.module_path(from, to);
    let modules = path.iter().flat_map(ModulePath::modules);
    let missing: Vec<&str> =
        modules.filter(|name| !plan.modules.contains_key(*name)).map(String::as_str).collect();
    if path.is_some() && missing.is_empty() {
        return Ok(());
    }
    let message = format!("the direction `{from} -> {to}` has no modules of its own in the plan");
    let help = if missing.is_empty() {
        "a language of it is in no group of the grouping that the model shares by".to_owned()
    } else {
        format!("the plan lacks {}: no task trains them", suggest::listed(&missing, "and"))
    };
    Err(CliError::NoModules { message, help })
}

fn checkpoint(output: &Output, wanted: &str) -> Result<PathBuf, CliError> {
    let mut all = output.checkpoints();
    let steps: Vec<String> = all.iter().map(|(step, _)| step.to_string()).collect();
    let found = if wanted == "latest" {
        all.pop()
    } else if wanted == "best" {
        let named = std::fs::read_to_string(output.best()).unwrap_or_default();
        all.into_iter().find(|(_, path)| path.ends_with(named.trim()) && !named.trim().is_empty())
    } else {
        let step: Option<u64> = wanted.parse().ok();
        all.into_iter().find(|(known, _)| Some(*known) == step)
    };
    found.map(|(_, path)| path).ok_or_else(|| CliError::NoCheckpoint {
        output: output.folder().to_owned(),
        wanted: wanted.to_owned(),
        help: if steps.is_empty() {
            "`mmc run` trains; it writes a checkpoint at least after the last step".to_owned()
        } else {
            format!("there are checkpoints of the steps {}", steps.join(", "))
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_checked_before_a_worker_starts() {
        let plan = mmc_plan::sample::plan(&["de", "en"], 2, &[&[0, 1]]);
        assert!(check_direction(&plan, "de", "en").is_ok());
        let fault = check_direction(&plan, "de", "em").unwrap_err();
        assert!(matches!(fault, CliError::NoModules { help, .. } if help.contains("`en`")));
        let mut poor = plan.clone();
        let own = poor.module_path("de", "en").unwrap().decoder.pop().unwrap();
        poor.modules.remove(&own);
        let fault = check_direction(&poor, "de", "en").unwrap_err();
        assert!(matches!(fault, CliError::NoModules { help, .. } if help.contains(&own)));
    }
}
