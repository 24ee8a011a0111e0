//! `tasks`: every task of the plan with its paths, modules and adapters; large ones as strided copies.

use std::collections::BTreeMap;

use mmc_core::ir::experiment::TaskBlock;
use mmc_plan::{AdapterSpec, ParallelFiles, StackSide, TaskSpec, Transform};
use mmc_syntax::Span;

use super::draft::{Draft, text, whole};
use super::error::EmitFault;
use super::schedule::{self, Sized};
use super::settings;
use super::transforms;
use crate::yaml::{Id, Value};

/// A task of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The plan's name of the task.
    pub(super) name: String,
    /// Its mapping.
    pub(super) id: Id,
    /// Which strided copy, from 0.
    pub(super) copy: u32,
    /// Of how many.
    pub(super) copies: u32,
}

/// A module's name in MAMMOTH -> in the plan, by side and stack.
type Ids = BTreeMap<(StackSide, usize, String), String>;

/// A task before it is written.
struct Row<'e> {
    name: &'e str,
    spec: &'e TaskSpec,
    block: &'e TaskBlock,
    span: Span,
}

/// Writes all tasks in order of key.
pub(super) fn write(draft: &mut Draft<'_>) -> Vec<Entry> {
    let rows = rows(draft);
    let sized: Vec<Sized<'_>> =
        rows.iter().map(|row| Sized { spec: row.spec, factor: row.block.weight }).collect();
    let weights = schedule::weights(&sized, draft);
    let starts = schedule::starts(&sized, draft);
    codes(draft);
    let (root, span) = (draft.tree.root(), draft.place("curriculum", "introduce"));
    let tasks = draft.map(root, "tasks", span);
    let mut ids = Ids::new();
    let mut entries = Vec::new();
    for (row, ((weight, copies), start)) in rows.iter().zip(weights.into_iter().zip(starts)) {
        let key = key(row, &rows);
        for copy in 0..copies {
            let key = if copies > 1 { format!("{key}_split{copy}") } else { key.clone() };
            let id = draft.map(tasks, &key, row.span);
            draft.put(id, "weight", weight.clone());
            draft.put(id, "introduce_at_training_step", whole(start));
            if copies > 1 {
                draft.put(id, "stride", whole(copies));
                draft.put(id, "offset", whole(copy));
            }
            task(row, id, &mut ids, draft);
            entries.push(Entry { name: row.name.to_owned(), id, copy, copies });
        }
    }
    entries
}

fn rows<'e>(draft: &Draft<'e>) -> Vec<Row<'e>> {
    let row = |(name, spec): (&'e String, &'e TaskSpec)| {
        let (word, _) = name.split_once('.')?;
        let block = draft.experiment.task_blocks.iter().find(|block| block.name == word)?;
        let pair = block
            .pairs
            .iter()
            .find(|pair| pair.source == spec.source && pair.target == spec.target);
        let span = pair.map_or(block.span, |pair| pair.span);
        Some(Row { name, spec, block, span })
    };
    draft.plan.tasks.iter().filter_map(row).collect()
}

/// `de-en`; of several blocks with that direction, the plan's own name.
fn key(row: &Row<'_>, rows: &[Row<'_>]) -> String {
    let is_same = |other: &&Row<'_>| {
        (&other.spec.source, &other.spec.target) == (&row.spec.source, &row.spec.target)
    };
    if rows.iter().filter(is_same).count() > 1 {
        return row.name.to_owned();
    }
    format!("{}-{}", row.spec.source, row.spec.target)
}

/// MAMMOTH splits pairs at their hyphen.
fn codes(draft: &mut Draft<'_>) {
    for language in &draft.experiment.languages {
        let used = draft.plan.languages.contains_key(&language.code);
        if used && language.code.contains('-') {
            let help = "write the code with `_`, and the files' own as `aliases = { opus = ... }`";
            draft.no_equal("a code with a hyphen", language.span, help);
        }
    }
}

fn task(row: &Row<'_>, id: Id, ids: &mut Ids, draft: &mut Draft<'_>) {
    let spec = row.spec;
    draft.put(id, "src_tgt", text(&format!("{}-{}", spec.source, spec.target)));
    paths(row, id, draft);
    let names = transforms::names(row.block, draft);
    let names = draft.texts(names);
    draft.put(id, "transforms", names);
    for transform in &spec.transforms {
        if let Transform::Prefix { source, target } = transform {
            draft.put(id, "src_prefix", text(&source.join(" ")));
            draft.put(id, "tgt_prefix", text(&target.join(" ")));
        }
    }
    for (key, side, way) in [
        ("enc_sharing_group", StackSide::Encoder, &spec.encoder),
        ("dec_sharing_group", StackSide::Decoder, &spec.decoder),
    ] {
        let sharing = sharing(side, way, ids, draft);
        let sharing = draft.texts(sharing.iter().map(String::as_str));
        draft.put(id, key, sharing);
    }
    adapters(spec, id, draft);
}

