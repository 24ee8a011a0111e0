//! Which rank translates which part of the validation text that is scored.
//!
//! A score is made of sums over sentences, so any rank that holds the modules of a task may translate some of its text. The sentences of
//! a task are sorted, those with the most source ids first, and cut into parts of [`PART`]. Parts go to ranks as in Graham (1969, section
//! 3), the dearest first, each to the rank with the least to do so far; but parts that few ranks can take go before those that many can.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::plan::{Plan, TaskSpec};

/// Sentences of a part: as many as are translated together.
pub const PART: u64 = 64;

/// A task's text -> numbers of its parts, from 0, in order.
pub type Parts<'p> = BTreeMap<&'p str, Vec<u64>>;

/// A part that a rank will take.
#[derive(Debug)]
struct Part<'p> {
    /// Ranks that hold the task's modules.
    ranks: usize,
    /// How long it takes, as far as can be told.
    cost: u64,
    task: &'p str,
    number: u64,
}

impl Plan {
    /// Parts of the validation text of a task that is scored; 0 for others.
    pub fn scored_parts(&self, task: &TaskSpec) -> u64 {
        let lines = self.scored_lines(task);
        lines.div_ceil(PART)
    }

    /// Pairs of the validation text of a task that are scored, when none is left out as bad.
    fn scored_lines(&self, task: &TaskSpec) -> u64 {
        let lines = task.corpus.valid.as_ref().map_or(0, |files| files.lines);
        let most = |spec: &crate::ScoresSpec| lines.min(spec.sentences.unwrap_or(u64::MAX));
        self.scores_of(task).map_or(0, most)
    }

    /// What each rank translates of the validation text that is scored. Every part of every text is on one rank, which holds the
    /// modules for it.
    pub fn scorers(&self) -> Vec<Parts<'_>> {
        let mut of_ranks: Vec<Parts<'_>> = vec![Parts::new(); self.ranks.len()];
        let mut loads = vec![0_u64; self.ranks.len()];
        let mut parts = Vec::new();
        let mut able = HashMap::new();
        let holders = self.holders();
        for (task, spec) in &self.tasks {
            let (count, lines) = (self.scored_parts(spec), self.scored_lines(spec));
            if count == 0 {
                continue;
            }
            let ranks = with_all(spec, &holders);
            parts.extend((0..count).map(|number| Part {
                ranks: ranks.len(),
                cost: cost(number, lines),
                task,
                number,
            }));
            able.insert(task.as_str(), ranks);
        }
        parts.sort_by_key(|part| (part.ranks, Reverse(part.cost), part.task, part.number));
        for Part { cost, task, number, .. } in parts {
            let ranks = able.get(task).into_iter().flatten();
            let load = |rank: &usize| loads.get(*rank).copied().unwrap_or(u64::MAX);
            let Some(rank) = ranks.copied().min_by_key(|rank| (load(rank), *rank)) else {
                continue;
            };
            if let (Some(load), Some(parts)) = (loads.get_mut(rank), of_ranks.get_mut(rank)) {
                *load = load.saturating_add(cost);
                parts.entry(task).or_default().push(number);
            }
        }
        of_ranks.iter_mut().flat_map(BTreeMap::values_mut).for_each(|parts| parts.sort_unstable());
        of_ranks
    }

    /// Module -> the ranks that hold it, in order.
    fn holders(&self) -> HashMap<&str, Vec<usize>> {
        let mut holders: HashMap<&str, Vec<usize>> = HashMap::new();
        for (rank, spec) in self.ranks.iter().enumerate() {
            for module in &spec.modules {
                holders.entry(module).or_default().push(rank);
            }
        }
        holders
    }
}

/// The ranks that hold all modules of a task, in order.
fn with_all(task: &TaskSpec, holders: &HashMap<&str, Vec<usize>>) -> Vec<usize> {
    let none = Vec::new();
    let mut of_modules: Vec<&Vec<usize>> =
        task.modules().into_iter().map(|module| holders.get(module).unwrap_or(&none)).collect();
    // The shortest list first: what is not in it need not be looked for.
    of_modules.sort_by_key(|ranks| ranks.len());
    let Some((first, others)) = of_modules.split_first() else { return Vec::new() };
    let in_all = |rank: &&usize| others.iter().all(|ranks| ranks.binary_search(rank).is_ok());
    first.iter().filter(in_all).copied().collect()
}

