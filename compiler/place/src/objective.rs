//! What an assignment costs, in whole numbers.
//!
//! Every objective is a sum over modules of a price that depends on the number of devices `k` and of nodes `n` that hold the
//! module, and a few terms over the devices. Prices never fall when `k` or `n` grow.

use crate::problem::Machine;

/// What should be small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objective {
    /// Copies of modules: `weight * (inter * (n - 1) + intra * (k - 1))`, and evenness of tasks and of ready tasks.
    Spread(Spread),
    /// Nanoseconds of a step: the largest load of a device, and an all-reduce for every module on several devices.
    Time(Time),
}

/// Copies of modules, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Of every node beyond the first.
    pub inter: u64,
    /// Of every device beyond the first.
    pub intra: u64,
    /// Over the numbers of tasks of the devices.
    pub tasks: Evenness,
    /// Over the numbers of ready tasks of the devices.
    pub ready: Evenness,
}

/// A price of uneven numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evenness {
    /// Of every task between the fullest and the emptiest device.
    pub range: u64,
    /// Of every empty device.
    pub empty: u64,
    /// When the first device has more than the emptiest one.
    pub first: u64,
}

impl Evenness {
    /// Whether anything has a price.
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }

    /// The price of some numbers, those of the devices in order.
    pub fn price(&self, numbers: &[u64]) -> u64 {
        let least = numbers.iter().copied().min().unwrap_or(0);
        let most = numbers.iter().copied().max().unwrap_or(0);
        let empty = numbers.iter().filter(|&&number| number == 0).count() as u64;
        let first = numbers.first().is_some_and(|&first| first > least);
        self.range * (most - least) + self.empty * empty + self.first * u64::from(first)
    }
}

/// What a step's communication takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Between devices of a node.
    pub intra: Link,
    /// Between nodes.
    pub inter: Link,
}

/// The alpha-beta model of a link: a message of `b` bytes takes `latency + b * picoseconds_per_byte / 1000` nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Nanoseconds of a message.
    pub latency: u64,
    /// Picoseconds of a byte.
    pub picoseconds_per_byte: u64,
}

impl Default for Objective {
    /// A node beyond the first costs five, a device beyond the first one: MAMMOTH's weights.
    fn default() -> Self {
        Self::spread(5, 1)
    }
}

impl Objective {
    /// Copies of modules at these prices, without terms of evenness.
    pub fn spread(inter: u64, intra: u64) -> Self {
        let none = Evenness::default();
        Self::Spread(Spread { inter, intra, tasks: none, ready: none })
    }

    /// The price of a module of a weight on `k` devices of `n` nodes; nothing below two devices.
    #[inline]
    pub fn price(&self, weight: u64, n: usize, k: usize) -> u64 {
        match self {
            Self::Spread(spread) => spread.price(weight, n, k),
            Self::Time(time) => time.all_reduce(weight, n, k),
        }
    }

    /// What a module of a weight costs at most, anywhere.
    pub(crate) fn dearest(&self, weight: u64, machine: Machine) -> u64 {
        let (nodes, devices) = (machine.nodes, machine.devices());
        match self {
            Self::Spread(spread) => spread.price(weight, nodes, devices),
            // More nodes may be faster than few with many devices each.
            Self::Time(Time { intra, inter }) => {
                inter.all_reduce(weight, nodes as u64) + intra.all_reduce(weight, devices as u64)
            }
        }
    }
}

impl Spread {
    /// The price of a module.
    #[inline]
    pub fn price(&self, weight: u64, n: usize, k: usize) -> u64 {
        let beyond = |count: usize| count.saturating_sub(1) as u64;
        weight * (self.inter * beyond(n) + self.intra * beyond(k))
    }
}

impl Time {
    /// Nanoseconds of an all-reduce of `bytes` among `k` devices of `n` nodes: a ring or a tree, whichever is faster, within
    /// the nodes and then between them (Thakur, Rabenseifner and Gropp 2005, sections 4.3 and 4.5).
    pub fn all_reduce(&self, bytes: u64, n: usize, k: usize) -> u64 {
        if k < 2 {
            return 0;
        }
        let n = n.max(1);
        self.inter.all_reduce(bytes, n as u64) + self.intra.all_reduce(bytes, k.div_ceil(n) as u64)
    }
}

impl Link {
    /// Nanoseconds of an all-reduce of `bytes` among some members: the ring sends `2 (p - 1)` messages of a `p`-th, the tree
    /// `2 ceil(log2 p)` of the whole.
    pub fn all_reduce(&self, bytes: u64, members: u64) -> u64 {
        if members < 2 {
            return 0;
        }
        let turns = 2 * (members - 1);
        let hops = 2 * u64::from(u64::BITS - (members - 1).leading_zeros());
        let whole = u128::from(bytes) * u128::from(self.picoseconds_per_byte);
        let nanoseconds = |picoseconds: u128| u64::try_from(picoseconds / 1000).unwrap_or(u64::MAX);
        let ring =
            turns * self.latency + nanoseconds(whole * u128::from(turns) / u128::from(members));
        let tree = hops * self.latency + nanoseconds(whole * u128::from(hops));
        ring.min(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_for_small_messages_and_a_ring_for_large_ones() {
        let link = Link { latency: 1_000, picoseconds_per_byte: 100 };
        assert_eq!(link.all_reduce(1_000, 1), 0);
        assert_eq!(link.all_reduce(0, 8), 6_000);
        // Ring: 14 messages of 1 MB / 8, at 100 us a megabyte.
        assert_eq!(link.all_reduce(1_000_000, 8), 14_000 + 175_000);
    }

    #[test]
    fn prices_of_numbers() {
        let price = Evenness { range: 10, empty: 500, first: 7 };
        assert_eq!(price.price(&[2, 2, 2]), 0);
        assert_eq!(price.price(&[2, 0, 3]), 30 + 500 + 7);
        assert_eq!(price.price(&[]), 0);
    }
}
