//! Small valid plans for the tests of this crate and of those that execute plans.
//!
//! Everything derivable is derived from a [`Sample`] in the plainest way: equal shares dealt to the lanes in a row, owners and
//! validators the first rank that can.

use std::collections::{BTreeMap, BTreeSet};

use crate::curriculum::{Coupling, CurriculumSpec, LaneCourse, LaneOrder};
use crate::model::{
    Activation, ClosingNorm, Embeddings, Initial, ModelSpec, ModuleKind, ModuleSpec, Norm,
    Normalisation, Positions, Sharing, StackPattern,
};
use crate::path::Ends;
use crate::plan::{
    ClusterSpec, CommunicatorSpec, CorpusFiles, Device, Estimate, ExperimentSpec, FORMAT, LaneSpec,
    LaneTask, LanguageSpec, LinkSpec, ParallelFiles, PlacementSpec, Plan, RankSpec, TaskKind,
    TaskSpec, VocabularyKind, VocabularySpec,
};
use crate::schedule::{LANE_PARTS, LINE_PARTS};
use crate::training::{
    CheckpointSpec, ClipScope, Clock, LrScale, Normalise, OnNan, Optimizer, Precision, Schedule,
    TrainingSpec,
};
use crate::transform::Transform;
use crate::verify::formulas;
use crate::verify::index::Index;

/// What a sample plan is made from; every field may be changed before [`Sample::plan`].
#[derive(Debug, Clone)]
pub struct Sample {
    /// Language -> its group.
    pub languages: BTreeMap<String, String>,
    /// Directions; the task of `["de", "en"]` is `t.de-en`.
    pub pairs: Vec<[String; 2]>,
    /// The files of each direction, in the order of `pairs`.
    pub corpora: Vec<CorpusFiles>,
    /// Language -> name of its vocabulary.
    pub vocabulary_of: BTreeMap<String, String>,
    /// Vocabularies by name.
    pub vocabularies: BTreeMap<String, VocabularySpec>,
    /// Of every task.
    pub transforms: Vec<Transform>,
    /// The model.
    pub model: ModelSpec,
    /// Modules that are not trained.
    pub frozen: BTreeSet<String>,
    /// Modules with optimisers of their own.
    pub optimizers: BTreeMap<String, Optimizer>,
    /// Training.
    pub training: TrainingSpec,
    /// Number of lanes.
    pub lanes: u32,
    /// The lanes of each rank.
    pub mapping: Vec<Vec<u32>>,
    /// Seed.
    pub seed: u64,
    /// Output folder.
    pub output: String,
}

/// The plan of a [`Sample`] with all directions between the languages, on invented files.
///
/// Rank `r` runs the lanes `mapping[r]`; together they run `0..lanes`, each once.
pub fn plan(languages: &[&str], lanes: u32, mapping: &[&[u32]]) -> Plan {
    Sample::new(languages, lanes, mapping).plan()
}

/// A curriculum of two windows that give every task what the plan's lanes give it, with aligned lanes in the reverse order of
/// names.
pub fn two_windows(plan: &Plan) -> CurriculumSpec {
    let lanes = plan.lanes.iter().map(|lane| LaneCourse {
        tasks: lane.tasks.iter().map(|(name, task)| (name.clone(), vec![task.parts; 2])).collect(),
    });
    let order = |lane: &LaneSpec| LaneOrder { tasks: lane.tasks.keys().rev().cloned().collect() };
    CurriculumSpec {
        schedule: Coupling::Aligned,
        competence: None,
        windows: vec![1, plan.training.steps / 2 + 1],
        shares: plan.tasks.iter().map(|(name, task)| (name.clone(), vec![task.share; 2])).collect(),
        lanes: lanes.collect(),
        orders: plan.lanes.iter().map(order).collect(),
    }
}

/// Invented files of one direction with so many lines.
pub fn corpus(source: &str, target: &str, lines: u64) -> CorpusFiles {
    let files = |part: &str, lines| ParallelFiles {
        source: vec![format!("corpus/{part}.{source}-{target}.{source}")].into(),
        target: vec![format!("corpus/{part}.{source}-{target}.{target}")].into(),
        columns: None,
        lines,
    };
    CorpusFiles {
        train: files("train", lines),
        valid: Some(files("valid", 100)),
        ..CorpusFiles::default()
    }
}

