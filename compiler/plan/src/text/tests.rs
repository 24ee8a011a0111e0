//! Laws of the text: it reads back as it was, equal plans have equal bytes, and nothing makes the reader panic.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::attachment::{AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, StackSide};
use crate::model::{Activation, ClosingNorm, Normalisation, Positions};
use crate::model::{Sharing, StackOverride, StackPattern};
use crate::plan::BadLines;
use crate::sample::{self, Sample};
use crate::training::{Criterion, OnNan, Optimizer, Schedule, StopEarly};
use crate::transform::{Denoise, MaskUnit, Objective, Replace, Sampling, Transform};

/// Names that YAML 1.1 or 1.2 reads as something else, or that need quotes.
const AWKWARD: [&str; 20] = [
    "no",
    "on",
    "y",
    "1e5",
    "0x1f",
    "12:30",
    "null",
    "~",
    "",
    " a",
    "a ",
    "a: b",
    "a #b",
    "-",
    "2020-01-01",
    "é",
    "<<",
    "a\nb",
    "\u{85}\u{2028}\u{feff}",
    "{x}",
];

/// Values that are of some type of a plan, but absurd.
const ABSURD: [&str; 12] = [
    "18446744073709551615",
    "4294967295",
    "0",
    "-1",
    "1.0e308",
    ".nan",
    "-.inf",
    "",
    "[]",
    "{}",
    "[0]",
    "{parts: 4294967295, lines: [4294967295, 0]}",
];

