//! `mmc plan --what-if FIELD=VALUES`: the experiment planned for other clusters, as a table or drawn.

use std::fmt::Write as _;

use mmc_core::Options;
use mmc_core::cost::compute_seconds;
use mmc_core::resolve::ClusterChange;
use mmc_plan::{Estimate, Plan};

use crate::error::Stop;
use crate::program::ProgramArguments;
use crate::svg::{self, Curve, Panel, short};

/// One cluster that was tried.
#[derive(Debug)]
pub(crate) struct Trial {
    change: ClusterChange,
    /// The first error, when there is no plan.
    outcome: Result<Figures, String>,
}

/// What a plan is expected to cost.
#[derive(Debug, Clone, PartialEq)]
struct Figures {
    digest: String,
    devices: f64,
    lanes: usize,
    /// Of the slowest device.
    step_seconds: f64,
    /// Of them, computing.
    compute_seconds: f64,
    /// Of the fullest device.
    memory: f64,
    /// Target tokens of full batches.
    tokens_per_second: f64,
    /// Of the whole run.
    run_seconds: f64,
}

/// Plans for every change. Only errors are kept of the findings.
pub(crate) fn plan(
    program: &ProgramArguments,
    changes: &[ClusterChange],
) -> Result<Vec<Trial>, Stop> {
    let mut trials = Vec::new();
    for change in changes {
        let options = Options { cluster: Some(change.clone()), ..Options::default() };
        let compiled = program.source.compile(&program.file, &options)?;
        let outcome = match &compiled.plan {
            Some(plan) => Ok(Figures::of(plan)),
            None => Err(compiled.findings.first_error().unwrap_or_default()),
        };
        trials.push(Trial { change: change.clone(), outcome });
    }
    Ok(trials)
}

impl Figures {
    fn of(plan: &Plan) -> Self {
        let most = |of: &dyn Fn(&Estimate) -> f64| {
            plan.ranks.iter().map(|rank| of(&rank.estimate)).fold(0.0, f64::max)
        };
        let (training, step_seconds) = (&plan.training, plan.totals.step_seconds);
        let tokens = float(plan.lanes.len() as u64)
            * f64::from(training.batch_tokens)
            * f64::from(training.accumulate);
        Self {
            digest: plan.digest.clone(),
            devices: float(plan.ranks.len() as u64),
            lanes: plan.lanes.len(),
            step_seconds,
            compute_seconds: most(&|rank| {
                compute_seconds(&plan.cluster, rank.step_flops, rank.step_bytes_moved)
            }),
            memory: most(&|rank| float(rank.state_bytes) + float(rank.activation_bytes)),
            tokens_per_second: tokens / step_seconds,
            run_seconds: step_seconds * float(training.steps),
        }
    }

    fn per_device(&self) -> f64 {
        self.tokens_per_second / self.devices
    }
}

/// Trials that have a plan.
fn planned(trials: &[Trial]) -> impl Iterator<Item = (&ClusterChange, &Figures)> {
    trials
        .iter()
        .filter_map(|trial| trial.outcome.as_ref().ok().map(|found| (&trial.change, found)))
}

/// The value beyond which more brings less than it did before: the point farthest above the line from the first to the last
/// in the plane of value and tokens per second (Satopaa et al. 2011, section III, without smoothing). None when no point is
/// clearly above it.
fn knee(trials: &[Trial]) -> Option<f64> {
    let points: Vec<(f64, f64)> =
        planned(trials).map(|(change, found)| (change.value(), found.tokens_per_second)).collect();
    let (first, last) = (points.first()?, points.last()?);
    let (width, height) = (last.0 - first.0, last.1 - first.1);
    if width <= 0.0 || height <= 0.0 {
        return None;
    }
    let above = |(x, y): &(f64, f64)| (y - first.1) / height - (x - first.0) / width;
    let farthest = points.iter().rev().max_by(|a, b| above(a).total_cmp(&above(b)))?;
    (above(farthest) > 0.02).then_some(farthest.0)
}