/// The source files of a text, which hold both sides in these columns.
pub fn in_columns(files: &ParallelFiles, columns: [u32; 2]) -> ParallelFiles {
    ParallelFiles { target: files.source.clone(), columns: Some(columns), ..files.clone() }
}

/// An invented `SentencePiece` vocabulary with `<pad>` behind its pieces.
pub fn vocabulary(file: &str, pieces: u32) -> VocabularySpec {
    VocabularySpec {
        kind: VocabularyKind::Sentencepiece,
        file: file.to_owned(),
        sha256: "0".repeat(64),
        pieces,
        added: vec!["<pad>".to_owned()],
        unk: 0,
        bos: 1,
        eos: 2,
        pad: pieces,
        mask: None,
        sampling: None,
    }
}

/// Width 16, 2 heads, encoder `[1 x SRC_LANGUAGE, 1 x FULL]`, decoder `[1 x TGT_LANGUAGE]`, one embedding for all.
pub fn model() -> ModelSpec {
    ModelSpec {
        dim: 16,
        heads: 2,
        head_dim: 8,
        ffn: 32,
        attention_bias: true,
        ffn_bias: true,
        dropout: 0.1,
        ffn_dropout: 0.1,
        attention_dropout: 0.0,
        norm: Norm::Pre,
        normalisation: Normalisation::LayerNorm,
        closing_norm: ClosingNorm::EveryStack,
        activation: Activation::Relu,
        positions: Positions::Sinusoidal,
        init: Initial::Xavier,
        encoder: vec![
            StackPattern { layers: 1, sharing: Sharing::SourceLanguage },
            StackPattern { layers: 1, sharing: Sharing::Full },
        ],
        decoder: vec![StackPattern { layers: 1, sharing: Sharing::TargetLanguage }],
        overrides: Vec::new(),
        embeddings: Embeddings {
            source: Sharing::Full,
            target: Sharing::Full,
            tie_source: true,
            tie_output: true,
            scale: true,
        },
        bridge: None,
        adapters: Vec::new(),
    }
}

/// 20 steps with clipping and label smoothing.
pub fn training() -> TrainingSpec {
    TrainingSpec {
        steps: 20,
        batch_tokens: 256,
        accumulate: 2,
        shuffle: 200,
        optimizer: Optimizer::Adamw {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.998,
            eps: 1e-9,
            weight_decay: 0.01,
        },
        schedule: Schedule::InverseSqrt { warmup: 10 },
        clock: Clock::Steps,
        lr_scale: LrScale::None,
        precision: Precision::Fp32,
        clip: Some(1.0),
        clip_scope: ClipScope::Global,
        label_smoothing: 0.1,
        normalise: Normalise::Tokens,
        ema: None,
        on_nan: OnNan::Stop,
        validate_every: Some(10),
        scores: None,
        average: None,
        stop_early: None,
        best: None,
        checkpoint: CheckpointSpec { every: Some(10), keep: 2 },
    }
}

impl Sample {
    /// All directions between the languages (each in the group `g`), one vocabulary `joint`.
    pub fn new(languages: &[&str], lanes: u32, mapping: &[&[u32]]) -> Self {
        let names = || languages.iter().map(|&name| name.to_owned());
        let pairs: Vec<[String; 2]> = names()
            .flat_map(|source| names().map(move |target| [source.clone(), target]))
            .filter(|[source, target]| source != target)
            .collect();
        Self {
            languages: names().map(|name| (name, "g".to_owned())).collect(),
            corpora: pairs.iter().map(|[source, target]| corpus(source, target, 1000)).collect(),
            pairs,
            vocabulary_of: names().map(|name| (name, "joint".to_owned())).collect(),
            vocabularies: BTreeMap::from([("joint".to_owned(), vocabulary("joint.model", 100))]),
            transforms: vec![
                Transform::Tokenize,
                Transform::FilterTooLong { source: 100, target: 100 },
            ],
            model: model(),
            frozen: BTreeSet::new(),
            optimizers: BTreeMap::new(),
            training: training(),
            lanes,
            mapping: mapping.iter().map(|lanes| lanes.to_vec()).collect(),
            seed: 1,
            output: "runs/sample".to_owned(),
        }
    }

