//! The cheapest spread of a small problem by a mixed-integer program. The solver proposes which tasks touch which lanes;
//! whole numbers decide whether that can be filled, and the caller compares costs, so that a wrong answer is only a lost one.
//!
//! `z[t,l]` (0 or 1): task `t` is on lane `l`; `x[t,l]`: how much of it, in lanes; `y[e,l] >= z[t,l]`: lane `l` holds edge `e`.
//! Minimise parameters times `y`, then pieces. Lanes are interchangeable: a lane may be opened by task `t` only when the
//! lane before it is open by then.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use good_lp::{Expression, ProblemVariables, SolverModel, Variable, constraint, variable};
use petgraph::algo::ford_fulkerson;
use petgraph::graph::DiGraph;

use super::problem::{Problem, SLACK, Spread};
use crate::ir::task::SHARE_PARTS;

/// Pairs of task and lane up to which the program is small enough.
const MOST_PAIRS: usize = 24;
/// The least weight of a piece: above what the solver takes for nothing.
const LEAST_PIECE: f64 = 1e-6;
/// Branches that the solver may look at.
const NODE_LIMIT: u64 = 500;

/// Whether the program is small enough to be solved.
pub fn is_small(problem: &Problem) -> bool {
    problem.lanes * problem.demand.len() <= MOST_PAIRS
}

/// The cheapest spread that the solver found, and whether it says that there is no cheaper one; none when it gave up or erred.
pub fn spread(problem: &Problem) -> Option<(Spread, bool)> {
    let (touched, is_optimal) = catch_unwind(AssertUnwindSafe(|| solve(problem))).ok()??;
    let spread = realise(problem, &touched)?;
    problem.is_exact(&spread).then_some((spread, is_optimal))
}

/// Asks the solver: per task, the lanes that it touches; and whether that is optimal.
fn solve(problem: &Problem) -> Option<(Vec<Vec<usize>>, bool)> {
    let mut variables = ProblemVariables::new();
    let (tasks, lanes) = (problem.demand.len(), problem.lanes);
    let full = in_lanes(SHARE_PARTS + SLACK);
    let touches = grid(tasks, lanes, || variables.add(variable().binary()));
    let amounts = grid(tasks, lanes, || variables.add(variable().min(0.0).max(full)));
    let holds = grid(problem.edges.len(), lanes, || variables.add(variable().min(0.0).max(1.0)));
    let mut model =
        variables.minimise(objective(problem, &touches, &holds)).using(good_lp::microlp);
    for ((demand, touches), amounts) in problem.demand.iter().zip(&touches).zip(&amounts) {
        let demand = in_lanes(*demand);
        model.add_constraint(constraint!(amounts.iter().sum::<Expression>() == demand));
        for (touch, amount) in touches.iter().zip(amounts) {
            model.add_constraint(constraint!(*amount <= demand.min(full) * *touch));
        }
    }
    for lane in 0..lanes {
        let on_lane: Expression = amounts.iter().filter_map(|row| row.get(lane)).sum();
        model.add_constraint(constraint!(on_lane <= full));
        for (edge, holds) in problem.edges.iter().zip(&holds) {
            for touch in edge.tasks.iter().filter_map(|&task| touches.get(task)?.get(lane)) {
                if let Some(hold) = holds.get(lane) {
                    model.add_constraint(constraint!(*hold >= *touch));
                }
            }
        }
        // Lanes open in order.
        let Some(before) = lane.checked_sub(1) else { continue };
        let mut opened = Expression::default();
        for row in &touches {
            opened += row.get(before).copied();
            if let Some(touch) = row.get(lane) {
                model.add_constraint(constraint!(*touch <= opened.clone()));
            }
        }
    }
    let mut options = microlp::SolveOptions::default();
    options.node_limit = Some(NODE_LIMIT);
    let outcome = model.as_inner().solve_with(options).ok()?;
    let is_optimal = outcome.is_optimal();
    let solution = outcome.into_solution().ok()?;
    // In order of creation: the first ones are `touches`.
    let mut values = solution.iter().map(|(_, value)| value);
    let mut lanes_of = Vec::with_capacity(tasks);
    for _ in 0..tasks {
        let row: Vec<f64> = values.by_ref().take(lanes).collect();
        lanes_of.push((0..lanes).filter(|&lane| row.get(lane).is_some_and(|z| *z > 0.5)).collect());
    }
    Some((lanes_of, is_optimal))
}

/// Parameters of what lanes hold, relative to all; then pieces, which together weigh less than the smallest edge.
#[expect(clippy::cast_precision_loss, reason = "relative weights of a proposal")]
fn objective(problem: &Problem, touches: &[Vec<Variable>], holds: &[Vec<Variable>]) -> Expression {
    let total = problem.edges.iter().map(|edge| edge.parameters).sum::<u64>().max(1) as f64;
    let least = problem.edges.iter().map(|edge| edge.parameters).min().unwrap_or(1) as f64 / total;
    let pieces = (problem.lanes * problem.demand.len() + 1) as f64;
    let piece = (least / pieces).max(LEAST_PIECE);
    let mut sum = Expression::default();
    for (edge, holds) in problem.edges.iter().zip(holds) {
        for hold in holds {
            sum += (edge.parameters as f64 / total) * *hold;
        }
    }
    for touch in touches.iter().flatten() {
        sum += piece * *touch;
    }
    sum
}

#[expect(clippy::cast_precision_loss, reason = "demands are below 2^53")]
fn in_lanes(demand: u64) -> f64 {
    demand as f64 / SHARE_PARTS as f64
}

fn grid(rows: usize, columns: usize, mut add: impl FnMut() -> Variable) -> Vec<Vec<Variable>> {
    (0..rows).map(|_| (0..columns).map(|_| add()).collect()).collect()
}

/// Fills the lanes exactly along the pairs given, by a maximal flow in whole numbers; none when that can't be.
fn realise(problem: &Problem, touched: &[Vec<usize>]) -> Option<Spread> {
    let mut graph: DiGraph<(), u64> = DiGraph::new();
    let (source, sink) = (graph.add_node(()), graph.add_node(()));
    let lanes: Vec<_> = (0..problem.lanes).map(|_| graph.add_node(())).collect();
    for &lane in &lanes {
        graph.add_edge(lane, sink, SHARE_PARTS + SLACK);
    }
    let mut pairs = Vec::new();
    for (task, (demand, touched)) in problem.demand.iter().zip(touched).enumerate() {
        let node = graph.add_node(());
        graph.add_edge(source, node, *demand);
        for &lane in touched {
            pairs.push((task, lane, graph.add_edge(node, *lanes.get(lane)?, *demand)));
        }
    }
    let (total, flow) = ford_fulkerson(&graph, source, sink);
    if total != SHARE_PARTS * problem.lanes as u64 {
        return None;
    }
    let mut spread = Spread { lanes: vec![BTreeMap::new(); problem.lanes] };
    for (task, lane, edge) in pairs {
        let amount = flow.get(edge.index()).copied().unwrap_or(0);
        if amount > 0 {
            spread.lanes.get_mut(lane)?.insert(task, amount);
        }
    }
    Some(spread)
}
