//! The pipeline: all stages in order, what they reported, and on request what each made.

use std::collections::BTreeMap;
use std::fmt;

use mmc_plan::Plan;
use mmc_plan::replay::replay;
use mmc_plan::verify::examine;
use mmc_syntax::source::SourceMap;

use crate::diagnostics::{Diagnostics, Finding, Halt};
use crate::ir::experiment::{Experiment, LintLevel};
use crate::ir::module::{ModuleGraph, Program};
use crate::ir::print;
use crate::ir::task::TaskTable;
use crate::place::Care;
use crate::resolve::ClusterChange;
use crate::world::World;
use crate::{build, lint, lower, passes, place, resolve};

/// Steps that the replay of a fresh plan plays; the schedule's laws do not depend on the step.
const REPLAYED_STEPS: u64 = 50;

/// A stage, as `mmc passes` lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Its name, for `--emit-stage`.
    pub name: &'static str,
    /// What it turns into what.
    pub why: &'static str,
}

/// The stages in order. The passes ([`passes::PASSES`]) run between `modules` and `place`.
pub static STAGES: &[Stage] = &[
    Stage {
        name: "resolve",
        why: "source to experiment: names bound, values checked and defaulted",
    },
    Stage { name: "tasks", why: "experiment to task table: files, vocabularies and shares" },
    Stage { name: "modules", why: "task table to module graph: one module per sharing id" },
    Stage { name: "place", why: "module graph to placement: tasks on lanes, lanes on ranks" },
    Stage { name: "lower", why: "placement to plan: ranks, communicators, estimates" },
];

/// What to keep besides the plan, what the command line says of lints, and who watches.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Keep the text of every stage and pass.
    pub trace: bool,
    /// Levels of lints by code, over those of the file.
    pub levels: BTreeMap<String, LintLevel>,
    /// Another value of one field of the cluster than the file's.
    pub cluster: Option<ClusterChange>,
    /// Place as it comes: for findings, when the plan is not wanted.
    pub sketch: bool,
    /// Is told of every end.
    pub watch: Watch<'a>,
}

/// Is told the name of every stage, pass and check when it has ended: the stages have no clock of their own.
#[derive(Clone, Copy, Default)]
pub struct Watch<'a>(pub Option<&'a dyn Fn(&'static str)>);

impl Watch<'_> {
    fn ended(self, name: &'static str) {
        if let Some(told) = self.0 {
            told(name);
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "watched" } else { "unwatched" })
    }
}

/// What a stage or pass made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageText {
    /// Name of the stage or pass.
    pub name: &'static str,
    /// Why it runs.
    pub why: &'static str,
    /// What it made; for a pass that changed nothing the same as before.
    pub text: String,
}

/// Tasks and modules by number, from which a plan was made.
#[derive(Debug)]
pub struct Made {
    /// Tasks.
    pub table: TaskTable,
    /// Modules, and the tasks' ways through them.
    pub graph: ModuleGraph,
}

/// A finished compilation.
#[derive(Debug)]
pub struct Compilation {
    /// The plan; none when an error was found.
    pub plan: Option<Plan>,
    /// What it was made from.
    pub made: Option<Made>,
    /// The resolved program; none when an error was found in it.
    pub experiment: Option<Experiment>,
    /// All findings in the order of their discovery.
    pub findings: Vec<Finding>,
    /// The files that were read; findings point into them.
    pub sources: SourceMap,
    /// With [`Options::trace`]: what every stage made, as far as it came.
    pub stages: Vec<StageText>,
}

