//! Nodes, GPUs, and which task runs where: the plan's own lanes where they hold whole tasks, else whole tasks by MAMMOTH's cost.

use std::collections::BTreeMap;

use mmc_core::ir::experiment::Experiment;
use mmc_plan::{Device, Plan, Sharing};
use mmc_syntax::SourceMap;

use super::draft::{Draft, text, whole};
use super::error::EmitFault;
use super::settings;
use super::tasks::Entry;
use crate::job::OPTIONS;
use crate::stage;
use crate::yaml::{Tree, Value};

/// A share that is off by less than this, as a part of itself, isn't worth a word.
const NEAR: f64 = 0.01;

/// Writes `n_nodes`, `world_size`, `gpu_ranks` and every task's `node_gpu`.
pub(super) fn write(entries: &[Entry], sources: &SourceMap, draft: &mut Draft<'_>) {
    let cluster = &draft.experiment.cluster.value;
    let devices = cluster.nodes * cluster.devices_per_node;
    let lanes = draft.experiment.lane_count();
    if lanes != devices {
        let span =
            draft.experiment.lanes.as_ref().map_or(draft.experiment.cluster.span, |at| at.span);
        let help = format!(
            "MAMMOTH runs one task a GPU in every step: `lanes = {devices}`, or a cluster of {lanes} GPUs"
        );
        draft.no_equal(format!("{lanes} lanes on {devices} devices"), span, &help);
        return;
    }
    if cluster.device == Device::Cpu {
        // One process without a GPU, as `extra_cpu` leaves it.
        draft.top("n_nodes", whole(1));
        if devices > 1 {
            let help = "MAMMOTH trains in one process without GPUs: `ranks = 1`";
            draft.no_equal(
                format!("{devices} processes without GPUs"),
                draft.experiment.cluster.span,
                help,
            );
        }
        return;
    }
    if entries.len() < devices as usize {
        let help = "MAMMOTH needs a task for every GPU: take fewer GPUs, or cut tasks into strided copies, `curriculum { split = into(2) }`";
        let what = format!("{devices} GPUs for {} tasks", entries.len());
        draft.no_equal(what, draft.experiment.cluster.span, help);
        return;
    }
    if !whole_lanes(entries, draft) {
        allocated(sources, draft);
        moved_shares(entries, draft);
    }
}

/// The plan's lanes, if each holds whole tasks that start at once.
fn whole_lanes(entries: &[Entry], draft: &mut Draft<'_>) -> bool {
    let (plan, tree) = (draft.plan, &draft.tree);
    let starts = entries.iter().all(|entry| {
        let start = tree.get(entry.id, "introduce_at_training_step");
        start.and_then(|id| tree.int(id)) == Some(0)
    });
    let mut lanes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (lane, spec) in plan.lanes.iter().enumerate() {
        for task in spec.tasks.keys() {
            lanes.entry(task).or_default().push(lane);
        }
    }
    let of = |entry: &Entry| lanes.get(entry.name.as_str()).map_or(&[][..], Vec::as_slice);
    if !starts || !entries.iter().all(|entry| of(entry).len() == entry.copies as usize) {
        return false;
    }
    let rank_of = |lane: usize| {
        plan.ranks.iter().find(|rank| rank.lanes.iter().any(|other| *other as usize == lane))
    };
    for entry in entries {
        let lane = of(entry).get(entry.copy as usize).copied().unwrap_or_default();
        let Some(rank) = rank_of(lane) else { return false };
        let place = format!("{}:{}", rank.node, rank.device);
        let span = draft.tree.span(entry.id);
        let place = draft.tree.add(text(&place), span);
        draft.tree.set(entry.id, "node_gpu", place);
    }
    let cluster = &draft.experiment.cluster.value;
    draft.top("n_nodes", whole(cluster.nodes));
    draft.top("world_size", whole(cluster.nodes * cluster.devices_per_node));
    let ranks = draft.list((0..cluster.devices_per_node).map(whole));
    draft.top("gpu_ranks", ranks);
    true
}

