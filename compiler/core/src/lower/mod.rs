//! Placement -> plan: ranks, communicators and estimates, in names and in canonical order. Nothing is decided here that
//! could have been decided differently.

mod communicators;
mod estimates;
mod ranks;
mod turns;

use std::collections::BTreeMap;

use mmc_plan::plan::FORMAT;
use mmc_plan::{
    Coupling, CurriculumSpec, LaneCourse, LaneOrder, LanguageSpec, ModuleSpec, Plan, Synchronised,
    TaskSpec,
};

use crate::cost::summed_bytes;
use crate::ir::experiment::Experiment;
use crate::ir::ids::ModuleId;
use crate::ir::module::ModuleGraph;
use crate::ir::placement::Placement;
use crate::ir::task::TaskTable;

/// Makes the plan, with its digest.
pub fn lower(
    experiment: &Experiment,
    table: &TaskTable,
    graph: &ModuleGraph,
    placement: Placement,
) -> Plan {
    let mut plan = Plan {
        format: FORMAT,
        digest: String::new(),
        experiment: experiment.spec.clone(),
        languages: languages(experiment, table),
        vocabularies: table.vocabularies.clone(),
        model: experiment.model.clone(),
        modules: modules(graph),
        tasks: BTreeMap::new(),
        training: experiment.training.value.clone(),
        curriculum: curriculum(experiment, table, placement.courses),
        synchronised: None,
        lanes: placement.lanes,
        cluster: experiment.cluster.value.clone(),
        ranks: Vec::new(),
        communicators: Vec::new(),
        placement: placement.quality,
        totals: mmc_plan::Estimate::default(),
    };
    for (row, path) in table.tasks.iter().zip(&graph.paths) {
        let name = |id: ModuleId| Some(graph.module(id)?.name.clone());
        let names = |ids: &[ModuleId]| ids.iter().filter_map(|id| name(*id)).collect();
        let task = TaskSpec {
            kind: row.kind,
            source: row.source.clone(),
            target: row.target.clone(),
            share: row.share,
            corpus: row.corpus.clone(),
            transforms: row.transforms.clone(),
            source_vocabulary: row.source_vocabulary.clone(),
            target_vocabulary: row.target_vocabulary.clone(),
            encoder: names(&path.encoder),
            bridge: path.bridge.and_then(name),
            decoder: names(&path.decoder),
            adapters: path
                .adapters
                .iter()
                .filter_map(|(stack, inside)| Some((name(*stack)?, names(inside))))
                .collect(),
        };
        plan.tasks.insert(row.name.clone(), task);
    }
    plan.ranks = ranks::ranks(&plan, &placement.rank_of_lane);
    plan.communicators = communicators::communicators(&plan);
    let names = |order: &Vec<usize>| -> Vec<String> {
        order.iter().filter_map(|&at| Some(table.tasks.get(at)?.name.clone())).collect()
    };
    let orders: Vec<Vec<String>> = placement.orders.iter().map(names).collect();
    plan.synchronised = synchronised(&plan, &orders);
    if plan.curriculum.schedule == Coupling::Aligned {
        plan.curriculum.orders = orders.into_iter().map(|tasks| LaneOrder { tasks }).collect();
    }
    estimates::fill(&mut plan, graph);
    plan.digest = plan.mathematics_digest();
    plan
}

/// Bytes of gradients that all communicators sum in a step, for lanes in these orders; none without communicators.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, rounded, not negative"
)]
fn synchronised(plan: &Plan, orders: &[Vec<String>]) -> Option<Synchronised> {
    if plan.communicators.is_empty() {
        return None;
    }
    let orders: Vec<Vec<&str>> =
        orders.iter().map(|order| order.iter().map(String::as_str).collect()).collect();
    let bytes = |coupling| {
        let trained = turns::trained(plan, coupling, &orders);
        let modules = plan.communicators.iter().flat_map(|spec| &spec.modules);
        let elements = modules.map(|name| {
            let parameters = plan.modules.get(name).map_or(0, |module| module.parameters + 1);
            parameters as f64 * trained.get(name.as_str()).copied().unwrap_or(0.0)
        });
        let width = summed_bytes(plan.training.precision) as f64;
        libm::round(elements.sum::<f64>() * width) as u64
    };
    Some(Synchronised {
        independent: bytes(Coupling::Independent),
        aligned: bytes(Coupling::Aligned),
    })
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
    let mut languages: BTreeMap<String, LanguageSpec> = BTreeMap::new();
    for row in &table.tasks {
        for language in [&row.source, &row.target] {
            languages.entry(language.clone()).or_default();
        }
    }
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
            };
            (row.name.clone(), spec)
        })
        .collect()
}
