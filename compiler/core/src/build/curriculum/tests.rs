//! Windows of rules against numbers made by hand.
#![expect(clippy::cast_precision_loss, reason = "shares are far below 2^53")]

use std::collections::BTreeMap;

use super::*;

fn size(target: &str, lines: u64) -> Size<'_> {
    Size { source: "a", target, lines, factor: 1.0 }
}

fn rule(pieces: Vec<(WeightRule, Option<u64>)>, introduce: Introduction) -> CurriculumRule {
    let piece =
        |(rule, until)| WeightPiece { rule, until, span: mmc_syntax::source::Span::default() };
    CurriculumRule {
        pieces: pieces.into_iter().map(piece).collect(),
        introduce,
        split: SHARE_PARTS,
        team: 1,
        schedule: mmc_plan::Coupling::Independent,
        competence: None,
        line_tokens: 25,
    }
}

fn made(rule: &CurriculumRule, lines: &[u64], steps: u64) -> Vec<Window> {
    let names = ["b", "c", "d", "e", "f", "g", "h", "i"];
    let sizes: Vec<Size<'_>> =
        lines.iter().zip(names).map(|(lines, name)| size(name, *lines)).collect();
    windows(&Run { rule, sizes: &sizes, steps, lines_per_step: 100.0 })
}

/// Equal but for the part that every task has at least.
fn near(found: &[u64], expected: &[u64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 2), "{found:?}");
}

/// Shares in thousandths.
fn thousandths(window: &Window) -> Vec<u64> {
    window.shares.iter().map(|share| (share + 500_000) / 1_000_000).collect()
}

#[test]
fn one_rule_is_one_window() {
    let windows =
        made(&rule(vec![(WeightRule::Temperature(1.0), None)], Introduction::AtOnce), &[3, 1], 10);
    assert_eq!((windows.len(), windows[0].first), (1, 1));
    near(&windows[0].shares, &[750_000_000, 250_000_000]);
}

#[test]
fn rules_follow_each_other() {
    let pieces = vec![(WeightRule::Temperature(1.0), Some(4)), (WeightRule::Uniform, None)];
    let windows = made(&rule(pieces, Introduction::AtOnce), &[300, 100], 10);
    let firsts: Vec<u64> = windows.iter().map(|window| window.first).collect();
    assert_eq!(firsts, vec![1, 5]);
    assert_eq!(thousandths(&windows[0]), vec![750, 250]);
    assert_eq!(thousandths(&windows[1]), vec![500, 500]);
    // 4 steps of 750 and 6 of 500.
    near(&means(&windows, 10), &[600_000_000, 400_000_000]);
}

#[test]
fn anneals_take_the_middle_of_each_window() {
    let anneal = |is_exponential, steps| {
        let anneal = Anneal { from: 1.0, to: 0.25, is_exponential, steps, windows: 4 };
        made(
            &rule(vec![(WeightRule::Anneal(anneal), None)], Introduction::AtOnce),
            &[10_000, 1],
            16,
        )
    };
    let exponents = |windows: &[Window]| -> Vec<f64> {
        let ratio = |window: &Window| window.shares[0] as f64 / window.shares[1] as f64;
        windows.iter().map(|window| libm::log10(ratio(window)) / 4.0).collect()
    };
    let near = |found: &[f64], expected: &[f64]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-4, "{found:?} for {expected:?}");
        }
    };
    let linear = anneal(false, None);
    assert_eq!(linear.iter().map(|w| w.first).collect::<Vec<_>>(), vec![1, 5, 9, 13]);
    // Middles at an eighth, three eighths ... of the way from 1 to 0.25.
    near(&exponents(&linear), &[0.906_25, 0.718_75, 0.531_25, 0.343_75]);
    // Half of the run, then the end's exponent; a quarter of the way multiplies by 0.25^(1/4).
    let fast = anneal(true, Some(8));
    assert_eq!(fast.iter().map(|w| w.first).collect::<Vec<_>>(), vec![1, 3, 5, 7, 9]);
    let half = |eighths: f64| libm::pow(0.25, eighths / 8.0);
    near(&exponents(&fast), &[half(1.0), half(3.0), half(5.0), half(7.0), 0.25]);
}

#[test]
fn tasks_are_introduced_where_they_are_told() {
    let starts = BTreeMap::from([
        (("a".to_owned(), "b".to_owned()), 2),
        (("a".to_owned(), "c".to_owned()), 6),
        (("a".to_owned(), "d".to_owned()), 2),
    ]);
    let rule = rule(vec![(WeightRule::Uniform, None)], Introduction::Given(starts));
    // Nobody starts at once, so everybody starts two steps earlier.
    let windows = made(&rule, &[5, 5, 5], 10);
    assert_eq!(windows.iter().map(|w| w.first).collect::<Vec<_>>(), vec![1, 5]);
    assert_eq!(thousandths(&windows[0]), vec![500, 0, 500]);
    assert_eq!(thousandths(&windows[1]), vec![333, 333, 333]);
    assert_eq!(windows[0].shares[1], 0);
}

