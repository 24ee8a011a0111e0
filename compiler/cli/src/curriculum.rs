//! `mmc curriculum`: weights, tokens and epochs of tasks and the active tasks of devices over the run, as text or drawn.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mmc_plan::forecast::{Forecast, TaskForecast};
use mmc_plan::{Competence, Plan};

use crate::error::{Exit, Stop};
use crate::program::ProgramArguments;
use crate::svg::{self, Curve, Panel, short};
use crate::{output, report};

/// Columns of a course in text.
const COLUMNS: u64 = 32;
/// Heights of a course's columns, from nothing to the most.
const HEIGHTS: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '#', '@'];
/// Rows of a table that are written out.
const ROWS: usize = 60;
/// All of a text, in the parts of a competence.
const PARTS: u64 = 1_000_000_000;
/// Places in a drawing of a competence.
const PLACES: u64 = 100;

/// Options of `mmc curriculum`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Padded tokens of a line, for epochs
    #[arg(long, value_name = "TOKENS", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    line: u32,
    /// For people (`text`), or a drawing (`svg`)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a curriculum is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text
    Text,
    /// SVG
    Svg,
}

/// Shows the curriculum.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let plan = arguments.program.plan()?;
    let forecast = Forecast::new(&plan, arguments.line);
    let text = match arguments.format {
        Format::Text => text(&plan, &forecast),
        Format::Svg => drawing(&plan, &forecast),
    };
    match &arguments.output {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::FINE)
}

fn text(plan: &Plan, forecast: &Forecast) -> String {
    let steps = plan.training.steps;
    let mut text = format!(
        "{}: {} steps in {} window{}\n\n",
        plan.experiment.name,
        short(float(steps)),
        forecast.windows.len(),
        if forecast.windows.len() == 1 { "" } else { "s" }
    );
    let columns = COLUMNS.min(steps);
    text.push_str(&competence(plan, columns));
    let width =
        forecast.tasks.iter().map(|task| task.name.chars().count()).max().unwrap_or(0).max(4);
    let most = forecast.tasks.iter().flat_map(|task| &task.shares).copied().max().unwrap_or(0);
    let _ = writeln!(
        text,
        "  {:<width$}  {:>7}  {:>7}  {:>7}  {:>7}  share over the run, @ is {}",
        "task",
        "share",
        "tokens",
        "epochs",
        "from",
        percent(most)
    );
    let share = |task: &TaskForecast| plan.tasks.get(&task.name).map_or(0, |spec| spec.share);
    for task in forecast.tasks.iter().take(ROWS) {
        let from = task.first_window().and_then(|at| forecast.windows.get(at));
        let course = course(forecast, columns, most, &|window| {
            task.shares.get(window).copied().unwrap_or(0)
        });
        let row = format!(
            "  {:<width$}  {:>7}  {:>7}  {:>7}  {:>7}  {course}",
            task.name,
            percent(share(task)),
            short(task.all_tokens()),
            short(task.all_epochs()),
            from.map_or_else(String::new, |[first, _]| short(float(*first)))
        );
        let _ = writeln!(text, "{}", row.trim_end());
    }
    if let Some(more) = forecast.tasks.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "  ... and {more} more");
    }
    text.push_str(&devices(forecast, columns));
    text
}

/// How much of every text is there; nothing when it is all of it from the beginning.
fn competence(plan: &Plan, columns: u64) -> String {
    let Some(competence) = plan.curriculum.competence else { return String::new() };
    let course: String = (0..columns)
        .map(|column| {
            height(competence.parts_at(middle(plan.training.steps, column, columns)), PARTS)
        })
        .collect();
    format!("  competence: {competence}\n  {course}  @ is all of every text\n\n")
}

/// Active tasks of every device.
fn devices(forecast: &Forecast, columns: u64) -> String {
    let most = forecast.active.iter().flatten().copied().max().unwrap_or(0);
    let mut text = format!("\n  rank  active tasks  over the run, @ is {most}\n");
    for (rank, active) in forecast.active.iter().enumerate().take(ROWS) {
        let (least, most_here) =
            (active.iter().min().copied().unwrap_or(0), active.iter().max().copied().unwrap_or(0));
        let range =
            if least == most_here { least.to_string() } else { format!("{least} to {most_here}") };
        let course = course(forecast, columns, most as u64, &|window| {
            active.get(window).copied().unwrap_or(0) as u64
        });
        let _ = writeln!(text, "{}", format!("  {rank:>4}  {range:>12}  {course}").trim_end());
    }
    if let Some(more) = forecast.active.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "  ... and {more} more");
    }
    text
}

