//! Sums over ranks of what lies on GPUs, by NCCL.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tch::Tensor;

use super::peers::{LOOK, Peers};
use super::world::MEETING;
use crate::checkpoint::hexadecimal;
use crate::ffi::{self, Nccl, NcclId, NcclSum, ShimError, Store};

/// Between two looks at a sum.
const GLANCE: Duration = Duration::from_micros(20);

/// A communicator of GPUs.
#[derive(Debug)]
pub(super) struct Gpus {
    nccl: Nccl,
    timeout: Duration,
}

impl Gpus {
    /// Rank `rank` of `size` under `name`, on GPU `number`; waits for the others. A sum fails after `timeout`.
    pub(super) fn connect(
        store: &Store,
        name: &str,
        (rank, size): (usize, usize),
        number: usize,
        timeout: Duration,
    ) -> Result<Self, ShimError> {
        let key = format!("nccl/{name}");
        if rank == 0 {
            store.set(&key, &hexadecimal(&ffi::nccl_id()?))?;
        }
        let began = Instant::now();
        let id = loop {
            match store.get(&key)? {
                Some(words) => break read(&words)?,
                None if began.elapsed() > MEETING => {
                    return Err(ShimError("the first of its ranks did not come".to_owned()));
                }
                None => sleep(LOOK),
            }
        };
        Ok(Self { nccl: Nccl::new(&id, (rank, size), number)?, timeout })
    }

    /// Begins to sum a tensor, in place, behind what other communicators of this GPU sum and beside what it computes.
    pub(super) fn begin(&self, tensor: &Tensor) -> Result<NcclSum, ShimError> {
        self.nccl.begin_sum(tensor)
    }

    /// Waits until a sum is there. NCCL may wait for ever for a rank that is gone: so those of this machine are looked at, and
    /// whether any has told that it can't go on.
    pub(super) fn end(&self, sum: &NcclSum, peers: Option<&Peers>) -> Result<(), ShimError> {
        let began = Instant::now();
        let mut looked = began;
        while !self.nccl.is_done(sum)? {
            sleep(GLANCE);
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                if peers.is_some_and(|peers| peers.has_one_failed() || peers.gone().is_some()) {
                    return Err(ShimError("a rank has ended".to_owned()));
                }
            }
            if began.elapsed() > self.timeout {
                let waited = self.timeout.as_secs();
                return Err(ShimError(format!("NCCL was not done in {waited} s")));
            }
        }
        Ok(())
    }
}

/// An identity from its text in the store.
fn read(words: &str) -> Result<NcclId, ShimError> {
    let digits = |at| words.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..words.len()).step_by(2).map(digits).collect();
    let id = bytes.and_then(|bytes| NcclId::try_from(bytes).ok());
    id.ok_or_else(|| ShimError(format!("`{words}` is no identity of NCCL's")))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::gpu;

    /// Where there is a GPU: a communicator of one rank, whose sums are what is summed.
    #[test]
    fn a_gpu_sums_by_nccl() {
        let Ok(device @ Device::Cuda(number)) = gpu::of_rank(0) else { return };
        let nccl = Nccl::new(&ffi::nccl_id().unwrap(), (0, 1), number).unwrap();
        let gpus = Gpus { nccl, timeout: Duration::from_mins(1) };
        let computed = Tensor::ones([1 << 20], (Kind::Double, device)) * 3.0;
        let sums = [&computed, &(&computed * 2.0)].map(|tensor| {
            let sum = gpus.begin(tensor).unwrap();
            gpus.end(&sum, None).unwrap();
            tensor.sum(Kind::Double).double_value(&[]) / f64::from(1 << 20)
        });
        assert!(
            sums.iter().zip([3.0, 6.0]).all(|(sum, own)| (sum - own).abs() < 1e-12),
            "{sums:?}"
        );
    }

    #[test]
    fn identities_survive_the_store() {
        let id: NcclId = std::array::from_fn(|at| u8::try_from(2 * at).unwrap());
        assert_eq!(read(&hexadecimal(&id)), Ok(id));
        assert!(read("00").is_err() && read("é").is_err());
    }
}
