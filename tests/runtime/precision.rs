//! Products in 16 bits: learning as in 32, and resumption to the bit with the scale of the loss.

use std::fs;

use mmc_plan::{CheckpointSpec, Event, Precision};

use super::equivalence::copy;
use super::train::{assert_same_checkpoint, difference, parameters};
use super::workplace::{Workplace, train};

const STEPS: u64 = 30;

/// The mean loss of every step of a run with dropout.
fn losses(place: &Workplace, precision: Precision) -> Vec<f64> {
    let output = format!("{precision:?}");
    let mut sample = place.sample(&[&[0, 1, 2, 3]], precision, &output);
    sample.training.steps = STEPS;
    let told = train(&place.write_plan(&format!("{output}.yaml"), &sample), 1, &[]);
    let mean = |event: &Event| {
        let Event::Step { losses, norm, scale, .. } = event else { return None };
        assert_eq!(scale.is_some(), precision == Precision::Fp16);
        assert!(norm.is_some(), "a step of so small a model overflowed");
        Some(losses.values().sum::<f64>() / f64::from(u32::try_from(losses.len()).unwrap()))
    };
    told.iter().filter_map(mean).collect()
}

#[test]
fn losses_in_16_bits_are_near_those_in_32() {
    let place = Workplace::new();
    let wide = losses(&place, Precision::Fp32);
    assert!(wide[29] < wide[0] - 0.3, "nothing was learnt: {wide:?}");
    // A step's rounding errors are 2^-9 and 2^-12 of its numbers; what was learnt adds them up.
    for (precision, bound) in [(Precision::Bf16, 2e-2), (Precision::Fp16, 3e-3)] {
        let narrow = losses(&place, precision);
        let far = wide.iter().zip(&narrow).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < bound, "{precision:?}: {far:e}");
        assert!(far > 0.0, "{precision:?} is 32 bits");
    }
}

#[test]
fn a_resumed_run_goes_on_with_the_scale_to_the_bit() {
    for precision in [Precision::Bf16, Precision::Fp16] {
        let place = Workplace::new();
        let plan = |output: &str| {
            let mut sample = place.sample(&[&[0, 1], &[2, 3]], precision, output);
            sample.training.steps = 20;
            sample.training.checkpoint = CheckpointSpec { every: Some(7), keep: 9 };
            place.write_plan(&format!("{output}.yaml"), &sample)
        };
        train(&plan("whole"), 2, &[]);
        let checkpoint = "checkpoints/step_000007";
        copy(&place.path("whole").join(checkpoint), &place.path("cut").join(checkpoint));
        let told = train(&plan("cut"), 2, &["--resume"]);
        assert!(matches!(told[0], Event::Started { step: 7, .. }));
        assert_same_checkpoint(&place.path("whole"), &place.path("cut"), 20);
        let manifests = ["whole", "cut"].map(|run| {
            let path = place.path(run).join("checkpoints/step_000020/manifest.json");
            let text = fs::read_to_string(path).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["scaler"].clone()
        });
        assert_eq!(manifests[0], manifests[1]);
        let good = (precision == Precision::Fp16).then_some(20);
        assert_eq!(manifests[0]["good"].as_u64(), good);
    }
}

/// A scale that is far too large makes every rank leave out the same steps, and gradients of buckets are cleared as others.
#[test]
fn all_ranks_leave_out_the_same_steps() {
    let place = Workplace::new();
    let plan = |mapping: &[&[u32]], output: &str| {
        let mut sample = place.sample(mapping, Precision::Fp16, output);
        sample.training.steps = 24;
        sample.training.checkpoint = CheckpointSpec { every: Some(3), keep: 9 };
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    let checkpoint = "checkpoints/step_000003";
    train(&plan(&[&[0, 1, 2, 3]], "first"), 1, &[]);
    let mut scaled = None;
    let mappings: [&[&[u32]]; 2] = [&[&[0, 1, 2, 3]], &[&[0, 2], &[1, 3]]];
    for (ranks, mapping) in (1..).zip(mappings) {
        let output = format!("of{ranks}");
        copy(&place.path("first").join(checkpoint), &place.path(&output).join(checkpoint));
        let path = place.path(&output).join(checkpoint).join("manifest.json");
        let mut manifest: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        manifest["scaler"]["scale"] = 2.0_f64.powi(24).into();
        fs::write(&path, manifest.to_string()).unwrap();
        let told = train(&plan(mapping, &output), ranks, &["--resume"]);
        let of_steps = told.iter().filter_map(|event| {
            let Event::Step { norm, scale, .. } = event else { return None };
            Some((norm.is_some(), scale.unwrap()))
        });
        let of_steps: Vec<(bool, f64)> = of_steps.collect();
        assert!(!of_steps[0].0 && of_steps[20].0, "{of_steps:?}");
        assert_eq!(*scaled.get_or_insert_with(|| of_steps.clone()), of_steps);
    }
    let [one, two] = ["of1", "of2"].map(|output| parameters(&place.path(output), 24));
    let far = difference(&one, &two);
    assert!(far < 1e-5, "{far:e}");
}
