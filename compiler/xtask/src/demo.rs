//! The main job, once: an artificial corpus, tokenizers, check, plan, training on two ranks, translation, scores.

use std::fs::File;
use std::process::Command;

use crate::fault::{Fault, While};
use crate::tools::{self, root};
use crate::worker::{self, Programs};

const EXPERIMENT: &str = "examples/quickstart.mmc";
const OUTPUT: &str = "runs/quickstart";
const CORPUS: &str = "runs/synth";

/// Directions shown at the end: one within a family, one across, of the quickstart's languages.
const SHOWN: [(&str, &str); 2] = [("aa", "ab"), ("aa", "bb")];

/// Runs it; each command is shown before its output.
pub(crate) fn run() -> Result<(), Fault> {
    let programs = worker::build()?;
    let mmc = |arguments: &[&str]| tools::run(mmc(&programs).args(arguments));
    if !root().join(CORPUS).is_dir() {
        mmc(&["synth", CORPUS, "--families", "alpha=aa,ab", "beta=ba,bb"])?;
    }
    mmc(&["tokenizer", "train", EXPERIMENT])?;
    mmc(&["check", EXPERIMENT])?;
    mmc(&["plan", EXPERIMENT, "--format", "text"])?;
    mmc(&["run", EXPERIMENT, "--overwrite"])?;
    for (source, target) in SHOWN {
        translate(&programs, source, target)?;
    }
    Ok(())
}

fn mmc(programs: &Programs) -> Command {
    let mut command = Command::new(&programs.mmc);
    command.current_dir(root()).env("MMC_WORKER", &programs.worker);
    programs.torch.apply(&mut command);
    command
}

/// Translates held-out sentences, shows the first ones, and scores all.
#[expect(clippy::print_stdout, reason = "shows translations")]
fn translate(programs: &Programs, source: &str, target: &str) -> Result<(), Fault> {
    let input = format!("{CORPUS}/test.{source}");
    let reference = format!("{CORPUS}/test.{target}");
    let output = format!("{OUTPUT}/test.{source}-{target}");
    tools::run(
        mmc(programs)
            .args(["translate", OUTPUT, "--from", source, "--to", target])
            .args(["--beam", "4", "--input", &input, "--output", &output]),
    )?;
    let read = |name: &str| {
        let path = root().join(name);
        std::fs::read_to_string(&path).doing(format_args!("reading {}", path.display()))
    };
    let (sources, translations, references) = (read(&input)?, read(&output)?, read(&reference)?);
    for ((source, translation), reference) in
        sources.lines().zip(translations.lines()).zip(references.lines()).take(3)
    {
        println!("  {source}\n  -> {translation}\n  == {reference}\n");
    }
    let hypotheses = File::open(root().join(&output)).doing(format_args!("opening {output}"))?;
    tools::run(mmc(programs).args(["eval", &reference]).stdin(hypotheses))
}
