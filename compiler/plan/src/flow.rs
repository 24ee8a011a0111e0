//! Which parts of a plan's text stand on one line: numbers, short lists of names, pairs, and a lane's tasks.
//!
//! A choice of looks alone: formats without a flow style (JSON) do not see it.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_saphyr::{FlowMap, FlowSeq};

use crate::plan::LaneTask;

/// Bytes of names that still stand on one line.
const LINE: usize = 96;

/// `[0, 1]`, however long.
pub(crate) fn numbers<S: Serializer>(numbers: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
    FlowSeq(numbers).serialize(serializer)
}

/// `[1, 2]`.
#[expect(clippy::ref_option, reason = "as serde calls it")]
pub(crate) fn columns<S: Serializer>(
    columns: &Option<[u32; 2]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    columns.as_ref().map(FlowSeq).serialize(serializer)
}

/// `[1, 5001]`, however long.
pub(crate) fn steps<S: Serializer>(steps: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    FlowSeq(steps).serialize(serializer)
}

/// One `name: [1, 2, 3]` a line.
pub(crate) fn courses<T: Serialize, S: Serializer>(
    courses: &BTreeMap<String, Vec<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(courses.len()))?;
    for (name, course) in courses {
        map.serialize_entry(name, &FlowSeq(course))?;
    }
    map.end()
}

/// `[a, b]` when that is short, else one name a line.
pub(crate) fn names<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    if is_short(names) { FlowSeq(names).serialize(serializer) } else { names.serialize(serializer) }
}

/// Whether a list of names stands on one line.
pub(crate) fn is_short(names: &[String]) -> bool {
    names.iter().map(|name| name.len() + 2).sum::<usize>() <= LINE
}

/// One `[source, target]` a line.
pub(crate) fn pairs<S: Serializer>(
    pairs: &[[String; 2]],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(pairs.iter().map(FlowSeq))
}

/// One `name: {parts: 500000, lines: [0, 1000000]}` a line.
pub(crate) fn lane_tasks<S: Serializer>(
    tasks: &BTreeMap<String, LaneTask>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(tasks.len()))?;
    for (name, task) in tasks {
        map.serialize_entry(name, &FlowMap(task))?;
    }
    map.end()
}
