//! Module graph and cluster -> placement: tasks on lanes, which is part of the mathematics and sees only lanes, shares and
//! modules; then lanes on ranks, which sees the machine.

mod align;
mod apportion;
mod error;
pub mod exchange;
pub mod exhaustive;
pub mod greedy;
pub mod ilp;
mod judge;
pub mod lists;
mod mapping;
mod pieces;
pub mod problem;
mod ranks;
mod windows;
mod wishes;

use apportion::Laid;
use judge::Judge;
use mmc_place::Effort;
use mmc_plan::{Coupling, FoundSpec, PlacementSpec};
use problem::{Problem, Spread};
use wishes::Wished;

pub use error::PlaceError;

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::experiment::{At, Experiment};
use crate::ir::ids::ModuleId;
use crate::ir::module::ModuleGraph;
use crate::ir::placement::Placement;
use crate::ir::task::TaskTable;

/// Lanes that a plan may have.
pub const MOST_LANES: u32 = 4096;
/// Tasks from which on lanes and orders are looked at on all cores.
const MANY: usize = 50_000;
/// Looks at what other lanes cover, to align lanes; five times as many for every level of effort.
const ALIGN_WORK: u64 = 600_000;
/// The same when it is only to be told what aligned lanes would save.
const FORECAST_WORK: u64 = 200_000;
/// Levels of effort that give the alignment more work.
const ALIGN_LEVELS: u8 = 2;
/// Memory of the fullest device up to which a sketch is as good as the placement to train with.
const ROOMY_PERCENT: u128 = 90;
/// Contributors that a memory error names.
const TOP: usize = 5;

/// How good a placement is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// The one to train with.
    Plan,
    /// Any that keeps the rules, at once: for findings, which seldom depend on it.
    Sketch,
}

/// Places tasks and lanes. Where findings may depend on it, a sketch is followed by the placement itself.
pub fn place(
    experiment: &Experiment,
    table: &TaskTable,
    graph: &ModuleGraph,
    care: Care,
    diagnostics: &mut Diagnostics,
) -> Result<Placement, Halt> {
    let cluster = &experiment.cluster;
    let devices = cluster.value.nodes.saturating_mul(cluster.value.devices_per_node).max(1);
    let lanes = experiment.lanes.clone().unwrap_or(At { value: devices, span: cluster.span });
    if lanes.value > MOST_LANES {
        return Err(diagnostics.halt(PlaceError::TooManyLanes {
            lanes: lanes.value,
            limit: MOST_LANES,
            span: lanes.span,
            help: "`lanes` in `training` is the number of parallel task streams; several devices' worth is enough",
        }));
    }
    let wishes = &experiment.placement;
    let asked = wishes.effort.filter(|_| care == Care::Plan);
    let effort = asked.and_then(Effort::new).unwrap_or(Effort::NONE);
    let search = (care == Care::Plan).then_some(effort);
    // Lanes of a team are alike: one of them is placed for all.
    let team = experiment.curriculum.value.team.max(1) as usize;
    let problem = Problem::new(table, graph, (lanes.value.max(1) as usize / team).max(1));
    let (spread, quality) = match search {
        Some(effort) => {
            let (spread, found) = spread(&problem, graph, effort);
            (spread, (problem.lanes > 1).then_some(found))
        }
        None => (greedy::in_turn(&problem), None),
    };
    let base = windows::teams(spread.lanes, team);
    let kept = Wished::of(experiment, table, &base, diagnostics)?;
    let (base, quality) = kept.follow(base, quality, (table, graph), team);
    let windows = windows::spreads(base, table, graph, kept.allowed());
    let steps = experiment.training.value.steps;
    let laid = apportion::lanes(&windows, table, steps);
    let more = 5_u64.pow(u32::from(effort.level().min(ALIGN_LEVELS)));
    let aligning = match (care, experiment.curriculum.value.schedule) {
        (Care::Sketch, _) => 0,
        (Care::Plan, Coupling::Independent) => FORECAST_WORK * more,
        (Care::Plan, Coupling::Aligned) => ALIGN_WORK * more,
    };
    let limits = (table.window_lengths(steps), aligning);
    let orders = align::orders(&laid, graph, limits);
    let judge = Judge::new(experiment, graph, &laid);
    let (rank_of_lane, found) = match &wishes.lanes {
        // As many as lanes, and all in the cluster: the resolver checked them.
        Some(wish) => (wish.value.clone(), "given"),
        None => ranks::map(&judge, search, kept.keeper(&windows, table.tasks.len()).as_ref()),
    };
    let is_roomy = || {
        let percent = u128::from(judge.peak(&rank_of_lane)) * 100;
        percent <= u128::from(cluster.value.device_memory) * ROOMY_PERCENT
    };
    // Findings that depend on the placement are of memory and of frozen ranks.
    if care == Care::Sketch && (experiment.freeze.is_some() || !is_roomy()) {
        return place(experiment, table, graph, Care::Plan, diagnostics);
    }
    let is_free = devices > 1 && laid.lanes.len() > 1;
    let quality = PlacementSpec {
        lanes: quality,
        ranks: is_free.then(|| ranks::found(&judge, &rank_of_lane, found)),
    };
    check_memory(experiment, graph, &judge, &rank_of_lane, diagnostics);
    diagnostics.checkpoint()?;
    let Laid { lanes, courses, tasks } = laid;
    Ok(Placement { lanes, courses, tasks, orders, rank_of_lane, quality })
}

