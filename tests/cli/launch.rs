//! `mmc run` with a worker of shell script: seats, logs, signals, failures, earlier runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mmc_plan::Plan;
use tempfile::TempDir;

use super::{ended, mmc};

/// Does by `$FAKE` what a worker can do; notes its arguments and seat.
const WORKER: &str = r#"#!/bin/sh
out=; resume=
echo "$*" > "args.$RANK"
echo "$RANK/$WORLD_SIZE $LOCAL_RANK/$LOCAL_WORLD_SIZE $MASTER_ADDR" > "seat.$RANK"
while [ $# -gt 0 ]; do
  case "$1" in --output) out=$2; shift;; --resume) resume=yes;; esac
  shift
done
echo "log of rank $RANK" >&2
say() { if [ "$RANK" = 0 ]; then echo "$1"; fi; }
save() {
  [ "$RANK" = 0 ] || return 0
  mkdir -p "$out/checkpoints/step_000002"
  echo '{}' > "$out/checkpoints/step_000002/manifest.json"
  echo '{"event":"saved","step":2,"path":"'$out'/checkpoints/step_000002"}'
}
say '{"event":"started","world":2,"step":0,"steps":2,"parameters":12345,"memory":0}'
case "$FAKE-$RANK" in
  measures-0)
    echo '{"event":"measured","what":"matrix products","done":1,"of":2}'
    echo '{"event":"calibrated","ranks":2,"threads":1,"fp32":29152696631.5,"fp64":14638327317.7,"memory_bandwidth":5254671416.1,"latency":0.00053,"byte_seconds":6.1e-10,"machine_memory":25276063744,"process_memory":120479744}';;
  measures-*) ;;
  fine-*)
    say '{"event":"damaged","path":"out/checkpoints/step_000001","fault":"manifest.json: gone"}'
    say '{"event":"step","step":1,"losses":{"t.de-en":3.5},"source_tokens":100,"target_tokens":90,"lr":0.001,"norm":1.0,"seconds":0.5,"sync_seconds":0.1,"memory":1000000}'
    say 'a word of some library'
    say '{"event":"validated","step":1,"losses":{},"accuracies":{"t.de-en":0.5},"loss":null,"accuracy":0.5,"macro_loss":null,"macro_accuracy":0.5}'
    say '{"event":"validated","step":2,"losses":{"t.de-en":3.25},"accuracies":{"t.de-en":0.5},"loss":3.25,"accuracy":0.5,"macro_loss":3.25,"macro_accuracy":0.5}'
    save
    say '{"event":"finished","step":2,"interrupted":false}';;
  killed-1) kill -9 $$;;
  failed-1) echo '{"event":"failed","rank":1,"message":"the loss is NaN"}'; exit 1;;
  logged-1) echo "out of cheese" >&2; exit 3;;
  stalled-0) echo '{"event":"failed","rank":1,"message":"it did not come"}'; exit 3;;
  late-0) while [ ! -e up ]; do sleep 0.01; done; echo '{"event":"failed","rank":1,"message":"it is gone"}'; exit 3;;
  late-1) trap 'echo "{\"event\":\"failed\",\"rank\":1,\"message\":\"the disk is full\"}"; exit 1' TERM; touch up; while :; do sleep 0.05; done;;
  stubborn-1) exit 1;;
  stubborn-0) trap '' TERM; touch up; while :; do sleep 0.05; done;;
  killed-0|failed-0|logged-0|stalled-1) exec sleep 60;;
  waits-*)
    trap 'save; say "{\"event\":\"finished\",\"step\":2,\"interrupted\":true}"; exit 75' INT TERM USR1
    touch "up.$RANK"
    while :; do sleep 0.05; done;;
esac
"#;

/// A folder with a plan for two ranks and the worker.
fn stage() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let worker = folder.path().join("mmc-worker");
    fs::write(&worker, WORKER).unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    write_plan(folder.path(), 1);
    folder
}

fn write_plan(folder: &Path, seed: u64) {
    let mut plan = mmc_plan::sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
    "out".clone_into(&mut plan.experiment.output);
    plan.experiment.seed = seed;
    plan.digest = plan.mathematics_digest();
    fs::write(folder.join("two.yaml"), plan.to_yaml()).unwrap();
}