/// `../shared/peer/mammoth_behaviour.md` 1.2 by hand: lines 900, 90, 10 of 1000, temperature 1, 1000 steps. Roots of the relative
/// weights: 0.948683, 0.3, 0.1. The first is above 0.75 and starts at once; the others after 1000 (1 - root) steps.
#[test]
fn by_weight_is_mammoths() {
    let rule = rule(vec![(WeightRule::Temperature(1.0), None)], Introduction::ByWeight);
    let windows = made(&rule, &[900, 90, 10], 1000);
    assert_eq!(windows.iter().map(|w| w.first).collect::<Vec<_>>(), vec![1, 701, 901]);
    assert_eq!(thousandths(&windows[0]), vec![1000, 0, 0]);
    // 0.948683 : 0.3 is 0.759743 : 0.240257.
    assert_eq!(thousandths(&windows[1]), vec![760, 240, 0]);
    // 0.948683 + 0.3 + 0.1 = 1.348683.
    assert_eq!(thousandths(&windows[2]), vec![703, 222, 74]);
}

/// `../shared/peer/mammoth_cases/p12_weight_and_curriculum`: temperature 0.3, 40 000 steps, each pair in both directions.
#[test]
fn by_weight_gives_the_peers_steps() {
    let lines = [277, 252, 167, 121, 56, 37, 34, 26, 25, 20];
    let sizes: Vec<Size<'_>> =
        lines.iter().flat_map(|&lines| ["t", "u"].map(|name| size(name, lines))).collect();
    let rule = rule(vec![(WeightRule::Temperature(0.3), None)], Introduction::ByWeight);
    let windows = windows(&Run { rule: &rule, sizes: &sizes, steps: 40_000, lines_per_step: 1.0 });
    let starts: Vec<u64> = windows.iter().map(|window| window.first - 1).collect();
    assert_eq!(starts, vec![0, 418, 2168, 3466, 6326, 7733, 8009, 8863, 8985, 9666]);
    // Weights 0.741733 of en-et and 0.500069 of de-fi.
    let last = &windows[9].shares;
    assert!((last[0] as f64 / last[18] as f64 - 0.741_732_9 / 0.500_069_2).abs() < 1e-6);
}

/// `../shared/peer/mammoth_cases/p13_curriculum_dominant_pair`: lines 900, 30, 60 (and an empty corpus, which we refuse), temperature
/// 1, 50 000 steps: introduced at 0, 48485 and 46970, with equal weights.
#[test]
fn by_size_is_mammoths_curriculum_without_weights() {
    let rule = rule(vec![(WeightRule::Uniform, None)], Introduction::BySize(1.0));
    let windows = made(&rule, &[900, 30, 60], 50_000);
    assert_eq!(windows.iter().map(|w| w.first).collect::<Vec<_>>(), vec![1, 46_971, 48_486]);
    assert_eq!(thousandths(&windows[1]), vec![500, 0, 500]);
    assert_eq!(thousandths(&windows[2]), vec![333, 333, 333]);
}

/// Nobody is above 0.75: the largest, introduced after 1000 (1 - sqrt 0.5) = 293 steps, starts at once and the others 293 earlier.
#[test]
fn by_weight_begins_with_the_first() {
    let rule = rule(vec![(WeightRule::Temperature(1.0), None)], Introduction::ByWeight);
    let windows = made(&rule, &[500, 250, 250], 1000);
    // 1000 (1 - 0.5) - 293 = 207.
    assert_eq!(windows.iter().map(|w| w.first).collect::<Vec<_>>(), vec![1, 208]);
}

#[test]
fn unimax_knows_the_budget() {
    let rule = rule(vec![(WeightRule::UniMax(2.0), None)], Introduction::AtOnce);
    // 100 lines a step, 2 steps: 20 for the text of 10 lines, 90 for each of the others.
    let windows = made(&rule, &[1000, 10, 500], 2);
    near(&windows[0].shares, &[450_000_000, 100_000_000, 450_000_000]);
}

#[test]
fn many_starts_are_put_off_to_parts_of_the_run() {
    let names: Vec<String> = (0..100).map(|at| format!("t{at:02}")).collect();
    let starts = names.iter().enumerate();
    let starts = starts.map(|(at, name)| (("a".to_owned(), name.clone()), at as u64 * 7)).collect();
    let rule = rule(vec![(WeightRule::Uniform, None)], Introduction::Given(starts));
    let sizes: Vec<Size<'_>> = names.iter().map(|name| size(name, 1)).collect();
    let windows = windows(&Run { rule: &rule, sizes: &sizes, steps: 1000, lines_per_step: 1.0 });
    assert!(windows.len() <= MOST_STARTS + 1, "{}", windows.len());
    // 1000 steps in 64 parts: 16 steps each; the task of step 7 comes after 16.
    assert_eq!(windows[1].first, 17);
    assert_eq!(
        windows.last().map(|window| window.shares.iter().filter(|s| **s > 0).count()),
        Some(100)
    );
    for window in &windows {
        assert_eq!(window.shares.iter().sum::<u64>(), SHARE_PARTS);
    }
}