/// Spreads tasks over lanes: the cheapest of what a program solves, orders of tasks fill, and the engine finds with an effort.
pub fn spread(problem: &Problem, graph: &ModuleGraph, effort: Effort) -> (Spread, FoundSpec) {
    let places = greedy::places(graph.paths.iter().map(|path| path.steps().map(ModuleId::index)));
    let greedy = greedy::spread(problem, &places);
    let found = |spread: &Spread, algorithm: &str, is_optimal: bool| {
        let cost = u64::try_from(problem.cost(spread).replicas).unwrap_or(u64::MAX);
        let bound = if is_optimal { cost } else { problem.bound().min(cost) };
        FoundSpec { cost, bound, algorithm: algorithm.to_owned() }
    };
    if problem.lanes > 1
        && ilp::is_small(problem)
        && let Some((exact, is_optimal)) = ilp::spread(problem)
    {
        let (spread, is_exact) = exchange::cheaper(problem, exact, greedy);
        let algorithm = if is_exact { "exact" } else { "orders" };
        let quality = found(&spread, algorithm, is_exact && is_optimal);
        return (spread, quality);
    }
    let enough = problem.lanes < 2 || problem.cost(&greedy).replicas <= problem.bound().into();
    if !enough && let Some(searched) = pieces::spread(problem, effort) {
        let (spread, is_greedy) = exchange::cheaper(problem, greedy, searched);
        let quality = found(&spread, if is_greedy { "orders" } else { "search" }, false);
        return (spread, quality);
    }
    let quality = found(&greedy, "orders", false);
    (greedy, quality)
}

/// Reports the fullest rank that does not fit.
fn check_memory(
    experiment: &Experiment,
    graph: &ModuleGraph,
    judge: &Judge<'_>,
    rank_of_lane: &[u32],
    diagnostics: &mut Diagnostics,
) {
    let capacity = experiment.cluster.value.device_memory;
    let memory = judge.memory(rank_of_lane);
    let Some((&rank, &needed)) =
        memory.iter().max_by_key(|(rank, needed)| (**needed, std::cmp::Reverse(**rank)))
    else {
        return;
    };
    if needed <= capacity {
        return;
    }
    let top: Vec<String> = judge
        .contributors(rank_of_lane, rank, graph)
        .into_iter()
        .take(TOP)
        .map(|(what, bytes)| format!("{what} {}", shown(bytes)))
        .collect();
    diagnostics.report(PlaceError::Memory {
        rank,
        needed: shown(needed),
        capacity: shown(capacity),
        span: experiment.cluster.span,
        help: format!(
            "most of it: {}; fewer tokens in a batch, more devices or smaller modules make it fit",
            top.join(", ")
        ),
    });
}

/// Bytes in the largest binary unit that leaves a digit before the dot.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits behind the dot")]
fn shown(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.2} {unit}") }
}
