//! The communicators of the plan as process groups, created in the plan's order on every rank.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mmc_plan::{CommunicatorSpec, Plan};
use tch::{Device, Tensor};

use super::Seat;
use super::board::{self, Board};
use super::error::WorldError;
use super::gpus::Gpus;
use super::levels::Levels;
use super::line::{Line, Sum, Ways};
use super::peers::{Culprit, LOOK, Peers, Unmet};
use crate::ffi::{Group, NcclSum, ShimError, Store};

/// How long ranks wait for each other before they give up.
pub(super) const MEETING: Duration = Duration::from_mins(5);

/// How long a collective may take unless the worker is told otherwise. Ranks compute between collectives, validation included.
pub const COLLECTIVE: Duration = Duration::from_mins(30);

/// How long a failing rank 0 keeps the store for the others to read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Member {
    /// For what lies in memory.
    ways: Arc<Mutex<Ways>>,
    /// For gradients in memory.
    line: Option<Line>,
    /// Whether gradients are summed through memory of this machine.
    shares_memory: bool,
    /// For what lies on GPUs.
    gpus: Option<Gpus>,
    ranks: Vec<u32>,
}

impl Member {
    /// Acts on the group of all members, on this thread.
    fn at_once(&self, act: impl FnOnce(&Group) -> Result<(), ShimError>) -> Result<(), ShimError> {
        act(&self.ways.lock().unwrap_or_else(PoisonError::into_inner).group)
    }
}

/// A sum of gradients that has begun; to be ended by [`World::end_sum`].
#[derive(Debug)]
pub struct Begun {
    communicator: String,
    on: On,
}

/// Where a sum runs.
#[derive(Debug)]
enum On {
    /// On another thread.
    Line(Sum),
    /// On a GPU.
    Gpu(NcclSum),
    /// Nowhere: it is done.
    Done,
}

/// This rank's communicators. One rank alone has none, and its collectives do nothing.
#[derive(Debug)]
pub struct World {
    seat: Seat,
    device: Device,
    members: BTreeMap<String, Member>,
    /// Time of waiting for collectives since it was last asked for.
    waited: Cell<Duration>,
    // Groups talk through the store until they are gone: it is dropped after them.
    peers: Option<Peers>,
}

impl World {
    /// Meets the other ranks and creates the plan's communicators in its order, for tensors in memory and, if it is a GPU, on
    /// `device`. A collective fails after `timeout`.
    pub fn join(
        plan: &Plan,
        seat: Seat,
        device: Device,
        timeout: Duration,
    ) -> Result<Self, WorldError> {
        if plan.ranks.len() != seat.world as usize {
            return Err(WorldError::Size { planned: plan.ranks.len(), started: seat.world });
        }
        let nodes: Vec<u32> = plan.ranks.iter().map(|rank| rank.node).collect();
        Self::meet(seat, (&plan.communicators, &nodes), device, timeout)
    }

    /// Meets the other ranks and creates communicators, in their order; `world`, all ranks, must be among them. `nodes` are those
    /// of the ranks; of ranks that it does not tell of, one.
    ///
    /// Until all have met, nobody's connection tells that a rank has died: so those of this machine are looked at all the time.
    pub fn meet(
        seat: Seat,
        (communicators, nodes): (&[CommunicatorSpec], &[u32]),
        device: Device,
        timeout: Duration,
    ) -> Result<Self, WorldError> {
        if seat.world == 1 {
            let (members, waited) = (BTreeMap::new(), Cell::default());
            return Ok(Self { seat, device, members, waited, peers: None });
        }
        let store = Store::new(&seat.host, seat.port, seat.rank == 0, MEETING)
            .map_err(|cause| meeting(&seat, cause))?;
        let peers = Peers::meet(store, &seat, MEETING).map_err(|unmet| match unmet {
            Unmet::Gone { rank, place } => gone_early(rank, place),
            Unmet::Absent { ranks: absent } => {
                let (rank, host, port) = (seat.rank, seat.host.clone(), seat.port);
                WorldError::Absent { rank, absent, host, port, waited: MEETING }
            }
            Unmet::Store(cause) => meeting(&seat, cause),
        })?;
        let (sender, made) = channel();
        let (store, own) = (Arc::clone(&peers.store), seat.clone());
        let (specs, nodes) = (communicators.to_vec(), nodes.to_vec());
        // It can wait for a rank that is no more: then this rank ends without it.
        std::thread::spawn(move || {
            sender.send(connect(&store, (&specs, &nodes), (&own, device), timeout))
        });
        let members = loop {
            match made.recv_timeout(LOOK) {
                Ok(members) => break members?,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some((rank, place)) = peers.gone() {
                        return Err(gone_early(rank, place));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let cause = ShimError("the thread that connects ranks is gone".to_owned());
                    return Err(meeting(&seat, cause));
                }
            }
        };
        Ok(Self { seat, device, members, waited: Cell::default(), peers: Some(peers) })
    }

