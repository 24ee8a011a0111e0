//! Sums over ranks of one machine through memory that they share: each writes its numbers on a board where the others read them.
//!
//! A board has two sheets with a row for each member, and sums take turns on them. A member writes its row and waits until all
//! have; then each adds up the rows by itself, in their order and so to the same bits. It can't write on a sheet
//! again before all have met at the other, to which every member comes with the first sheet read.
//! Longer tensors are summed piece by piece.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{metadata, read_link};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mmc_plan::CommunicatorSpec;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use tch::{Device, Kind, Tensor};

use super::whole;
use crate::counts;
use crate::ffi::{self, Group, ShimError, Store};

/// Numbers of a row, at most.
const ROW: usize = 1 << 17;
/// Sheets that sums take turns on.
const SHEETS: usize = 2;
/// Numbers whose room a member's counter takes.
const COUNTER: usize = 8;
/// Of more members, each would read far more than a ring sends.
const MEMBERS: usize = 8;
/// Bytes of all boards of a node together.
const ALL_BOARDS: usize = 64 << 20;

/// The rows of the boards of a run, by communicator: of those that sum gradients of few ranks on one node, in the plan's order,
/// while there is memory for them. `nodes` are those of the ranks; of ranks that it does not tell of, one.
pub(super) fn rows<'a>(
    communicators: &'a [CommunicatorSpec],
    nodes: &[u32],
) -> BTreeMap<&'a str, usize> {
    let node_of = |rank: &u32| nodes.get(*rank as usize).copied().unwrap_or(0);
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for spec in communicators.iter().filter(|spec| !spec.modules.is_empty()) {
        let members = spec.ranks.len();
        let Some(node) =
            spec.ranks.first().map(node_of).filter(|_| (2..=MEMBERS).contains(&members))
        else {
            continue;
        };
        let row = usize::try_from(spec.elements).unwrap_or(usize::MAX).clamp(1, ROW);
        let left = left.entry(node).or_insert(ALL_BOARDS);
        if spec.ranks.iter().all(|rank| node_of(rank) == node) && bytes(members, row) <= *left {
            *left -= bytes(members, row);
            rows.insert(spec.name.as_str(), row);
        }
    }
    rows
}

/// Bytes of a board.
fn bytes(members: usize, row: usize) -> usize {
    members * (COUNTER + SHEETS * row) * size_of::<f64>()
}

/// Makes memory of so many bytes, which other processes can open while this one keeps it open; and the words that lead to it.
fn offer(bytes: usize) -> io::Result<(OwnedFd, String)> {
    // A name that no other process has: it tells whether what another machine's process has open there is meant.
    let name = format!("mmc-sums-{:016x}", RandomState::new().hash_one(std::process::id()));
    let memory = memfd_create(&name, MemfdFlags::CLOEXEC)?;
    ftruncate(&memory, bytes as u64)?;
    let words = format!("/proc/{}/fd/{} {name}", std::process::id(), memory.as_raw_fd());
    Ok((memory, words))
}

/// A board that all members of a communicator have before them.
#[derive(Debug)]
pub(super) struct Board {
    /// How often each member has come to a sheet.
    counters: Tensor,
    /// `[sheets, members, row]`, of 64-bit floats.
    sheets: Tensor,
    place: usize,
    row: usize,
    timeout: Duration,
    /// How often this member has come to a sheet.
    turns: Cell<u32>,
}

impl Board {
    /// Makes memory, as the first member of a group, or opens it: a board if all members can, else none. A sum fails after
    /// `timeout`.
    pub(super) fn connect(
        (store, group, communicator): (&Store, &Group, &str),
        (place, members, row): (usize, usize, usize),
        timeout: Duration,
    ) -> Result<Option<Self>, ShimError> {
        let key = format!("board/{communicator}");
        // Where the system has no such memory, nobody finds any.
        let offered = if place == 0 { offer(bytes(members, row)).ok() } else { None };
        if let Some((_, words)) = &offered {
            store.set(&key, words)?;
        }
        group.barrier()?;
        let memory = store.get(&key)?.and_then(|words| mapped(&words, (members, row)));
        let seen = Tensor::from_slice(&[if memory.is_some() { 1.0 } else { 0.0 }]);
        group.sum(&seen)?;
        let all = counts::whole(seen.double_value(&[0])) == members as u64;
        let board = |(counters, sheets)| {
            let turns = Cell::new(0);
            Self { counters, sheets, place, row, timeout, turns }
        };
        Ok(memory.filter(|_| all).map(board))
    }

    /// Sums a flat tensor over the members, in place.
    pub(super) fn sum(&self, tensor: &Tensor) -> Result<(), ShimError> {
        let length = tensor.numel();
        for from in (0..length).step_by(self.row) {
            let piece = tensor.f_narrow(0, whole(from), whole((length - from).min(self.row)));
            self.sum_piece(&piece?)?;
        }
        Ok(())
    }

    /// Sums what fits into a row.
    fn sum_piece(&self, piece: &Tensor) -> Result<(), ShimError> {
        let turn = self.turns.get().wrapping_add(1);
        self.turns.set(turn);
        let sheet = self.sheets.f_get(i64::from(turn) % whole(SHEETS))?;
        let rows = sheet.f_narrow(1, 0, whole(piece.numel()))?;
        let own = rows.f_get(whole(self.place))?;
        ffi::sum_rows(&piece.f_unsqueeze(0)?, &own)?;
        ffi::meet(&self.counters, self.place, turn, self.timeout)?;
        ffi::sum_rows(&rows, piece)
    }
}

