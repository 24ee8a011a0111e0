//! The order in which the algorithms are tried: seeds, then the best of them repaired, annealed, and searched window by window.

use crate::anneal::{Schedule, anneal};
use crate::answer::{Algorithm, Answer, Effort, Infeasible};
use crate::bound::bound;
use crate::cost::{broken, cost};
use crate::exact;
use crate::infeasible;
use crate::instance::{Instance, narrow};
use crate::objective::Objective;
use crate::problem::Problem;
use crate::random::{Patience, Random};
use crate::repair::repair;
use crate::seed;
use crate::state::State;
use crate::window;

/// Steps that even the smallest problem gets.
const FEWEST_STEPS: u64 = 300_000;
/// Tasks times devices up to which an answer is proved, and steps that a node of that search counts as.
const PROVED_SEATS: usize = 240;
const STEPS_A_NODE: u64 = 50;
/// Tasks times devices up to which it is proved with the usual effort, and nodes that this may take.
const SURE_SEATS: usize = 120;
const SURE_NODES: u64 = 4_000_000;
/// Steps for a module of a task from which on all devices are annealed together.
const ANNEALED_LOOKS: u64 = 6_000;

/// A good assignment of a problem that [`crate::check`] finds in order.
///
/// # Errors
/// No assignment that keeps the limits was found; the reasons say which can't be kept together, and whether that is proved.
pub fn solve(problem: &Problem, effort: Effort) -> Result<Answer, Infeasible> {
    if let Some(reasons) = infeasible::proved(problem) {
        return Err(Infeasible { reasons, is_proved: true });
    }
    search(problem, effort).map_err(|NotFound { is_proved }| {
        let fails = |problem: &Problem| {
            infeasible::proved(problem).is_some() || search(problem, infeasible::TRIAL).is_err()
        };
        Infeasible { reasons: infeasible::smallest(problem, &fails), is_proved }
    })
}

/// No assignment that keeps the limits was found.
struct NotFound {
    /// Whether there is none.
    is_proved: bool,
}

/// The best assignment that is found and keeps the limits.
fn search(problem: &Problem, effort: Effort) -> Result<Answer, NotFound> {
    let instance = Instance::new(problem);
    let bound = bound(&instance);
    let Some((algorithm, homes, seeding)) = seed::best(&instance) else {
        return Err(NotFound { is_proved: false });
    };
    let mut search = Search {
        state: State::of(&instance, &homes),
        algorithm,
        enough: bound,
        until: steps(&instance, effort),
        heat: Heat::of(&instance),
        patience: Patience::new(),
        random: Random::new(1),
    };
    let seed_cost = (search.state.excess() == 0).then(|| search.state.cost());
    search.run();
    let Search { state, algorithm, .. } = search;
    let devices: Vec<usize> = state.homes().iter().map(|&device| device as usize).collect();
    let work = seeding + state.work();
    let found = Answer {
        assignment: devices.iter().map(|&device| problem.machine.place(device)).collect(),
        cost: cost(problem, &devices),
        bound,
        algorithm,
        work,
        seed_cost,
    };
    if broken(problem, &devices).is_empty() {
        return Ok(proved(&instance, effort, found));
    }
    // Any assignment is better than one that breaks limits.
    let found = proved(&instance, effort, Answer { cost: dearest(&instance) + 1, ..found });
    if found.algorithm == Algorithm::Exact {
        return Ok(found);
    }
    Err(NotFound { is_proved: found.is_optimal() })
}

/// A small answer that is proved the cheapest, or a cheaper one.
fn proved(instance: &Instance, effort: Effort, mut answer: Answer) -> Answer {
    let seats = instance.tasks() * instance.devices();
    if answer.is_optimal() || seats > PROVED_SEATS || !exact::is_solvable(instance) {
        return answer;
    }
    let is_sure = seats <= SURE_SEATS && effort >= Effort::default();
    let nodes = (effort.steps() / STEPS_A_NODE).max(if is_sure { SURE_NODES } else { 0 });
    let found = exact::search(instance, answer.cost, nodes);
    answer.work += found.nodes * STEPS_A_NODE;
    if let (Some(homes), Some(cost)) = (found.homes, found.cost) {
        let place = |&device: &u32| instance.machine.place(device as usize);
        answer.assignment = homes.iter().map(place).collect();
        answer.cost = cost;
        answer.algorithm = Algorithm::Exact;
    }
    if found.is_proved {
        answer.bound = answer.cost;
    }
    answer
}

