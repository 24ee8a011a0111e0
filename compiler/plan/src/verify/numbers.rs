//! Ranges of the numbers of model, training, vocabularies and cluster.

use crate::model::{Initial, ModuleSpec, Positions, Sharing, StackPattern};
use crate::plan::{PlacementSpec, Plan, VocabularySpec};
use crate::scores::{Measure, ScoresSpec, WIDEST_BEAM};
use crate::training::{Criterion, OnNan, Optimizer, Schedule, TrainingSpec};
use crate::verify::{Findings, Rule};

/// One number with its name and range; reports it when it is outside (or no number at all).
struct Range<'a> {
    findings: &'a mut Findings,
    place: &'static str,
}

impl Range<'_> {
    /// `low <= value < high`.
    fn half_open(&mut self, name: &str, value: f64, low: f64, high: f64) {
        let kept = value.is_finite() && low <= value && value < high;
        self.findings.expect(kept, Rule::Number, || {
            (format!("{}.{name}", self.place), format!("{value} is not in {low} <= x < {high}"))
        });
    }

    /// Finite and above 0.
    fn positive(&mut self, name: &str, value: f64) {
        let kept = value.is_finite() && value > 0.0;
        self.findings.expect(kept, Rule::Number, || {
            (format!("{}.{name}", self.place), format!("{value} is not finite and above 0"))
        });
    }

    /// Finite and not below 0.
    fn not_negative(&mut self, name: &str, value: f64) {
        let kept = value.is_finite() && value >= 0.0;
        self.findings.expect(kept, Rule::Number, || {
            (format!("{}.{name}", self.place), format!("{value} is not finite and at least 0"))
        });
    }

    /// At least 1.
    fn counts(&mut self, name: &str, value: u64) {
        self.findings.expect(value > 0, Rule::Number, || {
            (format!("{}.{name}", self.place), "0 is not at least 1")
        });
    }
}

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    model(plan, findings);
    training(&plan.training, findings);
    for (name, module) in plan.modules.iter().filter(|(_, module)| module.optimizer.is_some()) {
        own_optimizer(plan, name, module, findings);
    }
    cluster(plan, findings);
    for (name, spec) in &plan.vocabularies {
        vocabulary(name, spec, findings);
    }
}

fn model(plan: &Plan, findings: &mut Findings) {
    let model = &plan.model;
    let mut range = Range { findings, place: "model" };
    range.counts("dim", model.dim.into());
    range.counts("heads", model.heads.into());
    range.counts("head_dim", model.head_dim.into());
    range.counts("ffn", model.ffn.into());
    range.half_open("dropout", model.dropout, 0.0, 1.0);
    range.half_open("ffn_dropout", model.ffn_dropout, 0.0, 1.0);
    range.half_open("attention_dropout", model.attention_dropout, 0.0, 1.0);
    if let Initial::Normal { std } = model.init {
        range.positive("init", std);
    }
    let fits = match model.positions {
        Positions::Rotary { dims, base } => {
            dims > 0 && dims.is_multiple_of(2) && dims <= model.head_dim && base > 1
        }
        Positions::Learned { length } => length > 0,
        Positions::Sinusoidal | Positions::Fairseq | Positions::None => true,
    };
    findings.expect(fits, Rule::Number, || {
        ("model.positions", format!("{:?} does not fit", model.positions))
    });
    let halves = !model.positions.has_halves() || model.dim.is_multiple_of(2);
    findings.expect(halves, Rule::Number, || {
        ("model.dim", format!("{} is odd, but half of it are sines", model.dim))
    });
    let own = model.overrides.iter().flat_map(|own| own.encoder.iter().chain(&own.decoder));
    let patterns = [&model.encoder, &model.decoder].into_iter().chain(own).flatten();
    for StackPattern { layers, sharing } in patterns {
        findings.expect(*layers > 0, Rule::Number, || {
            ("model", format!("a stack `{sharing}` has no layers"))
        });
        findings.expect(*sharing != Sharing::Vocabulary, Rule::Path, || {
            ("model", "a stack is shared by vocabulary, as embeddings alone can be")
        });
    }
}