/// The memory that an offer's words lead to, as counters and sheets; none where it is out of reach.
fn mapped(words: &str, (members, row): (usize, usize)) -> Option<(Tensor, Tensor)> {
    let (path, name) = words.split_once(' ')?;
    // On another machine the same path may be anything: it is looked at before it is opened.
    if read_link(path).ok()?.to_str()? != format!("/memfd:{name} (deleted)")
        || metadata(path).ok()?.len() != bytes(members, row) as u64
    {
        return None;
    }
    let (counters, rows) = (whole(members * COUNTER), whole(members * SHEETS * row));
    let memory = Tensor::f_from_file(path, true, counters + rows, (Kind::Double, Device::Cpu));
    let memory = memory.ok()?;
    let sheets = memory.f_narrow(0, counters, rows).ok()?;
    let sheets = sheets.f_view([whole(SHEETS), whole(members), whole(row)]).ok()?;
    Some((memory.f_narrow(0, 0, counters).ok()?, sheets))
}

#[cfg(test)]
mod tests {
    use super::super::threads::{HOST, LONG, members};
    use super::*;

    /// What the members of a communicator find with the boards that they get.
    fn boards<R: Send>(
        (size, row): (usize, usize),
        act: impl Fn(usize, Option<Board>, &Group) -> R + Sync,
    ) -> Vec<R> {
        members(size, |place, store| {
            let group = Group::new(store, "c", (place, size), HOST, LONG).unwrap();
            let board = Board::connect((store, &group, "c"), (place, size, row), LONG).unwrap();
            (act(place, board, &group), group)
        })
    }

    /// Sums one after the other, of tensors shorter and longer than a row, as Gloo sums them; of numbers whose sums are exact.
    #[test]
    fn every_member_gets_the_sums_that_gloo_gives() {
        for size in 2..=MEMBERS {
            let held = boards((size, 7), |place, board, group| {
                let (board, power) = (board.unwrap(), u32::try_from(place).unwrap());
                let lengths = (1..=40_u32).chain([1, 2, 3]);
                let one = |length: u32| {
                    let own: Vec<f64> =
                        (0..length).map(|n| f64::from(n * 10_u32.pow(power))).collect();
                    let [ours, gloo] = [Tensor::from_slice(&own), Tensor::from_slice(&own)];
                    board.sum(&ours).unwrap();
                    group.sum(&gloo).unwrap();
                    [ours, gloo].map(|sum| Vec::<f64>::try_from(&sum).unwrap())
                };
                lengths.map(one).collect::<Vec<[Vec<f64>; 2]>>()
            });
            for sums in held {
                assert!(sums.iter().all(|[ours, gloo]| ours == gloo && !ours.is_empty()));
            }
        }
    }

    /// What another machine's process has under the path that was told is not opened; nor is memory of another size.
    #[test]
    fn only_the_memory_that_is_meant_is_opened() {
        let (_kept, words) = offer(bytes(2, 7)).unwrap();
        assert!(mapped(&words, (2, 7)).is_some());
        assert!(mapped(&words, (2, 8)).is_none());
        let (path, name) = words.split_once(' ').unwrap();
        for words in [format!("{path} {name}0"), format!("{path}0 {name}"), path.to_owned()] {
            assert!(mapped(&words, (2, 7)).is_none(), "{words}");
        }
    }

    #[test]
    fn a_member_that_does_not_come_is_named() {
        let waited = boards((2, 7), |place, board, _| {
            let board = Board { timeout: Duration::from_millis(100), ..board.unwrap() };
            let numbers = Tensor::from_slice(&[1.0]);
            (place == 0).then(|| board.sum(&numbers).unwrap_err().to_string())
        });
        assert_eq!(waited, [Some("member 1 did not come in 100 ms".to_owned()), None]);
    }

    #[test]
    fn boards_are_for_few_ranks_of_a_node_while_there_is_memory() {
        let spec = |name: &str, ranks: &[u32], modules: usize, elements| CommunicatorSpec {
            name: name.to_owned(),
            ranks: ranks.to_vec(),
            modules: vec!["m".to_owned(); modules],
            elements,
            bucket: None,
        };
        let most = ROW as u64;
        let specs = [
            spec("world", &[0, 1, 2, 3], 0, 0),
            spec("ring", &[0, 1, 2, 3, 4, 5, 6, 7, 8], 1, 10 * most),
            spec("small", &[0, 1], 1, 10),
            spec("apart", &[1, 2], 1, 10),
            spec("large", &[0, 1], 1, 10 * most),
            spec("four", &[0, 1, 2, 3], 1, 10),
        ];
        let found = rows(&specs, &[0, 0, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(found, BTreeMap::from([("large", ROW), ("small", 10)]));
        let found = rows(&specs, &[]);
        let all = [("apart", 10), ("four", 10), ("large", ROW), ("small", 10)];
        assert_eq!(found, BTreeMap::from(all));
        // Each node has memory of its own.
        let many: Vec<CommunicatorSpec> = (0..99)
            .map(|at| spec(&at.to_string(), &[at % 2 * 2, at % 2 * 2 + 1], 1, most))
            .collect();
        assert_eq!(rows(&many, &[0, 0, 1, 1]).len(), 2 * (ALL_BOARDS / bytes(2, ROW)));
        assert_eq!(rows(&many, &[]).len(), ALL_BOARDS / bytes(2, ROW));
    }
}