fn run(folder: &Path, behaviour: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = mmc(folder);
    command.env("FAKE", behaviour).args(["run", "two.yaml", "--worker", "mmc-worker"]);
    ended(&command.args(arguments).output().unwrap())
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

#[test]
fn two_ranks_get_their_seats_and_the_plan_and_their_events_are_shown() {
    let folder = stage();
    let (status, out, err) = run(folder.path(), "fine", &["--threads", "3", "--timeout", "60"]);
    assert_eq!(status, 0, "{err}");
    assert_eq!(out, "step 2: out/checkpoints/step_000002\n");
    assert!(err.contains("training 12 345 parameters on 2 ranks, 2 steps"), "{err}");
    assert!(err.contains("step 1/2: loss 3.500, 200 source + 180 target tokens/s"), "{err}");
    assert!(err.contains("step 2: validation loss 3.250, accuracy 50.0 %; t.de-en 3.250"), "{err}");
    assert!(err.contains("step 1: validation loss not finite, accuracy 50.0 %;\n"), "{err}");
    let damaged =
        "checkpoint out/checkpoints/step_000001 is damaged: manifest.json: gone; going on";
    assert!(err.contains(damaged), "{err}");
    assert!(err.contains("rank 0: a word of some library"), "{err}");
    assert!(err.contains("finished after step 2"), "{err}");
    for rank in ["0", "1"] {
        let seat = read(folder.path(), &format!("seat.{rank}"));
        assert_eq!(seat, format!("{rank}/2 {rank}/2 127.0.0.1\n"));
        let told = read(folder.path(), &format!("args.{rank}"));
        assert_eq!(told, "train --plan out/plan.yaml --output out --threads 3 --timeout 60\n");
        let log = read(folder.path(), &format!("out/logs/rank{rank}.log"));
        assert_eq!(log, format!("log of rank {rank}\n"));
    }
    let written = Plan::from_path(&folder.path().join("out/plan.yaml")).unwrap();
    assert_eq!(written, Plan::from_path(&folder.path().join("two.yaml")).unwrap());
}

#[test]
fn when_one_rank_fails_all_end_and_one_error_is_shown() {
    for (behaviour, words) in [
        ("killed", "rank 1 was killed by signal 9: log of rank 1"),
        ("failed", "rank 1 failed with exit status 1: the loss is NaN"),
        ("logged", "out of cheese"),
        ("stubborn", "rank 1 failed with exit status 1"),
        ("stalled", "rank 1 did not go on: it did not come"),
        ("late", "rank 1 did not go on: the disk is full"),
    ] {
        let folder = stage();
        let began = Instant::now();
        let (status, out, err) = run(folder.path(), behaviour, &[]);
        assert_eq!((status, out.as_str()), (1, ""), "{behaviour}: {err}");
        assert!(began.elapsed() < Duration::from_secs(20), "{behaviour}: all ends in seconds");
        assert!(err.contains(words), "{behaviour}: {err}");
        assert_eq!(err.matches("mmc::run::rank_failed").count(), 1, "{behaviour}: {err}");
        assert!(err.contains("out/logs/rank1.log"), "{behaviour}: {err}");
    }
}

fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "{} appears", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn kill(child: &Child, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn signals_reach_all_ranks_and_interruption_is_75() {
    for signal in ["-INT", "-TERM", "-USR1"] {
        let folder = stage();
        let mut command = mmc(folder.path());
        command.env("FAKE", "waits").args(["run", "two.yaml", "--worker", "mmc-worker"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&folder.path().join("up.0"));
        wait_for(&folder.path().join("up.1"));
        kill(&child, signal);
        let (status, out, err) = ended(&child.wait_with_output().unwrap());
        assert_eq!(status, 75, "{signal}: {err}");
        assert_eq!(out, "step 2: out/checkpoints/step_000002\n");
        assert!(err.contains("`--resume` goes on"), "{err}");
    }
}

#[test]
fn an_earlier_run_is_neither_lost_nor_mixed_up() {
    let folder = stage();
    let (status, _, err) = run(folder.path(), "fine", &["--resume"]);
    assert_eq!(status, 0, "{err}");
    assert!(err.contains("nothing to resume"), "{err}");
    let (status, _, err) = run(folder.path(), "fine", &[]);
    assert_eq!(status, 2);
    assert!(err.contains("mmc::run::output_taken"), "{err}");
    let (status, _, err) = run(folder.path(), "fine", &["--resume"]);
    assert_eq!(status, 0, "{err}");
    assert!(read(folder.path(), "args.1").contains(" --resume"));
    write_plan(folder.path(), 2);
    for arguments in [&[][..], &["--resume"][..]] {
        let (status, _, err) = run(folder.path(), "fine", arguments);
        assert_eq!(status, 2);
        assert!(err.contains("mmc::run::other_mathematics"), "{err}");
    }
    let (status, _, err) = run(folder.path(), "fine", &["--overwrite"]);
    assert_eq!(status, 0, "{err}");
    let (status, _, _) = run(folder.path(), "fine", &["--output", "elsewhere"]);
    assert_eq!(status, 0);
    assert!(folder.path().join("elsewhere/plan.yaml").is_file());
}

#[test]
fn a_seat_of_a_launcher_is_one_rank() {
    let folder = stage();
    let seated = |rank: &str, world: &str| {
        let mut command = mmc(folder.path());
        command.env("FAKE", "fine").args(["run", "two.yaml", "--worker", "mmc-worker"]);
        let seat = [("RANK", rank), ("WORLD_SIZE", world), ("MASTER_ADDR", "head")];
        command.envs(seat).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let second = seated("1", "2");
    let first = seated("0", "2");
    let (status, out, err) = ended(&second.wait_with_output().unwrap());
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    let (status, out, err) = ended(&first.wait_with_output().unwrap());
    assert_eq!((status, out.as_str()), (0, "step 2: out/checkpoints/step_000002\n"), "{err}");
    assert_eq!(read(folder.path(), "seat.1"), "1/2 / head\n");
    let (status, _, err) = ended(&seated("2", "3").wait_with_output().unwrap());
    assert_eq!(status, 2);
    assert!(err.contains("mmc::run::world_size"), "{err}");
}

#[test]
fn a_missing_worker_is_explained() {
    let folder = stage();
    let mut command = mmc(folder.path());
    command.env("PATH", "").args(["run", "two.yaml"]);
    let (status, out, err) = ended(&command.output().unwrap());
    // The build folder may hold a worker beside `mmc`: then there is nothing to miss.
    if Path::new(env!("CARGO_BIN_EXE_mmc")).with_file_name("mmc-worker").exists() {
        return;
    }
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("mmc::run::worker_missing"), "{err}");
    assert!(!folder.path().join("out").exists(), "nothing is written before the worker is found");
}

fn calibrate(folder: &Path, behaviour: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = mmc(folder);
    command.env("FAKE", behaviour).args(["calibrate", "--worker", "mmc-worker"]);
    ended(&command.args(arguments).output().unwrap())
}

#[test]
fn what_was_measured_is_a_cluster_that_experiments_use() {
    let folder = stage();
    let here = folder.path();
    let (status, out, err) =
        calibrate(here, "measures", &["-o", "here.mmc", "--name", "here", "--threads", "1"]);
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    assert_eq!(read(here, "args.1"), "calibrate --threads 1\n");
    let text = read(here, "here.mmc");
    let facts = [
        "cluster here {",
        "ranks = 2",
        "memory = 12500 MB",
        "fp32 = 29.2 GFLOP/s",
        "fp64 = 14.6 GFLOP/s",
        "memory_bandwidth = 5250 MB/s",
        "intra = 1640 MB/s",
        "latency = 530 us",
    ];
    for fact in facts {
        assert!(text.contains(fact), "no `{fact}` in\n{text}");
    }
    let (status, out, err) =
        ended(&mmc(here).args(["fmt", "--check", "here.mmc"]).output().unwrap());
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    // Nothing but the cluster may be missing from an experiment that has no other.
    fs::write(here.join("one.mmc"), "import \"here.mmc\"\ncluster = here(ranks = 3)\n").unwrap();
    let (_, _, err) = ended(&mmc(here).args(["check", "one.mmc"]).output().unwrap());
    assert!(err.contains("one.mmc: 5 errors"), "{err}");
    assert_eq!(err.matches("mmc::resolve::missing_block").count(), 5, "{err}");
    let (status, out, _) = calibrate(here, "measures", &["--name", "here", "--threads", "1"]);
    assert_eq!((status, out), (0, text), "the same measurements give the same bytes");
}

#[test]
fn a_calibration_that_fails_writes_nothing() {
    let folder = stage();
    let (status, _, err) = calibrate(folder.path(), "failed", &["-o", "here.mmc"]);
    assert!(status == 1 && err.contains("mmc::run::rank_failed"), "{status}: {err}");
    assert!(!folder.path().join("here.mmc").exists());
    let (status, _, err) = calibrate(folder.path(), "silent", &["-o", "here.mmc"]);
    assert!(status == 1 && err.contains("same version"), "{status}: {err}");
    for wrong in [["--ranks", "1"], ["--name", "a b"]] {
        let (status, _, err) = calibrate(folder.path(), "measures", &wrong);
        assert_eq!(status, 2, "{err}");
    }
}
