//! Memory of this process and machine, in bytes, as Linux tells it; 0 where it does not.

use tch::{Device, Kind, Tensor};

/// Most that this process has held.
pub fn peak() -> u64 {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// What this process holds.
fn held() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// What this process holds when libtorch was used once, forward and backward: by then its code is loaded, whatever is trained.
pub fn without_model() -> Result<u64, tch::TchError> {
    let ones = || Tensor::f_ones([64, 64], (Kind::Float, Device::Cpu));
    let weight = ones()?.set_requires_grad(true);
    let x = ones()?.f_linear(&weight, None::<&Tensor>)?.f_relu()?;
    let x = x.f_layer_norm([64], None::<&Tensor>, None::<&Tensor>, 1e-5, true)?;
    x.f_softmax(-1, Kind::Float)?.f_sum(Kind::Float)?.f_backward()?;
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
