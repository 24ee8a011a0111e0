//! Formulas of cost that placement and the plan's estimates share.

use mmc_plan::schedule::LANE_PARTS;
use mmc_plan::{
    ClusterSpec, Device, LinkSpec, ModelSpec, ModuleKind, Optimizer, Precision, TrainingSpec,
    tokens_at_a_time,
};

use crate::ir::module::TaskPath;
use crate::size;

/// Bytes of one number of a bucket: gradients are summed in 64 bits, those of 64-bit plans in two parts
/// (`docs/decisions/0003-sums-in-64-bits.md`).
pub fn summed_bytes(precision: Precision) -> u64 {
    2 * precision.parameter_bytes()
}

/// Bytes that a parameter takes on a rank that holds it: itself and, unless it is frozen, its gradient, the optimiser's numbers
/// and, where one is kept, its moving average.
pub fn state_bytes(training: &TrainingSpec, trained_by: Option<&Optimizer>) -> u64 {
    let width = training.precision.parameter_bytes();
    let average = u64::from(training.ema.is_some());
    trained_by.map_or(width, |optimizer| (2 + optimizer.moments() + average) * width)
}

/// Bytes of the sum of a parameter's gradients over lanes, a number of a bucket: of modules that several lanes train, wherever
/// the lanes run. One lane's gradient is the sum.
pub fn sum_bytes(training: &TrainingSpec, frozen: bool, lanes: usize) -> u64 {
    if frozen || lanes < 2 { 0 } else { summed_bytes(training.precision) }
}

/// Bytes that a module keeps of one token for the backward pass. Masks of dropout are kept on GPUs alone, a byte an element; on CPUs
/// they are made again.
pub fn kept_bytes(
    training: &TrainingSpec,
    device: Device,
    model: &ModelSpec,
    kind: &ModuleKind,
) -> u64 {
    let numbers = size::kept(model, kind) * training.precision.activation_bytes();
    numbers + if device == Device::Gpu { size::masked(model, kind) } else { 0 }
}

/// Vocabularies are filled up to a multiple of so many on GPUs, whose products are slow at other sizes.
const GPU_ROWS: u64 = 64;

/// Bytes that the loss of a batch takes while all that was kept for the backward pass is there too. The worker makes the logits of
/// [`tokens_at_a_time`] tokens at once: the logits and their softmax, which a GPU puts into the logits' place or writes in 16 bits at
/// once, with its copy in 16 bits where products are made in these.
/// Once a batch there are the gradient of the output's matrix, twice as its last term is added or as autograd hands it on, and the
/// matrix's 16-bit copy; and the gradients of all states, twice as those of chunks are joined.
pub fn loss_bytes(training: &TrainingSpec, device: Device, dim: u64, vocabulary: u64) -> u64 {
    let rows = match device {
        Device::Cpu => vocabulary,
        Device::Gpu => vocabulary.next_multiple_of(GPU_ROWS),
    };
    let tokens = u64::from(training.batch_tokens);
    let at_once = tokens.min(tokens_at_a_time(device, vocabulary));
    let twice = 2 * training.precision.parameter_bytes();
    let copy = training.precision.copy_bytes();
    let is_kernel = device == Device::Gpu && training.precision != Precision::Fp64;
    let logit = copy + if is_kernel { twice / 2 } else { twice };
    at_once * rows * logit + rows * dim * (twice + copy) + tokens * dim * twice
}

/// Beside a model on a CPU: text that was read ahead, what tokenizers remember, buffers of all-reduces (measured: 12 to 28 MB).
const BESIDE: u64 = 20 << 20;

