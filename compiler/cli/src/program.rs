//! A file on the command line to a plan: a `.mmc` source is compiled, a `.yaml` plan is read and checked.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use mmc_core::diagnostics::{Diagnostics, Finding};
use mmc_core::index::CorpusIndex;
use mmc_core::ir::experiment::Experiment;
use mmc_core::resolve::resolve;
use mmc_core::world::World;
use mmc_core::{Compilation, Options, Watch};
use mmc_plan::Plan;
use mmc_syntax::SourceMap;

use crate::configuration::{self, Configuration};
use crate::disk::Disk;
use crate::error::{At as _, CliError, Exit, Stop};
use crate::findings::Findings;
use crate::indexed::Compared;

/// Steps that are played through when a plan comes from a file.
const REPLAYED: u64 = 20;

/// The experiment that a command works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProgramArguments {
    /// Experiment (`.mmc`) or plan (`.yaml`)
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
}

/// What a compilation depends on besides the source.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SourceArguments {
    /// Value of a `param` of the file
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) params: Vec<(String, String)>,
    /// Take corpora and tokenizers from this index (see `mmc index`) and not from the disk
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,
    /// Read every corpus file again, whatever is known of it; with `--index`, compare contents and not sizes alone
    #[arg(long)]
    pub(crate) verify: bool,
}

/// A compilation with its findings in order.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// None: there are errors.
    pub(crate) plan: Option<Plan>,
    /// In order.
    pub(crate) findings: Findings,
    /// What every stage made, if asked for.
    pub(crate) stages: Vec<mmc_core::StageText>,
    /// What the plan was made from.
    pub(crate) rest: Rest,
}

/// What a plan was made from: of a million tasks it takes a while to free it, which a process that ends may leave.
pub(crate) type Rest = Vec<Box<dyn Any>>;

impl ProgramArguments {
    /// The plan of the file. Findings are shown; without a plan everything is said already.
    pub(crate) fn plan(&self) -> Result<Plan, Stop> {
        self.plan_watched(Watch::default()).map(|(plan, _)| plan)
    }

    /// The same, with what it was made from; `watch` is told of every end of a stage.
    pub(crate) fn plan_watched(&self, watch: Watch<'_>) -> Result<(Plan, Rest), Stop> {
        if is_plan(&self.file) {
            if !self.source.params.is_empty() || self.source.index.is_some() {
                let message = format!("`{}` is a plan: everything is decided", self.file.display());
                let help = "`-p` and `--index` go with a `.mmc` file".to_owned();
                return Err(CliError::Usage { message, help }.into());
            }
            return read_plan(&self.file).map(|plan| (plan, Rest::default()));
        }
        self.source.compile(&self.file, &Options { watch, ..Options::default() })?.shown()
    }
}

impl SourceArguments {
    /// Compiles a source.
    pub(crate) fn compile(&self, file: &Path, options: &Options<'_>) -> Result<Compiled, Stop> {
        Ok(self.compile_and(file, options, |_| (Vec::new(), ()))?.0)
    }

    /// Compiles a source, and does something with what came of it, whose findings join the others.
    pub(crate) fn compile_and<T>(
        &self,
        file: &Path,
        options: &Options<'_>,
        then: impl FnOnce(&Compilation) -> (Vec<Finding>, T),
    ) -> Result<(Compiled, Option<T>), Stop> {
        let (disk, index) = (Disk::new(self.verify), self.read_index()?);
        if let Watch(Some(ended)) = options.watch {
            ended("index");
        }
        let compared = index.as_ref().map(|index| Compared::new(index, &disk, self.verify));
        let world = compared.as_ref().map_or(&disk as &dyn World, |world| world);
        let mut compiled = compile_any(file, &self.params, world, &disk, options, then)?;
        compiled.0.rest.push(Box::new(index));
        Ok(compiled)
    }

