//! Placement -> plan: ranks, communicators and estimates, in names and in canonical order. Nothing is decided here that
//! could have been decided differently.

mod communicators;
mod estimates;
mod lanes;
mod ranks;
mod turns;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::ptr;

use mmc_plan::plan::FORMAT;
use mmc_plan::{
    Coupling, CurriculumSpec, LaneCourse, LaneOrder, LanguageSpec, ModuleSpec, Plan, Shared,
    Synchronised, TaskSpec, stretch,
};

use lanes::Lanes;

use crate::cost::summed_bytes;
use crate::ir::experiment::Experiment;
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, TaskPath};
use crate::ir::placement::Placement;
use crate::ir::task::{TaskRow, TaskTable};

/// Tasks that are put into names in one go; their lists are shared.
const STRETCH: usize = 65_536;

/// Makes the plan; its digest is taken when it is checked.
pub fn lower(
    experiment: &Experiment,
    table: &TaskTable,
    graph: &ModuleGraph,
    mut placement: Placement,
) -> Plan {
    let orders = std::mem::take(&mut placement.orders);
    let (mut plan, on) = mapped(experiment, table, graph, placement);
    // Independent lanes may draw in any order.
    let natural = on.orders();
    let trained = |coupling, orders| turns::trained(&plan, &on, coupling, orders);
    let (independent, aligned) = stretch::both(
        on.are_long(),
        || trained(Coupling::Independent, &natural),
        || trained(Coupling::Aligned, &orders),
    );
    plan.synchronised = synchronised(&plan, &independent, &aligned);
    let trained = match plan.curriculum.schedule {
        Coupling::Independent => &independent,
        Coupling::Aligned => {
            let names = |order: &Vec<usize>| LaneOrder {
                tasks: order.iter().filter_map(|&at| Some(on.row(at)?.name.clone())).collect(),
            };
            plan.curriculum.orders = orders.iter().map(names).collect();
            &aligned
        }
    };
    estimates::fill(&mut plan, &on, trained);
    plan
}

/// A plan to find faults in and not to run: it knows the ranks' memory, but not how often they talk, and has no digest.
pub fn outline(
    experiment: &Experiment,
    table: &TaskTable,
    graph: &ModuleGraph,
    placement: Placement,
) -> Plan {
    let (mut plan, on) = mapped(experiment, table, graph, placement);
    estimates::fill(&mut plan, &on, &BTreeMap::new());
    plan
}

/// A plan without estimates, and its lanes by number.
fn mapped<'a>(
    experiment: &Experiment,
    table: &'a TaskTable,
    graph: &'a ModuleGraph,
    placement: Placement,
) -> (Plan, Lanes<'a>) {
    let mut plan = Plan {
        format: FORMAT,
        digest: String::new(),
        experiment: experiment.spec.clone(),
        languages: languages(experiment, table),
        vocabularies: table.vocabularies.clone(),
        model: experiment.model.clone(),
        modules: modules(graph),
        tasks: tasks(table, graph),
        training: experiment.training.value.clone(),
        curriculum: curriculum(experiment, table, placement.courses),
        synchronised: None,
        lanes: placement.lanes,
        cluster: experiment.cluster.value.clone(),
        ranks: Vec::new(),
        communicators: Vec::new(),
        placement: placement.quality,
        totals: mmc_plan::Estimate::default(),
        run: None,
    };
    let on = Lanes::new(table, graph, &plan.lanes, placement.tasks);
    plan.ranks = ranks::ranks(&plan, &on, &placement.rank_of_lane);
    plan.communicators = communicators::communicators(&plan);
    (plan, on)
}

/// The tasks with their ways in names.
fn tasks(table: &TaskTable, graph: &ModuleGraph) -> BTreeMap<String, TaskSpec> {
    let rows: Vec<(&TaskRow, &TaskPath)> = table.tasks.iter().zip(&graph.paths).collect();
    let mut all = Vec::with_capacity(rows.len());
    let made: Result<(), Infallible> = stretch::in_order(
        &rows,
        STRETCH,
        |rows| specs(rows, graph),
        |specs| {
            all.extend(specs);
            Ok(())
        },
    );
    made.unwrap_or_else(|never| match never {});
    // In order of name: the map is made at once.
    all.into_iter().collect()
}

