//! Training: the same parameters whatever the mapping, resumption to the bit, one readable error when a rank is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmc_plan::sample::Sample;
use mmc_plan::{
    BadLines, Criterion, Event, Normalise, OnNan, Optimizer, ParallelFiles, Precision, Schedule,
    SkippedPairs,
};
use tch::{Kind, Tensor};

use super::workplace::{Workplace, events, start, train};

/// One rank, two ranks in two ways, four ranks.
pub(crate) const MAPPINGS: [&[&[u32]]; 4] =
    [&[&[0, 1, 2, 3]], &[&[0, 1], &[2, 3]], &[&[3, 0], &[2, 1]], &[&[0], &[1], &[2], &[3]]];

/// All tensors of the modules of a checkpoint, by `module/parameter`.
pub(crate) fn parameters(output: &Path, step: u64) -> BTreeMap<String, Tensor> {
    tensors(output, step, "modules")
}

pub(crate) fn tensors(output: &Path, step: u64, sub: &str) -> BTreeMap<String, Tensor> {
    tensors_in(&output.join(format!("checkpoints/step_{step:06}/{sub}")))
}

/// All tensors of a folder, by `file/name`.
pub(crate) fn tensors_in(folder: &Path) -> BTreeMap<String, Tensor> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a checkpoint").flatten() {
        let module = entry.file_name().to_string_lossy().into_owned();
        for (name, tensor) in Tensor::read_safetensors(entry.path()).unwrap() {
            all.insert(format!("{module}/{name}"), tensor);
        }
    }
    assert!(!all.is_empty());
    all
}

/// The largest difference of any parameter, relative to the larger of itself and a thousandth of its tensor's largest.
pub(crate) fn difference(one: &BTreeMap<String, Tensor>, other: &BTreeMap<String, Tensor>) -> f64 {
    assert!(one.keys().eq(other.keys()), "other parameters");
    let mut worst = 0.0_f64;
    for (a, b) in one.values().zip(other.values()) {
        let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
        let size = a.abs().maximum(&(a.abs().max() * 1e-3)).clamp_min(1e-30);
        worst = worst.max(((a - b).abs() / size).max().double_value(&[]));
    }
    worst
}

fn assert_invariant(precision: Precision, normalise: Normalise, bound: f64) {
    let place = Workplace::new();
    let mut runs = Vec::new();
    let mut digests = Vec::new();
    for (at, mapping) in MAPPINGS.iter().enumerate() {
        let output = format!("run{at}");
        let mut sample = place.sample(mapping, precision, &output);
        sample.model.attention_dropout = 0.1;
        sample.training.normalise = normalise;
        // Small enough that clipping is at work in every step.
        sample.training.clip = Some(0.5);
        digests.push(sample.plan().digest);
        let plan = place.write_plan(&format!("plan{at}.yaml"), &sample);
        let told = train(&plan, u32::try_from(mapping.len()).unwrap(), &[]);
        let clipped =
            told.iter().any(|e| matches!(e, Event::Step { norm: Some(norm), .. } if *norm > 0.5));
        assert!(clipped, "clipping was not at work");
        runs.push(parameters(&place.path(&output), 20));
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let earlier = parameters(&place.path("run0"), 10);
    assert!(difference(&runs[0], &earlier) > 1e-2, "nothing was learnt between two checkpoints");
    for run in &runs[1..] {
        let found = difference(&runs[0], run);
        assert!(found < bound, "{precision:?} {normalise:?}: {found:e}");
    }
}

#[test]
fn mapping_does_not_change_parameters_in_32_bits() {
    assert_invariant(Precision::Fp32, Normalise::Tokens, 1e-5);
}

#[test]
fn mapping_does_not_change_parameters_in_64_bits() {
    assert_invariant(Precision::Fp64, Normalise::Tokens, 1e-10);
}

#[test]
fn mapping_does_not_change_parameters_with_products_in_bfloat16() {
    assert_invariant(Precision::Bf16, Normalise::Tokens, 1e-5);
}

#[test]
fn mapping_does_not_change_parameters_with_products_in_half_precision() {
    assert_invariant(Precision::Fp16, Normalise::Lanes, 1e-5);
}

#[test]
fn mapping_does_not_change_parameters_when_lanes_weigh_alike() {
    assert_invariant(Precision::Fp32, Normalise::Lanes, 1e-5);
}

/// Everything that a checkpoint holds, bit by bit.
pub(crate) fn assert_same_checkpoint(one: &Path, other: &Path, step: u64) {
    let averages = one.join(format!("checkpoints/step_{step:06}/ema")).is_dir();
    for sub in ["modules", "optimizer", "ema"].iter().take(if averages { 3 } else { 2 }) {
        let (a, b) = (tensors(one, step, sub), tensors(other, step, sub));
        assert!(a.keys().eq(b.keys()));
        for (name, tensor) in &a {
            assert!(tensor.equal(&b[name]), "{sub}/{name} differs");
        }
    }
    for lane in 0..4 {
        let file = format!("checkpoints/step_{step:06}/streams/{lane}.json");
        assert_eq!(fs::read(one.join(&file)).unwrap(), fs::read(other.join(&file)).unwrap());
    }
}

#[test]
fn resumed_run_equals_the_uninterrupted_one_to_the_bit() {
    let place = Workplace::new();
    let mapping: &[&[u32]] = &[&[0, 1], &[2, 3]];
    let long = |output: &str| {
        let mut sample = place.sample(mapping, Precision::Fp32, output);
        sample.training.steps = 60;
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    train(&long("whole"), 2, &[]);
    let plan = long("cut");
    let mut ranks = start(&plan, 2, &[]);
    let began = Instant::now();
    while !place.path("cut/checkpoints/step_000020").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "no checkpoint in a minute");
        sleep(Duration::from_millis(2));
    }
    ranks.0[1].kill().unwrap();
    let ends = ranks.wait();
    let gone = &ends[0];
    assert!(!gone.status.success(), "rank 0 went on alone");
    let words = String::from_utf8_lossy(&gone.stderr);
    assert!(words.contains("rank 1 is gone"), "{words}");
    let told = train(&plan, 2, &["--resume"]);
    assert!(matches!(told[0], Event::Started { step, .. } if step >= 20), "{:?}", told[0]);
    assert_same_checkpoint(&place.path("whole"), &place.path("cut"), 60);
}

