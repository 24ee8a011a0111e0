//! The command as a program: exit statuses, what goes to which stream, pipes, processes.

#[expect(clippy::unwrap_used, clippy::panic, reason = "a stage that can't be set fails the test")]
mod columns;
mod launch;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command under test, in a folder, without the surroundings' ranks and workers.
fn mmc(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mmc"));
    command.current_dir(folder).env_remove("MMC_WORKER").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let launcher = ["SLURM_", "OMPI_", "PMI_"].iter().any(|start| name.starts_with(start));
        if launcher || matches!(&*name, "RANK" | "WORLD_SIZE" | "NO_COLOR") {
            command.env_remove(&*name);
        }
    }
    command
}

/// What a run of the command gave: exit status, standard output, standard error.
fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    ended(&mmc(folder).args(arguments).output().expect("mmc starts"))
}

#[test]
fn usage_faults_are_2_and_help_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let (status, out, err) = run(folder.path(), &["no-such-command"]);
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    let (status, out, err) = run(folder.path(), &["run"]);
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    let (status, out, err) = run(folder.path(), &["--help"]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("Usage: mmc"), "{out}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = mmc(folder.path())
        .arg("explain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(ended(&output), (0, String::new(), String::new()));
}

#[test]
fn a_plan_that_breaks_a_rule_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = mmc_plan::sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
    plan.digest = "sha256:0".to_owned();
    std::fs::write(folder.path().join("bad.yaml"), plan.to_yaml()).unwrap();
    let (status, out, err) = run(folder.path(), &["plan", "bad.yaml"]);
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("mmc::plan::broken"), "{err}");
    let (status, _, err) = run(folder.path(), &["diff", "bad.yaml", "absent.yaml"]);
    assert_eq!(status, 2, "{err}");
    std::fs::write(folder.path().join("text.yaml"), "format: [").unwrap();
    let (status, _, err) = run(folder.path(), &["plan", "text.yaml"]);
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("mmc::plan::malformed"), "{err}");
}

#[test]
fn machine_formats_go_to_standard_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.mmc"), "experiment a { sed = 1 }\n").unwrap();
    for format in ["json", "sarif", "github"] {
        let (status, out, err) = run(folder.path(), &["check", "a.mmc", "--format", format]);
        assert_eq!((status, err.as_str()), (1, ""), "{format}");
        assert!(out.contains("mmc::resolve::") || out.contains("mmc%3A%3Aresolve"), "{out}");
        if format != "github" {
            serde_json::from_str::<serde_json::Value>(&out).unwrap();
        }
    }
}

#[test]
fn levels_of_lints_have_one_word_and_are_known() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.mmc"), "experiment a { }\n").unwrap();
    for (flags, says) in [
        (["--deny", "idle_rnk"].as_slice(), "did you mean `mmc::lint::idle_rank`?"),
        (&["--deny", "idle_rank", "--allow", "mmc::lint::idle_rank"], "two levels"),
        (&["--allow", "mmc::resolve::unknown_name"], "there is no such lint"),
    ] {
        let (status, _, err) = run(folder.path(), &[&["check", "a.mmc"], flags].concat());
        assert_eq!(status, 2, "{err}");
        assert!(err.contains(says), "{err}");
    }
}

#[test]
fn nothing_of_torch_is_linked() {
    let listed = Command::new("ldd").arg(env!("CARGO_BIN_EXE_mmc")).output();
    let Ok(listed) = listed else { return };
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(!text.contains("torch") && !text.contains("libc10"), "{text}");
}

/// An experiment of so many languages in all directions, and the index of its corpora.
fn all_to_all(languages: usize) -> [String; 2] {
    let codes: Vec<String> = (0..languages).map(|at| format!("l{at:03}")).collect();
    let mut index = String::from("corpora:\n");
    for (at, one) in codes.iter().enumerate() {
        for other in codes.iter().skip(at + 1) {
            for side in [one, other] {
                let lines = 100 + at;
                let facts = format!("    bytes: 1000\n    lines: {lines}\n");
                let _ = write!(index, "  data/{one}-{other}.{side}:\n{facts}");
            }
        }
    }
    let hash = "0".repeat(64);
    let _ = writeln!(
        index,
        "tokenizers:\n  joint.model:\n    pieces: 100\n    sha256: \"{hash}\"\n    unk: 0\n    bos: 1\n    eos: 2"
    );
    let experiment = format!(
        "import std.clusters.laptop
experiment cores {{ seed = 1 }}
languages {}
corpus text {{ train = \"data/{{sorted_pair}}.{{src_lang}}\" -> \"data/{{sorted_pair}}.{{tgt_lang}}\" }}
tokenizer joint {{ kind = sentencepiece  model = \"joint.model\" }}
tasks translation {{ pairs = all <-> all  corpus = text  transforms = [joint, prefix(target)] }}
model {{ dim = 16  heads = 2  encoder = [SRC_LANGUAGE, FULL]  decoder = [TGT_LANGUAGE] }}
training {{ steps = 1M  batch = 256 tokens  optimizer = adamw(lr = 1e-3)  schedule = constant }}
cluster = laptop(ranks = 4)
",
        codes.join(", ")
    );
    [experiment, index]
}

/// More tasks than one core takes at once.
#[test]
fn a_long_plan_has_the_same_bytes_on_any_number_of_cores() {
    let folder = tempfile::tempdir().unwrap();
    let [experiment, index] = all_to_all(96);
    std::fs::write(folder.path().join("a.mmc"), experiment).unwrap();
    std::fs::write(folder.path().join("index.yaml"), index).unwrap();
    let plan = |cores: &str| {
        let mut command = mmc(folder.path());
        command.args(["plan", "a.mmc", "--index", "index.yaml"]).env("RAYON_NUM_THREADS", cores);
        let (status, out, err) = ended(&command.output().expect("mmc starts"));
        assert_eq!(status, 0, "{err}");
        out
    };
    let one = plan("1");
    assert!(one.lines().count() > 9120 * 16, "{} lines", one.lines().count());
    for cores in ["2", "8"] {
        assert!(plan(cores) == one, "{cores} cores");
    }
}
