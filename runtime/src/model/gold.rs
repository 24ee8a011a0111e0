//! What a loss needs of rows of logits: by libtorch's operations or, on GPUs, by a kernel that reads them twice and writes once.

use std::sync::OnceLock;

use tch::{Device, Kind, Tensor};

use crate::ffi::{LessGold, LessGoldCall};

/// Of some rows of logits.
#[derive(Debug)]
pub(super) struct Rows {
    /// The logarithm of the sum of exponentials, `[rows, 1]`.
    pub(super) logsumexp: Tensor,
    /// The logit of each row's gold column, `[rows, 1]`.
    pub(super) at_gold: Tensor,
    /// How many rows have their largest logit there; where it was asked for.
    pub(super) hits: Option<Tensor>,
    /// `factor * (softmax - kept * onehot(gold))`, `[rows, columns]`; where it was asked for.
    pub(super) p: Option<Tensor>,
}

/// What is asked for beside the sums.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Hits,
    /// The gradient by the logits, in a kind.
    Gradient {
        kept: f64,
        factor: f64,
        kind: Kind,
    },
}

impl Rows {
    /// Of `logits` `[rows, columns]`, whose values are used up; columns from `vocabulary` on are padding. `gold`: `[rows, 1]`.
    pub(super) fn of(logits: &Tensor, gold: &Tensor, vocabulary: i64, wanted: Wanted) -> Self {
        if let Wanted::Gradient { kept, factor, kind } = wanted
            && let Some(kernel) = kernel(logits, kind)
        {
            return Self::by_kernel(kernel, logits, (gold, vocabulary), (kept, factor, kind));
        }
        Self::by_operations(logits, gold, vocabulary, wanted)
    }

    fn by_operations(logits: &Tensor, gold: &Tensor, vocabulary: i64, wanted: Wanted) -> Self {
        let (columns, kind) = (logits.size().last().copied().unwrap_or(0), logits.kind());
        if columns > vocabulary {
            let _ = logits.narrow(1, vocabulary, columns - vocabulary).fill_(f64::NEG_INFINITY);
        }
        let (top, at) = logits.max_dim(1, true);
        let at_gold = logits.gather(1, gold, false);
        let mut p = logits.softmax(-1, kind);
        // The largest probability is at least 1 / v, so its logarithm loses nothing.
        let logsumexp = top - p.gather(1, &at, false).log();
        match wanted {
            Wanted::Hits => {
                let hits = at.eq_tensor(gold).sum(Kind::Int64);
                Self { logsumexp, at_gold, hits: Some(hits), p: None }
            }
            Wanted::Gradient { kept, factor, kind } => {
                let _ = p.scatter_add_(1, gold, &at_gold.full_like(-kept));
                let p = times(&p, factor, kind);
                Self { logsumexp, at_gold, hits: None, p: Some(p) }
            }
        }
    }

    fn by_kernel(
        kernel: &LessGold,
        logits: &Tensor,
        (gold, vocabulary): (&Tensor, i64),
        (kept, factor, kind): (f64, f64, Kind),
    ) -> Self {
        let p = if logits.kind() == kind {
            logits.shallow_clone()
        } else {
            Tensor::empty(logits.size(), (kind, logits.device()))
        };
        let rows = logits.size().first().copied().unwrap_or(0);
        let [logsumexp, at_gold] =
            [0, 1].map(|_| Tensor::empty([rows], (Kind::Float, logits.device())));
        let call = LessGoldCall {
            logits,
            gold: &gold.reshape([rows]),
            vocabulary,
            kept,
            factor,
            p: &p,
            logsumexp: &logsumexp,
            at_gold: &at_gold,
        };
        kernel.run(&call).expect("rows of logits as the kernel takes them");
        let [logsumexp, at_gold] = [logsumexp, at_gold].map(|of_rows| of_rows.unsqueeze(1));
        Self { logsumexp, at_gold, hits: None, p: Some(p) }
    }
}

/// The kernel for 32-bit logits on a GPU and gradients of a kind; none where there is none.
fn kernel(logits: &Tensor, kind: Kind) -> Option<&'static LessGold> {
    static FLOAT: OnceLock<Option<LessGold>> = OnceLock::new();
    static BF16: OnceLock<Option<LessGold>> = OnceLock::new();
    static HALF: OnceLock<Option<LessGold>> = OnceLock::new();
    if !matches!(logits.device(), Device::Cuda(_)) || logits.kind() != Kind::Float {
        return None;
    }
    let made = if kind == Kind::Float {
        &FLOAT
    } else if kind == Kind::BFloat16 {
        &BF16
    } else if kind == Kind::Half {
        &HALF
    } else {
        return None;
    };
    made.get_or_init(|| LessGold::new(kind).map_err(|fault| say_slow(&fault.to_string())).ok())
        .as_ref()
}

#[expect(clippy::print_stderr, reason = "who waits learns why it takes longer")]
fn say_slow(why: &str) {
    eprintln!(
        "mmc-worker: losses are computed by libtorch's operations, which takes longer: {why}"
    );
}

/// A tensor that is no longer needed, times a factor, in a kind: multiplied in its own kind, and rounded once.
fn times(x: &Tensor, factor: f64, kind: Kind) -> Tensor {
    if x.kind() == kind {
        return x.shallow_clone().g_mul_scalar_(factor);
    }
    #[expect(clippy::float_cmp, reason = "only what changes nothing is left out")]
    if factor == 1.0 {
        return x.to_kind(kind);
    }
    let out = Tensor::empty(x.size(), (kind, x.device()));
    x.mul_out(&out, &Tensor::from(factor).to_kind(x.kind()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::gpu;

    /// Where there is a GPU: the kernel against the operations.
    #[test]
    fn the_kernel_finds_what_operations_do() {
        let Ok(device) = gpu::of_rank(0) else { return };
        for (kind, bound) in
            [(Kind::Float, 1e-6), (Kind::BFloat16, 2.0_f64.powi(-8)), (Kind::Half, 1e-3)]
        {
            let logits = Tensor::randn([37, 1088], (Kind::Float, device)) * 4.0;
            let gold = Tensor::randint(1021, [37, 1], (Kind::Int64, device));
            let wanted = Wanted::Gradient { kept: 0.9, factor: 3.0, kind };
            assert!(kernel(&logits, kind).is_some());
            let found = Rows::of(&logits.copy(), &gold, 1021, wanted);
            let expected = Rows::by_operations(&logits, &gold, 1021, wanted);
            assert!(found.logsumexp.allclose(&expected.logsumexp, 1e-6, 1e-6, false));
            assert!(found.at_gold.equal(&expected.at_gold));
            let [found, expected] =
                [found, expected].map(|rows| rows.p.unwrap().to_kind(Kind::Float));
            assert!(found.allclose(&expected, bound, 1e-6, false), "{kind:?}");
        }
    }

    /// Its source, run by a processor's threads, against sums in 64 bits.
    #[test]
    fn the_kernel_computes_what_it_says() {
        let folder = std::env::temp_dir().join(format!("mmc-less-gold-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/shim");
        let program = folder.join("emulated");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        let made = Command::new(compiler)
            .args(["-std=c++17", "-O1", "-I", here, "-o"])
            .arg(&program)
            .args([&format!("{here}/emulated.cpp"), "-lpthread"])
            .output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = Command::new(&program).output().unwrap();
        let _ = std::fs::remove_dir_all(&folder);
        let words = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && words.ends_with("all is right\n"), "{words}");
    }
}
