//! Random problems with up to 120 seats (tasks times devices): how many answers are proved the cheapest, and what that takes.
//!
//! `cargo bench -p mmc-place --bench proofs` (`MMC_PROOFS=20`: problems of every kind; `MMC_EFFORT=2`; `MMC_OPEN=1` tells each
//! problem that stays open; words as arguments: only kinds of these names). Fails when one is open, or takes more than ten
//! CPU seconds.

#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]

use std::collections::BTreeSet;
use std::process::ExitCode;

use mmc_place::{
    Algorithm, Answer, Balance, Effort, Infeasible, Link, Machine, Module, Objective, Problem,
    Task, Time, broken, cost, solve,
};

/// Tasks times devices, at most.
const SEATS: usize = 120;
/// Seats of problems of predicted time.
const TIMED_SEATS: usize = 72;
/// CPU seconds of a problem, at most.
const SECONDS: f64 = 10.0;

/// What tasks share.
const SHARING: [&str; 6] = ["table", "groups", "centric", "random", "sparse", "clusters"];
/// What must hold.
const LIMITS: [&str; 9] =
    ["even", "free", "slots", "within", "pins", "apart", "load", "memory", "ready"];

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = number("MMC_PROOFS").unwrap_or(20);
    let level = number("MMC_EFFORT").and_then(|level| u8::try_from(level).ok());
    let effort = level.and_then(Effort::new).unwrap_or_default();
    println!(
        "{:9} {:7} {:7} {:>8} {:>6} {:>9} {:>6} {:>6} {:>7} {:>7}",
        "objective",
        "sharing",
        "limits",
        "problems",
        "at once",
        "searched",
        "none",
        "open",
        "CPU s",
        "most"
    );
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut fails = false;
    for objective in ["spread", "time"] {
        for sharing in SHARING {
            for limits in LIMITS {
                if !words.iter().all(|word| [objective, sharing, limits].contains(&word.as_str())) {
                    continue;
                }
                let row = Row::of((objective, sharing, limits), count, effort);
                row.print((objective, sharing, limits));
                fails |= row.open > 0 || row.most > SECONDS;
            }
        }
    }
    if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What came of the problems of a kind.
#[derive(Default)]
struct Row {
    /// Closed by the bound, and by the search.
    at_once: usize,
    searched: usize,
    /// Nothing keeps the limits, and that is proved.
    none: usize,
    open: usize,
    seconds: f64,
    most: f64,
}

impl Row {
    fn of(kind: (&str, &str, &str), count: u64, effort: Effort) -> Self {
        let mut row = Self::default();
        for key in 0..count {
            let problem = problem(kind, key);
            let before = cpu_seconds();
            let found = solve(&problem, effort);
            let seconds = cpu_seconds() - before;
            row.seconds += seconds;
            row.most = row.most.max(seconds);
            let is_open = row.count(&problem, &found);
            if std::env::var_os("MMC_OPEN").is_some() && (is_open || seconds > SECONDS) {
                let machine = problem.machine;
                println!(
                    "  open {key}: {} tasks, {} modules, {} x {}, {seconds:.2} s, {}",
                    problem.tasks.len(),
                    problem.modules.len(),
                    machine.nodes,
                    machine.devices_per_node,
                    found.map_or("no assignment".to_owned(), |answer| format!(
                        "cost {} bound {} {} work {}",
                        answer.cost, answer.bound, answer.algorithm, answer.work
                    ))
                );
            }
        }
        row
    }

