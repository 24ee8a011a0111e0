//! `optimizer` and `schedule` of the `training` block.

use mmc_plan::{Optimizer, Schedule};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::freeze;
use super::read::{Bounds, PLAIN, Reader, UnitRule, arguments, head, may_have, optional};
use super::section::{Field, Section};
use super::units::Dimension;
use crate::ir::experiment::{At, Selector};

const STEPS: UnitRule = may_have(Dimension::Steps);

/// Most steps that make sense.
const MOST: u64 = 1_000_000_000_000;

const OPTIMIZERS: &[(&str, &[&str])] = &[
    ("adafactor", &["lr", "beta2_decay", "eps", "threshold", "weight_decay"]),
    ("adagrad", &["lr", "initial", "eps", "weight_decay"]),
    ("adam", &["lr", "betas", "eps", "weight_decay"]),
    ("adamw", &["lr", "betas", "eps", "weight_decay"]),
    ("sgd", &["lr", "momentum", "weight_decay"]),
];

const SCHEDULES: &[(&str, &[&str])] = &[
    ("constant", &[]),
    ("cosine", &["warmup", "floor"]),
    ("decay", &["from", "every", "factor"]),
    ("inverse_sqrt", &["warmup"]),
    ("linear", &["warmup", "floor"]),
    ("noam", &["warmup"]),
    ("rsqrt", &["warmup"]),
];

/// The arguments of a call, read with their defaults.
struct Arguments<'r, 's, 'a> {
    call: (&'static str, Span),
    args: Vec<(&'static str, &'a Expr)>,
    reader: &'r mut Reader<'s, 'a>,
}

impl<'r, 's, 'a> Arguments<'r, 's, 'a> {
    /// Those of one of the calls that a field may hold.
    fn of(
        value: &'a Expr,
        field: &'static str,
        calls: &'static [(&'static str, &'static [&'static str])],
        reader: &'r mut Reader<'s, 'a>,
    ) -> Option<Self> {
        let value = reader.follow(value)?;
        let words: Vec<&str> = calls.iter().map(|(word, _)| *word).collect();
        let Some((word, span)) = head(value) else {
            reader.wrong_type(field, &crate::suggest::listed(&words, "or"), value);
            return None;
        };
        let Some((call, names)) = calls.iter().find(|(call, _)| *call == word) else {
            reader.unknown_choice(word, span, field, &words, &["adadelta", "lamb", "muon"]);
            return None;
        };
        let args = reader.args(call, arguments(value), names);
        Some(Self { call: (call, span), args, reader })
    }

    fn real(&mut self, name: &'static str, default: f64, bounds: Bounds) -> Option<f64> {
        optional(&self.args, name)
            .map_or(Some(default), |value| self.reader.real(value, name, PLAIN, bounds))
    }

    /// An argument without a default.
    fn needed(&mut self, name: &'static str, example: &str) -> Option<&'a Expr> {
        let example = format!("{}({example})", self.call.0);
        self.reader.argument(self.call, &self.args, name, &example)
    }

    fn steps(&mut self, name: &'static str, example: &str) -> Option<u64> {
        let value = self.needed(name, example)?;
        self.reader.whole(value, name, STEPS, (1, MOST))
    }

    /// Two numbers, `(0.9, 0.98)`.
    fn two(
        &mut self,
        name: &'static str,
        default: (f64, f64),
        bounds: Bounds,
    ) -> Option<(f64, f64)> {
        let Some(value) = optional(&self.args, name) else { return Some(default) };
        let value = self.reader.follow(value)?;
        if let ExprKind::Tuple(items) = &value.kind
            && let [first, second] = items.as_slice()
        {
            let first = self.reader.real(first, name, PLAIN, bounds);
            let second = self.reader.real(second, name, PLAIN, bounds);
            return Some((first?, second?));
        }
        let expected = format!("two numbers, `({}, {})`", default.0, default.1);
        self.reader.wrong_type(name, &expected, value);
        None
    }
}

/// Which modules have optimisers of their own: `optimizers { adapters = adamw(lr = 1e-3)  decoder = sgd(lr = 0.1) }`, or, for sets
/// that are no words, `optimizers = { decoder[0] = sgd(lr = 0.1) }`.
pub(crate) fn of_modules<'a>(
    training: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<OfModules>> {
    if let Some(block) = training.block("optimizers") {
        let words = block.fields().map(|(word, span, field)| of_word(word, span, field, reader));
        return words.collect::<Vec<_>>().into_iter().collect();
    }
    let Some(value) = training.value("optimizers") else { return Some(Vec::new()) };
    let value = reader.follow(value)?;
    let ExprKind::Map(rows) = &value.kind else {
        reader.wrong_type("optimizers", "`{ adapters = adamw(lr = 1e-3) }`", value);
        return None;
    };
    let one = |(key, value): &'a (Expr, Expr)| {
        let selector = freeze::selector(key, "optimizers", reader);
        let optimizer = optimizer(value, reader);
        Some((At { value: selector?, span: key.span }, optimizer?))
    };
    // All rows are read, so that all faults are told.
    rows.iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

