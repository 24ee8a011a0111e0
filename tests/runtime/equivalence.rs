//! What must leave no trace in the parameters: the mapping, under either schedule; steps of other tasks; freezing; an
//! interruption, wherever it comes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mmc_plan::sample::{self, Sample};
use mmc_plan::{
    AdapterKind, CheckpointSpec, CorpusFiles, Event, LoraPlace, Plan, Precision, Sampling, Sharing,
    StackSide, VocabularyKind, VocabularySpec,
};
use sha2::{Digest as _, Sha256};

use super::choices::adapter;
use super::train::{MAPPINGS, assert_same_checkpoint, difference, parameters, tensors};
use super::workplace::{Workplace, train};

/// Encoders by source language under one that all share, decoders by target language, adapters by both; dropout everywhere,
/// label smoothing, and clipping.
fn modular(place: &Workplace, mapping: &[&[u32]], output: &str) -> Sample {
    let mut sample = place.sample(mapping, Precision::Fp32, output);
    let lora = AdapterKind::Lora { rank: 2, alpha: 4.0, on: LoraPlace::FeedForward };
    let houlsby = AdapterKind::Houlsby { hidden: 4 };
    sample.model.adapters = vec![
        adapter("by_source", StackSide::Encoder, lora, Sharing::SourceLanguage),
        adapter("by_target", StackSide::Decoder, houlsby, Sharing::TargetLanguage),
    ];
    sample.model.attention_dropout = 0.1;
    (sample.training.clip, sample.training.ema) = (Some(0.5), Some(0.9));
    assert!(sample.model.dropout > 0.0 && sample.training.label_smoothing > 0.0);
    sample
}

/// Two ranks have a bucket for every module; four lie on two nodes, and their gradients are summed in two levels.
fn communicate_otherwise(plan: &mut Plan) {
    if plan.ranks.len() == 2 {
        plan.communicators.iter_mut().for_each(|spec| spec.bucket = Some(1));
    }
    if let [_, _, third, fourth] = plan.ranks.as_mut_slice() {
        (third.node, third.device, fourth.node, fourth.device) = (1, 0, 1, 1);
        (plan.cluster.nodes, plan.cluster.devices_per_node) = (2, 2);
    }
}

