//! The shim's functions with Rust's types: the only unsafe code.
#![expect(unsafe_code, reason = "calls the C++ shim; see runtime/shim/shim.h for each contract")]

mod kernels;
mod ranks;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::time::Duration;

use tch::{Device, Kind, Tensor};

pub use kernels::{LessGold, LessGoldCall};
pub use ranks::{Group, Nccl, NcclId, NcclSum, Store, meet, nccl_id, sum_rows};

/// A message from C++.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShimError(pub String);

impl From<tch::TchError> for ShimError {
    fn from(fault: tch::TchError) -> Self {
        Self(fault.to_string())
    }
}

unsafe extern "C" {
    fn mmc_free(message: *mut c_char);
    fn mmc_set_gradient(parameter: *mut c_void, gradient: *mut c_void) -> *mut c_char;
    fn mmc_backward(
        root: *mut c_void,
        leaves: *const *mut c_void,
        group_of: *const i64,
        count: i64,
        groups: i64,
        done: extern "C" fn(*mut c_void, i64),
        context: *mut c_void,
    ) -> *mut c_char;
    fn mmc_keep_memory();
    fn mmc_attention(
        q: *mut c_void,
        kv: *mut c_void,
        lengths: *mut c_void,
        cosines: *mut c_void,
        sines: *mut c_void,
        dropout: *const Dropout,
        shape: *const i64,
        causal: bool,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_drop(
        x: *mut c_void,
        residual: *mut c_void,
        dropout: *const Dropout,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_gather(
        gradient: *mut c_void,
        sum: *mut c_void,
        rest: *mut c_void,
        fresh: bool,
    ) -> *mut c_char;
    fn mmc_squares(gradient: *mut c_void, rest: *mut c_void, sum: *mut f64) -> *mut c_char;
    fn mmc_adamw(
        parameter: *mut c_void,
        gradient: *mut c_void,
        rest: *mut c_void,
        mean: *mut c_void,
        square: *mut c_void,
        scale: f64,
        constants: *const AdamW,
    ) -> *mut c_char;
    fn mmc_adamw_fused(
        parameter: *mut c_void,
        gradient: *mut c_void,
        mean: *mut c_void,
        square: *mut c_void,
        constants: *const AdamW,
    ) -> *mut c_char;
    fn mmc_gpu_count(count: *mut c_int) -> *mut c_char;
    fn mmc_gpu_use(number: c_int) -> *mut c_char;
    fn mmc_gpu_enter(number: c_int) -> *mut c_char;
    fn mmc_gpu_send(tensor: *mut c_void, number: c_int, out: *mut *mut c_void) -> *mut c_char;
    fn mmc_profile_begin(gpu: bool) -> *mut c_char;
    fn mmc_profile_end(path: *const c_char) -> *mut c_char;
    fn mmc_gpu_peak(number: c_int, bytes: *mut i64) -> *mut c_char;
}

fn checked(message: *mut c_char) -> Result<(), ShimError> {
    taken(message).map_or(Ok(()), |text| Err(ShimError(text)))
}

/// The text of a string that the shim gave away; none for null.
fn taken(string: *mut c_char) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: what is not null is a C string made by strdup, ours to free once.
    unsafe {
        let text = CStr::from_ptr(string).to_string_lossy().into_owned();
        mmc_free(string);
        Some(text)
    }
}

fn pointer(tensor: &Tensor) -> *mut c_void {
    tensor.as_ptr().cast_mut().cast()
}

fn text(value: &str) -> Result<CString, ShimError> {
    CString::new(value).map_err(|_| ShimError(format!("`{value}` holds a zero byte")))
}

fn small(number: usize) -> Result<c_int, ShimError> {
    c_int::try_from(number).map_err(|_| ShimError(format!("{number} ranks are too many")))
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Makes `gradient` the gradient of the leaf `parameter` (same shape and kind): backward passes add into it.
pub fn set_gradient(parameter: &Tensor, gradient: &Tensor) -> Result<(), ShimError> {
    // SAFETY: both pointers are of live tensors; the shim copies the handles.
    checked(unsafe { mmc_set_gradient(pointer(parameter), pointer(gradient)) })
}

/// The backward pass of `root`. `done` hears of a group of leaves as soon as the gradients of all of them are there, or asked of the
/// GPU, in the midst of the pass; not of a group with a leaf that has no part in `root`.
pub fn backward(
    root: &Tensor,
    leaves: &[(&Tensor, usize)],
    done: &mut dyn FnMut(usize),
) -> Result<(), ShimError> {
    extern "C" fn hear(context: *mut c_void, group: i64) {
        // SAFETY: the address of `done` below, which nobody else uses while the pass runs: on this thread, or on one of libtorch's
        // for which this one waits behind a lock.
        let done = unsafe { &mut *context.cast::<&mut dyn FnMut(usize)>() };
        if let Ok(group) = usize::try_from(group) {
            done(group);
        }
    }
    let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let pointers: Vec<*mut c_void> = leaves.iter().map(|(leaf, _)| pointer(leaf)).collect();
    let group_of: Vec<i64> = leaves.iter().map(|(_, group)| whole(*group)).collect();
    let groups = leaves.iter().map(|(_, group)| group + 1).max().unwrap_or(0);
    let mut done = done;
    // SAFETY: live tensors; groups are below their number; `done` lives through the call, and so does what it captured.
    checked(unsafe {
        mmc_backward(
            pointer(root),
            pointers.as_ptr(),
            group_of.as_ptr(),
            whole(leaves.len()),
            whole(groups),
            hear,
            (&raw mut done).cast(),
        )
    })
}

/// Keeps the memory of freed tensors for the next step: their sizes are the same in every step.
pub fn keep_memory() {
    // SAFETY: sets three numbers of the allocator.
    unsafe { mmc_keep_memory() }
}

/// Which elements a stream of random words drops, as the shim lays it out: element `i` is dropped when 16 bits of the
/// stream's word `i / 4` are below `dropped`, and multiplied by `scale` otherwise. The default drops nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Dropout {
    /// The stream's state before its first word.
    pub state: u64,
    /// The rate in 65 536ths.
    pub dropped: u16,
    /// What kept elements are multiplied by.
    pub scale: f64,
}

impl Default for Dropout {
    fn default() -> Self {
        Self { state: 0, dropped: 0, scale: 1.0 }
    }
}

/// The kind that sums, norms and exponentials of a kind are computed in: that of 32 bits for those of 16.
pub fn computed(kind: Kind) -> Kind {
    if matches!(kind, Kind::BFloat16 | Kind::Half) { Kind::Float } else { kind }
}

/// Whether the shim's loops serve a tensor: floats on the CPU.
pub fn serves(tensor: &Tensor) -> bool {
    let floats = [Kind::Float, Kind::Double, Kind::BFloat16, Kind::Half];
    tensor.device() == Device::Cpu && floats.contains(&tensor.kind())
}

/// `x`, or `residual + x`, with elements of `x` dropped: a new tensor, with its gradients.
pub fn drop_elements(
    x: &Tensor,
    residual: Option<&Tensor>,
    dropout: &Dropout,
) -> Result<Tensor, ShimError> {
    let alike = residual.is_none_or(|other| other.kind() == x.kind() && other.size() == x.size());
    if !(serves(x) && residual.is_none_or(serves) && alike) {
        return Err(ShimError(format!("dropout of a tensor of shape {:?}", x.size())));
    }
    let mut out = std::ptr::null_mut();
    // SAFETY: live tensors of one shape and kind; the result is a new tensor, ours to own.
    unsafe {
        checked(mmc_drop(pointer(x), optional(residual), dropout, &raw mut out))?;
        Ok(Tensor::from_ptr(out.cast()))
    }
}

/// What attention reads; see `runtime/shim/shim.h` for the shapes.
#[derive(Debug)]
pub struct Attention<'a> {
    /// Queries `[rows * queries, dim]`; without `kv` also keys and values, `[rows * queries, 3 dim]`.
    pub q: &'a Tensor,
    /// Keys beside values `[rows * keys, 2 dim]`.
    pub kv: Option<&'a Tensor>,
    /// Keys of each row before its padding.
    pub lengths: Option<&'a Tensor>,
    /// Dropout of the weights, `[rows, heads, queries, keys]`.
    pub dropout: Dropout,
    /// Cosines and sines of rotary positions, `[positions, half]`, in the kind that is [`computed`] in: the first `half` pairs of
    /// neighbours in a head are turned.
    pub rotary: Option<[&'a Tensor; 2]>,
    /// Rows, queries, keys, heads, width of a head.
    pub shape: [i64; 5],
    /// Whether a query sees only keys up to its own position.
    pub causal: bool,
}

/// Attention on the CPU: `[rows * queries, dim]`, with its gradients.
pub fn attention(call: &Attention<'_>) -> Result<Tensor, ShimError> {
    let [rows, queries, keys, heads, width] = call.shape;
    let dim = heads * width;
    let fits = match call.kv {
        None => queries == keys && call.q.size() == [rows * queries, 3 * dim],
        Some(kv) => call.q.size() == [rows * queries, dim] && kv.size() == [rows * keys, 2 * dim],
    };
    let kinds = call.kv.is_none_or(|kv| kv.kind() == call.q.kind());
    let lengths = call.lengths.is_none_or(|lengths| lengths.size() == [rows]);
    let turned = call.rotary.iter().flatten().all(|table| {
        let (positions, half) = table.size2().unwrap_or_default();
        positions >= queries.max(keys)
            && 2 * half <= width
            && table.is_contiguous()
            && table.kind() == computed(call.q.kind())
    });
    if !(fits && kinds && lengths && turned && serves(call.q)) {
        return Err(ShimError(format!("attention of other shapes than {:?}", call.shape)));
    }
    let [cosines, sines] = call.rotary.map_or([None, None], |tables| tables.map(Some));
    let [kv, lengths, cosines, sines] = [call.kv, call.lengths, cosines, sines].map(optional);
    let mut out = std::ptr::null_mut();
    // SAFETY: null or live tensors whose shapes and kinds were checked; the result is a new tensor, ours to own.
    unsafe {
        checked(mmc_attention(
            pointer(call.q),
            kv,
            lengths,
            cosines,
            sines,
            &raw const call.dropout,
            call.shape.as_ptr(),
            call.causal,
            &raw mut out,
        ))?;
        Ok(Tensor::from_ptr(out.cast()))
    }
}

fn optional(tensor: Option<&Tensor>) -> *mut c_void {
    tensor.map_or(std::ptr::null_mut(), pointer)
}

/// Refuses flat tensors of unequal lengths, which the shim's loops would overrun.
fn equally_long(tensors: &[&Tensor]) -> Result<(), ShimError> {
    let mut lengths = tensors.iter().map(|tensor| tensor.numel());
    let first = lengths.next();
    let flat = tensors.iter().all(|tensor| tensor.is_contiguous());
    if flat && lengths.all(|length| Some(length) == first) {
        return Ok(());
    }
    Err(ShimError("flat tensors of unequal lengths".to_owned()))
}

/// Adds a gradient to a 64-bit sum, or writes it there if `fresh`, and clears it; `rest` is for 64-bit gradients, whose
/// leading 24 bits and others are summed apart.
pub fn gather(
    gradient: &Tensor,
    sum: &Tensor,
    rest: Option<&Tensor>,
    fresh: bool,
) -> Result<(), ShimError> {
    equally_long(&[gradient, sum, rest.unwrap_or(sum)])?;
    // SAFETY: live flat tensors of one length; the shim checks their kinds.
    checked(unsafe { mmc_gather(pointer(gradient), pointer(sum), optional(rest), fresh) })
}

/// The sum of squares of a gradient, or of a sum and its rest.
pub fn squares(gradient: &Tensor, rest: Option<&Tensor>) -> Result<f64, ShimError> {
    equally_long(&[gradient, rest.unwrap_or(gradient)])?;
    let mut sum = 0.0;
    // SAFETY: live flat tensors of one length and a place for the result; the shim checks their kinds.
    checked(unsafe { mmc_squares(pointer(gradient), optional(rest), &raw mut sum) })?;
    Ok(sum)
}

/// Constants of one AdamW update, as the shim lays them out.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AdamW {
    /// This update's number, from 1.
    pub update: f64,
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

/// Flat tensors of equal length that an update reads and writes.
#[derive(Debug)]
pub struct AdamWState<'a> {
    /// Parameters.
    pub parameter: &'a Tensor,
    /// Gradient, or a 64-bit sum of gradients.
    pub gradient: &'a Tensor,
    /// The sum's rest.
    pub rest: Option<&'a Tensor>,
    /// First moment.
    pub mean: &'a Tensor,
    /// Second moment.
    pub square: &'a Tensor,
}

