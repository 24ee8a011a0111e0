//! Languages are grouped by the few features that are known of both.

use super::{Found, Lint, Subject, counted, listed, warning};

/// Features that a distance of typology should rest on, at least.
const LEAST_FEATURES: u32 = 20;

pub(super) const LINT: Lint = warning(
    "mmc::lint::thin_support",
    "languages are grouped by the few features that are known of both",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for grouping in &subject.experiment.groupings {
        let Some(clustering) = &grouping.clustering else { continue };
        let Some(support) = &clustering.support else { continue };
        let names = clustering.names.iter().enumerate();
        let pairs =
            names.flat_map(|(at, a)| clustering.names.iter().skip(at + 1).map(move |b| (a, b)));
        let mut thin: Vec<(u32, String)> = support
            .iter()
            .zip(pairs)
            .filter(|(known, _)| **known < LEAST_FEATURES)
            .map(|(known, (a, b))| (*known, format!("{a} {b}")))
            .collect();
        thin.sort();
        if thin.is_empty() {
            continue;
        }
        let least: Vec<&str> = thin.iter().map(|(_, pair)| pair.as_str()).collect();
        found.push(Found {
            message: format!(
                "fewer than {LEAST_FEATURES} features are known of both languages of {}: {}",
                counted(thin.len(), "pair"),
                listed(&least)
            ),
            label: "grouped by these distances",
            span: grouping.span,
            help: "their families decide then; add features, or group by `text` or `distances = family`".into(),
        });
    }
    found
}