#[test]
fn damaged_checkpoint_is_passed_over_and_another_mapping_resumes() {
    let place = Workplace::new();
    let of = |mapping: &[&[u32]], output: &str, name: &str| {
        place.write_plan(name, &place.sample(mapping, Precision::Fp64, output))
    };
    let plan = of(&[&[0, 1, 2, 3]], "run", "one.yaml");
    train(&plan, 1, &[]);
    let whole = parameters(&place.path("run"), 20);
    let newest = place.path("run/checkpoints/step_000020/modules");
    let file = fs::read_dir(&newest).unwrap().flatten().next().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let plan = of(&[&[3, 0], &[2, 1]], "run", "two.yaml");
    let told = train(&plan, 2, &["--resume"]);
    let [Event::Damaged { path, fault }, Event::Started { step: 10, .. }, ..] = told.as_slice()
    else {
        panic!("{told:?}")
    };
    assert!(path.ends_with("step_000020") && fault.contains("is damaged"), "{path} {fault}");
    assert!(difference(&whole, &parameters(&place.path("run"), 20)) < 1e-10);
}

#[test]
fn signal_saves_and_asks_to_be_started_again() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    (sample.training.steps, sample.training.checkpoint.every) = (100_000, None);
    sample.training.validate_every = None;
    let plan = place.write_plan("plan.yaml", &sample);
    let ranks = start(&plan, 2, &[]);
    await_step(&place.path("run/events.jsonl"), 3);
    // Only rank 1 hears the signal.
    signal(&ranks.0[1], "-USR1");
    let ends = ranks.wait();
    for end in &ends {
        assert_eq!(end.status.code(), Some(75), "{}", String::from_utf8_lossy(&end.stderr));
    }
    let told = events(&ends[0]);
    let [.., Event::Saved { step: saved, .. }, Event::Finished { step, interrupted: true }] =
        told.as_slice()
    else {
        panic!("{:?}", told.last())
    };
    assert_eq!(saved, step);
}

#[test]
fn fault_of_one_rank_ends_all_with_its_words() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    // The last direction, on the last lane, loses its text.
    sample.corpora.last_mut().unwrap().train.target = vec!["nowhere.txt".to_owned()].into();
    let plan = place.write_plan("plan.yaml", &sample);
    let began = Instant::now();
    let ends = start(&plan, 2, &[]).wait();
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
    assert!(ends.iter().all(|end| !end.status.success()));
    let failed: Vec<Event> = ends.iter().flat_map(events).collect();
    let failed: Vec<&Event> =
        failed.iter().filter(|event| matches!(event, Event::Failed { .. })).collect();
    let [Event::Failed { rank: 1, message }] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(message.contains("nowhere.txt"), "{message}");
    let words = String::from_utf8_lossy(&ends[0].stderr);
    assert!(words.contains("rank 1 failed") && words.contains("nowhere.txt"), "{words}");
}