fn training(training: &TrainingSpec, findings: &mut Findings) {
    let mut range = Range { findings, place: "training" };
    range.counts("steps", training.steps);
    range.counts("batch_tokens", training.batch_tokens.into());
    range.counts("accumulate", training.accumulate.into());
    range.counts("shuffle", training.shuffle.into());
    optimizer(&training.optimizer, &mut range);
    schedule(&training.schedule, &mut range);
    if let Some(clip) = training.clip {
        range.positive("clip", clip);
    }
    range.half_open("label_smoothing", training.label_smoothing, 0.0, 1.0);
    range.half_open("ema", training.ema.unwrap_or(0.0), 0.0, 1.0);
    if let OnNan::Skip { most } = training.on_nan {
        range.counts("on_nan.most", most.into());
    }
    range.counts("validate_every", training.validate_every.unwrap_or(1));
    if let Some(average) = training.average {
        let kept = (2..=training.checkpoint.keep).contains(&average);
        range.findings.expect(kept, Rule::Number, || {
            let keep = training.checkpoint.keep;
            ("training.average", format!("{average} is not in 2 <= x <= {keep}, what is kept"))
        });
    }
    if let Some(scores) = &training.scores {
        range.counts("scores.beam", scores.beam.into());
        range.counts("scores.sentences", scores.sentences.unwrap_or(1));
    }
    range.counts("stop_early.patience", training.stop_early.map_or(1, |s| s.patience.into()));
    range.counts("checkpoint.every", training.checkpoint.every.unwrap_or(1));
    range.counts("checkpoint.keep", training.checkpoint.keep.into());
    scores(training, findings);
}

/// Measures that are there once each, and what early stopping goes by among them.
fn scores(training: &TrainingSpec, findings: &mut Findings) {
    let measures = training.scores.as_ref().map_or(&[][..], |scores| &scores.measures);
    if let Some(ScoresSpec { beam, .. }) = training.scores {
        let mut once: Vec<Measure> = measures.to_vec();
        once.sort_unstable();
        once.dedup();
        findings.expect(!once.is_empty() && once.len() == measures.len(), Rule::Number, || {
            ("training.scores.measures", format!("{measures:?} are none, or one twice"))
        });
        findings.expect(beam <= WIDEST_BEAM, Rule::Number, || {
            ("training.scores.beam", format!("{beam} is more than {WIDEST_BEAM}"))
        });
    }
    let compared = [
        ("training.stop_early.on", training.stop_early.map(|stop| stop.on)),
        ("training.best", training.best),
    ];
    for (place, on) in compared {
        let wanted = on.and_then(Criterion::measure);
        let is_scored = wanted.is_none_or(|wanted| measures.contains(&wanted));
        findings.expect(is_scored, Rule::Reference, || {
            (place, "it is a score that validations do not measure")
        });
    }
    findings.expect(training.best.is_none() || training.stop_early.is_none(), Rule::Number, || {
        ("training.best", "`stop_early` says already what the best validation is")
    });
}

/// A module's own optimiser: with numbers in range, another than the training's, and of a module that is trained.
fn own_optimizer(plan: &Plan, name: &str, module: &ModuleSpec, findings: &mut Findings) {
    let place = || format!("module `{name}`");
    findings.expect(!module.frozen, Rule::Module, || {
        (place(), "it is frozen, and has an optimiser".to_owned())
    });
    findings.expect(module.optimizer != Some(plan.training.optimizer), Rule::Module, || {
        (place(), "its optimiser is the training's, which is left out".to_owned())
    });
    if let Some(own) = &module.optimizer {
        optimizer(own, &mut Range { findings, place: "modules" });
    }
}

fn optimizer(optimizer: &Optimizer, range: &mut Range<'_>) {
    range.not_negative("optimizer.lr", optimizer.lr());
    match *optimizer {
        Optimizer::Adamw { beta1, beta2, eps, weight_decay, .. }
        | Optimizer::Adam { beta1, beta2, eps, weight_decay, .. } => {
            range.half_open("optimizer.beta1", beta1, 0.0, 1.0);
            range.half_open("optimizer.beta2", beta2, 0.0, 1.0);
            range.positive("optimizer.eps", eps);
            range.not_negative("optimizer.weight_decay", weight_decay);
        }
        Optimizer::Adafactor { beta2_decay, eps1, eps2, threshold, weight_decay, .. } => {
            range.positive("optimizer.beta2_decay", -beta2_decay);
            range.positive("optimizer.eps1", eps1);
            range.positive("optimizer.eps2", eps2);
            range.positive("optimizer.threshold", threshold);
            range.not_negative("optimizer.weight_decay", weight_decay);
        }
        Optimizer::Sgd { momentum, weight_decay, .. } => {
            range.half_open("optimizer.momentum", momentum, 0.0, 1.0);
            range.not_negative("optimizer.weight_decay", weight_decay);
        }
        Optimizer::Adagrad { initial, eps, weight_decay, .. } => {
            range.not_negative("optimizer.initial", initial);
            range.positive("optimizer.eps", eps);
            range.not_negative("optimizer.weight_decay", weight_decay);
        }
    }
}

