//! Estimates: sums over modules, tasks and ranks by the formulas of docs/plan-format.md, and memory within the device.

use crate::plan::{Estimate, Plan, RankSpec, RunEstimate};
use crate::schedule::LANE_PARTS;
use crate::stretch;
use crate::verify::formulas::{Costs, computing, passed_bytes, state_bytes};
use crate::verify::{Findings, Index, Rule, STRETCH};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    let costs = Costs::new(plan);
    let all = stretch::every(plan.tasks.len() > STRETCH, &plan.ranks, |rank| {
        drawn(plan, index, &costs, rank)
    });
    for (number, drawn) in all.into_iter().enumerate() {
        estimate(plan, index, number, drawn, findings);
    }
    totals(plan, findings);
    run(plan, findings);
}

fn estimate(
    plan: &Plan,
    index: &Index<'_>,
    number: usize,
    Drawn { activations, flops, moved }: Drawn,
    findings: &mut Findings,
) {
    let Some(rank) = plan.ranks.get(number) else { return };
    let place = || format!("rank {number}");
    let specs = || rank.modules.iter().filter_map(|name| Some((name, plan.modules.get(name)?)));
    let parameters: u128 = specs().map(|(_, module)| u128::from(module.parameters)).sum();
    let Estimate {
        parameters: told,
        state_bytes: told_state,
        activation_bytes,
        step_flops,
        step_bytes_moved,
        step_seconds,
        ..
    } = rank.estimate;
    findings.expect(u128::from(told) == parameters, Rule::Estimate, || {
        (place(), format!("{told} parameters, but its modules have {parameters}"))
    });
    let state: u128 =
        specs().map(|(name, module)| state_bytes(plan, module, index.lanes_through(name))).sum();
    findings.expect(u128::from(told_state) == state, Rule::Estimate, || {
        (place(), format!("{told_state} bytes of state, but its modules have {state}"))
    });
    findings.expect(u128::from(activation_bytes) == activations, Rule::Estimate, || {
        let message =
            format!("{activation_bytes} bytes of activations, but its tasks need {activations}");
        (place(), message)
    });
    near(step_flops, flops, findings, |expected| {
        (place(), format!("{step_flops} operations a step, but its lanes expect {expected}"))
    });
    near(step_bytes_moved, moved, findings, |expected| {
        (place(), format!("{step_bytes_moved} bytes moved a step, but its lanes expect {expected}"))
    });
    let least = computing(plan, step_flops, step_bytes_moved);
    findings.expect(step_seconds >= least * (1.0 - 1e-6) - 1e-9, Rule::Estimate, || {
        (place(), format!("{step_seconds} seconds a step, but computing takes {least}"))
    });
    let memory = u128::from(told_state) + u128::from(activation_bytes);
    let limit = plan.cluster.device_memory;
    findings.expect(memory <= u128::from(limit), Rule::Memory, || {
        (place(), format!("{memory} bytes on a device of {limit}"))
    });
}

/// Compares an amount with an expectation in millionths; half of one is what rounding leaves.
fn near<P: std::fmt::Display>(
    told: u64,
    expected: u128,
    findings: &mut Findings,
    message: impl Fn(u128) -> (P, String),
) {
    let parts = u128::from(LANE_PARTS);
    let distance = u128::from(told).saturating_mul(parts).abs_diff(expected);
    findings.expect(distance <= expected / 1_000_000_000 + parts, Rule::Estimate, || {
        message(expected / parts)
    });
}

/// What the lanes of a rank do in a step.
#[derive(Debug, Default)]
struct Drawn {
    /// Bytes of memory that the largest batch needs.
    activations: u128,
    /// Millionths of operations.
    flops: u128,
    /// Millionths of bytes that passes over memory read and write.
    moved: u128,
}

fn drawn(plan: &Plan, index: &Index<'_>, costs: &Costs<'_>, rank: &RankSpec) -> Drawn {
    let width = u128::from(plan.training.precision.activation_bytes());
    let training = &plan.training;
    let tokens = u128::from(training.batch_tokens) * u128::from(training.accumulate);
    let mut sum = Drawn::default();
    for (row, drawn) in rank.lanes.iter().flat_map(|&lane| index.lane(lane)) {
        let way = index.way(row);
        let token = costs.token(row.task, way);
        sum.activations = sum.activations.max(costs.batch_bytes(row.task, way));
        let times = |amount: u128| u128::from(drawn.parts).saturating_mul(amount);
        let bytes = passed_bytes(plan, tokens.saturating_mul(token.moved).saturating_mul(width));
        sum.flops = sum.flops.saturating_add(times(tokens.saturating_mul(token.flops)));
        sum.moved = sum.moved.saturating_add(times(bytes.saturating_add(costs.update(way))));
    }
    sum
}

/// Totals are sums, but a step lasts as long as on the slowest rank.
fn totals(plan: &Plan, findings: &mut Findings) {
    let totals = amounts(&plan.totals);
    for (at, (name, told)) in totals.into_iter().enumerate() {
        let of_ranks =
            plan.ranks.iter().filter_map(|rank| amounts(&rank.estimate).get(at).copied());
        let sum: u128 = of_ranks.map(|(_, amount)| amount).sum();
        findings.expect(told == sum, Rule::Estimate, || {
            (format!("totals.{name}"), format!("{told}, but the ranks sum to {sum}"))
        });
    }
    let seconds = plan.ranks.iter().map(|rank| rank.estimate.step_seconds).fold(0.0, f64::max);
    let told = plan.totals.step_seconds;
    let kept = (told - seconds).abs() <= 1e-9 * seconds.abs();
    findings.expect(kept, Rule::Estimate, || {
        ("totals.step_seconds", format!("{told}, but the slowest rank needs {seconds}"))
    });
}

/// The run lasts as long as its steps, on every device at its power.
#[expect(clippy::cast_precision_loss, reason = "compared to nine digits")]
fn run(plan: &Plan, findings: &mut Findings) {
    let Some(RunEstimate { hours, device_hours, kilowatt_hours }) = plan.run else { return };
    let hold = plan.training.steps as f64 * plan.totals.step_seconds / 3600.0;
    let devices = hold * plan.ranks.len() as f64;
    let energy = plan.cluster.device_power.map(|watts| watts / 1000.0 * devices);
    let mut same = |name: &'static str, told: f64, expected: f64| {
        let kept = (told - expected).abs() <= 1e-6 + 1e-9 * expected.abs();
        findings.expect(kept, Rule::Estimate, || {
            (name, format!("{told}, but steps and devices say {expected}"))
        });
    };
    same("run.hours", hours, hold);
    same("run.device_hours", device_hours, devices);
    match (kilowatt_hours, energy) {
        (Some(told), Some(expected)) => same("run.kilowatt_hours", told, expected),
        (told, expected) => findings.expect(told == expected, Rule::Estimate, || {
            ("run.kilowatt_hours", "told of devices whose power is not, or the reverse".to_owned())
        }),
    }
}

/// The amounts of an estimate that add up, by name.
fn amounts(estimate: &Estimate) -> [(&'static str, u128); 6] {
    [
        ("parameters", estimate.parameters.into()),
        ("state_bytes", estimate.state_bytes.into()),
        ("activation_bytes", estimate.activation_bytes.into()),
        ("step_flops", estimate.step_flops.into()),
        ("step_bytes_moved", estimate.step_bytes_moved.into()),
        ("step_bytes_sent", estimate.step_bytes_sent.into()),
    ]
}
