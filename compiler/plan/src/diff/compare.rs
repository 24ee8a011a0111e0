//! Compares two plans section by section. Every struct is taken apart without `..`, so that a new field must be compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::{Change, Subject, Value, What, curriculum, parts};
use crate::plan::{
    ClusterSpec, CommunicatorSpec, Estimate, ExperimentSpec, FoundSpec, LinkSpec, PlacementSpec,
    Plan, RankSpec, RunEstimate,
};
use crate::training::{CheckpointSpec, TrainingSpec};

/// Whose field is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) subject: Subject,
    pub(super) name: &'a str,
    pub(super) mathematics: bool,
}

impl<'a> Owner<'a> {
    /// Something that trained parameters depend on.
    pub(super) fn mathematics(subject: Subject, name: &'a str) -> Self {
        Self { subject, name, mathematics: true }
    }

    /// Something that they don't depend on.
    pub(super) fn other(subject: Subject, name: &'a str) -> Self {
        Self { subject, name, mathematics: false }
    }
}

/// The changes found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    changes: Vec<Change>,
}

impl Found {
    pub(super) fn add(&mut self, owner: Owner<'_>, what: What) {
        let Owner { subject, name, mathematics } = owner;
        self.changes.push(Change { subject, name: name.to_owned(), mathematics, what });
    }

    /// Compares one field.
    pub(super) fn field(
        &mut self,
        owner: Owner<'_>,
        field: &'static str,
        before: impl Into<Value>,
        after: impl Into<Value>,
    ) {
        let (before, after) = (before.into(), after.into());
        if before != after {
            self.add(owner, What::Changed { field, before, after });
        }
    }

    /// Compares a set.
    pub(super) fn members<T: Ord + ToString>(
        &mut self,
        owner: Owner<'_>,
        field: &'static str,
        before: &BTreeSet<T>,
        after: &BTreeSet<T>,
    ) {
        if before != after {
            let added = after.difference(before).map(T::to_string).collect();
            let removed = before.difference(after).map(T::to_string).collect();
            self.add(owner, What::Members { field, added, removed });
        }
    }

    /// Pairs two maps by name: reports what only one has and gives the pairs of the rest.
    pub(super) fn pairs<'a, T>(
        &mut self,
        subject: Subject,
        mathematics: bool,
        (before, after): (&'a BTreeMap<String, T>, &'a BTreeMap<String, T>),
        facts: impl Fn(&T) -> String,
    ) -> Vec<(&'a str, &'a T, &'a T)> {
        let owner = |name: &'a String| Owner { subject, name, mathematics };
        let mut both = Vec::new();
        for (name, first) in before {
            match after.get(name) {
                Some(second) => both.push((name.as_str(), first, second)),
                None => self.add(owner(name), What::Removed { facts: facts(first) }),
            }
        }
        for (name, second) in after {
            if !before.contains_key(name) {
                self.add(owner(name), What::Added { facts: facts(second) });
            }
        }
        both
    }
}

/// All changes, section by section.
pub(super) fn plans(before: &Plan, after: &Plan) -> Vec<Change> {
    let Plan {
        format,
        digest,
        experiment,
        languages,
        vocabularies,
        model,
        modules,
        tasks,
        training,
        curriculum: _,
        lanes,
        cluster,
        placement,
        ranks,
        communicators,
        synchronised,
        totals,
        run,
    } = before;
    let mut found = Found::default();
    let plan = Owner::other(Subject::Plan, "");
    found.field(plan, "format", *format, after.format);
    found.field(plan, "digest", digest, &after.digest);
    compare_experiment(&mut found, experiment, &after.experiment);
    parts::languages(&mut found, languages, &after.languages);
    parts::vocabularies(&mut found, vocabularies, &after.vocabularies);
    parts::model(&mut found, model, &after.model);
    parts::modules(&mut found, (modules, &after.modules), (before, after));
    parts::tasks(&mut found, (tasks, &after.tasks), (before, after));
    compare_training(&mut found, training, &after.training);
    curriculum::compare(&mut found, before, after);
    compare_lanes(&mut found, (lanes.len(), after.lanes.len()), (ranks, &after.ranks));
    let drops = model.drops() || after.model.drops();
    compare_cluster(&mut found, (cluster, &after.cluster), drops);
    compare_placement(&mut found, placement, &after.placement);
    compare_ranks(&mut found, ranks, &after.ranks);
    compare_communicators(&mut found, communicators, &after.communicators);
    curriculum::compare_synchronised(&mut found, *synchronised, after.synchronised);
    compare_estimate(&mut found, Owner::other(Subject::Totals, ""), totals, &after.totals);
    compare_run(&mut found, run.unwrap_or_default(), after.run.unwrap_or_default());
    if found.changes.is_empty() && before != after {
        // Lists that are sets by meaning, in another order or with repetitions; `verify` refuses such plans.
        found.field(plan, "order of lists", "as it was", "another");
    }
    found.changes
}

