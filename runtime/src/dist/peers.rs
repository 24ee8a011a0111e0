//! The other ranks as processes: who is gone when a collective fails, and what it said before.
//!
//! Gloo reports a closed connection, not whose. Every rank therefore leaves its process and host in the store when they meet,
//! a rank that can't go on leaves its reason there before it ends, and one that asks who is to blame says that it is there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Seat;
use crate::ffi::{ShimError, Store};

/// Between two looks at the others.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Of a look at the store, for every pair of ranks one of which waits for the other: the store answers some 100 000 questions
/// in a second.
const QUESTION: Duration = Duration::from_micros(10);

/// How long the reason of a failed collective is looked for: a dying process takes a moment to be gone.
const INQUEST: Duration = Duration::from_secs(3);

/// The key under which the store says that some rank can't go on.
const FAILED: &str = "failed";

/// The rank that made a collective fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Culprit {
    /// It said why.
    Told { rank: u32, message: String },
    /// It said nothing.
    Gone { rank: u32, place: String },
    /// They neither ended nor came.
    Missing { ranks: Vec<u32> },
}

/// Why ranks did not meet.
#[derive(Debug)]
pub(super) enum Unmet {
    /// One came and is gone.
    Gone { rank: u32, place: String },
    /// They did not come in time.
    Absent { ranks: Vec<u32> },
    /// The store is out of reach.
    Store(ShimError),
}

impl From<ShimError> for Unmet {
    fn from(fault: ShimError) -> Self {
        Self::Store(fault)
    }
}

/// Where a rank runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    /// The process's number means something only within its name space.
    space: String,
    process: u32,
}

/// The store and what the ranks left in it.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) store: Arc<Store>,
    /// By rank.
    places: BTreeMap<u32, Place>,
}

impl Peers {
    /// Leaves this rank's place and learns the others', unless one of them ends before all are there.
    pub(super) fn meet(store: Store, seat: &Seat, within: Duration) -> Result<Self, Unmet> {
        store.set(&format!("place/{}", seat.rank), &Place::own().left())?;
        let mut peers = Self { store: Arc::new(store), places: BTreeMap::new() };
        let mut absent: Vec<u32> = (0..seat.world).collect();
        let began = Instant::now();
        loop {
            let mut still = Vec::new();
            for rank in absent {
                match peers.store.get(&format!("place/{rank}"))? {
                    Some(words) => drop(peers.places.insert(rank, Place::parse(&words))),
                    None => still.push(rank),
                }
            }
            absent = still;
            if absent.is_empty() {
                return Ok(peers);
            }
            if let Some((rank, place)) = peers.gone() {
                return Err(Unmet::Gone { rank, place });
            }
            if began.elapsed() > within {
                return Err(Unmet::Absent { ranks: absent });
            }
            let questions = u32::try_from(absent.len()).unwrap_or(u32::MAX);
            sleep(LOOK.max(QUESTION * questions.saturating_mul(seat.world)));
        }
    }

    /// What a process of this machine leaves in the store.
    #[cfg(test)]
    pub(super) fn words_of(process: u32) -> String {
        Place { process, ..Place::own() }.left()
    }

    /// A rank of this machine whose process has ended, and where that was.
    pub(super) fn gone(&self) -> Option<(u32, String)> {
        let here = Place::own();
        let mut gone = self.places.iter().filter(|(_, place)| place.is_gone_from(&here));
        gone.next().map(|(rank, place)| (*rank, place.words()))
    }

    /// Leaves the reason of this rank's end; `own` is false when another rank is the reason.
    pub(super) fn tell_failure(&self, rank: u32, own: bool, message: &str) {
        let kind = if own { "own" } else { "other" };
        // The store may be gone with rank 0; then there is nobody to tell.
        let _ = self.store.set(&format!("end/{rank}"), &format!("{kind} {message}"));
        let _ = self.store.set(FAILED, "");
    }

    /// Whether some rank has told that it can't go on.
    pub(super) fn has_one_failed(&self) -> bool {
        matches!(self.store.get(FAILED), Ok(Some(_)))
    }

    /// Who is to blame for a failed collective of rank `own` with these `members`; none when nobody is found in time.
    pub(super) fn culprit(&self, own: u32, members: &[u32]) -> Option<Culprit> {
        let began = Instant::now();
        // Where the store is gone, the look below says so.
        let _ = self.store.set(&format!("here/{own}"), "");
        loop {
            if let Some(culprit) = self.look(own) {
                return Some(culprit);
            }
            if began.elapsed() > INQUEST {
                // All members lost the collective at about the same time: who does not ask is the one that was waited for.
                let here = |rank: &u32| self.store.get(&format!("here/{rank}"));
                let missing = members.iter().filter(|rank| matches!(here(rank), Ok(None)));
                let ranks: Vec<u32> = missing.copied().collect();
                return (!ranks.is_empty()).then_some(Culprit::Missing { ranks });
            }
            sleep(LOOK);
        }
    }

    fn look(&self, own: u32) -> Option<Culprit> {
        let here = Place::own();
        let mut silent = None;
        for (&rank, place) in self.places.iter().filter(|(rank, _)| **rank != own) {
            // First whether it lives, then what it said: it speaks before it ends.
            let gone = place.is_gone_from(&here);
            match self.store.get(&format!("end/{rank}")) {
                Ok(Some(words)) => {
                    if let Some(message) = words.strip_prefix("own ") {
                        return Some(Culprit::Told { rank, message: message.to_owned() });
                    }
                }
                Ok(None) if gone => {
                    silent.get_or_insert(Culprit::Gone { rank, place: place.words() });
                }
                Ok(None) => {}
                // The store lives in rank 0.
                Err(_) => {
                    let place = self.places.get(&0)?.words();
                    return Some(Culprit::Gone { rank: 0, place });
                }
            }
        }
        silent
    }
}

impl Place {
    fn own() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            host: host.trim().to_owned(),
            space: space.to_string_lossy().into_owned(),
            process: std::process::id(),
        }
    }

    /// What is left of it in the store, see [`Self::parse`].
    fn left(&self) -> String {
        format!("{} {} {}", self.process, self.space, self.host)
    }

    fn parse(words: &str) -> Self {
        let mut words = words.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default().to_owned();
        let process = next().parse().unwrap_or(0);
        Self { process, space: next(), host: next() }
    }

    fn words(&self) -> String {
        format!("process {} on {}", self.process, self.host)
    }

    /// Whether the process can be seen from `here`, and has ended.
    fn is_gone_from(&self, here: &Self) -> bool {
        self.space == here.space && self.host == here.host && self.is_gone()
    }

    /// Whether the process, which is of this name space, has ended (its parent need not have noticed).
    fn is_gone(&self) -> bool {
        let Ok(status) = fs::read_to_string(format!("/proc/{}/stat", self.process)) else {
            return true;
        };
        let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('Z' | 'X'))
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_process_is_there_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let place = Place { process: child.id(), ..Place::own() };
        assert!(!place.is_gone());
        child.kill().unwrap();
        while !place.is_gone() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.wait().unwrap();
        assert!(place.is_gone());
    }

    #[test]
    fn places_survive_the_store() {
        let own = Place::own();
        assert_eq!(Place::parse(&own.left()), own);
    }
}
