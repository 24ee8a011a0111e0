//! The shim's functions with Rust's types: the only unsafe code.
#![expect(unsafe_code, reason = "calls the C++ shim; see runtime/shim/shim.h for each contract")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::time::Duration;

use tch::Tensor;

/// A message from C++.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShimError(pub String);

unsafe extern "C" {
    fn mmc_free(message: *mut c_char);
    fn mmc_set_gradient(parameter: *mut c_void, gradient: *mut c_void) -> *mut c_char;
    fn mmc_adamw(
        parameter: *mut c_void,
        gradient: *mut c_void,
        mean: *mut c_void,
        square: *mut c_void,
        step: f64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> *mut c_char;
    fn mmc_store_new(
        host: *const c_char,
        port: u16,
        server: bool,
        world: i64,
        timeout_ms: i64,
        store: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_store_delete(store: *mut c_void);
    fn mmc_store_set(store: *mut c_void, key: *const c_char, value: *const c_char) -> *mut c_char;
    fn mmc_store_get(
        store: *mut c_void,
        key: *const c_char,
        wait: bool,
        value: *mut *mut c_char,
    ) -> *mut c_char;
    fn mmc_group_new(
        store: *mut c_void,
        name: *const c_char,
        rank: c_int,
        size: c_int,
        host: *const c_char,
        timeout_ms: i64,
        group: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_group_delete(group: *mut c_void);
    fn mmc_group_sum(group: *mut c_void, tensor: *mut c_void) -> *mut c_char;
    fn mmc_group_barrier(group: *mut c_void) -> *mut c_char;
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

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Makes `gradient` the gradient of the leaf `parameter` (same shape and kind): backward passes add into it.
pub fn set_gradient(parameter: &Tensor, gradient: &Tensor) -> Result<(), ShimError> {
    // SAFETY: both pointers are of live tensors; the shim copies the handles.
    checked(unsafe { mmc_set_gradient(pointer(parameter), pointer(gradient)) })
}

/// Constants of one AdamW update.
#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

/// Flat tensors of equal length that an update reads and writes.
#[derive(Debug)]
pub struct AdamWState<'a> {
    /// Parameters.
    pub parameter: &'a Tensor,
    /// Gradient.
    pub gradient: &'a Tensor,
    /// First moment.
    pub mean: &'a Tensor,
    /// Second moment.
    pub square: &'a Tensor,
}

/// One AdamW update in place; `update` counts from 1.
#[expect(clippy::cast_precision_loss, reason = "updates stay far below 2^53")]
pub fn adamw(state: &AdamWState<'_>, update: u64, constants: &AdamW) -> Result<(), ShimError> {
    // SAFETY: the pointers are of live tensors; the fused kernel checks kinds and lengths.
    checked(unsafe {
        mmc_adamw(
            pointer(state.parameter),
            pointer(state.gradient),
            pointer(state.mean),
            pointer(state.square),
            update as f64,
            constants.lr,
            constants.beta1,
            constants.beta2,
            constants.weight_decay,
            constants.eps,
        )
    })
}

/// Where ranks meet (c10d's `TCPStore`).
#[derive(Debug)]
pub struct Store(*mut c_void);

impl Store {
    /// Listens (`server`) or connects, and waits until `world` ranks are there.
    pub fn new(
        host: &str,
        port: u16,
        server: bool,
        world: u32,
        timeout: Duration,
    ) -> Result<Self, ShimError> {
        let host = text(host)?;
        let mut store = std::ptr::null_mut();
        // SAFETY: the strings and the place for the result live through the call.
        checked(unsafe {
            mmc_store_new(
                host.as_ptr(),
                port,
                server,
                world.into(),
                milliseconds(timeout),
                &raw mut store,
            )
        })?;
        Ok(Self(store))
    }

    /// Says something to all ranks under a key.
    pub fn set(&self, key: &str, value: &str) -> Result<(), ShimError> {
        // A value is for people: a zero byte in it is no reason not to say it.
        let (key, value) = (text(key)?, text(&value.replace('\0', " "))?);
        // SAFETY: the store and the strings live through the call.
        checked(unsafe { mmc_store_set(self.0, key.as_ptr(), value.as_ptr()) })
    }

    /// What some rank said under a key, if it did by now.
    pub fn get(&self, key: &str) -> Result<Option<String>, ShimError> {
        self.read(key, false)
    }

    /// Waits until some rank says something under a key.
    pub fn wait(&self, key: &str) -> Result<String, ShimError> {
        self.read(key, true).map(Option::unwrap_or_default)
    }

    fn read(&self, key: &str, wait: bool) -> Result<Option<String>, ShimError> {
        let key = text(key)?;
        let mut value = std::ptr::null_mut();
        // SAFETY: the store, the string and the place for the result live through the call.
        checked(unsafe { mmc_store_get(self.0, key.as_ptr(), wait, &raw mut value) })?;
        Ok(taken(value))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: made by `mmc_store_new`, deleted once.
        unsafe { mmc_store_delete(self.0) }
    }
}

/// A Gloo process group.
#[derive(Debug)]
pub struct Group(*mut c_void);

impl Group {
    /// Rank `rank` of `size` under `name`; binds to the address of `host`, or of this machine's name when it is empty.
    pub fn new(
        store: &Store,
        name: &str,
        (rank, size): (usize, usize),
        host: &str,
        timeout: Duration,
    ) -> Result<Self, ShimError> {
        let (name, host) = (text(name)?, text(host)?);
        let small = |number: usize| {
            c_int::try_from(number).map_err(|_| ShimError(format!("{number} ranks are too many")))
        };
        let (rank, size) = (small(rank)?, small(size)?);
        let mut group = std::ptr::null_mut();
        // SAFETY: the store, the strings and the place for the result live through the call.
        checked(unsafe {
            mmc_group_new(
                store.0,
                name.as_ptr(),
                rank,
                size,
                host.as_ptr(),
                milliseconds(timeout),
                &raw mut group,
            )
        })?;
        Ok(Self(group))
    }

    /// Sums a tensor over the group, in place.
    pub fn sum(&self, tensor: &Tensor) -> Result<(), ShimError> {
        // SAFETY: group and tensor are alive; the call returns when the sum is there.
        checked(unsafe { mmc_group_sum(self.0, pointer(tensor)) })
    }

    /// Waits for all members.
    pub fn barrier(&self) -> Result<(), ShimError> {
        // SAFETY: the group is alive.
        checked(unsafe { mmc_group_barrier(self.0) })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: made by `mmc_group_new`, deleted once.
        unsafe { mmc_group_delete(self.0) }
    }
}
