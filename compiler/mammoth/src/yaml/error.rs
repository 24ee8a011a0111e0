//! What can be wrong with a YAML file, with its place.

use miette::Diagnostic;
use mmc_syntax::Span;
use thiserror::Error;

/// A fault that keeps a text from being read.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum YamlError {
    /// The text isn't YAML.
    #[error("this is not YAML: {reason}")]
    #[diagnostic(
        code(mmc::yaml::malformed),
        help(
            "look at the indentation, quotes and brackets here and on the line above; texts with `: `, ` #` or a leading `*`, `&`, `%`, `@` need quotes"
        )
    )]
    Malformed {
        /// What the parser says.
        reason: String,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// A character that YAML does not allow.
    #[error("the character U+{code:04X} can't stand in YAML")]
    #[diagnostic(
        code(mmc::yaml::control_character),
        help("write it as an escape in double quotes, or delete it")
    )]
    ControlCharacter {
        /// Its code point.
        code: u32,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// Too many things inside each other.
    #[error("more than {most} levels of nesting")]
    #[diagnostic(code(mmc::yaml::too_deep), help("configurations are a few levels deep"))]
    TooDeep {
        /// The bound.
        most: usize,
        /// Where it is passed.
        #[label("one level too many")]
        span: Span,
    },
    /// Aliases that stand for more than can be handled.
    #[error("aliases make this document larger than {most} nodes")]
    #[diagnostic(
        code(mmc::yaml::alias_bomb),
        help("write out what is meant; each alias here multiplies what the one before stands for")
    )]
    AliasBomb {
        /// The bound.
        most: u64,
        /// The alias with which it is passed.
        #[label("with this alias")]
        span: Span,
    },
    /// A node that contains itself.
    #[error("this node contains itself")]
    #[diagnostic(code(mmc::yaml::recursive), help("an alias may not name a node around it"))]
    Recursive {
        /// The alias.
        #[label("names a node that is not finished here")]
        span: Span,
    },
    /// A tag without a meaning here.
    #[error("there is no tag `{tag}` here")]
    #[diagnostic(
        code(mmc::yaml::unknown_tag),
        help(
            "known are `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!timestamp`, `!!seq` and `!!map`"
        )
    )]
    UnknownTag {
        /// As written.
        tag: String,
        /// The node.
        #[label("on this")]
        span: Span,
    },
    /// A scalar that looks like something that it can't be.
    #[error("`{written}` is no {kind}: {reason}")]
    #[diagnostic(code(mmc::yaml::bad_value), help("write it in quotes if a text is meant"))]
    BadValue {
        /// As written.
        written: String,
        /// What it looks like.
        kind: &'static str,
        /// Why it is none.
        reason: &'static str,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// A list or a mapping as a key.
    #[error("{kind} can't be a key")]
    #[diagnostic(
        code(mmc::yaml::bad_key),
        help("keys are texts; a template such as `{{lang}}` as a key or value needs quotes")
    )]
    BadKey {
        /// What it is.
        kind: &'static str,
        /// Where.
        #[label("used as a key")]
        span: Span,
    },
    /// `<<` with something else than mappings.
    #[error("`<<` merges mappings, and this is {kind}")]
    #[diagnostic(
        code(mmc::yaml::bad_merge),
        help(
            "write `<<: *name` where `&name` is on a mapping; a key that is really called `<<` needs quotes"
        )
    )]
    BadMerge {
        /// What it is.
        kind: &'static str,
        /// Where.
        #[label("not a mapping")]
        span: Span,
    },
    /// More than one document.
    #[error("the file has more than one document")]
    #[diagnostic(code(mmc::yaml::several_documents), help("keep one, or split the file at `---`"))]
    SeveralDocuments {
        /// Where the second begins.
        #[label("the second begins here")]
        span: Span,
    },
    /// A file beyond the bound.
    #[error("the file has {bytes} bytes, more than {most}")]
    #[diagnostic(code(mmc::yaml::too_large), help("is this a configuration?"))]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
}

/// A key that a mapping has twice: a warning, since PyYAML takes the last.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("the key `{key}` is given twice; the last one counts")]
#[diagnostic(code(mmc::yaml::duplicate_key), severity(Warning), help("delete one of them"))]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// The later one.
    #[label("counts")]
    pub span: Span,
    /// The earlier one.
    #[label("is forgotten")]
    pub earlier: Span,
}
