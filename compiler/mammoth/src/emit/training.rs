//! The `experiment` and `training` blocks.

use mmc_plan::{ClipScope, Clock, Criterion, Normalise, Optimizer, Precision, Schedule};

use super::draft::{Draft, text, whole};
use super::error::EmitFault;
use crate::yaml::Value;

/// Examples that are shuffled together when nothing is said.
const SHUFFLE: u32 = 10_000;

pub(super) fn write(draft: &mut Draft<'_>) {
    let spec = &draft.experiment.spec;
    draft.top("seed", whole(spec.seed));
    draft.top("save_model", text(&spec.output));
    rhythm(draft);
    batches(draft);
    optimizer(draft);
    schedule(draft);
    lr_scale(draft);
    gradients(draft);
    if draft.experiment.training.value.ema.is_some() {
        let span = draft.place("training", "ema");
        draft.no_equal("a moving average of parameters", span, "leave `ema` out");
    }
    if draft.experiment.training.value.average.is_some() {
        let span = draft.place("training", "average");
        draft.no_equal("a mean of checkpoints", span, "leave `average` out");
    }
    for (selector, _) in &draft.experiment.optimizers {
        draft.no_equal("an optimiser for some modules", selector.span, "take one for all");
    }
    if let Some(freeze) = &draft.experiment.freeze {
        let help = "train them all: MAMMOTH has no frozen modules";
        draft.no_equal("a frozen module", freeze.span, help);
    }
}

fn rhythm(draft: &mut Draft<'_>) {
    let spec = &draft.experiment.training.value;
    draft.top("train_steps", whole(spec.steps));
    draft.top("valid_steps", whole(spec.validate_every.unwrap_or(spec.steps)));
    draft.top("save_checkpoint_steps", whole(spec.checkpoint.every.unwrap_or(spec.steps)));
    draft.top("keep_checkpoint", whole(spec.checkpoint.keep));
    if spec.scores.is_some() {
        draft.sink.report(EmitFault::LeftOut {
            what: "`scores`",
            reason: "MAMMOTH's validation does not translate",
            span: draft.place("training", "scores"),
            help: "score the translations of its checkpoints",
        });
    }
    if spec.best.is_some() {
        draft.sink.report(EmitFault::LeftOut {
            what: "`best`",
            reason: "MAMMOTH keeps the newest checkpoints alone",
            span: draft.place("training", "best"),
            help: "choose among its checkpoints by its record of validations",
        });
    }
    if let Some(stop) = spec.stop_early {
        draft.top("early_stopping", whole(stop.patience));
        let criterion = match stop.on {
            Criterion::Loss => "ppl",
            Criterion::Accuracy => "accuracy",
            Criterion::MacroLoss | Criterion::MacroAccuracy | Criterion::Bleu | Criterion::Chrf => {
                let help =
                    "stop by `loss` or `accuracy`: MAMMOTH's validation compares nothing else";
                return draft.no_equal(
                    "this criterion",
                    draft.place("training", "stop_early"),
                    help,
                );
            }
        };
        let list = draft.texts([criterion]);
        draft.top("early_stopping_criteria", list);
    }
}

fn batches(draft: &mut Draft<'_>) {
    let spec = &draft.experiment.training.value;
    draft.top("batch_size", whole(spec.batch_tokens));
    draft.top("batch_type", text("tokens"));
    if spec.accumulate != 1 {
        draft.top("accum_count", whole(spec.accumulate));
    }
    if spec.shuffle != SHUFFLE {
        draft.sink.report(EmitFault::LeftOut {
            what: "`shuffle`",
            reason: "MAMMOTH reads files in their order",
            span: draft.place("training", "shuffle"),
            help: "shuffle the files once before training",
        });
    }
    let normalise = match spec.normalise {
        Normalise::Tokens => "tokens",
        Normalise::Lanes => "sents",
    };
    draft.top("normalization", text(normalise));
    match spec.precision {
        Precision::Fp32 => {}
        Precision::Fp16 => draft.top("model_dtype", text("fp16")),
        Precision::Bf16 | Precision::Fp64 => {
            let span = draft.place("training", "precision");
            draft.no_equal("this precision", span, "take `fp32` or `fp16`");
        }
    }
}

fn optimizer(draft: &mut Draft<'_>) {
    let (name, decay) = match draft.experiment.training.value.optimizer {
        Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay } => {
            adam(draft, [lr, beta1, beta2, eps]);
            ("adamw", Some(weight_decay))
        }
        Optimizer::Adam { lr, beta1, beta2, eps, weight_decay } => {
            adam(draft, [lr, beta1, beta2, eps]);
            ("adam", Some(weight_decay))
        }
        Optimizer::Adafactor { lr, beta2_decay, eps1, eps2, threshold, weight_decay } => {
            // The peer's takes the relative step, and no notice of learning rate and schedule.
            let constants = [lr, beta2_decay, eps1, eps2, threshold];
            fixed(draft, constants, [1e-2, -0.8, 1e-30, 1e-3, 1.0], "adafactor(lr = 1e-2)");
            ("adafactor", Some(weight_decay))
        }
        Optimizer::Sgd { lr, momentum, weight_decay } => {
            draft.top("learning_rate", Value::Float(lr));
            fixed(draft, [momentum, weight_decay], [0.0; 2], "sgd(lr = 1)");
            ("sgd", None)
        }
        Optimizer::Adagrad { lr, initial, eps, weight_decay } => {
            draft.top("learning_rate", Value::Float(lr));
            draft.top("adagrad_accumulator_init", Value::Float(initial));
            fixed(draft, [eps, weight_decay], [1e-10, 0.0], "adagrad(lr = 0.1, initial = 0)");
            ("adagrad", None)
        }
    };
    draft.top("optim", text(name));
    if let Some(decay) = decay {
        draft.top("weight_decay", Value::Float(decay));
    }
}

