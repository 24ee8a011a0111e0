//! The difference of two plans, by name: what changed in the mathematics, and what only in placement, cost or naming.

use std::fmt;

use serde::Serialize;

use crate::plan::Plan;
use crate::units;

mod compare;
mod curriculum;
mod parts;
mod text;

pub(crate) use parts::stacks;

#[cfg(test)]
mod tests;

/// The difference of two plans.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanDiff {
    /// Whether both train equal parameters: their digests, made anew, are equal.
    pub same_mathematics: bool,
    /// The digests of both, made anew.
    pub digests: [String; 2],
    /// Every change; none for equal plans.
    pub changes: Vec<Change>,
}

/// One change of one named thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What kind of thing.
    pub subject: Subject,
    /// Its name; empty for the things that a plan has once.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether trained parameters depend on it.
    pub mathematics: bool,
    /// What happened to it.
    #[serde(flatten)]
    pub what: What,
}

/// The things of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Format and digest.
    Plan,
    /// Name, seed, output.
    Experiment,
    /// A language.
    Language,
    /// A vocabulary.
    Vocabulary,
    /// The model's choices.
    Model,
    /// An adapter.
    Adapter,
    /// A module.
    Module,
    /// A task.
    Task,
    /// Steps, batches, optimiser, schedule.
    Training,
    /// The curriculum.
    Curriculum,
    /// A lane.
    Lane,
    /// The machine.
    Cluster,
    /// How good the placement is.
    Placement,
    /// A rank.
    Rank,
    /// A communicator.
    Communicator,
    /// Sums over all ranks.
    Totals,
    /// The whole run.
    Run,
}

/// What happened to a thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum What {
    /// Only the second plan has it.
    Added {
        /// What it is, in words.
        facts: String,
    },
    /// Only the first plan has it.
    Removed {
        /// What it was, in words.
        facts: String,
    },
    /// A field has another value.
    Changed {
        /// The field.
        field: &'static str,
        /// In the first plan.
        before: Value,
        /// In the second.
        after: Value,
    },
    /// A set has other members.
    Members {
        /// The field.
        field: &'static str,
        /// Members that only the second plan has.
        added: Vec<String>,
        /// Members that only the first has.
        removed: Vec<String>,
    },
}

/// The value of a field; a plain number or text for machines, with its unit for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Not there.
    Nothing,
    /// A whole number.
    Count(u64),
    /// A number.
    Number(f64),
    /// Parts per billion.
    Share(u64),
    /// Bytes.
    Bytes(u64),
    /// Floating-point operations.
    Flops(u64),
    /// Seconds.
    Seconds(f64),
    /// A name or other text.
    Text(String),
    /// Things in order.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Count(number) => f.write_str(&units::count(*number)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Share(parts) => f.write_str(&units::share(*parts)),
            Self::Bytes(number) => f.write_str(&units::bytes(*number)),
            Self::Flops(number) => f.write_str(&units::flops(*number)),
            Self::Seconds(number) => f.write_str(&units::seconds(*number)),
            Self::Text(text) => f.write_str(text),
            Self::List(items) => write!(f, "[{}]", items.join(", ")),
        }
    }
}

impl Value {
    /// The whole value without unit or rounding.
    fn exact(&self) -> String {
        match self {
            Self::Share(number) | Self::Bytes(number) | Self::Flops(number) => {
                units::count(*number)
            }
            Self::Seconds(number) => number.to_string(),
            Self::Nothing | Self::Count(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => {
                self.to_string()
            }
        }
    }
}

impl PlanDiff {
    /// What leads from the first plan to the second.
    pub fn new(before: &Plan, after: &Plan) -> Self {
        let digests = [before.mathematics_digest(), after.mathematics_digest()];
        let [first, second] = &digests;
        let same_mathematics = first == second;
        Self { same_mathematics, changes: compare::plans(before, after), digests }
    }

    /// Whether the plans are equal.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
