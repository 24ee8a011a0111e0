//! A file of curves as bytes: protobuf messages in records (tensorflow, `core/lib/io/record_writer.h`), written, and read to be cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::Path;

/// The bytes of a protobuf message.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    pub(super) fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    pub(super) fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    #[expect(clippy::cast_possible_truncation, reason = "points of curves are 32-bit floats")]
    pub(super) fn float(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 5);
        self.0.extend((value as f32).to_le_bytes());
    }

    pub(super) fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    pub(super) fn message(&mut self, field: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

/// A message as a record: length, its sum, the bytes, their sum.
pub(super) fn record(Message(bytes): &Message) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let sums = [&length[..], bytes].map(|part| masked(part).to_le_bytes());
    [&length[..], &sums[0], bytes, &sums[1]].concat()
}

/// CRC-32C, changed so that sums of sums mean something (tensorflow, `core/lib/hash/crc32c.h`).
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Cuts a file before its first record of a later step, or before one that a killed run left half written; removes it when no
/// point is left.
pub(super) fn cut(path: &Path, step: u64) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut whole, mut points) = (0, false);
    while let Some(event) = next(&mut reader) {
        let of = step_of(&event);
        if of > step {
            break;
        }
        points |= of > 0;
        whole += event.len() as u64 + 16;
    }
    if points {
        OpenOptions::new().write(true).open(path)?.set_len(whole)
    } else {
        fs::remove_file(path)
    }
}

/// The bytes of the next record; none at the end and where the file is damaged.
pub(super) fn next(reader: &mut impl Read) -> Option<Vec<u8>> {
    let length = checked(reader, 8)?;
    checked(reader, u64::from_le_bytes(length.try_into().ok()?))
}

/// So many bytes that their sum follows.
fn checked(reader: &mut impl Read, count: u64) -> Option<Vec<u8>> {
    let (mut bytes, mut sum) = (Vec::new(), [0; 4]);
    reader.take(count).read_to_end(&mut bytes).ok()?;
    reader.read_exact(&mut sum).ok()?;
    (bytes.len() as u64 == count && sum == masked(&bytes).to_le_bytes()).then_some(bytes)
}

/// The step of an event that was written here: a number behind the nine bytes of the time.
pub(super) fn step_of(event: &[u8]) -> u64 {
    let digits = event.iter().skip(10);
    let mut step = 0;
    for (byte, shift) in digits.zip((0..64).step_by(7)) {
        step |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C, and a record as tensorflow writes it (the mask is its own inverse's other half).
    #[test]
    fn records_have_the_sums_of_their_format() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let record = record(&Message(b"123456789".to_vec()));
        assert_eq!(record.len(), 25);
        let sum = u32::from_le_bytes(record[21..].try_into().unwrap());
        assert_eq!(sum.wrapping_sub(0xa282_ead8).rotate_left(15), 0xe306_9283);
    }
}