/// Trains under every mapping; the parameters are the same.
fn assert_same_under_all_mappings(schedule: impl Fn(&mut Plan)) -> String {
    let place = Workplace::new();
    let mut runs = Vec::new();
    let (mut averages, mut digests) = (Vec::new(), Vec::new());
    for (at, mapping) in MAPPINGS.iter().enumerate() {
        let output = format!("run{at}");
        let mut plan = modular(&place, mapping, &output).plan();
        schedule(&mut plan);
        communicate_otherwise(&mut plan);
        plan.digest = plan.mathematics_digest();
        assert_eq!(mmc_plan::verify(&plan), Ok(()));
        digests.push(plan.digest.clone());
        let path = place.write(&format!("plan{at}.yaml"), &plan);
        let told = train(&path, u32::try_from(mapping.len()).unwrap(), &[]);
        let clipped =
            |event: &&Event| matches!(event, Event::Step { norm: Some(norm), .. } if *norm > 0.5);
        let clipped = told.iter().filter(clipped).count();
        assert!(clipped >= 10, "clipping was at work in {clipped} steps");
        let output = place.path(&output);
        averages.push(tensors(&output, 20, "ema"));
        runs.push(parameters(&output, 20));
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    for runs in [&runs, &averages] {
        for run in &runs[1..] {
            let found = difference(&runs[0], run);
            assert!(found < 1e-5, "{found:e}");
        }
    }
    assert!(difference(&runs[0], &averages[0]) > 1e-2, "averages are what was trained last");
    let earlier = parameters(&place.path("run0"), 10);
    for (name, tensor) in runs[0].iter().filter(|(name, _)| name.starts_with("adapter.")) {
        assert!(!tensor.equal(&earlier[name]), "{name} did not learn");
    }
    digests.remove(0)
}

#[test]
fn mapping_does_not_change_a_modular_model_whatever_the_schedule() {
    let independent = assert_same_under_all_mappings(|_| {});
    let aligned = assert_same_under_all_mappings(|plan| {
        plan.curriculum = sample::two_windows(plan);
        for step in 1..=20 {
            assert!((1..4).all(|lane| plan.point_at(step, lane) == plan.point_at(step, 0)));
        }
    });
    assert_ne!(independent, aligned);
}

/// A module's file of a checkpoint.
fn file(output: &Path, step: u64, sub: &str, module: &str) -> Vec<u8> {
    let file = format!("checkpoints/step_{step:06}/{sub}/{module}.safetensors");
    fs::read(output.join(file)).unwrap()
}

/// Two lanes, a task each: a step changes parameters and moments of these tasks' modules, and of no others.
#[test]
fn a_step_updates_the_modules_of_its_tasks_alone() {
    const STEPS: u64 = 8;
    let place = Workplace::new();
    let mappings: [&[&[u32]]; 2] = [&[&[0, 1]], &[&[0], &[1]]];
    for mapping in mappings {
        let output = format!("run{}", mapping.len());
        let mut sample = modular(&place, mapping, &output);
        (sample.lanes, sample.training.steps) = (2, STEPS);
        sample.training.validate_every = None;
        sample.training.checkpoint = CheckpointSpec { every: Some(1), keep: 100 };
        let plan = sample.plan();
        assert_eq!(mmc_plan::verify(&plan), Ok(()));
        train(&place.write("plan.yaml", &plan), u32::try_from(mapping.len()).unwrap(), &[]);
        let output = place.path(&output);
        let mut telling = 0;
        for step in 2..=STEPS {
            let trained = plan.trained_in(step);
            let two = plan.tasks_in(step).len() == 2;
            telling += u32::from(two && trained.len() < plan.modules.len());
            for name in plan.modules.keys() {
                for sub in ["modules", "optimizer"] {
                    let [before, after] = [step - 1, step].map(|at| file(&output, at, sub, name));
                    let changed = before != after;
                    assert_eq!(changed, trained.contains(name.as_str()), "{step} {sub} {name}");
                }
            }
        }
        assert!(telling > 2, "no step has two tasks and leaves a module out");
        let state = tensors(&output, STEPS, "optimizer");
        for name in plan.modules.keys() {
            let updates = state[&format!("{name}.safetensors/updates")].int64_value(&[0]);
            let steps = (1..=STEPS).filter(|step| plan.trained_in(*step).contains(name.as_str()));
            assert_eq!(usize::try_from(updates).unwrap(), steps.count(), "{name}");
        }
    }
}

/// Two ranks share the frozen stack: no communicator has it, it stays as it was, and it has no moments.
#[test]
fn a_frozen_module_stays_as_it_was_and_nobody_talks_of_it() {
    let place = Workplace::new();
    let frozen = ["encoder.1.full", "adapter.by_source.lang.cs"];
    let mut sample = modular(&place, &[&[0, 1], &[2, 3]], "run");
    sample.frozen = frozen.map(str::to_owned).into();
    sample.training.checkpoint = CheckpointSpec { every: Some(1), keep: 100 };
    let plan = sample.plan();
    assert_eq!(mmc_plan::verify(&plan), Ok(()));
    assert!(plan.ranks.iter().all(|rank| rank.modules.contains(&frozen[0].to_owned())));
    let talked_of =
        |name: &str| plan.communicators.iter().any(|c| c.modules.contains(&name.into()));
    assert!(!frozen.into_iter().any(talked_of) && talked_of("embed.full"));
    train(&place.write("plan.yaml", &plan), 2, &[]);
    let output = place.path("run");
    for name in frozen {
        assert_eq!(file(&output, 1, "modules", name), file(&output, 20, "modules", name));
        assert!(file(&output, 20, "optimizer", name).len() < 1_000);
    }
    let (early, late) = (parameters(&output, 1), parameters(&output, 20));
    for (name, tensor) in &late {
        let still = frozen.iter().any(|frozen| name.starts_with(frozen));
        assert_eq!(tensor.equal(&early[name]), still, "{name}");
    }
}

/// Texts become gz, and a SentencePiece model draws their segmentations.
fn compress_and_sample(place: &Workplace, sample: &mut Sample) {
    let compressed = |path: &String| {
        let name = format!("{path}.gz");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&fs::read(path).unwrap()).unwrap();
        fs::write(&name, gz.finish().unwrap()).unwrap();
        name
    };
    for CorpusFiles { train, .. } in &mut sample.corpora {
        train.source = train.source.iter().map(compressed).collect::<Vec<_>>().into();
        train.target = train.target.iter().map(compressed).collect::<Vec<_>>().into();
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/text/tests");
    let bytes = fs::read(fixtures.join("sentencepiece/unigram_bytes.model")).unwrap();
    let model = place.path("pieces.model");
    fs::write(&model, &bytes).unwrap();
    let kind = VocabularyKind::Sentencepiece;
    let pieces = mmc_text::tokenizer::facts(&bytes, kind).unwrap().pieces;
    let vocabulary = VocabularySpec {
        sha256: format!("{:x}", Sha256::digest(&bytes)),
        sampling: Some(Sampling { nbest: None, alpha: 0.2 }),
        ..sample::vocabulary(&model.display().to_string(), pieces)
    };
    sample.vocabularies.insert("joint".to_owned(), vocabulary);
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to: PathBuf = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What a step read and found, to the bit.
fn steps(told: &[Event], behind: u64) -> Vec<String> {
    let step = |event: &Event| {
        let Event::Step { step, losses, source_tokens, target_tokens, norm, .. } = event else {
            return None;
        };
        let line = format!("{step} {losses:?} {source_tokens} {target_tokens} {norm:?}");
        (*step > behind).then_some(line)
    };
    told.iter().filter_map(step).collect()
}

/// In mid-chunk, between chunks, and in later epochs than the first.
#[test]
fn resumed_anywhere_with_drawn_segmentations_of_shuffled_gz_equals_the_uninterrupted() {
    const STEPS: u64 = 40;
    let place = Workplace::new();
    let plan = |output: &str| {
        let mut sample = modular(&place, &[&[0, 1], &[2, 3]], output);
        compress_and_sample(&place, &mut sample);
        (sample.training.steps, sample.training.shuffle) = (STEPS, 24);
        sample.training.checkpoint = CheckpointSpec { every: Some(9), keep: 100 };
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    let told = train(&plan("whole"), 2, &[]);
    let whole = place.path("whole");
    let streams = |lane: u64| {
        let path = whole.join(format!("checkpoints/step_{STEPS:06}/streams/{lane}.json"));
        fs::read_to_string(path).unwrap()
    };
    assert!((0..4).any(|lane| streams(lane).contains("\"epoch\": 1")), "one epoch: {}", streams(0));
    for behind in [9, 18, 27, 36] {
        let output = format!("cut{behind}");
        let checkpoint = format!("checkpoints/step_{behind:06}");
        copy(&whole.join(&checkpoint), &place.path(&output).join(&checkpoint));
        let again = train(&plan(&output), 2, &["--resume"]);
        assert!(matches!(again[0], Event::Started { step, .. } if step == behind));
        assert_eq!(steps(&again, 0), steps(&told, behind));
        assert_same_checkpoint(&whole, &place.path(&output), STEPS);
    }
}

/// Texts become files with both sides, in the order of the alphabet: one for both directions of a pair.
fn paste(place: &Workplace, sample: &mut Sample) {
    for ([source, target], corpus) in sample.pairs.iter().zip(&mut sample.corpora) {
        for (part, files) in [("train", Some(&mut corpus.train)), ("valid", corpus.valid.as_mut())]
        {
            let files = files.unwrap();
            let [one, other] = [&files.source[0], &files.target[0]].map(fs::read_to_string);
            let (one, other) = (one.unwrap(), other.unwrap());
            let (first, second, columns) =
                if source < target { (one, other, [1, 2]) } else { (other, one, [2, 1]) };
            let lines = first.lines().zip(second.lines());
            let text: String = lines.map(|(a, b)| format!("{a}\t{b}\t0.5\n")).collect();
            let (first, second) = (source.min(target), source.max(target));
            let path = place.path(&format!("{part}.{first}-{second}.tsv"));
            fs::write(&path, text).unwrap();
            files.source = vec![path.display().to_string()].into();
            *files = sample::in_columns(files, columns);
        }
    }
}

#[test]
fn columns_train_what_the_files_do_that_they_were_pasted_from() {
    let place = Workplace::new();
    let run = |output: &str, is_pasted: bool| {
        let mut sample = modular(&place, &[&[0, 1], &[2, 3]], output);
        if is_pasted {
            paste(&place, &mut sample);
        }
        let plan = sample.plan();
        assert_eq!(mmc_plan::verify(&plan), Ok(()));
        let told = train(&place.write(&format!("{output}.yaml"), &plan), 2, &[]);
        let losses = |event: &Event| {
            let Event::Validated { losses, .. } = event else { return None };
            Some(losses.clone())
        };
        (steps(&told, 0), told.iter().filter_map(losses).collect::<Vec<_>>())
    };
    let (aligned, pasted) = (run("aligned", false), run("pasted", true));
    assert_eq!(aligned, pasted);
    assert!(!aligned.1.is_empty());
    assert_same_checkpoint(&place.path("aligned"), &place.path("pasted"), 20);
}
