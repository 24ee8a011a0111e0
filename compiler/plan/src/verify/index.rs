//! What several checks look up, by numbers: tasks by their places in order of name, and so modules, behind which stand those
//! that tasks name and that do not exist.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ptr;

use crate::plan::{LaneTask, Plan, TaskSpec};
use crate::stretch;
use crate::verify::STRETCH;

/// A plan's tasks, ways, lanes and ranks.
pub(crate) struct Index<'a> {
    /// Tasks in order of name.
    pub(super) tasks: Vec<Row<'a>>,
    /// Module -> its number.
    pub(super) modules: HashMap<&'a str, usize>,
    /// Number -> module.
    names: Vec<&'a str>,
    /// The ways of all tasks, one behind the other.
    steps: Vec<usize>,
    /// Lane -> its tasks that exist, in order of name.
    pub(super) lanes: Vec<Vec<(usize, LaneTask)>>,
    /// Module -> ranks that hold it, ascending.
    pub(super) holders: BTreeMap<&'a str, BTreeSet<u32>>,
    /// The modules that each rank must hold: those of its lanes' tasks.
    pub(super) needed: Vec<BTreeSet<&'a str>>,
    /// Module -> the number of lanes that have tasks through it.
    users: HashMap<&'a str, usize>,
}

/// A task.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(super) name: &'a str,
    pub(crate) task: &'a TaskSpec,
    /// Where its way begins and ends among all.
    way: [usize; 2],
}

impl<'a> Index<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let names: Vec<&str> = plan.modules.keys().map(String::as_str).collect();
        let mut index = Self {
            tasks: Vec::with_capacity(plan.tasks.len()),
            modules: names.iter().enumerate().map(|(at, name)| (*name, at)).collect(),
            names,
            steps: Vec::new(),
            lanes: Vec::new(),
            holders: BTreeMap::new(),
            needed: Vec::new(),
            users: HashMap::new(),
        };
        index.number_ways(plan);
        let is_long = plan.tasks.len() > STRETCH;
        let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(index.tasks.len());
        numbers.extend(index.tasks.iter().enumerate().map(|(at, row)| (row.name, at)));
        let known =
            |(name, lane): (&String, &LaneTask)| Some((*numbers.get(name.as_str())?, *lane));
        index.lanes = stretch::every(is_long, &plan.lanes, |lane| {
            lane.tasks.iter().filter_map(known).collect()
        });
        let of_lanes: Vec<BTreeSet<&str>> =
            stretch::every(is_long, &index.lanes, |lane| index.needed_by(lane));
        for module in of_lanes.iter().flatten() {
            *index.users.entry(module).or_default() += 1;
        }
        for (number, rank) in (0..).zip(&plan.ranks) {
            for module in &rank.modules {
                index.holders.entry(module).or_default().insert(number);
            }
            let lanes =
                rank.lanes.iter().filter_map(|&lane| of_lanes.get(usize::try_from(lane).ok()?));
            index.needed.push(lanes.flatten().copied().collect());
        }
        index
    }

    /// The number of lanes that have tasks through a module.
    pub(crate) fn lanes_through(&self, module: &str) -> usize {
        self.users.get(module).copied().unwrap_or(0)
    }

    /// The task of this number.
    pub(super) fn row(&self, task: usize) -> Option<&Row<'a>> {
        self.tasks.get(task)
    }

    /// The tasks of a lane.
    pub(crate) fn lane(&self, lane: u32) -> impl Iterator<Item = (&Row<'a>, LaneTask)> {
        let tasks = usize::try_from(lane).ok().and_then(|lane| self.lanes.get(lane));
        tasks.into_iter().flatten().filter_map(|(task, drawn)| Some((self.row(*task)?, *drawn)))
    }

    /// The modules on a task's way in order: encoder, bridge, decoder, adapters. One may come twice.
    pub(crate) fn way(&self, row: &Row<'_>) -> &[usize] {
        let [from, to] = row.way;
        self.steps.get(from..to).unwrap_or_default()
    }

    /// Numbers all ways. Tasks share lists, so that most of them are looked up once.
    fn number_ways(&mut self, plan: &'a Plan) {
        let mut known: HashMap<*const Vec<String>, [usize; 2]> = HashMap::new();
        for (name, task) in &plan.tasks {
            let from = self.steps.len();
            self.extend(&mut known, &task.encoder);
            self.steps_of(&task.bridge);
            self.extend(&mut known, &task.decoder);
            self.steps_of(task.adapters.values().flatten());
            self.tasks.push(Row { name, task, way: [from, self.steps.len()] });
        }
    }

    /// Adds the numbers of a list, which stand in two known places when it came before.
    fn extend(
        &mut self,
        known: &mut HashMap<*const Vec<String>, [usize; 2]>,
        list: &'a Vec<String>,
    ) {
        if let Some([from, to]) = known.get(&ptr::from_ref(list)) {
            self.steps.extend_from_within(*from..*to);
            return;
        }
        let from = self.steps.len();
        self.steps_of(list);
        known.insert(ptr::from_ref(list), [from, self.steps.len()]);
    }

    fn steps_of(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let next = self.names.len();
            let number = *self.modules.entry(name).or_insert(next);
            if number == next {
                self.names.push(name);
            }
            self.steps.push(number);
        }
    }

    /// The modules that the tasks of a lane lead through.
    fn needed_by(&self, lane: &[(usize, LaneTask)]) -> BTreeSet<&'a str> {
        let mut is_needed = vec![false; self.names.len()];
        for row in lane.iter().filter_map(|(task, _)| self.row(*task)) {
            for &module in self.way(row) {
                if let Some(needed) = is_needed.get_mut(module) {
                    *needed = true;
                }
            }
        }
        let needed = self.names.iter().zip(is_needed).filter(|(_, is_needed)| *is_needed);
        needed.map(|(name, _)| *name).collect()
    }
}

/// The modules of a way, each once, in order of use.
pub(super) fn distinct(way: &[usize]) -> impl Iterator<Item = usize> {
    let is_new =
        |(at, module): &(usize, &usize)| !way.iter().take(*at).any(|known| known == *module);
    way.iter().enumerate().filter(is_new).map(|(_, module)| *module)
}