/// The text read again; it must be what the library alone would write.
fn reread(plan: &Plan) -> Plan {
    let text = plan.to_yaml();
    let mut of_library = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut of_library, plan, write::layout())
        .expect("a string takes all text");
    assert_eq!(text, of_library);
    Plan::from_yaml(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

/// The fault of a text that is no plan, as people see it.
fn fault(text: &str) -> String {
    Plan::from_yaml(text).expect_err("no plan").to_string()
}

#[test]
fn sample_reads_back() {
    let plan = sample::plan(&["de", "en", "no"], 4, &[&[0, 1], &[2, 3]]);
    assert_eq!(reread(&plan), plan);
}

/// Takes nothing.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written piece by piece is the text; a writer's fault is told.
#[test]
fn written_text_is_the_text() {
    let plan = broad().plan();
    let mut written = Vec::new();
    plan.write_yaml(&mut written).expect("a list takes all bytes");
    assert_eq!(String::from_utf8(written).expect("text"), plan.to_yaml());
    let fault = plan.write_yaml(&mut Full).expect_err("nothing can be written");
    assert_eq!(fault.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn every_kind_reads_back() {
    let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
    sample.transforms = vec![
        Transform::Prefix { source: vec!["<to_no>".into(), "no".into()], target: Vec::new() },
        Transform::Prefix { source: Vec::new(), target: vec!["1".into()] },
        Transform::Tokenize,
        Transform::FilterTooLong { source: 0, target: u32::MAX },
    ];
    let sharing = |sharing| StackPattern { layers: 1, sharing };
    sample.model.encoder = vec![
        sharing(Sharing::SourceGroup("groups".into())),
        sharing(Sharing::TargetGroup("no".into())),
        sharing(Sharing::Task),
        sharing(Sharing::Pair),
    ];
    sample.model.overrides = vec![StackOverride {
        pairs: vec![["de".into(), "no".into()], ["en".into(), "de".into()]],
        encoder: None,
        decoder: Some(Vec::new()),
    }];
    sample.model.embeddings.tie_output = false;
    for schedule in [
        Schedule::Constant,
        Schedule::Linear { warmup: 0, floor: 0.0 },
        Schedule::InverseSqrt { warmup: 1 },
    ] {
        sample.training.schedule = schedule;
        let plan = sample.plan();
        assert_eq!(reread(&plan), plan);
    }
}

/// What the plain training lacks.
fn train_broadly(sample: &mut Sample) {
    sample.training.stop_early = Some(StopEarly { patience: 3, on: Criterion::Accuracy });
    sample.training.average = Some(2);
    sample.training.ema = Some(0.999);
    sample.training.on_nan = OnNan::Skip { most: 10 };
    let own = Optimizer::Sgd { lr: 0.5, momentum: 0.9, weight_decay: 0.0 };
    sample.optimizers.insert("encoder.1.full".to_owned(), own);
    for corpus in &mut sample.corpora {
        corpus.train = sample::in_columns(&corpus.train, [3, 1]);
        corpus.bad_lines = BadLines::Fatal;
    }
}

/// A sample with everything of the model, the transforms and the training that the plain one lacks; it verifies.
fn broad() -> Sample {
    let mut sample = Sample::new(&["de", "en"], 2, &[&[0], &[1]]);
    let noise = Denoise {
        objective: Objective::Bart,
        ratio: 0.3,
        unit: MaskUnit::SpanPoisson(3.5),
        replace: Replace::One,
        random: 0.1,
        insert: 0.0,
        rotate: 0.0,
        permute: 1.0,
    };
    sample.transforms = vec![
        Transform::FilterWordRatio { most: 3.0 },
        Transform::FilterRepetitions { most: 2, shortest: 3, longest: 100 },
        Transform::FilterTerminalPunctuation { least: -2.0 },
        Transform::FilterNumerals { least: 0.5 },
        Transform::FilterScript { source: "Latn".into(), target: "Latn".into(), least: 0.5 },
        Transform::Tokenize,
        Transform::Denoise(noise),
        Transform::Denoise(Denoise { unit: MaskUnit::Word, objective: Objective::Mass, ..noise }),
        Transform::Switchout { temperature: 1.0 },
        Transform::TokenDrop { temperature: 1.0 },
        Transform::TokenMask { temperature: 0.5 },
    ];
    let joint = sample.vocabularies.get_mut("joint").expect("the sample's vocabulary");
    joint.added.push("<mask>".to_owned());
    joint.mask = Some(101);
    joint.sampling = Some(Sampling { nbest: Some(5), alpha: 0.1 });
    let model = &mut sample.model;
    model.normalisation = Normalisation::Rms;
    model.closing_norm = ClosingNorm::LastStack;
    model.activation = Activation::Geglu;
    model.positions = Positions::Rotary { dims: 4, base: 10_000 };
    (model.head_dim, model.attention_bias) = (6, false);
    model.encoder.push(StackPattern { layers: 3, sharing: Sharing::None });
    model.bridge = Some(BridgeSpec {
        layers: vec![BridgeLayer::Lin, BridgeLayer::Perceiver, BridgeLayer::FeedForward],
        hidden: 24,
        fixed: 5,
        normalisation: Some(Normalisation::LayerNorm),
        sharing: Sharing::Full,
    });
    let adapter = |name: &str, side, kind, sharing| AdapterSpec {
        name: name.to_owned(),
        side,
        stack: 0,
        layers: vec![0],
        kind,
        sharing,
    };
    let lora = AdapterKind::Lora { rank: 2, alpha: 4.0, on: LoraPlace::FeedForward };
    model.adapters = vec![
        adapter("a", StackSide::Encoder, lora, Sharing::TargetLanguage),
        adapter("b", StackSide::Encoder, AdapterKind::Ff { hidden: 8 }, Sharing::Full),
        adapter("c", StackSide::Decoder, AdapterKind::Houlsby { hidden: 4 }, Sharing::Task),
        adapter("d", StackSide::Decoder, AdapterKind::Prefix { length: 4 }, Sharing::Full),
    ];
    train_broadly(&mut sample);
    sample
}

#[test]
fn everything_verifies_and_reads_back() {
    let sample = broad();
    let plan = sample.plan();
    assert_eq!(crate::verify(&plan), Ok(()));
    assert!(crate::replay(&plan, 5).is_ok());
    assert_eq!(reread(&plan), plan);
    let text = plan.to_yaml();
    for part in [
        "    - switchout:\n        temperature: 1.0\n",
        "        unit:\n          span_poisson: 3.5\n",
        "    bridge: bridge.full\n",
        "corpus/train.de-en.de]\n        columns: [3, 1]\n        lines: ",
        "      encoder.0.lang.de:\n      - adapter.a.lang.en\n      - adapter.b.full\n",
        "  adapter.c.task.de-en:\n    kind: adapter\n    adapter: c\n    parameters: 296\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    let optimizers = [
        Optimizer::Adam { lr: 1.0, beta1: 0.9, beta2: 0.98, eps: 1e-9, weight_decay: 0.0 },
        Optimizer::Adafactor {
            lr: 0.01,
            beta2_decay: -0.8,
            eps1: 1e-30,
            eps2: 1e-3,
            threshold: 1.0,
            weight_decay: 0.0,
        },
        Optimizer::Sgd { lr: 1.0, momentum: 0.9, weight_decay: 0.0 },
        Optimizer::Adagrad { lr: 0.1, initial: 0.0, eps: 1e-10, weight_decay: 0.0 },
    ];
    let schedules = [
        Schedule::Linear { warmup: 3, floor: 0.1 },
        Schedule::Cosine { warmup: 3, floor: 0.0 },
        Schedule::Noam { warmup: 3 },
        Schedule::Rsqrt { warmup: 3 },
        Schedule::Decay { from: 5, every: 2, factor: 0.5 },
    ];
    for (optimizer, schedule) in optimizers.into_iter().cycle().zip(schedules) {
        let mut sample = broad();
        (sample.training.optimizer, sample.training.schedule) = (optimizer, schedule);
        let plan = sample.plan();
        assert_eq!(crate::verify(&plan), Ok(()));
        assert_eq!(reread(&plan), plan);
    }
}

#[test]
fn frozen_modules_are_in_no_communicator() {
    let mut plan = broad().plan();
    plan.modules.get_mut("encoder.1.full").expect("a shared stack").frozen = true;
    plan.digest = plan.mathematics_digest();
    let rules: Vec<crate::Rule> =
        crate::verify(&plan).expect_err("it is in one").iter().map(|v| v.rule).collect();
    assert!(rules.contains(&crate::Rule::Communicator), "{rules:?}");
    assert!(!plan.trained_in(1).contains("encoder.1.full"));
}

#[test]
fn awkward_names_read_back() {
    let mut plan = sample::plan(&["de", "en"], 1, &[&[0]]);
    plan.experiment.about = AWKWARD.map(str::to_owned).to_vec();
    for name in AWKWARD {
        plan.languages.insert(name.to_owned(), crate::plan::LanguageSpec::default());
        plan.cluster.slurm.insert(name.to_owned(), name.to_owned());
        let task = plan.tasks["t.de-en"].clone();
        plan.tasks.insert(name.to_owned(), task);
        let lane = plan.lanes[0].tasks["t.de-en"];
        plan.lanes[0].tasks.insert(name.to_owned(), lane);
    }
    plan.tasks.values_mut().for_each(|task| {
        task.corpus.train.source = AWKWARD.map(str::to_owned).to_vec().into();
        task.transforms =
            vec![Transform::Prefix { source: AWKWARD.map(str::to_owned).to_vec(), target: vec![] }]
                .into();
    });
    assert_eq!(reread(&plan), plan);
}

#[test]
fn long_and_many_names_read_back() {
    let mut plan = broad().plan();
    let task = plan.tasks.values().next().cloned().expect("a task");
    let lane = plan.lanes[0].tasks.values().next().copied().expect("a task on a lane");
    for length in [128, 129, 1024, 1025, 5000] {
        let name = "a".repeat(length);
        let mut task = task.clone();
        task.corpus.train.source = vec![name.clone(), "b".to_owned()].into();
        task.bridge = Some(name.clone());
        plan.tasks.insert(name.clone(), task);
        plan.lanes[0].tasks.insert(name, lane);
    }
    plan.lanes.push(crate::plan::LaneSpec { tasks: BTreeMap::new() });
    assert_eq!(reread(&plan), plan);
    plan.tasks.clear();
    plan.lanes.clear();
    assert_eq!(reread(&plan), plan);
}

#[test]
fn looks_as_documented() {
    let mut sample = Sample::new(&["en", "no"], 2, &[&[0], &[1]]);
    sample.transforms = vec![Transform::Tokenize];
    let text = sample.plan().to_yaml();
    for part in [
        "languages:\n  en:\n    groups:\n      groups: g\n  \"no\":\n",
        "    encoder: [embed.full, encoder.0.lang.en, encoder.1.full]\n",
        "lanes:\n- tasks:\n    t.en-no: {parts: 1000000, lines: [0, 1000000]}\n",
        "  lanes: [1]\n  modules:\n  - decoder.0.lang.en\n",
        "- name: world\n  ranks: [0, 1]\n  modules:\n  - embed.full\n",
        "  encoder.1.full:\n    kind: encoder_stack\n    layers: 1\n    closed: true\n    parameters: 2256\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn faults_name_place_and_expectation() {
    let text = sample::plan(&["de", "en"], 1, &[&[0]]).to_yaml();
    let spoilt = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in {text}");
        fault(&text.replacen(from, to, 1))
    };
    let line = |what: &str| text.lines().position(|line| line.contains(what)).unwrap_or(0) + 1;
    let place = |what: &str| format!("line {}, column", line(what));

    let unknown = spoilt("  seed: 1\n", "  seed: 1\n  sead: 1\n");
    assert!(unknown.contains("unknown field `sead`"), "{unknown}");
    assert!(unknown.contains("name, about, seed, output"), "{unknown}");
    assert!(unknown.contains(&format!("line {}, column 3", line("  seed: 1") + 1)), "{unknown}");

    let wrong_type = spoilt("  seed: 1\n", "  seed: many\n");
    assert!(wrong_type.contains(&place("  seed: 1")), "{wrong_type}");

    let negative = spoilt("    layers: 1\n", "    layers: -1\n");
    assert!(negative.contains("line "), "{negative}");

    let twice = spoilt("  seed: 1\n", "  seed: 1\n  seed: 1\n");
    assert!(twice.contains("duplicate"), "{twice}");

    let foreign = spoilt("    inverse_sqrt:\n", "    noam:\n      every: 3\n");
    assert!(foreign.contains("unknown field `every`"), "{foreign}");

    let missing = spoilt("      warmup: 10\n", "      floor: 10\n");
    assert!(missing.contains("unknown field `floor`"), "{missing}");

    let kind = spoilt("    adamw:\n", "    adamv:\n");
    assert!(kind.contains("`adamv`") && kind.contains("adamw"), "{kind}");
    assert!(kind.contains(&place("adamw:")), "{kind}");

    let module = spoilt("    closed: true\n", "");
    assert!(module.contains("missing field `closed` of kind `"), "{module}");
}

#[test]
fn other_version_is_named() {
    let text = sample::plan(&["de", "en"], 1, &[&[0]]).to_yaml();
    let other = text.replacen("format: 2\n", "format: 1\nnovelty: 1\n", 1);
    assert!(matches!(
        Plan::from_yaml(&other),
        Err(PlanError::Version { found: 1, expected: FORMAT, .. })
    ));
    let same = text.replacen("format: 2\n", "format: 7\n", 1);
    assert!(matches!(Plan::from_yaml(&same), Err(PlanError::Version { found: 7, .. })));
}

#[test]
fn bombs_are_refused() {
    let deep = "[".repeat(100_000);
    let keys = "a: {".repeat(100_000);
    let block = (0..2000).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n");
    let laughs = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, at| {
        let before = at - 1;
        format!("{text}a{at}: &a{at} [*a{before}, *a{before}]\n")
    });
    let tags = "!!binary |\n".repeat(1000);
    for bomb in
        [deep.as_str(), &keys, &block, &laughs, &tags, "", "\u{feff}", "%YAML 9\n---\n", "- ? :"]
    {
        let _ = fault(bomb);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads files that it has written")]
fn bytes_that_are_no_text_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.yaml");
    std::fs::write(&path, [0xff, 0xfe, 0, 1]).expect("written");
    assert!(matches!(Plan::from_path(&path), Err(PlanError::Unreadable { .. })));
    std::fs::write(&path, "format: 2\n").expect("written");
    let fault = Plan::from_path(&path).expect_err("fields are missing").to_string();
    assert!(fault.contains(&path.display().to_string()), "{fault}");
    assert!(matches!(
        Plan::from_path(&folder.path().join("absent")),
        Err(PlanError::Unreadable { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in names and numbers, the text reads back as the same plan.
    #[test]
    fn text_reads_back(
        names in prop::collection::vec(any::<String>(), 1..4),
        seed: u64,
        lr in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        share: u64,
    ) {
        let mut plan = sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
        plan.experiment.seed = seed;
        plan.experiment.name = names.concat();
        plan.experiment.about.clone_from(&names);
        plan.training.optimizer =
            Optimizer::Adamw { lr, beta1: 0.0, beta2: 1.0, eps: -0.0, weight_decay: f64::MAX };
        for task in plan.tasks.values_mut() {
            task.share = share;
            task.corpus.train.source = names.clone().into();
            task.encoder = names.clone().into();
        }
        for (name, word) in names.iter().zip(["de", "No", "a.b", "/x_y"]) {
            let task = plan.tasks["t.de-en"].clone();
            plan.tasks.insert(name.clone(), crate::TaskSpec { source: word.to_owned(), ..task });
        }
        for name in names {
            plan.languages.insert(name, crate::plan::LanguageSpec::default());
        }
        prop_assert_eq!(reread(&plan), plan);
    }

    /// A text spoilt at one place is read or refused.
    #[test]
    fn spoilt_text_never_panics(at in 0_usize..4000, cut in 0_usize..40, put in "[ -~\n]{0,8}") {
        let mut text = sample::plan(&["de", "en"], 1, &[&[0]]).to_yaml();
        let from = at.min(text.len());
        let to = (from + cut).min(text.len());
        text.replace_range(from..to, &put);
        let _ = Plan::from_yaml(&text);
    }

    /// Any text is read or refused.
    #[test]
    fn any_text_never_panics(text in any::<String>()) {
        let _ = Plan::from_yaml(&text);
    }

    /// What reads as a plan, however absurd, can be checked, played, compared and shown.
    #[test]
    fn absurd_plans_can_be_checked(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..ABSURD.len() + 3), 1..6),
    ) {
        let whole = sample::plan(&["cs", "de", "en"], 3, &[&[0, 2], &[1]]);
        let mut lines: Vec<String> = whole.to_yaml().lines().map(str::to_owned).collect();
        for (at, how) in changes {
            let at = at.index(lines.len());
            if let Some(value) = ABSURD.get(how) {
                let key = lines[at].split_inclusive(": ").next().unwrap_or_default().to_owned();
                lines[at] = format!("{key}{value}");
            } else if how == ABSURD.len() {
                lines.remove(at);
            } else if how == ABSURD.len() + 1 {
                lines.insert(at, lines[at].clone());
            } else {
                let other = lines.len() - 1 - at;
                lines.swap(at, other);
            }
        }
        if let Ok(plan) = Plan::from_yaml(&lines.join("\n")) {
            let _ = (crate::verify(&plan), crate::replay(&plan, 3), plan.summary());
            let _ = crate::PlanDiff::new(&whole, &plan).to_text();
            let _ = (plan.collectives(1, 1), plan.module_path("cs", "en"));
            prop_assert_eq!(Plan::from_yaml(&plan.to_yaml()).map(|plan| plan.to_yaml()).ok(), Some(plan.to_yaml()));
        }
    }
}
