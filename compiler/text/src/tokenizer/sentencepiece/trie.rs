//! Pieces to a trie over their bytes: all pieces that begin at a place of a text in one walk.

use std::collections::BTreeMap;

/// A node: its children by byte, and the piece that ends here.
#[derive(Debug, Clone, Default)]
struct Node {
    first: u32,
    count: u32,
    piece: Option<u32>,
}

/// An immutable trie in two flat arrays.
#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// Children of a node are neighbours here, ordered by byte.
    edges: Vec<(u8, u32)>,
    /// Children of the root by byte.
    roots: Vec<Option<u32>>,
}

impl Trie {
    /// A trie of texts with their ids. Of equal texts the last counts.
    pub(crate) fn new<'a>(pieces: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        let mut children: Vec<BTreeMap<u8, u32>> = vec![BTreeMap::new()];
        let mut ends: Vec<Option<u32>> = vec![None];
        for (text, id) in pieces {
            let mut at = 0_usize;
            for byte in text.bytes() {
                let fresh = u32::try_from(children.len()).unwrap_or(u32::MAX);
                let next =
                    children.get_mut(at).map_or(fresh, |own| *own.entry(byte).or_insert(fresh));
                if next == fresh {
                    children.push(BTreeMap::new());
                    ends.push(None);
                }
                at = usize::try_from(next).unwrap_or(0);
            }
            if let Some(end) = ends.get_mut(at) {
                *end = Some(id);
            }
        }
        let mut edges = Vec::with_capacity(children.len());
        let mut nodes = Vec::with_capacity(children.len());
        for (own, piece) in children.iter().zip(ends) {
            let first = u32::try_from(edges.len()).unwrap_or(u32::MAX);
            edges.extend(own.iter().map(|(&byte, &next)| (byte, next)));
            nodes.push(Node { first, count: u32::try_from(own.len()).unwrap_or(0), piece });
        }
        let mut roots = vec![None; 256];
        for (&byte, &next) in children.first().into_iter().flatten() {
            if let Some(root) = roots.get_mut(usize::from(byte)) {
                *root = Some(next);
            }
        }
        Self { nodes, edges, roots }
    }

    fn child(&self, node: &Node, byte: u8) -> Option<u32> {
        let first = usize::try_from(node.first).ok()?;
        let own = self.edges.get(first..first + usize::try_from(node.count).ok()?)?;
        own.binary_search_by_key(&byte, |edge| edge.0)
            .ok()
            .and_then(|at| own.get(at))
            .map(|edge| edge.1)
    }

    /// Every piece at the front of `text`, shortest first: its length in bytes and its id.
    pub(crate) fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let Some((&first, rest)) = text.split_first() else { return };
        let mut next = self.roots.get(usize::from(first)).copied().flatten();
        let mut length = 1;
        let mut rest = rest.iter();
        while let Some(node) = next.and_then(|at| self.nodes.get(usize::try_from(at).ok()?)) {
            if let Some(piece) = node.piece {
                found(length, piece);
            }
            let Some(&byte) = rest.next() else { return };
            next = self.child(node, byte);
            length += 1;
        }
    }

    /// The id of a text.
    pub(crate) fn get(&self, text: &str) -> Option<u32> {
        let mut whole = None;
        self.prefixes(text.as_bytes(), |length, id| {
            if length == text.len() {
                whole = Some(id);
            }
        });
        whole
    }
}