    /// Tells the other ranks why this one can't go on, as far as they can still be told; `own` is false when another rank is
    /// the reason.
    pub fn fail(mut self, own: bool, message: &str) {
        let Some(peers) = &self.peers else { return };
        peers.tell_failure(self.seat.rank, own, message);
        // Closed connections wake the others. The store lives in rank 0: it stays until they have read.
        self.members.clear();
        if self.leads() {
            std::thread::sleep(LAST_WORDS);
        }
    }

    /// Who this rank is.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Whether this is rank 0, which speaks for all.
    pub fn leads(&self) -> bool {
        self.seat.rank == 0
    }

    /// Where this rank computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Begins to sum a flat tensor over a communicator with modules that this rank is in, in place and behind what was begun there
    /// before, while the rank computes on: on GPUs behind what was begun in any communicator, so that all ranks must begin in one order. The tensor must not be touched until the sum has ended.
    pub fn begin_sum(&self, communicator: &str, tensor: &Tensor) -> Result<Begun, WorldError> {
        let mut on = On::Done;
        self.with(communicator, |member| {
            match (&member.gpus, &member.line) {
                (Some(gpus), _) if tensor.device() != Device::Cpu => {
                    on = On::Gpu(gpus.begin(tensor)?);
                }
                (_, Some(line)) => on = On::Line(line.begin(tensor.shallow_clone())),
                (_, None) => member.at_once(|group| group.sum(tensor))?,
            }
            Ok(())
        })?;
        Ok(Begun { communicator: communicator.to_owned(), on })
    }

    /// Waits until a sum is there.
    pub fn end_sum(&self, begun: &Begun) -> Result<(), WorldError> {
        let peers = self.peers.as_ref();
        self.with(&begun.communicator, |member| match (&begun.on, &member.line, &member.gpus) {
            (On::Line(sum), Some(line), _) => line.end(sum, peers.filter(|_| member.shares_memory)),
            (On::Gpu(sum), _, Some(gpus)) => gpus.end(sum, peers),
            _ => Ok(()),
        })
    }

    /// Sums a flat tensor over a communicator that this rank is in, in place.
    pub fn sum(&self, communicator: &str, tensor: &Tensor) -> Result<(), WorldError> {
        self.end_sum(&self.begin_sum(communicator, tensor)?)
    }

    /// Sums numbers over all ranks.
    pub fn sum_all(&self, numbers: &mut [f64]) -> Result<(), WorldError> {
        if self.seat.world == 1 || numbers.is_empty() {
            return Ok(());
        }
        let tensor = Tensor::from_slice(numbers);
        // So few that two levels would only take more turns.
        self.with("world", |member| member.at_once(|group| group.sum(&tensor)))?;
        tensor.copy_data(numbers, numbers.len());
        Ok(())
    }

    /// Time for which this rank has waited for collectives, since it was last asked.
    pub fn take_waited(&self) -> Duration {
        self.waited.take()
    }

    /// Waits for all ranks.
    pub fn barrier(&self) -> Result<(), WorldError> {
        if self.seat.world == 1 {
            return Ok(());
        }
        self.with("world", |member| member.at_once(Group::barrier))
    }

    fn with(
        &self,
        communicator: &str,
        act: impl FnOnce(&Member) -> Result<(), ShimError>,
    ) -> Result<(), WorldError> {
        let member = self
            .members
            .get(communicator)
            .ok_or_else(|| WorldError::Unknown(communicator.to_owned()))?;
        let began = Instant::now();
        let done = act(member);
        self.waited.set(self.waited.get() + began.elapsed());
        done.map_err(|cause| {
            let (name, ranks) = (communicator.to_owned(), member.ranks.clone());
            match self.culprit(&ranks) {
                Some(Culprit::Missing { ranks: missing }) => {
                    WorldError::Missing { communicator: name, ranks, missing, cause }
                }
                Some(Culprit::Told { rank, message }) => WorldError::Told { rank, message },
                Some(Culprit::Gone { rank, place }) => {
                    let noticed = format!("in communicator `{name}`");
                    WorldError::Gone { rank, place, noticed }
                }
                None => WorldError::Collective { name, ranks, cause },
            }
        })
    }

    /// Who made a collective of these ranks fail; none when that can't be found out within seconds.
    fn culprit(&self, ranks: &[u32]) -> Option<Culprit> {
        self.peers.as_ref()?.culprit(self.seat.rank, ranks)
    }
}

