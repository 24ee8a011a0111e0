//! The rule of the curriculum -> windows of steps with whole shares: a pure function of the step.
//!
//! A window begins where a rule of weights ends, where a task is introduced, and at every cut of an anneal, whose exponent within
//! a window is that of the window's middle. More than [`MOST_STARTS`] different starts are put off to the next of so many
//! equal parts of the run.

use std::collections::BTreeSet;

use super::shares::{Law, Size, shares, weights};
use crate::ir::experiment::{Anneal, CurriculumRule, Introduction, WeightPiece, WeightRule};
use crate::ir::task::{SHARE_PARTS, Window};
use crate::parts::apportion;

/// Different starts of tasks that are kept to the step.
const MOST_STARTS: usize = 64;

/// What windows are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    /// The rule.
    pub(super) rule: &'a CurriculumRule,
    /// The tasks.
    pub(super) sizes: &'a [Size<'a>],
    /// Steps of the training.
    pub(super) steps: u64,
    /// Lines that a step reads, predicted.
    pub(super) lines_per_step: f64,
}

/// The windows of a run, at least one.
pub(super) fn windows(run: &Run<'_>) -> Vec<Window> {
    let starts = starts(run);
    let spans = pieces(run);
    let mut firsts: BTreeSet<u64> = starts.iter().map(|start| start + 1).collect();
    firsts.insert(1);
    for (piece, [first, last]) in &spans {
        firsts.insert(*first);
        if let WeightRule::Anneal(anneal) = &piece.rule {
            firsts.extend(cuts(anneal, *first, *last));
        }
    }
    let firsts: Vec<u64> = firsts.into_iter().filter(|first| *first <= run.steps).collect();
    let lasts = firsts.iter().skip(1).map(|next| next - 1).chain([run.steps]);
    let mut windows: Vec<Window> = Vec::new();
    for (&first, last) in firsts.iter().zip(lasts) {
        let present: Vec<bool> = starts.iter().map(|start| *start < first).collect();
        let shares = shares(&window_weights(run, &spans, [first, last]), &present);
        if windows.last().is_none_or(|before| before.shares != shares) {
            windows.push(Window { first, shares });
        }
    }
    windows
}

/// The mean share of every task over the run, at least one part.
pub(super) fn means(windows: &[Window], steps: u64) -> Vec<u64> {
    if let [only] = windows {
        return only.shares.clone();
    }
    let mut sums: Vec<u128> = vec![0; windows.first().map_or(0, |window| window.shares.len())];
    let ends = windows.iter().skip(1).map(|window| window.first).chain([steps + 1]);
    for (window, end) in windows.iter().zip(ends) {
        for (sum, share) in sums.iter_mut().zip(&window.shares) {
            *sum += u128::from(*share) * u128::from(end - window.first);
        }
    }
    apportion(&sums, SHARE_PARTS)
}

/// First and last step of every piece.
fn pieces<'a>(run: &Run<'a>) -> Vec<(&'a WeightPiece, [u64; 2])> {
    let mut first = 1;
    let mut found = Vec::new();
    for piece in &run.rule.pieces {
        let last = piece.until.unwrap_or(run.steps).min(run.steps);
        if first <= last {
            found.push((piece, [first, last]));
        }
        first = last + 1;
    }
    found
}

/// Steps of an anneal's way.
fn way(anneal: &Anneal, [first, last]: [u64; 2]) -> u64 {
    let all = last + 1 - first;
    anneal.steps.map_or(all, |steps| steps.min(all)).max(1)
}

/// First steps of an anneal's windows.
fn cuts(anneal: &Anneal, first: u64, last: u64) -> Vec<u64> {
    let way = way(anneal, [first, last]);
    let count = u64::from(anneal.windows.max(1)).min(way);
    // 128 bits: steps times windows.
    let cut = |at: u64| {
        let place = u128::from(way) * u128::from(at) / u128::from(count);
        first + u64::try_from(place).unwrap_or(way)
    };
    (0..=count).map(cut).filter(|step| *step <= last).collect()
}

