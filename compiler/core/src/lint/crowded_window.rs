//! For some steps there are fewer tasks than lanes.
//!
//! No lane is ever idle: placement gives each of them parts of what there is. Where that is less than one task a lane, the
//! ranks of all these lanes hold and synchronise modules that they need for those steps alone.

use super::{Found, Lint, Subject, counted, note};

pub(super) const LINT: Lint =
    note("mmc::lint::crowded_window", "for some steps there are fewer tasks than lanes", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let (plan, lanes) = (subject.plan, subject.plan.lanes.len());
    if plan.tasks.len() < lanes {
        return Vec::new();
    }
    let steps = plan.training.steps;
    let ends = subject.table.windows.iter().skip(1).map(|window| window.first - 1).chain([steps]);
    let present = |shares: &[u64]| shares.iter().filter(|share| **share > 0).count();
    let mut crowded = subject
        .table
        .windows
        .iter()
        .zip(ends)
        .map(|(window, last)| (window.first, last, present(&window.shares)))
        .filter(|(.., tasks)| *tasks < lanes);
    let Some((first, last, tasks)) = crowded.next() else { return Vec::new() };
    let last = crowded.last().map_or(last, |(_, last, _)| last);
    vec![Found {
        message: format!(
            "from step {first} on {} for {lanes} lanes, and not before step {} one for each",
            counted(tasks, "task"),
            last + 1
        ),
        label: "of this curriculum",
        span: subject.experiment.curriculum.span,
        help: "several lanes read parts of one task till then, and hold its modules to the end: introduce more tasks at the start, or train with fewer lanes".into(),
    }]
}
