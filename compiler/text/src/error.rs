//! What can be wrong with text files: each fault names the file, and the line where there is one.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// A fault of a text file, a tokenizer or what is made of them.
#[derive(Debug, Error, Diagnostic)]
pub enum TextError {
    /// The system refuses the file.
    #[error("can't read `{}`: {cause}", path.display())]
    #[diagnostic(
        code(mmc::text::unreadable),
        help("check the path and its permissions; paths are relative to the working directory")
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// A compressed file that ends early or isn't what its name says.
    #[error("`{}` is damaged after line {line}: {cause}", path.display())]
    #[diagnostic(
        code(mmc::text::damaged),
        help("test the file with `gzip -t` or `zstd -t`, and copy it again if it is truncated")
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Whole lines before the damage.
        line: u64,
        /// What the decoder says.
        cause: io::Error,
    },
    /// Bytes that are no text.
    #[error("`{}`, line {line}: not valid UTF-8", path.display())]
    #[diagnostic(code(mmc::text::not_utf8), help("convert the file, e.g. with `iconv -t UTF-8`"))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
    /// A line beyond the bound.
    #[error("`{}`, line {line}: longer than {limit} bytes", path.display())]
    #[diagnostic(
        code(mmc::text::line_too_long),
        help("is this a text file with one segment a line?")
    )]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Most bytes of a line.
        limit: usize,
    },
    /// Two sides that don't belong together.
    #[error(
        "`{}` has {source_lines} lines, but `{}` has {target_lines}",
        source_path.display(),
        target_path.display()
    )]
    #[diagnostic(
        code(mmc::text::unequal_lines),
        help("parallel files must be aligned: line `i` of one translates line `i` of the other")
    )]
    UnequalLines {
        /// Source file.
        source_path: PathBuf,
        /// Its lines.
        source_lines: u64,
        /// Target file.
        target_path: PathBuf,
        /// Its lines.
        target_lines: u64,
    },
    /// Sides with different numbers of files.
    #[error("{source_files} source files, but {target_files} target files")]
    #[diagnostic(
        code(mmc::text::unequal_files),
        help("file `i` of one side belongs to file `i` of the other")
    )]
    UnequalFiles {
        /// Files of the source side.
        source_files: usize,
        /// Files of the target side.
        target_files: usize,
    },
    /// A file that can't be written.
    #[error("can't write `{}`: {cause}", path.display())]
    #[diagnostic(
        code(mmc::text::unwritable),
        help("check the folder's permissions and the free space")
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// A file that is no tokenizer of its kind.
    #[error("can't read `{}` as a tokenizer: {reason}", path.display())]
    #[diagnostic(
        code(mmc::text::tokenizer),
        help(
            "`kind = sentencepiece` reads `.model` files of unigram and BPE models, `kind = huggingface` reads `tokenizer.json` files, `kind = words` lists of tokens, one a line"
        )
    )]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An artificial corpus that can't be made.
    #[error("can't make the corpus: {reason}")]
    #[diagnostic(code(mmc::text::synth), help("`mmc synth --help` lists the options"))]
    Synth {
        /// Why.
        reason: String,
    },
    /// A vocabulary that can't be trained.
    #[error("can't train a tokenizer: {reason}")]
    #[diagnostic(
        code(mmc::text::untrainable),
        help("change the number of pieces, the coverage or the files")
    )]
    Training {
        /// Why.
        reason: String,
    },
}

impl TextError {
    /// The system refused to open or read a file.
    pub(crate) fn unreadable(path: &Path, cause: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), cause }
    }

    /// The system refused to write a file.
    pub(crate) fn unwritable(path: &Path, cause: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), cause }
    }
}