/// Whole tasks on GPUs, by the stage of MAMMOTH's own tool.
fn allocated(sources: &SourceMap, draft: &mut Draft<'_>) {
    let cluster = &draft.experiment.cluster.value;
    let root = draft.tree.root();
    let options = draft.map(root, OPTIONS, draft.place("curriculum", "introduce"));
    draft.put(options, "n_nodes", whole(cluster.nodes));
    draft.put(options, "n_gpus_per_node", whole(cluster.devices_per_node));
    let groups = draft.map(options, "groups", draft.experiment.cluster.span);
    for (language, group) in groups_of(draft.experiment, draft.plan) {
        let group = settings::group(&group, draft);
        draft.put(groups, &language, text(&group));
    }
    let tree = std::mem::take(&mut draft.tree);
    let (tree, findings) = stage::allocate(tree, sources);
    draft.tree = tree;
    for finding in findings {
        draft.sink.take(finding);
    }
}

/// Languages with the groups that count: those of a grouping that stacks are shared by.
fn groups_of(experiment: &Experiment, plan: &Plan) -> BTreeMap<String, String> {
    let stacks = experiment.model.encoder.iter().chain(&experiment.model.decoder);
    let mut used = stacks.filter_map(|stack| match &stack.sharing {
        Sharing::SourceGroup(grouping) | Sharing::TargetGroup(grouping) => Some(grouping),
        Sharing::Full
        | Sharing::SourceLanguage
        | Sharing::TargetLanguage
        | Sharing::Task
        | Sharing::Pair
        | Sharing::Vocabulary
        | Sharing::None => None,
    });
    let name = used.next().map_or("groups", String::as_str);
    let grouping = experiment.groupings.iter().find(|grouping| grouping.name == name);
    let group = |language: &String| {
        let group = grouping.and_then(|grouping| grouping.group_of.get(language));
        (language.clone(), group.unwrap_or(language).clone())
    };
    plan.languages.keys().map(group).collect()
}

/// Says how far shares go from those of the plan, as each GPU draws among its own tasks.
fn moved_shares(entries: &[Entry], draft: &mut Draft<'_>) {
    let tree = &draft.tree;
    let place = |entry: &Entry| tree.get(entry.id, "node_gpu").and_then(|id| tree.text(id));
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for entry in entries {
        *sums.entry(place(entry).unwrap_or_default()).or_default() += weight(tree, entry);
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of GPUs")]
    let gpus = sums.len() as f64;
    let mut found: BTreeMap<&str, f64> = BTreeMap::new();
    for entry in entries {
        let sum = sums.get(place(entry).unwrap_or_default()).copied().unwrap_or(1.0);
        *found.entry(&entry.name).or_default() += weight(tree, entry) / sum / gpus;
    }
    #[expect(clippy::cast_precision_loss, reason = "parts per billion")]
    let wanted =
        |name: &str| draft.plan.tasks.get(name).map_or(1.0, |task| task.share as f64 / 1e9);
    let off = |name: &str, share: f64| (share / wanted(name)).ln().abs();
    let worst = found.iter().max_by(|a, b| off(a.0, *a.1).total_cmp(&off(b.0, *b.1)));
    let Some((name, share)) = worst.filter(|(name, share)| off(name, **share) > NEAR) else {
        return;
    };
    let percent = |share: f64| format!("{:.2}", share * 100.0);
    let fault = EmitFault::SharesMove {
        task: (*name).to_owned(),
        found: percent(*share),
        wanted: percent(wanted(name)),
        span: draft.place("curriculum", "weight"),
    };
    draft.sink.report(fault);
}

fn weight(tree: &Tree, entry: &Entry) -> f64 {
    match tree.get(entry.id, "weight").map(|id| tree.value(id)) {
        Some(Value::Float(weight)) => *weight,
        _ => 1.0,
    }
}
