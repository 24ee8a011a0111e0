//! Compares two curricula: schedule, windows, the courses of tasks, the orders of lanes.

use std::collections::BTreeSet;

use crate::competence::Competence;
use crate::curriculum::{CurriculumSpec, Synchronised};
use crate::diff::compare::{Found, Owner};
use crate::diff::parts::word;
use crate::diff::{Subject, Value};
use crate::plan::Plan;
use crate::units;

pub(super) fn compare(found: &mut Found, before: &Plan, after: &Plan) {
    let CurriculumSpec { schedule, competence, windows, shares, lanes, orders } =
        &before.curriculum;
    let other = &after.curriculum;
    let owner = Owner::mathematics(Subject::Curriculum, "");
    found.field(owner, "schedule", word(schedule), word(&other.schedule));
    let words = |of: &Option<Competence>| of.as_ref().map_or(Value::Nothing, word);
    found.field(owner, "competence", words(competence), words(&other.competence));
    let firsts =
        |steps: &[u64]| Value::List(steps.iter().map(|step| units::count(*step)).collect());
    found.field(owner, "windows", firsts(windows), firsts(&other.windows));
    let names: BTreeSet<&String> = shares.keys().chain(other.shares.keys()).collect();
    for name in names
        .into_iter()
        .filter(|name| before.tasks.contains_key(*name) && after.tasks.contains_key(*name))
    {
        let course = |of: &CurriculumSpec| match of.shares.get(name) {
            None => Value::Nothing,
            Some(course) => Value::List(course.iter().map(|share| units::share(*share)).collect()),
        };
        let owner = Owner::mathematics(Subject::Curriculum, name);
        let (first, second) = (course(&before.curriculum), course(other));
        if first == second && shares.get(name) != other.shares.get(name) {
            found.field(owner, "shares", word(&shares.get(name)), word(&other.shares.get(name)));
        } else {
            found.field(owner, "shares", first, second);
        }
    }
    for lane in 0..lanes.len().max(other.lanes.len()) {
        let name = format!("lane {lane}");
        let course = |of: &CurriculumSpec| {
            let course = of.lanes.get(lane)?;
            Some(course.tasks.iter().map(|(task, parts)| format!("{task} {parts:?}")).collect())
        };
        let value = |of| Value::from(course(of).as_ref() as Option<&Vec<String>>);
        let owner = Owner::mathematics(Subject::Curriculum, &name);
        found.field(owner, "parts", value(&before.curriculum), value(other));
    }
    for lane in 0..orders.len().max(other.orders.len()) {
        let name = format!("lane {lane}");
        let order = |of: &CurriculumSpec| Value::from(of.orders.get(lane).map(|of| &of.tasks));
        let owner = Owner::mathematics(Subject::Curriculum, &name);
        found.field(owner, "order", order(&before.curriculum), order(other));
    }
}

pub(super) fn compare_synchronised(
    found: &mut Found,
    before: Option<Synchronised>,
    after: Option<Synchronised>,
) {
    let owner = Owner::other(Subject::Totals, "");
    let value = |bytes: Option<u64>| bytes.map_or(Value::Nothing, Value::Bytes);
    let independent = |of: Option<Synchronised>| value(of.map(|of| of.independent));
    found.field(owner, "synchronised.independent", independent(before), independent(after));
    let aligned = |of: Option<Synchronised>| value(of.map(|of| of.aligned));
    found.field(owner, "synchronised.aligned", aligned(before), aligned(after));
}
