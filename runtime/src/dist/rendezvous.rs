//! Who this process is among the ranks, and where they meet: from flags, torchrun, Slurm, Open MPI or PMI, in this order.

use super::hostlist::{self, HostlistError};

/// This process among the ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Its number.
    pub rank: u32,
    /// How many there are.
    pub world: u32,
    /// Its number on its node.
    pub local_rank: u32,
    /// Ranks on its node, if known.
    pub local_world: Option<u32>,
    /// Where rank 0 listens.
    pub host: String,
    /// On which port.
    pub port: u16,
}

/// Why the environment does not say who we are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeatError {
    /// A variable has no sense.
    #[error("the environment variable {name} is `{value}`; expected {expected}")]
    Value {
        /// Which.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A variable is missing although another one says that several ranks run.
    #[error("{because} is set and {missing} is not; set both, or neither for one rank")]
    Missing {
        /// What is set.
        because: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// Rank not below world.
    #[error("rank {rank} of a world of {world} ranks does not exist")]
    Range {
        /// Rank.
        rank: u32,
        /// World.
        world: u32,
    },
    /// The node list.
    #[error("Slurm's node list: {0}")]
    Hosts(#[from] HostlistError),
    /// The node list is empty.
    #[error("Slurm's node list names no host")]
    NoHost,
}

/// How a launcher names rank, world, local rank and local world.
struct Names {
    rank: &'static str,
    world: &'static str,
    local_rank: &'static str,
    local_world: &'static str,
}

const TORCHRUN: Names = Names {
    rank: "RANK",
    world: "WORLD_SIZE",
    local_rank: "LOCAL_RANK",
    local_world: "LOCAL_WORLD_SIZE",
};

const SLURM: Names = Names {
    rank: "SLURM_PROCID",
    world: "SLURM_NTASKS",
    local_rank: "SLURM_LOCALID",
    local_world: "SLURM_NTASKS_PER_NODE",
};

const OPEN_MPI: Names = Names {
    rank: "OMPI_COMM_WORLD_RANK",
    world: "OMPI_COMM_WORLD_SIZE",
    local_rank: "OMPI_COMM_WORLD_LOCAL_RANK",
    local_world: "OMPI_COMM_WORLD_LOCAL_SIZE",
};

const PMI: Names = Names {
    rank: "PMI_RANK",
    world: "PMI_SIZE",
    local_rank: "MPI_LOCALRANKID",
    local_world: "MPI_LOCALNRANKS",
};

/// Torch's usual port.
const DEFAULT_PORT: u16 = 29500;

/// Reads the seat from variables; `variable` answers the environment.
///
/// `resolves` says whether a host's name has an address here.
pub fn seat(
    variable: &dyn Fn(&str) -> Option<String>,
    resolves: &dyn Fn(&str) -> bool,
) -> Result<Seat, SeatError> {
    let environment = Environment { variable, resolves };
    for names in [&TORCHRUN, &SLURM, &OPEN_MPI, &PMI] {
        if environment.get(names.rank).is_some() {
            return environment.seat(names);
        }
    }
    if environment.get(TORCHRUN.world).is_some_and(|world| world != "1") {
        return Err(SeatError::Missing { because: TORCHRUN.world, missing: TORCHRUN.rank });
    }
    let (host, port) = ("127.0.0.1".to_owned(), DEFAULT_PORT);
    Ok(Seat { rank: 0, world: 1, local_rank: 0, local_world: Some(1), host, port })
}

struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    resolves: &'a dyn Fn(&str) -> bool,
}

impl Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &'static str) -> Result<Option<u32>, SeatError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let expected = "a number from 0";
        value.parse().map(Some).map_err(|_| SeatError::Value { name, value, expected })
    }

    fn seat(&self, names: &Names) -> Result<Seat, SeatError> {
        let rank = self.number(names.rank)?.unwrap_or(0);
        let missing = SeatError::Missing { because: names.rank, missing: names.world };
        let world = self.number(names.world)?.ok_or(missing)?;
        if rank >= world {
            return Err(SeatError::Range { rank, world });
        }
        let local_rank = self.number(names.local_rank)?.unwrap_or(rank);
        let local_world = self.number(names.local_world).ok().flatten();
        let (host, port) = (self.host()?, self.port()?);
        Ok(Seat { rank, world, local_rank, local_world, host, port })
    }

    /// `MASTER_ADDR`, else the first host of Slurm's list, else this machine.
    ///
    /// `SLURM_LAUNCH_NODE_IPADDR` may be a login node: it serves only where the nodes' names have no addresses.
    fn host(&self) -> Result<String, SeatError> {
        if let Some(host) = self.get("MASTER_ADDR") {
            return Ok(host);
        }
        let list = self.get("SLURM_STEP_NODELIST").or_else(|| self.get("SLURM_JOB_NODELIST"));
        let Some(list) = list else { return Ok("127.0.0.1".to_owned()) };
        let first = hostlist::expand(&list)?.into_iter().next().ok_or(SeatError::NoHost)?;
        let launcher = self.get("SLURM_LAUNCH_NODE_IPADDR").filter(|_| !(self.resolves)(&first));
        Ok(launcher.unwrap_or(first))
    }

    /// `MASTER_PORT`, else one that depends on the job, so that two jobs on a node do not meet.
    fn port(&self) -> Result<u16, SeatError> {
        if let Some(value) = self.get("MASTER_PORT") {
            let (name, expected) = ("MASTER_PORT", "a port, 1 to 65535");
            return value.parse().map_err(|_| SeatError::Value { name, value, expected });
        }
        let job = self.get("SLURM_JOB_ID").and_then(|job| job.parse::<u64>().ok());
        let port = job.and_then(|job| u16::try_from(20_000 + job % 20_000).ok());
        Ok(port.unwrap_or(DEFAULT_PORT))
    }
}