fn adam(draft: &mut Draft<'_>, [lr, beta1, beta2, eps]: [f64; 4]) {
    draft.top("learning_rate", Value::Float(lr));
    draft.top("adam_beta1", Value::Float(beta1));
    draft.top("adam_beta2", Value::Float(beta2));
    fixed(draft, [eps], [1e-9], "adamw(lr = 3e-4, eps = 1e-9)");
}

/// Constants of which MAMMOTH has one value.
fn fixed<const N: usize>(draft: &mut Draft<'_>, found: [f64; N], needed: [f64; N], example: &str) {
    let is_equal = |(a, b): (&f64, &f64)| a.total_cmp(b).is_eq();
    if !found.iter().zip(&needed).all(is_equal) {
        let span = draft.place("training", "optimizer");
        let help = format!("MAMMOTH's constants are those of `optimizer = {example}`");
        draft.no_equal("an optimiser with these constants", span, &help);
    }
}

fn schedule(draft: &mut Draft<'_>) {
    let spec = &draft.experiment.training.value;
    let span = draft.place("training", "schedule");
    if matches!(spec.optimizer, Optimizer::Adafactor { .. }) {
        if spec.schedule != Schedule::Constant {
            let help = "MAMMOTH's `adafactor` takes no notice of schedules: `schedule = constant`";
            draft.no_equal("a schedule of `adafactor`", span, help);
        }
        return;
    }
    // With one task all modules are updated in every step.
    let counts_steps = spec.clock == Clock::Steps && draft.plan.tasks.len() > 1;
    if counts_steps && spec.schedule != Schedule::Constant {
        let help = "MAMMOTH counts the updates of every module: `clock = updates`";
        draft.no_equal("a schedule that counts steps", span, help);
    }
    let method = match spec.schedule {
        Schedule::Constant => {
            draft.top("start_decay_steps", whole(spec.steps + 1));
            "none"
        }
        Schedule::Decay { from, every, factor } => {
            draft.top("start_decay_steps", whole(from));
            draft.top("decay_steps", whole(every));
            draft.top("learning_rate_decay", Value::Float(factor));
            "none"
        }
        Schedule::Linear { warmup, floor } => {
            draft.top("warmup_steps", whole(warmup));
            if floor > 0.0 && floor.total_cmp(&(0.001 * spec.optimizer.lr())).is_ne() {
                let help = "MAMMOTH's floor is a thousandth of the learning rate: leave it out";
                draft.no_equal("a floor of the learning rate", span, help);
            }
            "linear_warmup"
        }
        Schedule::Noam { warmup } => {
            draft.top("warmup_steps", whole(warmup));
            "noam"
        }
        Schedule::InverseSqrt { warmup } => {
            // min(s / w, sqrt(w / s)) = sqrt(d w) d^-0.5 min(s^-0.5, s w^-1.5).
            #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^53")]
            let scale = (f64::from(draft.experiment.model.dim) * warmup as f64).sqrt();
            draft.top("warmup_steps", whole(warmup));
            draft.top("learning_rate", Value::Float(spec.optimizer.lr() * scale));
            "noam"
        }
        Schedule::Rsqrt { warmup } => {
            draft.top("warmup_steps", whole(warmup));
            "rsqrt"
        }
        Schedule::Cosine { .. } => {
            let help = "take `linear(warmup = 4k)`, `noam`, `rsqrt` or `decay`";
            draft.no_equal("a cosine schedule", span, help);
            return;
        }
    };
    draft.top("decay_method", text(method));
}

fn lr_scale(draft: &mut Draft<'_>) {
    if !draft.experiment.training.value.lr_scale.is_none() {
        let span = draft.place("training", "lr_scale");
        let what = "a learning rate that goes by the text of an update";
        draft.no_equal(what, span, "leave it out: `lr_scale = none`");
    }
}

fn gradients(draft: &mut Draft<'_>) {
    let spec = &draft.experiment.training.value;
    draft.top("label_smoothing", Value::Float(spec.label_smoothing));
    let span = draft.place("training", "clip");
    match (spec.clip, spec.clip_scope) {
        (None, _) => draft.top("max_grad_norm", Value::Float(0.0)),
        (Some(norm), ClipScope::Module) => {
            draft.top("max_grad_norm", Value::Float(norm));
            let fault = "multiplies `max_grad_norm` by a module's number of parameters: it hardly ever clips";
            let help = "do not count on it there; `clip = none` says what happens";
            draft.defect(fault, span, help);
        }
        (Some(_), ClipScope::Global) => {
            let help = "MAMMOTH bounds every module's own norm: `clip = module(1.0)`, or `none`";
            draft.no_equal("a bound of the norm of all gradients together", span, help);
        }
    }
}
