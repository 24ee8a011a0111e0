//! Sample plans keep every rule; plans spoilt at one place break the rule that stands for it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::attachment::{BridgeLayer, BridgeSpec};
use crate::curriculum::Coupling;
use crate::model::{
    ClosingNorm, ModuleKind, Norm, Positions, Sharing, StackOverride, StackPattern,
};
use crate::plan::{CommunicatorSpec, LaneTask, RunEstimate, TaskKind, TaskSpec};
use crate::sample::{self, Sample};
use crate::training::{OnNan, Optimizer, Precision, Schedule};
use crate::transform::{
    Denoise, LEAST_SPAN, LONGEST_SPAN, MaskUnit, Objective, Replace, Transform,
};

/// Six directions on four lanes on three ranks: tasks on two lanes, modules on one, two and three ranks.
fn plan() -> Plan {
    sample::plan(&["cs", "de", "en"], 4, &[&[0, 1], &[2], &[3]])
}

/// Three causal tasks on three ranks.
fn causal() -> Plan {
    Sample::causal(&["cs", "de", "en"], 4, &[&[0, 1], &[2], &[3]]).plan()
}

/// The rules that a spoilt plan breaks; its digest is made anew, so that only the spoilt facts count.
fn broken(spoil: impl FnOnce(&mut Plan)) -> BTreeSet<Rule> {
    broken_of(plan(), spoil)
}

fn broken_of(mut plan: Plan, spoil: impl FnOnce(&mut Plan)) -> BTreeSet<Rule> {
    spoil(&mut plan);
    plan.digest = plan.mathematics_digest();
    let violations = verify(&plan).err().unwrap_or_default();
    violations.into_iter().map(|violation| violation.rule).collect()
}

#[track_caller]
fn breaks(rule: Rule, spoil: impl FnOnce(&mut Plan)) {
    let rules = broken(spoil);
    assert!(rules.contains(&rule), "{rule:?} is kept; broken: {rules:?}");
}

#[test]
fn samples_keep_every_rule() {
    let languages = ["cs", "de", "en", "no"];
    let mappings: [&[&[u32]]; 5] = [
        &[&[0, 1, 2, 3]],
        &[&[0, 1], &[2, 3]],
        &[&[0, 3], &[1, 2]],
        &[&[3], &[1], &[0], &[2]],
        &[&[], &[2, 1, 0, 3]],
    ];
    for mapping in mappings {
        for norm in [Norm::Pre, Norm::Post] {
            let mut sample = Sample::new(&languages, 4, mapping);
            sample.model.norm = norm;
            sample.model.embeddings.tie_output = norm == Norm::Pre;
            sample.model.encoder.push(StackPattern {
                layers: 2,
                sharing: Sharing::SourceGroup("groups".to_owned()),
            });
            sample.model.overrides.push(StackOverride {
                pairs: vec![["cs".to_owned(), "de".to_owned()]],
                encoder: Some(vec![StackPattern { layers: 3, sharing: Sharing::Task }]),
                decoder: None,
            });
            assert_eq!(verify(&sample.plan()), Ok(()), "{mapping:?} {norm:?}");
        }
    }
}

/// A stack without layers has no norm: the one before it has.
#[test]
fn the_last_stack_that_has_layers_is_closed() {
    let mut sample = Sample::new(&["cs", "de", "en"], 4, &[&[0, 1, 2, 3]]);
    let stack = |layers, sharing| StackPattern { layers, sharing };
    sample.model.closing_norm = ClosingNorm::LastStack;
    sample.model.encoder =
        vec![stack(1, Sharing::SourceLanguage), stack(6, Sharing::Full), stack(1, Sharing::None)];
    sample.model.overrides.push(StackOverride {
        pairs: vec![["cs".to_owned(), "de".to_owned()]],
        encoder: Some(vec![stack(3, Sharing::Task), stack(1, Sharing::None)]),
        decoder: None,
    });
    let plan = sample.plan();
    assert_eq!(verify(&plan), Ok(()));
    let closed = |name: &str| {
        let ModuleKind::EncoderStack { closed, .. } = plan.modules[name].kind else {
            panic!("{name} is no stack of the encoder")
        };
        closed
    };
    assert!(closed("encoder.1.full") && closed("encoder.0.task.cs-de"));
    assert!(!closed("encoder.0.lang.de"));
}