    /// Counts an answer; whether it is open.
    fn count(&mut self, problem: &Problem, found: &Result<Answer, Infeasible>) -> bool {
        let cell = match found {
            Ok(answer) => {
                let on_node = problem.machine.devices_per_node;
                let homes = answer.assignment.iter().map(|(node, place)| node * on_node + place);
                let homes: Vec<usize> = homes.collect();
                assert_eq!(broken(problem, &homes), [], "limits are kept");
                assert_eq!(cost(problem, &homes), answer.cost, "the cost is the assignment's");
                // A search that found nothing better leaves only its work.
                let is_searched = answer.algorithm == Algorithm::Exact || answer.work > 2_000_000;
                match (answer.is_optimal(), is_searched) {
                    (false, _) => &mut self.open,
                    (true, true) => &mut self.searched,
                    (true, false) => &mut self.at_once,
                }
            }
            Err(infeasible) if infeasible.is_proved => &mut self.none,
            Err(_) => &mut self.open,
        };
        *cell += 1;
        found.as_ref().map_or_else(|none| !none.is_proved, |answer| !answer.is_optimal())
    }

    fn print(&self, (objective, sharing, limits): (&str, &str, &str)) {
        let problems = self.at_once + self.searched + self.none + self.open;
        println!(
            "{objective:9} {sharing:7} {limits:7} {problems:>8} {:>6} {:>9} {:>6} {:>6} {:>7.2} {:>7.2}",
            self.at_once, self.searched, self.none, self.open, self.seconds, self.most
        );
    }
}

