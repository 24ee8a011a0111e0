//! Estimates: sums over modules, tasks and ranks by the formulas of docs/plan-format.md, and memory within the device.

use crate::plan::{Estimate, Plan, RankSpec};
use crate::schedule::LANE_PARTS;
use crate::verify::formulas::{Costs, state_bytes};
use crate::verify::{Findings, Index, Rule};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    let costs = Costs::new(plan);
    for (number, rank) in plan.ranks.iter().enumerate() {
        estimate(plan, number, drawn(plan, index, &costs, rank), findings);
    }
    totals(plan, findings);
}

fn estimate(
    plan: &Plan,
    number: usize,
    (activations, flops): (u128, u128),
    findings: &mut Findings,
) {
    let Some(rank) = plan.ranks.get(number) else { return };
    let place = || format!("rank {number}");
    let specs = || rank.modules.iter().filter_map(|name| plan.modules.get(name));
    let parameters: u128 = specs().map(|module| u128::from(module.parameters)).sum();
    let Estimate {
        parameters: told, state_bytes: told_state, activation_bytes, step_flops, ..
    } = rank.estimate;
    findings.expect(u128::from(told) == parameters, Rule::Estimate, || {
        (place(), format!("{told} parameters, but its modules have {parameters}"))
    });
    let state: u128 =
        specs().map(|module| state_bytes(plan, module.parameters.into(), module.frozen)).sum();
    findings.expect(u128::from(told_state) == state, Rule::Estimate, || {
        (place(), format!("{told_state} bytes of state, but its modules have {state}"))
    });
    findings.expect(u128::from(activation_bytes) == activations, Rule::Estimate, || {
        let message =
            format!("{activation_bytes} bytes of activations, but its tasks need {activations}");
        (place(), message)
    });
    // In millionths of operations; half an operation is what rounding leaves.
    let told = u128::from(step_flops).saturating_mul(LANE_PARTS.into());
    let rounding = flops / 1_000_000_000 + u128::from(LANE_PARTS);
    findings.expect(told.abs_diff(flops) <= rounding, Rule::Estimate, || {
        let expected = flops / u128::from(LANE_PARTS);
        (place(), format!("{step_flops} operations a step, but its lanes expect {expected}"))
    });
    let memory = u128::from(told_state) + u128::from(activation_bytes);
    let limit = plan.cluster.device_memory;
    findings.expect(memory <= u128::from(limit), Rule::Memory, || {
        (place(), format!("{memory} bytes on a device of {limit}"))
    });
}

/// Bytes that the largest batch of a rank keeps for its backward pass, and millionths of operations that a step of its lanes
/// takes.
fn drawn(plan: &Plan, index: &Index<'_>, costs: &Costs<'_>, rank: &RankSpec) -> (u128, u128) {
    let width = u128::from(plan.training.precision.activation_bytes());
    let batch = u128::from(plan.training.batch_tokens);
    let tokens = batch * u128::from(plan.training.accumulate);
    let (mut activations, mut flops) = (0_u128, 0_u128);
    let lanes = rank.lanes.iter().filter_map(|&lane| index.lanes.get(usize::try_from(lane).ok()?));
    for (_, task, drawn) in lanes.flatten() {
        let (of_token, kept) = costs.token(task);
        activations = activations.max(batch.saturating_mul(kept).saturating_mul(width));
        let operations = tokens.saturating_mul(of_token);
        flops = flops.saturating_add(u128::from(drawn.parts).saturating_mul(operations));
    }
    (activations, flops)
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

/// The amounts of an estimate that add up, by name.
fn amounts(estimate: &Estimate) -> [(&'static str, u128); 5] {
    [
        ("parameters", estimate.parameters.into()),
        ("state_bytes", estimate.state_bytes.into()),
        ("activation_bytes", estimate.activation_bytes.into()),
        ("step_flops", estimate.step_flops.into()),
        ("step_bytes_sent", estimate.step_bytes_sent.into()),
    ]
}