/// What an assignment costs at most.
fn dearest(instance: &Instance) -> u64 {
    let price = |&weight| instance.objective.dearest(weight, instance.machine);
    let loads = match instance.objective {
        Objective::Spread(_) => 0,
        Objective::Time(_) => instance.load.iter().sum(),
    };
    instance.fixed + instance.weight.iter().map(price).sum::<u64>() + loads
}

/// Steps of search: those of the effort, but fewer for a problem so small that they would find nothing more.
fn steps(instance: &Instance, effort: Effort) -> u64 {
    let pairs = instance.modules_of.total() as u64 * instance.tasks() as u64;
    let enough = pairs.saturating_mul(100 << (2 * effort.level())).max(FEWEST_STEPS);
    effort.steps().min(enough)
}

/// Temperatures with 16 bits behind the point, in the price of a usual copy.
#[derive(Debug, Clone, Copy)]
struct Heat {
    copy: u64,
}

impl Heat {
    fn of(instance: &Instance) -> Self {
        let nodes = if instance.machine.devices_per_node > 1 { 1 } else { 2 };
        let mut prices: Vec<u64> = (0..instance.modules())
            .map(|module| instance.price(module, nodes, 2))
            .filter(|&price| price > 0)
            .collect();
        prices.sort_unstable();
        Self { copy: prices.get(prices.len() / 2).copied().unwrap_or(1) }
    }

    fn hundredths(self, hundredths: u64) -> u64 {
        let heat = u128::from(self.copy) * u128::from(hundredths << 16) / 100;
        u64::try_from(heat).unwrap_or(u64::MAX >> 1)
    }
}

struct Search<'a> {
    state: State<'a>,
    algorithm: Algorithm,
    /// A cost that can't be undercut.
    enough: u64,
    /// Work after which the search ends.
    until: u64,
    heat: Heat,
    patience: Patience,
    random: Random,
}

impl Search<'_> {
    fn run(&mut self) {
        let start = self.state.work();
        self.until += start;
        if self.state.excess() > 0 {
            self.stage(Algorithm::Refinement, |search| {
                repair(&mut search.state, &mut search.random);
            });
        }
        if self.is_done() {
            return;
        }
        let all: Vec<u32> = (0..self.state.instance().devices()).map(narrow).collect();
        let looks = self.state.instance().modules_of.total() as u64;
        // Annealing loses the seed before it finds a better assignment of its own, if that is far.
        let is_long = (self.until - start) / looks.max(1) > ANNEALED_LOOKS;
        let share = if is_long { 65 } else { 0 };
        self.stage(Algorithm::Annealing, |search| {
            let schedule = Schedule {
                devices: &all,
                work: (search.until - start) / 100 * share,
                temperature: (search.heat.hundredths(120), search.heat.hundredths(12)),
            };
            anneal(&mut search.state, &schedule, &search.patience, &mut search.random);
        });
        self.stage(Algorithm::Neighbourhood, |search| {
            let heat = (search.heat.hundredths(60), search.heat.hundredths(15));
            let Search { state, patience, random, until, enough, .. } = search;
            window::search(state, heat, (*until, *enough), patience, random);
        });
    }

    fn is_done(&self) -> bool {
        let is_out = self.state.work() >= self.until;
        is_out || self.state.excess() == 0 && self.state.cost() <= self.enough
    }

    /// Runs an algorithm, and remembers it when it made something better.
    fn stage(&mut self, algorithm: Algorithm, run: impl FnOnce(&mut Self)) {
        if self.is_done() && self.state.excess() == 0 {
            return;
        }
        let before = self.state.standing();
        run(self);
        if self.state.standing() < before {
            self.algorithm = algorithm;
        }
    }
}
