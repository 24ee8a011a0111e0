//! The `curriculum` block: weights, starting steps, and large tasks in several parts.

use std::collections::BTreeMap;

use mmc_syntax::Span;

use super::reader::Reader;
use super::task::Task;
use super::warning::ImportWarning;
use crate::yaml::Id;

/// Into how many parts large tasks are split.
#[derive(Debug)]
pub(super) enum Spread {
    /// None.
    Whole,
    /// Every task into as many.
    Into(u64),
    /// Those with a larger share.
    Above(f64),
}

/// A direction with the parts of its task.
#[derive(Debug, Default)]
struct Parts {
    copies: u64,
    weight: f64,
    count: u64,
    introduced: f64,
    span: Span,
}

/// Directions in order, with the sums of their parts.
fn directions(tasks: &[Task]) -> BTreeMap<(&str, &str), Parts> {
    let mut found: BTreeMap<(&str, &str), Parts> = BTreeMap::new();
    for task in tasks {
        let parts =
            found.entry((task.source.as_str(), task.target.as_str())).or_insert_with(|| Parts {
                introduced: task.introduced,
                span: task.span,
                ..Parts::default()
            });
        parts.copies = parts.copies.max(task.copies);
        parts.weight += task.weight;
        parts.count += 1;
        parts.introduced = parts.introduced.min(task.introduced);
    }
    found
}

impl Spread {
    /// The rule that splits tasks as they are; reports when there is none.
    pub(super) fn of(tasks: &[Task], reader: &mut Reader<'_>) -> Self {
        let Some(first) = tasks.iter().find(|task| task.copies > 1) else { return Self::Whole };
        let directions = directions(tasks);
        if let Some(task) = tasks.iter().find(|task| !is_whole(task, &directions)) {
            let what = format!("a part of `{}-{}` without the others", task.source, task.target);
            let help =
                "a text that is split has a task for each `offset` below `stride`, of equal weight";
            reader.no_equal(what, task.span, help);
            return Self::Whole;
        }
        if directions.values().all(|parts| parts.copies == first.copies) {
            return Self::Into(first.copies);
        }
        let total: f64 = directions.values().map(|parts| parts.weight).sum();
        let (mut least, mut most) = (0.0_f64, f64::INFINITY);
        for parts in directions.values() {
            #[expect(clippy::cast_precision_loss, reason = "copies are few")]
            let copies = parts.copies as f64;
            let share = parts.weight / total;
            least = least.max(share / copies);
            if copies > 1.0 {
                most = most.min(share / (copies - 1.0));
            }
        }
        let Some(share) = short_between(least, most) else {
            let what = "large tasks in such parts".to_owned();
            let help = "no one share tells how many parts each has: `split_large_language_pairs` gives such";
            reader.no_equal(what, first.span, help);
            return Self::Whole;
        };
        Self::Above(share)
    }
}

/// Whether all parts of a task are there, in equal weights.
fn is_whole(task: &Task, directions: &BTreeMap<(&str, &str), Parts>) -> bool {
    let parts = directions.get(&(task.source.as_str(), task.target.as_str()));
    parts.is_some_and(|parts| {
        #[expect(clippy::cast_precision_loss, reason = "copies are few")]
        let even = parts.weight / parts.count as f64;
        task.copies == 1 && parts.copies == 1
            || task.copies == parts.copies
                && parts.count == parts.copies
                && (task.weight - even).abs() <= 1e-9 * even.abs()
    })
}

/// The shortest decimal fraction of an interval that is open above.
fn short_between(least: f64, most: f64) -> Option<f64> {
    (1..=15).find_map(|digits| {
        let scale = (0..digits).fold(1.0_f64, |scale, _| scale * 10.0);
        let found = (least * scale).ceil() / scale;
        (found >= least && found < most && found > 0.0).then_some(found)
    })
}

