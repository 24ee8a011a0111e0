//! Memory of this process and machine, in bytes, as Linux tells it; 0 where it does not.

use tch::{Device, Kind, TchError, Tensor};

use crate::error::WorkerError;
use crate::ffi::{self, Attention, Dropout};
use crate::model::{Objective, cross_entropy};

/// Most that this process has held.
pub fn peak() -> u64 {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// What this process holds.
fn held() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// Tokens and width of what is computed once before a model is made: enough that products of matrices have their buffers.
const TOKENS: i64 = 256;
const WIDTH: i64 = 128;

/// What this process holds when a layer was computed once, forward and backward: by then libtorch's code and that of the shim is
/// loaded, whatever is trained.
pub fn without_model() -> Result<u64, WorkerError> {
    let options = (Kind::Float, Device::Cpu);
    let weight =
        |rows| Ok::<_, TchError>(Tensor::f_ones([rows, WIDTH], options)?.set_requires_grad(true));
    let (table, inward) = (weight(TOKENS)?, weight(3 * WIDTH)?);
    let ids = Tensor::f_arange(TOKENS, (Kind::Int64, Device::Cpu))?;
    let x = Tensor::f_embedding(&table, &ids, -1, false, false)?;
    let normed = x.f_layer_norm([WIDTH], None::<&Tensor>, None::<&Tensor>, 1e-5, true)?;
    let q = normed.f_linear(&inward, None::<&Tensor>)?;
    let dropout = Dropout::default();
    let shape = [TOKENS / 16, 16, 16, 2, WIDTH / 2];
    let call =
        Attention { q: &q, kv: None, lengths: None, dropout, rotary: None, shape, causal: true };
    let x = ffi::drop_elements(&ffi::attention(&call)?, Some(&x), &Dropout::default())?;
    let gold = ids.f_remainder(7)?;
    let scored = cross_entropy(&x.f_gelu("none")?, &table, &gold, Objective::smoothed(0.1));
    scored.root.f_backward()?;
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

    #[test]
    fn a_process_holds_less_than_its_machine() {
        assert!(0 < held() && held() <= of_machine(), "{} of {}", held(), of_machine());
        assert!(peak() > 1 << 20);
        assert!(without_model().unwrap() <= peak());
    }
}
