//! Curricula and schedules: draws against shares, whatever the mapping; expected bytes against counted ones.

#![expect(clippy::unwrap_used, clippy::cast_precision_loss, reason = "tests: counts are small")]

use std::collections::BTreeMap;
use std::fs;

use mmc_core::index::{CorpusIndex, Indexed};
use mmc_core::{Options, compile};
use mmc_plan::{Coupling, Plan};

use crate::support::world::TestWorld;
use crate::support::{planned, root};

/// Twelve directions of four languages.
fn plan_with(lanes: u32, ranks: u32, curriculum: &str) -> Plan {
    let text = format!(
        "import \"whole.mmc\"\n\
         training {{ steps = 300k  lanes = {lanes} }}\n\
         cluster {{ ranks = {ranks}  cpu {{ memory = 64 GiB }} }}\n\
         curriculum {{ {curriculum} }}\n\
         lint {{ allow = [mmc::lint::corpus_worn_out] }}"
    );
    let world = TestWorld::with_main(&root().join("tests/ui"), &text);
    let outcome = planned(&world, "main.mmc", &[]);
    outcome.plan.unwrap_or_else(|| {
        let messages: Vec<String> = outcome.findings.iter().map(ToString::to_string).collect();
        unreachable!("no plan: {messages:?}")
    })
}

const COURSE: &str = "weight = [table({ cs -> all = 8, (all - cs) -> cs = 4, (all - cs) -> (all - cs) = 1 }, until = 100k steps), uniform]
     introduce = { de -> fr = at(200k steps) }";

/// Pearson's statistic of counts against probabilities, and its degrees of freedom.
fn chi_square(counts: &BTreeMap<String, f64>, wanted: &BTreeMap<String, f64>) -> (f64, f64) {
    let draws: f64 = counts.values().sum();
    let (mut statistic, mut classes) = (0.0, 0.0);
    for (name, probability) in wanted {
        let found = counts.get(name).copied().unwrap_or(0.0);
        let expected = draws * probability;
        if expected == 0.0 {
            assert!(found == 0.0, "{name} has no share and was drawn");
            continue;
        }
        statistic += (found - expected).powi(2) / expected;
        classes += 1.0;
    }
    (statistic, classes - 1.0)
}

/// Far out in the tail: mean and five standard deviations of the statistic.
fn limit(freedom: f64) -> f64 {
    freedom + 5.0 * (2.0 * freedom).sqrt()
}

#[test]
fn draws_follow_the_shares_of_every_window_under_every_mapping() {
    for schedule in ["independent", "aligned"] {
        let curriculum = format!("{COURSE}  schedule = {schedule}");
        let one = plan_with(4, 1, &curriculum);
        for ranks in [2, 4] {
            let other = plan_with(4, ranks, &curriculum);
            assert_eq!(one.digest, other.digest, "{ranks} ranks");
            assert_eq!(one.curriculum, other.curriculum);
        }
        assert_eq!(one.windows().len(), 3, "{:?}", one.windows());
        for (window, [first, last]) in one.windows().into_iter().enumerate() {
            assert_eq!(last - first + 1, 100_000);
            let mut of_all: BTreeMap<String, f64> = BTreeMap::new();
            for lane in 0..4 {
                let mut counts: BTreeMap<String, f64> = BTreeMap::new();
                for step in first..=last {
                    *counts.entry(one.task_at(step, lane).unwrap().to_owned()).or_default() += 1.0;
                }
                let of_lane = &one.lanes[lane as usize].tasks;
                let parts =
                    |name: &String| f64::from(one.parts_in(window, lane as usize, name)) / 1e6;
                let wanted = of_lane.keys().map(|name| (name.clone(), parts(name))).collect();
                let (statistic, freedom) = chi_square(&counts, &wanted);
                assert!(
                    statistic <= limit(freedom.max(1.0)),
                    "{schedule} {window} {lane}: {statistic} of {freedom}"
                );
                for (name, count) in counts {
                    *of_all.entry(name).or_default() += count;
                }
            }
            let share = |name: &String| one.share_in(window, name) as f64 / 1e9;
            let wanted = one.tasks.keys().map(|name| (name.clone(), share(name))).collect();
            let (statistic, freedom) = chi_square(&of_all, &wanted);
            // Aligned lanes are not independent of each other: four alike count as one.
            let inflation = if schedule == "aligned" { 4.0 } else { 1.0 };
            assert!(statistic <= inflation * limit(freedom), "{schedule} {window}: {statistic}");
        }
    }
}

