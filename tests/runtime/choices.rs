//! Training with the choices that few plans make: adapters, other norms, positions and optimisers, frozen modules.

use std::collections::BTreeMap;
use std::path::Path;

use mmc_plan::sample::Sample;
use mmc_plan::{
    Activation, AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, CheckpointSpec, ClipScope,
    Clock, CorpusFiles, Criterion, Denoise, Event, LoraPlace, LrScale, MaskUnit, Normalisation,
    Objective, Optimizer, ParallelFiles, Positions, Precision, Replace, Sharing, StackSide,
    StopEarly, Transform,
};

use tch::{Kind, Tensor};

use super::equivalence::copy;
use super::serve::translated;
use super::train::{MAPPINGS, difference, parameters, tensors, tensors_in};
use super::workplace::{Workplace, train};

pub(crate) fn adapter(
    name: &str,
    side: StackSide,
    kind: AdapterKind,
    sharing: Sharing,
) -> AdapterSpec {
    AdapterSpec { name: name.to_owned(), side, stack: 0, layers: vec![0], kind, sharing }
}

/// A bridge of these layers that all directions share, with five states where their number is fixed.
pub(crate) fn bridge(layers: &[BridgeLayer], normalisation: Normalisation) -> BridgeSpec {
    BridgeSpec {
        layers: layers.to_vec(),
        hidden: 12,
        fixed: 5,
        normalisation: Some(normalisation),
        sharing: Sharing::Full,
    }
}

/// Adapters by source, by target and by task, two of them of one kind in one layer, a bridge, noise, dropout, and what else a plan
/// can choose, on one rank and on two; and what was learnt translates the same lines alike, alone and in batches.
#[test]
fn mapping_does_not_change_parameters_whatever_the_model() {
    let place = Workplace::new();
    let (mut runs, mut rates) = (Vec::new(), Vec::new());
    let mappings: [&[&[u32]]; 2] = [&[&[0, 1, 2, 3]], &[&[3, 0], &[2, 1]]];
    for (at, mapping) in mappings.iter().enumerate() {
        let output = format!("run{at}");
        let mut sample = place.sample(mapping, Precision::Fp32, &output);
        let model = &mut sample.model;
        (model.normalisation, model.activation) = (Normalisation::Rms, Activation::Swiglu);
        model.positions = Positions::Rotary { dims: 4, base: 10_000 };
        (model.attention_dropout, model.ffn_dropout, model.ffn_bias) = (0.1, 0.1, false);
        let lora = AdapterKind::Lora { rank: 2, alpha: 4.0, on: LoraPlace::Attention };
        let houlsby = AdapterKind::Houlsby { hidden: 4 };
        let (encoder, decoder) = (StackSide::Encoder, StackSide::Decoder);
        model.adapters = vec![
            adapter("by_source", encoder, lora, Sharing::SourceLanguage),
            adapter("by_target", decoder, houlsby, Sharing::TargetLanguage),
            adapter("by_task", encoder, lora, Sharing::Task),
            adapter("further", encoder, AdapterKind::Ff { hidden: 6 }, Sharing::Full),
            adapter("inner", decoder, AdapterKind::Pfeiffer { hidden: 3 }, Sharing::SourceLanguage),
            adapter("prompt", encoder, AdapterKind::Prefix { length: 2 }, Sharing::Full),
        ];
        let layers = [BridgeLayer::FeedForward, BridgeLayer::Perceiver];
        model.bridge = Some(bridge(&layers, Normalisation::Rms));
        sample.transforms.push(Transform::Switchout { temperature: 0.5 });
        sample.training.optimizer = Optimizer::Sgd { lr: 0.05, momentum: 0.9, weight_decay: 0.01 };
        let adagrad = Optimizer::Adagrad { lr: 0.01, initial: 0.1, eps: 1e-10, weight_decay: 0.0 };
        sample.optimizers.insert("encoder.1.full".to_owned(), adagrad);
        (sample.training.clip, sample.training.clip_scope) = (Some(0.5), ClipScope::Module);
        (sample.training.clock, sample.training.lr_scale) = (Clock::Updates, LrScale::Sqrt);
        let plan = place.write_plan(&format!("plan{at}.yaml"), &sample);
        rates.push(learning_rates(&train(&plan, u32::try_from(mapping.len()).unwrap(), &[])));
        runs.push(parameters(&place.path(&output), 20));
    }
    assert_eq!(rates[0], rates[1]);
    assert!(rates[0].iter().any(|(most, least)| least.is_some_and(|lr| lr < *most)), "{rates:?}");
    assert!(runs[0].keys().any(|name| name.starts_with("adapter.by_target.lang.")));
    let found = difference(&runs[0], &runs[1]);
    assert!(found < 1e-5, "{found:e}");
    let earlier = parameters(&place.path("run0"), 10);
    let attached = |name: &&String| name.starts_with("adapter.") || name.starts_with("bridge.");
    for name in runs[0].keys().filter(attached) {
        assert!(!runs[0][name].equal(&earlier[name]), "{name} did not learn");
    }
    let lines: Vec<String> =
        ["cs1 cs2 cs3 cs4 cs5", "cs6", "cs7 cs8 cs9"].map(str::to_owned).into();
    let translated = |batch: &str| {
        let more = ["--source", "cs", "--target", "de", "--beam", "3", "--batch", batch];
        translated(&place.path("plan0.yaml"), &place.path("run0"), &lines, &more)
    };
    let (together, alone) = (translated("3"), translated("1"));
    assert_eq!((together.len(), &together), (lines.len(), &alone));
}