#[test]
fn samples_of_many_shapes_keep_every_rule() {
    for lanes in 1..=7_u32 {
        for ranks in 1..=lanes {
            let mapping: Vec<Vec<u32>> =
                (0..ranks).map(|rank| (0..lanes).filter(|l| l % ranks == rank).collect()).collect();
            let mapping: Vec<&[u32]> = mapping.iter().map(Vec::as_slice).collect();
            for languages in [&["de", "en"][..], &["cs", "de", "en", "fr", "no"]] {
                let plan = sample::plan(languages, lanes, &mapping);
                assert_eq!(verify(&plan), Ok(()), "{lanes} lanes on {ranks} ranks");
            }
        }
    }
}

#[test]
fn format_and_digest_are_checked() {
    breaks(Rule::Format, |plan| plan.format = 1);
    let mut plan = plan();
    plan.experiment.seed += 1;
    let violations = verify(&plan).expect_err("another seed is other mathematics");
    assert_eq!(violations.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::Digest]);
}

#[test]
fn numbers_out_of_range_are_found() {
    let spoils: [fn(&mut Plan); 23] = [
        |plan| plan.model.positions = Positions::Rotary { dims: 10, base: 10_000 },
        |plan| plan.model.heads = 0,
        |plan| plan.model.dropout = 1.0,
        |plan| plan.model.attention_dropout = f64::NAN,
        |plan| plan.model.encoder[0].layers = 0,
        |plan| plan.training.steps = 0,
        |plan| plan.training.batch_tokens = 0,
        |plan| plan.training.accumulate = 0,
        |plan| plan.training.shuffle = 0,
        |plan| plan.training.clip = Some(0.0),
        |plan| plan.training.label_smoothing = 1.0,
        |plan| {
            let own = Optimizer::Sgd { lr: 1.0, momentum: 1.0, weight_decay: 0.0 };
            plan.modules.values_mut().for_each(|module| module.optimizer = Some(own));
        },
        |plan| plan.training.average = Some(1),
        |plan| plan.training.average = Some(plan.training.checkpoint.keep + 1),
        |plan| plan.training.ema = Some(1.0),
        |plan| plan.training.on_nan = OnNan::Skip { most: 0 },
        |plan| plan.training.validate_every = Some(0),
        |plan| plan.training.checkpoint.every = Some(0),
        |plan| plan.training.checkpoint.keep = 0,
        |plan| plan.training.schedule = Schedule::InverseSqrt { warmup: 0 },
        |plan| plan.cluster.device_flops = f64::INFINITY,
        |plan| plan.cluster.links.inter = 0.0,
        |plan| plan.ranks[0].estimate.step_seconds = -1.0,
    ];
    for spoil in spoils {
        breaks(Rule::Number, spoil);
    }
    let Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay } = plan().training.optimizer else {
        panic!("the sample trains with AdamW")
    };
    for optimizer in [
        Optimizer::Adamw { lr: f64::INFINITY, beta1, beta2, eps, weight_decay },
        Optimizer::Adamw { lr, beta1: 1.0, beta2, eps, weight_decay },
        Optimizer::Adamw { lr, beta1, beta2: -0.1, eps, weight_decay },
        Optimizer::Adamw { lr, beta1, beta2, eps: 0.0, weight_decay },
        Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay: -1.0 },
    ] {
        breaks(Rule::Number, |plan| plan.training.optimizer = optimizer);
    }
}

