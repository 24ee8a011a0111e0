//! A tree to clusters: where it is cut, and which number each cluster gets.

use super::merge::Tree;

/// Where a tree is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// Into this many clusters.
    Count(usize),
    /// Below all merges of at least this height.
    Height(f64),
}

impl Tree {
    /// The number of clusters that a cut leaves: between 1 and the number of leaves (0 for a tree without leaves).
    pub fn clusters(&self, cut: Cut) -> usize {
        match cut {
            Cut::Count(count) => count.clamp(self.leaves.min(1), self.leaves),
            Cut::Height(height) => {
                let undone = self.merges.iter().filter(|merge| merge.height >= height).count();
                self.leaves.min(1 + undone)
            }
        }
    }

    /// The cluster of every leaf, numbered as scikit-learn numbers them.
    ///
    /// A heap of nodes, the greatest number first, starts with the root; `clusters - 1` times its first node gives way to its
    /// two children. A cluster's number is the place of its node in the heap's array.
    pub fn labels(&self, cut: Cut) -> Vec<usize> {
        let mut labels = vec![0; self.leaves];
        for (label, node) in self.nodes(self.clusters(cut)).into_iter().enumerate() {
            for leaf in self.leaves_of(node) {
                if let Some(cell) = labels.get_mut(leaf) {
                    *cell = label;
                }
            }
        }
        labels
    }

    /// The leaves below a node, ascending.
    pub fn leaves_of(&self, node: usize) -> Vec<usize> {
        let (mut leaves, mut open) = (Vec::new(), vec![node]);
        while let Some(node) = open.pop() {
            match node.checked_sub(self.leaves).and_then(|merge| self.merges.get(merge)) {
                Some(merge) => open.extend([merge.left, merge.right]),
                None => leaves.push(node),
            }
        }
        leaves.sort_unstable();
        leaves
    }

    /// All leaves as a drawing of the tree lists them: left children before right ones.
    pub fn leaf_order(&self) -> Vec<usize> {
        let root = (self.leaves + self.merges.len()).checked_sub(1);
        let (mut order, mut open) = (Vec::new(), Vec::from_iter(root));
        while let Some(node) = open.pop() {
            match node.checked_sub(self.leaves).and_then(|merge| self.merges.get(merge)) {
                Some(merge) => open.extend([merge.right, merge.left]),
                None => order.push(node),
            }
        }
        order
    }

    /// The node of every cluster, in the order of the heap's array.
    pub fn nodes(&self, clusters: usize) -> Vec<usize> {
        let Some(root) = (self.leaves + self.merges.len()).checked_sub(1) else {
            return Vec::new();
        };
        let mut heap = vec![root];
        for _ in 1..clusters {
            let merge = heap.first().and_then(|node| node.checked_sub(self.leaves));
            let Some(merge) = merge.and_then(|merge| self.merges.get(merge)) else { break };
            heap.push(merge.left);
            let last = heap.len() - 1;
            rise(&mut heap, last);
            if let Some(top) = heap.first_mut() {
                *top = merge.right;
            }
            sink(&mut heap);
        }
        heap
    }
}

/// Moves an element up to where its parent is not smaller.
fn rise(heap: &mut [usize], from: usize) {
    let mut at = from;
    while at > 0 {
        let parent = (at - 1) / 2;
        if heap.get(parent) >= heap.get(at) {
            break;
        }
        heap.swap(parent, at);
        at = parent;
    }
}

/// Moves the first element to a leaf, the greater child taking its place each time, and from there up again: the order of
/// Python's `heapq`, on which the numbers of clusters depend.
fn sink(heap: &mut [usize]) {
    let mut at = 0;
    while 2 * at + 1 < heap.len() {
        let (first, second) = (2 * at + 1, 2 * at + 2);
        let child = if heap.get(second) >= heap.get(first) { second } else { first };
        heap.swap(at, child);
        at = child;
    }
    rise(heap, at);
}

#[cfg(test)]
mod tests {
    use super::super::{Distances, Linkage, agglomerate};
    use super::*;

    fn line(places: &[f64]) -> Tree {
        let distances = Distances::new(places.len(), |i, j| (places[i] - places[j]).abs());
        agglomerate(&distances, Linkage::Average)
    }

    #[test]
    fn cuts_by_count_and_height_agree() {
        let tree = line(&[0.0, 1.0, 10.0, 11.5, 30.0]);
        assert_eq!(tree.labels(Cut::Count(3)), tree.labels(Cut::Height(5.0)));
        assert_eq!(tree.clusters(Cut::Height(1.0)), 5, "a merge at the very height is undone");
        assert_eq!(tree.clusters(Cut::Height(100.0)), 1);
    }

    #[test]
    fn all_or_no_cuts() {
        let tree = line(&[0.0, 2.0, 5.0]);
        assert_eq!(tree.labels(Cut::Count(1)), [0, 0, 0]);
        let mut labels = tree.labels(Cut::Count(9));
        labels.sort_unstable();
        assert_eq!(labels, [0, 1, 2]);
        assert!(line(&[]).labels(Cut::Count(1)).is_empty());
        assert_eq!(line(&[1.0]).labels(Cut::Height(0.5)), [0]);
    }
}
