//! Which checkpoints stay and which is gone on from, when some are damaged or half written.

use std::time::Duration;

use mmc_plan::Event;
use mmc_plan::sample::Sample;
use tch::Device;

use super::*;
use crate::dist::Seat;

/// A run's folder, and what is saved into it.
struct Run {
    output: tempfile::TempDir,
    plan: Plan,
    world: World,
    store: Store,
}

impl Run {
    fn new() -> Self {
        let plan = Sample::new(&["de", "en"], 1, &[&[0]]).plan();
        let (host, port) = (String::new(), 0);
        let seat = Seat { rank: 0, world: 1, local_rank: 0, local_world: None, host, port };
        let world = World::join(&plan, seat, Device::Cpu, Duration::from_secs(1)).unwrap();
        let store = Store::new(&plan, 0, Device::Cpu).unwrap();
        Self { output: tempfile::tempdir().unwrap(), plan, world, store }
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.output.path())
    }

    fn save(&mut self, step: u64, keep: u32) {
        self.plan.training.checkpoint.keep = keep;
        let streams = BTreeMap::from([(0, LaneStreams::default())]);
        let (store, skips) = (&self.store, Skips::default());
        let contents = Contents { store, streams: &streams, watch: None, scaler: None, skips };
        self.checkpoints().save(step, &self.plan, &self.world, &contents).unwrap();
        let latest = fs::read_to_string(self.output.path().join("checkpoints/latest")).unwrap();
        assert_eq!(latest, format!("step_{step:06}\n"));
        assert!(self.checkpoints().of_step(step).is_dir());
    }

    /// Changes one file of a checkpoint.
    fn damage(&self, step: u64) {
        fs::write(self.checkpoints().of_step(step).join("plan.yaml"), "").unwrap();
    }

    /// The step to go on from, and what is told of newer ones.
    fn newest(&self) -> (u64, Vec<Event>) {
        let newest = self.checkpoints().newest_whole(&self.plan).unwrap().unwrap();
        (newest.step, newest.damaged)
    }
}

#[test]
fn newer_ones_that_are_damaged_take_no_place_of_whole_ones() {
    for (keep, left) in [(1, vec![15]), (2, vec![15, 10])] {
        let mut run = Run::new();
        for step in [5, 10, 20, 30] {
            run.save(step, 4);
        }
        run.damage(20);
        run.damage(30);
        let (step, damaged) = run.newest();
        assert_eq!((step, damaged.len()), (10, 2));
        let Event::Damaged { path, fault } = &damaged[0] else { panic!("{damaged:?}") };
        assert!(path.ends_with("step_000030") && fault.starts_with("plan.yaml"), "{damaged:?}");
        // None is lost before there is a newer one.
        assert_eq!(run.checkpoints().steps(), [30, 20, 10, 5]);
        run.save(15, keep);
        assert_eq!(run.checkpoints().steps(), left);
        assert_eq!(run.newest(), (15, Vec::new()));
    }
}

#[test]
fn a_run_does_not_begin_anew_because_all_are_damaged() {
    let mut run = Run::new();
    assert!(run.checkpoints().newest_whole(&run.plan).unwrap().is_none());
    for step in [10, 20] {
        run.save(step, 2);
        run.damage(step);
    }
    let fault = run.checkpoints().newest_whole(&run.plan).unwrap_err().to_string();
    assert!(fault.starts_with("no checkpoint is whole ("), "{fault}");
    assert!(fault.contains("step_000020: plan.yaml") && fault.contains("step_000010: "), "{fault}");
}

#[test]
fn a_damaged_checkpoint_is_in_no_mean() {
    let mut run = Run::new();
    run.save(10, 2);
    run.save(20, 2);
    let mean = |run: &Run| run.checkpoints().average(&[20, 10], &run.plan, &run.world);
    assert!(mean(&run).unwrap().ends_with("average"));
    run.damage(10);
    let fault = mean(&run).unwrap_err().to_string();
    assert!(fault.contains("step_000010: plan.yaml is damaged"), "{fault}");
}

#[test]
fn what_was_half_written_is_removed_and_checkpoints_are_not() {
    let mut run = Run::new();
    let checkpoints = run.checkpoints();
    // A run whose folder is not there yet.
    checkpoints.make_ready(false).unwrap();
    run.save(10, 2);
    let folder = run.output.path().join("checkpoints");
    let half = folder.join(".step_000020.part/modules");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("embed.full.safetensors"), "half").unwrap();
    fs::write(folder.join(".latest.part"), "step").unwrap();
    let fault = checkpoints.make_ready(false).unwrap_err().to_string();
    assert!(fault.contains("holds checkpoints of an earlier run"), "{fault}");
    checkpoints.make_ready(true).unwrap();
    let mut names: Vec<String> = checkpoints.names().collect();
    names.sort();
    assert_eq!(names, ["latest", "step_000010"]);
}
