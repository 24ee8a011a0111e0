//! Whether a launcher (torchrun, Slurm, Open MPI, PMI) has started this process as one rank of several.

use crate::error::CliError;

/// One rank of a started world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Its number.
    pub(crate) rank: u32,
    /// How many there are.
    pub(crate) world: u32,
}

/// The variables of rank and world, in the worker's order of preference.
const LAUNCHERS: [(&str, &str); 4] = [
    ("RANK", "WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
];

/// The seat that the environment gives; none where this process is alone and starts the ranks itself.
///
/// Slurm sets its variables in every step and in a batch script too: with one task of one rank we are alone.
pub(crate) fn seat(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Seat>, CliError> {
    let number = |name: &str| -> Result<Option<u32>, CliError> {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| CliError::Environment { name: name.to_owned(), value })
    };
    for (rank_name, world_name) in LAUNCHERS {
        let Some(rank) = number(rank_name)? else { continue };
        let Some(world) = number(world_name)? else { continue };
        let explicit = rank_name == "RANK";
        if world > 1 && in_a_step(rank_name, variable) || explicit {
            if rank >= world {
                let value = rank.to_string();
                return Err(CliError::Environment { name: rank_name.to_owned(), value });
            }
            return Ok(Some(Seat { rank, world }));
        }
    }
    Ok(None)
}

/// A Slurm batch script runs as process 0 of a job of many tasks, and is no rank: only `srun` makes ranks.
fn in_a_step(rank_name: &str, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let step = variable("SLURM_STEP_ID");
    // 4294967291 and on are Slurm's batch, extern and interactive steps.
    let special =
        step.as_deref().is_none_or(|id| id.parse::<u64>().map_or(true, |id| id >= 4_294_967_290));
    rank_name != "SLURM_PROCID" || !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Seat>, CliError> {
        seat(&|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn launchers_are_recognised() {
        let two = Some(Seat { rank: 1, world: 2 });
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&[("RANK", "1"), ("WORLD_SIZE", "2"), ("SLURM_PROCID", "0")]).unwrap(), two);
        let slurm = [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2"), ("SLURM_STEP_ID", "0")];
        assert_eq!(of(&slurm).unwrap(), two);
        assert_eq!(of(&[("PMI_RANK", "1"), ("PMI_SIZE", "2")]).unwrap(), two);
        let mpi = [("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")];
        assert_eq!(of(&mpi).unwrap(), two);
    }

    #[test]
    fn a_batch_script_is_no_rank() {
        let batch = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "2")];
        assert_eq!(of(&batch).unwrap(), None);
        let step = ("SLURM_STEP_ID", "4294967291");
        assert_eq!(of(&[batch[0], batch[1], step]).unwrap(), None);
        let one = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1"), ("SLURM_STEP_ID", "0")];
        assert_eq!(of(&one).unwrap(), None);
    }

    #[test]
    fn nonsense_is_named() {
        for bad in [[("RANK", "x"), ("WORLD_SIZE", "2")], [("RANK", "2"), ("WORLD_SIZE", "2")]] {
            assert!(matches!(of(&bad), Err(CliError::Environment { .. })), "{bad:?}");
        }
    }
}
