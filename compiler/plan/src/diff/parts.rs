//! Compares the named things of two plans: languages, vocabularies, the model's choices, modules and tasks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::attachment::AdapterSpec;
use crate::diff::compare::{Found, Owner};
use crate::diff::{Subject, Value};
use crate::model::{Embeddings, ModelSpec, ModuleKind, ModuleSpec, StackOverride, StackPattern};
use crate::plan::{
    CorpusFiles, LanguageSpec, ParallelFiles, Plan, RankSpec, TaskSpec, VocabularySpec,
};
use crate::shared::Shared;
use crate::training::Optimizer;
use crate::units;

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Count(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Count(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

impl From<&Vec<String>> for Value {
    fn from(items: &Vec<String>) -> Self {
        Self::List(items.clone())
    }
}

impl From<&Shared<Vec<String>>> for Value {
    fn from(items: &Shared<Vec<String>>) -> Self {
        Self::List(items.to_vec())
    }
}

impl From<&Vec<u32>> for Value {
    fn from(items: &Vec<u32>) -> Self {
        Self::List(items.iter().map(u32::to_string).collect())
    }
}

/// A choice as it stands in the plan: `relu`, `linear(warmup=100)`.
pub(super) fn word<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value)
        .map_or_else(|fault| Value::Text(fault.to_string()), |value| Value::Text(written(&value)))
}

/// JSON without its quotes and colons; a map of one name to a map is a call.
fn written(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(fields) => {
            let words = |fields: &serde_json::Map<String, serde_json::Value>| {
                let words: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}={}", written(value)))
                    .collect();
                words.join(" ")
            };
            let mut only = fields.iter();
            match (only.next(), only.next()) {
                (Some((name, serde_json::Value::Object(inner))), None) => {
                    format!("{name}({})", words(inner))
                }
                _ => words(fields),
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            value.to_string()
        }
    }
}

/// `[2 x SRC_LANGUAGE, 3 x FULL]`.
pub(crate) fn stacks(patterns: &[StackPattern]) -> Vec<String> {
    let stack = |pattern: &StackPattern| format!("{} x {}", pattern.layers, pattern.sharing);
    patterns.iter().map(stack).collect()
}

pub(super) fn languages(
    found: &mut Found,
    before: &BTreeMap<String, LanguageSpec>,
    after: &BTreeMap<String, LanguageSpec>,
) {
    let facts = |spec: &LanguageSpec| {
        let groups: Vec<&str> = spec.groups.values().map(String::as_str).collect();
        if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") }
    };
    for (name, first, second) in found.pairs(Subject::Language, true, (before, after), facts) {
        let LanguageSpec { groups } = first;
        let groupings: BTreeSet<&String> = groups.keys().chain(second.groups.keys()).collect();
        for grouping in groupings {
            let of = |groups: &BTreeMap<String, String>| {
                let group = groups.get(grouping);
                Value::from(group.map(|group| match grouping.as_str() {
                    "groups" => group.clone(),
                    _ => format!("{grouping}.{group}"),
                }))
            };
            let owner = Owner::mathematics(Subject::Language, name);
            found.field(owner, "group", of(groups), of(&second.groups));
        }
    }
}

pub(super) fn vocabularies(
    found: &mut Found,
    before: &BTreeMap<String, VocabularySpec>,
    after: &BTreeMap<String, VocabularySpec>,
) {
    let facts = |spec: &VocabularySpec| format!("{} ids", units::count(spec.size().into()));
    for (name, first, second) in found.pairs(Subject::Vocabulary, true, (before, after), facts) {
        let VocabularySpec {
            kind,
            file,
            sha256,
            pieces,
            added,
            unk,
            bos,
            eos,
            pad,
            mask,
            sampling,
        } = first;
        found.field(Owner::other(Subject::Vocabulary, name), "file", file, &second.file);
        let owner = Owner::mathematics(Subject::Vocabulary, name);
        found.field(owner, "kind", word(kind), word(&second.kind));
        found.field(owner, "sha256", sha256, &second.sha256);
        found.field(owner, "pieces", *pieces, second.pieces);
        found.field(owner, "added", added, &second.added);
        found.field(owner, "unk", *unk, second.unk);
        found.field(owner, "bos", *bos, second.bos);
        found.field(owner, "eos", *eos, second.eos);
        found.field(owner, "pad", *pad, second.pad);
        found.field(owner, "mask", *mask, second.mask);
        let after = second.sampling.as_ref().map(word);
        found.field(owner, "sampling", sampling.as_ref().map(word), after);
    }
}

