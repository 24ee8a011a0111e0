//! What a plan can hold and this worker can't run yet: each is refused by its name before anything is computed.

use mmc_plan::{
    Activation, ClipScope, Clock, ClosingNorm, Initial, ModelSpec, Normalisation, Optimizer, Plan,
    Positions, Precision, Schedule, TrainingSpec,
};

use super::ModelError;

/// Refuses a plan with something that is not built.
pub(crate) fn refuse(plan: &Plan) -> Result<(), ModelError> {
    let mut found: Vec<String> = Vec::new();
    model(&plan.model, &mut found);
    training(&plan.training, &mut found);
    if plan.modules.values().any(|module| module.frozen) {
        found.push("frozen modules".to_owned());
    }
    if plan.vocabularies.values().any(|vocabulary| vocabulary.sampling.is_some()) {
        found.push("sampled segmentations".to_owned());
    }
    if found.is_empty() { Ok(()) } else { Err(ModelError::NotBuilt(found.join(", "))) }
}

fn model(model: &ModelSpec, found: &mut Vec<String>) {
    let mut refuse = |is_there: bool, name: String| {
        if is_there {
            found.push(name);
        }
    };
    let width = u64::from(model.dim);
    refuse(model.attention_dim() != width, format!("heads {} wide", model.head_dim));
    refuse(!model.attention_bias, "attention without biases".to_owned());
    refuse(!model.ffn_bias, "feed-forward sublayers without biases".to_owned());
    let differ = model.dropout.to_bits() != model.ffn_dropout.to_bits();
    refuse(differ, "a dropout of feed-forward sublayers of their own".to_owned());
    match model.normalisation {
        Normalisation::LayerNorm => {}
        Normalisation::Rms | Normalisation::RmsPlain => {
            refuse(true, format!("norm {:?}", model.normalisation));
        }
    }
    refuse(model.closing_norm == ClosingNorm::LastStack, "closing norms by side".to_owned());
    match model.activation {
        Activation::Relu | Activation::Gelu => {}
        Activation::Swiglu | Activation::Geglu => {
            refuse(true, format!("activation {:?}", model.activation));
        }
    }
    match model.positions {
        Positions::Sinusoidal | Positions::None => {}
        Positions::Learned { .. } | Positions::Rotary { .. } => {
            refuse(true, format!("positions {:?}", model.positions));
        }
    }
    refuse(model.init == Initial::Torch, "initial values of torch".to_owned());
    refuse(!model.embeddings.scale, "embeddings without scale".to_owned());
    refuse(model.bridge.is_some(), "a bridge".to_owned());
    refuse(!model.adapters.is_empty(), "adapters".to_owned());
}

fn training(training: &TrainingSpec, found: &mut Vec<String>) {
    match training.optimizer {
        Optimizer::Adamw { .. } => {}
        Optimizer::Adam { .. }
        | Optimizer::Adafactor { .. }
        | Optimizer::Sgd { .. }
        | Optimizer::Adagrad { .. } => found.push(format!("optimizer {:?}", training.optimizer)),
    }
    match training.schedule {
        Schedule::Constant | Schedule::InverseSqrt { .. } => {}
        Schedule::Linear { floor, .. } if floor.to_bits() == 0 => {}
        Schedule::Linear { .. }
        | Schedule::Cosine { .. }
        | Schedule::Noam { .. }
        | Schedule::Rsqrt { .. }
        | Schedule::Decay { .. } => found.push(format!("schedule {:?}", training.schedule)),
    }
    match training.precision {
        Precision::Fp32 | Precision::Fp64 => {}
        Precision::Bf16 | Precision::Fp16 => {
            found.push(format!("precision {:?}", training.precision));
        }
    }
    if training.clock == Clock::Updates {
        found.push("a schedule by the modules' own updates".to_owned());
    }
    if training.clip.is_some() && training.clip_scope == ClipScope::Module {
        found.push("clipping by module".to_owned());
    }
    if training.stop_early.is_some() {
        found.push("early stopping".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample::Sample;

    use super::*;

    #[test]
    fn each_thing_is_named() {
        let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
        assert_eq!(refuse(&sample.plan()), Ok(()));
        sample.model.positions = Positions::Rotary { dims: 8, base: 10_000 };
        sample.training.optimizer = Optimizer::Sgd { lr: 1.0, momentum: 0.0, weight_decay: 0.0 };
        let fault = refuse(&sample.plan()).expect_err("both are refused").to_string();
        assert!(fault.contains("Rotary") && fault.contains("Sgd"), "{fault}");
    }
}
