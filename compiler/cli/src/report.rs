//! The only renderer: diagnostics and notes to standard error, results to standard output.
//!
//! On a terminal reports are drawn as wide as it is and in colour (unless `NO_COLOR` is set); elsewhere they are plain, 100
//! columns wide, and the same everywhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::error::{At as _, Exit, Stop};

/// Columns where no terminal says otherwise.
const WIDTH: usize = 100;

/// Writes a result to standard output. A reader that has gone away (`| head`) is no fault.
pub(crate) fn print(text: &str) -> Result<(), Stop> {
    print_by(|out| out.write_all(text.as_bytes()))
}

/// The same of a result that is written piece by piece.
pub(crate) fn print_by(
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(cause).writing(Path::new("standard output"))?
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a line for people to standard error; there is nobody to tell when that fails.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Shows what stopped a command.
pub(crate) fn stop(stop: Stop) -> Exit {
    match stop {
        Stop::Said(exit) => exit,
        Stop::Fault(fault, exit) => {
            show(fault.as_ref());
            exit
        }
    }
}

/// Shows one diagnostic.
pub(crate) fn show(diagnostic: &dyn Diagnostic) {
    let text = render(diagnostic, Look::of_stderr());
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// How reports are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns.
    pub(crate) width: usize,
    /// Box-drawing characters.
    pub(crate) unicode: bool,
    /// Escape sequences.
    pub(crate) color: bool,
}

impl Look {
    /// Plain, for files, pipes and tests.
    pub(crate) const PLAIN: Self = Self { width: WIDTH, unicode: false, color: false };

    /// What standard error can show.
    pub(crate) fn of_stderr() -> Self {
        if !io::stderr().is_terminal() {
            return Self::PLAIN;
        }
        let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Self {
            width: if columns == 0 { WIDTH } else { usize::from(columns).clamp(40, 160) },
            unicode: !dumb,
            color: !dumb && !set("NO_COLOR"),
        }
    }

    fn theme(self) -> GraphicalTheme {
        match (self.unicode, self.color) {
            (true, true) => GraphicalTheme::unicode(),
            (true, false) => GraphicalTheme::unicode_nocolor(),
            (false, _) => GraphicalTheme::none(),
        }
    }
}

/// A diagnostic's text.
pub(crate) fn render(diagnostic: &dyn Diagnostic, look: Look) -> String {
    let handler = GraphicalReportHandler::new_themed(look.theme())
        .with_width(look.width)
        .with_links(false)
        .with_urls(false);
    let mut text = String::new();
    if handler.render_report(&mut text, diagnostic).is_err() {
        // A source that can't be read at the label: the words must not be lost with the picture.
        text = format!("error: {diagnostic}\n");
    }
    let mut trimmed = String::with_capacity(text.len());
    for line in text.lines() {
        trimmed.push_str(line.trim_end());
        trimmed.push('\n');
    }
    trimmed
}

/// A panic is our fault: says so, and what to send.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "mmc: internal fault: {panic}");
        let _ = writeln!(
            err,
            "This is a bug of mmc {}, not of your file. Please report it with the command, the file and these lines.",
            env!("CARGO_PKG_VERSION")
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CliError;

    #[test]
    fn plain_reports_have_words_code_and_help_and_no_escapes() {
        let text = render(&CliError::WorkerMissing, Look::PLAIN);
        assert!(text.contains("mmc::run::worker_missing"), "{text}");
        assert!(text.contains("found no `mmc-worker`"), "{text}");
        assert!(text.contains("help:"), "{text}");
        assert!(text.is_ascii(), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn narrow_terminals_get_narrow_reports() {
        let look = Look { width: 40, unicode: true, color: false };
        let text = render(&CliError::WorkerMissing, look);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }
}