/// Compiles a file and all that it imports to a plan.
///
/// `params` are the `-p name=value` of the command line.
pub fn compile(
    entry: &str,
    params: &[(String, String)],
    world: &dyn World,
    options: &Options<'_>,
) -> Compilation {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::default());
    let care = if options.sketch { Care::Sketch } else { Care::Plan };
    let mut trace = Trace { on: options.trace, stages: Vec::new(), watch: options.watch, care };
    let experiment = resolve::resolve(entry, params, world, &mut sources, &mut diagnostics);
    let mut experiment = experiment.ok();
    let planned = experiment.as_mut().and_then(|experiment| {
        experiment.lints.extend(options.levels.clone());
        if let Some(change) = &options.cluster {
            change.apply(&mut experiment.cluster.value);
        }
        plan(experiment, world, &mut diagnostics, &mut trace).ok()
    });
    let findings = diagnostics.into_findings();
    let (plan, made) = planned.unzip();
    Compilation { plan, made, experiment, findings, sources, stages: trace.stages }
}

/// Makes the plan of a resolved program.
pub fn plan_experiment(
    experiment: &Experiment,
    world: &dyn World,
    diagnostics: &mut Diagnostics,
) -> Result<Plan, Halt> {
    let watch = Watch::default();
    let mut trace = Trace { on: false, stages: Vec::new(), watch, care: Care::Plan };
    plan(experiment, world, diagnostics, &mut trace).map(|(plan, _)| plan)
}

fn plan(
    experiment: &Experiment,
    world: &dyn World,
    diagnostics: &mut Diagnostics,
    trace: &mut Trace<'_>,
) -> Result<(Plan, Made), Halt> {
    trace.stage("resolve", || print::experiment(experiment));
    let table = build::expand_tasks(experiment, world, diagnostics)?;
    trace.stage("tasks", || print::tasks(&table));
    let graph = build::build_modules(experiment, &table, diagnostics)?;
    trace.stage("modules", || print::modules(&graph, &table));
    let program = Program { experiment, table: &table };
    let graph = passes::run(graph, &program, diagnostics, &mut |pass, graph| {
        trace.add(pass.name, pass.why, || print::modules(graph, &table));
    })?;
    let placement = place::place(experiment, &table, &graph, trace.care, diagnostics)?;
    trace.stage("place", || print::placement(&placement));
    let mut plan = match trace.care {
        Care::Plan => lower::lower(experiment, &table, &graph, placement),
        Care::Sketch => lower::outline(experiment, &table, &graph, placement),
    };
    if trace.on {
        plan.digest = plan.mathematics_digest();
    }
    trace.stage("lower", || plan.to_yaml());
    // A sketch is never run.
    if trace.care == Care::Plan {
        check(&mut plan, diagnostics, trace.watch)?;
    }
    lint::run(
        &lint::Subject { experiment, table: &table, graph: &graph, plan: &plan, world },
        diagnostics,
    );
    trace.watch.ended("lint");
    diagnostics.checkpoint()?;
    Ok((plan, Made { table, graph }))
}

/// The plan by the rules of code that shares nothing with the planner: a violation is our fault, and is told as such. The plan
/// gets its digest.
fn check(plan: &mut Plan, diagnostics: &mut Diagnostics, watch: Watch<'_>) -> Result<(), Halt> {
    let (digest, violations) = examine(plan);
    plan.digest = digest;
    for violation in violations {
        diagnostics.report(violation);
    }
    watch.ended("verify");
    diagnostics.checkpoint()?;
    let played = replay(plan, REPLAYED_STEPS);
    watch.ended("replay");
    played.map(drop).map_err(|fault| diagnostics.halt(fault))
}

struct Trace<'a> {
    care: Care,
    on: bool,
    stages: Vec<StageText>,
    watch: Watch<'a>,
}

impl Trace<'_> {
    fn stage(&mut self, name: &'static str, text: impl FnOnce() -> String) {
        let why = STAGES.iter().find(|stage| stage.name == name).map_or("", |stage| stage.why);
        self.add(name, why, text);
    }

    fn add(&mut self, name: &'static str, why: &'static str, text: impl FnOnce() -> String) {
        self.watch.ended(name);
        if self.on {
            self.stages.push(StageText { name, why, text: text() });
        }
    }
}