/// One AdamW update in place with `scale` times the gradient.
pub fn adamw(state: &AdamWState<'_>, scale: f64, constants: &AdamW) -> Result<(), ShimError> {
    let AdamWState { parameter, gradient, rest, mean, square } = state;
    equally_long(&[parameter, gradient, rest.unwrap_or(gradient), mean, square])?;
    // SAFETY: live flat tensors of one length; the shim checks their kinds.
    checked(unsafe {
        mmc_adamw(
            pointer(parameter),
            pointer(gradient),
            optional(*rest),
            pointer(mean),
            pointer(square),
            scale,
            constants,
        )
    })
}

/// The same by libtorch's own kernel, on any device, with a `gradient` of the parameter's kind in place of the state's.
pub fn adamw_fused(
    state: &AdamWState<'_>,
    gradient: &Tensor,
    constants: &AdamW,
) -> Result<(), ShimError> {
    let AdamWState { parameter, mean, square, .. } = state;
    equally_long(&[parameter, gradient, mean, square])?;
    // SAFETY: live flat tensors of one length; libtorch checks their kinds.
    checked(unsafe {
        mmc_adamw_fused(
            pointer(parameter),
            pointer(gradient),
            pointer(mean),
            pointer(square),
            constants,
        )
    })
}

/// How many GPUs libtorch sees, or why it can serve none. To be asked before anything else of libtorch.
pub fn gpus() -> Result<usize, ShimError> {
    let mut count = 0;
    // SAFETY: the place for the result lives through the call.
    checked(unsafe { mmc_gpu_count(&raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Begins to record what this thread asks of libtorch, and what a `gpu` computes.
pub fn begin_profile(gpu: bool) -> Result<(), ShimError> {
    // SAFETY: libtorch says what it can't do.
    checked(unsafe { mmc_profile_begin(gpu) })
}

/// Ends that and writes the trace to a file, in Chrome's format.
pub fn end_profile(path: &str) -> Result<(), ShimError> {
    let path = text(path)?;
    // SAFETY: a C string that lives through the call; libtorch says when nothing was begun.
    checked(unsafe { mmc_profile_end(path.as_ptr()) })
}

/// Makes a GPU that this process uses the one that another thread works on.
pub fn enter_gpu(number: usize) -> Result<(), ShimError> {
    // SAFETY: sets a number of libtorch's, which says when there is no such GPU.
    checked(unsafe { mmc_gpu_enter(small(number)?) })
}

/// Makes a GPU the one that this thread works on, and sets how this process computes there.
pub fn use_gpu(number: usize) -> Result<(), ShimError> {
    // SAFETY: sets a number of libtorch's, which says when there is no such GPU.
    checked(unsafe { mmc_gpu_use(small(number)?) })
}

/// A copy of a tensor on a GPU, made while that computes: for it the tensor lies in memory that the system leaves in its place.
pub fn sent_to_gpu(tensor: &Tensor, number: usize) -> Result<Tensor, ShimError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: a live tensor; the result is a new one, ours to own.
    unsafe {
        checked(mmc_gpu_send(pointer(tensor), small(number)?, &raw mut out))?;
        Ok(Tensor::from_ptr(out.cast()))
    }
}

/// Most memory, in bytes, that libtorch has held on a GPU.
pub fn gpu_peak(number: usize) -> Result<u64, ShimError> {
    let mut bytes = 0;
    // SAFETY: the place for the result lives through the call.
    checked(unsafe { mmc_gpu_peak(small(number)?, &raw mut bytes) })?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backward_pass_tells_when_gradients_are_there() {
        let leaf = |values: &[f64]| Tensor::from_slice(values).set_requires_grad(true);
        let [first, second, third, alien] =
            [&[1.0, 2.0], &[3.0, 4.0], &[5.0, 6.0], &[7.0, 8.0]].map(|values| leaf(values));
        // Both leaves of group 1 come before group 0, which is further from the root; group 2 has no part in it.
        let hidden = &first * 2.0;
        let root = (&hidden * &second * &third).sum(Kind::Double);
        let leaves = [(&first, 0), (&second, 1), (&third, 1), (&alien, 2)];
        let mut heard = Vec::new();
        let mut come = Vec::new();
        backward(&root, &leaves, &mut |group| {
            heard.push(group);
            come.push([&first, &second, &third].map(|leaf| leaf.grad().defined()));
        })
        .unwrap();
        assert_eq!(heard, [1, 0]);
        assert_eq!(come, [[false, true, true], [true, true, true]]);
        assert_eq!(Vec::<f64>::try_from(first.grad()).unwrap(), [30.0, 48.0]);
        // No hook stays behind, and faults are told.
        (&first * &second).sum(Kind::Double).backward();
        assert_eq!(heard.len(), 2);
        let rootless = backward(&Tensor::from_slice(&[1.0]), &[(&first, 0)], &mut |_| ());
        assert!(rootless.unwrap_err().0.contains("grad"));
    }
}