    /// A causal task of each language on invented files, by decoder stacks `[1 x TGT_LANGUAGE, 1 x FULL]`.
    pub fn causal(languages: &[&str], lanes: u32, mapping: &[&[u32]]) -> Self {
        let mut sample = Self::new(languages, lanes, mapping);
        let own = |name: &&str| [(*name).to_owned(), (*name).to_owned()];
        sample.pairs = languages.iter().map(own).collect();
        sample.corpora = languages.iter().map(|name| corpus(name, name, 1000)).collect();
        sample.model.encoder = Vec::new();
        sample.model.decoder.push(StackPattern { layers: 1, sharing: Sharing::Full });
        sample
    }

    /// The plan. A sample that contradicts itself gives a plan that [`crate::verify`] rejects.
    pub fn plan(&self) -> Plan {
        let mut plan = self.frame();
        for (at, ([source, target], corpus)) in self.pairs.iter().zip(&self.corpora).enumerate() {
            let (first, last) = self.interval(at, 1_000_000_000);
            let vocabulary = |language| self.vocabulary_of.get(language).map_or("", String::as_str);
            let vocabularies = [vocabulary(source), vocabulary(target)];
            let path = plan.path_between(Ends { source, target, vocabularies });
            let task = TaskSpec {
                kind: if !self.model.has_encoder() {
                    TaskKind::Causal
                } else if source == target {
                    TaskKind::Denoise
                } else {
                    TaskKind::Translate
                },
                source: source.clone(),
                target: target.clone(),
                share: last - first,
                corpus: corpus.clone(),
                transforms: self.transforms.clone().into(),
                source_vocabulary: vocabulary(source).to_owned(),
                target_vocabulary: vocabulary(target).to_owned(),
                encoder: path.as_ref().map(|path| path.encoder.clone()).unwrap_or_default().into(),
                bridge: path.as_ref().and_then(|path| path.bridge.clone()),
                adapters: path.as_ref().map(|path| path.adapters.clone()).unwrap_or_default(),
                decoder: path.map(|path| path.decoder).unwrap_or_default().into(),
            };
            self.add_modules(&mut plan, &task);
            plan.tasks.insert(format!("t.{source}-{target}"), task);
            self.deal(&mut plan.lanes, at, &format!("t.{source}-{target}"));
        }
        place(&mut plan, &self.mapping);
        plan.communicators = communicators(&plan);
        plan.digest = plan.mathematics_digest();
        plan
    }

    /// The interval of pair `at` when `0..whole` is cut into as many as there are pairs.
    fn interval(&self, at: usize, whole: u64) -> (u64, u64) {
        let pairs = self.pairs.len().max(1) as u64;
        let cut = |at: usize| whole * at as u64 / pairs;
        (cut(at), cut(at + 1))
    }

    /// Everything but tasks, modules, lanes' tasks, ranks and communicators.
    fn frame(&self) -> Plan {
        Plan {
            format: FORMAT,
            digest: String::new(),
            experiment: ExperimentSpec {
                name: "sample".to_owned(),
                about: Vec::new(),
                seed: self.seed,
                output: self.output.clone(),
            },
            languages: self
                .languages
                .iter()
                .map(|(name, group)| {
                    let groups = BTreeMap::from([("groups".to_owned(), group.clone())]);
                    (name.clone(), LanguageSpec { groups })
                })
                .collect(),
            vocabularies: self.vocabularies.clone(),
            model: self.model.clone(),
            modules: BTreeMap::new(),
            tasks: BTreeMap::new(),
            training: self.training.clone(),
            curriculum: CurriculumSpec::default(),
            lanes: vec![LaneSpec { tasks: BTreeMap::new() }; self.lanes as usize],
            cluster: ClusterSpec {
                name: "custom".to_owned(),
                nodes: 1,
                devices_per_node: u32::try_from(self.mapping.len()).unwrap_or(u32::MAX),
                device_memory: 1 << 30,
                device_flops: 1e10,
                device_bandwidth: Some(1e10),
                device_power: None,
                links: LinkSpec { intra: 1e9, inter: 1e9, latency: 1e-5 },
                device: Device::Cpu,
                slurm: BTreeMap::new(),
            },
            ranks: Vec::new(),
            communicators: Vec::new(),
            synchronised: None,
            placement: PlacementSpec::default(),
            totals: Estimate::default(),
            run: None,
        }
    }

