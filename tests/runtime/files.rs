//! A rank with more tasks than it may open files.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;

use mmc_plan::sample::Sample;
use mmc_plan::{Event, Precision, Sharing, StackPattern};

use super::workplace::{Workplace, events};

/// 306 tasks on four lanes of one rank, of which 60 steps draw more than half, with room for 192 files: all streams together
/// would have more than 300 open.
#[test]
fn more_tasks_than_files_may_be_open() {
    let place = Workplace::new();
    let few = place.sample(&[&[0, 1, 2, 3]], Precision::Fp32, "run");
    let languages: Vec<String> = (0..18).map(|number| format!("l{number:02}")).collect();
    let languages: Vec<&str> = languages.iter().map(String::as_str).collect();
    let mut sample = Sample::new(&languages, 4, &[&[0, 1, 2, 3]]);
    sample.corpora = few.corpora.iter().cycle().take(sample.pairs.len()).cloned().collect();
    for corpus in &mut sample.corpora {
        corpus.valid = None;
    }
    (sample.vocabularies, sample.output) = (few.vocabularies, few.output);
    let shared = StackPattern { layers: 1, sharing: Sharing::Full };
    (sample.model.encoder, sample.model.decoder) = (vec![shared.clone()], vec![shared]);
    (sample.training.steps, sample.training.shuffle) = (60, 20);
    sample.training.batch_tokens = 64;
    let plan = place.write_plan("plan.yaml", &sample);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let end = Command::new("sh")
        .args(["-c", "ulimit -n 192 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mmc-worker")])
        .args(["train", "--threads", "1", "--plan"])
        .arg(&plan)
        .env_remove("SLURM_PROCID")
        .envs([("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")])
        .envs([("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port.as_str())])
        .output()
        .unwrap();
    assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
    let told = events(&end);
    let drawn = told.iter().filter_map(|event| {
        let Event::Step { losses, .. } = event else { return None };
        Some(losses.keys())
    });
    let drawn: BTreeSet<&String> = drawn.flatten().collect();
    assert!(drawn.len() > 120, "{}: too few to open too many files", drawn.len());
}