/// A set of modules and their optimiser.
pub(crate) type OfModules = (At<Selector>, Optimizer);

fn of_word<'a>(
    word: &str,
    span: Span,
    field: &Field<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<OfModules> {
    let selector = freeze::named(word, span, reader);
    let Field::Value(value) = field else {
        reader.report(ResolveError::WrongType {
            field: word.to_owned(),
            expected: "an optimiser".to_owned(),
            found: "a block".to_owned(),
            span,
            help: None,
        });
        return None;
    };
    let optimizer = optimizer(value, reader);
    Some((At { value: selector?, span }, optimizer?))
}

/// `adamw(lr = 3e-4)` and its like.
pub(crate) fn optimizer<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Optimizer> {
    let mut args = Arguments::of(value, "optimizer", OPTIMIZERS, reader)?;
    let word = args.call.0;
    let lr = args.needed("lr", "lr = 3e-4");
    let lr = lr.and_then(|value| args.reader.real(value, "lr", PLAIN, Bounds::POSITIVE));
    let positive = Bounds::POSITIVE;
    // The decay of AdamW is torch's default; the others have none unless it is asked for.
    let decay = if word == "adamw" { 0.01 } else { 0.0 };
    let weight_decay = args.real("weight_decay", decay, Bounds::NOT_NEGATIVE);
    Some(match word {
        "adamw" | "adam" => {
            // Vaswani et al. 2017, section 5.3.
            let (beta1, beta2) = args.two("betas", (0.9, 0.98), Bounds::FRACTION)?;
            let eps = args.real("eps", 1e-9, positive)?;
            let (lr, weight_decay) = (lr?, weight_decay?);
            if word == "adam" {
                Optimizer::Adam { lr, beta1, beta2, eps, weight_decay }
            } else {
                Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay }
            }
        }
        // Shazeer and Stern 2018, section 9.
        "adafactor" => {
            let bounds = Bounds { low: -100.0, low_open: false, high: 0.0, high_open: true };
            let beta2_decay = args.real("beta2_decay", -0.8, bounds);
            let (eps1, eps2) = args.two("eps", (1e-30, 1e-3), positive)?;
            let threshold = args.real("threshold", 1.0, positive);
            Optimizer::Adafactor {
                lr: lr?,
                beta2_decay: beta2_decay?,
                eps1,
                eps2,
                threshold: threshold?,
                weight_decay: weight_decay?,
            }
        }
        "sgd" => {
            let momentum = args.real("momentum", 0.0, Bounds::FRACTION)?;
            Optimizer::Sgd { lr: lr?, momentum, weight_decay: weight_decay? }
        }
        _ => {
            let initial = args.real("initial", 0.0, Bounds::NOT_NEGATIVE);
            let eps = args.real("eps", 1e-10, positive);
            Optimizer::Adagrad {
                lr: lr?,
                initial: initial?,
                eps: eps?,
                weight_decay: weight_decay?,
            }
        }
    })
}

/// `inverse_sqrt(warmup = 4k)` and its like.
pub(crate) fn schedule<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Schedule> {
    let mut args = Arguments::of(value, "schedule", SCHEDULES, reader)?;
    let word = args.call.0;
    if word == "constant" {
        return Some(Schedule::Constant);
    }
    if word == "decay" {
        let example = "from = 50k, every = 10k, factor = 0.5";
        let (from, every) = (args.steps("from", example), args.steps("every", example));
        let factor = args.needed("factor", example);
        let bounds = Bounds { high: 1.0, ..Bounds::POSITIVE };
        let factor = factor.and_then(|value| args.reader.real(value, "factor", PLAIN, bounds));
        return Some(Schedule::Decay { from: from?, every: every?, factor: factor? });
    }
    let warmup = args.steps("warmup", "warmup = 4k");
    let floor = args.real("floor", 0.0, Bounds::FRACTION);
    let warmup = warmup?;
    Some(match word {
        "cosine" => Schedule::Cosine { warmup, floor: floor? },
        "linear" => Schedule::Linear { warmup, floor: floor? },
        "noam" => Schedule::Noam { warmup },
        "rsqrt" => Schedule::Rsqrt { warmup },
        _ => Schedule::InverseSqrt { warmup },
    })
}
