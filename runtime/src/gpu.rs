//! The GPU of a rank or of a translator, and its memory.

use tch::{Device, Tensor};

use crate::error::WorkerError;
use crate::ffi::{self, ShimError};

/// Why there is no GPU to compute on.
#[derive(Debug, thiserror::Error)]
pub enum NoGpu {
    /// There are too few.
    #[error("GPU {number} is not there: {seen} are seen")]
    Unseen {
        /// The one that is wanted, from 0.
        number: usize,
        /// Those that libtorch sees.
        seen: usize,
    },
    /// libtorch serves none.
    #[error(
        "{0}; put the folder `lib` of a libtorch of the worker's version that is built for GPUs (PyTorch's, say) first into LD_LIBRARY_PATH, or build the worker with LIBTORCH or LIBTORCH_USE_PYTORCH=1 for it"
    )]
    Unserved(String),
}

/// Variables by which a launcher lets a rank see some of its machine's GPUs.
const VISIBLE: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"];

/// The GPU of the rank that is number `local` on its machine: the one of that number, or the only one that a launcher lets it see.
/// To be asked for before anything else of libtorch, on the thread that computes.
pub fn of_rank(local: u32) -> Result<Device, NoGpu> {
    let seen = ffi::gpus().map_err(|cause| NoGpu::Unserved(cause.to_string()))?;
    let is_given = seen == 1 && VISIBLE.iter().any(|name| std::env::var_os(name).is_some());
    let number = if is_given { 0 } else { local as usize };
    if number >= seen {
        return Err(NoGpu::Unseen { number, seen });
    }
    ffi::use_gpu(number).map_err(|cause| NoGpu::Unserved(cause.to_string()))?;
    Ok(Device::Cuda(number))
}

/// A tensor of this machine's memory on a device. To a GPU it is copied while that computes.
pub fn sent(tensor: &Tensor, device: Device) -> Result<Tensor, ShimError> {
    match device {
        Device::Cuda(number) => ffi::sent_to_gpu(tensor, number),
        Device::Cpu | Device::Mps | Device::Vulkan => Ok(tensor.shallow_clone()),
    }
}

/// Makes a rank's device, if it is a GPU, that of another thread.
pub fn enter(device: Device) -> Result<(), WorkerError> {
    match device {
        Device::Cuda(number) => Ok(ffi::enter_gpu(number)?),
        Device::Cpu | Device::Mps | Device::Vulkan => Ok(()),
    }
}

/// Most memory that libtorch has held on a device that is a GPU.
pub fn peak(device: Device) -> Result<Option<u64>, WorkerError> {
    match device {
        Device::Cuda(number) => Ok(Some(ffi::gpu_peak(number)?)),
        Device::Cpu | Device::Mps | Device::Vulkan => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_without_a_gpu_is_told_why() {
        match of_rank(0) {
            Ok(device) => assert_eq!(device, Device::Cuda(0)),
            Err(fault) => {
                let said = WorkerError::from(fault).to_string();
                assert!(said.starts_with("the plan is for GPUs: "), "{said}");
                assert!(said.contains("LIBTORCH") || said.contains("0 are seen"), "{said}");
            }
        }
        assert_eq!(peak(Device::Cpu).unwrap(), None);
    }
}