/// Which rank failed and what rank 0 told of it.
fn told_failure(ends: &[std::process::Output]) -> (u32, String) {
    assert!(ends.iter().all(|end| !end.status.success()));
    let failed = |event: &Event| {
        let Event::Failed { rank, message } = event else { return None };
        Some((*rank, message.clone()))
    };
    events(&ends[0]).iter().find_map(failed).expect("rank 0 tells a failure")
}

#[test]
fn loss_that_is_no_number_ends_all_ranks_and_is_named() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    sample.training.optimizer = Optimizer::Sgd { lr: 1e30, momentum: 0.0, weight_decay: 0.0 };
    (sample.training.schedule, sample.training.clip) = (Schedule::Constant, None);
    let began = Instant::now();
    let ends = start(&place.write_plan("plan.yaml", &sample), 2, &[]).wait();
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
    let (_, message) = told_failure(&ends);
    for words in ["step 2, lane ", ", task `t.", "batch 1 of 2 has a loss of ", "`decoder.0.lang."]
    {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn rank_that_stands_still_is_named_with_the_communicator() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    (sample.training.steps, sample.training.validate_every) = (100_000, None);
    sample.training.checkpoint.every = None;
    let mut ranks = start(&place.write_plan("plan.yaml", &sample), 2, &["--timeout", "5"]);
    await_step(&place.path("run/events.jsonl"), 3);
    signal(&ranks.0[1], "-STOP");
    let began = Instant::now();
    while ranks.0[0].try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "rank 0 waits for ever");
        sleep(Duration::from_millis(10));
    }
    signal(&ranks.0[1], "-KILL");
    let (rank, message) = told_failure(&ranks.wait());
    assert_eq!(rank, 1, "{message}");
    assert!(message.contains("ranks [1] did not come to a collective of"), "{message}");
    assert!(message.contains("communicator `world` (ranks [0, 1])"), "{message}");
}

fn signal(rank: &std::process::Child, signal: &str) {
    let process = rank.id().to_string();
    let sent = std::process::Command::new("kill").args([signal, &process]).status().unwrap();
    assert!(sent.success());
}