fn compare_experiment(found: &mut Found, before: &ExperimentSpec, after: &ExperimentSpec) {
    let ExperimentSpec { name, about, seed, output } = before;
    let owner = Owner::other(Subject::Experiment, "");
    found.field(owner, "name", name, &after.name);
    found.field(owner, "about", about, &after.about);
    found.field(Owner::mathematics(Subject::Experiment, ""), "seed", *seed, after.seed);
    found.field(owner, "output", output, &after.output);
}

fn compare_training(found: &mut Found, before: &TrainingSpec, after: &TrainingSpec) {
    let TrainingSpec {
        steps,
        batch_tokens,
        accumulate,
        shuffle,
        optimizer,
        schedule,
        clock,
        lr_scale,
        precision,
        clip,
        clip_scope,
        label_smoothing,
        normalise,
        ema,
        on_nan,
        validate_every,
        scores,
        average,
        stop_early,
        best,
        checkpoint,
    } = before;
    let owner = Owner::mathematics(Subject::Training, "");
    found.field(owner, "steps", *steps, after.steps);
    found.field(owner, "batch_tokens", *batch_tokens, after.batch_tokens);
    found.field(owner, "accumulate", *accumulate, after.accumulate);
    found.field(owner, "shuffle", *shuffle, after.shuffle);
    found.field(owner, "optimizer", parts::word(optimizer), parts::word(&after.optimizer));
    found.field(owner, "schedule", parts::word(schedule), parts::word(&after.schedule));
    found.field(owner, "clock", parts::word(clock), parts::word(&after.clock));
    found.field(owner, "lr_scale", parts::word(lr_scale), parts::word(&after.lr_scale));
    found.field(owner, "precision", parts::word(precision), parts::word(&after.precision));
    found.field(owner, "clip", *clip, after.clip);
    found.field(owner, "clip_scope", parts::word(clip_scope), parts::word(&after.clip_scope));
    found.field(owner, "label_smoothing", *label_smoothing, after.label_smoothing);
    found.field(owner, "normalise", parts::word(normalise), parts::word(&after.normalise));
    found.field(owner, "ema", *ema, after.ema);
    let CheckpointSpec { every, keep } = *checkpoint;
    let owner = Owner::other(Subject::Training, "");
    found.field(owner, "on_nan", parts::word(on_nan), parts::word(&after.on_nan));
    found.field(owner, "validate_every", *validate_every, after.validate_every);
    let after_scores = after.scores.as_ref().map(parts::word);
    found.field(owner, "scores", scores.as_ref().map(parts::word), after_scores);
    found.field(owner, "average", *average, after.average);
    let after_stop = after.stop_early.as_ref().map(parts::word);
    found.field(owner, "stop_early", stop_early.as_ref().map(parts::word), after_stop);
    let after_best = after.best.as_ref().map(parts::word);
    found.field(owner, "best", best.as_ref().map(parts::word), after_best);
    found.field(owner, "checkpoint.every", every, after.checkpoint.every);
    found.field(owner, "checkpoint.keep", keep, after.checkpoint.keep);
}

