//! Memory of this process and machine, in bytes, as Linux tells it; 0 where it does not.

use tch::{Device, Kind, Tensor};

use crate::error::WorkerError;
use crate::ffi;
use crate::layer::Layer;
use crate::model::{Objective, cross_entropy};

/// Most that this process has held. The kernel notes the most at some of its calls only, from counts of every processor that it
/// sums at leisure: what is held now may be more than it says, and is taken then.
pub fn peak() -> u64 {
    kibibytes("/proc/self/status", "VmHWM:").max(held())
}

/// What this process holds.
fn held() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// Tokens and width of what is computed once before a model is made: enough that products of matrices have their buffers.
const TOKENS: i64 = 256;
const WIDTH: i64 = 128;

/// What this process holds when an embedding, a layer and a loss were computed once, forward and backward: by then libtorch's
/// code and that of the shim is loaded, whatever is trained.
pub fn without_model() -> Result<u64, WorkerError> {
    let ids = Tensor::f_arange(TOKENS, (Kind::Int64, Device::Cpu))?;
    let table = Tensor::f_ones([TOKENS, WIDTH], (Kind::Float, Device::Cpu))?;
    let table = table.set_requires_grad(true);
    let x = Tensor::f_embedding(&table, &ids, -1, false, false)?;
    let states = Layer::new(WIDTH, Kind::Float)?.forward(&x)?;
    cross_entropy(&states, &table, &ids, Objective::smoothed(0.1)).root.f_backward()?;
    ffi::squares(&table.f_grad()?.f_view([-1])?, None)?;
    Ok(held())
}

/// All memory of the machine.
pub fn of_machine() -> u64 {
    kibibytes("/proc/meminfo", "MemTotal:")
}

/// The bytes of a line `name   number kB`.
fn kibibytes(path: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
    number.map_or(0, |number: u64| number.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes by which two readings may disagree: other tests give memory back between them, and each processor of a kernel keeps
    /// some pages to itself before it counts them for the process.
    const COUNTED_LATE: u64 = 64 << 20;

    #[test]
    fn a_process_holds_less_than_its_machine() {
        assert!(0 < held() && held() <= of_machine(), "{} of {}", held(), of_machine());
        assert!(peak() > 1 << 20);
        let (held, peak) = (without_model().unwrap(), peak());
        assert!(held <= peak + COUNTED_LATE, "{held} held, {peak} at most");
    }
}