fn schedule(schedule: &Schedule, range: &mut Range<'_>) {
    match *schedule {
        Schedule::Constant => {}
        Schedule::InverseSqrt { warmup }
        | Schedule::Noam { warmup }
        | Schedule::Rsqrt { warmup } => range.counts("schedule.warmup", warmup),
        Schedule::Linear { floor, .. } | Schedule::Cosine { floor, .. } => {
            range.half_open("schedule.floor", floor, 0.0, 1.0);
        }
        Schedule::Decay { every, factor, .. } => {
            range.counts("schedule.every", every);
            range.positive("schedule.factor", factor);
        }
    }
}

fn cluster(plan: &Plan, findings: &mut Findings) {
    let cluster = &plan.cluster;
    let mut range = Range { findings, place: "cluster" };
    range.counts("nodes", cluster.nodes.into());
    range.counts("devices_per_node", cluster.devices_per_node.into());
    range.counts("device_memory", cluster.device_memory);
    range.positive("device_flops", cluster.device_flops);
    range.positive("device_bandwidth", cluster.device_bandwidth.unwrap_or(1.0));
    range.positive("device_power", cluster.device_power.unwrap_or(1.0));
    range.positive("links.intra", cluster.links.intra);
    range.positive("links.inter", cluster.links.inter);
    range.not_negative("links.latency", cluster.links.latency);
    let PlacementSpec { lanes, ranks } = &plan.placement;
    for found in [lanes, ranks].into_iter().flatten() {
        findings.expect(found.bound <= found.cost, Rule::Number, || {
            ("placement", format!("a cost of {} below its bound {}", found.cost, found.bound))
        });
    }
    let estimates = plan.ranks.iter().map(|rank| &rank.estimate).chain([&plan.totals]);
    for estimate in estimates {
        let mut range = Range { findings: &mut *findings, place: "estimate" };
        range.not_negative("step_seconds", estimate.step_seconds);
    }
}

fn vocabulary(name: &str, spec: &VocabularySpec, findings: &mut Findings) {
    let place = || format!("vocabulary `{name}`");
    let mut add = |kept: bool, message: &dyn Fn() -> String| {
        findings.expect(kept, Rule::Vocabulary, || (place(), message()));
    };
    let size = u64::from(spec.pieces) + spec.added.len() as u64;
    add(spec.pieces > 0, &|| "it has no pieces".to_owned());
    add(u32::try_from(size).is_ok(), &|| format!("{size} ids are more than 32 bits hold"));
    let hexadecimal = spec.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    add(spec.sha256.len() == 64 && hexadecimal, &|| {
        format!("`{}` is no sha256 of 64 hexadecimal digits", spec.sha256)
    });
    let ids = [("unk", spec.unk), ("bos", spec.bos), ("eos", spec.eos), ("pad", spec.pad)];
    for (at, (what, id)) in ids.iter().enumerate() {
        add(u64::from(*id) < size, &|| format!("`{what}` is {id}, but there are {size} ids"));
        for (other, same) in ids.iter().skip(at + 1) {
            add(id != same, &|| format!("`{what}` and `{other}` are both {id}"));
        }
    }
    let mask = spec
        .mask
        .is_none_or(|mask| u64::from(mask) < size && ids.iter().all(|(_, id)| *id != mask));
    add(mask, &|| format!("`mask` is {:?}: no id of its own", spec.mask));
    let sampled = spec.sampling.is_none_or(|sampling| {
        sampling.alpha.is_finite() && sampling.alpha >= 0.0 && sampling.nbest != Some(0)
    });
    add(sampled, &|| format!("{:?} is out of range", spec.sampling));
    let mut added: Vec<&String> = spec.added.iter().collect();
    added.sort_unstable();
    for pair in added.windows(2) {
        if let [token, next] = pair {
            add(token != next, &|| format!("`{token}` is added twice"));
        }
    }
}
