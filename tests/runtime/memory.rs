//! Memory that really is too small for a batch: under a limit of its address space a worker runs the batch in parts, says so, and
//! trains the same.

use std::fs;
use std::path::Path;

use mmc_plan::sample::Sample;
use mmc_plan::{Event, Precision};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::causal;
use super::train::{difference, parameters};
use super::workplace::{Workplace, events, start_in};

/// Trains on one rank with at most so many KiB of address space; what it told, and the most that it had.
fn trained(plan: &Path, limit: Option<u64>) -> (Vec<Event>, u64) {
    // One arena: others reserve address space that tensors could grow into.
    let mut ranks = start_in(&[("MALLOC_ARENA_MAX", "1")], plan, 1, &[]);
    let worker = &mut ranks.0[0];
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
    let end = ranks.wait().remove(0);
    let words = String::from_utf8_lossy(&end.stderr);
    assert!(end.status.success(), "{} {words}", end.status);
    assert!(!words.contains("panicked"), "{words}");
    (events(&end), most)
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

/// One lane with large batches, on a model whose activations are much larger than its parameters.
fn assert_splits(place: &Workplace, sample: &mut Sample, [layers, ffn]: [u32; 2]) {
    sample.lanes = 1;
    sample.mapping = vec![vec![0]];
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
        trained(&place.write_plan(&format!("{name}.yaml"), sample), limit)
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
    assert_splits(&place, &mut sample, [3, 512]);
}

/// So wide for its depth that memory runs out in the midst of the backward pass.
#[test]
fn so_is_a_batch_of_a_causal_model() {
    let place = Workplace::new();
    let mut sample = causal::sample(&place, &[&[0]], "run");
    sample.training.precision = Precision::Fp64;
    assert_splits(&place, &mut sample, [1, 1024]);
}
