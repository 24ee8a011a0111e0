//! What a step does with losses and gradients that are no finite numbers.

use std::ops::Range;

use mmc_plan::OnNan;
use mmc_plan::sample::Sample;
use tch::Device;

use super::*;
use crate::dist::Seat;
use crate::model::Network;

/// A step, and what it left.
struct Done {
    said: Result<StepRecord, WorkerError>,
    /// The scale behind it.
    scale: Option<f64>,
    /// Steps left out so far.
    skips: Skips,
    /// All parameters.
    parameters: Vec<Tensor>,
    /// Whether some parameter, moment or count of updates changed.
    learnt: bool,
}

/// The first steps of a direction, before each of which `spoil` has its way with it, up to a fault.
fn steps(
    count: u64,
    change: impl FnOnce(&mut Sample),
    spoil: impl FnMut(u64, &mut Stepper<'_>, &mut Store),
) -> Vec<Done> {
    steps_with(count, (change, false), spoil)
}

/// The same, with copies of parameters in 16 bits if so asked.
fn steps_with(
    count: u64,
    (change, copies): (impl FnOnce(&mut Sample), bool),
    mut spoil: impl FnMut(u64, &mut Stepper<'_>, &mut Store),
) -> Vec<Done> {
    let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
    change(&mut sample);
    let precision = sample.training.precision;
    let plan = sample.plan();
    let (host, port) = (String::new(), 0);
    let seat = Seat { rank: 0, world: 1, local_rank: 0, local_world: None, host, port };
    let world = World::join(&plan, seat, Device::Cpu, std::time::Duration::from_secs(1)).unwrap();
    let mut store = Store::new(&plan, 0, Device::Cpu).unwrap();
    if copies {
        store.compute_in_copies(&plan).unwrap();
        assert!(store.whole_weights().unwrap().is_some());
    }
    let network = Network::build(&plan, &store.weights()).unwrap().computing_in(precision);
    let direction =
        |(name, task): (&String, &TaskSpec)| (name.clone(), network.direction(task).unwrap());
    let directions = plan.tasks.iter().map(direction).collect();
    let mut stepper = Stepper::new(&plan, &world, directions).unwrap();
    let batch = || {
        let row = std::slice::from_ref::<Range<usize>>;
        Batch::new(&[vec![5, 6, 2]], &[vec![1, 7, 2]], row(&(0..2)), Device::Cpu)
    };
    let of_five = || {
        let source: Vec<Vec<u32>> =
            (0..5).map(|n| [vec![5 + n; n as usize + 1], vec![2]].concat()).collect();
        let target: Vec<Vec<u32>> =
            source.iter().rev().map(|row| [&[1], row.as_slice()].concat()).collect();
        let scored: Vec<Range<usize>> = target.iter().map(|row| 0..row.len() - 1).collect();
        Batch::new(&source, &target, &scored, Device::Cpu)
    };
    let supply: &mut Supply<'_> = &mut |_, _| Ok(vec![batch(), of_five()]);
    let state = |store: &Store| -> Vec<(Tensor, Tensor, Tensor, u64)> {
        let of = |m: &ModuleStore| (m.flat.copy(), m.mean.copy(), m.square.copy(), m.updates);
        store.modules.values().map(of).collect()
    };
    let mut done = Vec::new();
    for step in 1..=count {
        spoil(step, &mut stepper, &mut store);
        let before = state(&store);
        let said = stepper.run(step, &mut store, supply, false);
        let left = store.modules.values().map(|module| module.gradient.abs().sum(Kind::Double));
        assert!(said.is_err() || left.into_iter().all(|sum| sum.double_value(&[]) < 1e-300));
        // What is no number stays the same, but does not equal itself.
        let same = |a: &Tensor, b: &Tensor| {
            a.nan_to_num(7.0, 8.0, 9.0).equal(&b.nan_to_num(7.0, 8.0, 9.0))
        };
        let kept = before
            .iter()
            .zip(&state(&store))
            .all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1) && same(&a.2, &b.2) && a.3 == b.3);
        let (scale, failed) = (stepper.scaler.map(Scaler::scale), said.is_err());
        let parameters = store.modules.values().map(|module| module.flat.copy()).collect();
        done.push(Done { said, scale, skips: stepper.skips, parameters, learnt: !kept });
        if failed {
            break;
        }
    }
    done
}

/// As GPUs do.
#[test]
fn copies_in_16_bits_learn_what_parameters_do_that_are_rounded_at_every_use() {
    for precision in [Precision::Bf16, Precision::Fp16] {
        let [rounded, copied] = [false, true].map(|copies| {
            let change = |sample: &mut Sample| sample.training.precision = precision;
            let last = steps_with(3, (change, copies), |_, _, _| ()).pop().unwrap();
            assert!(last.learnt);
            (last.said.unwrap(), last.parameters)
        });
        assert_eq!(rounded.0.losses, copied.0.losses);
        assert_eq!(rounded.0.norm, copied.0.norm);
        assert!(rounded.1.iter().zip(&copied.1).all(|(one, other)| one.equal(other)));
    }
}

