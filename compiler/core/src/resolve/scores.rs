//! `scores` of the `training` block: what translations of validation text are scored by.

use mmc_plan::scores::WIDEST_BEAM;
use mmc_plan::{Criterion, Measure, ScoresSpec};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::read::{Choice, PLAIN, Reader, may_have};
use super::section::{Known, Section};
use super::units::Dimension;

const KNOWN: Known =
    Known { values: &["beam", "measures", "sentences"], blocks: &[], not_built: &[] };

const MEASURES: &[Choice<Measure>] = &[("bleu", Measure::Bleu), ("chrf", Measure::Chrf)];

/// `scores = [bleu, chrf]`, or a block that says more; the inner nothing when there is neither.
#[expect(clippy::option_option, reason = "a faulty field is not one that is absent")]
pub(super) fn resolve<'a>(
    training: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Option<ScoresSpec>> {
    if let Some(value) = training.value("scores") {
        let measures = measures(value, "scores", reader)?;
        return Some(Some(ScoresSpec { measures, beam: 1, sentences: None }));
    }
    let Some(section) = training.block("scores") else { return Some(None) };
    section.check(&KNOWN, reader.diagnostics);
    let listed = reader.required(section, "measures", "measures = [bleu, chrf]");
    let measures = listed.and_then(|value| measures(value, "measures", reader));
    let beam = section
        .value("beam")
        .map_or(Some(1), |value| reader.whole(value, "beam", PLAIN, (1, WIDEST_BEAM.into())));
    let rule = may_have(Dimension::Sentences);
    let sentences = section.value("sentences").map_or(Some(None), |value| {
        reader.whole(value, "sentences", rule, (1, u64::MAX)).map(Some)
    });
    let beam = u32::try_from(beam?).ok()?;
    Some(Some(ScoresSpec { measures: measures?, beam, sentences: sentences? }))
}

/// A list of measures, each once.
fn measures<'a>(
    value: &'a Expr,
    field: &'static str,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<Measure>> {
    let value = reader.follow(value)?;
    let items = match &value.kind {
        ExprKind::List(items) if !items.is_empty() => items.as_slice(),
        ExprKind::Name(_) => std::slice::from_ref(value),
        _ => {
            reader.wrong_type(field, "a list such as `[bleu, chrf]`", value);
            return None;
        }
    };
    let mut found: Vec<(Measure, Span)> = Vec::new();
    let mut is_whole = true;
    for item in items {
        let Some(measure) = reader.choice(item, "measure", MEASURES, &["comet", "ter"]) else {
            is_whole = false;
            continue;
        };
        if let Some((_, first)) = found.iter().find(|(known, _)| *known == measure) {
            reader.report(ResolveError::Duplicate {
                what: "measure".to_owned(),
                word: measure.to_string(),
                span: item.span,
                first: *first,
                help: "keep one of the two".to_owned(),
            });
            is_whole = false;
        }
        found.push((measure, item.span));
    }
    is_whole.then(|| found.into_iter().map(|(measure, _)| measure).collect())
}

/// A comparison of validations by a score that none has.
pub(super) fn check_measured(
    scores: Option<&ScoresSpec>,
    on: Criterion,
    span: Span,
    reader: &mut Reader<'_, '_>,
) {
    let wanted = on.measure();
    let Some(wanted) =
        wanted.filter(|wanted| !scores.is_some_and(|of| of.measures.contains(wanted)))
    else {
        return;
    };
    let (block, field) = match (scores, wanted) {
        (None, _) => ("training", "scores"),
        (Some(_), Measure::Bleu) => ("scores", "bleu"),
        (Some(_), Measure::Chrf) => ("scores", "chrf"),
    };
    reader.report(ResolveError::MissingField {
        block: block.to_owned(),
        field,
        span,
        help: format!("validation measures what is listed: for example `scores = [{wanted}]`"),
    });
}

/// What validations may be compared by.
pub(super) const CRITERIA: &[Choice<Criterion>] = &[
    ("loss", Criterion::Loss),
    ("accuracy", Criterion::Accuracy),
    ("macro_loss", Criterion::MacroLoss),
    ("macro_accuracy", Criterion::MacroAccuracy),
    ("bleu", Criterion::Bleu),
    ("chrf", Criterion::Chrf),
];
