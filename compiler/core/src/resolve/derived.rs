//! `by(...)` and `cluster(...)`: groupings that are found instead of listed.

use std::collections::BTreeMap;

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::distances::{Measured, measured};
use super::error::ResolveError;
use super::grouping_error::GroupingError;
use super::languages::attributes;
use super::read::{Bounds, PLAIN, Reader, arguments, may_have, optional};
use super::units::Dimension;
use super::values::describe;
use crate::cluster::balanced::{Wanted, balanced};
use crate::cluster::{Clustering, Cut, Linkage, Way, agglomerate};
use crate::ir::experiment::Language;
use crate::suggest;
use crate::template::Templates;
use crate::world::World;

/// Tokens of a line, assumed where only lines are known: sentences of newspapers and parliaments have 20 to 30.
const TOKENS_PER_LINE: u64 = 25;

const EXAMPLE: &str =
    "groups = cluster(distances = \"distances.csv\", linkage = average, count = 3)";
const ARGUMENTS: &[&str] = &[
    "distances",
    "features",
    "text",
    "measure",
    "linkage",
    "count",
    "cutoff",
    "balanced",
    "max",
    "sizes",
];

/// What groupings are found from.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'g> {
    pub(crate) languages: &'g BTreeMap<String, Language>,
    pub(crate) templates: &'g Templates,
    pub(crate) world: &'g dyn World,
}

/// A grouping that was found.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    pub(crate) group_of: BTreeMap<String, String>,
    pub(crate) clustering: Option<Clustering>,
}

/// The groups that an expression tells; nothing when a fault was reported.
pub(crate) fn derived<'a>(
    field: &str,
    value: &'a Expr,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Derived> {
    let value = reader.follow(value)?;
    let call = match &value.kind {
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(word) => Some((word.as_str(), callee.span)),
            _ => None,
        },
        _ => None,
    };
    match call {
        Some(("by", span)) => by(value, span, ground, reader),
        Some(("cluster", span)) => cluster(value, span, ground, reader),
        Some((word, span)) => {
            let help =
                suggest::help(word, ["by", "cluster"], "groups are found with `by` or `cluster`");
            let word = word.to_owned();
            reader.report(ResolveError::UnknownName {
                kind: "way to find groups",
                word,
                span,
                help,
            });
            None
        }
        None => {
            reader.report(ResolveError::WrongType {
                field: field.to_owned(),
                expected: "groups".to_owned(),
                found: describe(value),
                span: value.span,
                help: Some(
                    "write `groups { slavic = [cs, pl] }`, or `groups = by(family)`".to_owned(),
                ),
            });
            None
        }
    }
}

/// `by(family, depth = 2)`, `by(script)`, `by(region)`.
fn by<'a>(
    value: &'a Expr,
    span: Span,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Derived> {
    let args = reader.args("by", arguments(value), &["attribute", "depth"]);
    let attribute = reader.argument(("by", span), &args, "attribute", "groups = by(family)")?;
    let ExprKind::Name(word) = &attribute.kind else {
        reader.wrong_type("attribute", "an attribute such as `family`", attribute);
        return None;
    };
    let known = attributes(ground.languages);
    if !known.contains(&word.as_str()) {
        reader.report(ResolveError::UnknownName {
            kind: "attribute",
            word: word.clone(),
            span: attribute.span,
            help: suggest::help(word, known, "give it in `language CODE { attributes { ... } }`"),
        });
        return None;
    }
    let depth = match optional(&args, "depth") {
        Some(depth) => usize::try_from(reader.small(depth, "depth", PLAIN, 1)?).ok()?,
        None => 1,
    };
    let mut group_of = BTreeMap::new();
    for language in ground.languages.values() {
        let values = language.values(word);
        // A family path that ends above the depth stands for itself.
        let Some(group) = values.get(depth - 1).or(values.last()) else {
            reader.diagnostics.report(GroupingError::NoAttribute {
                language: language.code.clone(),
                attribute: word.clone(),
                span: attribute.span,
                declared: language.span,
                help: no_attribute(&language.code, word),
            });
            continue;
        };
        group_of.insert(language.code.clone(), (*group).to_owned());
    }
    Some(Derived { group_of, clustering: None })
}

fn no_attribute(code: &str, attribute: &str) -> String {
    match attribute {
        "family" => format!("declare it: `language {code} {{ family = germanic }}`"),
        "script" => format!("declare it: `language {code} {{ script = Latn }}`"),
        other => format!("declare it: `language {code} {{ attributes {{ {other} = ... }} }}`"),
    }
}

