//! The syntax tree: one uniform shape for all constructs. What a construct means is decided by `mmc-core`'s `resolve`.

use crate::source::Span;

/// A file: its items in order.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Top-level entries.
    pub items: Vec<Entry>,
    /// The whole file.
    pub span: Span,
}

/// A word with its place: a keyword, a key, a code, a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As written; may hold inner hyphens (`zh-Hans`).
    pub text: String,
    /// Where.
    pub span: Span,
}

impl Name {
    /// The word as an expression.
    pub fn into_expr(self) -> Expr {
        Expr { kind: ExprKind::Name(self.text), span: self.span }
    }
}

/// One entry of a file or of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The `##` lines before it, without the marks.
    pub docs: Vec<String>,
    /// What it is.
    pub kind: EntryKind,
    /// All of it.
    pub span: Span,
}

/// Kinds of entries.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryKind {
    /// `import "file.mmc"` or `import std.clusters.lumi_g`.
    Import(ImportPath),
    /// `param name: type = default`; without a default it must be given with `-p`.
    Param {
        /// Its name.
        name: Name,
        /// `int`, `float`, `text`, `bool`, `name`.
        ty: Name,
        /// Default.
        default: Option<Expr>,
    },
    /// `let name = value`.
    Let {
        /// Its name.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `languages cs, de, en`.
    Languages(Vec<Name>),
    /// `keyword { ... }`, `keyword name { ... }`, `for PAIRS { ... }`.
    Block(Block),
    /// `key = value`, `keyword name = value`.
    Setting(Setting),
    /// `name in value`, in sweeps.
    Choice {
        /// What varies.
        name: Name,
        /// Over what.
        values: Expr,
    },
}

/// What an import names.
#[derive(Debug, Clone, PartialEq)]
pub enum ImportPath {
    /// A file, relative to the importing one.
    File(String, Span),
    /// `std.` and on: dotted names.
    Std(Vec<Name>),
}

/// A block.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// `tasks`, `model`, `adapter`, `for` ...
    pub keyword: Name,
    /// What stands between keyword and brace: a name (`tasks translation {`) or, after `for`, an expression.
    pub header: Option<Expr>,
    /// Between the braces.
    pub entries: Vec<Entry>,
    /// From brace to brace.
    pub body: Span,
}

/// A setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key, or the keyword of a top-level setting such as `groups`.
    pub key: Name,
    /// The name between keyword and `=`, as in `groups typology = ...`.
    pub label: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// Kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number with an optional unit: `512`, `3e-4`, `50k`, `5%`, `4096 tokens`, `10k steps`, `200 Gbit/s`.
    Number {
        /// The digits as written, without suffix and unit.
        digits: String,
        /// `k`, `M`, `G` or `%` written against the digits.
        suffix: Option<String>,
        /// The unit's words as written, `Gbit/s`.
        unit: Option<Name>,
    },
    /// `"text"`, escapes resolved.
    Text(String),
    /// A word.
    Name(String),
    /// `std.typology`, `multi30k.mono`, `ffn.fc1`: two or more words.
    Dotted(Vec<Name>),
    /// `mmc::lint::idle_device`.
    Code(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(a, b)`: two or more; one in parentheses is that expression in [`ExprKind::Group`].
    Tuple(Vec<Expr>),
    /// `(a)`.
    Group(Box<Expr>),
    /// `{ key = value ... }` as a value; keys are expressions (`cs -> en = (node 0, gpu 1)`).
    Map(Vec<(Expr, Expr)>),
    /// `name(args)`; the callee is a name or dotted name.
    Call {
        /// What is called.
        callee: Box<Expr>,
        /// With what.
        args: Vec<Arg>,
    },
    /// `encoder[1]`.
    Index {
        /// Of what.
        base: Box<Expr>,
        /// Which.
        index: Box<Expr>,
    },
    /// `0..3`.
    Range(Box<Expr>, Box<Expr>),
    /// `-x`.
    Negative(Box<Expr>),
    /// `a + b` and the others.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// `FULL with moe(...)`.
    With(Box<Expr>, Box<Expr>),
    /// `per LANGUAGE where family = mayan`: the base, the attribute, the value.
    Where(Box<Expr>, Name, Box<Expr>),
    /// A word before an operand: `every 1k steps`, `per task`, `node 0`, `other task`.
    Prefixed(Name, Box<Expr>),
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    /// `name =`, if written.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// Binary operators, loosest first: `+ - &` (one level, left to right), then `* /`, then `-> <->`, then `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`.
    Add,
    /// `-`, with space around it.
    Subtract,
    /// `&`.
    Intersect,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `->`.
    To,
    /// `<->`.
    BothWays,
    /// `6 x FULL`.
    Times,
}
