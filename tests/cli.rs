//! The command as a program: exit statuses, what goes to which stream, pipes, processes.

#[expect(clippy::unwrap_used, clippy::panic, reason = "a stage that can't be set fails the test")]
mod launch;

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