/// The exponent of an anneal in a window of its piece: that of the window's middle.
#[expect(clippy::cast_precision_loss, reason = "steps are far below 2^53")]
fn exponent(anneal: &Anneal, piece: [u64; 2], [first, last]: [u64; 2]) -> f64 {
    let middle = (first - piece[0]) as f64 + (last - first + 1) as f64 / 2.0;
    let way = way(anneal, piece) as f64;
    let done = (middle / way).min(1.0);
    if anneal.is_exponential {
        anneal.from * libm::pow(anneal.to / anneal.from, done)
    } else {
        anneal.from + (anneal.to - anneal.from) * done
    }
}

/// The weights of all tasks in a window.
#[expect(clippy::cast_precision_loss, reason = "steps are far below 2^53")]
fn window_weights(run: &Run<'_>, spans: &[(&WeightPiece, [u64; 2])], window: [u64; 2]) -> Vec<f64> {
    let within =
        |(_, [first, last]): &&(&WeightPiece, [u64; 2])| (*first..=*last).contains(&window[0]);
    let Some((piece, span)) = spans.iter().find(within) else {
        return vec![1.0; run.sizes.len()];
    };
    let law = match &piece.rule {
        WeightRule::Uniform => Law::Power(0.0),
        WeightRule::Temperature(_) if run.rule.introduce == Introduction::ByWeight => {
            return by_weight(run.rule, run.sizes)
                .into_iter()
                .zip(run.sizes)
                .map(|(root, size)| root * size.factor)
                .collect();
        }
        WeightRule::Temperature(exponent) => Law::Power(*exponent),
        WeightRule::Anneal(anneal) => Law::Power(exponent(anneal, *span, window)),
        WeightRule::UniMax(epochs) => {
            let steps = (span[1] + 1 - span[0]) as f64;
            Law::UniMax { epochs: *epochs, budget: steps * run.lines_per_step }
        }
        WeightRule::Table(table) => Law::Table(table),
    };
    weights(law, run.sizes)
}

/// The roots of the relative weights: a task of relative weight r gets weight `sqrt r` for the last `sqrt r` of the run, so that
/// both together give it r (MAMMOTH's config-config, `corpora_schedule` with weights and curriculum).
fn by_weight(rule: &CurriculumRule, sizes: &[Size<'_>]) -> Vec<f64> {
    let power = match rule.pieces.first().map(|piece| &piece.rule) {
        Some(WeightRule::Temperature(power)) => *power,
        _ => 1.0,
    };
    relative(sizes, power).into_iter().map(libm::sqrt).collect()
}

/// Parts of all lines, to a power; not made to sum to one.
#[expect(clippy::cast_precision_loss, reason = "line counts are far below 2^53")]
fn relative(sizes: &[Size<'_>], power: f64) -> Vec<f64> {
    let all: f64 = sizes.iter().map(|size| size.lines as f64).sum();
    sizes.iter().map(|size| libm::pow(size.lines as f64 / all, power)).collect()
}

/// Steps before each task takes part; the first one takes part at once.
fn starts(run: &Run<'_>) -> Vec<u64> {
    let mut starts: Vec<u64> = match &run.rule.introduce {
        Introduction::AtOnce => return vec![0; run.sizes.len()],
        Introduction::ByWeight => {
            by_weight(run.rule, run.sizes).into_iter().map(|root| late(run.steps, root)).collect()
        }
        Introduction::BySize(power) => {
            let sizes = relative(run.sizes, *power);
            sizes.into_iter().map(|size| late(run.steps, size)).collect()
        }
        Introduction::Given(given) => {
            let key = |size: &Size<'_>| (size.source.to_owned(), size.target.to_owned());
            run.sizes.iter().map(|size| given.get(&key(size)).copied().unwrap_or(0)).collect()
        }
    };
    let least = starts.iter().copied().min().unwrap_or(0);
    for start in &mut starts {
        *start = (*start - least).min(run.steps - 1);
    }
    let different: BTreeSet<u64> = starts.iter().copied().collect();
    if different.len() > MOST_STARTS {
        let part = run.steps.div_ceil(MOST_STARTS as u64);
        for start in &mut starts {
            *start = (start.div_ceil(part) * part).min(run.steps - 1);
        }
    }
    starts
}

/// `steps (1 - weight)`, halves to even; at once above three quarters.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "steps are far below 2^53, and the weight lies between 0 and 1"
)]
fn late(steps: u64, weight: f64) -> u64 {
    if weight > 0.75 {
        return 0;
    }
    libm::rint((steps as f64 * (1.0 - weight)).max(0.0)) as u64
}

#[cfg(test)]
mod tests;
