//! A plan with one fact changed, for every fact: what the laws of digest and difference are tried on.

use serde_json::Value;

use crate::attachment::{AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, StackSide};
use crate::competence::{Competence, Difficulty, Growth};
use crate::curriculum::Synchronised;
use crate::model::{Normalisation, Sharing, StackOverride, StackPattern};
use crate::plan::{BadLines, FoundSpec, PlacementSpec, Plan};
use crate::sample::{self, Sample};
use crate::scores::{Measure, ScoresSpec};
use crate::training::{Criterion, LrScale, OnNan, Optimizer, StopEarly};
use crate::transform::{Denoise, MaskUnit, Objective, Replace, Sampling, Transform};

/// A plan with every kind of fact in it.
pub(crate) fn subject() -> Plan {
    let mut sample = Sample::new(&["cs", "de", "en"], 4, &[&[0, 1], &[2], &[3]]);
    sample.model.embeddings.tie_output = false;
    sample.model.overrides = vec![StackOverride {
        pairs: vec![["cs".to_owned(), "de".to_owned()], ["cs".to_owned(), "en".to_owned()]],
        encoder: Some(vec![StackPattern { layers: 2, sharing: Sharing::Pair }]),
        decoder: None,
    }];
    sample.transforms.push(Transform::Prefix {
        source: vec!["<pad>".to_owned()],
        target: vec!["<pad>".to_owned()],
    });
    sample.transforms.push(Transform::Denoise(Denoise {
        objective: Objective::Bart,
        ratio: 0.3,
        unit: MaskUnit::SpanPoisson(3.5),
        replace: Replace::One,
        random: 0.1,
        insert: 0.0,
        rotate: 0.0,
        permute: 1.0,
    }));
    let joint = sample.vocabularies.get_mut("joint").expect("the sample's vocabulary");
    joint.mask = Some(99);
    joint.sampling = Some(Sampling { nbest: Some(5), alpha: 0.1 });
    sample.model.bridge = Some(BridgeSpec {
        layers: vec![BridgeLayer::Lin],
        hidden: 24,
        fixed: 5,
        normalisation: Some(Normalisation::LayerNorm),
        sharing: Sharing::Full,
    });
    sample.model.adapters = vec![AdapterSpec {
        name: "a".to_owned(),
        side: StackSide::Encoder,
        stack: 0,
        layers: vec![0],
        kind: AdapterKind::Lora { rank: 2, alpha: 4.5, on: LoraPlace::FeedForward },
        sharing: Sharing::TargetLanguage,
    }];
    sample.training.scores =
        Some(ScoresSpec { measures: vec![Measure::Bleu], beam: 4, sentences: Some(9) });
    train_broadly(&mut sample);
    read_broadly(&mut sample);
    let mut plan = sample.plan();
    plan.curriculum = sample::two_windows(&plan);
    plan.curriculum.competence = Some(Competence {
        growth: Growth::Sqrt,
        initial: 10_000_000,
        steps: 10,
        difficulty: Difficulty::Length,
    });
    plan.synchronised = Some(Synchronised { independent: 2, aligned: 1 });
    plan.experiment.about = vec!["one".to_owned(), "two".to_owned()];
    let found = |cost| FoundSpec { cost, bound: cost, algorithm: "exact".to_owned() };
    plan.placement = PlacementSpec { lanes: Some(found(7)), ranks: Some(found(8)) };
    plan.cluster.slurm.insert("account".to_owned(), "project".to_owned());
    plan
}

/// What the plain corpora lack.
fn read_broadly(sample: &mut Sample) {
    for corpus in &mut sample.corpora {
        corpus.test = sample::corpus("x", "y", 10).valid;
        corpus.train = sample::in_columns(&corpus.train, [4, 2]);
        corpus.valid = corpus.valid.as_ref().map(|files| sample::in_columns(files, [4, 2]));
        corpus.bad_lines = BadLines::Fatal;
    }
}

/// What the plain training lacks.
fn train_broadly(sample: &mut Sample) {
    sample.training.stop_early = Some(StopEarly { patience: 3, on: Criterion::Loss });
    sample.training.average = Some(2);
    sample.training.ema = Some(0.999);
    sample.training.lr_scale = LrScale::Sqrt;
    sample.training.on_nan = OnNan::Skip { most: 10 };
    let own = Optimizer::Sgd { lr: 0.5, momentum: 0.9, weight_decay: 0.1 };
    sample.optimizers.insert("encoder.1.full".to_owned(), own);
}

