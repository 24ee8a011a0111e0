//! What the command line says beside the configuration: the flags of the peer's tool, under its names.

use crate::yaml::Tree;

/// Flags; what is not given is unset. A flag that a stage does not read is refused before, see [`crate::Stage::flags`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    /// `src_path`, `tgt_path`, `ae_path`, `valid_src_path`, `valid_tgt_path`, `distance_matrix`, `log_name`, `joint_vocab`.
    pub texts: Vec<(&'static str, String)>,
    /// `temperature`, `ae_weight`, `cutoff_threshold`.
    pub numbers: Vec<(&'static str, f64)>,
    /// `n_groups`, `n_nodes`, `n_gpus_per_node`, `n_slots_per_gpu`, `time_budget_s`.
    pub counts: Vec<(&'static str, i64)>,
    /// `autoencoder`, `autoencoder_validation`, `use_weight`, `use_introduce_at_training_step`, `zero_shot`: those that are on.
    pub switches: Vec<&'static str>,
    /// `enc_sharing_groups`, `dec_sharing_groups`, `transforms`, `ae_transforms`.
    pub lists: Vec<(&'static str, Vec<String>)>,
    /// The configuration of `copy_from`.
    pub copy_from: Option<Tree>,
    /// Whether the peer's faults are wanted too.
    pub bug_for_bug: bool,
}

impl Flags {
    /// A text flag.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(flag, _)| *flag == name).map(|(_, value)| value.as_str())
    }

    /// A number flag.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(flag, _)| *flag == name).map(|(_, value)| *value)
    }

    /// A whole number flag.
    pub(crate) fn count(&self, name: &str) -> Option<i64> {
        self.counts.iter().find(|(flag, _)| *flag == name).map(|(_, value)| *value)
    }

    /// Whether a switch is on.
    pub(crate) fn switch(&self, name: &str) -> bool {
        self.switches.contains(&name)
    }

    /// A repeated flag.
    pub(crate) fn list(&self, name: &str) -> Option<&[String]> {
        self.lists.iter().find(|(flag, _)| *flag == name).map(|(_, value)| value.as_slice())
    }
}
