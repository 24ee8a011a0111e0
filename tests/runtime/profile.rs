//! Traces of a step.

use std::collections::BTreeMap;
use std::fs;

use mmc_plan::{Event, Precision};
use serde_json::Value;

use super::workplace::{Workplace, start, train};

/// Every rank writes what it computed in the step; training is what it is without.
#[test]
fn each_rank_records_a_step() {
    let place = Workplace::new();
    let sample = |output| {
        let mut sample = place.sample(&[&[0, 1], &[2, 3]], Precision::Fp32, output);
        sample.training.steps = 3;
        place.write_plan(&format!("{output}.yaml"), &sample)
    };
    let steps = |events: Vec<Event>| -> Vec<(u64, BTreeMap<String, f64>, Option<f64>)> {
        let of_step = |event| {
            let Event::Step { step, losses, norm, .. } = event else { return None };
            Some((step, losses, norm))
        };
        events.into_iter().filter_map(of_step).collect()
    };
    let recorded = steps(train(&sample("recorded"), 2, &["--profile", "2"]));
    assert_eq!(recorded, steps(train(&sample("plain"), 2, &[])));
    for rank in 0..2 {
        let path = place.path(&format!("recorded/profile/rank-{rank}.json"));
        let trace: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let products = events.iter().filter(|event| event["name"] == "aten::mm");
        assert!(products.count() > 8, "rank {rank}");
    }
    assert!(!place.path("plain/profile").exists());
}

#[test]
fn a_step_that_is_not_run_is_not_recorded_in_silence() {
    let place = Workplace::new();
    let mut sample = place.sample(&[&[0, 1, 2, 3]], Precision::Fp32, "run");
    sample.training.steps = 2;
    let plan = place.write_plan("plan.yaml", &sample);
    let ends = start(&plan, 1, &["--profile", "3"]).wait();
    let words = String::from_utf8_lossy(&ends[0].stderr);
    assert!(words.contains("step 3 is to be recorded, and 0 of 2 steps are done"), "{words}");
}