#[test]
fn causal_tasks_are_checked() {
    type Spoil = fn(&mut Plan);
    type SpoilTask = fn(&mut TaskSpec);
    assert_eq!(verify(&causal()), Ok(()));
    let each =
        |plan: &mut Plan, change: fn(&mut TaskSpec)| plan.tasks.values_mut().for_each(change);
    let spoils: [(Rule, Spoil); 6] = [
        (Rule::Path, |plan| plan.model.encoder = sample::model().encoder),
        (Rule::Path, |plan| {
            plan.model.overrides.push(StackOverride {
                pairs: vec![["cs".to_owned(), "cs".to_owned()]],
                encoder: Some(sample::model().encoder),
                decoder: None,
            });
        }),
        (Rule::Path, |plan| {
            plan.model.bridge = Some(BridgeSpec {
                layers: vec![BridgeLayer::Lin],
                hidden: 8,
                fixed: 2,
                normalisation: None,
                sharing: Sharing::Full,
            });
        }),
        (Rule::Module, |plan| {
            plan.modules.values_mut().for_each(|module| module.parameters += 1);
        }),
        (Rule::Name, |plan| plan.experiment.name.clear()),
        (Rule::Reference, |plan| drop(plan.vocabularies.remove("joint"))),
    ];
    for (rule, spoil) in spoils {
        let rules = broken_of(causal(), spoil);
        assert!(rules.contains(&rule), "{rule:?} is kept; broken: {rules:?}");
    }
    let of_tasks: [(Rule, SpoilTask); 5] = [
        (Rule::Path, |task| task.kind = TaskKind::Translate),
        (Rule::Corpus, |task| task.corpus.train.source = vec!["other".to_owned()].into()),
        (Rule::Vocabulary, |task| task.source_vocabulary = "other".to_owned()),
        (Rule::Vocabulary, |task| task.transforms.push(Transform::TokenDrop { temperature: 1.0 })),
        (Rule::Vocabulary, |task| {
            let source = vec!["<pad>".to_owned()];
            task.transforms.push(Transform::Prefix { source, target: Vec::new() });
        }),
    ];
    for (rule, spoil) in of_tasks {
        let rules = broken_of(causal(), |plan| each(plan, spoil));
        assert!(rules.contains(&rule), "{rule:?} is kept; broken: {rules:?}");
    }
    breaks(Rule::Path, |plan| each(plan, |task| task.kind = TaskKind::Causal));
}

#[test]
fn scores_are_checked() {
    use crate::scores::{Measure, ScoresSpec};
    use crate::training::{Criterion, StopEarly};
    let scores = |measures: &[Measure], beam| {
        let measures = measures.to_vec();
        Some(ScoresSpec { measures, beam, sentences: Some(1) })
    };
    let stop = |on| Some(StopEarly { patience: 1, on });
    let mut fine = plan();
    fine.training.scores = scores(&[Measure::Chrf, Measure::Bleu], 1000);
    fine.training.stop_early = stop(Criterion::Bleu);
    assert_eq!(verify(&fine), Ok(()), "scores are no mathematics");
    breaks(Rule::Number, |plan| plan.training.scores = scores(&[], 1));
    breaks(Rule::Number, |plan| plan.training.scores = scores(&[Measure::Bleu; 2], 1));
    breaks(Rule::Number, |plan| plan.training.scores = scores(&[Measure::Bleu], 0));
    breaks(Rule::Number, |plan| plan.training.scores = scores(&[Measure::Bleu], 1001));
    breaks(Rule::Number, |plan| {
        plan.training.scores = scores(&[Measure::Bleu], 1);
        plan.training.scores.iter_mut().for_each(|scores| scores.sentences = Some(0));
    });
    breaks(Rule::Reference, |plan| plan.training.stop_early = stop(Criterion::Chrf));
    breaks(Rule::Reference, |plan| plan.training.best = Some(Criterion::Chrf));
    breaks(Rule::Number, |plan| {
        plan.training.stop_early = stop(Criterion::Loss);
        plan.training.best = Some(Criterion::Loss);
    });
}