fn await_step(record: &Path, step: u64) {
    let began = Instant::now();
    let words = format!("\"step\":{step},");
    while !fs::read_to_string(record).is_ok_and(|text| text.contains(&words)) {
        assert!(began.elapsed() < Duration::from_mins(1), "no step in a minute");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn wrong_number_of_ranks_is_refused() {
    let place = Workplace::new();
    let sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    let plan = place.write_plan("plan.yaml", &sample);
    let ends = start(&plan, 1, &[]).wait();
    assert_eq!(ends[0].status.code(), Some(1));
    let words = String::from_utf8_lossy(&ends[0].stderr);
    assert!(words.contains("2 ranks") && words.contains("1 process"), "{words}");
}

/// Every step after the first is bad: two are left out, the third ends both ranks, and so it does when training goes on from a
/// checkpoint in the middle of the row.
#[test]
fn steps_without_a_finite_loss_are_left_out_until_they_are_too_many() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    sample.training.optimizer = Optimizer::Sgd { lr: 1e30, momentum: 0.0, weight_decay: 0.0 };
    (sample.training.schedule, sample.training.clip) = (Schedule::Constant, None);
    sample.training.on_nan = OnNan::Skip { most: 2 };
    (sample.training.checkpoint.every, sample.training.checkpoint.keep) = (Some(1), 9);
    let plan = place.write_plan("plan.yaml", &sample);
    let row = |ends: &[std::process::Output]| -> Vec<(u64, u32)> {
        let skipped = |event: &Event| {
            let Event::Skipped { step, batches, tasks, in_a_row, .. } = event else { return None };
            assert!(!batches.is_empty() && batches.iter().all(|bad| tasks.contains(&bad.task)));
            Some((*step, *in_a_row))
        };
        events(&ends[0]).iter().filter_map(skipped).collect()
    };
    let ends = start(&plan, 2, &[]).wait();
    assert_eq!(row(&ends), [(2, 1), (3, 2)]);
    let (_, message) = told_failure(&ends);
    assert!(message.starts_with("step 4 (behind 2 that `on_nan` left out), lane "), "{message}");
    let (first, last) = (parameters(&place.path("run"), 1), parameters(&place.path("run"), 3));
    assert!(first.iter().all(|(name, tensor)| tensor.equal(&last[name])));
    let checkpoints = place.path("run/checkpoints");
    fs::remove_dir_all(checkpoints.join("step_000003")).unwrap();
    let again = start(&plan, 2, &["--resume"]).wait();
    assert_eq!(row(&again), [(3, 2)]);
    let (_, message) = told_failure(&again);
    assert!(message.starts_with("step 4 (behind 2 that `on_nan` left out), lane "), "{message}");
    let found = parameters(&place.path("run"), 3);
    assert!(last.iter().all(|(name, tensor)| tensor.equal(&found[name])));
}

/// A validation of which no pair of any task can be used is told too, with what it leaves out; and the best is none.
fn assert_tells_unusable(place: &Workplace, sample: &Sample) {
    let mut sample = sample.clone();
    sample.output = place.path("unusable").to_string_lossy().into_owned();
    (sample.training.steps, sample.training.best) = (2, Some(Criterion::Accuracy));
    for (at, corpus) in sample.corpora.iter_mut().enumerate() {
        let path = place.path(&format!("unusable.{at}")).to_string_lossy().into_owned();
        fs::write(&path, b"\xff\n\n\n").unwrap();
        let files = vec![path];
        corpus.valid = Some(ParallelFiles {
            source: files.clone().into(),
            target: files.into(),
            columns: None,
            lines: 3,
        });
    }
    let told = train(&place.write_plan("unusable.yaml", &sample), 2, &[]);
    let validated = told.iter().find_map(|event| {
        let Event::Validated { losses, loss, accuracy: None, skipped, .. } = event else {
            return None;
        };
        Some((
            losses.len(),
            *loss,
            skipped.values().map(|pairs| pairs.not_utf8).collect::<Vec<_>>(),
        ))
    });
    assert_eq!(validated, Some((0, None, vec![1; sample.corpora.len()])), "{told:?}");
    assert!(!place.path("unusable/checkpoints/best").exists());
}

#[test]
fn bad_lines_are_counted_by_task_on_all_ranks_or_end_training() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, "run");
    sample.training.steps = 4;
    for corpus in &sample.corpora {
        let path = &corpus.train.source[0];
        let text = fs::read_to_string(path).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        fs::write(path, [first.as_bytes(), b"\xff\n", rest.as_bytes()].concat()).unwrap();
    }
    // Of one task's validation text too, where one pair is longer than its filter allows.
    let path = &sample.corpora[0].valid.as_ref().unwrap().source[0];
    let text = fs::read_to_string(path).unwrap();
    let long = "cs1 ".repeat(120);
    let (_, rest) = text.split_once('\n').unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    fs::write(path, [b"\xff\n".as_slice(), long.as_bytes(), b"\n", rest.as_bytes()].concat())
        .unwrap();
    let told = train(&place.write_plan("plan.yaml", &sample), 2, &[]);
    let validated = told.iter().find_map(|event| {
        let Event::Validated { step: 4, losses, skipped, .. } = event else { return None };
        Some((losses.len(), skipped))
    });
    let pairs = SkippedPairs { not_utf8: 1, too_long: 1, ..SkippedPairs::default() };
    let [source, target] = &sample.pairs[0];
    let expected = BTreeMap::from([(format!("t.{source}-{target}"), pairs)]);
    assert_eq!(validated, Some((6, &expected)));
    let saved = told.iter().find_map(|event| {
        let Event::Saved { step: 4, skipped, .. } = event else { return None };
        Some(skipped)
    });
    // The first chunk of every task that ran, but for lines that are another lane's.
    let ran: BTreeSet<&String> = told
        .iter()
        .filter_map(|event| {
            let Event::Step { losses, .. } = event else { return None };
            Some(losses.keys())
        })
        .flatten()
        .collect();
    let saved = saved.expect("the last checkpoint is told");
    assert!(!saved.is_empty() && saved.keys().all(|task| ran.contains(task)), "{saved:?}");
    assert!(saved.values().all(|of_task| of_task.not_utf8 == 1 && of_task.empty == 0), "{saved:?}");
    assert_tells_unusable(&place, &sample);
    for corpus in &mut sample.corpora {
        corpus.bad_lines = BadLines::Fatal;
    }
    sample.output = place.path("fatal").to_string_lossy().into_owned();
    let ends = start(&place.write_plan("fatal.yaml", &sample), 2, &[]).wait();
    let (_, message) = told_failure(&ends);
    assert!(message.contains(", line 1: not UTF-8, and the corpus has `bad_lines"), "{message}");
}
