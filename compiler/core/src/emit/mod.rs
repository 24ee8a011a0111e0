//! Plans to files of other programs. Emitters see the plan alone and decide nothing.

mod dot;
mod slurm;

use miette::Diagnostic;
use mmc_plan::Plan;
use thiserror::Error;

/// One emitter.
#[derive(Debug, Clone, Copy)]
pub struct Emitter {
    /// Its name, as in `mmc emit NAME`.
    pub name: &'static str,
    /// What its files end with.
    pub suffix: &'static str,
    /// What it writes, in one line.
    pub about: &'static str,
    /// Writes.
    pub run: fn(&Plan) -> Result<String, EmitError>,
}

/// All emitters, in order of name.
pub static EMITTERS: &[Emitter] = &[
    Emitter {
        name: "dot",
        suffix: "dot",
        about: "the graph of tasks and modules, for Graphviz",
        run: dot::emit,
    },
    Emitter {
        name: "slurm",
        suffix: "sh",
        about: "a batch script that runs the plan on the cluster it was made for",
        run: slurm::emit,
    },
];

/// The emitter of a name.
pub fn find(name: &str) -> Option<&'static Emitter> {
    EMITTERS.iter().find(|emitter| emitter.name == name)
}

/// Why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum EmitError {
    /// A setting of the batch script that can't stand in it.
    #[error("`{key}` of the cluster's `slurm` settings can't be `{value}`")]
    #[diagnostic(
        code(mmc::emit::slurm_value),
        help("values stand on one line of a shell script: letters, digits and -_.,:/=@%+ only")
    )]
    SlurmValue {
        /// The setting.
        key: String,
        /// Its value.
        value: String,
    },
    /// A setting that the script does not know.
    #[error("the batch script has no setting `{key}`")]
    #[diagnostic(code(mmc::emit::slurm_key), help("{}", slurm::KEYS_HELP))]
    SlurmKey {
        /// The setting.
        key: String,
    },
    /// The template is broken: our fault.
    #[error("the template of the batch script is broken: {reason}")]
    #[diagnostic(code(mmc::emit::template), help("this is a fault of mmc; please report it"))]
    Template {
        /// What its reader says.
        reason: String,
    },
}
