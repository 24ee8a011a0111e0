//! A device is nearly full.

use super::{Found, Lint, Subject, counted, listed, warning};

/// Part of a device's memory, in percent, that a plan may fill: allocators and libraries take some for themselves.
const MOST_PERCENT: u128 = 90;

pub(super) const LINT: Lint = warning("mmc::lint::memory_tight", "a device is nearly full", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let device = u128::from(subject.plan.cluster.device_memory);
    let full = subject.plan.ranks.iter().enumerate().filter_map(|(number, rank)| {
        let needed = rank.estimate.state_bytes.saturating_add(rank.estimate.activation_bytes);
        let percent = u128::from(needed) * 100 / device.max(1);
        (percent > MOST_PERCENT).then_some((percent, number.to_string()))
    });
    let full: Vec<(u128, String)> = full.collect();
    let Some(most) = full.iter().map(|(percent, _)| *percent).max() else { return Vec::new() };
    let names: Vec<&str> = full.iter().map(|(_, name)| name.as_str()).collect();
    vec![Found {
        message: format!(
            "memory of {} filled to {most} %: {}",
            counted(names.len(), "rank"),
            listed(&names)
        ),
        label: "of this cluster",
        span: subject.experiment.cluster.span,
        help: "fragmentation and communication need some memory too: lower `batch`, share more, or use more devices".into(),
    }]
}