/// Random numbers as functions of a key: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 32) as usize * bound) >> 32
    }

    fn within(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

fn problem((objective, sharing, limits): (&str, &str, &str), key: u64) -> Problem {
    let mut random = Random(key);
    for letter in [objective, sharing, limits].iter().flat_map(|word| word.bytes()) {
        random.0 = random.0.wrapping_mul(31).wrapping_add(u64::from(letter));
        random.below(2);
    }
    let most = if objective == "time" { TIMED_SEATS } else { SEATS };
    let machine = machine(&mut random, most);
    let tasks = random.within(most / machine.devices() / 2, most / machine.devices()).max(2);
    let tasks = shared(sharing, tasks, &mut random);
    let mut problem = Problem::of(machine, tasks);
    weigh(&mut problem, &mut random);
    if objective == "time" {
        let link = |latency, picoseconds_per_byte| Link { latency, picoseconds_per_byte };
        let inter = random.of(&[link(20_000, 80), link(5_000, 40), link(2_000, 10)]);
        problem.objective = Objective::Time(Time { intra: link(2_000, 3), inter });
        let loads = random.of(&[0, 30_000, 3_000_000]);
        for task in &mut problem.tasks {
            task.load = random.below(loads + 1) as u64;
        }
        for module in &mut problem.modules {
            module.weight *= 100_000;
        }
    } else {
        let (inter, intra) = random.of(&[(5, 1), (5, 1), (1, 1), (0, 1), (10, 1)]);
        problem.objective = Objective::spread(inter, intra);
    }
    limit(&mut problem, limits, &mut random);
    problem
}

fn machine(random: &mut Random, most: usize) -> Machine {
    let sizes = [
        (1, 2),
        (2, 1),
        (1, 3),
        (1, 4),
        (2, 2),
        (4, 1),
        (1, 5),
        (2, 3),
        (3, 2),
        (1, 6),
        (1, 8),
        (2, 4),
        (4, 2),
        (3, 3),
        (2, 5),
        (3, 4),
    ];
    let fitting: Vec<_> =
        sizes.into_iter().filter(|(nodes, each)| nodes * each * 3 <= most).collect();
    let (nodes, devices_per_node) = random.of(&fitting);
    Machine { nodes, devices_per_node }
}

/// Weights: all one, small ones, or parameters.
fn weigh(problem: &mut Problem, random: &mut Random) {
    let range = random.of(&[(1, 1), (1, 1), (1, 9), (65_536, 6_553_600)]);
    for module in &mut problem.modules {
        module.weight = random.within(range.0, range.1) as u64;
        module.memory = random.within(1, 9) as u64;
    }
    for task in &mut problem.tasks {
        task.load = random.within(1, 9) as u64;
        task.memory = random.below(4) as u64;
        task.is_ready = random.below(4) > 0;
    }
}

/// The modules of tasks.
fn shared(sharing: &str, tasks: usize, random: &mut Random) -> Vec<Vec<usize>> {
    match sharing {
        "table" | "groups" => {
            let languages = (2..=SEATS).find(|side| side * (side - 1) >= tasks).unwrap_or(2);
            let groups = languages.isqrt();
            let mut pairs: Vec<(usize, usize)> = (0..languages)
                .flat_map(|source| (0..languages).map(move |target| (source, target)))
                .filter(|(source, target)| source != target)
                .collect();
            while pairs.len() > tasks {
                pairs.remove(random.below(pairs.len()));
            }
            let row = |(source, target)| {
                let mut row = vec![source, languages + target];
                if sharing == "groups" {
                    let group = |language: usize| 2 * languages + language * groups / languages;
                    row.extend([group(source), groups + group(target)]);
                }
                row
            };
            pairs.into_iter().map(row).collect()
        }
        "centric" => {
            let groups = random.within(2, 5);
            let row = |task: usize| {
                let (language, is_from) = (task / 2, task % 2);
                let group = language * groups * 2 / (tasks + 1);
                vec![0, 1 + is_from, 3 + 2 * group + is_from, 3 + 2 * groups + language]
            };
            (0..tasks).map(row).collect()
        }
        "clusters" => {
            let (clusters, each) = (random.within(2, 6), random.within(3, 6));
            let module = |task: usize, random: &mut Random| {
                let is_away = random.below(6) == 0;
                let cluster = if is_away { random.below(clusters) } else { task % clusters };
                cluster * each + random.below(each)
            };
            (0..tasks).map(|task| (0..3).map(|_| module(task, random)).collect()).collect()
        }
        _ => {
            let modules = if sharing == "sparse" { tasks * 3 / 2 } else { random.within(5, 18) };
            let row = |random: &mut Random| {
                let count = random.within(1, 4);
                (0..count).map(|_| random.below(modules)).collect::<BTreeSet<_>>()
            };
            (0..tasks).map(|_| row(random).into_iter().collect()).collect()
        }
    }
}

fn limit(problem: &mut Problem, limits: &str, random: &mut Random) {
    let (tasks, devices) = (problem.tasks.len(), problem.machine.devices());
    let mean = tasks.div_ceil(devices);
    let loads = problem.tasks.iter().map(|task: &Task| task.load);
    let (sum, largest) = (loads.clone().sum::<u64>(), loads.max().unwrap_or(0));
    let bytes = |module: &Module| module.memory;
    let held: u64 = problem.modules.iter().map(bytes).sum();
    let rules = &mut problem.limits;
    match limits {
        "free" => {
            rules.balance = Balance::Free;
            rules.slots = Some(mean + 3);
        }
        "slots" => {
            rules.balance = Balance::Free;
            rules.slots = Some(mean + 1);
        }
        "within" => {
            let seats = (0..devices).map(|_| (random.below(mean), mean + random.below(3)));
            rules.balance = Balance::Within(seats.collect());
        }
        "pins" => {
            let pins = (0..tasks.div_ceil(6)).map(|_| (random.below(tasks), random.below(devices)));
            rules.pins = pins.collect::<std::collections::BTreeMap<_, _>>().into_iter().collect();
        }
        "apart" => {
            let set = |random: &mut Random| {
                (0..random.within(2, 3)).map(|_| random.below(tasks)).collect()
            };
            rules.apart = (0..random.within(1, 4)).map(|_| set(random)).collect();
        }
        "load" => {
            rules.balance = Balance::Free;
            rules.load = Some((sum * 5 / 4).div_ceil(devices as u64).max(largest));
        }
        "memory" => rules.memory = Some(held * random.within(55, 90) as u64 / 100),
        "ready" => rules.ready_everywhere = true,
        _ => {}
    }
}

/// CPU seconds of this process: nanoseconds on a core, of its main thread (Linux, sched-stats).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells what ran");
    let nanoseconds = stat.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}