    /// The modules of a task, with their sizes.
    fn add_modules(&self, plan: &mut Plan, task: &TaskSpec) {
        let own = self.model.overrides.iter().find(|own| {
            own.pairs.iter().any(|pair| pair[0] == task.source && pair[1] == task.target)
        });
        let encoder = own.and_then(|own| own.encoder.as_ref()).unwrap_or(&self.model.encoder);
        let decoder = own.and_then(|own| own.decoder.as_ref()).unwrap_or(&self.model.decoder);
        let mut add = |name: &String, kind| {
            let parameters = formulas::parameters(plan, &kind).unwrap_or(0);
            let parameters = u64::try_from(parameters).unwrap_or(u64::MAX);
            let frozen = self.frozen.contains(name);
            let optimizer = self.optimizers.get(name).copied();
            plan.modules.insert(name.clone(), ModuleSpec { kind, parameters, frozen, optimizer });
        };
        let stacks = |patterns: &[StackPattern]| {
            let places = patterns.iter().enumerate();
            let present = places.filter(|(_, pattern)| pattern.sharing != Sharing::None);
            let closed = |at| self.model.closes(at, patterns);
            present.map(|(at, pattern)| (pattern.layers, closed(at))).collect::<Vec<_>>()
        };
        let vocabulary = task.source_vocabulary.clone();
        let embedding = [ModuleKind::Embedding { vocabulary }];
        let kinds = stacks(encoder)
            .into_iter()
            .map(|(layers, closed)| ModuleKind::EncoderStack { layers, closed });
        for (name, kind) in task.encoder.iter().zip(embedding.into_iter().chain(kinds)) {
            add(name, kind);
        }
        let vocabulary = task.target_vocabulary.clone();
        let embedding = [ModuleKind::Embedding { vocabulary: vocabulary.clone() }];
        let kinds = stacks(decoder)
            .into_iter()
            .map(|(layers, closed)| ModuleKind::DecoderStack { layers, closed });
        let kinds = embedding.into_iter().chain(kinds).chain([ModuleKind::Head { vocabulary }]);
        for (name, kind) in task.decoder.iter().zip(kinds) {
            add(name, kind);
        }
        if let Some(name) = &task.bridge {
            add(name, ModuleKind::Bridge);
        }
        for name in task.adapters.values().flatten() {
            let adapter = name.split('.').nth(1).unwrap_or_default().to_owned();
            add(name, ModuleKind::Adapter { adapter });
        }
    }

    /// Gives pair `at` its interval of the lanes laid end to end; lines are cut in proportion.
    fn deal(&self, lanes: &mut [LaneSpec], at: usize, name: &str) {
        let lane_parts = u64::from(LANE_PARTS);
        let (first, last) = self.interval(at, u64::from(self.lanes) * lane_parts);
        let line = |place: u64| {
            let part = (place - first) * u64::from(LINE_PARTS) / (last - first).max(1);
            u32::try_from(part).unwrap_or(LINE_PARTS)
        };
        let mut from = first;
        while from < last {
            let number = from / lane_parts;
            let to = last.min((number + 1) * lane_parts);
            let parts = u32::try_from(to - from).unwrap_or(LANE_PARTS);
            if let Some(spec) = usize::try_from(number).ok().and_then(|at| lanes.get_mut(at)) {
                let task = LaneTask { parts, lines: [line(from), line(to)] };
                spec.tasks.insert(name.to_owned(), task);
            }
            from = to;
        }
    }
}

