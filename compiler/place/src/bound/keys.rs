//! The modules that say which others come with them: a language brings its group.

use crate::instance::Instance;

/// The most keys of which all subsets are looked at.
const MOST_KEYS: usize = 18;

/// Tasks as sets of keys. A module that is in every task of another one is implied by it; every module of a task is one of
/// its keys or implied by one.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Per key: its weight, and the modules that it implies.
    pub(crate) implied: Vec<Vec<usize>>,
    pub(crate) weight: Vec<u64>,
    /// Per key: its module.
    pub(crate) module: Vec<usize>,
    /// Per task: its keys, ascending.
    pub(crate) of_task: Vec<Vec<usize>>,
    /// Per module: its weight.
    pub(crate) module_weight: Vec<u64>,
}

impl Keys {
    pub(crate) fn of(instance: &Instance) -> Self {
        let (modules, tasks) = (instance.modules(), instance.tasks());
        let mut implied: Vec<Vec<usize>> =
            (0..modules).map(|module| implied(instance, module)).collect();
        // Modules with fewer tasks first, so that of modules that imply each other the first is the key.
        let uses = |module: usize| instance.tasks_of.of(module).len();
        let mut order: Vec<usize> = (0..modules).collect();
        order.sort_by_key(|&module| (uses(module), module));
        let mut is_key = vec![false; modules];
        for module in order {
            let is_brought = |&task: &u32| {
                let mut others = instance.modules_of.of(task as usize).iter();
                others.any(|&other| {
                    is_key[other as usize] && implied[other as usize].contains(&module)
                })
            };
            is_key[module] = !instance.tasks_of.of(module).iter().all(is_brought);
        }
        for others in &mut implied {
            others.retain(|&other| !is_key[other]);
        }
        let keys: Vec<usize> = (0..modules).filter(|&module| is_key[module]).collect();
        let number = |module: u32| keys.binary_search(&(module as usize)).ok();
        Self {
            weight: keys.iter().map(|&module| instance.weight[module]).collect(),
            of_task: (0..tasks)
                .map(|task| {
                    instance.modules_of.of(task).iter().filter_map(|&at| number(at)).collect()
                })
                .collect(),
            implied: keys.iter().map(|&module| implied[module].clone()).collect(),
            module_weight: instance.weight.clone(),
            module: keys,
        }
    }

    /// The same with weights in units of so many bits, rounded down.
    pub(crate) fn in_units_of(self, bits: u32) -> Self {
        let less = |weights: Vec<u64>| weights.into_iter().map(|weight| weight >> bits).collect();
        let (weight, module_weight) = (less(self.weight), less(self.module_weight));
        Self { weight, module_weight, ..self }
    }

    /// Per number of tasks the least weight, by looking at every set of keys; none when there are too many.
    pub(super) fn by_subsets(&self, most: usize) -> Option<Vec<u64>> {
        let keys = self.weight.len();
        if keys > MOST_KEYS {
            return None;
        }
        let mut within = vec![0_u32; 1 << keys];
        for task in &self.of_task {
            within[task.iter().fold(0, |set, key| set | 1 << key)] += 1;
        }
        // Sums over subsets (Yates 1937): one key after the other.
        for key in 0..keys {
            for set in 0..within.len() {
                if set >> key & 1 == 1 {
                    within[set] += within[set ^ (1 << key)];
                }
            }
        }
        let mut least = vec![u64::MAX; most + 1];
        for (set, &tasks) in within.iter().enumerate() {
            let weight = self.weight_of(set);
            let cell = &mut least[(tasks as usize).min(most)];
            *cell = (*cell).min(weight);
        }
        for at in (1..least.len()).rev() {
            least[at - 1] = least[at - 1].min(least[at]);
        }
        Some(least)
    }

    /// The weight of a set of keys with what they imply.
    fn weight_of(&self, set: usize) -> u64 {
        let members = || (0..self.weight.len()).filter(|key| set >> key & 1 == 1);
        let mut brought: Vec<usize> =
            members().flat_map(|key| self.implied[key].iter().copied()).collect();
        brought.sort_unstable();
        brought.dedup();
        members().map(|key| self.weight[key]).sum::<u64>()
            + brought.iter().map(|&module| self.module_weight[module]).sum::<u64>()
    }
}

/// The other modules that every task of a module uses.
fn implied(instance: &Instance, module: usize) -> Vec<usize> {
    let mut tasks = instance.tasks_of.of(module).iter();
    let Some(&first) = tasks.next() else { return Vec::new() };
    let mut common: Vec<u32> = instance.modules_of.of(first as usize).to_vec();
    for &task in tasks {
        let here = instance.modules_of.of(task as usize);
        common.retain(|module| here.binary_search(module).is_ok());
        if common.len() == 1 {
            break;
        }
    }
    common.into_iter().map(|other| other as usize).filter(|&other| other != module).collect()
}
