//! What can be wrong with a plan's modules or with the parameters given for them.

use thiserror::Error;

/// A plan and its parameters do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// A path names a module that the plan does not have.
    #[error("the plan has no module `{0}`")]
    UnknownModule(String),
    /// The vocabulary of an embedding or head is not in the plan.
    #[error("the plan has no vocabulary `{vocabulary}`, which module `{module}` embeds")]
    UnknownVocabulary {
        /// The module.
        module: String,
        /// The vocabulary it names.
        vocabulary: String,
    },
    /// The plan's own count and the layout differ.
    #[error(
        "module `{module}` has {laid_out} parameters by its kind, but the plan says {declared}"
    )]
    Count {
        /// The module.
        module: String,
        /// Parameters by its kind and the model's widths.
        laid_out: u64,
        /// Parameters in the plan.
        declared: u64,
    },
    /// The heads do not divide the width.
    #[error("a width of {dim} cannot be divided among {heads} attention heads")]
    Heads {
        /// Width.
        dim: u32,
        /// Heads.
        heads: u32,
    },
    /// A module was not given its parameters.
    #[error("module `{0}` has no parameters loaded")]
    NoWeights(String),
    /// A parameter is not among a module's weights.
    #[error("module `{module}` lacks its parameter `{parameter}`")]
    NoParameter {
        /// The module.
        module: String,
        /// The parameter.
        parameter: String,
    },
    /// A parameter has another shape than its layout.
    #[error("parameter `{parameter}` of module `{module}` has shape {found:?}, not {expected:?}")]
    Shape {
        /// The module.
        module: String,
        /// The parameter.
        parameter: String,
        /// Shape of the tensor given.
        found: Vec<i64>,
        /// Shape by the layout.
        expected: Vec<i64>,
    },
    /// A path has a module of the wrong kind at some place.
    #[error("module `{module}` stands where {wanted} is needed")]
    Kind {
        /// The module.
        module: String,
        /// What the place needs.
        wanted: &'static str,
    },
    /// A path is too short to be a direction's.
    #[error("a direction needs a target embedding")]
    EmptyPath,
    /// Decoders that see an encoder where there is none, or the other way round.
    #[error("a direction needs an encoder exactly where its decoder's layers see one")]
    Encoder,
}
