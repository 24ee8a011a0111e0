//! What a module pays for where it is, and what every node and every device more adds at least.
//!
//! Prices are counted with the first copy, as if it cost what further ones add at least: nothing is paid for a module that is
//! nowhere, and every place costs something. So a lower bound is a sum over places.

use crate::instance::Instance;
use crate::objective::{Objective, Spread};

/// A line below all prices that a module can come to: `paid`, and so much for every node and for every device more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) paid: u64,
    pub(super) node: u64,
    pub(super) device: u64,
}

/// The rates of all modules.
#[derive(Debug)]
pub(super) enum Rates {
    /// Copies have one price each: per module, of a node and of a device.
    Copies(Vec<Rate>),
    /// Any prices: per module a table.
    Tables(Vec<Table>),
}

/// Per number of nodes and of devices that hold a module: its price, and its rate.
#[derive(Debug)]
pub(super) struct Table {
    prices: Vec<u64>,
    rates: Vec<Rate>,
    /// The most devices.
    most: usize,
    first: u64,
}

impl Rates {
    pub(super) fn new(instance: &Instance) -> Self {
        let modules = 0..instance.modules();
        match instance.objective {
            Objective::Spread(Spread { inter, intra, .. }) => {
                let rate =
                    |weight: &u64| Rate { paid: 0, node: inter * weight, device: intra * weight };
                Self::Copies(instance.weight.iter().map(rate).collect())
            }
            Objective::Time(_) => {
                Self::Tables(modules.map(|at| Table::new(instance, at)).collect())
            }
        }
    }

    /// What first copies are counted with, of all modules.
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::Copies(rates) => rates.iter().map(|rate| rate.node + rate.device).sum(),
            Self::Tables(tables) => tables.iter().map(|table| table.first).sum(),
        }
    }

    /// What a module pays that stays on `k` devices of `n` nodes.
    pub(super) fn price(&self, module: usize, (n, k): (usize, usize)) -> u64 {
        match self {
            Self::Copies(rates) => rates[module].of(n, k),
            Self::Tables(tables) => tables[module].prices[tables[module].at(n, k)],
        }
    }

    /// What a module pays at least that is on `k` devices of `n` nodes and may come to more.
    pub(super) fn rate(&self, module: usize, (n, k): (usize, usize)) -> Rate {
        match self {
            Self::Copies(rates) => Rate { paid: rates[module].of(n, k), ..rates[module] },
            Self::Tables(tables) => tables[module].rates[tables[module].at(n, k)],
        }
    }
}

impl Rate {
    fn of(self, n: usize, k: usize) -> u64 {
        self.node * n as u64 + self.device * k as u64
    }
}

impl Table {
    fn new(instance: &Instance, module: usize) -> Self {
        let uses = instance.tasks_of.of(module).len();
        let (most_nodes, most) = (instance.machine.nodes.min(uses), instance.devices().min(uses));
        let per_node = instance.machine.devices_per_node;
        let cells: Vec<(usize, usize)> = (1..=most_nodes)
            .flat_map(|n| (n..=most.min(n * per_node)).map(move |k| (n, k)))
            .collect();
        let mut table = Self {
            prices: vec![0; (most_nodes + 1) * (most + 1)],
            rates: vec![Rate::default(); (most_nodes + 1) * (most + 1)],
            most,
            first: 0,
        };
        for &(n, k) in &cells {
            let at = table.at(n, k);
            table.prices[at] = instance.price(module, n, k);
        }
        for &(n, k) in &cells {
            let at = table.at(n, k);
            table.rates[at] = table.line(&cells, (n, k));
        }
        table.count_first(&cells);
        table
    }

    fn at(&self, n: usize, k: usize) -> usize {
        n * (self.most + 1) + k
    }

    /// The line below the prices of all cells that can come of one: what every device adds at least, then every node.
    fn line(&self, cells: &[(usize, usize)], (n, k): (usize, usize)) -> Rate {
        let later =
            cells.iter().filter(|cell| cell.0 >= n && cell.1 >= k && cell.1 - k >= cell.0 - n);
        let later: Vec<(u64, u64, u64)> = later
            .map(|cell| {
                ((cell.0 - n) as u64, (cell.1 - k) as u64, self.prices[self.at(cell.0, cell.1)])
            })
            .collect();
        let paid = later.iter().map(|row| row.2).min().unwrap_or(0);
        let per_device = later.iter().filter(|row| row.1 > 0).map(|row| (row.2 - paid) / row.1);
        let device = per_device.min().unwrap_or(0);
        let per_node =
            later.iter().filter(|row| row.0 > 0).map(|row| (row.2 - paid - device * row.1) / row.0);
        Rate { paid, node: per_node.min().unwrap_or(0), device }
    }

    /// Adds to all prices what the first node and the first device would cost like others; nothing is paid for no places.
    fn count_first(&mut self, cells: &[(usize, usize)]) {
        let Some(&(n, k)) = cells.first() else { return };
        let one = self.rates[self.at(n, k)];
        self.first = one.node + one.device;
        for &(n, k) in cells {
            let at = self.at(n, k);
            self.prices[at] += self.first;
            self.rates[at].paid += self.first;
        }
        self.rates[0] = Rate { paid: 0, ..one };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objective::{Link, Time};
    use crate::problem::{Machine, Problem};

    proptest! {
        #[test]
        fn lines_are_below_all_prices(
            nodes in 1..5_usize,
            devices_per_node in 1..5_usize,
            weight in 0..2000_u64,
            links in prop::array::uniform2((0..50_u64, 0..5000_u64)),
        ) {
            let [intra, inter] = links.map(|(latency, picoseconds_per_byte)| Link { latency, picoseconds_per_byte });
            let machine = Machine { nodes, devices_per_node };
            let mut problem = Problem::of(machine, vec![vec![0]; machine.devices() + 1]);
            problem.tasks.push(crate::problem::Task::of(vec![]));
            problem.modules[0].weight = weight;
            problem.limits.balance = crate::problem::Balance::Free;
            problem.objective = Objective::Time(Time { intra, inter });
            let instance = Instance::new(&problem);
            let rates = Rates::new(&instance);
            let price = |n, k| instance.price(0, n, k) + rates.first();
            for n in 1..=nodes {
                for k in n..=n * devices_per_node {
                    prop_assert_eq!(rates.price(0, (n, k)), price(n, k));
                    let none = rates.rate(0, (0, 0));
                    prop_assert!(none.node * n as u64 + none.device * k as u64 <= price(n, k));
                    for n0 in 1..=n {
                        for k0 in (n0..=k.min(n0 * devices_per_node)).filter(|k0| k - k0 >= n - n0) {
                            let rate = rates.rate(0, (n0, k0));
                            let least = rate.paid + rate.node * (n - n0) as u64 + rate.device * (k - k0) as u64;
                            prop_assert!(least <= price(n, k));
                        }
                    }
                }
            }
        }
    }
}
