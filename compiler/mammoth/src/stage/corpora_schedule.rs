//! Lines to weights and starting steps.

use mmc_core::diagnostics::Halt;

use crate::error::MammothError;
use crate::job::{Job, Task};
use crate::stage::line_counts;
use crate::warning::MammothWarning;
use crate::yaml::{Tree, Value};

/// A task with more than this share of the lines begins at once.
const DOMINANT: f64 = 0.75;

/// The options of the schedule.
struct Schedule {
    temperature: f64,
    ae_weight: f64,
    weights: bool,
    curriculum: bool,
    split: f64,
    steps: f64,
}

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    let schedule = schedule(job)?;
    let mut tasks = job.pairs()?;
    let mut named = tasks.clone();
    named.sort_by(|a, b| a.key.cmp(&b.key));
    let lines = line_counts::lines(job, &named)?;
    let total: u64 = lines.iter().sum();
    if total == 0 {
        let span = job.options_place();
        return Err(job.halt(MammothError::NoLines { span }));
    }
    let share = |lines: u64| power(ratio(lines, total), schedule.temperature);
    let shares: Vec<(String, f64)> =
        named.into_iter().map(|task| task.key).zip(lines.into_iter().map(share)).collect();
    let mut shares: std::collections::BTreeMap<String, f64> = shares.into_iter().collect();
    if schedule.split > 0.0 {
        split(job, schedule.split, &tasks, &mut shares)?;
        tasks = job.pairs()?;
    }
    assign(job, &schedule, &tasks, &shares);
    Ok(())
}

fn schedule(job: &mut Job<'_>) -> Result<Schedule, Halt> {
    Ok(Schedule {
        temperature: job.number("temperature")?.unwrap_or(1.0),
        ae_weight: ae_weight(job)?,
        weights: job.switch("use_weight")?,
        curriculum: job.switch("use_introduce_at_training_step")?,
        split: job.number_option("split_large_language_pairs")?.map_or(0.0, |(value, _)| value),
        steps: job.train_steps()?,
    })
}

/// The flag's own default of 1.0 hides the option from the peer, unless the flag is zero.
fn ae_weight(job: &mut Job<'_>) -> Result<f64, Halt> {
    let flag = job.flags.number("ae_weight");
    if job.bugs() && flag.is_none() {
        return Ok(1.0);
    }
    let value = job.number("ae_weight")?.unwrap_or(1.0);
    if flag.is_none()
        && let Some((_, id)) = job.number_option("ae_weight")?
        && value.total_cmp(&1.0).is_ne()
    {
        let span = job.tree.span(id);
        let value = job.sources.text(span).unwrap_or_default().to_owned();
        job.sink.report(MammothWarning::AeWeight { value, span });
    }
    Ok(value)
}

#[expect(clippy::cast_precision_loss, reason = "Python's division of whole numbers below 2^53")]
fn ratio(lines: u64, total: u64) -> f64 {
    lines as f64 / total as f64
}

/// The platform's `pow`, as Python's `**`: weights must agree with the peer's to the last bit, on its platform.
fn power(base: f64, exponent: f64) -> f64 {
    base.powf(exponent)
}

/// Replaces large tasks by strided copies at the end of the tasks.
fn split(
    job: &mut Job<'_>,
    most: f64,
    tasks: &[Task],
    shares: &mut std::collections::BTreeMap<String, f64>,
) -> Result<(), Halt> {
    let root = job.tree.root();
    let map = job.root_map("tasks", "the stage `complete_language_pairs` makes them")?;
    // The peer works on a deep copy: what tasks share with each other stays shared, with the rest of the file it does not.
    let copy = job.tree.deep_copy(map);
    job.tree.set(root, "tasks", copy);
    let mut names: Vec<&str> = tasks.iter().map(|task| task.key.as_str()).collect();
    names.sort_unstable();
    for name in names {
        let share = shares.get(name).copied().unwrap_or_default();
        if share <= most {
            continue;
        }
        let pieces = pieces(share / most);
        let Some(task) = job.tree.get(copy, name) else { continue };
        shares.remove(name);
        for piece in 0..pieces {
            let made = job.tree.deep_copy(task);
            let (stride, offset) = (job.tree.add_int(pieces), job.tree.add_int(piece));
            job.tree.set(made, "stride", stride);
            job.tree.set(made, "offset", offset);
            let key = format!("{name}_split{piece}");
            job.tree.set(copy, &key, made);
            #[expect(clippy::cast_precision_loss, reason = "pieces are few")]
            shares.insert(key, share / pieces as f64);
        }
        job.tree.remove(copy, name);
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a ratio of shares, which are at most one, cut at a million"
)]
fn pieces(ratio: f64) -> i128 {
    ratio.ceil().clamp(1.0, 1e6) as i128
}

fn assign(
    job: &mut Job<'_>,
    schedule: &Schedule,
    tasks: &[Task],
    shares: &std::collections::BTreeMap<String, f64>,
) {
    let mut least = whole(schedule.steps);
    for task in tasks {
        let mut share = shares.get(&task.key).copied().unwrap_or_default();
        if schedule.weights && schedule.curriculum {
            share = share.sqrt();
        }
        let multiplier = if task.source == task.target { schedule.ae_weight } else { 1.0 };
        let weight =
            if schedule.weights { Value::Float(share * multiplier) } else { Value::Int(1) };
        set(&mut job.tree, task, "weight", weight);
        let start = if !schedule.curriculum || share > DOMINANT {
            0
        } else {
            whole((schedule.steps * (1.0 - share)).round_ties_even())
        };
        least = least.min(start);
        set(&mut job.tree, task, "introduce_at_training_step", Value::Int(start));
    }
    if !schedule.curriculum || least <= 0 {
        return;
    }
    for task in tasks {
        let start = job.tree.get(task.id, "introduce_at_training_step");
        if let Some(start) = start.and_then(|id| job.tree.int(id)) {
            set(&mut job.tree, task, "introduce_at_training_step", Value::Int(start - least));
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "steps; beyond the range the cast stays at its end"
)]
fn whole(steps: f64) -> i128 {
    steps as i128
}

fn set(tree: &mut Tree, task: &Task, key: &str, value: Value) {
    let id = tree.add(value, tree.span(task.id));
    tree.set(task.id, key, id);
}