pub(super) fn model(found: &mut Found, before: &ModelSpec, after: &ModelSpec) {
    let ModelSpec {
        dim,
        heads,
        head_dim,
        ffn,
        attention_bias,
        ffn_bias,
        dropout,
        ffn_dropout,
        attention_dropout,
        norm,
        normalisation,
        closing_norm,
        activation,
        positions,
        init,
        encoder,
        decoder,
        overrides,
        embeddings,
        bridge,
        adapters,
    } = before;
    let owner = Owner::mathematics(Subject::Model, "");
    found.field(owner, "dim", *dim, after.dim);
    found.field(owner, "heads", *heads, after.heads);
    found.field(owner, "head_dim", *head_dim, after.head_dim);
    found.field(owner, "ffn", *ffn, after.ffn);
    found.field(owner, "attention_bias", word(attention_bias), word(&after.attention_bias));
    found.field(owner, "ffn_bias", word(ffn_bias), word(&after.ffn_bias));
    found.field(owner, "dropout", *dropout, after.dropout);
    found.field(owner, "ffn_dropout", *ffn_dropout, after.ffn_dropout);
    found.field(owner, "attention_dropout", *attention_dropout, after.attention_dropout);
    found.field(owner, "norm", word(norm), word(&after.norm));
    found.field(owner, "normalisation", word(normalisation), word(&after.normalisation));
    found.field(owner, "closing_norm", word(closing_norm), word(&after.closing_norm));
    found.field(owner, "activation", word(activation), word(&after.activation));
    found.field(owner, "positions", word(positions), word(&after.positions));
    found.field(owner, "init", word(init), word(&after.init));
    found.field(owner, "encoder", &stacks(encoder), &stacks(&after.encoder));
    found.field(owner, "decoder", &stacks(decoder), &stacks(&after.decoder));
    found.field(owner, "overrides", own_stacks(overrides), own_stacks(&after.overrides));
    found.field(owner, "bridge", bridge.as_ref().map(word), after.bridge.as_ref().map(word));
    compare_embeddings(found, embeddings, &after.embeddings);
    let by_name = |specs: &[AdapterSpec]| -> BTreeMap<String, AdapterSpec> {
        specs.iter().map(|spec| (spec.name.clone(), spec.clone())).collect()
    };
    let maps = (&by_name(adapters), &by_name(&after.adapters));
    for (name, first, second) in found.pairs(Subject::Adapter, true, maps, words) {
        let owner = Owner::mathematics(Subject::Adapter, name);
        found.field(owner, "adapter", word(first), word(second));
    }
}

fn compare_embeddings(found: &mut Found, before: &Embeddings, after: &Embeddings) {
    let owner = Owner::mathematics(Subject::Model, "");
    let Embeddings { source, target, tie_source, tie_output, scale } = before;
    found.field(owner, "embeddings.source", source.to_string(), after.source.to_string());
    found.field(owner, "embeddings.target", target.to_string(), after.target.to_string());
    found.field(owner, "embeddings.tie_source", word(tie_source), word(&after.tie_source));
    found.field(owner, "embeddings.tie_output", word(tie_output), word(&after.tie_output));
    found.field(owner, "embeddings.scale", word(scale), word(&after.scale));
}

