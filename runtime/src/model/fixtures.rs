//! Networks that other code has computed, saved as their description and their tensors, and the comparison with ours.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mmc_plan::Plan;
use serde::de::DeserializeOwned;
use tch::{Device, Tensor};

use super::{Batch, Direction, Ids, Mode, Objective, Weights, layout};

/// Largest difference, as a part of the largest number that was expected, or of 1.
const TOLERANCE: f64 = 1e-10;

/// Tensors by name: `<case>/memory`, `<case>/<module>/<parameter>`, `<case>/grad/<module>/<parameter>`.
pub(super) type Saved = BTreeMap<String, Tensor>;

/// The description in `tests/fixtures/<name>.json` and the tensors beside it.
pub(super) fn fixture<T: DeserializeOwned>(name: &str) -> (T, Saved) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let text = std::fs::read(folder.join(format!("{name}.json"))).expect("the fixture is there");
    let tensors = Tensor::read_safetensors(folder.join(format!("{name}.safetensors")));
    let tensors = tensors.expect("the fixture is readable").into_iter().collect();
    (serde_json::from_slice(&text).expect("the fixture is JSON of this form"), tensors)
}

/// The saved parameters of a case's modules.
pub(super) fn weights_of(plan: &Plan, case: &str, saved: &Saved) -> BTreeMap<String, Weights> {
    let load = |module: &String| {
        let parameters = layout(plan, module).expect("counts agree with the formulas");
        let named = parameters.into_iter().map(|parameter| {
            let tensor = saved[&format!("{case}/{module}/{}", parameter.name)].shallow_clone();
            assert_eq!(tensor.size(), parameter.shape, "{module}/{}", parameter.name);
            (parameter.name, tensor.set_requires_grad(true))
        });
        (module.clone(), Weights::new(named.collect()))
    };
    plan.modules.keys().map(load).collect()
}

pub(super) fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.numel(), expected.numel(), "{what}: sizes");
    let difference = (found - expected.view_as(found)).abs().max().double_value(&[]);
    let scale = expected.abs().max().double_value(&[]).max(1.0);
    assert!(difference / scale < TOLERANCE, "{what}: {difference:e} apart");
}

/// States `[rows * columns, dim]` at the ids themselves: those of padding are nobody's concern.
fn of_ids(states: &Tensor, ids: &Ids) -> Tensor {
    let columns = ids.grid.columns;
    let rows = ids.lengths.iter().zip(0..);
    let places: Vec<i64> =
        rows.flat_map(|(length, row)| row * columns..row * columns + length).collect();
    let states = states.view([ids.grid.rows * columns, -1]);
    states.index_select(0, &Tensor::from_slice(&places))
}

/// The encoder's states and the logits, where some are saved, the decoder's states, the loss and every gradient of a case are those
/// that were saved.
pub(super) fn assert_as_saved(
    (case, saved): (&str, &Saved),
    weights: &BTreeMap<String, Weights>,
    direction: &Direction,
    batch: &Batch,
    smoothing: f64,
) {
    let memory = direction.encode(&batch.source, Mode::Evaluate);
    if let Some(expected) = saved.get(&format!("{case}/memory")) {
        // A bridge's states of a fixed length are all valid.
        let is_padded = memory.grid == batch.source.grid;
        let known = |all: &Tensor| if is_padded { of_ids(all, &batch.source) } else { all.copy() };
        assert_close(&known(&memory.states), &known(expected), &format!("{case} memory"));
    }
    let states = direction.decode(&batch.target, &memory, Mode::Evaluate);
    let assert_all_close = |found: &Tensor, expected: &Tensor, what: &str| {
        let [found, expected] = [found, expected].map(|all| of_ids(all, &batch.target));
        assert_close(&found, &expected, &format!("{case} {what}"));
    };
    assert_all_close(&states, &saved[&format!("{case}/states")], "states");
    if let Some(expected) = saved.get(&format!("{case}/logits")) {
        assert_all_close(&direction.logits(&states), expected, "logits");
    }
    let sum = direction.loss(batch, Mode::Evaluate, Objective::smoothed(smoothing));
    assert_close(&sum.loss, &saved[&format!("{case}/loss")], &format!("{case} loss"));
    sum.root.backward();
    for (module, weights) in weights {
        for (parameter, tensor) in weights.named() {
            let expected = &saved[&format!("{case}/grad/{module}/{parameter}")];
            assert_close(&tensor.grad(), expected, &format!("{case} {module} {parameter}"));
        }
    }
}

/// A batch of sentences whose targets are scored behind their first tokens.
pub(super) fn batch(source: &[Vec<u32>], target: &[Vec<u32>], unscored: usize) -> Batch {
    let scored: Vec<_> = target.iter().map(|row| unscored..row.len() - 1).collect();
    Batch::new(source, target, &scored, Device::Cpu)
}