/// Lanes by the ranks that run them; what they draw from is told at the tasks.
fn compare_lanes(
    found: &mut Found,
    (before, after): (usize, usize),
    (ranks_before, ranks_after): (&[RankSpec], &[RankSpec]),
) {
    let owner = Owner::mathematics(Subject::Lane, "");
    found.field(owner, "number of lanes", before as u64, after as u64);
    let (before, after) = (lane_ranks(ranks_before), lane_ranks(ranks_after));
    let lanes: BTreeSet<u32> = before.keys().chain(after.keys()).copied().collect();
    for lane in lanes {
        let name = lane.to_string();
        let owner = Owner::other(Subject::Lane, &name);
        let ranks = |lanes: &BTreeMap<u32, Vec<u32>>| match lanes.get(&lane).map(Vec::as_slice) {
            None => Value::Nothing,
            Some([rank]) => Value::Count(u64::from(*rank)),
            Some(ranks) => Value::List(ranks.iter().map(u32::to_string).collect()),
        };
        found.field(owner, "rank", ranks(&before), ranks(&after));
    }
}

/// Lane -> the ranks that run it (one, in a plan that verifies).
fn lane_ranks(ranks: &[RankSpec]) -> BTreeMap<u32, Vec<u32>> {
    let mut lanes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (number, rank) in (0..).zip(ranks) {
        for lane in &rank.lanes {
            lanes.entry(*lane).or_default().push(number);
        }
    }
    lanes
}

/// Dropout has the masks of the kind of device.
fn compare_cluster(found: &mut Found, (before, after): (&ClusterSpec, &ClusterSpec), drops: bool) {
    let ClusterSpec {
        name,
        nodes,
        devices_per_node,
        device_memory,
        device_flops,
        device_bandwidth,
        device_power,
        links,
        device,
        slurm,
    } = before;
    let owner = Owner::other(Subject::Cluster, "");
    found.field(owner, "name", name, &after.name);
    found.field(owner, "nodes", *nodes, after.nodes);
    found.field(owner, "devices_per_node", *devices_per_node, after.devices_per_node);
    let memory = (Value::Bytes(*device_memory), Value::Bytes(after.device_memory));
    found.field(owner, "device_memory", memory.0, memory.1);
    found.field(owner, "device_flops", *device_flops, after.device_flops);
    found.field(owner, "device_bandwidth", *device_bandwidth, after.device_bandwidth);
    found.field(owner, "device_power", *device_power, after.device_power);
    let LinkSpec { intra, inter, latency } = *links;
    found.field(owner, "links.intra", intra, after.links.intra);
    found.field(owner, "links.inter", inter, after.links.inter);
    let latency = (Value::Seconds(latency), Value::Seconds(after.links.latency));
    found.field(owner, "links.latency", latency.0, latency.1);
    let of_device = Owner { mathematics: drops, ..owner };
    found.field(of_device, "device", parts::word(device), parts::word(&after.device));
    let keys: BTreeSet<&String> = slurm.keys().chain(after.slurm.keys()).collect();
    for key in keys {
        let name = format!("slurm {key}");
        let owner = Owner::other(Subject::Cluster, &name);
        let (before, after) = (slurm.get(key).cloned(), after.slurm.get(key).cloned());
        found.field(owner, "value", before, after);
    }
}

fn compare_placement(found: &mut Found, before: &PlacementSpec, after: &PlacementSpec) {
    let PlacementSpec { lanes, ranks } = before;
    for (name, before, after) in [("lanes", lanes, &after.lanes), ("ranks", ranks, &after.ranks)] {
        let owner = Owner::other(Subject::Placement, name);
        let field =
            |of: fn(&FoundSpec) -> String, found: &Option<FoundSpec>| found.as_ref().map(of);
        let mut compare = |name: &'static str, of: fn(&FoundSpec) -> String| {
            found.field(owner, name, field(of, before), field(of, after));
        };
        compare("cost", |found| found.cost.to_string());
        compare("bound", |found| found.bound.to_string());
        compare("algorithm", |found| found.algorithm.clone());
    }
}

