//! The task table: one row a direction with text, ordered by name.

use std::collections::BTreeMap;

use mmc_plan::{CorpusFiles, Shared, TaskKind, Transform, VocabularySpec};
use mmc_syntax::source::Span;

/// All shares sum to this: parts per billion.
pub const SHARE_PARTS: u64 = 1_000_000_000;

/// Tasks with their files, vocabularies and shares.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskTable {
    /// Ordered by name; a task's place is its `TaskId`.
    pub tasks: Vec<TaskRow>,
    /// By name, see `Plan::vocabularies`.
    pub vocabularies: BTreeMap<String, VocabularySpec>,
    /// The windows of the curriculum in order; at least one, the first from step 1.
    pub windows: Vec<Window>,
}

impl TaskTable {
    /// Steps of every window of a run of so many steps.
    pub fn window_lengths(&self, steps: u64) -> Vec<u64> {
        let ends = self.windows.iter().skip(1).map(|window| window.first).chain([steps + 1]);
        self.windows.iter().zip(ends).map(|(window, end)| end - window.first).collect()
    }
}

/// Steps in which probabilities do not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First step, from 1.
    pub first: u64,
    /// Share of every task, in parts of [`SHARE_PARTS`]; all of them sum to it, and a task that is not yet there has none.
    pub shares: Vec<u64>,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// `<tasks block>.<source>-<target>`.
    pub name: String,
    /// What is learnt.
    pub kind: TaskKind,
    /// Source language.
    pub source: String,
    /// Target language.
    pub target: String,
    /// What its block multiplies its weight by.
    pub factor: f64,
    /// Share of all batches of the run, in parts of [`SHARE_PARTS`]; positive, and all of them sum to it.
    pub share: u64,
    /// Lanes that the task must lie on at least, none with more than its even part.
    pub copies: u32,
    /// Files; both sides of a set have the same number of lines.
    pub corpus: CorpusFiles,
    /// In order.
    pub transforms: Shared<Vec<Transform>>,
    /// Vocabulary of the source side.
    pub source_vocabulary: String,
    /// Vocabulary of the target side.
    pub target_vocabulary: String,
    /// The expression that asked for the direction.
    pub span: Span,
}
