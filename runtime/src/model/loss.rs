//! Cross-entropy with label smoothing, fused with the output projection so that the logits of a batch are never kept.

use tch::{Device, Kind, Tensor};

use super::gold::{Rows, Wanted};
use super::linear::as_kind_of;

/// Summed loss of a batch and how many target tokens it is over.
#[derive(Debug)]
pub struct LossSum {
    /// Sum over the scored target tokens, in nats, without dimensions and gradients.
    pub loss: Tensor,
    /// The same, for the backward pass: its gradients are `factor` times the loss's.
    pub root: Tensor,
    /// Scored target tokens.
    pub tokens: i64,
    /// How many of them are predicted first, without dimensions; not counted where gradients are recorded.
    pub hits: Option<Tensor>,
}

/// The loss of some states, and how many of them predict their gold token first.
pub(crate) struct Scored {
    pub(crate) loss: Tensor,
    /// With the loss's value, and its gradients times a factor.
    pub(crate) root: Tensor,
    /// Not counted where gradients are recorded.
    pub(crate) hits: Option<Tensor>,
}

/// What is asked of a loss and its gradients.
#[derive(Debug, Clone, Copy)]
pub struct Objective {
    /// Of labels; 0 for none.
    pub smoothing: f64,
    /// What the gradients are multiplied by, while the loss is not.
    pub factor: f64,
}

impl Objective {
    /// Gradients as they are.
    pub fn smoothed(smoothing: f64) -> Self {
        Self { smoothing, factor: 1.0 }
    }
}