fn compare_ranks(found: &mut Found, before: &[RankSpec], after: &[RankSpec]) {
    let owner = Owner::other(Subject::Rank, "");
    found.field(owner, "number of ranks", before.len() as u64, after.len() as u64);
    for (number, (first, second)) in before.iter().zip(after).enumerate() {
        // Modules, owned and validated names are told at the modules and tasks.
        let RankSpec { node, device, lanes, modules: _, owns: _, validates: _, estimate } = first;
        let name = number.to_string();
        let owner = Owner::other(Subject::Rank, &name);
        found.field(owner, "node", *node, second.node);
        found.field(owner, "device", *device, second.device);
        let set = |lanes: &[u32]| lanes.iter().copied().collect::<BTreeSet<_>>();
        if set(lanes) == set(&second.lanes) {
            found.field(owner, "order of lanes", lanes, &second.lanes);
        }
        compare_estimate(found, owner, estimate, &second.estimate);
    }
}

fn compare_communicators(
    found: &mut Found,
    before: &[CommunicatorSpec],
    after: &[CommunicatorSpec],
) {
    let by_name = |specs: &[CommunicatorSpec]| -> BTreeMap<String, CommunicatorSpec> {
        specs.iter().map(|spec| (spec.name.clone(), spec.clone())).collect()
    };
    let facts = |spec: &CommunicatorSpec| {
        let (modules, elements) = (spec.modules.len(), crate::units::count(spec.elements));
        format!("{modules} modules, {elements} elements")
    };
    let maps = (&by_name(before), &by_name(after));
    for (name, first, second) in found.pairs(Subject::Communicator, false, maps, facts) {
        let CommunicatorSpec { name: _, ranks, modules, elements, bucket } = first;
        let owner = Owner::other(Subject::Communicator, name);
        found.field(owner, "ranks", ranks, &second.ranks);
        let (first, second_set): (BTreeSet<&String>, BTreeSet<&String>) =
            (modules.iter().collect(), second.modules.iter().collect());
        found.members(owner, "modules", &first, &second_set);
        if first == second_set {
            found.field(owner, "order of modules", modules, &second.modules);
        }
        found.field(owner, "elements", *elements, second.elements);
        found.field(owner, "bucket", *bucket, second.bucket);
    }
    let order = |specs: &[CommunicatorSpec], known: &BTreeMap<String, CommunicatorSpec>| {
        let names = specs.iter().map(|spec| spec.name.clone());
        Value::List(names.filter(|name| known.contains_key(name)).collect())
    };
    let owner = Owner::other(Subject::Communicator, "");
    found.field(owner, "order", order(before, maps.1), order(after, maps.0));
}

pub(super) fn compare_estimate(
    found: &mut Found,
    owner: Owner<'_>,
    before: &Estimate,
    after: &Estimate,
) {
    let Estimate {
        parameters,
        state_bytes,
        activation_bytes,
        step_flops,
        step_bytes_moved,
        step_bytes_sent,
        step_seconds,
    } = *before;
    found.field(owner, "parameters", parameters, after.parameters);
    let mut field = |name, before, after| found.field(owner, name, before, after);
    field("state_bytes", Value::Bytes(state_bytes), Value::Bytes(after.state_bytes));
    field("activation_bytes", Value::Bytes(activation_bytes), Value::Bytes(after.activation_bytes));
    field("step_flops", Value::Flops(step_flops), Value::Flops(after.step_flops));
    let moved = (Value::Bytes(step_bytes_moved), Value::Bytes(after.step_bytes_moved));
    field("step_bytes_moved", moved.0, moved.1);
    field("step_bytes_sent", Value::Bytes(step_bytes_sent), Value::Bytes(after.step_bytes_sent));
    field("step_seconds", Value::Seconds(step_seconds), Value::Seconds(after.step_seconds));
}

fn compare_run(found: &mut Found, before: RunEstimate, after: RunEstimate) {
    let RunEstimate { hours, device_hours, kilowatt_hours } = before;
    let owner = Owner::other(Subject::Run, "");
    found.field(owner, "hours", hours, after.hours);
    found.field(owner, "device_hours", device_hours, after.device_hours);
    found.field(owner, "kilowatt_hours", kilowatt_hours, after.kilowatt_hours);
}
