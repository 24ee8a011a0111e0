//! Commands to what they cost: processor time of all their processes, and time on the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::fault::{Fault, While};
use crate::tools::{cargo, output, run, target};

/// Seconds that a command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Of processors, in user and kernel mode, all processes together.
    pub(crate) cpu: f64,
    /// Of the clock.
    pub(crate) wall: f64,
}

/// Runs a command silently and measures it. Linux counts in hundredths of a second.
pub(crate) fn cost(command: &mut Command) -> Result<Cost, Fault> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (before, began) = (of_children()?, Instant::now());
    let status = command.status().doing(format_args!("starting {command:?}"))?;
    let wall = began.elapsed().as_secs_f64();
    if !status.success() {
        return Err(Fault::new(format!("{command:?} failed: {status}")));
    }
    Ok(Cost { cpu: of_children()? - before, wall })
}

/// Processor seconds of all processes that we started and waited for.
fn of_children() -> Result<f64, Fault> {
    let stat = fs::read_to_string("/proc/self/stat").doing("reading /proc/self/stat")?;
    let per_second: f64 = number(output(Command::new("getconf").arg("CLK_TCK"))?.trim())?;
    // proc(5): `cutime` and `cstime` are fields 16 and 17; the name in brackets is the second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Result<Vec<f64>, Fault> = fields.skip(13).take(2).map(number).collect();
    Ok(ticks?.iter().sum::<f64>() / per_second)
}

fn number(word: &str) -> Result<f64, Fault> {
    word.parse().map_err(|_| Fault::new(format!("`{word}` is no number")))
}

/// Runs every command so many times, in turns, and gives each one's middle costs.
pub(crate) fn medians(
    times: usize,
    commands: &mut [Box<dyn FnMut() -> Result<Cost, Fault> + '_>],
) -> Result<Vec<Cost>, Fault> {
    let mut costs: Vec<Vec<Cost>> = commands.iter().map(|_| Vec::new()).collect();
    for _ in 0..times {
        for (command, costs) in commands.iter_mut().zip(&mut costs) {
            costs.push(command()?);
        }
    }
    let median = |costs: &Vec<Cost>| Cost {
        cpu: middle(costs.iter().map(|cost| cost.cpu)),
        wall: middle(costs.iter().map(|cost| cost.wall)),
    };
    Ok(costs.iter().map(median).collect())
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Builds `mmc` in the release profile.
pub(crate) fn mmc() -> Result<PathBuf, Fault> {
    run(cargo().args(["build", "--locked", "--release", "--bin", "mmc"]))?;
    Ok(target().join("release/mmc"))
}

/// A folder that is deleted with its content at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new one in the folder for temporary files.
    pub(crate) fn new(name: &str) -> Result<Self, Fault> {
        let path = std::env::temp_dir().join(format!("mmc-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).doing(format_args!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
