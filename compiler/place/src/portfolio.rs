//! The order in which the algorithms are tried.

use crate::answer::{Algorithm, Answer, Effort, Infeasible};
use crate::cost::cost;
use crate::instance::Instance;
use crate::problem::Problem;
use crate::seed::greedy;
use crate::state::State;

/// A good assignment of a problem that [`crate::check`] finds in order.
///
/// # Errors
/// No assignment that keeps the limits was found; the reasons say whether there is none.
pub fn solve(problem: &Problem, _effort: Effort) -> Result<Answer, Infeasible> {
    let instance = Instance::new(problem);
    let Some(state) = greedy::seed(&instance) else {
        return Err(Infeasible { reasons: Vec::new(), is_proved: false });
    };
    Ok(answer(problem, &state))
}

fn answer(problem: &Problem, state: &State<'_>) -> Answer {
    let devices: Vec<usize> = state.homes().iter().map(|&device| device as usize).collect();
    let cost = cost(problem, &devices);
    let machine = problem.machine;
    Answer {
        assignment: devices.iter().map(|&device| machine.place(device)).collect(),
        cost,
        bound: 0,
        algorithm: Algorithm::Greedy,
        work: state.work(),
        seed_cost: cost,
    }
}
