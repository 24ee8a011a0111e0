//! Scores of validation: what `translate` and the metrics say of the checkpoint of that step, on any mapping, and nothing that
//! training would notice.

use std::collections::BTreeMap;
use std::fs;

use mmc_plan::{
    CheckpointSpec, Criterion, Event, Measure, Plan, Precision, ScoresSpec, StopEarly, Transform,
};
use mmc_text::metrics::{self, BleuOptions, ChrfOptions};

use super::serve::translated;
use super::train::assert_same_checkpoint;
use super::workplace::{LANGUAGES, Workplace, train};

/// Measure -> task -> score.
type Scores = BTreeMap<Measure, BTreeMap<String, f64>>;

/// All directions, told by a token before the source, with dropout, and validation that scores so.
fn plan(place: &Workplace, mapping: &[&[u32]], output: &str, scores: Option<ScoresSpec>) -> Plan {
    let mut sample = place.sample(mapping, Precision::Fp32, output);
    let joint = sample.vocabularies.get_mut("joint").unwrap();
    joint.added.extend(LANGUAGES.map(|language| format!("<to_{language}>")));
    joint.added.sort();
    joint.pad = joint.added_id("<pad>").unwrap();
    sample.training.scores = scores;
    let mut plan = sample.plan();
    for task in plan.tasks.values_mut() {
        let source = vec![format!("<to_{}>", task.target)];
        task.transforms.push(Transform::Prefix { source, target: Vec::new() });
    }
    plan.digest = plan.mathematics_digest();
    plan
}

/// What every validation scored, by its step.
fn told(events: &[Event]) -> BTreeMap<u64, Scores> {
    let of = |event: &Event| {
        let Event::Validated { step, scores, macro_scores, .. } = event else { return None };
        for (measure, of_tasks) in scores {
            let count = f64::from(u32::try_from(of_tasks.len()).unwrap());
            assert_near(macro_scores[measure], of_tasks.values().sum::<f64>() / count);
        }
        Some((*step, scores.clone()))
    };
    events.iter().filter_map(of).collect()
}

/// Equal but for what JSON's digits lose.
#[track_caller]
fn assert_near(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} is not {other}");
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn scores_are_those_of_translations_by_the_checkpoint_on_any_mapping() {
    let place = Workplace::new();
    let measures = vec![Measure::Bleu, Measure::Chrf];
    let scores = || Some(ScoresSpec { measures: measures.clone(), beam: 2, sentences: Some(150) });
    let mappings: [&[&[u32]]; 3] =
        [&[&[0, 1, 2, 3]], &[&[3, 0], &[2, 1]], &[&[0], &[1], &[2], &[3]]];
    // One text has three parts, the others one.
    let plan = |mapping: &[&[u32]], output: &str| {
        let mut plan = plan(&place, mapping, output, scores());
        let corpus = &mut plan.tasks.values_mut().next().unwrap().corpus;
        corpus.valid = Some(corpus.train.clone());
        plan
    };
    let mut found = Vec::new();
    for (at, mapping) in mappings.iter().enumerate() {
        let plan = plan(mapping, &format!("run{at}"));
        let counts = plan.scorers().into_iter().map(|parts| parts.values().flatten().count());
        let counts: Vec<usize> = counts.collect();
        assert!(counts.iter().sum::<usize>() == 8 && !counts.contains(&0), "{counts:?}");
        let path = place.write(&format!("plan{at}.yaml"), &plan);
        found.push(told(&train(&path, u32::try_from(mapping.len()).unwrap(), &[])));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    assert!(found[0].keys().eq([10, 20].iter()));
    let (plan, path) = (plan(mappings[0], "run0"), place.path("plan0.yaml"));
    for (step, scores) in &found[0] {
        let checkpoint = place.path(&format!("run0/checkpoints/step_{step:06}"));
        for (name, task) in &plan.tasks {
            let files = task.corpus.valid.as_ref().unwrap();
            let text = |file: &str| lines(&fs::read_to_string(file).unwrap());
            let (source, mut theirs) = (text(&files.source[0]), text(&files.target[0]));
            let more = ["--beam", "2", "--source", &task.source, "--target", &task.target];
            let mut ours = translated(&path, &checkpoint, &source, &more);
            ours.truncate(150);
            theirs.truncate(150);
            let theirs = [theirs];
            let bleu = metrics::bleu(&ours, &theirs, &BleuOptions::default()).unwrap().score;
            let chrf = metrics::chrf(&ours, &theirs, &ChrfOptions::default()).unwrap().score;
            assert_near(scores[&Measure::Bleu][name], bleu);
            assert_near(scores[&Measure::Chrf][name], chrf);
        }
    }
    let all = found[0].values().flat_map(|scores| scores[&Measure::Chrf].values());
    assert!(all.clone().count() == 12 && all.sum::<f64>() > 0.0, "{found:?}");
}

/// The step of the first validation that no other has a higher chrF than.
fn best_by_chrf(told: &[Event]) -> u64 {
    let means = told.iter().filter_map(|event| {
        let Event::Validated { step, macro_scores, .. } = event else { return None };
        Some((*step, macro_scores[&Measure::Chrf]))
    });
    means.fold((0, f64::NEG_INFINITY), |best, one| if one.1 > best.1 { one } else { best }).0
}

/// Nor that the checkpoint behind the best of them is kept.
#[test]
fn training_does_not_notice_that_validation_scores() {
    let place = Workplace::new();
    let scores = ScoresSpec { measures: vec![Measure::Chrf], beam: 1, sentences: None };
    for (output, scores) in [("scored", Some(scores)), ("plain", None)] {
        let best = scores.as_ref().map(|_| Criterion::Chrf);
        let mut plan = plan(&place, &[&[0, 1, 2, 3]], &format!("{output}.run"), scores);
        (plan.training.validate_every, plan.training.best) = (Some(4), best);
        plan.training.checkpoint = CheckpointSpec { every: None, keep: 1 };
        let told = train(&place.write(output, &plan), 1, &[]);
        let named = fs::read_to_string(place.path(&format!("{output}.run/checkpoints/best")));
        assert_eq!(named.ok(), best.map(|_| format!("step_{:06}\n", best_by_chrf(&told))));
    }
    assert_same_checkpoint(&place.path("scored.run"), &place.path("plain.run"), 20);
}

#[test]
fn early_stopping_goes_by_a_score() {
    let place = Workplace::new();
    let scores = ScoresSpec { measures: vec![Measure::Chrf], beam: 1, sentences: None };
    let mut plan = plan(&place, &[&[0, 1], &[2, 3]], "run", Some(scores));
    plan.training.steps = 40;
    plan.training.validate_every = Some(4);
    plan.training.stop_early = Some(StopEarly { patience: 2, on: Criterion::Chrf });
    plan.training.checkpoint = CheckpointSpec { every: None, keep: 1 };
    plan.digest = plan.mathematics_digest();
    let told = train(&place.write("plan.yaml", &plan), 2, &[]);
    let named = fs::read_to_string(place.path("run/checkpoints/best")).unwrap();
    assert_eq!(named, format!("step_{:06}\n", best_by_chrf(&told)));
}