/// The probability of a task on a lane is the number of points that lead to it: counted over all points, it is its parts.
#[test]
fn aligned_lanes_have_the_marginals_of_independent_ones_exactly() {
    let curriculum = |schedule: &str| format!("{COURSE}  split = into(2)  schedule = {schedule}");
    let independent = plan_with(4, 2, &curriculum("independent"));
    let aligned = plan_with(4, 2, &curriculum("aligned"));
    assert_eq!(independent.lanes, aligned.lanes);
    assert_eq!(independent.curriculum.shares, aligned.curriculum.shares);
    assert_eq!(independent.curriculum.lanes, aligned.curriculum.lanes);
    assert_ne!(independent.digest, aligned.digest);
    for window in 0..aligned.curriculum.window_count() {
        for lane in 0..4 {
            let mut order = aligned.order_of(lane);
            let points: u32 = order.iter().map(|name| aligned.parts_in(window, lane, name)).sum();
            assert_eq!(points, 1_000_000);
            order.sort_unstable();
            assert!(order.into_iter().eq(aligned.lanes[lane].tasks.keys()));
        }
    }
}

/// A rank that begins at a step of its own, from the plan's text, draws what one that ran from the start draws.
#[test]
fn the_stream_of_tasks_is_a_function_of_the_step() {
    let plan = plan_with(4, 2, &format!("{COURSE}  schedule = aligned"));
    let tasks = |plan: &Plan, from: u64| -> Vec<String> {
        (from..100_500)
            .flat_map(|step| (0..4).map(move |lane| (step, lane)))
            .map(|(step, lane)| plan.task_at(step, lane).unwrap().to_owned())
            .collect()
    };
    let again = Plan::from_yaml(&plan.to_yaml()).unwrap();
    let whole = tasks(&plan, 99_000);
    assert_eq!(whole[(99_500 - 99_000) * 4..], tasks(&again, 99_500));
}

fn eu37(schedule: &str) -> Plan {
    let text = fs::read_to_string(root().join("examples/eu37.mmc")).unwrap();
    assert!(text.contains("schedule = aligned"));
    let text = text.replace("schedule = aligned", &format!("schedule = {schedule}"));
    let sources = TestWorld::with_main(&root(), &text);
    let index = fs::read_to_string(root().join("golden/eu37/index.yaml")).unwrap();
    let index = CorpusIndex::from_yaml(&index).unwrap();
    let world = Indexed { sources: &sources, index: &index };
    compile("main.mmc", &[], &world, &Options::default()).plan.unwrap()
}

/// Bytes of gradients that a step sums, the mean over some steps.
fn counted(plan: &Plan, steps: u64) -> f64 {
    let mut elements = 0;
    for step in 1..=steps {
        let trained = plan.trained_in(step);
        let modules = plan.communicators.iter().flat_map(|spec| &spec.modules);
        let summed = modules.filter(|name| trained.contains(name.as_str()));
        elements +=
            summed.filter_map(|name| Some(plan.modules.get(name)?.parameters + 1)).sum::<u64>();
    }
    elements as f64 * 8.0 / steps as f64
}

#[test]
fn aligned_lanes_save_a_third_where_several_devices_hold_a_decoder() {
    let (independent, aligned) = (eu37("independent"), eu37("aligned"));
    assert_eq!(independent.lanes, aligned.lanes);
    let told = aligned.synchronised.unwrap();
    assert!(told.aligned * 10 <= told.independent * 7, "{told:?}");
    let close = |found: f64, expected: u64| (found / expected as f64 - 1.0).abs() < 0.02;
    let (one, other) = (counted(&independent, 2_000), counted(&aligned, 2_000));
    let forecast = independent.synchronised.unwrap();
    assert!(close(one, forecast.independent) && close(one, told.independent), "{one} {told:?}");
    assert!(close(other, told.aligned), "{other} {told:?}");
    assert_eq!(aligned.curriculum.schedule, Coupling::Aligned);
}
