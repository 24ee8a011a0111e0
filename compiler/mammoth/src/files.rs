//! What the stages ask of the disk; the cli answers, tests answer from memory.

/// The working directory of a stage. Paths are as written in the configuration.
pub trait Files {
    /// Whether there is a file or a folder.
    fn exists(&self, path: &str) -> bool;
    /// A file's text. Errors: the system's reason.
    fn text(&self, path: &str) -> Result<String, String>;
    /// The sizes of files, in the order of the paths.
    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>>;
}

/// Where there is nothing.
pub(crate) struct NoFiles;

impl Files for NoFiles {
    fn exists(&self, _: &str) -> bool {
        false
    }

    fn text(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not there"))
    }

    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>> {
        paths.iter().map(|_| Err(Uncounted::Missing)).collect()
    }
}

/// How long a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// Newline characters.
    pub ends: u64,
    /// Whether text stands behind the last of them.
    pub is_open: bool,
}

impl Lines {
    /// Lines, a last one without newline counted.
    pub fn all(self) -> u64 {
        self.ends + u64::from(self.is_open)
    }
}

/// Why a file has no number of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncounted {
    /// It isn't there.
    Missing,
    /// It can't be read to its end.
    Damaged {
        /// Newlines before the damage.
        ends: u64,
        /// What the reader says.
        reason: String,
    },
    /// It can't be read at all.
    Unreadable(String),
}

/// A line to be added to a file in the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The file.
    pub file: &'static str,
    /// The line, without its end.
    pub line: String,
}