fn paths(row: &Row<'_>, id: Id, draft: &mut Draft<'_>) {
    let corpus = draft.experiment.corpora.get(row.block.corpus.value);
    let whole = corpus.map_or(row.span, |corpus| corpus.span);
    let train = corpus.and_then(|corpus| {
        let mono = corpus.mono.as_ref().map(|mono| mono.span);
        let train = corpus.train.as_ref().map(|train| train.span);
        if row.block.is_mono() { mono } else { train }
    });
    let valid = corpus.and_then(|corpus| {
        let mono = corpus.mono_valid.as_ref().map(|mono| mono.span);
        let valid = corpus.valid.as_ref().map(|valid| valid.span);
        if row.block.is_mono() { mono } else { valid }
    });
    let files = &row.spec.corpus;
    set(&files.train, id, ["path_src", "path_tgt"], train.unwrap_or(whole), draft);
    if let Some(files) = &files.valid {
        set(files, id, ["path_valid_src", "path_valid_tgt"], valid.unwrap_or(whole), draft);
    }
    if files.test.is_some() {
        let test = corpus.and_then(|corpus| corpus.test.as_ref()).map(|test| test.span);
        draft.sink.report(EmitFault::LeftOut {
            what: "`test`",
            reason: "MAMMOTH's configurations have no test text",
            span: test.unwrap_or(whole),
            help: "name it to MAMMOTH's `translate` with `--src`",
        });
    }
}

/// The two files of a set.
fn set(files: &ParallelFiles, id: Id, keys: [&str; 2], span: Span, draft: &mut Draft<'_>) {
    if files.columns.is_some() {
        let help = "make a file of each side: `cut -f1` and `cut -f2`";
        draft.no_equal("a text in columns", span, help);
        return;
    }
    for (key, side) in keys.into_iter().zip([&files.source, &files.target]) {
        let [path] = side.as_slice() else {
            let help = "join the files: `cat part.*.gz > all.gz`";
            draft.no_equal("a text in several files", span, help);
            return;
        };
        if path.strip_suffix(".zst").is_some() {
            let help = "MAMMOTH reads plain text and `.gz`";
            draft.no_equal("a text in `.zst`", span, help);
        }
        draft.put(id, key, text(path));
    }
}

/// The ids of a side's stacks.
fn sharing(side: StackSide, way: &[String], ids: &mut Ids, draft: &mut Draft<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for module in way {
        let Some(rest) = module.strip_prefix(side.word()).and_then(|rest| rest.strip_prefix('.'))
        else {
            continue;
        };
        let Some((at, shared)) = rest.split_once('.') else { continue };
        let at: usize = at.parse().unwrap_or(usize::MAX);
        let id = id_of(shared, draft);
        let first = ids.entry((side, at, id.clone())).or_insert_with(|| module.clone());
        if first != module {
            let spans = match side {
                StackSide::Encoder => &draft.experiment.model_spans.encoder,
                StackSide::Decoder => &draft.experiment.model_spans.decoder,
            };
            let span = spans.get(at).copied().unwrap_or_default();
            let (first, second, id) = (first.clone(), module.clone(), id.clone());
            draft.sink.report(EmitFault::MergedModules { first, second, id, span });
        }
        found.push(id);
    }
    found
}

/// MAMMOTH's name of what shares a module: `full`, a language, a group, directions.
fn id_of(shared: &str, draft: &Draft<'_>) -> String {
    match shared.split_once('.') {
        Some(("group", group)) => {
            let group = group.rsplit('.').next().unwrap_or(group);
            settings::group(group, draft)
        }
        Some((_, name)) => name.to_owned(),
        None => shared.to_owned(),
    }
}

/// The adapters of a task, in order of name; and their ids, at the adapter itself.
fn adapters(spec: &TaskSpec, id: Id, draft: &mut Draft<'_>) {
    let all = &draft.experiment.model.adapters;
    if all.is_empty() {
        return;
    }
    let own = draft.map(id, "adapters", draft.tree.span(id));
    for side in [StackSide::Encoder, StackSide::Decoder] {
        let mut list = Vec::new();
        for adapter in all.iter().filter(|adapter| adapter.side == side) {
            let start = format!("adapter.{}.", adapter.name);
            let mut modules = spec.adapters.values().flatten();
            let Some(shared) = modules.find_map(|module| module.strip_prefix(&start)) else {
                continue;
            };
            let shared = id_of(shared, draft);
            add_id(adapter, &shared, draft);
            list.push(draft.texts([adapter.name.as_str(), &shared]));
        }
        let list = draft.list(list);
        draft.put(own, side.word(), list);
    }
}

/// Puts an id among those of an adapter, in order, once.
fn add_id(adapter: &AdapterSpec, shared: &str, draft: &mut Draft<'_>) {
    let tree = &draft.tree;
    let sections = tree.get(tree.root(), "adapters");
    let section = sections.and_then(|all| tree.get(all, adapter.side.word()));
    let Some(map) = section.and_then(|section| tree.get(section, &adapter.name)) else { return };
    let Some(ids) = tree.get(map, "ids") else {
        let ids = draft.texts([shared]);
        draft.put(map, "ids", ids);
        return;
    };
    let mut items = tree.items(ids).to_vec();
    let place = items.binary_search_by(|item| tree.text(*item).unwrap_or_default().cmp(shared));
    if let Err(at) = place {
        items.insert(at, draft.tree.add_text(shared));
        draft.tree.replace(ids, Value::List(items));
    }
}
