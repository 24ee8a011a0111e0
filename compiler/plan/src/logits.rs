//! How many logits a worker makes at a time: it computes the loss of a batch chunk by chunk and never keeps all its logits.

use crate::plan::Device;

/// Logits of a chunk: on a CPU a few MiB, so that they stay in its cache between the passes over them; on a GPU so many that passes
/// over the output's gradient, one for each chunk, cost little beside theirs.
fn at_a_time(device: Device) -> u64 {
    match device {
        Device::Cpu => 1 << 20,
        Device::Gpu => 1 << 27,
    }
}

/// Tokens of a chunk that are never fewer, however large the vocabulary.
const LEAST: u64 = 64;

/// Target tokens whose logits over a vocabulary of so many pieces are made at a time; those of a batch may be fewer.
pub fn tokens_at_a_time(device: Device, vocabulary: u64) -> u64 {
    (at_a_time(device) / vocabulary.max(1)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_fill_their_room_but_are_never_tiny() {
        let cases =
            [(Device::Cpu, 1024, 1024), (Device::Cpu, 64_003, 64), (Device::Gpu, 64_003, 2097)];
        for (device, vocabulary, tokens) in cases {
            assert_eq!(tokens_at_a_time(device, vocabulary), tokens);
        }
        assert_eq!(tokens_at_a_time(Device::Cpu, 0), 1 << 20);
    }
}