/// Writes the block of a finished configuration.
pub(super) fn of_tasks(tasks: &[Task], spread: &Spread, span: Span, reader: &mut Reader<'_>) {
    strategy(reader);
    let directions = directions(tasks);
    let mut weights: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.copies == 1) {
        let pair = (task.source.as_str(), task.target.as_str());
        let known = *weights.entry(pair).or_insert(task.weight);
        if known.total_cmp(&task.weight).is_ne() {
            let what =
                format!("two tasks `{}-{}` with different weights", task.source, task.target);
            reader.no_equal(what, task.span, "give them the same weight");
        }
    }
    let weight =
        |pair: &(&str, &str), parts: &Parts| weights.get(pair).copied().unwrap_or(parts.weight);
    let mut all = directions.iter().map(|(pair, parts)| weight(pair, parts));
    let first = all.next().unwrap_or(1.0);
    let equal = all.all(|weight| (weight - first).abs() <= 1e-12 * first.abs());
    reader.out.put("curriculum {\n", span);
    if equal {
        reader.out.field("weight", "uniform", span);
    } else {
        reader.out.put("  weight = table({\n", span);
        for (pair, parts) in &directions {
            let row = format!("    {} -> {} = {},\n", pair.0, pair.1, weight(pair, parts));
            reader.out.put(&row, parts.span);
        }
        reader.out.put("  })\n", span);
    }
    let late: Vec<_> = directions.iter().filter(|(_, parts)| parts.introduced > 0.0).collect();
    if !late.is_empty() {
        reader.out.put("  introduce = {\n", span);
        for ((source, target), parts) in late {
            let step = parts.introduced;
            reader.out.put(&format!("    {source} -> {target} = at({step} steps),\n"), parts.span);
        }
        reader.out.put("  }\n", span);
    }
    match spread {
        Spread::Whole => {}
        Spread::Into(parts) => reader.out.field("split", &format!("into({parts})"), span),
        Spread::Above(share) => reader.out.field("split", &format!("above({share})"), span),
    }
    reader.out.put("}\n", span);
    unequal_starts(tasks, &directions, reader);
}

/// MAMMOTH draws tasks by weight, or one after the other.
fn strategy(reader: &mut Reader<'_>) {
    let root = reader.tree.root();
    let choices = [("weighted_sampling", true), ("roundrobin", false)];
    let key = "task_distribution_strategy";
    if reader.choice(root, key, "`weighted_sampling` or `roundrobin`", &choices) == Some(false) {
        let span = reader.place(key);
        let what = "tasks that take turns".to_owned();
        reader.no_equal(what, span, "`weighted_sampling` with equal weights is nearest");
    }
}

/// Parts of a task that begin at different steps, which they don't here.
fn unequal_starts(
    tasks: &[Task],
    directions: &BTreeMap<(&str, &str), Parts>,
    reader: &mut Reader<'_>,
) {
    let later = tasks.iter().find(|task| {
        let parts = directions.get(&(task.source.as_str(), task.target.as_str()));
        parts.is_some_and(|parts| task.introduced > parts.introduced)
    });
    if let Some(task) = later {
        reader.notes.push(Box::new(ImportWarning::Nearly {
            what: format!("a later start of some tasks of `{}-{}`", task.source, task.target),
            instead: "the step of the first of them".to_owned(),
            span: task.span,
            help: "MAMMOTH moves starting steps from GPU to GPU; here all begin together"
                .to_owned(),
        }));
    }
}

/// Writes the block of a meta-configuration.
pub(super) fn of_options(config: Id, reader: &mut Reader<'_>) {
    strategy(reader);
    let span = reader.key_place(config, "use_weight");
    let weighted = reader.is_on(config, "use_weight");
    let introduces = reader.is_on(config, "use_introduce_at_training_step");
    let temperature = if weighted || introduces {
        reader.number_of(config, "temperature").unwrap_or(1.0)
    } else {
        1.0
    };
    let weight =
        if weighted { format!("temperature({temperature})") } else { "uniform".to_owned() };
    reader.out.put("curriculum {\n", span);
    reader.out.field("weight", &weight, span);
    if introduces {
        let from = reader.key_place(config, "use_introduce_at_training_step");
        let rule =
            if weighted { "by_weight".to_owned() } else { format!("by_weight({temperature})") };
        reader.out.field("introduce", &rule, from);
    }
    let split = reader.given(config, "split_large_language_pairs");
    if let Some(id) = split.filter(|id| reader.tree.value(*id).is_truthy())
        && let Some(share) = reader.number("split_large_language_pairs", id)
    {
        let from = reader.tree.span(id);
        reader.out.field("split", &format!("above({share})"), from);
        if !weighted || temperature.total_cmp(&1.0).is_ne() {
            reader.notes.push(Box::new(ImportWarning::Nearly {
                what: "`split_large_language_pairs`".to_owned(),
                instead: format!("a share of {share} of the run"),
                span: from,
                help: "MAMMOTH compares (lines / all lines) ^ temperature with it, whatever tasks are drawn by".to_owned(),
            }));
        }
    }
    reader.out.put("}\n", span);
}

#[cfg(test)]
mod tests {
    use super::short_between;

    #[test]
    fn short_fractions_are_found() {
        let found = |least, most| short_between(least, most);
        assert_eq!(found(0.1, 0.2), Some(0.1));
        assert_eq!(found(0.1075, 0.16), Some(0.11));
        assert_eq!(found(0.1075, 0.1076), Some(0.1075));
        assert_eq!(found(0.2, 0.2), None);
        assert_eq!(found(0.3, 0.1), None);
    }
}