/// A table for people.
pub(crate) fn table(trials: &[Trial]) -> String {
    let field = trials.first().map_or("", |trial| trial.change.field());
    let width = trials
        .iter()
        .map(|trial| trial.change.text.chars().count())
        .max()
        .unwrap_or(0)
        .max(field.len());
    let mut text = format!(
        "  {field:<width$}  devices  lanes  step       computes   exchanges  memory    tokens/s  a device  in all     of devices\n"
    );
    let base = planned(trials).next().map(|(_, found)| found.clone());
    let knee = knee(trials);
    for Trial { change, outcome } in trials {
        let _ = write!(text, "  {:<width$}  ", change.text);
        match outcome {
            Err(fault) => {
                let _ = writeln!(text, "no plan: {fault}");
            }
            Ok(found) => {
                let against =
                    base.as_ref().map_or(1.0, |base| found.per_device() / base.per_device());
                let row = format!(
                    "{:>7}  {:>5}  {:<9}  {:<9}  {:<9}  {:<8}  {:>8}  {:>8}  {:<9}  {}",
                    found.devices,
                    found.lanes,
                    seconds(found.step_seconds),
                    seconds(found.compute_seconds),
                    seconds((found.step_seconds - found.compute_seconds).max(0.0)),
                    memory(found.memory),
                    short(found.tokens_per_second),
                    format!("{:.0} %", 100.0 * against),
                    seconds(found.run_seconds),
                    seconds(found.run_seconds * found.devices),
                );
                let _ = write!(text, "{row}");
                if base.as_ref().is_some_and(|base| base.digest != found.digest) {
                    text.push_str("  other mathematics");
                }
                if knee == Some(change.value()) {
                    text.push_str("  <- knee");
                }
                text.push('\n');
            }
        }
    }
    text
}

/// The same as curves.
pub(crate) fn drawing(name: &str, trials: &[Trial]) -> String {
    let field = trials.first().map_or("", |trial| trial.change.field());
    let curve = |name: &str, of: &dyn Fn(&Figures) -> f64| Curve {
        name: name.to_owned(),
        points: planned(trials).map(|(change, found)| (change.value(), of(found))).collect(),
    };
    let base = planned(trials).next().map_or(1.0, |(_, found)| found.per_device());
    let title = match knee(trials) {
        Some(knee) => format!("target tokens/s (knee at {field} = {})", short(knee)),
        None => "target tokens/s".to_owned(),
    };
    let panel =
        |title: &str, curves| Panel { title: title.to_owned(), axis: field.to_owned(), curves };
    svg::panels(
        name,
        &[
            panel(
                "seconds of a step",
                vec![
                    curve("step", &|found| found.step_seconds),
                    curve("computes", &|found| found.compute_seconds),
                    curve("exchanges", &|found| {
                        (found.step_seconds - found.compute_seconds).max(0.0)
                    }),
                ],
            ),
            panel("bytes of the fullest device", vec![curve("memory", &|found| found.memory)]),
            panel(&title, vec![curve("tokens/s", &|found| found.tokens_per_second)]),
            panel(
                "a device's tokens/s against the first, per cent",
                vec![curve("efficiency", &|found| 100.0 * found.per_device() / base)],
            ),
        ],
    )
}

fn seconds(value: f64) -> String {
    match value {
        hours if hours >= 3600.0 => format!("{} h", short(hours / 3600.0)),
        long if long >= 1.0 => format!("{} s", short(long)),
        middle if middle >= 1e-3 => format!("{} ms", short(middle * 1e3)),
        brief => format!("{} us", short(brief * 1e6)),
    }
}

fn memory(bytes: f64) -> String {
    let units = [(f64::from(1 << 30), "GiB"), (f64::from(1 << 20), "MiB")];
    let (scale, unit) =
        units.into_iter().find(|(scale, _)| bytes >= *scale).unwrap_or((1024.0, "KiB"));
    format!("{} {unit}", short(bytes / scale))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(rates: &[f64]) -> Vec<Trial> {
        let changes = ClusterChange::read(&format!("nodes=1..{}", rates.len())).expect("a range");
        let outcome = |rate: &f64| {
            Ok(Figures {
                digest: String::new(),
                devices: 1.0,
                lanes: 1,
                step_seconds: 1.0,
                compute_seconds: 0.5,
                memory: 1.0,
                tokens_per_second: *rate,
                run_seconds: 1.0,
            })
        };
        changes
            .into_iter()
            .zip(rates)
            .map(|(change, rate)| Trial { change, outcome: outcome(rate) })
            .collect()
    }

    #[test]
    fn the_knee_is_where_gains_fall_off() {
        assert_eq!(knee(&trials(&[10.0, 20.0, 22.0, 23.0, 24.0])), Some(2.0));
        assert_eq!(knee(&trials(&[10.0, 20.0, 30.0])), None);
        assert_eq!(knee(&trials(&[10.0])), None);
        assert_eq!(knee(&trials(&[10.0, 9.0, 8.0])), None);
    }
}
