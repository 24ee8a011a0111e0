//! Ranks killed at random moments, also while a checkpoint is written: no more than the declared interval is lost, and the end is the same.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmc_plan::random::{Purpose, Stream};
use mmc_plan::{Event, Precision};

use super::train::assert_same_checkpoint;
use super::workplace::{Ranks, Workplace, start, train};

/// Steps of a run.
const STEPS: u64 = 60;
/// Steps between checkpoints.
const INTERVAL: u64 = 5;
/// Trials that a run of all tests makes; `MMC_KILL_TRIALS` asks for more.
const TRIALS: u64 = 3;
/// The other rank ends within this time.
const ENDED: Duration = Duration::from_secs(30);

/// The last step of a record, whose last line may be cut.
fn last_step(output: &Path) -> u64 {
    let text = fs::read_to_string(output.join("events.jsonl")).unwrap_or_default();
    let step = |line: &str| match serde_json::from_str(line) {
        Ok(Event::Step { step, .. }) => Some(step),
        _ => None,
    };
    text.lines().rev().find_map(step).unwrap_or(0)
}

/// Waits until the other rank has ended too: by itself when the ranks had met, which the record tells; else as a launcher would
/// end it.
fn end(mut ranks: Ranks, output: &Path, recorded: u64) {
    let began = Instant::now();
    while ranks.0.iter_mut().any(|rank| rank.try_wait().unwrap().is_none()) {
        let met = length(output) > recorded;
        assert!(!met || began.elapsed() < ENDED, "a rank outlives the other");
        if !met && began.elapsed() > Duration::from_secs(2) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
}

/// Bytes of a run's record.
fn length(output: &Path) -> u64 {
    fs::metadata(output.join("events.jsonl")).map_or(0, |record| record.len())
}

/// Kills one rank at a moment of the trial's own, within the time that a whole run lasts; the last step that was told then.
fn killed(plan: &Path, output: &Path, lasts: Duration, stream: &mut Stream) -> u64 {
    let recorded = length(output);
    let mut ranks = start(plan, 2, &["--resume"]);
    sleep(Duration::from_millis(stream.below(u64::try_from(lasts.as_millis()).unwrap())));
    let victim = usize::try_from(stream.below(2)).unwrap();
    ranks.0[victim].kill().unwrap();
    end(ranks, output, recorded);
    last_step(output)
}

#[test]
fn killed_anywhere_loses_no_more_than_the_interval_and_ends_the_same() {
    let trials = std::env::var("MMC_KILL_TRIALS").map_or(TRIALS, |text| text.parse().unwrap());
    let place = Workplace::new();
    let plan = |output: &str| {
        let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, output);
        sample.training.steps = STEPS;
        sample.training.checkpoint.every = Some(INTERVAL);
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    let began = Instant::now();
    train(&plan("whole"), 2, &[]);
    let lasts = began.elapsed();
    let mut cut_short = 0;
    for trial in 0..trials {
        let mut stream = Stream::new(23, Purpose::Synth, &[trial]);
        let name = format!("cut{trial}");
        let (plan, output) = (plan(&name), place.path(&name));
        let mut reached = killed(&plan, &output, lasts, &mut stream);
        if stream.below(2) == 0 {
            reached = killed(&plan, &output, lasts, &mut stream);
        }
        cut_short += u64::from(reached > 0 && reached < STEPS);
        let events = train(&plan, 2, &["--resume"]);
        let Event::Started { step, .. } = events[0] else { panic!("{:?}", events[0]) };
        // The checkpoint of a step is whole before the next step is told.
        let saved = reached.saturating_sub(1) / INTERVAL * INTERVAL;
        assert!(step >= saved, "trial {trial}: step {reached}, resumed at {step}");
        assert_same_checkpoint(&place.path("whole"), &output, STEPS);
        fs::remove_dir_all(&output).unwrap();
    }
    assert!(
        trials < 20 || cut_short * 2 > trials,
        "only {cut_short} of {trials} were cut in mid-run"
    );
}
