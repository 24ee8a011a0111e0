//! The GPU of a rank, and its memory.

use tch::{Device, Tensor};

use crate::error::WorkerError;
use crate::ffi::{self, ShimError};

/// Variables by which a launcher lets a rank see some of its machine's GPUs.
const VISIBLE: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"];

/// The GPU of the rank that is number `local` on its machine: the one of that number, or the only one that a launcher lets it see.
pub fn of_rank(local: u32) -> Result<Device, WorkerError> {
    let seen = ffi::gpus().map_err(|cause| WorkerError::Device(cause.to_string()))?;
    let is_given = seen == 1 && VISIBLE.iter().any(|name| std::env::var_os(name).is_some());
    let number = if is_given { 0 } else { local as usize };
    if number >= seen {
        let cause = format!("rank {local} of this machine has none, {seen} are seen");
        return Err(WorkerError::Gpu(cause));
    }
    ffi::use_gpu(number).map_err(|cause| WorkerError::Device(cause.to_string()))?;
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
                let said = fault.to_string();
                assert!(said.starts_with("the plan is for GPUs: "), "{said}");
                assert!(said.contains("LIBTORCH") || said.contains("0 are seen"), "{said}");
            }
        }
        assert_eq!(peak(Device::Cpu).unwrap(), None);
    }
}
