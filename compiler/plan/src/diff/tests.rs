//! Laws of the difference, tried on every single fact of a plan, and how it reads.

use super::*;
use crate::mutation;
use crate::sample::{self, Sample};

#[test]
fn equal_plans_differ_in_nothing() {
    for plan in [mutation::subject(), sample::plan(&["de", "en"], 1, &[&[0]])] {
        let diff = PlanDiff::new(&plan, &plan.clone());
        assert!(diff.is_empty() && diff.same_mathematics);
        assert_eq!(diff.to_text(), "equal plans\n");
    }
}

#[test]
fn every_fact_is_reported_on_its_side_and_mirrored() {
    let plan = mutation::subject();
    let count = |diff: &PlanDiff, wanted: fn(&What) -> bool| {
        diff.changes.iter().filter(|change| wanted(&change.what)).count()
    };
    for (place, mutant) in mutation::mutants(&plan) {
        let diff = PlanDiff::new(&plan, &mutant);
        assert!(!diff.is_empty(), "{place} is not reported");
        let mathematics = mutation::is_mathematics(&place);
        assert_eq!(diff.same_mathematics, !mathematics, "{place}");
        let told = diff.changes.iter().any(|change| change.mathematics);
        assert_eq!(told, mathematics, "{place}: {:?}", diff.changes);
        assert_ne!(diff.to_text(), "equal plans\n");
        let back = PlanDiff::new(&mutant, &plan);
        assert_eq!(diff.changes.len(), back.changes.len(), "{place}");
        let added = count(&diff, |what| matches!(what, What::Added { .. }));
        let removed = count(&back, |what| matches!(what, What::Removed { .. }));
        assert_eq!(added, removed, "{place}");
    }
}

#[test]
fn other_mapping_is_the_same_mathematics() {
    let before = sample::plan(&["de", "en"], 2, &[&[0, 1]]);
    let after = sample::plan(&["de", "en"], 2, &[&[1], &[0]]);
    let text = PlanDiff::new(&before, &after).to_text();
    assert!(text.starts_with("same mathematics\n"), "{text}");
    for part in [
        "  lanes\n    ~ 0: rank 0 -> 1\n",
        "  modules\n    ~ decoder.0.lang.en: ranks [0] -> [1]\n",
        "    + world: 2 modules, 3 874 elements\n",
        "    ~ t.de-en: validated by rank [0] -> [1]\n",
        "    ~ number of ranks 1 -> 2\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    assert!(!text.contains("\nmathematics\n"), "{text}");
}

#[test]
fn tasks_modules_and_training_read_well() {
    let before = Sample::new(&["de", "en"], 2, &[&[0], &[1]]);
    let mut after = Sample::new(&["de", "en", "fr"], 2, &[&[0], &[1]]);
    after.model.encoder[1].layers = 3;
    after.training.steps = 30;
    let text = PlanDiff::new(&before.plan(), &after.plan()).to_text();
    for part in [
        "different mathematics\n\nmathematics\n  languages\n    + fr: g\n",
        "    + t.de-fr: share 16.7 %, 1 000 lines\n",
        "    ~ t.de-en: share 50.0 % -> 16.7 %\n",
        "    ~ encoder.1.full: kind encoder stack of 1 layers and a norm -> encoder stack of 3 layers and a norm\n",
        "    ~ encoder.1.full: parameters 2 256 -> 6 704\n",
        "    ~ encoder [1 x SRC_LANGUAGE, 1 x FULL] -> [1 x SRC_LANGUAGE, 3 x FULL]\n",
        "    ~ steps 20 -> 30\n",
        "\noutside the mathematics\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn many_alike_are_counted() {
    let names: Vec<String> = (0..8).map(|at| format!("l{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let before = sample::plan(&names, 1, &[&[0]]);
    let mut after = before.clone();
    after.tasks.values_mut().for_each(|task| task.corpus.train.lines += 1);
    let text = PlanDiff::new(&before, &after).to_text();
    assert!(text.contains("    ... and 36 more: `train.lines` changed\n"), "{text}");
}

#[test]
fn machines_read_plain_numbers() {
    let before = sample::plan(&["de", "en"], 1, &[&[0]]);
    let mut after = before.clone();
    after.tasks.get_mut("t.de-en").expect("a task").share += 1;
    let diff = PlanDiff::new(&before, &after);
    assert_eq!(
        serde_json::to_value(&diff.changes).expect("JSON"),
        serde_json::json!([{
            "subject": "task", "name": "t.de-en", "mathematics": true,
            "change": "changed", "field": "share", "before": 500_000_000, "after": 500_000_001,
        }])
    );
    assert!(diff.to_text().contains("share 500 000 000 -> 500 000 001"), "{}", diff.to_text());
}
