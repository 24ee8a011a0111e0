//! What `cluster(...)` measures by: a file of distances or of features, text, or families.

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::derived::Ground;
use super::error::ResolveError;
use super::grouping_error::GroupingError;
use super::read::{Reader, optional};
use crate::cluster::features::Unrelated;
use crate::cluster::profile::Measure;
use crate::cluster::{DistanceTable, Distances, FeatureTable, TableFault, TextProfile};
use crate::languages::family_distance;
use crate::suggest;

/// Distances between all languages.
pub(crate) struct Measured {
    /// In order of code, so that the order of declaration does not matter.
    pub(crate) names: Vec<String>,
    pub(crate) distances: Distances,
    pub(crate) support: Option<Vec<u32>>,
}

/// Reads the one argument that says where distances come from.
pub(crate) fn measured<'a>(
    span: Span,
    args: &[(&'static str, &'a Expr)],
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Measured> {
    let sources: Vec<(&str, &'a Expr)> = args
        .iter()
        .filter(|(name, _)| ["distances", "features", "text"].contains(name))
        .copied()
        .collect();
    if let (Some(measure), None) = (optional(args, "measure"), optional(args, "text")) {
        reader.report(ResolveError::Conflict {
            fault: "`measure` has no meaning here".to_owned(),
            span: measure.span,
            here: "compares texts",
            other: span,
            there: "without `text`",
            help: "`measure` belongs to `text = \"train.{lang}.gz\"`".to_owned(),
        });
        return None;
    }
    match sources.as_slice() {
        [("distances", given)] => from_distances(given, ground, reader),
        [("features", given)] => from_features(given, ground, reader),
        [(_, given)] => from_text(given, optional(args, "measure"), ground, reader),
        [] => {
            reader.report(ResolveError::MissingField {
                block: "cluster".to_owned(),
                field: "distances",
                span,
                help: "`distances = \"file.csv\"`, `distances = family`, `features = \"file.csv\"` or `text = \"train.{lang}.gz\"`".to_owned(),
            });
            None
        }
        [(first, a), (second, b), ..] => {
            reader.report(ResolveError::Conflict {
                fault: format!("`{first}` and `{second}` both tell the distances"),
                span: b.span,
                here: "these",
                other: a.span,
                there: "or these",
                help: "keep one of the two".to_owned(),
            });
            None
        }
    }
}

fn names(ground: Ground<'_>) -> Vec<String> {
    ground.languages.keys().cloned().collect()
}

/// A table, with its path and where that stands.
fn table<'a, T>(
    given: &'a Expr,
    field: &str,
    read: fn(&str) -> Result<T, TableFault>,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<(T, &'a str, Span)> {
    let (path, span) = reader.text(given, field)?;
    let text = ground.world.source(path).map_err(|why| why.to_string());
    match text.and_then(|text| read(&text).map_err(|fault| fault.to_string())) {
        Ok(table) => Some((table, path, span)),
        Err(why) => {
            reader.diagnostics.report(GroupingError::Table { path: path.to_owned(), why, span });
            None
        }
    }
}

/// The rows of the languages; all that lack one are reported at once.
fn rows(
    names: &[String],
    known: &[String],
    (path, span): (&str, Span),
    reader: &mut Reader<'_, '_>,
) -> Option<Vec<usize>> {
    let place = |name: &String| known.iter().position(|other| other == name);
    let missing: Vec<&str> =
        names.iter().filter(|name| place(name).is_none()).map(String::as_str).collect();
    if missing.is_empty() {
        return Some(names.iter().filter_map(place).collect());
    }
    reader.diagnostics.report(GroupingError::Unmeasured {
        path: path.to_owned(),
        missing: suggest::listed(&missing, "and"),
        span,
        help: "add rows for them; the file's names are the codes of the experiment".to_owned(),
    });
    None
}

/// A file, or the word `family`.
fn from_distances<'a>(
    given: &'a Expr,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Measured> {
    let given = reader.follow(given)?;
    if matches!(&given.kind, ExprKind::Name(word) if word == "family") {
        return from_families(given.span, ground, reader);
    }
    if !matches!(given.kind, ExprKind::Text(_)) {
        reader.wrong_type("distances", "the path of a file, or `family`", given);
        return None;
    }
    let (table, path, span) = table(given, "distances", DistanceTable::read, ground, reader)?;
    if let Some(why) = table.oddity() {
        reader.diagnostics.report(GroupingError::Table { path: path.to_owned(), why, span });
        return None;
    }
    let names = names(ground);
    let kept = rows(&names, &table.names, (path, span), reader)?;
    Some(Measured { distances: table.distances(&kept), names, support: None })
}