#[test]
fn names_and_references_are_checked() {
    breaks(Rule::Name, |plan| {
        let module = plan.modules["embed.full"].clone();
        plan.modules.insert("../../embed".to_owned(), module);
    });
    breaks(Rule::Name, |plan| plan.experiment.output.clear());
    breaks(Rule::Name, |plan| {
        let task = plan.tasks["t.de-en"].clone();
        plan.tasks.insert("t.en-de-x".to_owned(), task);
    });
    breaks(Rule::Reference, |plan| drop(plan.languages.remove("de")));
    breaks(Rule::Reference, |plan| drop(plan.vocabularies.remove("joint")));
    breaks(Rule::Reference, |plan| drop(plan.modules.remove("encoder.1.full")));
    breaks(Rule::Reference, |plan| drop(plan.tasks.remove("t.de-en")));
    breaks(Rule::Reference, |plan| plan.ranks[0].lanes.push(9));
    breaks(Rule::Reference, |plan| plan.ranks[0].validates.push("t.xx-yy".to_owned()));
    breaks(Rule::Reference, |plan| plan.communicators[0].ranks.push(9));
}

#[test]
fn vocabularies_are_checked() {
    type Spoil = fn(&mut crate::plan::VocabularySpec);
    let spoils: [Spoil; 7] = [
        |spec| spec.pad = spec.size(),
        |spec| spec.eos = spec.bos,
        |spec| spec.pieces = 0,
        |spec| spec.pieces = u32::MAX,
        |spec| spec.sha256.truncate(8),
        |spec| spec.sha256 = "G".repeat(64),
        |spec| spec.added.push("<pad>".to_owned()),
    ];
    for spoil in spoils {
        breaks(Rule::Vocabulary, |plan| plan.vocabularies.values_mut().for_each(spoil));
    }
    breaks(Rule::Vocabulary, |plan| {
        let prefix = Transform::Prefix { source: vec!["<to_de>".to_owned()], target: Vec::new() };
        plan.tasks.values_mut().for_each(|task| task.transforms.push(prefix.clone()));
    });
    breaks(Rule::Vocabulary, |plan| {
        plan.tasks.values_mut().for_each(|task| task.transforms.clear());
    });
}

/// Two columns of the same files, or one of text of one language, and nothing else.
fn columns_are_checked() {
    let in_columns = |plan: &mut Plan, columns| {
        for task in plan.tasks.values_mut() {
            task.corpus.train = sample::in_columns(&task.corpus.train, columns);
        }
    };
    assert_eq!(broken(|plan| in_columns(plan, [4, 2])), BTreeSet::new());
    for columns in [[0, 1], [1, 0], [2, 2]] {
        breaks(Rule::Corpus, |plan| in_columns(plan, columns));
    }
    breaks(Rule::Corpus, |plan| {
        plan.tasks.values_mut().for_each(|task| task.corpus.train.columns = Some([1, 2]));
    });
    let rules = broken_of(causal(), |plan| in_columns(plan, [1, 2]));
    assert!(rules.contains(&Rule::Corpus), "{rules:?}");
    for of_one in [causal(), noisy(&[])] {
        assert_eq!(broken_of(of_one, |plan| in_columns(plan, [2, 2])), BTreeSet::new());
    }
}

/// A plan of tasks of one text, each with this noise.
fn noisy(noises: &[Transform]) -> Plan {
    let mut sample = Sample::new(&["de", "en"], 2, &[&[0], &[1]]);
    sample.pairs = [["de", "de"], ["en", "en"]].map(|pair| pair.map(str::to_owned)).to_vec();
    sample.corpora = ["de", "en"].map(|name| sample::corpus(name, name, 1000)).to_vec();
    sample.transforms.extend(noises.iter().cloned());
    let joint = sample.vocabularies.get_mut("joint").unwrap();
    joint.added.push("<mask>".to_owned());
    joint.mask = Some(joint.pieces + 1);
    sample.plan()
}

