//! `mmc emit`: a plan to a file of another program.

use std::path::PathBuf;

use clap::Args;
use mmc_core::{Compilation, Options, emit};

use crate::error::{CliError, Exit, Stop};
use crate::output;
use crate::program::{self, ProgramArguments};
use crate::report;

/// The emitter that sees experiments.
const MAMMOTH: &str = "mammoth";

/// Options of `mmc emit`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to write: `slurm` (a batch script), `dot` (a graph for Graphviz), `mammoth` (a configuration of MAMMOTH)
    emitter: String,
    #[command(flatten)]
    program: ProgramArguments,
    /// Where to write [default: standard output]
    #[arg(short, long, alias = "out", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the emitter's text.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    if arguments.emitter == MAMMOTH {
        return mammoth(arguments);
    }
    let Some(emitter) = emit::find(&arguments.emitter) else {
        let names: Vec<&str> =
            emit::EMITTERS.iter().map(|emitter| emitter.name).chain([MAMMOTH]).collect();
        return Err(CliError::Usage {
            message: format!("there is no emitter `{}`", arguments.emitter),
            help: format!("there are: {}", names.join(", ")),
        }
        .into());
    };
    let text = (emitter.run)(&arguments.program.plan()?)?;
    written(arguments, &text)
}

fn written(arguments: &Arguments, text: &str) -> Result<Exit, Stop> {
    match &arguments.output {
        Some(path) => output::write_atomically(path, text)?,
        None => report::print(text)?,
    }
    Ok(Exit::FINE)
}

/// MAMMOTH's configuration, which needs what the experiment says beside its plan.
fn mammoth(arguments: &Arguments) -> Result<Exit, Stop> {
    let file = &arguments.program.file;
    if program::is_plan(file) {
        return Err(CliError::Usage {
            message: format!(
                "`{}` is a plan, and MAMMOTH's configuration needs more",
                file.display()
            ),
            help: "give the experiment, `mmc emit mammoth FILE.mmc`".to_owned(),
        }
        .into());
    }
    let then = |made: &Compilation| match (&made.experiment, &made.plan) {
        (Some(experiment), Some(plan)) => {
            let emitted = mmc_mammoth::emit::emit(experiment, plan, &made.sources);
            (emitted.findings, emitted.text)
        }
        _ => (Vec::new(), None),
    };
    let source = &arguments.program.source;
    let (compiled, text) = source.compile_and(file, &Options::default(), then)?;
    compiled.findings.show();
    text.flatten().map_or(Ok(Exit::FINDINGS), |text| written(arguments, &text))
}
