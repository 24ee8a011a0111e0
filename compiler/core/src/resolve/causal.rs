//! Causal language models: tasks of one text (`objective = causal`), and the model without an encoder that they need.

use mmc_plan::{Sharing, StackSide, TaskKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::Algebra;
use super::read::{Choice, Reader};
use super::section::Section;
use crate::ir::experiment::{At, Pair, PrefixToken, TaskBlock, TransformWish};

const OBJECTIVES: &[Choice<()>] = &[("causal", ())];

/// Where `objective = causal` stands in a `tasks` block; the inner nothing when it does not. What other tasks learn is told by
/// their corpus and transforms.
#[expect(clippy::option_option, reason = "a faulty field is not one that is absent")]
pub(super) fn objective<'a>(
    section: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Option<Span>> {
    if let Some(value) = section.value("objective") {
        reader.choice(value, "objective", OBJECTIVES, &[])?;
        return Some(Some(value.span));
    }
    if let Some(span) = section.key("languages") {
        reader.report(ResolveError::MissingField {
            block: section.what.clone(),
            field: "objective",
            span,
            help: "tasks of single languages have `objective = causal`; others have directions, `pairs = ...`"
                .to_owned(),
        });
        return None;
    }
    Some(None)
}

/// The languages of causal tasks, each to itself.
pub(super) fn texts<'a>(
    section: &Section<'a>,
    objective: Span,
    algebra: Algebra<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<Pair>> {
    if let Some(span) = section.key("pairs") {
        let help = "name the languages: `languages = all`";
        conflict("causal tasks have no directions", (span, "directions"), objective, help, reader);
        return None;
    }
    let value = reader.required(section, "languages", "languages = all")?;
    let found = algebra.to_themselves(value, reader)?;
    if found.is_empty() {
        reader.report(ResolveError::EmptySelection {
            what: "`languages`".to_owned(),
            span: value.span,
            help: "at least one language is needed, for example `all`".to_owned(),
        });
        return None;
    }
    Some(found)
}

/// Text of one side, and nothing that happens to a source.
pub(super) fn check_text(
    (corpus, is_mono): (Span, bool),
    transforms: &[At<TransformWish>],
    objective: Span,
    reader: &mut Reader<'_, '_>,
) {
    if !is_mono {
        let help = "take its monolingual text, `corpus = NAME.mono`";
        let here = (corpus, "text of two languages");
        conflict("causal tasks read text of one language", here, objective, help, reader);
    }
    for At { value, span } in transforms {
        let (fault, help) = match value {
            TransformWish::Prefix { tokens, side }
                if *side == Some(StackSide::Encoder) || tokens.contains(&PrefixToken::Source) =>
            {
                ("causal tasks have no source to tell", "`prefix(target)` tells the language")
            }
            noise if noise.is_noise() => {
                ("causal tasks have no source to change", "leave noise out")
            }
            _ => continue,
        };
        conflict(fault, (*span, "of a source"), objective, help, reader);
    }
}

/// Where causal tasks are asked for; nothing when there are none. Beside tasks with a source they are refused: decoders of one
/// model either see an encoder or don't.
pub(super) fn of_blocks(blocks: &[TaskBlock], reader: &mut Reader<'_, '_>) -> Option<Span> {
    let is_causal = |block: &&TaskBlock| block.kind.value == TaskKind::Causal;
    let objective = blocks.iter().find(is_causal)?.kind.span;
    if let Some(other) = blocks.iter().find(|block| !is_causal(block)) {
        let here = (other.span, "tasks with a source");
        let help = "train them in two experiments: a decoder either sees an encoder or does not";
        conflict("tasks with a source and causal tasks", here, objective, help, reader);
        return None;
    }
    Some(objective)
}

/// Reports what a model of causal tasks says of an encoder, or of sources.
pub(super) fn check_model<'a>(model: &Section<'a>, objective: Span, reader: &mut Reader<'_, 'a>) {
    let embeddings = model.block("embeddings");
    let places = ["encoder", "bridge"].map(|field| model.key(field));
    let of_embeddings =
        ["source", "tie_source"].map(|field| embeddings.and_then(|block| block.key(field)));
    let own = model.directions.iter().map(|(_, inner)| inner.key("encoder"));
    for span in places.into_iter().chain(of_embeddings).chain(own).flatten() {
        let help = "leave it out: a model of causal tasks is its decoder";
        conflict("causal tasks use no encoder", (span, "of an encoder"), objective, help, reader);
    }
}

/// Reports sharing by source.
pub(super) fn check_sharing<'s>(
    shared: impl Iterator<Item = (&'s Sharing, Span)>,
    objective: Span,
    reader: &mut Reader<'_, '_>,
) {
    for (sharing, span) in shared {
        if matches!(sharing, Sharing::SourceLanguage | Sharing::SourceGroup(_)) {
            let help = "share by `LANGUAGE` or `GROUP`: that of the text";
            conflict(
                "causal tasks have no source",
                (span, "shared by it"),
                objective,
                help,
                reader,
            );
        }
    }
}

/// What a source embedding that is tied to a target's is shared by.
pub(super) fn as_source(target: &Sharing) -> Sharing {
    match target {
        Sharing::TargetLanguage => Sharing::SourceLanguage,
        Sharing::TargetGroup(grouping) => Sharing::SourceGroup(grouping.clone()),
        other => other.clone(),
    }
}

/// Reports what does not go with causal tasks.
pub(super) fn conflict(
    fault: &str,
    (span, here): (Span, &'static str),
    objective: Span,
    help: &str,
    reader: &mut Reader<'_, '_>,
) {
    reader.report(ResolveError::Conflict {
        fault: fault.to_owned(),
        span,
        here,
        other: objective,
        there: "causal tasks",
        help: help.to_owned(),
    });
}
