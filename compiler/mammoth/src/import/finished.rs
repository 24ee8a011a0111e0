//! A finished configuration: what its tasks agree on.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::Span;

use super::adapters::{self, Attached};
use super::blocks::{self, Block};
use super::curriculum::Spread;
use super::files::{self, Class, numbered};
use super::reader::Reader;
use super::sharing::{Column, Groupings, pattern};
use super::task::{self, Task};
use super::{curriculum, model, pairs, transforms};

/// Writes everything that `tasks` is about.
pub(super) fn write(reader: &mut Reader<'_>) {
    let Some(tasks) = reader.top("tasks") else { return };
    let span = reader.place("tasks");
    let (sources, targets) = (reader.codes("src_vocab"), reader.codes("tgt_vocab"));
    let keys = |codes: &BTreeMap<String, Span>| codes.keys().cloned().collect::<BTreeSet<_>>();
    let found = task::all(tasks, &keys(&sources), &keys(&targets), reader);
    let mut all = sources;
    for (code, span) in targets {
        all.entry(code).or_insert(span);
    }
    if found.is_empty() {
        if reader.faults.is_empty() {
            reader.missing("tasks", span, "without tasks there is nothing to train");
        }
        return;
    }
    blocks::languages(&all, reader);
    let mut groupings = Groupings::default();
    let patterns = patterns(&found, &mut groupings, reader);
    let attached = adapters::attached(&found, &mut groupings, reader);
    let codes: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    for (name, groups) in groupings.declared(&codes) {
        blocks::groups(&name, groups, span, reader);
    }
    let classes: Vec<Class<'_>> =
        kinds(&found).iter().flat_map(|tasks| files::classes(tasks)).collect();
    let corpora = files::write(&classes, reader);
    let wanted: Vec<_> = found.iter().map(|task| &task.transforms).collect();
    transforms::tokenizer(&wanted, reader);
    let mut count = [0, 0];
    for (class, corpus) in classes.iter().zip(&corpora) {
        write_block(class, corpus, &codes, &mut count, reader);
    }
    let (encoder, decoder) = patterns;
    model::write(&(encoder, span), &(decoder, span), &Attached::Found(attached), reader);
    let spread = Spread::of(&found, reader);
    curriculum::of_tasks(&found, &spread, span, reader);
    machine(reader);
}

/// Tasks that are treated alike, in order of the first.
fn kinds(tasks: &[Task]) -> Vec<Vec<&Task>> {
    let mut kinds: Vec<Vec<&Task>> = Vec::new();
    for task in tasks {
        let alike = |other: &&Task| {
            let (a, b) = (&task.transforms, &other.transforms);
            task.is_own() == other.is_own() && a.names == b.names && a.prefix == b.prefix
        };
        let place = kinds.iter_mut().find(|kind| kind.first().is_some_and(alike));
        match place {
            Some(kind) => kind.push(task),
            None => kinds.push(vec![task]),
        }
    }
    // Translation first, as in the folder of a person.
    kinds.sort_by_key(|kind| kind.first().is_some_and(|task| task.is_own()));
    kinds
}

fn write_block(
    class: &Class<'_>,
    corpus: &str,
    codes: &BTreeSet<&str>,
    count: &mut [usize; 2],
    reader: &mut Reader<'_>,
) {
    let Some(first) = class.members.first() else { return };
    let (kind, name) = if first.is_own() { (1, "autoencoding") } else { (0, "translation") };
    let number = count.get_mut(kind).map_or(0, |count| std::mem::replace(count, *count + 1));
    // Copies of one task are one direction; others of the same direction are blocks of their own.
    let mut rounds: Vec<BTreeSet<(&str, &str)>> = Vec::new();
    for task in class.members.iter().filter(|task| task.offset == 0) {
        let pair = (task.source.as_str(), task.target.as_str());
        match rounds.iter_mut().find(|round| !round.contains(&pair)) {
            Some(round) => drop(round.insert(pair)),
            None => rounds.push(BTreeSet::from([pair])),
        }
    }
    for (at, round) in rounds.iter().enumerate() {
        let name = numbered(name, number + at);
        let pairs = pairs::expression(round, codes);
        let block =
            Block { name: &name, pairs, corpus, transforms: &first.transforms, weight: None };
        blocks::write(&block, reader);
    }
    if let Some(count) = count.get_mut(kind) {
        *count += rounds.len().saturating_sub(1);
    }
}

/// The ids of a task on one side.
type Ids = fn(&Task) -> &Vec<String>;

/// The patterns of both sides.
fn patterns(
    tasks: &[Task],
    groupings: &mut Groupings,
    reader: &mut Reader<'_>,
) -> (Vec<String>, Vec<String>) {
    let encoder = side("encoder", |task| &task.encoder, tasks, groupings, reader);
    (encoder, side("decoder", |task| &task.decoder, tasks, groupings, reader))
}

/// The patterns of one side; reports ids that no pattern makes.
fn side(
    name: &str,
    ids: Ids,
    tasks: &[Task],
    groupings: &mut Groupings,
    reader: &mut Reader<'_>,
) -> Vec<String> {
    let Some(first) = tasks.first() else { return Vec::new() };
    let count = ids(first).len();
    if let Some(other) = tasks.iter().find(|task| ids(task).len() != count) {
        let what = format!("a task with another number of stacks in its {name}");
        reader.no_equal(what, other.span, "every task has one id for each stack");
        return Vec::new();
    }
    let mut patterns = Vec::new();
    for at in 0..count {
        let row = |task: &'_ Task| ids(task).get(at).cloned().unwrap_or_default();
        let column: Vec<String> = tasks.iter().map(row).collect();
        let rows = tasks.iter().zip(&column);
        let rows = rows.map(|(task, id)| (task.source.as_str(), task.target.as_str(), id.as_str()));
        if let Some(pattern) = pattern(&Column { rows: rows.collect() }, groupings) {
            patterns.push(pattern);
        } else {
            let what = format!("the sharing of stack {at} of the {name}");
            let help = "its ids follow from no pattern: neither from languages, nor from groups of them, nor from directions";
            reader.no_equal(what, first.span, help);
        }
    }
    patterns
}

/// Nodes and GPUs, of which three keys speak.
fn machine(reader: &mut Reader<'_>) {
    let world = reader.top_number("world_size");
    let ranks = reader.top("gpu_ranks").map(|id| (reader.items(id), reader.tree.span(id)));
    // Without GPUs there is one process, whatever the nodes.
    let has_gpus = world.is_some() || ranks.is_some();
    let nodes = if has_gpus { reader.top_number("n_nodes") } else { None };
    let nodes = nodes.unwrap_or(1.0).max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "GPUs of a node are few")]
    let listed = ranks.as_ref().map(|(items, _)| items.len() as f64);
    let gpus = match (world, listed) {
        (Some(world), _) => world / nodes,
        (None, Some(listed)) => listed,
        (None, None) => 0.0,
    };
    if let (Some((items, span)), Some(listed)) = (ranks, listed) {
        let expected =
            items.iter().zip(0_i128..).all(|(id, rank)| reader.tree.int(*id) == Some(rank));
        if !expected || listed.total_cmp(&gpus).is_ne() {
            let help =
                "`gpu_ranks` counts the GPUs of one node from 0, `world_size` those of all nodes";
            reader.no_equal("such a numbering of GPUs".to_owned(), span, help);
        }
    }
    let from = reader.place("world_size");
    blocks::cluster(nodes, gpus, from, reader);
}