/// What a part costs: its sentences, times how long the longest of them is, where lengths fall evenly from the first sentence to
/// the last.
fn cost(number: u64, lines: u64) -> u64 {
    /// The length of the first.
    const LONGEST: u128 = 1000;
    let first = number.saturating_mul(PART);
    let left = lines.saturating_sub(first);
    let length = LONGEST * u128::from(left) / u128::from(lines.max(1));
    u64::try_from(u128::from(left.min(PART)) * length.max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sample::Sample;
    use crate::scores::{Measure, ScoresSpec};

    /// All directions of three languages with texts of `lines`.
    fn scored(mapping: &[&[u32]], lines: u64) -> Plan {
        let mut sample = Sample::new(&["cs", "de", "en"], 4, mapping);
        for files in sample.corpora.iter_mut().filter_map(|corpus| corpus.valid.as_mut()) {
            files.lines = lines;
        }
        sample.training.scores =
            Some(ScoresSpec { measures: vec![Measure::Chrf], beam: 1, sentences: Some(1000) });
        sample.plan()
    }

    /// Every part of every text once, where the modules for it are.
    fn assert_whole(plan: &Plan) {
        let mut seen = BTreeSet::new();
        for (rank, parts) in plan.ranks.iter().zip(plan.scorers()) {
            for (task, numbers) in parts {
                let modules = plan.tasks[task].modules();
                assert!(modules.iter().all(|name| rank.modules.iter().any(|held| held == name)));
                assert!(numbers.iter().all(|number| seen.insert((task.to_owned(), *number))));
            }
        }
        let all = |(task, spec): (&String, &TaskSpec)| -> Vec<(String, u64)> {
            (0..plan.scored_parts(spec)).map(|number| (task.clone(), number)).collect()
        };
        assert!(seen.into_iter().eq(plan.tasks.iter().flat_map(all)));
    }

    #[test]
    fn every_part_is_translated_once_where_its_modules_are() {
        let mappings: [&[&[u32]]; 4] =
            [&[&[0, 1, 2, 3]], &[&[3, 0], &[2, 1]], &[&[0], &[1], &[2], &[3]], &[&[0, 1, 2], &[3]]];
        for mapping in mappings {
            for lines in [1, 64, 65, 700, 5000] {
                assert_whole(&scored(mapping, lines));
            }
        }
    }

    #[test]
    fn one_text_is_shared_by_all_that_can_translate_it() {
        let mut plan = scored(&[&[0], &[1], &[2], &[3]], 512);
        let task = plan.tasks.keys().next().unwrap().clone();
        let modules: Vec<String> =
            plan.tasks[&task].modules().into_iter().map(str::to_owned).collect();
        plan.tasks.retain(|name, _| *name == task);
        for rank in plan.ranks.iter_mut().take(2) {
            rank.modules.clone_from(&modules);
            rank.modules.sort();
        }
        for rank in plan.ranks.iter_mut().skip(2) {
            rank.modules.clear();
        }
        let counts = plan.scorers();
        let load = |parts: &Parts<'_>| -> u64 {
            parts.values().flatten().map(|number| cost(*number, 512)).sum()
        };
        assert_eq!(counts.iter().map(load).collect::<Vec<_>>(), [144_000, 144_000, 0, 0]);
    }

    #[test]
    fn what_few_can_translate_is_laid_first() {
        // Rank 0 can translate everything, rank 1 one direction: all of that goes to it.
        let mut plan = scored(&[&[0, 1], &[2, 3]], 64);
        let tasks: Vec<String> = plan.tasks.keys().take(2).cloned().collect();
        plan.tasks.retain(|name, _| tasks.contains(name));
        let modules: BTreeSet<String> =
            plan.tasks.values().flat_map(TaskSpec::modules).map(str::to_owned).collect();
        plan.ranks[0].modules = modules.into_iter().collect();
        plan.ranks[1].modules =
            plan.tasks[&tasks[0]].modules().into_iter().map(str::to_owned).collect();
        plan.ranks[1].modules.sort();
        let found = plan.scorers();
        assert_eq!(found[0].keys().collect::<Vec<_>>(), [&tasks[1]]);
        assert_eq!(found[1].keys().collect::<Vec<_>>(), [&tasks[0]]);
    }

    #[test]
    fn long_parts_cost_more_and_the_last_is_what_is_left() {
        assert_eq!([0, 1, 2].map(|number| cost(number, 160)), [64_000, 38_400, 6_400]);
        assert_eq!((cost(0, 5), cost(7, 5)), (5_000, 0));
    }
}