fn specs(rows: &[(&TaskRow, &TaskPath)], graph: &ModuleGraph) -> Vec<(String, TaskSpec)> {
    let name = |id: ModuleId| Some(graph.module(id)?.name.clone());
    let names = |ids: &[ModuleId]| ids.iter().filter_map(|id| name(*id)).collect::<Vec<_>>();
    // Tasks of one source have one encoder, those of one target one decoder, as a rule.
    let mut known: HashMap<*const Vec<ModuleId>, Shared<Vec<String>>> = HashMap::new();
    let mut specs = Vec::with_capacity(rows.len());
    for (row, path) in rows {
        let mut side = |ids: &Vec<ModuleId>| {
            known.entry(ptr::from_ref(ids)).or_insert_with(|| names(ids).into()).clone()
        };
        let spec = TaskSpec {
            kind: row.kind,
            source: row.source.clone(),
            target: row.target.clone(),
            share: row.share,
            corpus: row.corpus.clone(),
            transforms: row.transforms.clone(),
            source_vocabulary: row.source_vocabulary.clone(),
            target_vocabulary: row.target_vocabulary.clone(),
            encoder: side(&path.encoder),
            bridge: path.bridge.and_then(name),
            decoder: side(&path.decoder),
            adapters: path
                .adapters
                .iter()
                .filter_map(|(stack, inside)| Some((name(*stack)?, names(inside))))
                .collect(),
        };
        specs.push((row.name.clone(), spec));
    }
    specs
}

/// Bytes of gradients that all communicators sum in a step, when modules are trained in these parts of the steps by lanes that
/// are independent or aligned; none without communicators.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, rounded, not negative"
)]
fn synchronised(
    plan: &Plan,
    independent: &BTreeMap<&str, f64>,
    aligned: &BTreeMap<&str, f64>,
) -> Option<Synchronised> {
    if plan.communicators.is_empty() {
        return None;
    }
    let bytes = |trained: &BTreeMap<&str, f64>| {
        let modules = plan.communicators.iter().flat_map(|spec| &spec.modules);
        let elements = modules.map(|name| {
            let parameters = plan.modules.get(name).map_or(0, |module| module.parameters + 1);
            parameters as f64 * trained.get(name.as_str()).copied().unwrap_or(0.0)
        });
        let width = summed_bytes(plan.training.precision) as f64;
        libm::round(elements.sum::<f64>() * width) as u64
    };
    Some(Synchronised { independent: bytes(independent), aligned: bytes(aligned) })
}

/// The curriculum; plain when nothing changes over the run and lanes are independent.
fn curriculum(
    experiment: &Experiment,
    table: &TaskTable,
    lanes: Vec<LaneCourse>,
) -> CurriculumSpec {
    let rule = &experiment.curriculum.value;
    let (schedule, competence) = (rule.schedule, rule.competence.as_ref().map(|of| of.value));
    if table.windows.len() < 2 {
        return CurriculumSpec { schedule, competence, ..CurriculumSpec::default() };
    }
    let course = |at: usize| {
        table.windows.iter().filter_map(|window| window.shares.get(at).copied()).collect()
    };
    CurriculumSpec {
        schedule,
        competence,
        windows: table.windows.iter().map(|window| window.first).collect(),
        shares: table
            .tasks
            .iter()
            .enumerate()
            .map(|(at, row)| (row.name.clone(), course(at)))
            .collect(),
        lanes,
        orders: Vec::new(),
    }
}

/// The languages of the tasks, with their groups.
fn languages(experiment: &Experiment, table: &TaskTable) -> BTreeMap<String, LanguageSpec> {
    let spoken: HashSet<&String> =
        table.tasks.iter().flat_map(|row| [&row.source, &row.target]).collect();
    let mut languages: BTreeMap<String, LanguageSpec> =
        spoken.into_iter().map(|code| (code.clone(), LanguageSpec::default())).collect();
    for (language, spec) in &mut languages {
        for grouping in &experiment.groupings {
            if let Some(group) = grouping.group_of.get(language) {
                spec.groups.insert(grouping.name.clone(), group.clone());
            }
        }
    }
    languages
}

fn modules(graph: &ModuleGraph) -> BTreeMap<String, ModuleSpec> {
    graph
        .modules
        .iter()
        .map(|row| {
            let spec = ModuleSpec {
                kind: row.kind.clone(),
                parameters: row.parameters,
                frozen: row.frozen,
                optimizer: row.optimizer,
            };
            (row.name.clone(), spec)
        })
        .collect()
}