    /// Resolves a source without planning it. Findings are shown; without an experiment everything is said already.
    pub(crate) fn resolve(&self, file: &Path) -> Result<Experiment, Stop> {
        let (disk, index) = (Disk::new(self.verify), self.read_index()?);
        let compared = index.as_ref().map(|index| Compared::new(index, &disk, self.verify));
        let world = compared.as_ref().map_or(&disk as &dyn World, |world| world);
        let entry = readable(file)?;
        let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::default());
        let mut resolved =
            |world: &dyn World| resolve(entry, &self.params, world, &mut sources, &mut diagnostics);
        let (found, configuration) = if configuration::is_one(file) {
            let configuration = Configuration::read(file)?.map_err(|findings| {
                findings.show();
                Stop::Said(Exit::FINDINGS)
            })?;
            let found = resolved(&configuration.over(world));
            (found, Some(configuration))
        } else {
            (resolved(world), None)
        };
        disk.keep();
        let findings = diagnostics.into_findings();
        let (findings, sources) = match configuration {
            Some(configuration) => configuration.relocate(findings, sources),
            None => (findings, sources),
        };
        Findings::new(findings, sources).show();
        found.map_err(|_| Stop::Said(Exit::FINDINGS))
    }

    fn read_index(&self) -> Result<Option<CorpusIndex>, Stop> {
        let Some(path) = &self.index else { return Ok(None) };
        let text = fs::read_to_string(path).reading(path)?;
        let index = CorpusIndex::from_yaml(&text).map_err(|fault| CliError::BadIndex {
            path: path.clone(),
            reason: fault.to_string(),
        })?;
        Ok(Some(index))
    }
}

impl Compiled {
    /// Shows the findings, and gives the plan if there is one.
    pub(crate) fn shown(self) -> Result<(Plan, Rest), Stop> {
        self.findings.show();
        Ok((self.plan.ok_or(Stop::Said(Exit::FINDINGS))?, self.rest))
    }
}

/// Compiles a source, or the experiment of a MAMMOTH configuration, and does something with what came of it, whose findings
/// join the others. Those of a configuration are about it.
pub(crate) fn compile_any<T>(
    file: &Path,
    params: &[(String, String)],
    world: &dyn World,
    disk: &Disk,
    options: &Options<'_>,
    then: impl FnOnce(&Compilation) -> (Vec<Finding>, T),
) -> Result<(Compiled, Option<T>), Stop> {
    let configuration = if configuration::is_one(file) {
        match Configuration::read(file)? {
            Ok(configuration) => Some(configuration),
            Err(findings) => {
                let (stages, rest) = (Vec::new(), Rest::default());
                return Ok((Compiled { plan: None, findings, stages, rest }, None));
            }
        }
    } else {
        None
    };
    let compilation = match &configuration {
        Some(configuration) => compile(file, params, &configuration.over(world), disk, options)?,
        None => compile(file, params, world, disk, options)?,
    };
    let (more, done) = then(&compilation);
    let Compilation { plan, made, experiment, mut findings, sources, stages } = compilation;
    let rest: Rest = vec![Box::new(experiment), Box::new(made)];
    findings.extend(more);
    let (findings, sources) = match configuration {
        Some(configuration) => configuration.relocate(findings, sources),
        None => (findings, sources),
    };
    Ok((Compiled { plan, findings: Findings::new(findings, sources), stages, rest }, Some(done)))
}

/// Compiles against a world that asks `disk`, and keeps what the disk has learnt.
pub(crate) fn compile(
    file: &Path,
    params: &[(String, String)],
    world: &dyn World,
    disk: &Disk,
    options: &Options<'_>,
) -> Result<Compilation, Stop> {
    let entry = readable(file)?;
    let compilation = mmc_core::compile(entry, params, world, options);
    disk.keep();
    Ok(compilation)
}

/// The path of a source. A file that isn't there is wrong usage, not a finding in it.
fn readable(file: &Path) -> Result<&str, Stop> {
    fs::File::open(file).reading(file)?;
    let entry = file.to_str().ok_or_else(|| CliError::Usage {
        message: format!("the path `{}` is not UTF-8", file.display()),
        help: "rename the file".to_owned(),
    })?;
    Ok(entry)
}

/// Whether a file is a plan: YAML by its name that has none of the keys of a MAMMOTH configuration.
pub(crate) fn is_plan(path: &Path) -> bool {
    const KEYS: [&str; 3] = ["config_config:", "src_vocab:", "tgt_vocab:"];
    configuration::is_yaml(path)
        && !fs::read_to_string(path)
            .is_ok_and(|text| text.lines().any(|line| KEYS.iter().any(|key| line.starts_with(key))))
}

/// Reads a plan and checks it with the code that shares nothing with the planner.
pub(crate) fn read_plan(path: &Path) -> Result<Plan, Stop> {
    let plan = Plan::from_path(path)?;
    if let Err(violations) = mmc_plan::verify::verify(&plan) {
        for violation in &violations {
            crate::report::show(violation);
        }
        return Err(Stop::Said(Exit::UNUSABLE));
    }
    mmc_plan::replay::replay(&plan, REPLAYED)?;
    Ok(plan)
}

/// Reads `NAME=VALUE`.
pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected NAME=VALUE".to_owned()),
    }
}