/// Bytes of memory for activations of so many bytes. On a CPU they lie in the C library's heap, which grows to half as much
/// again, as blocks that one batch frees do not fit those of the next (measured: 1.5 at the widths 128, 256 and 512, in batches
/// of 512 to 2 048 tokens), [`BESIDE`] what else is there. On a GPU libtorch keeps blocks for batches of the same size, and makes new
/// ones for others, which it gives back before memory runs out: 7 to 41 % more than is needed (measured: 110 M parameters, batches
/// of 4 096 to 32 768 tokens); a quarter is the middle.
pub fn heap_bytes(cluster: &ClusterSpec, activations: u64) -> u64 {
    match cluster.device {
        Device::Cpu => activations.saturating_mul(3) / 2 + BESIDE,
        Device::Gpu => activations.saturating_mul(5) / 4,
    }
}

/// Bytes that passes over activations count as: on a CPU 7/4 of those that they read and write, since they compute exponentials
/// and draws of dropout too, and products of matrices copy what they multiply (measured: with this factor two rates explain layers
/// of the widths 64 to 768 and the update of parameters within 2 %; without it, within 12 %). On a GPU three times as many, as
/// libtorch passes over them more often (measured: of 33 ms of an H200 for a step of the MAMMOTH paper's model, in 16 bits, passes take
/// 21, and 33 GB are counted).
pub fn passed_bytes(cluster: &ClusterSpec, bytes: u64) -> u64 {
    match cluster.device {
        Device::Cpu => bytes.saturating_mul(7) / 4,
        Device::Gpu => bytes.saturating_mul(3),
    }
}

/// Bytes that are read and written for a trained parameter in a lane's step: the backward pass adds to the gradient (3 numbers),
/// which is added to the sum over lanes and cleared (2, and a number of a bucket); the norm reads the sum; the update reads it
/// too, and reads and writes the parameter and the optimiser's numbers; a moving average reads the parameter and its own number
/// and writes that.
pub fn update_bytes(training: &TrainingSpec, optimizer: &Optimizer) -> u64 {
    let width = training.precision.parameter_bytes();
    let average = if training.ema.is_some() { 3 } else { 0 };
    let numbers = 3 + 2 + 2 + 2 * optimizer.moments() + average;
    numbers * width + 3 * summed_bytes(training.precision)
}

/// What lanes compute in a step, in expectation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    operations: f64,
    bytes: f64,
}

impl Work {
    /// Adds a task that a lane runs in so many of [`LANE_PARTS`] of its steps, with so many batches in a step.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn add(&mut self, parts: u32, accumulate: u32, path: &TaskPath) {
        let share = f64::from(parts) / f64::from(LANE_PARTS);
        self.operations += share * path.batch_flops as f64 * f64::from(accumulate);
        self.bytes += share * path.step_bytes_moved as f64;
    }

    /// Operations.
    pub fn operations(self) -> u64 {
        whole(self.operations)
    }

    /// Bytes that passes over memory read and write.
    pub fn bytes(self) -> u64 {
        whole(self.bytes)
    }
}

/// The nearest whole number of one that is not negative; the largest there is, of a larger one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, not negative; a cast saturates"
)]
pub fn whole(value: f64) -> u64 {
    libm::round(value) as u64
}

/// Seconds of computing: operations at the device's rate, then passes over memory at its bandwidth, where that is known. A
/// device does both in turns, not at once: products of matrices keep the processor busy, passes the memory (the two sides of
/// the roofline, Williams, Waterman and Patterson 2009, added up over the kernels of a step).
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub fn compute_seconds(cluster: &ClusterSpec, flops: u64, bytes_moved: u64) -> f64 {
    let passes = cluster.device_bandwidth.map_or(0.0, |bandwidth| bytes_moved as f64 / bandwidth);
    flops as f64 / cluster.device_flops + passes
}