/// `de -> en: encoder [6 x FULL]`, one an override.
fn own_stacks(overrides: &[StackOverride]) -> Value {
    let side = |name: &str, own: &Option<Vec<StackPattern>>| match own {
        None => String::new(),
        Some(patterns) => format!(" {name} [{}]", stacks(patterns).join(", ")),
    };
    let one = |own: &StackOverride| {
        let StackOverride { pairs, encoder, decoder } = own;
        let pairs: Vec<String> =
            pairs.iter().map(|[source, target]| format!("{source} -> {target}")).collect();
        format!("{}:{}{}", pairs.join(", "), side("encoder", encoder), side("decoder", decoder))
    };
    Value::List(overrides.iter().map(one).collect())
}

/// Modules with the ranks that hold and own them.
pub(super) fn modules(
    found: &mut Found,
    maps: (&BTreeMap<String, ModuleSpec>, &BTreeMap<String, ModuleSpec>),
    plans: (&Plan, &Plan),
) {
    let facts = |spec: &ModuleSpec| format!("{} parameters", units::count(spec.parameters));
    for (name, first, second) in found.pairs(Subject::Module, true, maps, facts) {
        let ModuleSpec { kind, parameters, frozen, optimizer } = first;
        let owner = Owner::mathematics(Subject::Module, name);
        found.field(owner, "kind", module_kind(kind), module_kind(&second.kind));
        found.field(owner, "parameters", *parameters, second.parameters);
        found.field(owner, "frozen", word(frozen), word(&second.frozen));
        let by = |optimizer: &Option<Optimizer>| optimizer.as_ref().map(word);
        found.field(owner, "optimizer", by(optimizer), by(&second.optimizer));
    }
    let held = |rank: &RankSpec| rank.modules.clone();
    let owned = |rank: &RankSpec| rank.owns.clone();
    compare_homes(found, Subject::Module, ("ranks", held), plans);
    compare_homes(found, Subject::Module, ("owner", owned), plans);
}

/// `encoder stack of 3 layers`.
fn module_kind(kind: &ModuleKind) -> String {
    match kind {
        ModuleKind::Embedding { vocabulary } => format!("embedding of `{vocabulary}`"),
        ModuleKind::Head { vocabulary } => format!("head of `{vocabulary}`"),
        ModuleKind::EncoderStack { layers, closed } => {
            format!("encoder stack of {layers} layers{}", closing(*closed))
        }
        ModuleKind::DecoderStack { layers, closed } => {
            format!("decoder stack of {layers} layers{}", closing(*closed))
        }
        ModuleKind::Adapter { adapter } => format!("layers of adapter `{adapter}`"),
        ModuleKind::Bridge => "bridge".to_owned(),
    }
}

fn closing(closed: bool) -> &'static str {
    if closed { " and a norm" } else { "" }
}

/// Compares which ranks list a name that both plans have.
fn compare_homes(
    found: &mut Found,
    subject: Subject,
    (field, list): (&'static str, fn(&RankSpec) -> Vec<String>),
    (before, after): (&Plan, &Plan),
) {
    let homes = |plan: &Plan| {
        let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, rank) in plan.ranks.iter().enumerate() {
            for name in list(rank) {
                homes.entry(name).or_default().push(number.to_string());
            }
        }
        homes
    };
    let (first, second) = (homes(before), homes(after));
    let both = |name: &String| {
        let known = |plan: &Plan| plan.modules.contains_key(name) || plan.tasks.contains_key(name);
        known(before) == known(after)
    };
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    for name in names.into_iter().filter(|name| both(name)) {
        let ranks = |homes: &BTreeMap<String, Vec<String>>| {
            Value::List(homes.get(name).cloned().unwrap_or_default())
        };
        found.field(Owner::other(subject, name), field, ranks(&first), ranks(&second));
    }
}

