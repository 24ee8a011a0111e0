//! Distances to the tree of merges: average and complete linkage by the nearest-neighbour chain (Murtagh 1983, in the order
//! of `SciPy`'s), single linkage by Prim's spanning tree; then merges in order of height, ties in the order of discovery.

use super::distances::Distances;

/// The distance of two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// The mean over all pairs of members (UPGMA).
    Average,
    /// The least over all pairs of members.
    Single,
    /// The greatest over all pairs of members.
    Complete,
}

/// Two nodes become one. Leaves are numbered from 0; the node of the n-th merge is `leaves + n`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The smaller number.
    pub left: usize,
    /// The greater number.
    pub right: usize,
    /// The distance of the two.
    pub height: f64,
    /// Leaves below the new node.
    pub leaves: usize,
}

/// An agglomerative clustering: `leaves - 1` merges, heights ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Number of leaves.
    pub leaves: usize,
    /// In order of height.
    pub merges: Vec<Merge>,
}

/// Two things of different clusters, joined at a height.
#[derive(Debug, Clone, Copy)]
struct Join {
    a: usize,
    b: usize,
    height: f64,
}

/// Clusters by a linkage. Time and space grow with the square of the number of things.
///
/// Distances must be numbers: see [`super::table`] for the check.
pub fn agglomerate(distances: &Distances, linkage: Linkage) -> Tree {
    let mut joins = match linkage {
        Linkage::Single => spanning_tree(distances),
        Linkage::Average | Linkage::Complete => chain(distances.clone(), linkage),
    };
    // A stable sort: equal heights stay in the order of discovery.
    joins.sort_by(|a, b| a.height.total_cmp(&b.height));
    Tree { leaves: distances.items(), merges: numbered(distances.items(), &joins) }
}

/// The joins of average or complete linkage, in the order in which the chain finds mutual nearest neighbours.
fn chain(mut distances: Distances, linkage: Linkage) -> Vec<Join> {
    let items = distances.items();
    let mut sizes = vec![1_u32; items];
    let mut chain: Vec<usize> = Vec::with_capacity(items);
    let mut joins = Vec::with_capacity(items.saturating_sub(1));
    for _ in 1..items {
        if chain.is_empty() {
            chain.extend(sizes.iter().position(|size| *size > 0));
        }
        let Some(Join { a, b, height }) = grow(&mut chain, &distances, &sizes) else { break };
        let (gone, kept) = (a.min(b), a.max(b));
        let size = |of: usize| sizes.get(of).copied().unwrap_or_default();
        let (gone_size, kept_size) = (size(gone), size(kept));
        for (other, cell) in sizes.iter_mut().enumerate() {
            if other == gone {
                *cell = 0;
            } else if other == kept {
                *cell = gone_size + kept_size;
            } else if *cell > 0 {
                let (to_gone, to_kept) = (distances.get(other, gone), distances.get(other, kept));
                let (x, y) = (f64::from(gone_size), f64::from(kept_size));
                let joined = if linkage == Linkage::Average {
                    (x * to_gone + y * to_kept) / (x + y)
                } else {
                    to_gone.max(to_kept)
                };
                distances.set(other, kept, joined);
            }
        }
        joins.push(Join { a: gone, b: kept, height });
    }
    joins
}

/// Follows nearest neighbours until two are each other's, and takes these off the chain.
fn grow(chain: &mut Vec<usize>, distances: &Distances, sizes: &[u32]) -> Option<Join> {
    loop {
        let last = *chain.last()?;
        let before = chain.iter().rev().nth(1).copied();
        // The one before wins ties, so that the chain can't run in circles.
        let mut nearest = before.map(|before| (before, distances.get(last, before)));
        for (other, _) in sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
            let distance = distances.get(last, other);
            if other != last && nearest.is_none_or(|(_, least)| distance < least) {
                nearest = Some((other, distance));
            }
        }
        let (next, height) = nearest?;
        if before == Some(next) {
            chain.truncate(chain.len().saturating_sub(2));
            return Some(Join { a: last, b: next, height });
        }
        chain.push(next);
    }
}

/// The edges of a minimal spanning tree, in the order in which it grows from the first thing.
fn spanning_tree(distances: &Distances) -> Vec<Join> {
    let items = distances.items();
    // Outside the tree: the least distance to it.
    let mut outside: Vec<Option<f64>> = vec![Some(f64::INFINITY); items];
    let mut joins = Vec::with_capacity(items.saturating_sub(1));
    let mut last = 0;
    for _ in 1..items {
        if let Some(cell) = outside.get_mut(last) {
            *cell = None;
        }
        let mut nearest: Option<(usize, f64)> = None;
        for (other, cell) in outside.iter_mut().enumerate() {
            let Some(near) = cell else { continue };
            *near = near.min(distances.get(last, other));
            if nearest.is_none_or(|(_, distance)| *near < distance) {
                nearest = Some((other, *near));
            }
        }
        let Some((next, height)) = nearest else { break };
        joins.push(Join { a: last, b: next, height });
        last = next;
    }
    joins
}

/// Joins of things to merges of nodes: each side is the node that holds the thing by then.
fn numbered(items: usize, joins: &[Join]) -> Vec<Merge> {
    let mut parents: Vec<usize> = (0..items + joins.len()).collect();
    let mut leaves = vec![1_usize; items];
    let mut merges = Vec::with_capacity(joins.len());
    for (at, join) in joins.iter().enumerate() {
        let (a, b) = (root(&mut parents, join.a), root(&mut parents, join.b));
        let (left, right) = (a.min(b), a.max(b));
        for side in [left, right] {
            if let Some(parent) = parents.get_mut(side) {
                *parent = items + at;
            }
        }
        let below = [left, right].iter().filter_map(|side| leaves.get(*side)).sum();
        leaves.push(below);
        merges.push(Merge { left, right, height: join.height, leaves: below });
    }
    merges
}

/// The node that holds a thing, with shorter ways for the next time.
fn root(parents: &mut [usize], of: usize) -> usize {
    let mut root = of;
    while let Some(parent) = parents.get(root).copied().filter(|parent| *parent != root) {
        root = parent;
    }
    let mut node = of;
    while let Some(parent) = parents.get_mut(node).filter(|parent| **parent != root) {
        node = std::mem::replace(parent, root);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_one_thing_have_no_merges() {
        for items in 0..2 {
            let distances = Distances::new(items, |_, _| 1.0);
            for linkage in [Linkage::Average, Linkage::Single, Linkage::Complete] {
                assert_eq!(
                    agglomerate(&distances, linkage),
                    Tree { leaves: items, merges: vec![] }
                );
            }
        }
    }

    #[test]
    fn linkages_differ_where_they_should() {
        // On a line: 0, 1, 3.
        let distances = Distances::new(3, |i, j| [[0.0, 1.0, 3.0], [0.0, 0.0, 2.0]][i][j]);
        let heights = |linkage| {
            let tree = agglomerate(&distances, linkage);
            tree.merges.iter().map(|merge| merge.height).collect::<Vec<_>>()
        };
        assert_eq!(heights(Linkage::Average), [1.0, 2.5]);
        assert_eq!(heights(Linkage::Single), [1.0, 2.0]);
        assert_eq!(heights(Linkage::Complete), [1.0, 3.0]);
    }
}