/// Seconds of one ring all-reduce of `bytes` among ranks, in two levels: within nodes, then between them (Thakur,
/// Rabenseifner and Gropp 2005, section 4.5, at both levels): `2(n-1)/n / inter + 2(g-1)/g / intra` seconds a byte for `n` nodes
/// with at most `g` ranks each, and `latency * ceil(log2 ranks)`.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub fn all_reduce_seconds(links: &LinkSpec, ranks: u64, nodes: u64, bytes: u64) -> f64 {
    if ranks < 2 {
        return 0.0;
    }
    let nodes = nodes.max(1);
    let on_node = ranks.div_ceil(nodes);
    let turns = |members: u64| 2.0 * (members - 1) as f64 / members as f64;
    let hops = f64::from(u64::BITS - (ranks - 1).leading_zeros());
    let share = |members: u64, rate: f64| if members > 1 { turns(members) / rate } else { 0.0 };
    let per_byte = share(nodes, links.inter) + share(on_node, links.intra);
    bytes as f64 * per_byte + links.latency * hops
}

/// Nodes among ranks.
pub fn node_count(cluster: &ClusterSpec, ranks: &[u32]) -> u64 {
    let mut nodes: Vec<u32> =
        ranks.iter().map(|rank| rank / cluster.devices_per_node.max(1)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes.len() as u64
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample;

    use super::*;

    #[test]
    fn a_hundred_megabytes_over_two_nodes() {
        let links = LinkSpec { intra: 1e10, inter: 1e9, latency: 1e-5 };
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        close(all_reduce_seconds(&links, 1, 1, 100_000_000), 0.0);
        close(all_reduce_seconds(&links, 2, 1, 100_000_000), 0.01 + 1e-5);
        close(all_reduce_seconds(&links, 2, 2, 100_000_000), 0.1 + 1e-5);
        close(all_reduce_seconds(&links, 8, 2, 100_000_000), 0.1 + 0.015 + 3e-5);
    }

    /// Adam's state, Rajbhandari et al. 2020, section 3.1: 16 bytes a parameter in 32 bits (4 + 4 + 8) as in mixed precision
    /// (2 + 2 + 12), so 1.6 GB of 100 million parameters and 120 GB of 7.5 billion.
    #[test]
    fn state_of_adam() {
        for precision in [Precision::Fp32, Precision::Bf16] {
            let training = TrainingSpec { precision, ..sample::training() };
            let state = state_bytes(&training, Some(&training.optimizer));
            assert_eq!(state * 100_000_000, 1_600_000_000);
            assert_eq!(state * 7_500_000_000, 120_000_000_000);
            assert_eq!(state_bytes(&training, None), 4);
        }
    }

    /// Of five tokens; then of so many that they come in chunks, and more of them take no more logits.
    #[test]
    fn room_of_the_loss() {
        let bytes = |batch_tokens, precision, device, dim, vocabulary| {
            let training = TrainingSpec { precision, batch_tokens, ..sample::training() };
            loss_bytes(&training, device, dim, vocabulary)
        };
        let states = 5 * 2 * 8;
        assert_eq!(bytes(5, Precision::Fp32, Device::Cpu, 2, 3), (5 + 2) * 3 * 8 + states);
        assert_eq!(bytes(5, Precision::Fp64, Device::Cpu, 2, 3), 2 * ((5 + 2) * 3 * 8 + states));
        assert_eq!(bytes(5, Precision::Bf16, Device::Gpu, 2, 3), (5 * 6 + 2 * 10) * 64 + states);
        assert_eq!(bytes(5, Precision::Bf16, Device::Cpu, 2, 0), states);
        for device in [Device::Cpu, Device::Gpu] {
            let [half, whole] =
                [16_384, 32_768].map(|tokens| bytes(tokens, Precision::Bf16, device, 512, 64_003));
            assert_eq!(whole - half, 16_384 * 512 * 8, "{device:?}");
        }
    }

    /// A ring sends 2 (n - 1) / n of what is summed.
    #[test]
    fn traffic_of_a_ring() {
        let links = LinkSpec { intra: 1e9, inter: 1e9, latency: 0.0 };
        let seconds = all_reduce_seconds(&links, 64, 1, 64_000_000_000);
        assert!((seconds - 126.0).abs() < 1e-9, "{seconds}");
    }
}
