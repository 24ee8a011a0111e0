//! Kernels for GPUs, from their source.

use std::ffi::{c_char, c_int, c_void};

use tch::{Device, Kind, Tensor};

use super::{ShimError, checked, small, text};

unsafe extern "C" {
    fn mmc_kernel_new(
        source: *const c_char,
        name: *const c_char,
        threads: c_int,
        kernel: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_kernel_run(
        kernel: *mut c_void,
        number: c_int,
        blocks: i64,
        threads: c_int,
        arguments: *mut *mut c_void,
    ) -> *mut c_char;
}

/// Threads of a block.
const THREADS: c_int = 512;

/// `runtime/shim/less_gold.cu` for one kind of gradients.
#[derive(Debug)]
pub struct LessGold {
    function: *mut c_void,
    kind: Kind,
}

// SAFETY: a function of a module that stays loaded; the driver lets any thread launch it.
unsafe impl Send for LessGold {}
// SAFETY: nothing changes it.
unsafe impl Sync for LessGold {}

/// What it reads and writes, on one GPU.
#[derive(Debug)]
pub struct LessGoldCall<'a> {
    /// `[rows, columns]`, 32-bit.
    pub logits: &'a Tensor,
    /// A column of each row, `[rows]`.
    pub gold: &'a Tensor,
    /// Columns that are no padding.
    pub vocabulary: i64,
    /// What is subtracted in the gold column.
    pub kept: f64,
    /// What the result is multiplied by.
    pub factor: f64,
    /// `[rows, columns]`, in the kernel's kind; may be the logits.
    pub p: &'a Tensor,
    /// `[rows]`, 32-bit.
    pub logsumexp: &'a Tensor,
    /// `[rows]`, 32-bit.
    pub at_gold: &'a Tensor,
}

impl LessGold {
    /// Compiles it for the GPU that this thread works on.
    pub fn new(kind: Kind) -> Result<Self, ShimError> {
        let name = if kind == Kind::BFloat16 {
            "less_gold_bf16"
        } else if kind == Kind::Half {
            "less_gold_half"
        } else {
            "less_gold_float"
        };
        let (source, name) = (text(include_str!("../../shim/less_gold.cu"))?, text(name)?);
        let mut function = std::ptr::null_mut();
        // SAFETY: C strings and a place for the result that live through the call.
        checked(unsafe {
            mmc_kernel_new(source.as_ptr(), name.as_ptr(), THREADS, &raw mut function)
        })?;
        Ok(Self { function, kind })
    }

    /// Begins it behind what the GPU was asked to compute before.
    #[expect(clippy::cast_possible_truncation, reason = "the kernel computes in 32 bits")]
    pub fn run(&self, call: &LessGoldCall<'_>) -> Result<(), ShimError> {
        let LessGoldCall { logits, gold, vocabulary, p, logsumexp, at_gold, .. } = *call;
        let (rows, columns) = logits.size2()?;
        let shapes_fit = columns % 4 == 0
            && (0..=columns).contains(&vocabulary)
            && p.size() == logits.size()
            && [gold, logsumexp, at_gold].into_iter().all(|x| x.size() == [rows]);
        let kinds_fit = p.kind() == self.kind
            && gold.kind() == Kind::Int64
            && [logits, logsumexp, at_gold].into_iter().all(|x| x.kind() == Kind::Float);
        let all = [logits, gold, p, logsumexp, at_gold];
        let Device::Cuda(number) = logits.device() else {
            return Err(ShimError("a kernel for GPUs is asked for elsewhere".to_owned()));
        };
        let lie_there = all.into_iter().all(|x| x.is_contiguous() && x.device() == logits.device());
        if !(shapes_fit && kinds_fit && lie_there) {
            return Err(ShimError(format!("rows of logits of shape {:?}", logits.size())));
        }
        if rows == 0 {
            return Ok(());
        }
        let [mut logits, mut gold, mut p, mut logsumexp, mut at_gold] = all.map(Tensor::data_ptr);
        let width =
            |number: i64| i32::try_from(number).map_err(|_| ShimError("too wide".to_owned()));
        let (mut vocabulary, mut columns) = (width(vocabulary)?, width(columns)?);
        let (mut kept, mut factor) = (call.kept as f32, call.factor as f32);
        let mut arguments: [*mut c_void; 9] = [
            (&raw mut logits).cast(),
            (&raw mut gold).cast(),
            (&raw mut p).cast(),
            (&raw mut logsumexp).cast(),
            (&raw mut at_gold).cast(),
            (&raw mut vocabulary).cast(),
            (&raw mut columns).cast(),
            (&raw mut kept).cast(),
            (&raw mut factor).cast(),
        ];
        // SAFETY: the kernel's arguments in its order, of live tensors with the shapes and kinds that it takes; it reads and writes
        // within them. libtorch's allocator gives their memory to nobody before the stream has passed the kernel.
        checked(unsafe {
            mmc_kernel_run(self.function, small(number)?, rows, THREADS, arguments.as_mut_ptr())
        })
    }
}