/// The first step at a precision.
fn first(precision: Precision, spoil: impl FnOnce(&mut Stepper<'_>, &mut Store)) -> Done {
    let mut spoil = Some(spoil);
    let once = |_, stepper: &mut Stepper<'_>, store: &mut Store| {
        spoil.take().into_iter().for_each(|spoil| spoil(stepper, store));
    };
    steps(1, |sample| sample.training.precision = precision, once).remove(0)
}

/// What the first step says after `spoil` had its way with the rank's modules.
fn fault(spoil: impl FnOnce(&mut Store)) -> String {
    let first = first(Precision::Fp32, |_, store| spoil(store));
    first.said.unwrap_err().to_string()
}

#[test]
fn a_gradient_that_overflows_half_precision_changes_nothing_but_the_scale() {
    let with =
        |scale: f64| first(Precision::Fp16, |stepper, _| stepper.scaler = Some(Scaler::at(scale)));
    let huge = 2.0_f64.powi(40);
    let skipped = with(huge);
    let record = skipped.said.unwrap();
    assert_eq!((record.norm, record.scale), (None, Some(huge)));
    assert_eq!((skipped.scale, skipped.learnt), (Some(huge / 2.0), false));
    // Powers of two are divided out again.
    let [one, other] = [256.0, 1024.0].map(with);
    assert!(one.learnt && other.learnt);
    assert_eq!((one.scale, other.scale), (Some(256.0), Some(1024.0)));
    let [one, other] = [one, other].map(|first| first.said.unwrap().norm.unwrap());
    assert!((one / other - 1.0).abs() < 1e-3, "{one} is not {other}");
}

#[test]
fn a_gradient_that_overflows_unscaled_is_a_fault_in_half_precision_too() {
    let spoilt = |scale: f64| {
        first(Precision::Fp16, |stepper, store| {
            stepper.scaler = Some(Scaler::at(scale));
            let gradient = &mut store.module("encoder.1.full").unwrap().gradient;
            let _ = gradient.f_fill_(f64::INFINITY).unwrap();
        })
    };
    assert_eq!(spoilt(2.0).said.unwrap().norm, None);
    let said = spoilt(Scaler::LEAST).said.unwrap_err().to_string();
    assert!(said.contains("gradient of module `encoder.1.full`"), "{said}");
}

#[test]
fn a_loss_that_is_no_number_is_named_with_batch_task_and_modules() {
    let said = fault(|store| {
        let _ = store.module("encoder.1.full").unwrap().flat.f_fill_(f64::NAN).unwrap();
    });
    assert!(said.starts_with("step 1, lane 0, task `t."), "{said}");
    assert!(said.contains("batch 1 of 2 has a loss of NaN"), "{said}");
    assert!(said.contains("parameters that are not finite: of `encoder.1.full`"), "{said}");
    // Products overflow, although every parameter is a number.
    let said = fault(|store| {
        let _ = store.module("encoder.1.full").unwrap().flat.f_fill_(1e30).unwrap();
    });
    assert!(said.contains("are finite: `") && said.contains("`encoder.1.full`"), "{said}");
}

#[test]
fn a_gradient_that_is_no_number_is_named_with_its_module_and_tasks() {
    let said = fault(|store| {
        let gradient = &mut store.module("encoder.1.full").unwrap().gradient;
        let _ = gradient.f_fill_(f64::INFINITY).unwrap();
    });
    assert!(said.contains("gradient of module `encoder.1.full`"), "{said}");
    assert!(said.contains("norm of inf (tasks t."), "{said}");
}

/// Fills what belongs to the shared encoder.
fn fill(store: &mut Store, of: fn(&mut ModuleStore) -> &mut Tensor, value: f64) {
    let _ = of(store.module("encoder.1.full").unwrap()).f_fill_(value).unwrap();
}

#[test]
fn a_step_that_is_left_out_changes_nothing_and_is_put_down_to_its_batch() {
    let skip = |sample: &mut Sample| sample.training.on_nan = OnNan::Skip { most: 1 };
    let mut kept = None;
    let done = steps(4, skip, |step, _, store| match step {
        2 | 4 => {
            kept = Some(store.module("encoder.1.full").unwrap().flat.copy());
            fill(store, |module| &mut module.flat, f64::NAN);
        }
        3 => store.module("encoder.1.full").unwrap().flat.copy_(kept.as_ref().unwrap()),
        _ => {}
    });
    let learnt: Vec<bool> = done.iter().map(|step| step.learnt).collect();
    assert_eq!(learnt, [true, false, true, false]);
    let skips: Vec<[u64; 2]> =
        done.iter().map(|step| [step.skips.in_a_row.into(), step.skips.in_all]).collect();
    assert_eq!(skips, [[0, 0], [1, 1], [0, 1], [1, 2]]);
    let said: Vec<&StepRecord> = done.iter().map(|step| step.said.as_ref().unwrap()).collect();
    assert!(said[0].skipped.is_none() && said[2].norm.is_some() && said[1].losses.is_empty());
    assert_eq!((said[1].norm, said[1].target_tokens), (None, 22));
    let Some(Skipped { batches, tasks }) = &said[1].skipped else { panic!("{:?}", said[1]) };
    assert_eq!(batches.len(), 1);
    assert_eq!((batches[0].lane, batches[0].batch), (0, 1));
    assert_eq!(tasks.as_slice(), [batches[0].task.clone()]);
}

