//! `mmc place`: tasks that share modules, and a machine, to an assignment with its cost and bound.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use miette::{Diagnostic, NamedSource, SourceSpan};
use mmc_place::{Answer, Effort, Infeasible, Reason, read, solve};
use serde::Serialize;
use thiserror::Error;

use crate::error::{At as _, Exit, Stop};
use crate::report;

/// Options of `mmc place`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The problem, as JSON
    file: PathBuf,
    /// How long to search: 0 takes the best seed, every level is about five times the work of the one below
    #[arg(long, default_value_t = Effort::default().level(), value_parser = clap::value_parser!(u8).range(0..=i64::from(Effort::MOST)))]
    effort: u8,
}

/// What is wrong with a problem.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum PlaceError {
    /// A file that is no problem.
    #[error("{message}")]
    #[diagnostic(code(mmc::cli::bad_problem))]
    BadProblem {
        message: String,
        #[source_code]
        text: NamedSource<String>,
        #[label("here")]
        span: SourceSpan,
        #[help]
        help: String,
    },
    /// Limits that can't be kept together.
    #[error("no assignment {verb} {limits}")]
    #[diagnostic(code(mmc::cli::no_assignment))]
    NoAssignment {
        verb: &'static str,
        limits: String,
        #[help]
        help: String,
    },
}

/// An answer as it is printed.
#[derive(Serialize)]
struct Printed {
    assignment: Vec<(usize, usize)>,
    cost: u64,
    bound: u64,
    gap: Option<f64>,
    algorithm: &'static str,
    work: u64,
}

/// Places the tasks and prints where.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let path = &arguments.file;
    let text = fs::read_to_string(path).reading(path)?;
    let problem = read(&text).map_err(|fault| PlaceError::BadProblem {
        message: fault.message,
        span: fault.span.into(),
        help: fault.help,
        text: NamedSource::new(path.display().to_string(), text.clone()),
    })?;
    let effort = Effort::new(arguments.effort).unwrap_or_default();
    match solve(&problem, effort) {
        Ok(answer) => {
            let line = serde_json::to_string(&Printed::from(answer)).expect("numbers are JSON");
            report::print(&format!("{line}\n"))?;
            Ok(Exit::FINE)
        }
        Err(infeasible) => {
            let on_node = problem.machine.devices_per_node;
            Err(Stop::Fault(Box::new(no_assignment(&infeasible, on_node)), Exit::FINDINGS))
        }
    }
}

impl From<Answer> for Printed {
    #[expect(
        clippy::cast_precision_loss,
        reason = "millionths are below 2^53 unless the bound is useless"
    )]
    fn from(answer: Answer) -> Self {
        Self {
            gap: answer.gap().map(|millionths| millionths as f64 / 1e6),
            cost: answer.cost,
            bound: answer.bound,
            algorithm: answer.algorithm.name(),
            work: answer.work,
            assignment: answer.assignment,
        }
    }
}

fn no_assignment(infeasible: &Infeasible, on_node: usize) -> PlaceError {
    let reasons: Vec<String> =
        infeasible.reasons.iter().map(|reason| told(reason, on_node)).collect();
    let limits = match reasons.as_slice() {
        [] => "its limits".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let help = if infeasible.is_proved {
        "without any one of these limits the others can be kept"
    } else {
        "found by search, not proved: a higher `--effort` may find one; without any one of these limits it is found"
    };
    PlaceError::NoAssignment { verb: "keeps", limits, help: help.to_owned() }
}

/// A reason in words.
fn told(reason: &Reason, on_node: usize) -> String {
    let gpu = |device: &usize| format!("GPU {} of node {}", device % on_node, device / on_node);
    match reason {
        Reason::Seats { tasks, seats } => {
            format!("{tasks} tasks within the {seats} that all GPUs take")
        }
        Reason::TooFew { tasks, least } => {
            format!("the {least} tasks that GPUs must have, with {tasks} tasks")
        }
        Reason::Full { device, most } => format!("at most {most} tasks on {}", gpu(device)),
        Reason::Empty { device, least } => format!("at least {least} tasks on {}", gpu(device)),
        Reason::Pin { task, device } => format!("task {task} on {}", gpu(device)),
        Reason::Apart { set } => format!("the tasks of `apart` set {set} on different GPUs"),
        Reason::Memory { needed, limit } => {
            format!("{limit} bytes a GPU, where some GPU needs {needed}")
        }
        Reason::Load { needed, limit } => {
            format!("a load of {limit} a GPU, where some GPU carries {needed}")
        }
        Reason::Ready { ready, devices } => {
            format!("a ready task on each of {devices} GPUs, with {ready} ready tasks")
        }
    }
}
