//! The other ranks as processes: who is gone when a collective fails, and what it said before.
//!
//! Gloo reports a closed connection, not whose. Every rank therefore leaves its process and host in the store when they meet,
//! and a rank that can't go on leaves its reason there before it ends.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Seat;
use crate::ffi::{ShimError, Store};

/// How long the reason of a failed collective is looked for: a dying process takes a moment to be gone.
const INQUEST: Duration = Duration::from_secs(3);

/// The rank that made a collective fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Culprit {
    /// It said why.
    Told { rank: u32, message: String },
    /// It said nothing.
    Gone { rank: u32, place: String },
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
    store: Store,
    places: Vec<Place>,
}

impl Peers {
    /// Leaves this rank's place and learns the others'.
    pub(super) fn meet(store: Store, seat: &Seat) -> Result<Self, ShimError> {
        let own = Place::own();
        let words = format!("{} {} {}", own.process, own.space, own.host);
        store.set(&format!("place/{}", seat.rank), &words)?;
        let mut places = Vec::new();
        for rank in 0..seat.world {
            places.push(Place::parse(&store.wait(&format!("place/{rank}"))?));
        }
        Ok(Self { store, places })
    }

    /// Leaves the reason of this rank's end; `own` is false when another rank is the reason.
    pub(super) fn tell_failure(&self, rank: u32, own: bool, message: &str) {
        let kind = if own { "own" } else { "other" };
        // The store may be gone with rank 0; then there is nobody to tell.
        let _ = self.store.set(&format!("end/{rank}"), &format!("{kind} {message}"));
    }

    /// Who is to blame for a failed collective of rank `own`; none when nobody is found in time.
    pub(super) fn culprit(&self, own: u32) -> Option<Culprit> {
        let began = Instant::now();
        loop {
            if let Some(culprit) = self.look(own) {
                return Some(culprit);
            }
            if began.elapsed() > INQUEST {
                return None;
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn look(&self, own: u32) -> Option<Culprit> {
        let here = Place::own();
        let mut silent = None;
        for (rank, place) in (0..).zip(&self.places).filter(|(rank, _)| *rank != own) {
            // First whether it lives, then what it said: it speaks before it ends.
            let gone = place.space == here.space && place.host == here.host && place.is_gone();
            match self.store.get(&format!("end/{rank}")) {
                Ok(Some(words)) => {
                    if let Some(message) = words.strip_prefix("own ") {
                        return Some(Culprit::Told { rank, message: message.to_owned() });
                    }
                }
                Ok(None) if gone => {
                    let place = format!("process {} on {}", place.process, place.host);
                    silent.get_or_insert(Culprit::Gone { rank, place });
                }
                Ok(None) => {}
                // The store lives in rank 0.
                Err(_) => {
                    let place = self.places.first()?;
                    let place = format!("process {} on {}", place.process, place.host);
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

    fn parse(words: &str) -> Self {
        let mut words = words.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default().to_owned();
        let process = next().parse().unwrap_or(0);
        Self { process, space: next(), host: next() }
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
        let words = format!("{} {} {}", own.process, own.space, own.host);
        assert_eq!(Place::parse(&words), own);
    }
}