#[test]
fn one_step_more_than_may_be_left_out_in_a_row_is_a_fault() {
    let skip = |sample: &mut Sample| sample.training.on_nan = OnNan::Skip { most: 2 };
    let done =
        steps(9, skip, |_, _, store| fill(store, |module| &mut module.gradient, f64::INFINITY));
    let [first, second, last] = done.as_slice() else { panic!("{} steps", done.len()) };
    for step in [first, second] {
        let Some(Skipped { batches, tasks }) = &step.said.as_ref().unwrap().skipped else {
            panic!("{:?}", step.said)
        };
        assert!(batches.is_empty() && tasks.len() == 1 && tasks[0].starts_with("t."));
    }
    let said = last.said.as_ref().unwrap_err().to_string();
    assert!(
        said.starts_with("step 3 (behind 2 that `on_nan` left out): the gradient of"),
        "{said}"
    );
}

#[test]
fn a_scale_that_was_too_large_counts_as_none_of_those_left_out() {
    let half = |Sample { training, .. }: &mut Sample| {
        (training.precision, training.on_nan) = (Precision::Fp16, OnNan::Skip { most: 1 });
    };
    let done = steps(4, half, |step, stepper, store| match step {
        1 | 2 => {
            stepper.scaler = Some(Scaler::at(if step == 1 { 2.0 } else { Scaler::LEAST }));
            fill(store, |module| &mut module.gradient, f64::INFINITY);
        }
        3 => stepper.scaler = Some(Scaler::at(2.0_f64.powi(40))),
        _ => fill(store, |module| &mut module.flat, f64::NAN),
    });
    let skips: Vec<u32> = done.iter().map(|step| step.skips.in_a_row).collect();
    assert_eq!(skips, [0, 1, 1, 1]);
    assert_eq!(done[1].scale, Some(Scaler::LEAST));
    assert!(done.iter().all(|step| !step.learnt));
    assert!(done[3].said.as_ref().is_err_and(|fault| fault.to_string().contains("loss of NaN")));
}

/// A first batch of one sentence, a second of five. Memory is too small when all has been computed, so that all must be dropped.
#[test]
fn batches_that_memory_is_too_small_for_come_to_the_same_in_parts() {
    let plain = |sample: &mut Sample| {
        sample.training.precision = Precision::Fp64;
        let model = &mut sample.model;
        (model.dropout, model.ffn_dropout, model.attention_dropout) = (0.0, 0.0, 0.0);
    };
    let with = |fitting: Option<usize>| steps(2, plain, |_, stepper, _| stepper.fitting = fitting);
    let whole = with(None);
    let record = |done: &Done| done.said.as_ref().unwrap().clone();
    assert!(whole.iter().all(|done| record(done).splits.is_empty() && done.learnt));
    for (fitting, parts) in [(4, 3), (2, 4), (1, 6)] {
        for (one, other) in whole.iter().zip(&with(Some(fitting))) {
            let (a, b) = (record(one), record(other));
            let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} is not {b}");
            close(a.norm.unwrap(), b.norm.unwrap());
            a.losses.values().zip(b.losses.values()).for_each(|(a, b)| close(*a, *b));
            assert_eq!((a.source_tokens, a.target_tokens), (b.source_tokens, b.target_tokens));
            for (x, y) in one.parameters.iter().zip(&other.parameters) {
                assert!(x.allclose(y, 1e-9, 1e-12, false), "{fitting}");
            }
            let [SplitLane { lane: 0, task, sentences: 5, parts: told }] = b.splits.as_slice()
            else {
                panic!("{:?}", b.splits)
            };
            assert!(task.starts_with("t.") && *told == parts, "{fitting}: {told}");
        }
    }
    let none = with(Some(0)).remove(0).said.unwrap_err().to_string();
    assert!(
        none.contains("memory is too small for one sentence of 3 source and 2 target"),
        "{none}"
    );
}

/// Masks of parts are their own, and the same each time.
#[test]
fn parts_with_dropout_come_to_the_same_each_time() {
    let with = |fitting: Option<usize>| {
        steps(2, |sample| sample.model.dropout = 0.2, |_, stepper, _| stepper.fitting = fitting)
    };
    let (whole, [one, again]) = (with(None), [with(Some(2)), with(Some(2))]);
    let equal = |a: &[Done], b: &[Done]| {
        let pairs = a.iter().zip(b).flat_map(|(a, b)| a.parameters.iter().zip(&b.parameters));
        pairs.into_iter().all(|(a, b)| a.equal(b))
    };
    assert!(one.iter().all(|done| done.learnt && done.said.is_ok()));
    assert!(equal(&one, &again) && !equal(&one, &whole));
}