/// `cluster(distances = "file.csv", linkage = average, count = 3)` and its kin.
fn cluster<'a>(
    value: &'a Expr,
    span: Span,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Derived> {
    let args = reader.args("cluster", arguments(value), ARGUMENTS);
    let linkages = [
        ("average", Linkage::Average),
        ("single", Linkage::Single),
        ("complete", Linkage::Complete),
    ];
    let linkage = match optional(&args, "linkage") {
        Some(linkage) => reader.choice(linkage, "linkage", &linkages, &[])?,
        None => Linkage::Average,
    };
    let measured = measured(span, &args, ground, reader)?;
    let tree = agglomerate(&measured.distances, linkage);
    let (labels, way) = if let Some(kind) = optional(&args, "balanced") {
        let why = "balanced clusters are no cut of a tree";
        excluded(&args, &["linkage", "cutoff"], kind.span, why, reader)?;
        let wanted = wanted((kind, span), &args, &measured, ground, reader)?;
        let Some((labels, balance)) = balanced(&measured.distances, &wanted) else {
            reader.diagnostics.report(GroupingError::unbalanced(&wanted, kind.span));
            return None;
        };
        (labels, Way::Balanced(balance))
    } else {
        let why =
            "only balanced clusters are bounded: add `balanced = size` or `balanced = tokens`";
        excluded(&args, &["max", "sizes"], span, why, reader)?;
        let cut = cut(span, &args, ground, reader)?;
        (tree.labels(cut), Way::Cut(linkage, cut))
    };
    let groups = measured.names.iter().zip(&labels);
    let group_of = groups.map(|(name, label)| (name.clone(), format!("group{label}"))).collect();
    let Measured { names, distances, support } = measured;
    let clustering = Clustering { names, distances, tree, labels, way, support };
    Some(Derived { group_of, clustering: Some(clustering) })
}

/// Reports arguments that do not go with another.
fn excluded<'a>(
    args: &[(&'static str, &'a Expr)],
    names: &[&str],
    with: Span,
    why: &str,
    reader: &mut Reader<'_, 'a>,
) -> Option<()> {
    let Some((name, value)) = args.iter().find(|(name, _)| names.contains(name)) else {
        return Some(());
    };
    reader.report(ResolveError::Conflict {
        fault: format!("`{name}` has no meaning here"),
        span: value.span,
        here: "this",
        other: with,
        there: "beside this",
        help: why.to_owned(),
    });
    None
}

/// `count` or `cutoff`, exactly one.
fn cut<'a>(
    span: Span,
    args: &[(&'static str, &'a Expr)],
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Cut> {
    match (optional(args, "count"), optional(args, "cutoff")) {
        (Some(count), None) => Some(Cut::Count(counted(count, ground, reader)?)),
        (None, Some(cutoff)) => {
            Some(Cut::Height(reader.real(cutoff, "cutoff", PLAIN, Bounds::NOT_NEGATIVE)?))
        }
        (Some(count), Some(cutoff)) => {
            reader.report(ResolveError::Conflict {
                fault: "`count` and `cutoff` both tell where the tree is cut".to_owned(),
                span: cutoff.span,
                here: "by this distance",
                other: count.span,
                there: "into so many clusters",
                help: "keep one of the two".to_owned(),
            });
            None
        }
        (None, None) => {
            reader.report(ResolveError::MissingField {
                block: "cluster".to_owned(),
                field: "count",
                span,
                help: format!("for example `{EXAMPLE}`, or `cutoff = 0.4`"),
            });
            None
        }
    }
}

fn counted<'a>(count: &'a Expr, ground: Ground<'_>, reader: &mut Reader<'_, 'a>) -> Option<usize> {
    let most = ground.languages.len() as u64;
    usize::try_from(reader.whole(count, "count", PLAIN, (1, most))?).ok()
}

/// Bounds of `balanced = size` and `balanced = tokens`.
fn wanted<'a>(
    (kind, span): (&'a Expr, Span),
    args: &[(&'static str, &'a Expr)],
    measured: &Measured,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Wanted> {
    let by_tokens = reader.choice(kind, "balanced", &[("size", false), ("tokens", true)], &[])?;
    let count = reader.argument(("cluster", span), args, "count", "balanced = size, count = 4")?;
    let count = counted(count, ground, reader)?;
    let even = Wanted::even(measured.names.len(), count);
    if !by_tokens {
        excluded(
            args,
            &["sizes"],
            kind.span,
            "`balanced = size` counts languages: leave `sizes` out",
            reader,
        )?;
        let Some(most) = optional(args, "max") else { return Some(even) };
        let most = reader.whole(most, "max", PLAIN, (1, u64::from(u32::MAX)))?;
        return Some(Wanted { least: 1, most, ..even });
    }
    let example = "balanced = tokens, count = 4, sizes = \"train.{lang}.gz\"";
    let sizes = reader.argument(("cluster", span), args, "sizes", example)?;
    let weights = tokens(sizes, measured, ground, reader)?;
    let total: u64 = weights.iter().sum();
    let most = match optional(args, "max") {
        Some(most) => reader.whole(most, "max", may_have(Dimension::Tokens), (1, u64::MAX))?,
        // A tenth more than an even share, or the largest language.
        None => {
            (total.saturating_mul(11) / (10 * count as u64)).max(weights.iter().copied().max()?)
        }
    };
    Some(Wanted { count, weights, least: 0, most })
}

/// Tokens of every language, estimated from the lines of its file.
fn tokens<'a>(
    sizes: &'a Expr,
    measured: &Measured,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<u64>> {
    let (template, span) = reader.text(sizes, "sizes")?;
    let mut paths: Vec<String> = Vec::new();
    for language in &measured.names {
        let path = super::distances::path_of(template, language, ("sizes", span), ground, reader)?;
        paths.push(path);
    }
    let mut weights = Vec::new();
    let known = ground.world.corpora(&paths);
    for ((language, path), facts) in measured.names.iter().zip(&paths).zip(known) {
        match facts {
            Ok(facts) => weights.push(facts.lines.saturating_mul(TOKENS_PER_LINE)),
            Err(why) => {
                let (language, why, path) = (language.clone(), why.to_string(), path.clone());
                reader.diagnostics.report(GroupingError::Text { path, language, why, span });
                return None;
            }
        }
    }
    Some(weights)
}
