//! Keys that the `mammoth` block can hold.

use super::keys;
use super::transforms::OPTIONS;

/// Keys that the experiment decides only under some optimisers and schedules.
const SOMETIMES: &[&str] = &[
    "adagrad_accumulator_init",
    "adam_beta1",
    "adam_beta2",
    "decay_method",
    "decay_steps",
    "learning_rate",
    "learning_rate_decay",
    "start_decay_steps",
    "warmup_steps",
    "weight_decay",
];

/// Whether a key at the top can stand in the block, where nothing that is trained depends on it.
pub(crate) fn is_free(key: &str) -> bool {
    keys::FREE.contains(&key)
        || SOMETIMES.contains(&key)
        || OPTIONS.iter().any(|(_, options)| options.contains(&key))
}

/// The same of `x_transformers_opts`.
pub(crate) fn is_free_of_network(key: &str) -> bool {
    keys::FREE_NETWORK.contains(&key)
}
