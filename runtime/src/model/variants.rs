//! Every choice of the model that `reference` does not meet, against equations in torch's functions: norms, gated
//! feed-forward sublayers, positions, adapters, bridges; and whole networks of other libraries. Fixtures by
//! `tests/fixtures/make_variants.py` and `make_libraries.py`.

use std::collections::BTreeMap;

use mmc_plan::sample::Sample;
use mmc_plan::{ModelSpec, ModuleKind, ModuleSpec, Plan};
use serde::Deserialize;
use tch::{Device, Kind};

use super::fixtures::{assert_as_saved, assert_close, batch, fixture, weights_of};
use super::{Ids, Mode, Network, Objective, Way, Weights, layout};

#[derive(Deserialize)]
struct Reference {
    vocabulary: u32,
    source: Vec<Vec<u32>>,
    target: Vec<Vec<u32>>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    model: ModelSpec,
    /// Module -> parameters.
    parameters: BTreeMap<String, u64>,
    smoothing: f64,
    unscored: usize,
}

/// A plan of the case's model and modules, and a path through it.
fn plan_of(reference: &Reference, case: &Case) -> (Plan, mmc_plan::path::ModulePath) {
    let mut sample = Sample::new(&["a", "b"], 1, &[&[0]]);
    let joint = sample.vocabularies.get_mut("joint").expect("the sample's vocabulary");
    joint.pieces = reference.vocabulary - 1;
    let vocabulary = "joint".to_owned();
    let mut plan = sample.plan();
    plan.model = case.model.clone();
    let kind = |name: &str| -> ModuleKind {
        let own = name.strip_prefix("adapter.").and_then(|rest| rest.strip_suffix(".full"));
        match (own, name.split('.').next()) {
            (Some(adapter), _) => ModuleKind::Adapter { adapter: adapter.to_owned() },
            (None, Some("embed")) => ModuleKind::Embedding { vocabulary: vocabulary.clone() },
            (None, Some("head")) => ModuleKind::Head { vocabulary: vocabulary.clone() },
            (None, Some("bridge")) => ModuleKind::Bridge,
            (None, side) => {
                let is_encoder = side == Some("encoder");
                let stacks = if is_encoder { &case.model.encoder } else { &case.model.decoder };
                let at = name.split('.').nth(1).and_then(|at| at.parse::<usize>().ok());
                let at = at.expect("a stack's name has its place");
                let (layers, closed) = (stacks[at].layers, case.model.closes(at, stacks));
                if is_encoder {
                    ModuleKind::EncoderStack { layers, closed }
                } else {
                    ModuleKind::DecoderStack { layers, closed }
                }
            }
        }
    };
    let spec = |(name, &parameters): (&String, &u64)| {
        (name.clone(), ModuleSpec { kind: kind(name), parameters, frozen: false, optimizer: None })
    };
    plan.modules = case.parameters.iter().map(spec).collect();
    let path = plan.module_path("a", "b").expect("a path");
    (plan, path)
}

fn assert_all_as_saved(fixture_name: &str) {
    let (reference, saved) = fixture::<Reference>(fixture_name);
    for (name, case) in &reference.cases {
        let (plan, path) = plan_of(&reference, case);
        let weights = weights_of(&plan, name, &saved);
        let network = Network::build(&plan, &weights).expect("everything is there");
        let direction = network.direction(Way::from(&path)).expect("a path of right kinds");
        let batch = batch(&reference.source, &reference.target, case.unscored);
        assert!(saved.contains_key(&format!("{name}/memory")), "{name}");
        assert_as_saved((name, &saved), &weights, &direction, &batch, case.smoothing);
    }
}

#[test]
fn states_loss_and_gradients_equal_their_equations() {
    assert_all_as_saved("variant_reference");
}

/// Transformers' M2M100 and MAMMOTH's stacks of x-transformers.
#[test]
fn states_logits_loss_and_gradients_equal_those_of_other_libraries() {
    assert_all_as_saved("library_reference");
}

/// Position after position, with cached keys and values, gives the logits of all positions at once.
#[test]
fn decoding_step_by_step_gives_the_same_logits() {
    assert_decodes_step_by_step("variant_reference");
    assert_decodes_step_by_step("library_reference");
}

fn assert_decodes_step_by_step(fixture_name: &str) {
    let (reference, saved) = fixture::<Reference>(fixture_name);
    let target: Vec<Vec<u32>> = vec![vec![1, 9, 5, 4], vec![1, 9, 8, 3]];
    for (name, case) in &reference.cases {
        let (plan, path) = plan_of(&reference, case);
        let weights = weights_of(&plan, name, &saved);
        let network = Network::build(&plan, &weights).expect("everything is there");
        let direction = network.direction(&path).expect("a path of right kinds");
        let ids = |rows: &[Vec<u32>]| Ids::new(rows.iter().map(Vec::as_slice), Device::Cpu);
        let _unrecorded = tch::no_grad_guard();
        let memory = direction.encode(&ids(&reference.source), Mode::Evaluate);
        let whole = direction.decode(&ids(&target), &memory, Mode::Evaluate);
        let whole = direction.logits(&whole).view([2, 4, -1]);
        let mut decoding = direction.begin(memory);
        // The first two positions together, as a prompt.
        let mut from = 0;
        for to in [2, 3, 4] {
            let rows: Vec<_> = target.iter().map(|row| row[from..to].to_vec()).collect();
            let logits = direction.advance(&mut decoding, &ids(&rows));
            let at = i64::try_from(to).expect("small") - 1;
            assert_close(&logits, &whole.select(1, at), &format!("{name} position {at}"));
            from = to;
        }
    }
}

#[test]
fn adapters_begin_as_the_identity() {
    let (reference, _) = fixture::<Reference>("variant_reference");
    for name in ["lora", "bottlenecks"] {
        let loss_of = |case: &Case| {
            let (plan, path) = plan_of(&reference, case);
            let fill = |module: &String| {
                let parameters = layout(&plan, module).expect("a layout").into_iter();
                let named = parameters.map(|parameter| {
                    let values = super::init::fill(1, module, &parameter);
                    (parameter.name, values)
                });
                (module.clone(), Weights::new(named.collect()))
            };
            let weights = plan.modules.keys().map(fill).collect();
            let network = Network::build(&plan, &weights).expect("everything is there");
            let direction = network.direction(&path).expect("a path");
            let batch = batch(&reference.source, &reference.target, 0);
            direction
                .loss(&batch, Mode::Evaluate, Objective::smoothed(0.0))
                .loss
                .to_kind(Kind::Double)
                .double_value(&[])
        };
        let with = &reference.cases[name];
        let model = ModelSpec { adapters: Vec::new(), ..with.model.clone() };
        let parameters = with.parameters.iter().filter(|(name, _)| !name.starts_with("adapter."));
        let parameters = parameters.map(|(name, count)| (name.clone(), *count)).collect();
        let without = Case { model, parameters, smoothing: 0.0, unscored: 0 };
        // A further feed-forward sublayer of zero keeps its residual, so all of them leave the states as they are.
        let difference = (loss_of(with) - loss_of(&without)).abs();
        assert!(difference < 1e-12, "{name}: {difference:e}");
    }
}