#[test]
fn noise_is_checked() {
    let bart = Denoise {
        objective: Objective::Bart,
        ratio: 0.5,
        unit: MaskUnit::SpanPoisson(LEAST_SPAN),
        replace: Replace::One,
        random: 0.0,
        insert: 0.0,
        rotate: 0.0,
        permute: 0.0,
    };
    let (objective, replace) = (Objective::Mass, Replace::Each);
    let mass = Denoise { objective, replace, unit: MaskUnit::Subword, ..bart };
    let of = |noise: Denoise| Transform::Denoise(noise);
    for fine in [bart, Denoise { unit: MaskUnit::SpanPoisson(LONGEST_SPAN), ..bart }, mass] {
        assert_eq!(verify(&noisy(&[of(fine)])), Ok(()));
    }
    let faulty = [
        (Rule::Number, Denoise { unit: MaskUnit::SpanPoisson(0.099), ..bart }),
        (Rule::Number, Denoise { unit: MaskUnit::SpanPoisson(501.0), ..bart }),
        (Rule::Number, Denoise { unit: MaskUnit::SpanPoisson(f64::NAN), ..bart }),
        (Rule::Number, Denoise { replace: Replace::One, ..mass }),
        (Rule::Number, Denoise { unit: MaskUnit::Word, ..mass }),
    ];
    for (rule, noise) in faulty {
        let rules = broken_of(noisy(&[of(noise)]), |_| {});
        assert!(rules.contains(&rule), "{noise:?} is taken; broken: {rules:?}");
    }
    let two = noisy(&[of(mass), Transform::TokenDrop { temperature: 1.0 }]);
    assert!(broken_of(two, |_| {}).contains(&Rule::Vocabulary));
    let translates = |plan: &mut Plan| {
        plan.tasks.values_mut().for_each(|task| task.kind = TaskKind::Translate);
    };
    assert!(broken_of(noisy(&[of(bart)]), translates).is_empty());
    assert!(broken_of(noisy(&[of(mass)]), translates).contains(&Rule::Corpus));
}

#[test]
fn corpora_paths_and_modules_are_checked() {
    breaks(Rule::Corpus, |plan| {
        plan.tasks.values_mut().for_each(|task| task.corpus.train.source.clear());
    });
    breaks(Rule::Corpus, |plan| {
        plan.tasks.values_mut().for_each(|task| task.corpus.train.lines = 0);
    });
    columns_are_checked();
    breaks(Rule::Path, |plan| {
        plan.tasks.values_mut().for_each(|task| task.encoder.truncate(2));
    });
    breaks(Rule::Path, |plan| plan.model.embeddings.tie_output = false);
    breaks(Rule::Path, |plan| {
        plan.model.encoder[0].sharing = Sharing::SourceGroup("absent".to_owned());
    });
    breaks(Rule::Module, |plan| plan.model.encoder[0].layers = 2);
    breaks(Rule::Module, |plan| {
        plan.modules.get_mut("encoder.1.full").unwrap().parameters += 1;
    });
    breaks(Rule::Module, |plan| plan.model.norm = Norm::Post);
    breaks(Rule::Module, |plan| {
        plan.modules.get_mut("embed.full").unwrap().kind =
            ModuleKind::Head { vocabulary: "joint".to_owned() };
    });
    breaks(Rule::Module, |plan| {
        let module = plan.modules["encoder.1.full"].clone();
        plan.modules.insert("encoder.1.spare".to_owned(), module);
    });
    breaks(Rule::Module, |plan| {
        let other = sample::vocabulary("other.model", 100);
        plan.vocabularies.insert("other".to_owned(), other);
        plan.tasks.get_mut("t.de-en").unwrap().source_vocabulary = "other".to_owned();
    });
}

#[test]
fn lanes_are_checked() {
    let name = |plan: &Plan, lane: usize| plan.lanes[lane].tasks.keys().next().unwrap().clone();
    breaks(Rule::LaneParts, |plan| {
        let name = name(plan, 0);
        plan.lanes[0].tasks.get_mut(&name).unwrap().parts += 1;
    });
    breaks(Rule::LaneParts, |plan| {
        plan.lanes.push(crate::plan::LaneSpec { tasks: BTreeMap::new() });
    });
    breaks(Rule::Lines, |plan| {
        let name = name(plan, 0);
        plan.lanes[0].tasks.get_mut(&name).unwrap().lines[1] -= 1;
    });
    breaks(Rule::Lines, |plan| {
        let lines = [0, 1_000_000];
        plan.lanes[0].tasks.insert("t.en-de".to_owned(), LaneTask { parts: 0, lines });
    });
    // A task moved to another lane in exchange for another: parts and lines still sum, shares do not.
    breaks(Rule::Share, |plan| {
        let moved = plan.lanes[0].tasks.pop_first().unwrap();
        let parts = moved.1.parts;
        let grown = plan.lanes[0].tasks.values_mut().next().unwrap();
        grown.parts += parts;
    });
    breaks(Rule::Share, |plan| plan.tasks.get_mut("t.de-en").unwrap().share += 1);
}