#[cfg(test)]
mod tests {
    use super::{SeatError, seat};

    fn of(variables: &[(&str, &str)]) -> Result<super::Seat, SeatError> {
        let variable = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        seat(&variable, &|host| host != "nameless1")
    }

    #[test]
    fn a_lone_process_is_rank_0_of_1() {
        let seat = of(&[]).unwrap();
        assert_eq!((seat.rank, seat.world), (0, 1));
    }

    #[test]
    fn torchrun_goes_before_slurm() {
        let seat = of(&[
            ("RANK", "3"),
            ("WORLD_SIZE", "4"),
            ("LOCAL_RANK", "1"),
            ("MASTER_ADDR", "head"),
            ("MASTER_PORT", "1234"),
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "9"),
        ])
        .unwrap();
        assert_eq!((seat.rank, seat.world, seat.local_rank), (3, 4, 1));
        assert_eq!((seat.host.as_str(), seat.port), ("head", 1234));
    }

    #[test]
    fn slurm_gives_the_first_host_and_a_port_of_the_job() {
        let seat = of(&[
            ("SLURM_PROCID", "5"),
            ("SLURM_NTASKS", "16"),
            ("SLURM_LOCALID", "5"),
            ("SLURM_JOB_NODELIST", "nid[001234-001240,001300]"),
            ("SLURM_JOB_ID", "123456"),
        ])
        .unwrap();
        assert_eq!((seat.rank, seat.world, seat.local_rank), (5, 16, 5));
        assert_eq!((seat.host.as_str(), seat.port), ("nid001234", 23_456));
    }

    #[test]
    fn where_nodes_have_no_addresses_the_launching_node_serves() {
        let variables = |list| {
            [
                ("SLURM_PROCID", "1"),
                ("SLURM_NTASKS", "2"),
                ("SLURM_STEP_NODELIST", list),
                ("SLURM_LAUNCH_NODE_IPADDR", "10.0.0.7"),
            ]
        };
        assert_eq!(of(&variables("nameless[1-2]")).unwrap().host, "10.0.0.7");
        assert_eq!(of(&variables("n[1-2]")).unwrap().host, "n1");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(of(&[("RANK", "x"), ("WORLD_SIZE", "2")]), Err(SeatError::Value { .. })));
        assert!(matches!(of(&[("RANK", "1")]), Err(SeatError::Missing { .. })));
        assert!(matches!(of(&[("WORLD_SIZE", "2")]), Err(SeatError::Missing { .. })));
        assert!(matches!(of(&[("RANK", "2"), ("WORLD_SIZE", "2")]), Err(SeatError::Range { .. })));
        let port = [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_PORT", "99999")];
        assert!(matches!(of(&port), Err(SeatError::Value { .. })));
    }
}
