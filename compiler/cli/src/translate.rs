//! `mmc translate`: lines of one language to lines of another, by a checkpoint of a run.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use clap::{Args, ValueEnum};
use mmc_core::suggest;
use mmc_plan::Plan;
use mmc_plan::path::ModulePath;

use crate::error::{At as _, CliError, Exit, Stop};
use crate::models::Models;
use crate::output;

/// Options of `mmc translate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    models: Models,
    /// Source language; of a model without an encoder, the language of text to continue or to score
    #[arg(long, value_name = "LANG")]
    from: String,
    /// Target language; any direction whose modules exist, trained or not
    #[arg(long, value_name = "LANG")]
    to: String,
    /// Text with one segment a line [default: standard input]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where translations go, line by line [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Text of the target language: translations are made of the pieces alone that its lines are split into
    #[arg(long, value_name = "FILE")]
    only: Option<PathBuf>,
    #[command(flatten)]
    decoding: Decoding,
}

/// What else is asked of the worker, in its own words.
#[derive(Debug, Args)]
struct Decoding {
    /// Hypotheses kept at each step; 1 is greedy [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    beam: Option<u32>,
    /// Hypotheses are compared by `log p / length^X` and the coverage penalty [default: 1]
    #[arg(long, value_name = "X")]
    length_penalty: Option<f64>,
    /// Add X times the coverage: over source positions, the sum of the logarithm of the attention they got, up to 1 [default: 0]
    #[arg(long, value_name = "X")]
    coverage_penalty: Option<f64>,
    /// Put each translation's score before it, with a tab between
    #[arg(long)]
    scores: bool,
    /// Translations of each line, at most the beam; each is written as `line<TAB>score<TAB>text`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    nbest: Option<u32>,
    /// No sequence of N pieces comes twice in a translation
    #[arg(long, value_name = "N")]
    no_repeat: Option<u32>,
    /// Most target pieces for one source piece [default: 2]
    #[arg(long, value_name = "X")]
    max_ratio: Option<f64>,
    /// Most target pieces beyond those that the ratio allows [default: 20]
    #[arg(long, value_name = "N")]
    max_length: Option<u32>,
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
    /// Tell at the end what was read of the checkpoints, and how long it took
    #[arg(long)]
    stats: bool,
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
            ("--beam", self.beam.map(|n| n.to_string())),
            ("--length-penalty", self.length_penalty.map(|x| x.to_string())),
            ("--coverage-penalty", self.coverage_penalty.map(|x| x.to_string())),
            ("--nbest", self.nbest.map(|n| n.to_string())),
            ("--no-repeat", self.no_repeat.map(|n| n.to_string())),
            ("--max-ratio", self.max_ratio.map(|x| x.to_string())),
            ("--max-length", self.max_length.map(|n| n.to_string())),
            ("--temperature", self.temperature.map(|x| x.to_string())),
            ("--top-k", self.top_k.map(|n| n.to_string())),
            ("--top-p", self.top_p.map(|x| x.to_string())),
            ("--seed", self.seed.map(|n| n.to_string())),
            ("--given", given),
        ];
        let words = [("--scores", self.scores), ("--sample", self.sample), ("--stats", self.stats)];
        let words = words.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name.to_owned());
        // With a sign of equality, since a number may be below 0; the worker refuses it then.
        let flags =
            flags.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        flags.chain(words).collect()
    }
}

impl Arguments {
    /// Refuses what is said of a search where given translations are scored.
    fn check(&self) -> Result<(), CliError> {
        if self.decoding.given != Some(Given::Translation) {
            return Ok(());
        }
        let name = |flag: &String| flag.split('=').next().unwrap_or_default().to_owned();
        let said = self.decoding.flags().iter().map(name).collect::<Vec<_>>();
        let only = self.only.as_ref().map(|_| "--only".to_owned());
        let of_use = ["--length-penalty", "--coverage-penalty", "--given", "--stats"];
        let idle = said.into_iter().chain(only).find(|name| !of_use.contains(&name.as_str()));
        idle.map_or(Ok(()), |name| {
            Err(CliError::Usage {
                message: format!("`{name}` is of no use with `--given translation`"),
                help: "given translations are scored, and nothing is searched for: leave it out"
                    .to_owned(),
            })
        })
    }
}

/// Translates.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    arguments.check()?;
    let (from, to) = (&arguments.from, &arguments.to);
    let check = |plan: &Plan| check_direction(plan, from, to);
    let (mut command, worker) = arguments.models.command("translate", &check)?;
    command.arg("--source").arg(from).arg("--target").arg(to);
    command.args(arguments.decoding.flags());
    if let Some(path) = &arguments.only {
        command.arg("--only").arg(path);
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
    if !plan.model.has_encoder() && from != to {
        return Err(CliError::NoModules {
            message: "a model without an encoder does not translate".to_owned(),
            help: format!("it continues or scores text of one language: `--from {to} --to {to}`"),
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_checked_before_a_worker_starts() {
        let plan = mmc_plan::sample::plan(&["de", "en"], 2, &[&[0, 1]]);
        assert!(check_direction(&plan, "de", "en").is_ok());
        let fault = check_direction(&plan, "de", "em").unwrap_err();
        assert!(matches!(fault, CliError::NoModules { help, .. } if help.contains("`en`")));
        let alone = mmc_plan::sample::Sample::causal(&["de", "en"], 2, &[&[0, 1]]).plan();
        assert!(check_direction(&alone, "de", "de").is_ok());
        let fault = check_direction(&alone, "de", "en").unwrap_err();
        assert!(matches!(fault, CliError::NoModules { help, .. } if help.contains("--from en")));
        let mut poor = plan.clone();
        let own = poor.module_path("de", "en").unwrap().decoder.pop().unwrap();
        poor.modules.remove(&own);
        let fault = check_direction(&poor, "de", "en").unwrap_err();
        assert!(matches!(fault, CliError::NoModules { help, .. } if help.contains(&own)));
    }
}