#[test]
fn curricula_are_checked() {
    let spoils: [fn(&mut Plan); 9] = [
        |plan| plan.curriculum.windows.clear(),
        |plan| plan.curriculum.windows.reverse(),
        |plan| plan.curriculum.windows[1] = plan.training.steps + 1,
        |plan| drop(plan.curriculum.shares.pop_first()),
        |plan| drop(plan.curriculum.lanes.pop()),
        |plan| plan.curriculum.shares.get_mut("t.de-en").unwrap().truncate(1),
        |plan| plan.curriculum.schedule = Coupling::Independent,
        |plan| plan.curriculum.orders[0].tasks[0] = plan.curriculum.orders[0].tasks[1].clone(),
        |plan| drop(plan.curriculum.orders.pop()),
    ];
    let with = |spoil: &dyn Fn(&mut Plan)| {
        broken(|plan| {
            plan.curriculum = sample::two_windows(plan);
            spoil(plan);
        })
    };
    assert!(with(&|_| ()).is_empty());
    for spoil in spoils {
        assert!(with(&spoil).contains(&Rule::Curriculum));
    }
    // Shares or parts that no longer fill their window, or are not what the mean says.
    assert!(
        with(&|plan| plan.curriculum.shares.get_mut("t.de-en").unwrap()[0] += 1)
            .contains(&Rule::Share)
    );
    assert!(
        with(&|plan| plan.curriculum.lanes[0].tasks.values_mut().next().unwrap()[0] += 1)
            .contains(&Rule::LaneParts)
    );
    let moved = with(&|plan| {
        let mut courses = plan.curriculum.lanes[0].tasks.values_mut();
        let (one, other) = (courses.next().unwrap(), courses.next().unwrap());
        other[0] += one[0];
        one[0] = 0;
    });
    assert!(moved.contains(&Rule::Share) && moved.contains(&Rule::LaneParts));
}

#[test]
fn ranks_are_checked() {
    breaks(Rule::LaneRank, |plan| plan.ranks[1].lanes.push(3));
    breaks(Rule::LaneRank, |plan| plan.ranks[1].lanes.clear());
    breaks(Rule::Placement, |plan| plan.ranks[1].device = 0);
    breaks(Rule::Placement, |plan| plan.ranks[1].node = 1);
    breaks(Rule::Placement, |plan| plan.ranks.clear());
    breaks(Rule::RankModules, |plan| drop(plan.ranks[1].modules.pop()));
    breaks(Rule::RankModules, |plan| plan.ranks[1].modules.reverse());
    // A moved task: lane 2 to rank 0 without its modules.
    breaks(Rule::RankModules, |plan| {
        plan.ranks[0].lanes.push(2);
        plan.ranks[1].lanes.clear();
    });
    breaks(Rule::Owner, |plan| plan.ranks[0].owns.clear());
    breaks(Rule::Owner, |plan| plan.ranks[1].owns.insert(0, "embed.full".to_owned()));
    breaks(Rule::Owner, |plan| plan.ranks[2].owns.push("encoder.0.lang.cs".to_owned()));
    breaks(Rule::Validation, |plan| plan.ranks[0].validates.clear());
    breaks(Rule::Validation, |plan| {
        let name = plan.ranks[0].validates[0].clone();
        plan.ranks[2].validates.push(name);
    });
    breaks(Rule::Estimate, |plan| plan.ranks[0].estimate.parameters += 1);
    breaks(Rule::Estimate, |plan| plan.ranks[1].estimate.activation_bytes -= 1);
    breaks(Rule::Estimate, |plan| plan.ranks[2].estimate.step_flops += 1000);
    breaks(Rule::Estimate, |plan| plan.training.batch_tokens += 1);
    breaks(Rule::Estimate, |plan| plan.totals.state_bytes += 1);
    breaks(Rule::Estimate, |plan| plan.totals.step_seconds = 1.0);
    breaks(Rule::Estimate, |plan| {
        plan.run = Some(RunEstimate { hours: 1.0, device_hours: 3.0, kilowatt_hours: None });
    });
    breaks(Rule::Estimate, |plan| {
        plan.run = Some(RunEstimate { kilowatt_hours: Some(1.0), ..RunEstimate::default() });
    });
    breaks(Rule::Estimate, |plan| plan.training.precision = Precision::Fp64);
    breaks(Rule::Memory, |plan| plan.cluster.device_memory = 1000);
}

