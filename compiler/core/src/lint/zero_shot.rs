//! Directions that nobody trains although all their modules are there.
//!
//! Where encoder and decoder meet, a direction hands the output of one module to another. A pair of modules that some task
//! trains together knows how; a pair that never met does not, whatever else the two have learnt.

use std::collections::BTreeSet;

use mmc_plan::TaskSpec;
use mmc_plan::path::{Spelling, Way, Ways};

use super::{Found, Lint, Subject, counted, listed, note};
use crate::directions::distinct;
use crate::ir::experiment::TaskBlock;

/// Directions that are looked at, at most: the rest of a very large matrix is left out.
const MOST_DIRECTIONS: usize = 4_000;

pub(super) const LINT: Lint =
    note("mmc::lint::zero_shot", "a direction can be translated but is not trained", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let untrained: Vec<String> =
        directions(subject).iter().filter(|found| found.met).map(Untrained::name).collect();
    let Some(block) = translating(subject).filter(|_| !untrained.is_empty()) else {
        return Vec::new();
    };
    vec![Found {
        message: format!(
            "{} can be translated but {} never trained together: {}",
            counted(untrained.len(), "direction"),
            if untrained.len() == 1 { "is" } else { "are" },
            listed(&untrained)
        ),
        label: "not among these pairs",
        span: block.span,
        help: "they are zero-shot directions: check them before relying on them".into(),
    }]
}

/// The first block whose tasks translate.
pub(super) fn translating<'a>(subject: &Subject<'a>) -> Option<&'a TaskBlock> {
    subject.experiment.task_blocks.iter().find(|block| !block.is_mono())
}

/// A direction that no task trains.
pub(super) struct Untrained<'a> {
    /// Source and target language.
    direction: [&'a str; 2],
    /// The last module of its encoder and the first of its decoder.
    pub(super) seam: [&'a str; 2],
    /// Whether some task trains these two together.
    pub(super) met: bool,
}

impl Untrained<'_> {
    /// `de -> fr`.
    pub(super) fn name(&self) -> String {
        self.direction.join(" -> ")
    }
}

/// The directions without a task whose modules are all there.
pub(super) fn directions<'a>(subject: &Subject<'a>) -> Vec<Untrained<'a>> {
    let (plan, table) = (subject.plan, subject.table);
    let sources = distinct(table.tasks.iter().map(|task| task.source.as_str()));
    let targets = distinct(table.tasks.iter().map(|task| task.target.as_str()));
    let all =
        sources.iter().flat_map(|source| targets.iter().map(move |target| (*source, *target)));
    let mut wanted: BTreeSet<(&str, &str)> =
        all.take(MOST_DIRECTIONS).filter(|(source, target)| source != target).collect();
    for task in &table.tasks {
        wanted.remove(&(task.source.as_str(), task.target.as_str()));
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let seams: BTreeSet<[&str; 2]> = plan.tasks.values().filter_map(task_seam).collect();
    let mut ways: Ways<'_, Option<&'a str>> = Ways::new(&plan.model);
    let group = |grouping: &str, language: &str| {
        plan.languages.get(language)?.groups.get(grouping).cloned()
    };
    let mut known = |name: String| plan.modules.get_key_value(&name).map(|(name, _)| name.as_str());
    let spelling = Spelling::new(plan);
    let untrained = |(source, target)| {
        let seam = way_seam(&ways.of(spelling.ends(source, target), &group, &mut known)?)?;
        Some(Untrained { direction: [source, target], seam, met: seams.contains(&seam) })
    };
    wanted.into_iter().filter_map(untrained).collect()
}

fn task_seam(task: &TaskSpec) -> Option<[&str; 2]> {
    seam(&task.encoder, task.bridge.as_ref(), &task.decoder).map(|ends| ends.map(String::as_str))
}

/// None when a module of the way is not there.
fn way_seam<'a>(way: &Way<Option<&'a str>>) -> Option<[&'a str; 2]> {
    let Way { encoder, bridge, decoder, adapters } = way;
    let inside = adapters.iter().flat_map(|(_, inside)| inside);
    if !encoder.iter().chain(bridge).chain(decoder).chain(inside).all(Option::is_some) {
        return None;
    }
    let [last, first] = seam(encoder, bridge.as_ref(), decoder)?;
    Some([(*last)?, (*first)?])
}

/// The last module before the decoder, and the decoder's first stack: the embedding before it does not look at the encoder.
fn seam<'a, M>(encoder: &'a [M], bridge: Option<&'a M>, decoder: &'a [M]) -> Option<[&'a M; 2]> {
    let last = bridge.or(encoder.last())?;
    let first = decoder.get(1).or(decoder.first())?;
    Some([last, first])
}
