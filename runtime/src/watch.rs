//! The best validation so far, and how many have passed since: for early stopping, and for the checkpoint that is kept.

use mmc_plan::{Criterion, Measure, StopEarly};
use serde::{Deserialize, Serialize};

use crate::validation::Validation;

/// What a run that looks for its best validation remembers of them; saved with every checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// By what they were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Criterion>,
    best: Option<Best>,
    since: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Best {
    step: u64,
    value: f64,
}

impl Watch {
    /// Takes a validation into account: whether it is the best so far. The first of equals stays the best, and what is no finite
    /// number is none. Of validations that were compared by something else nothing is known.
    pub fn see(&mut self, on: Criterion, step: u64, validation: &Validation) -> bool {
        if self.on.is_some_and(|known| known != on) {
            *self = Self::default();
        }
        self.on = Some(on);
        let value = match on {
            Criterion::Loss => validation.loss,
            Criterion::Accuracy => validation.accuracy,
            Criterion::MacroLoss => validation.macro_loss,
            Criterion::MacroAccuracy => validation.macro_accuracy,
            Criterion::Bleu => validation.mean_of(Measure::Bleu),
            Criterion::Chrf => validation.mean_of(Measure::Chrf),
        };
        let exceeds = |best: Best| if on.falls() { value < best.value } else { value > best.value };
        let better = value.is_finite() && self.best.is_none_or(exceeds);
        if better {
            (self.best, self.since) = (Some(Best { step, value }), 0);
        } else {
            self.since = self.since.saturating_add(1);
        }
        better
    }

    /// Whether training ends here.
    pub fn is_over(&self, rule: StopEarly) -> bool {
        self.since >= rule.patience
    }

    /// The step of the best validation.
    pub fn best(&self) -> Option<u64> {
        self.best.map(|best| best.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(rule: StopEarly, values: &[f64]) -> (Watch, Vec<bool>) {
        let mut watch = Watch::default();
        let mut see = |(step, &value): (u64, &f64)| {
            let both = Validation { loss: value, accuracy: value, ..Validation::default() };
            watch.see(rule.on, step, &both)
        };
        let better = (1..).zip(values).map(&mut see).collect();
        (watch, better)
    }

    #[test]
    fn patience_counts_validations_without_a_new_best() {
        let rule = StopEarly { patience: 2, on: Criterion::Loss };
        let (watch, better) = saw(rule, &[3.0, 2.0, 2.5, 1.5, 1.5]);
        assert_eq!(better, [true, true, false, true, false]);
        assert_eq!((watch.best(), watch.is_over(rule)), (Some(4), false));
        let (watch, _) = saw(rule, &[3.0, 2.0, 2.5, 2.0]);
        assert_eq!((watch.best(), watch.is_over(rule)), (Some(2), true));
    }

    #[test]
    fn accuracy_is_better_when_it_is_higher() {
        let rule = StopEarly { patience: 1, on: Criterion::Accuracy };
        let (watch, better) = saw(rule, &[0.5, 0.6, 0.55]);
        assert_eq!(better, [true, true, false]);
        assert_eq!((watch.best(), watch.is_over(rule)), (Some(2), true));
    }

    #[test]
    fn what_was_compared_by_something_else_is_forgotten() {
        let mut watch = Watch::default();
        let found = Validation { loss: 3.0, accuracy: 0.5, ..Validation::default() };
        assert!(watch.see(Criterion::Loss, 1, &found) && !watch.see(Criterion::Loss, 2, &found));
        assert!(watch.see(Criterion::Accuracy, 3, &found));
        assert_eq!((watch.best(), watch.since), (Some(3), 0));
    }

    /// A large task gets worse while the mean of tasks gets better.
    #[test]
    fn means_of_tasks_are_what_they_are_compared_by() {
        for (on, [first, second]) in
            [(Criterion::MacroLoss, [2.0, 1.5]), (Criterion::MacroAccuracy, [0.5, 0.6])]
        {
            let (rule, mut watch) = (StopEarly { patience: 1, on }, Watch::default());
            let mut see = |step, mean, over_tokens: f64| {
                let found = Validation {
                    loss: over_tokens,
                    accuracy: 1.0 / over_tokens,
                    macro_loss: mean,
                    macro_accuracy: mean,
                    ..Validation::default()
                };
                watch.see(on, step, &found)
            };
            assert_eq!(
                [see(1, first, 1.0), see(2, second, 2.0), see(3, first, 0.5)],
                [true, true, false]
            );
            assert_eq!((watch.best(), watch.is_over(rule)), (Some(2), true));
        }
    }

    #[test]
    fn scores_are_better_when_they_are_higher() {
        let rule = StopEarly { patience: 1, on: Criterion::Chrf };
        let mut watch = Watch::default();
        let mut see = |step, chrf| {
            let macro_scores = [(Measure::Bleu, 100.0 - chrf), (Measure::Chrf, chrf)].into();
            watch.see(rule.on, step, &Validation { macro_scores, ..Validation::default() })
        };
        assert_eq!([see(1, 20.0), see(2, 30.0), see(3, 30.0)], [true, true, false]);
        assert_eq!((watch.best(), watch.is_over(rule)), (Some(2), true));
    }

    #[test]
    fn what_is_no_number_is_never_the_best_and_a_checkpoint_can_hold_it() {
        let rule = StopEarly { patience: 2, on: Criterion::Loss };
        let (watch, better) = saw(rule, &[f64::NAN, f64::NEG_INFINITY]);
        assert_eq!((watch.best(), better), (None, vec![false, false]));
        let saved = serde_json::to_string(&watch).unwrap();
        assert_eq!(serde_json::from_str::<Watch>(&saved).unwrap(), watch);
        let (watch, better) = saw(rule, &[f64::NAN, 2.0, f64::NAN]);
        assert_eq!((watch.best(), better), (Some(2), vec![false, true, false]));
        assert!(!watch.is_over(rule));
    }
}
