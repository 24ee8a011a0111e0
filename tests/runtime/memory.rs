//! Memory that really is too small for a batch: under a limit of its address space a worker runs the batch in parts, says so, and
//! trains the same.

use std::fs;
use std::path::Path;
use std::process::Output;

use mmc_plan::sample::Sample;
use mmc_plan::{Event, Precision, Transform};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::causal;
use super::train::{difference, parameters};
use super::workplace::{Workplace, events, start_in};

/// Ranks of a plan, of which the last has at most so many KiB of address space; their ends, and the most that the last one had.
fn ran(plan: &Path, ranks: u32, limit: Option<u64>) -> (Vec<Output>, u64) {
    // One arena: others reserve address space that tensors could grow into.
    let mut ranks = start_in(&[("MALLOC_ARENA_MAX", "1")], plan, ranks, &[]);
    let worker = ranks.0.last_mut().unwrap();
    let pid = Pid::from_raw(i32::try_from(worker.id()).unwrap()).unwrap();
    if let Some(limit) = limit {
        let most = Some(limit << 10);
        prlimit(Some(pid), Resource::As, Rlimit { current: most, maximum: most }).unwrap();
    }
    let status = format!("/proc/{}/status", worker.id());
    let mut most = 0;
    while worker.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmPeak:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (ranks.wait(), most)
}

/// What rank 0 of a training that ends well told, and the most memory that the last rank had.
fn trained(plan: &Path, ranks: u32, limit: Option<u64>) -> (Vec<Event>, u64) {
    let (ends, most) = ran(plan, ranks, limit);
    for end in &ends {
        let words = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success(), "{} {words}", end.status);
        assert!(!words.contains("panicked"), "{words}");
    }
    (events(&ends[0]), most)
}

/// The losses of steps, and the steps in which batches were split with the parts that they were run in.
fn told(events: &[Event]) -> (Vec<f64>, Vec<(u64, u32)>) {
    let (mut losses, mut splits) = (Vec::new(), Vec::new());
    for event in events {
        if let Event::Step { losses: of_tasks, .. } = event {
            losses.extend(of_tasks.values());
        } else if let Event::Split { step, lanes } = event {
            splits.extend(lanes.iter().map(|lane| (*step, lane.parts)));
        }
    }
    (losses, splits)
}

/// A lane on each rank with large batches, on a model whose activations are much larger than its parameters. The last rank's memory
/// is too small for them.
fn assert_splits(place: &Workplace, sample: &mut Sample, ranks: u32, [layers, ffn]: [u32; 2]) {
    sample.lanes = ranks;
    sample.mapping = (0..ranks).map(|lane| vec![lane]).collect();
    (sample.model.dim, sample.model.head_dim, sample.model.ffn) = (128, 64, ffn);
    for stack in sample.model.encoder.iter_mut().chain(&mut sample.model.decoder) {
        stack.layers = layers;
    }
    (sample.model.dropout, sample.model.ffn_dropout) = (0.0, 0.0);
    let training = &mut sample.training;
    (training.steps, training.accumulate, training.shuffle) = (2, 1, 300);
    (training.validate_every, training.checkpoint.every) = (None, None);
    let mut run = |name: &str, tokens, limit| {
        sample.training.batch_tokens = tokens;
        sample.output = place.path(name).display().to_string();
        trained(&place.write_plan(&format!("{name}.yaml"), sample), ranks, limit)
    };
    let (_, small) = run("small", 128, None);
    let (events, large) = run("large", 2048, None);
    assert!(large > small + (64 << 10), "{small} KiB, {large} KiB");
    let (losses, splits) = told(&events);
    assert!(splits.is_empty(), "{splits:?}");
    let (events, most) = run("limited", 2048, Some(small + (large - small) * 3 / 5));
    assert!(most < large);
    let (limited, splits) = told(&events);
    assert!(splits.iter().all(|(_, parts)| *parts > 1) && !splits.is_empty(), "{events:?}");
    let others = |event: &Event| {
        let Event::Split { lanes, .. } = event else { return false };
        lanes.iter().any(|lane| lane.lane + 1 < ranks)
    };
    assert!(!events.iter().any(others), "only the last rank has to split: {events:?}");
    assert_eq!(limited.len(), losses.len());
    for (limited, loss) in limited.iter().zip(&losses) {
        assert!((limited - loss).abs() < 1e-9 * loss.abs(), "{limited} {loss}");
    }
    let [limited, whole] = ["limited", "large"].map(|run| parameters(&place.path(run), 2));
    let found = difference(&limited, &whole);
    assert!(found < 1e-6, "{found:e}");
}

#[test]
fn a_batch_that_is_too_large_for_memory_is_trained_on_in_parts() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0]], Precision::Fp64, "run");
    assert_splits(&place, &mut sample, 1, [3, 512]);
}

/// The other rank waits meanwhile.
#[test]
fn so_is_one_on_one_rank_of_two() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0], &[1]], Precision::Fp64, "run");
    assert_splits(&place, &mut sample, 2, [3, 512]);
}

/// A line of validation that memory is too small for is named, by the rank that has it, and so is the rank's end.
#[test]
fn a_line_of_validation_that_is_too_long_for_memory_is_named() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0]], Precision::Fp32, "run");
    (sample.lanes, sample.model.ffn) = (1, 2048);
    sample.transforms.retain(|transform| *transform == Transform::Tokenize);
    let training = &mut sample.training;
    (training.steps, training.batch_tokens, training.validate_every) = (2, 30_000, None);
    training.checkpoint.every = None;
    let plan = place.write_plan("without.yaml", &sample);
    let (_, most) = trained(&plan, 1, None);
    sample.training.validate_every = Some(2);
    for files in sample.corpora.iter_mut().map(|corpus| corpus.valid.as_mut().unwrap()) {
        for text in [&files.source, &files.target] {
            let path = &text.as_slice()[0];
            fs::write(path, format!("{}\n", "de1 ".repeat(20_000))).unwrap();
        }
        files.lines = 1;
    }
    sample.output = place.path("with").display().to_string();
    let plan = place.write_plan("with.yaml", &sample);
    let (ends, _) = ran(&plan, 1, Some(most + (32 << 10)));
    let words = String::from_utf8_lossy(&ends[0].stderr);
    assert_eq!(ends[0].status.code(), Some(1), "{words}");
    assert!(!words.contains("panicked"), "{words}");
    let told = events(&ends[0]);
    let Some(Event::Failed { rank: 0, message }) = told.last() else { panic!("{told:?}") };
    assert!(message.starts_with("validation of task `t."), "{message}");
    assert!(message.contains("memory is too small for one sentence of 20001 source"), "{message}");
}

/// So wide for its depth that memory runs out in the midst of the backward pass.
#[test]
fn so_is_a_batch_of_a_causal_model() {
    let place = Workplace::new();
    let mut sample = causal::sample(&place, &[&[0]], "run");
    sample.training.precision = Precision::Fp64;
    assert_splits(&place, &mut sample, 1, [1, 1024]);
}
