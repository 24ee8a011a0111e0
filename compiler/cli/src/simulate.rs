//! `mmc simulate`: some steps of a plan as a timeline, where their time goes, and a trace for Perfetto.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use mmc_core::simulate::{Activity, Timeline, simulate};
use mmc_plan::{CollectivePurpose, Plan};
use serde_json::{Value, json};

use crate::error::{CliError, Exit, Stop};
use crate::program::ProgramArguments;
use crate::{output, report};

/// Columns of the timeline.
const COLUMNS: usize = 72;
/// Rows of a table that are written out.
const ROWS: usize = 32;

/// Options of `mmc simulate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// The first step
    #[arg(long, value_name = "STEP", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// How many steps
    #[arg(long, value_name = "STEPS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Also write a trace of events (Chrome's JSON, which ui.perfetto.dev opens)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Simulates.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let plan = arguments.program.plan()?;
    if arguments.from > plan.training.steps {
        let message = format!("there is no step {}", arguments.from);
        let help = format!("the run has {} steps", plan.training.steps);
        return Err(CliError::Usage { message, help }.into());
    }
    let last = arguments.from.saturating_add(arguments.steps - 1);
    let timeline = simulate(&plan, arguments.from, last);
    if let Some(path) = &arguments.trace {
        output::write_atomically(path, &trace(&plan, &timeline).to_string())?;
    }
    report::print(&text(&plan, &timeline))?;
    Ok(Exit::FINE)
}

fn text(plan: &Plan, timeline: &Timeline) -> String {
    let [first, last] = timeline.steps;
    let steps = last - first + 1;
    let mut text = format!(
        "{}: steps {first} to {last}, {} a step\n\n",
        plan.experiment.name,
        seconds(timeline.seconds / float(steps))
    );
    let _ = writeln!(text, "  rank  place             computes    waits  communicates");
    for (rank, spec) in (0..timeline.ranks).zip(&plan.ranks).take(ROWS) {
        let part = |activity| percent(timeline.total(activity, Some(rank)) / timeline.seconds);
        let _ = writeln!(
            text,
            "  {rank:>4}  {:<16}  {:>8}  {:>7}  {:>12}",
            format!("node {} device {}", spec.node, spec.device),
            part(Activity::Computes),
            part(Activity::Waits),
            part(Activity::Communicates)
        );
    }
    more(&mut text, plan.ranks.len());
    lost(&mut text, timeline);
    let _ = writeln!(text, "\n  rank  # computes, . waits, = communicates");
    for rank in (0..timeline.ranks).take(ROWS) {
        let _ = writeln!(text, "  {rank:>4}  {}", row(timeline, rank));
    }
    more(&mut text, plan.ranks.len());
    text
}

fn more(text: &mut String, rows: usize) {
    if let Some(more) = rows.checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "  ... and {more} more");
    }
}

/// Communicators by the time of all ranks that they cost.
fn lost(text: &mut String, timeline: &Timeline) {
    let losses = timeline.losses();
    let all = timeline.seconds * f64::from(timeline.ranks);
    if losses.is_empty() {
        let _ = writeln!(text, "\n  no time is lost: ranks don't communicate");
        return;
    }
    let width = losses.iter().map(|row| row.0.chars().count()).max().unwrap_or(0).max(12);
    let _ = writeln!(text, "\n  {:<width$}    waits  communicates  of the ranks' time", "lost in");
    for (name, waits, sends) in losses.iter().take(ROWS) {
        let _ = writeln!(
            text,
            "  {name:<width$}  {:>7}  {:>12}  {}",
            percent(waits / all),
            percent(sends / all),
            percent((waits + sends) / all)
        );
    }
    more(text, losses.len());
}

/// A rank's activities: of every column the one that takes most of it.
fn row(timeline: &Timeline, rank: u32) -> String {
    let mut columns = vec![[0.0; 3]; COLUMNS];
    let scale = float(COLUMNS as u64) / timeline.seconds;
    for span in timeline.spans.iter().filter(|span| span.rank == rank) {
        let (start, end) = (span.start * scale, (span.start + span.seconds) * scale);
        for (at, column) in (0_u32..).zip(&mut columns) {
            let (left, right) = (f64::from(at), f64::from(at + 1));
            let kind = match span.activity {
                Activity::Computes => 0,
                Activity::Waits => 1,
                Activity::Communicates => 2,
            };
            if let Some(part) = column.get_mut(kind) {
                *part += (end.min(right) - start.max(left)).max(0.0);
            }
        }
    }
    let sign = |column: &[f64; 3]| {
        let signs = ['#', '.', '='];
        let longest = column.iter().zip(signs).max_by(|one, other| one.0.total_cmp(other.0));
        longest.filter(|(part, _)| **part > 0.0).map_or(' ', |(_, sign)| sign)
    };
    columns.iter().map(sign).collect::<String>().trim_end().to_owned()
}

/// Complete events of Chrome's trace format: a node is a process, a rank is a thread, times are microseconds.
fn trace(plan: &Plan, timeline: &Timeline) -> Value {
    let node = |rank: u32| plan.ranks.get(rank as usize).map_or(0, |spec| spec.node);
    let mut events: Vec<Value> = (0..timeline.ranks)
        .map(|rank| {
            let name = json!({ "name": format!("rank {rank}") });
            json!({ "name": "thread_name", "ph": "M", "pid": node(rank), "tid": rank, "args": name })
        })
        .collect();
    events.extend(timeline.spans.iter().map(|span| {
        let (kind, name) = match span.activity {
            Activity::Computes => ("compute", span.subject.clone()),
            Activity::Waits => ("wait", format!("wait for {}", span.subject)),
            Activity::Communicates => ("communicate", span.subject.clone()),
        };
        let arguments = match span.collective {
            Some((purpose, bytes)) => {
                json!({ "step": span.step, "purpose": purpose_name(purpose), "bytes": bytes })
            }
            None => json!({ "step": span.step }),
        };
        json!({
            "name": name, "cat": kind, "ph": "X", "pid": node(span.rank), "tid": span.rank,
            "ts": micros(span.start), "dur": micros(span.seconds), "args": arguments,
        })
    }));
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

fn purpose_name(purpose: CollectivePurpose) -> &'static str {
    match purpose {
        CollectivePurpose::Gradients => "gradients",
        CollectivePurpose::Scalars => "scalars",
        CollectivePurpose::Validation => "validation",
        CollectivePurpose::Checkpoint => "checkpoint",
    }
}

/// Microseconds, to the nanosecond.
fn micros(seconds: f64) -> f64 {
    (seconds * 1e9).round() / 1e3
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

fn seconds(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{long:.3} s"),
        short if short >= 1e-3 => format!("{:.3} ms", short * 1e3),
        shortest => format!("{:.3} us", shortest * 1e6),
    }
}

#[expect(clippy::cast_precision_loss, reason = "steps and columns are below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}
