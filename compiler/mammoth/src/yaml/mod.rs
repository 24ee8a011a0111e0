//! YAML 1.1 as PyYAML reads and writes it, with places.
//!
//! [`Tree::read`] resolves scalars as `safe_load` does (`no` is a boolean, `010` is 8, `1:30` is 90, `1e-4` is a text) and
//! applies merge keys; [`Tree::write`] gives the bytes of `safe_dump(default_flow_style=False, allow_unicode=True)`.
//!
//! Nodes lie in one [`Tree`] and are named by [`Id`]s. An alias is the id of the node that it names, so a change to that
//! node is seen wherever it is used, and a list that is used twice is written as an anchor and an alias. There are no
//! cycles, and the sum of all uses is bounded, so a walk from the root always ends soon.
//!
//! ```
//! use mmc_mammoth::yaml::Tree;
//! use mmc_syntax::SourceMap;
//!
//! let text = "languages: [de, no]\nsteps: 1_000\n";
//! let mut sources = SourceMap::new();
//! let read = Tree::read(sources.add("a.yaml", text), text).expect("it is YAML");
//! let mut tree = read.tree;
//! let steps = tree.get(tree.root(), "steps").expect("it is there");
//! assert_eq!(tree.int(steps), Some(1000));
//! assert_eq!(sources.line_column(tree.span(steps)), Some((2, 8)));
//! let yes = tree.add_bool(true);
//! tree.set(tree.root(), "lower", yes);
//! assert_eq!(tree.write(), "languages:\n- de\n- false\nlower: true\nsteps: 1000\n");
//! ```

mod compose;
mod error;
mod flow;
mod number;
mod scalar;
mod style;
mod time;
mod tree;
mod write;

pub use compose::Read;
pub use error::{DuplicateKey, YamlError};
pub use time::Time;
pub use tree::{Id, Tree, Value};
