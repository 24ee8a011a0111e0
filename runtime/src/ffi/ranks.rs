//! What ranks do together: a store, groups that sum, memory that they share, and NCCL.

use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

use tch::Tensor;

use super::{ShimError, checked, milliseconds, pointer, small, taken, text};

unsafe extern "C" {
    fn mmc_meet(counters: *mut c_void, place: i64, number: u32, timeout_ms: i64) -> *mut c_char;
    fn mmc_sum_rows(rows: *mut c_void, sum: *mut c_void) -> *mut c_char;
    fn mmc_store_new(
        host: *const c_char,
        port: u16,
        server: bool,
        timeout_ms: i64,
        store: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_store_delete(store: *mut c_void);
    fn mmc_store_set(store: *mut c_void, key: *const c_char, value: *const c_char) -> *mut c_char;
    fn mmc_store_get(
        store: *mut c_void,
        key: *const c_char,
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
    fn mmc_group_broadcast(group: *mut c_void, tensor: *mut c_void, owner: c_int) -> *mut c_char;
    fn mmc_group_barrier(group: *mut c_void) -> *mut c_char;
    fn mmc_nccl_id(id: *mut u8) -> *mut c_char;
    fn mmc_nccl_new(
        id: *const u8,
        rank: c_int,
        size: c_int,
        number: c_int,
        group: *mut *mut c_void,
    ) -> *mut c_char;
    fn mmc_nccl_delete(group: *mut c_void);
    fn mmc_nccl_sum(group: *mut c_void, tensor: *mut c_void, sum: *mut *mut c_void) -> *mut c_char;
    fn mmc_nccl_sum_delete(sum: *mut c_void);
    fn mmc_nccl_done(group: *mut c_void, sum: *mut c_void, done: *mut bool) -> *mut c_char;
}

/// Where ranks meet (c10d's `TCPStore`).
#[derive(Debug)]
pub struct Store(*mut c_void);

// SAFETY: c10d's stores are used by many threads: a lock guards the connection.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

impl Store {
    /// Listens (`server`) or connects; waits for the listening one.
    pub fn new(host: &str, port: u16, server: bool, timeout: Duration) -> Result<Self, ShimError> {
        let host = text(host)?;
        let mut store = std::ptr::null_mut();
        // SAFETY: the strings and the place for the result live through the call.
        checked(unsafe {
            mmc_store_new(host.as_ptr(), port, server, milliseconds(timeout), &raw mut store)
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
        let key = text(key)?;
        let mut value = std::ptr::null_mut();
        // SAFETY: the store, the string and the place for the result live through the call.
        checked(unsafe { mmc_store_get(self.0, key.as_ptr(), &raw mut value) })?;
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

// SAFETY: made on one thread and used on another; a group is not bound to the thread that made it.
unsafe impl Send for Group {}

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

    /// Gives the tensor of member number `owner` to all members, in place.
    pub fn broadcast(&self, tensor: &Tensor, owner: usize) -> Result<(), ShimError> {
        // SAFETY: group and tensor are alive; the call returns when the tensor is there.
        checked(unsafe { mmc_group_broadcast(self.0, pointer(tensor), small(owner)?) })
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

/// Arrives at a meeting of all members of shared memory for the time `number` (from 1, wraps around), and waits for the others.
/// `counters` are 64-bit floats, eight for each member, zeros at first.
pub fn meet(
    counters: &Tensor,
    place: usize,
    number: u32,
    timeout: Duration,
) -> Result<(), ShimError> {
    let place = i64::from(small(place)?);
    // SAFETY: a live tensor; the shim checks that it has a counter for every member and for this one.
    checked(unsafe { mmc_meet(pointer(counters), place, number, milliseconds(timeout)) })
}

/// The sum of rows `[members, count]` of 64-bit floats, one after the other, written to a flat tensor; on this thread alone.
pub fn sum_rows(rows: &Tensor, sum: &Tensor) -> Result<(), ShimError> {
    // SAFETY: live tensors; the shim checks kinds, lengths and layout.
    checked(unsafe { mmc_sum_rows(pointer(rows), pointer(sum)) })
}

/// What the members of an NCCL communicator must have in common: one of them makes it.
pub type NcclId = [u8; 128];

/// Makes such a number.
pub fn nccl_id() -> Result<NcclId, ShimError> {
    let mut id = [0; 128];
    // SAFETY: the shim writes 128 bytes.
    checked(unsafe { mmc_nccl_id(id.as_mut_ptr()) })?;
    Ok(id)
}

/// An NCCL communicator, of one GPU of each of its ranks.
#[derive(Debug)]
pub struct Nccl(*mut c_void);

// SAFETY: made on one thread and used on another; the shim names the GPU in every call.
unsafe impl Send for Nccl {}

impl Nccl {
    /// Rank `rank` of `size`, on GPU `number`; waits for the others.
    pub fn new(
        id: &NcclId,
        (rank, size): (usize, usize),
        number: usize,
    ) -> Result<Self, ShimError> {
        let mut group = std::ptr::null_mut();
        let (rank, size, number) = (small(rank)?, small(size)?, small(number)?);
        // SAFETY: 128 bytes, and the place for the result, live through the call.
        checked(unsafe { mmc_nccl_new(id.as_ptr(), rank, size, number, &raw mut group) })?;
        Ok(Self(group))
    }

    /// Begins to sum a flat 64-bit tensor on the GPU over the group, in place, behind the sums that this process has begun before
    /// and beside what it computes.
    pub fn begin_sum(&self, tensor: &Tensor) -> Result<NcclSum, ShimError> {
        let mut sum = std::ptr::null_mut();
        // SAFETY: group and tensor are alive; the caller keeps the tensor until the sum is done.
        checked(unsafe { mmc_nccl_sum(self.0, pointer(tensor), &raw mut sum) })?;
        Ok(NcclSum(sum))
    }

    /// Whether a sum is done.
    pub fn is_done(&self, sum: &NcclSum) -> Result<bool, ShimError> {
        let mut done = false;
        // SAFETY: the group, the sum and the place for the result live through the call.
        checked(unsafe { mmc_nccl_done(self.0, sum.0, &raw mut done) })?;
        Ok(done)
    }
}

/// A sum over GPUs that has begun.
#[derive(Debug)]
pub struct NcclSum(*mut c_void);

// SAFETY: an event of the GPU, which any thread may ask.
unsafe impl Send for NcclSum {}

impl Drop for NcclSum {
    fn drop(&mut self) {
        // SAFETY: made by `mmc_nccl_sum`, deleted once.
        unsafe { mmc_nccl_sum_delete(self.0) }
    }
}

impl Drop for Nccl {
    fn drop(&mut self) {
        // SAFETY: made by `mmc_nccl_new`, deleted once.
        unsafe { mmc_nccl_delete(self.0) }
    }
}
