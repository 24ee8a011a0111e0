//! What translations of validation text are scored by, and the numbers of a validation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{Plan, TaskKind, TaskSpec};
use crate::training::Criterion;

/// How validation text is translated and scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoresSpec {
    /// Each at most once, at least one.
    pub measures: Vec<Measure>,
    /// Hypotheses kept open, 1 to [`WIDEST_BEAM`]; 1 is greedy search.
    pub beam: u32,
    /// Pairs of each task's text, from its beginning; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentences: Option<u64>,
}

/// Most hypotheses of a sentence.
pub const WIDEST_BEAM: u32 = 1000;

/// A score of a corpus, 0 to 100, more is better; both by sacreBLEU's rules and defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// BLEU of up to four words (Papineni et al. 2002), words by `13a`.
    Bleu,
    /// chrF2, of up to six characters (Popović 2015).
    Chrf,
}

impl Measure {
    /// Numbers of which a corpus's score is made, and that are sums over its segments.
    pub fn numbers(self) -> u64 {
        match self {
            // Of each order n-grams that match and all; words of translations and of references.
            Self::Bleu => 2 * 4 + 2,
            // Of each order n-grams of translations, of references and of both.
            Self::Chrf => 3 * 6,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bleu => "bleu",
            Self::Chrf => "chrf",
        })
    }
}

impl Criterion {
    /// The measure that has to be scored for it, if any.
    pub fn measure(self) -> Option<Measure> {
        match self {
            Self::Loss | Self::Accuracy | Self::MacroLoss | Self::MacroAccuracy => None,
            Self::Bleu => Some(Measure::Bleu),
            Self::Chrf => Some(Measure::Chrf),
        }
    }
}

/// Numbers of a task in every validation: sum of losses, tokens predicted first, target tokens, and the pairs left out for each of
/// four reasons.
const LOSS_SCALARS: u64 = 3 + 4;

impl Plan {
    /// How a task's validation text is translated and scored; none where it has no such text, is no translation, or no plan asks
    /// for it.
    pub fn scores_of(&self, task: &TaskSpec) -> Option<&ScoresSpec> {
        let scored = task.kind == TaskKind::Translate && task.corpus.valid.is_some();
        self.training.scores.as_ref().filter(|_| scored)
    }

    /// Numbers of a task in a validation: sum of losses, tokens predicted first, target tokens, pairs left out as empty, as too
    /// long, as not UTF-8, and by a filter; with scores, the pairs scored and the numbers of each measure.
    pub fn task_scalars(&self) -> u64 {
        let of_measures = |scores: &ScoresSpec| -> u64 {
            1 + scores.measures.iter().map(|measure| measure.numbers()).sum::<u64>()
        };
        LOSS_SCALARS + self.training.scores.as_ref().map_or(0, of_measures)
    }
}
