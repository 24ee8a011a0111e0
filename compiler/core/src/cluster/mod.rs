//! Distances between languages to groups of languages.
//!
//! Distances come from a file ([`table`]), from features ([`features`]), from text ([`profile`]) or from families. [`merge`]
//! builds the tree of an agglomerative clustering and [`cut`] cuts it: trees and labels are those of scikit-learn's
//! `AgglomerativeClustering` on a precomputed matrix, ties included: the same operations in the same order, none of which
//! rounds differently elsewhere. [`balanced`] makes clusters of bounded size instead.

pub mod balanced;
pub mod cut;
pub mod distances;
pub mod features;
pub mod merge;
pub mod profile;
pub mod table;

pub use cut::Cut;
pub use distances::Distances;
pub use features::FeatureTable;
pub use merge::{Linkage, Merge, Tree, agglomerate};
pub use profile::TextProfile;
pub use table::{DistanceTable, TableFault};

/// A grouping that was found, with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// The languages, in order of code.
    pub names: Vec<String>,
    /// Between them, in the order of `names`.
    pub distances: Distances,
    /// Of the distances, by the linkage asked for (average for balanced clusters).
    pub tree: Tree,
    /// The cluster of every language, in the order of `names`.
    pub labels: Vec<usize>,
    /// How the clusters were made.
    pub way: Way,
    /// Features that both languages of a pair are known by, where distances come from features: row by row above the diagonal.
    pub support: Option<Vec<u32>>,
}

/// How clusters were made of distances.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// The tree was cut.
    Cut(Linkage, Cut),
    /// Bounded clusters of least distance.
    Balanced(balanced::Balance),
}

impl Clustering {
    /// The number of clusters.
    pub fn clusters(&self) -> usize {
        self.labels.iter().max().map_or(0, |most| most + 1)
    }

    /// The sum of distances within clusters.
    pub fn within(&self) -> f64 {
        let labels = self.labels.iter().enumerate();
        let pairs = labels.flat_map(|(i, a)| {
            self.labels.iter().enumerate().skip(i + 1).map(move |(j, b)| (i, j, a == b))
        });
        pairs.filter(|(_, _, same)| *same).map(|(i, j, _)| self.distances.get(i, j)).sum()
    }
}