#[test]
fn communicators_are_checked() {
    let pair = |plan: &Plan| -> usize {
        plan.communicators.iter().position(|spec| spec.ranks.len() == 2).expect("a pair of ranks")
    };
    breaks(Rule::Communicator, |plan| plan.communicators.reverse());
    breaks(Rule::Communicator, |plan| drop(plan.communicators.remove(0)));
    breaks(Rule::Communicator, |plan| plan.communicators[0].ranks.truncate(2));
    breaks(Rule::Communicator, |plan| plan.communicators[0].elements += 1);
    breaks(Rule::Communicator, |plan| {
        let at = pair(plan);
        plan.communicators[at].ranks.truncate(1);
    });
    breaks(Rule::Communicator, |plan| {
        let at = pair(plan);
        plan.communicators.remove(at);
    });
    breaks(Rule::Communicator, |plan| {
        let at = pair(plan);
        let twice = plan.communicators[at].clone();
        plan.communicators.push(twice);
    });
    // Swapped modules of two communicators.
    breaks(Rule::Communicator, |plan| {
        let at = pair(plan);
        let modules = std::mem::take(&mut plan.communicators[at].modules);
        plan.communicators[at].modules =
            std::mem::replace(&mut plan.communicators[0].modules, modules);
    });
    breaks(Rule::Communicator, |plan| {
        let spec = CommunicatorSpec {
            name: "ranks.0".to_owned(),
            ranks: vec![0],
            modules: Vec::new(),
            elements: 0,
            bucket: None,
        };
        plan.communicators.push(spec);
    });
    breaks(Rule::Communicator, |plan| plan.communicators[0].name = "all".to_owned());
    breaks(Rule::Number, |plan| plan.communicators[0].bucket = Some(0));
}

#[test]
fn empty_and_absurd_plans_are_refused_without_panic() {
    let rules = broken(|plan| {
        plan.lanes.clear();
        plan.ranks.clear();
        plan.tasks.clear();
        plan.modules.clear();
        plan.communicators.clear();
    });
    assert!(rules.contains(&Rule::Share) && rules.contains(&Rule::Placement));
    let _ = broken(|plan| {
        plan.model.dim = u32::MAX;
        plan.model.ffn = u32::MAX;
        plan.training.steps = u64::MAX;
        plan.cluster.device_memory = u64::MAX;
        plan.tasks.values_mut().for_each(|task| task.share = u64::MAX);
        plan.modules.values_mut().for_each(|module| {
            module.parameters = u64::MAX;
            if let ModuleKind::EncoderStack { layers, .. } = &mut module.kind {
                *layers = u32::MAX;
            }
        });
        plan.ranks.iter_mut().for_each(|rank| {
            rank.estimate.state_bytes = u64::MAX;
            rank.lanes.push(u32::MAX);
        });
        plan.lanes.iter_mut().flat_map(|lane| lane.tasks.values_mut()).for_each(|task| {
            task.parts = u32::MAX;
            task.lines = [u32::MAX, 0];
        });
    });
}
