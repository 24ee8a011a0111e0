//! Running programs, and installing the ones that a bare machine lacks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fault::{Fault, While};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap_or_else(|_| ".".into())
}

/// Cargo's build folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Cargo, as the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Prints a command, runs it with our streams, and fails when it does.
#[expect(clippy::print_stderr, reason = "shows what is run")]
pub(crate) fn run(command: &mut Command) -> Result<(), Fault> {
    let line = display(command);
    eprintln!("\n$ {line}");
    let status = command.status().doing(format_args!("starting `{line}`"))?;
    if status.success() { Ok(()) } else { Err(Fault::new(format!("`{line}` failed: {status}"))) }
}

/// Runs a command and gives its standard output; its errors are shown.
pub(crate) fn output(command: &mut Command) -> Result<String, Fault> {
    let line = display(command);
    let output =
        command.stderr(Stdio::inherit()).output().doing(format_args!("starting `{line}`"))?;
    if !output.status.success() {
        return Err(Fault::new(format!("`{line}` failed: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown: Vec<String> = words
        .map(|word| {
            let word = word.to_string_lossy();
            let name = Path::new(word.as_ref()).file_name().map(|name| name.to_string_lossy());
            match name {
                Some(name) if word.starts_with('/') && word.contains("/bin/") => name.into_owned(),
                _ => word.into_owned(),
            }
        })
        .collect();
    shown.join(" ")
}

/// Whether a program answers.
fn answers(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Makes sure that a program is there; installs its Debian package when we may.
pub(crate) fn need(program: &str, package: &str) -> Result<(), Fault> {
    if answers(program, "--version") {
        return Ok(());
    }
    if answers("apt-get", "--version") && output(Command::new("id").arg("-u"))?.trim() == "0" {
        run(Command::new("apt-get").args(["update", "-q"]))?;
        run(Command::new("apt-get").args([
            "install",
            "-q",
            "-y",
            "--no-install-recommends",
            package,
        ]))?;
    }
    if answers(program, "--version") {
        return Ok(());
    }
    Err(Fault::new(format!(
        "`{program}` is missing; install it (Debian: `apt-get install {package}`) and run this again"
    )))
}

/// The free bytes of the file system that holds an existing folder.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64, Fault> {
    let table = output(Command::new("df").args(["-P", "-k"]).arg(folder))?;
    let kibibytes = table
        .lines()
        .nth(1)
        .and_then(|row| row.split_whitespace().nth(3))
        .and_then(|cell| cell.parse::<u64>().ok());
    kibibytes
        .map(|count| count * 1024)
        .ok_or_else(|| Fault::new(format!("`df` gave no free space for {}", folder.display())))
}
