//! The network against the layers of `torch.nn`: states, loss and every gradient of small networks saved by
//! `tests/fixtures/make_reference.py`, and the fused loss against libtorch's kernel.

use std::collections::BTreeMap;

use mmc_plan::sample::Sample;
use mmc_plan::{Activation, ModuleKind, ModuleSpec, Norm, Plan, Positions, StackPattern};
use serde::Deserialize;
use tch::{Device, Kind, Reduction, Tensor};

use super::fixtures::{assert_as_saved, assert_close, batch, fixture, weights_of};
use super::loss::{Objective, cross_entropy};
use super::{Ids, Masks, Mode, ModelError, Network, Way};

#[derive(Deserialize)]
struct Reference {
    widths: Widths,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Widths {
    dim: u32,
    heads: u32,
    ffn: u32,
    vocabulary: u32,
}

#[derive(Deserialize)]
struct Case {
    norm: Norm,
    activation: Activation,
    positions: Positions,
    encoder: Vec<u32>,
    decoder: Vec<u32>,
    tied: bool,
    smoothing: f64,
    unscored: usize,
    source: Vec<Vec<u32>>,
    target: Vec<Vec<u32>>,
}

/// The plan of a case: names as the fixture has them, counts by the formulas of `ModuleSpec`.
fn plan_of(widths: &Widths, case: &Case) -> (Plan, [Vec<String>; 2]) {
    let mut sample = Sample::new(&["a", "b"], 1, &[&[0]]);
    let stacks = |layers: &[u32]| -> Vec<StackPattern> {
        let sharing = mmc_plan::Sharing::Full;
        layers.iter().map(|&layers| StackPattern { layers, sharing: sharing.clone() }).collect()
    };
    let joint = sample.vocabularies.get_mut("joint").expect("the sample's vocabulary");
    joint.pieces = widths.vocabulary - 1;
    let model = &mut sample.model;
    (model.dim, model.heads, model.ffn) = (widths.dim, widths.heads, widths.ffn);
    model.head_dim = widths.dim / widths.heads;
    (model.norm, model.activation) = (case.norm, case.activation);
    model.positions = case.positions;
    model.encoder = stacks(&case.encoder);
    model.decoder = stacks(&case.decoder);
    model.embeddings.tie_source = case.tied;
    model.embeddings.tie_output = case.tied;
    let mut plan = sample.plan();
    let path = plan.module_path("a", "b").expect("a path");
    plan.modules = spec(&plan, widths, case, &path);
    (plan, [path.encoder, path.decoder])
}

fn spec(
    plan: &Plan,
    widths: &Widths,
    case: &Case,
    path: &mmc_plan::path::ModulePath,
) -> BTreeMap<String, ModuleSpec> {
    let (d, f) = (u64::from(widths.dim), u64::from(widths.ffn));
    let table = u64::from(widths.vocabulary) * d;
    let closing = if case.norm == Norm::Pre { 2 * d } else { 0 };
    let vocabulary = || plan.vocabularies.keys().next().expect("one").clone();
    let mut modules = BTreeMap::new();
    for name in path.encoder.iter().chain(&path.decoder) {
        let layers = |side: &str, layers: &[u32]| -> Option<u32> {
            let at = name.strip_prefix(side)?.split('.').next()?.parse::<usize>().ok()?;
            layers.get(at).copied()
        };
        let spec = if let Some(layers) = layers("encoder.", &case.encoder) {
            let one = 4 * d * d + 4 * d + 2 * d * f + f + d + 4 * d;
            let parameters = u64::from(layers) * one + closing;
            let kind = ModuleKind::EncoderStack { layers, closed: closing > 0 };
            ModuleSpec { kind, parameters, frozen: false, optimizer: None }
        } else if let Some(layers) = layers("decoder.", &case.decoder) {
            // Without an encoder there is one attention, and a norm less.
            let attentions = if case.encoder.is_empty() { 1 } else { 2 };
            let one = attentions * (4 * d * d + 6 * d) + 2 * d * f + f + 3 * d;
            let parameters = u64::from(layers) * one + closing;
            let kind = ModuleKind::DecoderStack { layers, closed: closing > 0 };
            ModuleSpec { kind, parameters, frozen: false, optimizer: None }
        } else {
            ModuleSpec {
                kind: ModuleKind::Embedding { vocabulary: vocabulary() },
                parameters: table,
                frozen: false,
                optimizer: None,
            }
        };
        modules.insert(name.clone(), spec);
    }
    modules
}

#[test]
fn states_loss_and_gradients_equal_those_of_pytorch() {
    let (reference, saved) = fixture::<Reference>("model_reference");
    for (name, case) in &reference.cases {
        let (plan, [encoder, decoder]) = plan_of(&reference.widths, case);
        let weights = weights_of(&plan, name, &saved);
        let network = Network::build(&plan, &weights).expect("everything is there");
        let direction = network
            .direction(Way { encoder: &encoder, bridge: None, decoder: &decoder, adapters: None })
            .expect("a path of right kinds");
        let batch = batch(&case.source, &case.target, case.unscored);
        assert_as_saved((name, &saved), &weights, &direction, &batch, case.smoothing);
    }
}

/// Position after position, with cached keys and values, gives the states of all positions at once, for some of the rows too.
#[test]
fn a_decoder_alone_decodes_step_by_step() {
    let (reference, saved) = fixture::<Reference>("model_reference");
    let name = "causal-pre";
    let case = &reference.cases[name];
    let (plan, [encoder, decoder]) = plan_of(&reference.widths, case);
    assert!(encoder.is_empty());
    let network = Network::build(&plan, &weights_of(&plan, name, &saved)).expect("a network");
    let way = Way { encoder: &encoder, bridge: None, decoder: &decoder, adapters: None };
    let direction = network.direction(way).expect("a path");
    let ids = |rows: &[&[u32]]| Ids::new(rows.iter().copied(), Device::Cpu);
    let _unrecorded = tch::no_grad_guard();
    let states = &saved[&format!("{name}/states")];
    let whole = direction.logits(states);
    let mut decoding = direction.begin(direction.encode(&ids(&[&[], &[]]), Mode::Evaluate));
    let logits = direction.advance(&mut decoding, &ids(&[&[1, 9], &[1, 9]]));
    assert_close(&logits, &whole.view([2, 4, -1]).select(1, 1), "the prompt");
    decoding.select(&[0], &[0]);
    for (at, id) in [(2, 5), (3, 4)] {
        let logits = direction.advance(&mut decoding, &ids(&[&[id]]));
        assert_close(&logits, &whole.view([2, 4, -1]).select(1, at).narrow(0, 0, 1), "a step");
    }
}

#[test]
fn decoders_and_encoders_go_together() {
    let (reference, saved) = fixture::<Reference>("model_reference");
    let case = &reference.cases["pre-relu"];
    let (plan, [encoder, decoder]) = plan_of(&reference.widths, case);
    let network = Network::build(&plan, &weights_of(&plan, "pre-relu", &saved)).expect("a network");
    let way = |encoder| Way { encoder, bridge: None, decoder: &decoder, adapters: None };
    assert!(network.direction(way(&encoder)).is_ok());
    assert_eq!(network.direction(way(&[])).err(), Some(ModelError::Encoder));
}

#[test]
fn the_fused_loss_equals_pytorchs_kernel() {
    let options = (Kind::Double, Device::Cpu);
    let leaf = |shape: [i64; 2]| Tensor::randn(shape, options).set_requires_grad(true);
    for (tokens, vocabulary, smoothing) in [(1, 3, 0.0), (150, 17_000, 0.1), (70, 5, 0.3)] {
        tch::manual_seed(tokens);
        let (states, output) = (leaf([tokens, 6]), leaf([vocabulary, 6]));
        let gold = Tensor::randint(vocabulary, [tokens], (Kind::Int64, Device::Cpu));
        let ours = cross_entropy(&states, &output, &gold, Objective::smoothed(smoothing)).root;
        let none: Option<Tensor> = None;
        let logits = states.mm(&output.tr());
        let theirs = logits.cross_entropy_loss(&gold, none, Reduction::Sum, -100, smoothing);
        assert_close(&ours, &theirs, "loss");
        let ours = Tensor::run_backward(&[ours * 3.0], &[&states, &output], false, false);
        let theirs = Tensor::run_backward(&[theirs * 3.0], &[&states, &output], false, false);
        assert_close(&ours[0], &theirs[0], "by states");
        assert_close(&ours[1], &theirs[1], "by output");
    }
}

#[test]
fn an_unrecorded_loss_is_the_same() {
    let options = (Kind::Float, Device::Cpu);
    let states = Tensor::randn([9, 4], options);
    let output = Tensor::randn([7, 4], options).set_requires_grad(true);
    let gold = Tensor::randint(7, [9], (Kind::Int64, Device::Cpu));
    let recorded = cross_entropy(&states, &output, &gold, Objective::smoothed(0.1));
    let guard = tch::no_grad_guard();
    let unrecorded = cross_entropy(&states, &output, &gold, Objective::smoothed(0.1));
    drop(guard);
    assert!(recorded.root.requires_grad() && !unrecorded.root.requires_grad());
    assert!(recorded.loss.equal(&unrecorded.loss));
    let best = states.mm(&output.tr()).argmax(1, false);
    let right = best.eq_tensor(&gold).sum(Kind::Int64).int64_value(&[]);
    assert_eq!(unrecorded.hits.map(|hits| hits.int64_value(&[])), Some(right));
}

#[test]
fn weights_of_attention_are_dropped_in_training() {
    let (reference, saved) = fixture::<Reference>("model_reference");
    let case = &reference.cases["stacks"];
    let (mut plan, [encoder, decoder]) = plan_of(&reference.widths, case);
    (plan.model.dropout, plan.model.ffn_dropout) = (0.0, 0.0);
    plan.model.attention_dropout = 0.5;
    let weights = weights_of(&plan, "stacks", &saved);
    let network = Network::build(&plan, &weights).expect("everything is there");
    let direction = network
        .direction(Way { encoder: &encoder, bridge: None, decoder: &decoder, adapters: None })
        .expect("a path");
    let batch = batch(&case.source, &case.target, case.unscored);
    let masks = Masks::new(1, &[0]);
    let loss =
        direction.loss(&batch, Mode::Train(&masks), Objective::smoothed(case.smoothing)).loss;
    assert!((loss - &saved["stacks/loss"]).abs().double_value(&[]) > 1e-3);
}

#[test]
fn dropout_depends_on_its_key_alone() {
    let (reference, saved) = fixture::<Reference>("model_reference");
    let case = &reference.cases["pre-relu"];
    let (mut plan, [encoder, decoder]) = plan_of(&reference.widths, case);
    plan.model.dropout = 0.2;
    let weights = weights_of(&plan, "pre-relu", &saved);
    let network = Network::build(&plan, &weights).expect("everything is there");
    let direction = network
        .direction(Way { encoder: &encoder, bridge: None, decoder: &decoder, adapters: None })
        .expect("a path");
    let batch = batch(&case.source, &case.target, 0);
    let masked = |step: u64| {
        let masks = Masks::new(1, &[step]);
        direction.loss(&batch, Mode::Train(&masks), Objective::smoothed(0.0)).loss.double_value(&[])
    };
    assert!((masked(1) - masked(1)).abs() < 1e-15, "one key, one mask");
    assert!((masked(1) - masked(2)).abs() > 1e-6, "other keys, other masks");
}
