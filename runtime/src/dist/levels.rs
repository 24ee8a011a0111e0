//! Sums over ranks of several nodes in two levels: links between nodes are slower than those within one.
//!
//! The members of each node sum among themselves. Then the first members of all nodes sum the first part of the tensor, the
//! second members the second, and so on, with as many parts as the smallest node has members; each gives its part to its node
//! (Thakur, Rabenseifner and Gropp 2005, section 4.5, at both levels). `2 (n - 1) / n` of the tensor leave and enter each of `n`
//! nodes, where one ring over all `r` ranks would send `2 (r - 1) / r`, in `2 (r - 1)` turns. NCCL arranges its sums in this way
//! by itself, so that this is for processors.

use std::collections::BTreeMap;
use std::time::Duration;

use tch::Tensor;

use super::whole;
use crate::ffi::{Group, ShimError, Store};

/// The groups of one rank of a communicator whose members lie on several nodes.
#[derive(Debug)]
pub(super) struct Levels {
    /// The members on this rank's node; none when it is alone there.
    node: Option<Group>,
    /// The members that sum this rank's part; none when the node has more members than there are parts.
    part: Option<Group>,
    /// This rank's place among the members of its node.
    place: usize,
    /// Parts of a tensor.
    parts: usize,
}

/// Who meets whom: the members of one rank's node and of its part, as ranks.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    node: Vec<u32>,
    /// Empty when the rank sums no part.
    part: Vec<u32>,
    place: usize,
    parts: usize,
}

impl Order {
    /// The order that `rank` sees, with the node of each rank (the first, of ranks without); none when two levels are no better
    /// than one: there is one node, or one member on each.
    fn of(rank: u32, ranks: &[u32], nodes: &[u32]) -> Option<Self> {
        let node_of = |rank: u32| nodes.get(rank as usize).copied().unwrap_or(0);
        let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &member in ranks {
            members.entry(node_of(member)).or_default().push(member);
        }
        if members.len() < 2 || members.len() == ranks.len() {
            return None;
        }
        let node = members.get(&node_of(rank))?.clone();
        let place = node.iter().position(|&member| member == rank)?;
        let parts = members.values().map(Vec::len).min()?;
        let mut part: Vec<u32> =
            members.values().filter_map(|members| members.get(place)).copied().collect();
        if place >= parts {
            part.clear();
        }
        Some(Self { node, part, place, parts })
    }
}

impl Levels {
    /// Meets the others of the node, then those of the part, under names of their own; nothing where two levels are no better
    /// than one. `bind` and `timeout` as for [`Group::new`].
    pub(super) fn connect(
        store: &Store,
        name: &str,
        (rank, ranks, nodes): (u32, &[u32], &[u32]),
        bind: &str,
        timeout: Duration,
    ) -> Result<Option<Self>, ShimError> {
        let Some(Order { node, part, place, parts }) = Order::of(rank, ranks, nodes) else {
            return Ok(None);
        };
        let meet = |name: String, members: &[u32]| -> Result<Option<Group>, ShimError> {
            let seat = members.iter().position(|&member| member == rank);
            let seat = seat.filter(|_| members.len() > 1);
            seat.map(|seat| Group::new(store, &name, (seat, members.len()), bind, timeout))
                .transpose()
        };
        let first = node.first().copied().unwrap_or(rank);
        let node = meet(format!("{name}/node of {first}"), &node)?;
        let part = meet(format!("{name}/part {place}"), &part)?;
        Ok(Some(Self { node, part, place, parts }))
    }

    /// Sums a flat tensor over all members, in place: to the same bits on each.
    pub(super) fn sum(&self, tensor: &Tensor) -> Result<(), ShimError> {
        let elements = tensor.numel();
        let edge = |part: usize| elements * part / self.parts;
        let part = |part: usize| {
            let (from, to) = (whole(edge(part)), whole(edge(part + 1)));
            Ok::<_, ShimError>(tensor.f_narrow(0, from, to - from)?)
        };
        if let Some(node) = &self.node {
            node.sum(tensor)?;
        }
        let own = if self.place < self.parts { Some(part(self.place)?) } else { None };
        if let (Some(group), Some(own)) = (&self.part, own.filter(|own| own.numel() > 0)) {
            group.sum(&own)?;
        }
        let Some(node) = &self.node else { return Ok(()) };
        for owner in 0..self.parts {
            let part = part(owner)?;
            if part.numel() > 0 {
                node.broadcast(&part, owner)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::threads::{HOST, LONG, members};
    use super::*;

    #[test]
    fn order_of_members() {
        let nodes = |on_node: u32| (0..8).map(|rank| rank / on_node).collect::<Vec<u32>>();
        let of = |rank, ranks: &[u32], on_node| Order::of(rank, ranks, &nodes(on_node));
        // One node; or one rank on each.
        assert_eq!(of(0, &[0, 1], 2), None);
        assert_eq!(of(0, &[0, 2], 2), None);
        // Four and three ranks of two nodes: three parts.
        let ranks = [0, 1, 2, 3, 4, 6, 7];
        let seen = of(6, &ranks, 4).unwrap();
        assert_eq!(seen, Order { node: vec![4, 6, 7], part: vec![1, 6], place: 1, parts: 3 });
        let seen = of(3, &ranks, 4).unwrap();
        assert_eq!(seen, Order { node: vec![0, 1, 2, 3], part: vec![], place: 3, parts: 3 });
        // One rank alone on its node: all of the tensor is one part.
        let seen = of(4, &[0, 1, 4], 4).unwrap();
        assert_eq!(seen, Order { node: vec![4], part: vec![0, 4], place: 0, parts: 1 });
    }

    /// What every rank holds after a sum over ranks that lie on nodes as told, of tensors of so many elements: `1, 2, 3, ...` times
    /// ten to the power of the rank.
    fn summed(nodes: &[u32], elements: u32) -> Vec<Vec<f64>> {
        let ranks: Vec<u32> = (0_u32..).zip(nodes).map(|(rank, _)| rank).collect();
        members(nodes.len(), |place, store| {
            let rank = ranks[place];
            let seen = (rank, ranks.as_slice(), nodes);
            let levels = Levels::connect(store, "c", seen, HOST, LONG).unwrap().unwrap();
            let own: Vec<f64> = (1..=elements).map(|n| f64::from(n * 10_u32.pow(rank))).collect();
            let own = Tensor::from_slice(&own);
            levels.sum(&own).unwrap();
            (Vec::<f64>::try_from(&own).unwrap(), levels)
        })
    }

    #[test]
    fn every_rank_gets_the_sum() {
        for nodes in [&[0, 0, 1, 1][..], &[0, 0, 0, 1, 1], &[0, 1, 1], &[0, 0, 1, 1, 2, 2]] {
            for elements in [1, 2, 7, 1000] {
                let ones: u32 = (0_u32..).zip(nodes).map(|(rank, _)| 10_u32.pow(rank)).sum();
                let expected: Vec<f64> = (1..=elements).map(|n| f64::from(n * ones)).collect();
                for held in summed(nodes, elements) {
                    assert_eq!(held, expected, "{nodes:?}, {elements} elements");
                }
            }
        }
    }
}
