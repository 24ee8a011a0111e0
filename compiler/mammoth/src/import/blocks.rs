//! Languages, groups, blocks of tasks and the machine, for both kinds of configuration.

use std::collections::BTreeMap;

use mmc_syntax::Span;

use super::reader::Reader;
use super::sharing::Grouped;
use super::transforms::{self, Wanted};
use super::warning::ImportWarning;

/// A `tasks` block.
pub(super) struct Block<'b> {
    pub(super) name: &'b str,
    pub(super) pairs: String,
    pub(super) corpus: &'b str,
    pub(super) transforms: &'b Wanted,
    pub(super) weight: Option<f64>,
}

/// `languages de, en`.
pub(super) fn languages(codes: &BTreeMap<String, Span>, reader: &mut Reader<'_>) {
    for (at, (code, span)) in codes.iter().enumerate() {
        let before = if at == 0 { "languages " } else { ", " };
        reader.out.put(&format!("{before}{code}"), *span);
    }
    let end = codes.values().next().copied().unwrap_or_default();
    reader.out.put("\n", end);
}

/// `groups { north = [da, sv] }`.
pub(super) fn groups(name: &str, found: Grouped, span: Span, reader: &mut Reader<'_>) {
    if found.groups.is_empty() {
        return;
    }
    reader.kept.groups.extend(found.renamed);
    let name = if name.is_empty() { String::new() } else { format!("{name} ") };
    reader.out.put(&format!("groups {name}{{\n"), span);
    for (group, members) in &found.groups {
        reader.out.field(group, &format!("[{}]", members.join(", ")), span);
    }
    reader.out.put("}\n", span);
}

/// Writes a `tasks` block.
pub(super) fn write(block: &Block<'_>, reader: &mut Reader<'_>) {
    let span = block.transforms.span;
    reader.out.put(&format!("tasks {} {{\n", block.name), span);
    reader.out.field("pairs", &block.pairs, span);
    reader.out.field("corpus", block.corpus, span);
    let transforms = transforms::list(block.transforms, reader);
    reader.out.field("transforms", &transforms, span);
    if let Some(weight) = block.weight {
        reader.out.field("weight", &weight.to_string(), span);
    }
    reader.out.put("}\n", span);
}

/// The machine; without GPUs, this one.
pub(super) fn cluster(nodes: f64, gpus: f64, span: Span, reader: &mut Reader<'_>) {
    if gpus < 1.0 {
        reader.out.put("cluster = laptop(ranks = 1)\n", span);
        return;
    }
    let machine = "lumi_g";
    reader.notes.push(Box::new(ImportWarning::Machine { machine, span }));
    reader
        .out
        .put(&format!("cluster = {machine}(nodes = {nodes}, gpus_per_node = {gpus})\n"), span);
}