/// Whether trained parameters depend on the fact at a place such as `/tasks/t.de-en/share`.
pub(crate) fn is_mathematics(place: &str) -> bool {
    let parts: Vec<&str> = place.split('/').skip(1).collect();
    match parts.as_slice() {
        ["experiment", field, ..] => *field == "seed",
        ["vocabularies", _, field, ..] => *field != "file",
        ["tasks", _, "corpus", part, ..] => *part == "train",
        [
            "languages" | "vocabularies" | "model" | "modules" | "tasks" | "lanes" | "curriculum",
            ..,
        ] => true,
        ["training", field, ..] => !matches!(
            *field,
            "validate_every"
                | "scores"
                | "stop_early"
                | "best"
                | "checkpoint"
                | "on_nan"
                | "average"
        ),
        // The subject has dropout, whose masks are the device's.
        ["cluster", field] => *field == "device",
        _ => false,
    }
}

/// Words that stand in a plan for choices: an unknown word there makes no plan.
const CHOICES: [&str; 41] = [
    "relu",
    "gelu",
    "pre",
    "post",
    "none",
    "sinusoidal",
    "fp32",
    "fp64",
    "tokens",
    "lanes",
    "cpu",
    "gpu",
    "huggingface",
    "full",
    "task",
    "linear",
    "encoder_stack",
    "head",
    "independent",
    "layer_norm",
    "rms",
    "every_stack",
    "last_stack",
    "xavier",
    "torch",
    "steps",
    "updates",
    "global",
    "module",
    "loss",
    "accuracy",
    "chrf",
    "bart",
    "mass",
    "nothing",
    "one",
    "attention",
    "decoder",
    "simple",
    "denoise",
    "rarity",
];

/// Every plan that differs from this one in one fact, with the fact's place: numbers changed, texts changed, entries of maps
/// and lists left out.
pub(crate) fn mutants(plan: &Plan) -> Vec<(String, Plan)> {
    let whole = serde_json::to_value(plan).expect("a plan is JSON");
    let mut places = Vec::new();
    collect(&whole, &mut String::new(), &mut places);
    let mut mutants = Vec::new();
    for place in places {
        for spoilt in spoilt(&whole, &place) {
            if let Ok(mutant) = serde_json::from_value::<Plan>(spoilt)
                && mutant != *plan
            {
                mutants.push((place.clone(), mutant));
                break;
            }
        }
    }
    mutants
}

/// All places below a value, as JSON pointers.
fn collect(value: &Value, place: &mut String, places: &mut Vec<String>) {
    let length = place.len();
    let mut enter = |key: &str, value: &Value| {
        place.push('/');
        place.push_str(key);
        places.push(place.clone());
        collect(value, place, places);
        place.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| enter(key, value)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| enter(&at.to_string(), value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The whole with other values at a place, the first that makes a plan is taken: first another leaf, else the entry left out.
fn spoilt(whole: &Value, place: &str) -> Vec<Value> {
    let with = |leaf: Value| {
        let mut spoilt = whole.clone();
        *spoilt.pointer_mut(place)? = leaf;
        Some(spoilt)
    };
    let leaves: Vec<Value> = match whole.pointer(place) {
        Some(Value::Number(number)) => match number.as_u64() {
            Some(whole) => vec![(whole ^ 1).into()],
            None => vec![(number.as_f64().unwrap_or(0.0) * 1.5 + 0.25).into()],
        },
        Some(Value::Bool(truth)) => vec![(!truth).into()],
        Some(Value::String(text)) => {
            let other = CHOICES.iter().filter(|word| *word != text).map(|word| (*word).into());
            std::iter::once(format!("{text}x").into()).chain(other).collect()
        }
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => Vec::new(),
    };
    let without = |(parent, key): (&str, &str)| {
        let mut spoilt = whole.clone();
        match spoilt.pointer_mut(parent)? {
            Value::Object(map) => drop(map.remove(key)?),
            Value::Array(list) => drop(list.remove(key.parse().ok()?)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Some(spoilt)
    };
    let removed = place.rsplit_once('/').and_then(without);
    leaves.into_iter().filter_map(with).chain(removed).collect()
}

#[test]
fn nearly_every_fact_has_a_mutant() {
    let plan = subject();
    let whole = serde_json::to_value(&plan).expect("a plan is JSON");
    let mut places = Vec::new();
    collect(&whole, &mut String::new(), &mut places);
    let mutated: Vec<String> = mutants(&plan).into_iter().map(|(place, _)| place).collect();
    places.retain(|place| {
        let value = whole.pointer(place);
        value.is_some_and(|value| !value.is_object() && !value.is_array())
            && !mutated.contains(place)
    });
    // Choices with one possible value, and kinds whose other values have other fields.
    places.retain(|place| !place.ends_with("/kind"));
    assert_eq!(places, Vec::<String>::new());
}
