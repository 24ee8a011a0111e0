//! Where benchmarks train: a folder of their own with artificial text, and the programs in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::measure::Scratch;
use crate::fault::{Fault, While as _};
use crate::tools::run;
use crate::worker::{self, Programs};

/// A folder that goes when the benchmark ends, and the programs that work in it.
pub(super) struct Workplace {
    programs: Programs,
    scratch: Scratch,
}

impl Workplace {
    /// Builds the programs and writes text in four artificial languages to `synth/`.
    pub(super) fn new(name: &str) -> Result<Self, Fault> {
        let place = Self { programs: worker::build()?, scratch: Scratch::new(name)? };
        place.mmc(&["synth", "synth", "--families", "alpha=aa,ab", "beta=ba,bb"])?;
        Ok(place)
    }

    /// Runs `mmc` in the folder.
    pub(super) fn mmc(&self, arguments: &[&str]) -> Result<(), Fault> {
        let mut command = Command::new(&self.programs.mmc);
        command.current_dir(self.folder()).env("MMC_WORKER", &self.programs.worker);
        self.programs.torch.apply(&mut command);
        run(command.args(arguments))
    }

    /// Plans and trains an experiment on ranks of one thread: the texts of its plan and of its record.
    pub(super) fn train(&self, name: &str, experiment: &str) -> Result<[String; 2], Fault> {
        let plan = self.plan(name, experiment)?;
        self.mmc(&["run", &planned(name), "--output", name, "--threads", "1"])?;
        Ok([plan, self.read(&format!("{name}/events.jsonl"))?])
    }

    /// Plans an experiment: the plan's text.
    pub(super) fn plan(&self, name: &str, experiment: &str) -> Result<String, Fault> {
        let source = format!("{name}.mmc");
        fs::write(self.folder().join(&source), experiment).doing("writing an experiment")?;
        if !self.folder().join("synth/aa.json").exists() {
            self.mmc(&["tokenizer", "train", &source])?;
        }
        self.mmc(&["plan", &source, "-o", &planned(name)])?;
        self.read(&planned(name))
    }

    /// A file of the folder.
    pub(super) fn read(&self, name: &str) -> Result<String, Fault> {
        fs::read_to_string(self.folder().join(name)).doing(format_args!("reading {name}"))
    }

    fn folder(&self) -> &Path {
        self.scratch.path()
    }
}

fn planned(name: &str) -> String {
    format!("{name}.yaml")
}

/// The number behind the first occurrence of a name.
pub(super) fn number(text: &str, name: &str) -> Option<f64> {
    let (_, rest) = text.split_once(name)?;
    rest.split([',', '\n', '}']).next()?.trim().parse().ok()
}
