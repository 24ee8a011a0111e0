//! The communicators of the plan as process groups, created in the plan's order on every rank.

use std::collections::BTreeMap;
use std::time::Duration;

use mmc_plan::Plan;
use tch::Tensor;

use super::Seat;
use crate::ffi::{Group, ShimError, Store};

/// How long ranks wait for each other before they give up.
const MEETING: Duration = Duration::from_mins(5);

/// How long a collective may take. Ranks compute between collectives, validation included.
const COLLECTIVE: Duration = Duration::from_mins(30);

/// What goes wrong between ranks.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// Another number of processes than ranks.
    #[error(
        "the plan is for {planned} ranks and {started} processes were started; start {planned}, or plan for {started} devices (lanes stay, so the mathematics does too)"
    )]
    Size {
        /// Ranks of the plan.
        planned: usize,
        /// Processes.
        started: u32,
    },
    /// Nobody came to the meeting place.
    #[error(
        "rank {rank} could not meet the others at {host}:{port}: {cause}\n  is the port in use by another job, or did another rank fail to start?"
    )]
    Meeting {
        /// This rank.
        rank: u32,
        /// Where.
        host: String,
        /// Port.
        port: u16,
        /// Torch's words.
        cause: ShimError,
    },
    /// A group could not be made.
    #[error("communicator `{name}` (ranks {ranks:?}) could not be set up: {cause}")]
    SetUp {
        /// Its name.
        name: String,
        /// Its ranks.
        ranks: Vec<u32>,
        /// Gloo's words.
        cause: ShimError,
    },
    /// A collective failed.
    #[error(
        "a collective of communicator `{name}` (ranks {ranks:?}) failed; most likely one of these ranks is gone: {cause}"
    )]
    Collective {
        /// Its name.
        name: String,
        /// Its ranks.
        ranks: Vec<u32>,
        /// Gloo's words.
        cause: ShimError,
    },
    /// The plan has no such communicator.
    #[error("the plan has no communicator `{0}`")]
    Unknown(String),
}

#[derive(Debug)]
struct Member {
    group: Group,
    ranks: Vec<u32>,
}

/// This rank's communicators. One rank alone has none, and its collectives do nothing.
#[derive(Debug)]
pub struct World {
    seat: Seat,
    members: BTreeMap<String, Member>,
    // Groups talk through the store until they are gone: it is dropped after them.
    _store: Option<Store>,
}

impl World {
    /// Meets the other ranks and creates the plan's communicators in its order.
    pub fn join(plan: &Plan, seat: Seat) -> Result<Self, WorldError> {
        if plan.ranks.len() != seat.world as usize {
            return Err(WorldError::Size { planned: plan.ranks.len(), started: seat.world });
        }
        if seat.world == 1 {
            return Ok(Self { seat, members: BTreeMap::new(), _store: None });
        }
        let store = Store::new(&seat.host, seat.port, seat.rank == 0, seat.world, MEETING)
            .map_err(|cause| WorldError::Meeting {
                rank: seat.rank,
                host: seat.host.clone(),
                port: seat.port,
                cause,
            })?;
        // Ranks that meet on this machine bind to loopback: its name need not resolve.
        let local = ["127.0.0.1", "localhost", "::1"].contains(&seat.host.as_str());
        let bind = if local && std::env::var_os("GLOO_SOCKET_IFNAME").is_none() {
            "127.0.0.1"
        } else {
            ""
        };
        let mut members = BTreeMap::new();
        for spec in &plan.communicators {
            let Some(place) = spec.ranks.iter().position(|&rank| rank == seat.rank) else {
                continue;
            };
            let group = Group::new(&store, &spec.name, (place, spec.ranks.len()), bind, COLLECTIVE)
                .map_err(|cause| WorldError::SetUp {
                    name: spec.name.clone(),
                    ranks: spec.ranks.clone(),
                    cause,
                })?;
            members.insert(spec.name.clone(), Member { group, ranks: spec.ranks.clone() });
        }
        Ok(Self { seat, members, _store: Some(store) })
    }

    /// Who this rank is.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Whether this is rank 0, which speaks for all.
    pub fn leads(&self) -> bool {
        self.seat.rank == 0
    }

    /// Sums a tensor over a communicator that this rank is in, in place.
    pub fn sum(&self, communicator: &str, tensor: &Tensor) -> Result<(), WorldError> {
        self.with(communicator, |group| group.sum(tensor))
    }

    /// Sums numbers over all ranks.
    pub fn sum_all(&self, numbers: &mut [f64]) -> Result<(), WorldError> {
        if self.seat.world == 1 || numbers.is_empty() {
            return Ok(());
        }
        let tensor = Tensor::from_slice(numbers);
        self.sum("world", &tensor)?;
        tensor.copy_data(numbers, numbers.len());
        Ok(())
    }

    /// Waits for all ranks.
    pub fn barrier(&self) -> Result<(), WorldError> {
        if self.seat.world == 1 {
            return Ok(());
        }
        self.with("world", Group::barrier)
    }

    fn with(
        &self,
        communicator: &str,
        act: impl FnOnce(&Group) -> Result<(), ShimError>,
    ) -> Result<(), WorldError> {
        let member = self
            .members
            .get(communicator)
            .ok_or_else(|| WorldError::Unknown(communicator.to_owned()))?;
        act(&member.group).map_err(|cause| WorldError::Collective {
            name: communicator.to_owned(),
            ranks: member.ranks.clone(),
            cause,
        })
    }
}
