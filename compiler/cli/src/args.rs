//! The command line: one subcommand a file; doc comments there are the help text.

use clap::{Parser, Subcommand};

use crate::error::{Exit, Stop};
use crate::{
    calibrate, check, curriculum, diff, emit, eval, explain, fmt, groups, import, index, mammoth,
    passes, place, plan, run, serve, simulate, synth, tokenizer, translate,
};

/// Declarative experiment compiler for multilingual translation
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check an experiment: every finding of the file in one run
    Check(check::Arguments),
    /// Bring experiments into the canonical layout
    Fmt(fmt::Arguments),
    /// Plan an experiment: tasks, lanes, modules, communicators, memory, time
    Plan(plan::Arguments),
    /// Show weights, tokens and epochs of tasks over the run, as text or drawn
    Curriculum(curriculum::Arguments),
    /// Place tasks that share modules on the GPUs of a machine: cost, bound, assignment
    Place(place::Arguments),
    /// Run steps of a plan as the estimates say: a timeline, where time is lost, a trace for Perfetto
    Simulate(simulate::Arguments),
    /// List the compiler's stages and passes
    Passes,
    /// Tell what differs between two plans or experiments, and whether the mathematics is the same
    Diff(diff::Arguments),
    /// Explain a diagnostic code
    Explain(explain::Arguments),
    /// Show the groups of languages, with the trees of those that were found by distances
    Groups(groups::Arguments),
    /// Write what a plan needs to know of corpora and tokenizers, to plan where they are not
    Index(index::Arguments),
    /// Make an experiment of a MAMMOTH configuration
    Import(import::Arguments),
    /// Write a plan for another program: a batch script, a graph
    Emit(emit::Arguments),
    /// Run a stage of MAMMOTH's configuration compiler, in its place
    Mammoth(Box<mammoth::Arguments>),
    /// Write parallel corpora of artificial languages in families
    Synth(synth::Arguments),
    /// Make tokenizers
    #[command(subcommand)]
    Tokenizer(tokenizer::Command),
    /// Train: on this machine with all ranks, or as one rank of torchrun, Slurm, MPI
    Run(run::Arguments),
    /// Measure this machine with all its ranks at work, and write it down as a cluster
    Calibrate(calibrate::Arguments),
    /// Translate with a checkpoint
    Translate(translate::Arguments),
    /// Translate for other programs, by HTTP
    Serve(serve::Arguments),
    /// Score translations: BLEU and chrF, equal to sacreBLEU's
    Eval(eval::Arguments),
}

impl Command {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<Exit, Stop> {
        match self {
            Self::Check(arguments) => check::run(&arguments),
            Self::Fmt(arguments) => fmt::run(&arguments),
            Self::Plan(arguments) => plan::run(&arguments),
            Self::Curriculum(arguments) => curriculum::run(&arguments),
            Self::Place(arguments) => place::run(&arguments),
            Self::Simulate(arguments) => simulate::run(&arguments),
            Self::Passes => passes::run(),
            Self::Diff(arguments) => diff::run(&arguments),
            Self::Explain(arguments) => explain::run(&arguments),
            Self::Groups(arguments) => groups::run(&arguments),
            Self::Index(arguments) => index::run(&arguments),
            Self::Import(arguments) => import::run(&arguments),
            Self::Emit(arguments) => emit::run(&arguments),
            Self::Mammoth(arguments) => mammoth::run(*arguments),
            Self::Synth(arguments) => synth::run(&arguments),
            Self::Tokenizer(command) => tokenizer::run(&command),
            Self::Run(arguments) => run::run(&arguments),
            Self::Calibrate(arguments) => calibrate::run(&arguments),
            Self::Translate(arguments) => translate::run(&arguments),
            Self::Serve(arguments) => serve::run(&arguments),
            Self::Eval(arguments) => eval::run(&arguments),
        }
    }
}