/// Tasks with their lanes and validators.
pub(super) fn tasks(
    found: &mut Found,
    maps: (&BTreeMap<String, TaskSpec>, &BTreeMap<String, TaskSpec>),
    plans: (&Plan, &Plan),
) {
    let facts = |spec: &TaskSpec| {
        let lines = units::count(spec.corpus.train.lines);
        format!("share {}, {lines} lines", units::share(spec.share))
    };
    for (name, first, second) in found.pairs(Subject::Task, true, maps, facts) {
        let TaskSpec {
            kind,
            source,
            target,
            share,
            corpus,
            transforms,
            source_vocabulary,
            target_vocabulary,
            encoder,
            bridge,
            decoder,
            adapters,
        } = first;
        let owner = Owner::mathematics(Subject::Task, name);
        found.field(owner, "kind", word(kind), word(&second.kind));
        found.field(owner, "source", source, &second.source);
        found.field(owner, "target", target, &second.target);
        found.field(owner, "share", Value::Share(*share), Value::Share(second.share));
        let shown = |task: &TaskSpec| Value::List(task.transforms.iter().map(words).collect());
        if *transforms != second.transforms {
            found.field(owner, "transforms", shown(first), shown(second));
        }
        found.field(owner, "source_vocabulary", source_vocabulary, &second.source_vocabulary);
        found.field(owner, "target_vocabulary", target_vocabulary, &second.target_vocabulary);
        found.field(owner, "encoder", encoder, &second.encoder);
        found.field(owner, "bridge", bridge.as_ref(), second.bridge.as_ref());
        found.field(owner, "decoder", decoder, &second.decoder);
        found.field(owner, "adapters", word(adapters), word(&second.adapters));
        compare_corpus(found, name, corpus, &second.corpus);
    }
    compare_task_lanes(found, plans);
    let validated = |rank: &RankSpec| rank.validates.clone();
    compare_homes(found, Subject::Task, ("validated by rank", validated), plans);
}

/// A transform in words.
fn words<T: Serialize>(value: &T) -> String {
    word(value).to_string()
}

fn compare_corpus(found: &mut Found, name: &str, before: &CorpusFiles, after: &CorpusFiles) {
    let CorpusFiles { train, valid, test, bad_lines } = before;
    let other = Owner::other(Subject::Task, name);
    found.field(other, "bad_lines", word(bad_lines), word(&after.bad_lines));
    let parts = [
        (Owner::mathematics(Subject::Task, name), TRAIN, Some(train), Some(&after.train)),
        (other, VALID, valid.as_ref(), after.valid.as_ref()),
        (other, TEST, test.as_ref(), after.test.as_ref()),
    ];
    for (owner, [source, target, columns, lines], first, second) in parts {
        let files = |part: Option<&ParallelFiles>, side: fn(&ParallelFiles) -> &Vec<String>| {
            Value::from(part.map(side))
        };
        found.field(owner, source, files(first, |p| &p.source), files(second, |p| &p.source));
        found.field(owner, target, files(first, |p| &p.target), files(second, |p| &p.target));
        let places = |part: Option<&ParallelFiles>| {
            let [source, target] = part?.columns?;
            Some(format!("{source} and {target}"))
        };
        found.field(owner, columns, places(first), places(second));
        found.field(owner, lines, first.map(|part| part.lines), second.map(|part| part.lines));
    }
}

const TRAIN: [&str; 4] = ["train.source", "train.target", "train.columns", "train.lines"];
const VALID: [&str; 4] = ["valid.source", "valid.target", "valid.columns", "valid.lines"];
const TEST: [&str; 4] = ["test.source", "test.target", "test.columns", "test.lines"];

/// Which lanes draw a task that both plans have, how often, and which lines they read.
fn compare_task_lanes(found: &mut Found, (before, after): (&Plan, &Plan)) {
    let homes = |plan: &Plan| {
        let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, lane) in plan.lanes.iter().enumerate() {
            for (name, task) in &lane.tasks {
                let [from, to] = task.lines;
                let place = format!("{number}: {} parts, lines {from}..{to}", task.parts);
                homes.entry(name.clone()).or_default().push(place);
            }
        }
        homes
    };
    let (first, second) = (homes(before), homes(after));
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let both =
        |name: &&&String| before.tasks.contains_key(**name) == after.tasks.contains_key(**name);
    for name in names.iter().filter(both) {
        let lanes = |homes: &BTreeMap<String, Vec<String>>| {
            Value::List(homes.get(*name).cloned().unwrap_or_default())
        };
        found.field(
            Owner::mathematics(Subject::Task, name),
            "lanes",
            lanes(&first),
            lanes(&second),
        );
    }
}