fn from_families(span: Span, ground: Ground<'_>, reader: &mut Reader<'_, '_>) -> Option<Measured> {
    let names = names(ground);
    let mut paths = Vec::new();
    for language in ground.languages.values() {
        match language.attribute("family") {
            Some(path) => paths.push(path),
            None => reader.diagnostics.report(GroupingError::NoAttribute {
                language: language.code.clone(),
                attribute: "family".to_owned(),
                span,
                declared: language.span,
                help: format!("declare it: `language {} {{ family = germanic }}`", language.code),
            }),
        }
    }
    if paths.len() < names.len() {
        return None;
    }
    let path = |at: usize| paths.get(at).copied().unwrap_or_default();
    let distances = Distances::new(names.len(), |i, j| family_distance(path(i), path(j)));
    Some(Measured { names, distances, support: None })
}

fn from_features<'a>(
    given: &'a Expr,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Measured> {
    let (table, path, span) = table(given, "features", FeatureTable::read, ground, reader)?;
    let names = names(ground);
    let kept = rows(&names, &table.names, (path, span), reader)?;
    let families: Vec<Option<&str>> =
        ground.languages.values().map(|language| language.attribute("family")).collect();
    match table.distances(&kept, &families) {
        Ok((distances, support)) => Some(Measured { names, distances, support: Some(support) }),
        Err(Unrelated(i, j)) => {
            let name = |at: usize| names.get(at).cloned().unwrap_or_default();
            reader.diagnostics.report(GroupingError::Unrelated {
                path: path.to_owned(),
                a: name(i),
                b: name(j),
                span,
            });
            None
        }
    }
}

fn from_text<'a>(
    given: &'a Expr,
    measure: Option<&'a Expr>,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Measured> {
    let measures = [("letters", Measure::Letters), ("words", Measure::Words)];
    let measure = match measure {
        Some(measure) => reader.choice(measure, "measure", &measures, &[])?,
        None => Measure::Letters,
    };
    let (template, span) = reader.text(given, "text")?;
    let names = names(ground);
    let mut profiles: Vec<TextProfile> = Vec::new();
    for language in &names {
        let path = path_of(template, language, ("text", span), ground, reader)?;
        let found = ground.world.profile(&path).map_err(|why| why.to_string());
        let empty = "it has no words".to_owned();
        match found.and_then(|profile| if profile.is_empty() { Err(empty) } else { Ok(profile) }) {
            Ok(profile) => profiles.push(profile),
            Err(why) => {
                let language = language.clone();
                reader.diagnostics.report(GroupingError::Text { path, language, why, span });
            }
        }
    }
    if profiles.len() < names.len() {
        return None;
    }
    let distances = Distances::new(names.len(), |i, j| {
        profiles.get(i).zip(profiles.get(j)).map_or(0.0, |(a, b)| a.distance(b, measure))
    });
    Some(Measured { names, distances, support: None })
}

/// The file of a language by a template with `{lang}`.
pub(crate) fn path_of(
    template: &str,
    language: &str,
    (field, span): (&str, Span),
    ground: Ground<'_>,
    reader: &mut Reader<'_, '_>,
) -> Option<String> {
    match ground.templates.language(template, language) {
        Ok(path) if path != *template || ground.languages.len() < 2 => Some(path),
        Ok(_) => {
            reader.report(ResolveError::Template {
                field: field.to_owned(),
                fault: "it is the same file for all languages".to_owned(),
                span,
                help: "write `{lang}` where the code stands: `\"train.{lang}.gz\"`".to_owned(),
            });
            None
        }
        Err(fault) => {
            let help =
                "the variable here is `lang`; filters map its code: `{lang|iso3}`".to_owned();
            let (field, fault) = (field.to_owned(), fault.to_string());
            reader.report(ResolveError::Template { field, fault, span, help });
            None
        }
    }
}