/// Puts lanes on ranks; owners and validators are the first ranks that can.
fn place(plan: &mut Plan, mapping: &[Vec<u32>]) {
    let (mut owned, mut validated) = (BTreeSet::new(), BTreeSet::new());
    for (device, lanes) in (0..).zip(mapping) {
        let tasks: BTreeSet<&String> = lanes
            .iter()
            .filter_map(|&lane| plan.lanes.get(lane as usize))
            .flat_map(|lane| lane.tasks.keys())
            .collect();
        let specs = || tasks.iter().filter_map(|&name| plan.tasks.get(name));
        let modules: BTreeSet<String> =
            specs().flat_map(|task| task.modules()).map(str::to_owned).collect();
        let estimate = estimate(plan, lanes, &modules);
        let rank = RankSpec {
            node: 0,
            device,
            lanes: lanes.clone(),
            owns: modules.iter().filter(|&name| owned.insert(name.clone())).cloned().collect(),
            modules: modules.into_iter().collect(),
            validates: tasks
                .iter()
                .filter(|&&name| plan.tasks.get(name).is_some_and(|t| t.corpus.valid.is_some()))
                .filter(|&&name| validated.insert(name.clone()))
                .map(|&name| name.clone())
                .collect(),
            estimate,
        };
        plan.totals.parameters += estimate.parameters;
        plan.totals.state_bytes += estimate.state_bytes;
        plan.totals.activation_bytes += estimate.activation_bytes;
        plan.totals.step_flops += estimate.step_flops;
        plan.totals.step_bytes_moved += estimate.step_bytes_moved;
        plan.totals.step_seconds = plan.totals.step_seconds.max(estimate.step_seconds);
        plan.ranks.push(rank);
    }
}

/// Costs of a rank by the formulas of docs/plan-format.md, without communication.
fn estimate(plan: &Plan, lanes: &[u32], modules: &BTreeSet<String>) -> Estimate {
    let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    let held = || modules.iter().filter_map(|name| Some((name, plan.modules.get(name)?)));
    let parameters = held().map(|(_, module)| module.parameters).sum();
    let (costs, index) = (formulas::Costs::new(plan), Index::new(plan));
    let state = held()
        .map(|(name, module)| formulas::state_bytes(plan, module, index.lanes_through(name)))
        .sum();
    let width = u128::from(plan.training.precision.activation_bytes());
    let tokens = u128::from(plan.training.batch_tokens);
    let batches = u128::from(plan.training.accumulate);
    let (mut activations, mut flops, mut moved) = (0, 0, 0);
    for (row, drawn) in lanes.iter().flat_map(|&lane| index.lane(lane)) {
        let way = index.way(row);
        let token = costs.token(row.task, way);
        activations = activations.max(costs.batch_bytes(row.task, way));
        flops += u128::from(drawn.parts) * batches * tokens * token.flops;
        let passed = formulas::passed_bytes(plan, batches * tokens * token.moved * width);
        let bytes = passed + costs.update(way);
        moved += u128::from(drawn.parts) * bytes;
    }
    let parts = u128::from(LANE_PARTS);
    let (step_flops, step_bytes_moved) = (whole(flops / parts), whole(moved / parts));
    Estimate {
        parameters,
        state_bytes: whole(state),
        activation_bytes: whole(activations),
        step_flops,
        step_bytes_moved,
        step_seconds: formulas::computing(plan, step_flops, step_bytes_moved),
        ..Estimate::default()
    }
}

/// `world` and one communicator per distinct set of ranks that share modules.
fn communicators(plan: &Plan) -> Vec<CommunicatorSpec> {
    let all: Vec<u32> = (0..).zip(&plan.ranks).map(|(rank, _)| rank).collect();
    let mut shared: BTreeMap<Vec<u32>, Vec<String>> = BTreeMap::new();
    for (name, _) in plan.modules.iter().filter(|(_, module)| !module.frozen) {
        let holds = |rank: &RankSpec| rank.modules.contains(name);
        let holders: Vec<u32> =
            (0..).zip(&plan.ranks).filter(|(_, rank)| holds(rank)).map(|(rank, _)| rank).collect();
        if holders.len() > 1 {
            shared.entry(holders).or_default().push(name.clone());
        }
    }
    if all.len() < 2 {
        return Vec::new();
    }
    let world = shared.remove(&all).unwrap_or_default();
    let sets = std::iter::once((all.clone(), world)).chain(shared);
    sets.map(|(ranks, modules)| {
        let members: Vec<String> = ranks.iter().map(u32::to_string).collect();
        let name =
            if ranks == all { "world".into() } else { format!("ranks.{}", members.join("-")) };
        let sizes = modules.iter().filter_map(|name| plan.modules.get(name));
        let elements = sizes.map(|module| module.parameters + 1).sum();
        CommunicatorSpec { name, ranks, modules, elements, bucket: None }
    })
    .collect()
}
