//! A disk that is full while a checkpoint is written: the fault names the file, and the checkpoint before it is gone on from.

use std::fs;
use std::process::Command;

use mmc_plan::{CheckpointSpec, Event, Precision};

use super::train::{assert_same_checkpoint, tensors_in};
use super::workplace::{Workplace, events, train};

/// Files may not grow beyond 40 blocks, of 512 bytes or, in some shells, of 1 KiB: records are shorter, the embedding is longer.
const FULL: &str = "trap '' XFSZ; ulimit -f 40; exec \"$@\"";

#[test]
fn a_disk_that_is_full_costs_no_checkpoint() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1, 2, 3]], Precision::Fp32, "run");
    (sample.model.dim, sample.model.head_dim) = (128, 64);
    (sample.training.steps, sample.training.validate_every) = (6, None);
    sample.training.checkpoint = CheckpointSpec { every: Some(3), keep: 2 };
    let plan = place.write_plan("plan.yaml", &sample);
    train(&plan, 1, &[]);
    let checkpoints = place.path("run/checkpoints");
    let whole = place.path("whole/checkpoints");
    fs::create_dir_all(&whole).unwrap();
    fs::rename(checkpoints.join("step_000006"), whole.join("step_000006")).unwrap();
    let end = Command::new("sh")
        .args(["-c", FULL, "sh", env!("CARGO_BIN_EXE_mmc-worker")])
        .args(["train", "--threads", "1", "--resume", "--plan"])
        .arg(&plan)
        .envs([("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")])
        .envs([("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "29500")])
        .output()
        .unwrap();
    assert_eq!(end.status.code(), Some(1), "{}", String::from_utf8_lossy(&end.stderr));
    let told = events(&end);
    let [Event::Started { step: 3, .. }, .., Event::Failed { rank: 0, message }] = told.as_slice()
    else {
        panic!("{told:?}")
    };
    let half = ".step_000006.part";
    assert!(message.starts_with("writing ") && message.contains(half), "{message}");
    assert!(message.contains("File too large"), "{message}");
    assert!(checkpoints.join(half).is_dir() && !checkpoints.join("step_000006").exists());
    let told = train(&plan, 1, &["--resume"]);
    assert!(matches!(told[0], Event::Started { step: 3, .. }), "{:?}", told[0]);
    assert!(!checkpoints.join(half).exists());
    assert_same_checkpoint(&place.path("whole"), &place.path("run"), 6);
    assert!(tensors_in(&checkpoints.join("step_000003/modules")).len() > 1);
}
