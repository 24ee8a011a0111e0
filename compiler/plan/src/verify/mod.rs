//! Checks of one plan, re-derived from its own facts; no code is shared with the planner.
//!
//! What holds afterwards: every name means something, every number is in range, lanes and ranks carry exactly what they
//! must, and every gradient is summed over exactly the ranks that hold the module. That the ranks' collectives meet is proved
//! by [`crate::replay()`].

use std::fmt;

use miette::Diagnostic;
use thiserror::Error;

use crate::plan::{FORMAT, Plan};
use crate::stretch;
use index::Index;

mod attachments;
mod causal;
mod communicators;
mod curriculum;
mod estimates;
pub(crate) mod formulas;
pub(crate) mod index;
mod lanes;
mod memory;
mod modules;
mod numbers;
mod ranks;
mod synchronised;
mod tasks;

#[cfg(test)]
mod tests;

/// Tasks that are checked in one go; tests have fewer.
const STRETCH: usize = if cfg!(test) { 3 } else { 8192 };

/// The rules that a plan keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The format's version is the one that is read.
    Format,
    /// The digest is that of the plan's mathematics.
    Digest,
    /// Names are not empty and can stand in a path and in a report.
    Name,
    /// Numbers are finite and in their ranges.
    Number,
    /// Every name that is referred to exists.
    Reference,
    /// Vocabularies have distinct ids in range, and fit the modules and transforms that use them.
    Vocabulary,
    /// Both sides of a corpus have as many files, and text; columns are two of the same files.
    Corpus,
    /// A task leads through the modules that the model's patterns make of its direction.
    Path,
    /// A module is what its place says, has the parameters that its formula gives, and is used.
    Module,
    /// A lane's parts sum to `LANE_PARTS`.
    LaneParts,
    /// A task's line intervals over its lanes partition all its lines.
    Lines,
    /// A task's share is what its lanes give it, and all shares sum to a billion.
    Share,
    /// Windows go up through the run, courses fill them and lanes' orders are whole.
    Curriculum,
    /// Every lane is on exactly one rank.
    LaneRank,
    /// Every rank is a device of the cluster of its own.
    Placement,
    /// A rank holds exactly the modules of its lanes' tasks.
    RankModules,
    /// Every module has exactly one owner, which holds it.
    Owner,
    /// Every task with validation text is validated by exactly one rank, which holds its modules.
    Validation,
    /// Every module held by several ranks is in exactly one communicator, whose members are exactly its holders.
    Communicator,
    /// Parameters, state, activations and operations are what the formulas give.
    Estimate,
    /// State and activations fit the device.
    Memory,
}

/// A rule that a plan breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error, Diagnostic)]
#[error("plan breaks rule `{rule:?}` at {place}: {message}")]
#[diagnostic(
    code(mmc::plan::broken),
    help("a plan that `mmc` wrote keeps every rule: make it again from its source")
)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What breaks it, e.g. ``task `t.de-en` ``.
    pub place: String,
    /// What was found and what was expected.
    pub message: String,
}

/// Checks every rule and gives all violations, in order of rule and place.
pub fn verify(plan: &Plan) -> Result<(), Vec<Violation>> {
    let (digest, mut violations) = examine(plan);
    if plan.digest != digest {
        let message = format!("`{}`, but the mathematics has `{digest}`", plan.digest);
        violations.push(Violation { rule: Rule::Digest, place: "the digest".to_owned(), message });
        violations.sort();
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// The digest that a plan must have, and all violations of other rules, in order of rule and place: for a fresh plan, which gets
/// its digest here, so that it is taken once.
pub fn examine(plan: &Plan) -> (String, Vec<Violation>) {
    let is_long = plan.tasks.len() > STRETCH;
    stretch::both(is_long, || plan.mathematics_digest(), || violations(plan))
}

/// All violations but of the digest.
fn violations(plan: &Plan) -> Vec<Violation> {
    let index = Index::new(plan);
    let found = stretch::every(plan.tasks.len() > STRETCH, CHECKS, |check| {
        let mut findings = Findings::default();
        check(plan, &index, &mut findings);
        findings.violations
    });
    let mut violations = found.concat();
    violations.sort();
    violations
}

/// Finds violations of some rules.
type Check = fn(&Plan, &Index<'_>, &mut Findings);

/// All checks; none depends on what another finds. Those that take longest are begun first.
const CHECKS: &[Check] = &[
    tasks::check,
    modules::check,
    lanes::check,
    estimates::check,
    synchronised::check,
    ranks::check,
    communicators::check,
    |plan, _, findings| format(plan, findings),
    |plan, _, findings| numbers::check(plan, findings),
    |plan, _, findings| attachments::check(plan, findings),
    |plan, _, findings| causal::model(plan, findings),
    |plan, _, findings| curriculum::check(plan, findings),
];

fn format(plan: &Plan, findings: &mut Findings) {
    findings.expect(plan.format == FORMAT, Rule::Format, || {
        ("the plan", format!("format {}, not {FORMAT}", plan.format))
    });
}

/// The violations found so far.
#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
}

impl Findings {
    /// Records a violation.
    fn add(&mut self, rule: Rule, place: impl fmt::Display, message: impl fmt::Display) {
        let (place, message) = (place.to_string(), message.to_string());
        self.violations.push(Violation { rule, place, message });
    }

    /// Records a violation unless `kept`; the words are made only when they are needed.
    fn expect<P: fmt::Display, M: fmt::Display>(
        &mut self,
        kept: bool,
        rule: Rule,
        words: impl FnOnce() -> (P, M),
    ) {
        if !kept {
            let (place, message) = words();
            self.add(rule, place, message);
        }
    }
}