/// A number's course: each column is the step in its middle.
fn course(forecast: &Forecast, columns: u64, most: u64, at: &dyn Fn(usize) -> u64) -> String {
    let steps = forecast.windows.last().map_or(1, |[_, last]| *last);
    let column = |column: u64| {
        let middle = middle(steps, column, columns);
        let window = forecast.windows.iter().position(|[_, last]| middle <= *last);
        height(at(window.unwrap_or(forecast.windows.len().saturating_sub(1))), most)
    };
    (0..columns).map(column).collect()
}

/// The step in the middle of a column.
fn middle(steps: u64, column: u64, columns: u64) -> u64 {
    // 128 bits: steps times columns.
    let middle = u128::from(steps) * u128::from(2 * column + 1) / u128::from(2 * columns.max(1));
    u64::try_from(middle).unwrap_or(steps) + 1
}

/// A number as a letter; whatever is there is seen.
fn height(value: u64, most: u64) -> char {
    let levels = HEIGHTS.len() as u64 - 1;
    let level = (value * levels).checked_div(most).unwrap_or(0).max(u64::from(value > 0));
    usize::try_from(level).ok().and_then(|level| HEIGHTS.get(level)).copied().unwrap_or(' ')
}

fn percent(share: u64) -> String {
    format!("{} %", short(float(share) / 1e7))
}

#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn float(number: u64) -> f64 {
    number as f64
}

fn drawing(plan: &Plan, forecast: &Forecast) -> String {
    let mut tasks: Vec<&TaskForecast> = forecast.tasks.iter().collect();
    tasks.sort_by(|a, b| {
        b.all_epochs().total_cmp(&a.all_epochs()).then_with(|| a.name.cmp(&b.name))
    });
    // Numbers that hold for a window are steps, sums over the run are straight within it.
    let stairs = |values: Vec<f64>| -> Vec<(f64, f64)> {
        let spans = forecast.windows.iter().zip(values);
        spans
            .flat_map(|([first, last], value)| [(float(*first), value), (float(*last), value)])
            .collect()
    };
    let sums = |values: &[f64]| -> Vec<(f64, f64)> {
        let ends = forecast.windows.iter().zip(values);
        std::iter::once((0.0, 0.0))
            .chain(ends.map(|([_, last], sum)| (float(*last), *sum)))
            .collect()
    };
    let panel = |title: &str, points: &dyn Fn(&TaskForecast) -> Vec<(f64, f64)>| {
        let curve = |task: &&TaskForecast| Curve { name: task.name.clone(), points: points(task) };
        Panel {
            title: title.to_owned(),
            axis: "steps".to_owned(),
            curves: tasks.iter().map(curve).collect(),
        }
    };
    let shares =
        |task: &TaskForecast| stairs(task.shares.iter().map(|share| float(*share) / 1e7).collect());
    let active = forecast.active.iter().enumerate().map(|(rank, active)| Curve {
        name: format!("rank {rank}"),
        points: stairs(active.iter().map(|count| float(*count as u64)).collect()),
    });
    let mut panels = vec![
        panel("share, per cent", &shares),
        panel("tokens read", &|task| sums(&task.tokens)),
        panel("epochs read", &|task| sums(&task.epochs)),
        Panel {
            title: "active tasks of a device".to_owned(),
            axis: "steps".to_owned(),
            curves: active.collect(),
        },
    ];
    panels.extend(plan.curriculum.competence.map(|of| ease(of, plan.training.steps)));
    svg::panels(&plan.experiment.name, &panels)
}

/// How much of every text is there, step by step.
fn ease(competence: Competence, steps: u64) -> Panel {
    let places = PLACES.min(steps.max(2) - 1);
    let step = |at: u64| 1 + (steps.saturating_sub(1)) * at / places;
    let points = (0..=places).map(step);
    let curve = Curve {
        name: "of every text".to_owned(),
        points: points.map(|step| (float(step), float(competence.parts_at(step)) / 1e7)).collect(),
    };
    Panel {
        title: "easy enough, per cent".to_owned(),
        axis: "steps".to_owned(),
        curves: vec![curve],
    }
}