/// The groups of the communicators that a rank is in, created in their order.
fn connect(
    store: &Arc<Store>,
    (communicators, nodes): (&[CommunicatorSpec], &[u32]),
    (seat, device): (&Seat, Device),
    timeout: Duration,
) -> Result<BTreeMap<String, Member>, WorldError> {
    // Ranks that meet on this machine bind to loopback: its name need not resolve.
    let local = ["127.0.0.1", "localhost", "::1"].contains(&seat.host.as_str());
    let bind =
        if local && std::env::var_os("GLOO_SOCKET_IFNAME").is_none() { "127.0.0.1" } else { "" };
    let rows = board::rows(communicators, nodes);
    let mut members = BTreeMap::new();
    for spec in communicators {
        let Some(place) = spec.ranks.iter().position(|&rank| rank == seat.rank) else {
            continue;
        };
        let (name, ranks, rank) = (&spec.name, spec.ranks.clone(), seat.rank);
        let failed = |cause| WorldError::SetUp { name: name.clone(), ranks: ranks.clone(), cause };
        let place = (place, ranks.len());
        let group = Group::new(store, name, place, bind, timeout).map_err(failed)?;
        let (mut levels, mut board, mut gpus) = (None, None, None);
        match device {
            // No gradients are summed there.
            _ if spec.modules.is_empty() => {}
            Device::Cuda(number) => {
                gpus = Some(Gpus::connect(store, name, place, number, timeout).map_err(failed)?);
            }
            Device::Cpu | Device::Mps | Device::Vulkan => {
                let seen = (rank, ranks.as_slice(), nodes);
                levels = Levels::connect(store, name, seen, bind, timeout).map_err(failed)?;
                if let Some(&row) = rows.get(name.as_str()) {
                    let (met, seat) = ((&**store, &group, name.as_str()), (place.0, place.1, row));
                    board = Board::connect(met, seat, timeout).map_err(failed)?;
                }
            }
        }
        let shares_memory = board.is_some();
        let ways = Arc::new(Mutex::new(Ways { group, board, levels, _store: Arc::clone(store) }));
        let sums_beside = gpus.is_none() && !spec.modules.is_empty();
        let line = sums_beside.then(|| Line::new(Arc::clone(&ways)));
        members.insert(name.clone(), Member { ways, line, shares_memory, gpus, ranks });
    }
    Ok(members)
}

fn gone_early(rank: u32, place: String) -> WorldError {
    WorldError::Gone { rank, place, noticed: "while the ranks met".to_owned() }
}

fn meeting(seat: &Seat, cause: ShimError) -> WorldError {
    WorldError::Meeting { rank: seat.rank, host: seat.host.clone(), port: seat.port, cause }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::thread::spawn;

    use super::super::threads::{HOST, LONG, free_port};
    use super::*;

    /// Rank 0 of `world` meets a rank 1 whose process is killed after a moment, and says so.
    fn meet_a_dying_rank(world: u32) {
        let (host, port) = (HOST.to_owned(), free_port());
        let seat = Seat { rank: 0, world, local_rank: 0, local_world: None, host, port };
        let mut other: Child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = other.id();
        let rank_1 = spawn(move || {
            let store = Store::new(HOST, port, false, LONG).unwrap();
            store.set("place/1", &Peers::words_of(process)).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            other.kill().unwrap();
            other.wait().unwrap();
            store
        });
        let ranks = (0..world).collect();
        let (name, modules) = ("world".to_owned(), Vec::new());
        let everyone = [CommunicatorSpec { name, ranks, modules, elements: 0, bucket: None }];
        let began = Instant::now();
        let fault = World::meet(seat, (&everyone, &[]), Device::Cpu, COLLECTIVE).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        rank_1.join().unwrap();
        let said = fault.to_string();
        assert!(
            said.starts_with("rank 1 is gone") && said.contains("while the ranks met"),
            "{said}"
        );
    }

    /// Rank 1 waits in shared memory for a rank 0 that can't go on, and reads why before the store is gone with rank 0.
    #[test]
    fn a_rank_that_fails_while_another_waits_in_shared_memory_is_noticed() {
        let port = free_port();
        let meet = move |rank| {
            let host = HOST.to_owned();
            let seat = Seat { rank, world: 2, local_rank: rank, local_world: Some(2), host, port };
            let (name, modules) = ("world".to_owned(), vec!["m".to_owned()]);
            let everyone =
                [CommunicatorSpec { name, ranks: vec![0, 1], modules, elements: 1, bucket: None }];
            World::meet(seat, (&everyone, &[]), Device::Cpu, COLLECTIVE).unwrap()
        };
        let rank_0 = spawn(move || {
            let world = meet(0);
            std::thread::sleep(Duration::from_millis(200));
            world.fail(true, "out of cheese");
        });
        let world = meet(1);
        assert!(world.members["world"].shares_memory);
        let began = Instant::now();
        let fault = world.sum("world", &Tensor::from_slice(&[1.0])).unwrap_err();
        assert!(fault.to_string().contains("out of cheese"), "{fault}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        rank_0.join().unwrap();
    }

    #[test]
    fn a_rank_that_dies_before_all_have_come_is_noticed() {
        meet_a_dying_rank(3);
    }

    #[test]
    fn a_rank_that_dies_before_it_connects_is_noticed() {
        meet_a_dying_rank(2);
    }
}
