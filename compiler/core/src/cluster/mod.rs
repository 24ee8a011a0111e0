//! Distances between languages to groups of languages.
//!
//! [`table`] reads distances, [`merge`] builds the tree of an agglomerative clustering, [`cut`] cuts it. Trees and labels
//! are those of scikit-learn's `AgglomerativeClustering` on a precomputed matrix, ties included: the same operations in the
//! same order, none of which rounds differently elsewhere.

pub mod cut;
pub mod distances;
pub mod merge;
pub mod table;

pub use cut::Cut;
pub use distances::Distances;
pub use merge::{Linkage, Merge, Tree, agglomerate};
pub use table::{DistanceTable, TableFault};
