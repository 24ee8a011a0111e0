//! The graph of tasks and modules in Graphviz's language: an edge from each module to the next on a task's way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mmc_plan::{ModuleKind, Plan};

use super::EmitError;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all emitters")]
pub(super) fn emit(plan: &Plan) -> Result<String, EmitError> {
    let mut text = String::from("digraph plan {\n  rankdir = LR;\n  node [shape = box];\n");
    for (name, module) in &plan.modules {
        let style = match module.kind {
            ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => "rounded",
            ModuleKind::EncoderStack { .. } | ModuleKind::DecoderStack { .. } => "solid",
            ModuleKind::Adapter { .. } | ModuleKind::Bridge => "dashed",
        };
        let parameters = module.parameters;
        let _ = writeln!(text, "  {name:?} [style = {style}, label = \"{name}\\n{parameters}\"];");
    }
    let mut edges: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for task in plan.tasks.values() {
        let stacks = task.encoder.iter().chain(&task.bridge).chain(task.decoder.iter().skip(1));
        let way: Vec<&str> = stacks.map(String::as_str).collect();
        for pair in way.windows(2) {
            if let [from, to] = pair {
                *edges.entry((from, to)).or_default() += 1;
            }
        }
        if let [embedding, stack, ..] = task.decoder.as_slice() {
            *edges.entry((embedding, stack)).or_default() += 1;
        }
    }
    for (stack, inside) in plan.tasks.values().flat_map(|task| &task.adapters) {
        for adapter in inside {
            *edges.entry((adapter, stack)).or_default() += 1;
        }
    }
    for ((from, to), tasks) in edges {
        let _ = writeln!(text, "  {from:?} -> {to:?} [label = {tasks}];");
    }
    text.push_str("}\n");
    Ok(text)
}