/// The largest and the least learning rate of each step.
fn learning_rates(told: &[Event]) -> Vec<(f64, Option<f64>)> {
    let of = |event: &Event| {
        let Event::Step { lr, least_lr, .. } = event else { return None };
        Some((*lr, *least_lr))
    };
    told.iter().filter_map(of).collect()
}

/// A source of noise: the loss falls, and validation reads the text as it is.
#[test]
fn denoising_learns_with_adafactor() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    // Texts of one language, each once.
    let texts = sample.pairs.iter().zip(&sample.corpora).map(|([language, _], corpus)| {
        let own =
            |files: &ParallelFiles| ParallelFiles { target: files.source.clone(), ..files.clone() };
        let valid = corpus.valid.as_ref().map(own);
        let corpus = CorpusFiles { train: own(&corpus.train), valid, ..corpus.clone() };
        (language.clone(), corpus)
    });
    let texts: BTreeMap<String, CorpusFiles> = texts.collect();
    sample.pairs = texts.keys().map(|language| [language.clone(), language.clone()]).collect();
    sample.corpora = texts.into_values().collect();
    let joint = sample.vocabularies.get_mut("joint").unwrap();
    joint.added.push("<mask>".to_owned());
    joint.mask = Some(joint.pieces + u32::try_from(joint.added.len()).unwrap() - 1);
    sample.transforms.push(Transform::Denoise(Denoise {
        objective: Objective::Mass,
        ratio: 0.5,
        unit: MaskUnit::Subword,
        replace: Replace::Each,
        random: 0.1,
        insert: 0.0,
        rotate: 0.0,
        permute: 0.0,
    }));
    sample.training.optimizer = Optimizer::Adafactor {
        lr: 0.05,
        beta2_decay: -0.8,
        eps1: 1e-15,
        eps2: 1e-3,
        threshold: 1.0,
        weight_decay: 0.0,
    };
    sample.training.steps = 60;
    let plan = place.write_plan("plan.yaml", &sample);
    let told = train(&plan, 2, &[]);
    let losses: Vec<f64> = told
        .iter()
        .filter_map(|event| {
            let Event::Step { losses, .. } = event else { return None };
            Some(losses.values().sum::<f64>() / f64::from(u32::try_from(losses.len()).unwrap()))
        })
        .collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / 10.0;
    assert!(mean(&losses[50..]) < mean(&losses[..10]) - 0.3, "{losses:?}");
}

/// The best validation so far, as a checkpoint has it.
fn watch(output: &Path, step: u64) -> serde_json::Value {
    let path = output.join(format!("checkpoints/step_{step:06}/manifest.json"));
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    manifest["watch"].clone()
}

