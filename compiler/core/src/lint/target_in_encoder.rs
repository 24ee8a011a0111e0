//! The encoder depends on the target language.

use mmc_plan::Sharing;

use super::{Found, Lint, Subject, note};

pub(super) const LINT: Lint =
    note("mmc::lint::target_in_encoder", "the encoder depends on the target language", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let encoder = subject.plan.model.encoder.iter().zip(&subject.experiment.model_spans.encoder);
    let first = encoder.into_iter().find(|(pattern, _)| match pattern.sharing {
        Sharing::TargetLanguage | Sharing::TargetGroup(_) | Sharing::Task | Sharing::Pair => true,
        Sharing::Full
        | Sharing::SourceLanguage
        | Sharing::SourceGroup(_)
        | Sharing::Vocabulary
        | Sharing::None => false,
    });
    let Some((_, span)) = first else { return Vec::new() };
    vec![Found {
        message: "encoder layers that depend on the target: one source has as many encodings as targets"
            .to_owned(),
        label: "from here on",
        span: *span,
        help: "translating a text into several languages encodes it anew for each; put such layers last to reuse those before them"
            .into(),
    }]
}