/// Tokens whose logits are made at a time, as the plan's estimate of memory has it.
fn tokens_at_a_time(device: Device, vocabulary: i64) -> i64 {
    let device = if device == Device::Cpu { mmc_plan::Device::Cpu } else { mmc_plan::Device::Gpu };
    let tokens = mmc_plan::tokens_at_a_time(device, vocabulary.unsigned_abs());
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

/// What the rows of an output's matrix are rounded up to on a device: GPUs multiply matrices of other sizes by slow kernels.
fn rounded(vocabulary: i64, device: Device) -> i64 {
    const TOGETHER: i64 = 64;
    if device == Device::Cpu {
        vocabulary
    } else {
        (vocabulary + TOGETHER - 1) / TOGETHER * TOGETHER
    }
}

/// The sum over tokens of `(1 - s) * -log p(gold) + s / v * sum over the vocabulary of -log p`, as
/// `torch.nn.functional.cross_entropy(label_smoothing = s, reduction = "sum")` of the logits `states output^T`.
///
/// `states`: `[tokens, dim]`, `output`: `[v, dim]`, `gold`: ids `[tokens]`.
///
/// With `l = logsumexp(logits)` the loss of a token is `l - (1 - s) logits[gold] - s mean(logits)`, and its gradient by the
/// logits is `softmax - (1 - s) onehot(gold) - s / v`. Both are computed chunk by chunk without recording; the gradients
/// by `states` and `output` are then handed to autograd as those of a linear form with the loss's value.
///
/// What is multiplied is of the kind of `states`, everything else of that of `output`. The gradients are multiplied by `factor` before
/// they are: in 16 bits many would be nothing otherwise.
pub(crate) fn cross_entropy(
    states: &Tensor,
    output: &Tensor,
    gold: &Tensor,
    objective: Objective,
) -> Scored {
    // What is computed tells whether recording is on: a parameter, and a view of it, wants gradients even where nothing is recorded.
    let recorded = [states, output].iter().any(|x| x.narrow(0, 0, 0).sum(x.kind()).requires_grad());
    let parts = Parts::compute(states, output, gold, objective, recorded);
    let Some([by_states, by_output]) = parts.gradients else {
        return Scored { root: parts.loss.shallow_clone(), loss: parts.loss, hits: parts.hits };
    };
    let form = as_kind_of(output, states).reshape([-1]).dot(&by_states.reshape([-1]))
        + output.reshape([-1]).dot(&by_output.reshape([-1]));
    let value = form.detach();
    Scored { root: &parts.loss + (form - value), loss: parts.loss, hits: None }
}

/// The loss and, if wanted, its gradients by states and output.
struct Parts {
    loss: Tensor,
    hits: Option<Tensor>,
    gradients: Option<[Tensor; 2]>,
}

impl Parts {
    fn compute(
        states: &Tensor,
        output: &Tensor,
        gold: &Tensor,
        Objective { smoothing, factor }: Objective,
        recorded: bool,
    ) -> Self {
        let _unrecorded = tch::no_grad_guard();
        let (states, output) = (states.detach(), output.detach());
        let kind = output.kind();
        let vocabulary = output.size().first().copied().unwrap_or(1).max(1);
        // Rows beyond the vocabulary have no probability.
        let rows = rounded(vocabulary, states.device());
        let mut matrix = as_kind_of(&states, &output);
        if rows > vocabulary {
            matrix = matrix.constant_pad_nd([0, 0, 0, rows - vocabulary]);
        }
        let tokens = states.size().first().copied().unwrap_or(0);
        let chunk = tokens_at_a_time(states.device(), rows);
        let mean = output.mean_dim(Some([0_i64].as_slice()), false, output.kind());
        let mut by_states = Vec::new();
        let mut by_output = recorded.then(|| {
            let dim = output.size().last().copied().unwrap_or(0);
            Tensor::zeros([rows, dim], (kind, output.device()))
        });
        let mut loss = Tensor::zeros([], (Kind::Double, states.device()));
        let mut hits = (!recorded).then(|| Tensor::zeros([], (Kind::Int64, states.device())));
        for from in (0..tokens).step_by(usize::try_from(chunk).unwrap_or(usize::MAX)) {
            let count = chunk.min(tokens - from);
            let states = states.narrow(0, from, count);
            let gold = gold.narrow(0, from, count).unsqueeze(1);
            let wanted = if recorded {
                Wanted::Gradient { kept: 1.0 - smoothing, factor, kind: states.kind() }
            } else {
                Wanted::Hits
            };
            let Rows { logsumexp, at_gold, hits: of_rows, p } =
                Rows::of(&product(&states, &matrix.tr(), kind), &gold, vocabulary, wanted);
            if let (Some(hits), Some(of_rows)) = (hits.as_mut(), of_rows) {
                *hits += of_rows;
            }
            loss += logsumexp.sum(Kind::Double) - at_gold.sum(Kind::Double) * (1.0 - smoothing);
            if smoothing > 0.0 {
                loss -= states.to_kind(kind).mv(&mean).sum(Kind::Double) * smoothing;
            }
            if let (Some(by_output), Some(p)) = (by_output.as_mut(), p) {
                by_states.push(product(&p, &matrix, kind) - &mean * (smoothing * factor));
                if states.kind() == kind {
                    let _ = by_output.addmm_(&p.tr(), &states);
                } else {
                    *by_output += product(&p.tr(), &states, kind);
                }
            }
        }
        let loss = loss.to_kind(kind);
        let gradients = by_output.map(|by_output| {
            let spread = states.sum_dim_intlist(Some([0_i64].as_slice()), true, kind);
            let by_output = by_output.narrow(0, 0, vocabulary)
                - spread * (smoothing * factor / as_f64(vocabulary));
            let by_states = if by_states.is_empty() {
                states.to_kind(kind).zeros_like()
            } else {
                Tensor::cat(&by_states, 0)
            };
            [by_states, by_output]
        });
        Self { loss, hits, gradients }
    }
}

/// A product in a kind. GPUs sum products of 16 bits in 32 and can leave them so.
fn product(one: &Tensor, other: &Tensor, kind: Kind) -> Tensor {
    let is_left = one.kind() == kind || one.device() == Device::Cpu;
    if is_left { one.mm(other).to_kind(kind) } else { one.mm_dtype(other, kind) }
}

#[expect(clippy::cast_precision_loss, reason = "vocabularies are far below 2^53")]
fn as_f64(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// When memory runs out here, the batch is tried again in parts: they must have gradients.
    #[test]
    fn gradients_are_recorded_behind_a_loss_that_panicked() {
        let ones = |rows: i64| Tensor::ones([rows, 4], (Kind::Float, Device::Cpu));
        let (states, output) = (ones(2).set_requires_grad(true), ones(3));
        let loss = |gold: [i64; 2]| {
            let gold = Tensor::from_slice(&gold);
            cross_entropy(&states, &output, &gold, Objective::smoothed(0.1)).root
        };
        assert!(catch_unwind(AssertUnwindSafe(|| loss([0, 9]))).is_err());
        assert!(loss([0, 2]).requires_grad());
    }
}