/// Nothing is learnt, so the first of the validations, which come every three steps, stays the best.
fn still(place: &Workplace, output: &str, keep: u32) -> Sample {
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, output);
    sample.training.optimizer = Optimizer::Sgd { lr: 1e-30, momentum: 0.0, weight_decay: 0.0 };
    sample.training.validate_every = Some(3);
    sample.training.checkpoint = CheckpointSpec { every: Some(1), keep };
    sample
}

/// These checkpoints and no others: the best first, the latest last.
#[track_caller]
fn assert_keeps(folder: &Path, steps: &[&str]) {
    let names = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [&["best", "latest"], steps].concat());
    for (name, step) in [("best", steps.first()), ("latest", steps.last())] {
        let words = std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(Some(words.trim_end()), step.copied());
    }
}

/// Its checkpoint outlives newer ones, a run that was cut between two
/// validations ends where the whole one does, and a resumed run stays ended.
#[test]
fn training_stops_early_and_keeps_the_best() {
    let place = Workplace::new();
    let plan = |output: &str, keep| {
        let mut sample = still(&place, output, keep);
        sample.training.stop_early = Some(StopEarly { patience: 2, on: Criterion::Loss });
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    let whole = train(&plan("whole", 100), 2, &[]);
    assert!(whole.contains(&Event::StoppedEarly { step: 9, best: 3 }), "{whole:?}");
    let validated = whole.iter().filter(|event| {
        matches!(event, Event::Validated { losses, accuracy, .. } if losses.len() == 6 && accuracy.is_some_and(|part| part <= 1.0))
    });
    assert_eq!(validated.count(), 3);
    for step in [3, 7] {
        let checkpoint = format!("checkpoints/step_{step:06}");
        copy(&place.path("whole").join(&checkpoint), &place.path("cut").join(&checkpoint));
    }
    let plan = plan("cut", 1);
    let told = train(&plan, 2, &["--resume"]);
    assert!(told.contains(&Event::StoppedEarly { step: 9, best: 3 }), "{told:?}");
    let [before, end] = [7, 9].map(|step| watch(&place.path("whole"), step));
    assert!(before != end && end["best"]["step"] == 3 && end["since"] == 2, "{before} {end}");
    assert_eq!(watch(&place.path("cut"), 9), end);
    assert_keeps(&place.path("cut/checkpoints"), &["step_000003", "step_000009"]);
    let again = train(&plan, 2, &["--resume"]);
    assert_eq!(again.last(), Some(&Event::Finished { step: 9, interrupted: false }));
    assert!(!again.iter().any(|event| matches!(event, Event::Step { .. })), "{again:?}");
}

/// Where nothing stops training, the best outlives newer ones too, and a run that was cut knows it.
#[test]
fn the_best_is_kept_where_nothing_stops_early() {
    let place = Workplace::new();
    let plan = |output: &str, keep| {
        let mut sample = still(&place, output, keep);
        (sample.training.steps, sample.training.best) = (12, Some(Criterion::Loss));
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    train(&plan("whole", 100), 2, &[]);
    for step in [3, 7] {
        let checkpoint = format!("checkpoints/step_{step:06}");
        copy(&place.path("whole").join(&checkpoint), &place.path("cut").join(&checkpoint));
    }
    let told = train(&plan("cut", 1), 2, &["--resume"]);
    assert_eq!(told.last(), Some(&Event::Finished { step: 12, interrupted: false }));
    assert_keeps(&place.path("cut/checkpoints"), &["step_000003", "step_000012"]);
    let [cut, whole] = ["cut", "whole"].map(|output| watch(&place.path(output), 12));
    assert_eq!(cut, whole);
}

/// Validation goes by moving averages, which leave no trace in what is trained: with a decay of 0 they are the parameters, with
/// one of nearly 1 they stay where they began.
#[test]
fn moving_averages_are_what_is_validated_and_change_no_training() {
    let place = Workplace::new();
    let validated = |name: &str, ema: Option<f64>| {
        let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, name);
        sample.training.ema = ema;
        let told = train(&place.write_plan(&format!("{name}.yaml"), &sample), 2, &[]);
        let found = told.iter().filter_map(|event| {
            let Event::Validated { losses, .. } = event else { return None };
            Some(losses.values().sum::<f64>())
        });
        (found.collect::<Vec<f64>>(), parameters(&place.path(name), 20))
    };
    let (plain, of_plain) = validated("plain", None);
    let (same, of_same) = validated("same", Some(0.0));
    let (still, of_still) = validated("still", Some(1.0 - 1e-9));
    assert!(!place.path("plain/checkpoints/step_000020/ema").exists());
    assert_eq!(same, plain);
    for other in [of_same, of_still] {
        assert!(of_plain.iter().all(|(name, tensor)| tensor.equal(&other[name])));
    }
    assert!(
        plain[1] < plain[0] - 0.01 && (still[1] - still[0]).abs() < 1e-4,
        "{plain:?} {still:?}"
    );
    assert!(still[0] > plain[0] + 0.01, "{plain:?} {still:?}");
}

/// The mean of the last three checkpoints, also by two ranks, of moving averages too, whatever else was written and dropped.
#[test]
fn the_mean_of_the_last_checkpoints_is_a_checkpoint_of_its_own() {
    let place = Workplace::new();
    let mut found = Vec::new();
    for (name, mapping) in [("one", MAPPINGS[0]), ("two", MAPPINGS[1])] {
        let mut sample = place.sample(mapping, Precision::Fp32, name);
        (sample.training.steps, sample.training.average) = (8, Some(3));
        sample.training.ema = Some(0.5);
        sample.training.checkpoint = CheckpointSpec { every: Some(3), keep: 3 };
        let plan = place.write_plan(&format!("{name}.yaml"), &sample);
        let ranks = u32::try_from(mapping.len()).unwrap();
        let told = train(&plan, ranks, &[]);
        let [.., Event::Averaged { steps, path }, Event::Finished { .. }] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(steps.as_slice(), [8, 6, 3]);
        assert!(path.ends_with(&format!("{name}/checkpoints/average")), "{path}");
        let output = place.path(name);
        for sub in ["modules", "ema"] {
            let all = [8, 6, 3].map(|step| tensors(&output, step, sub));
            let mean = tensors_in(&output.join(format!("checkpoints/average/{sub}")));
            assert!(mean.keys().eq(all[0].keys()));
            for (name, tensor) in &mean {
                let sum = all.iter().map(|of| of[name].to_kind(Kind::Double)).sum::<Tensor>();
                assert!(tensor.equal(&(sum / 3.0).to_kind(Kind::Float)), "{name}");
            }
            found.push(mean);
        }
        // A run that is over makes the same again.
        assert!(matches!(
            train(&plan, ranks, &["--resume"]).as_slice(),
            [_, Event::Averaged { .. }, _]
        ));
        let again = tensors_in(&output.join("checkpoints/average/modules"));
        assert!(again.iter().all(|(name, tensor)| tensor.equal(&found[found.len() - 2][name])));
    }
    assert!(difference(&found[0], &found[2]) < 1e-5 && difference(&found[1], &found[3]) < 1e-5);
}

/// In a first step all gradients are the same, whatever the optimisers: so modules move as by their optimiser alone.
#[test]
fn modules_are_updated_by_their_own_optimisers() {
    let place = Workplace::new();
    let sgd = Optimizer::Sgd { lr: 0.5, momentum: 0.9, weight_decay: 0.0 };
    let run = |name: &str, change: &dyn Fn(&mut Sample)| {
        let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, name);
        sample.training.steps = 1;
        change(&mut sample);
        train(&place.write_plan(&format!("{name}.yaml"), &sample), 2, &[]);
        parameters(&place.path(name), 1)
    };
    let all_adamw = run("adamw", &|_| {});
    let all_sgd = run("sgd", &|sample| sample.training.optimizer = sgd);
    let mixed = run("mixed", &|sample| {
        let plan = sample.plan();
        let own = plan.modules.keys().filter(|name| name.starts_with("decoder."));
        sample.optimizers = own.map(|name| (name.clone(), sgd)).collect();
    });
    let mut counts = [0, 0];
    for (name, tensor) in &mixed {
        let is_own = name.starts_with("decoder.");
        let (like, unlike) = if is_own { (&all_sgd, &all_adamw) } else { (&all_adamw, &all_sgd) };
        assert!(tensor.equal(&like[name]), "{name}");
        counts[usize::from(is_own)] += usize::from(!tensor.equal(&unlike[name]));
    }
    assert!(counts.iter().all(|moved| *moved > 0), "{counts:?}");
}
