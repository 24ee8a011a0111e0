//! Text of the stages' types, for `--explain`, `--emit-stage` and tests.

use std::fmt::Write as _;

use crate::ir::experiment::Experiment;
use crate::ir::ids::ModuleId;
use crate::ir::module::ModuleGraph;
use crate::ir::placement::Placement;
use crate::ir::task::TaskTable;

/// Writing into a string does not fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => { let _ = writeln!($text, $($arg)*); };
}

/// The resolved program, what it declares.
pub fn experiment(experiment: &Experiment) -> String {
    let mut text = String::new();
    let names = |names: Vec<&str>| names.join(" ");
    line!(text, "experiment {} seed {}", experiment.spec.name, experiment.spec.seed);
    line!(
        text,
        "languages {}",
        names(experiment.languages.iter().map(|language| language.code.as_str()).collect())
    );
    for grouping in &experiment.groupings {
        let members: Vec<String> = grouping
            .group_of
            .iter()
            .map(|(language, group)| format!("{language}:{group}"))
            .collect();
        line!(text, "{} {}", grouping.name, members.join(" "));
    }
    for corpus in &experiment.corpora {
        line!(text, "corpus {}", corpus.name);
    }
    for tokenizer in &experiment.tokenizers {
        line!(text, "tokenizer {} {}", tokenizer.name, tokenizer.file.value);
    }
    for block in &experiment.task_blocks {
        let pairs: Vec<String> =
            block.pairs.iter().map(|pair| format!("{}-{}", pair.source, pair.target)).collect();
        line!(text, "tasks {} {}", block.name, pairs.join(" "));
    }
    let model = &experiment.model;
    line!(text, "model dim {} heads {} ffn {}", model.dim, model.heads, model.ffn);
    for (side, stacks) in [("encoder", &model.encoder), ("decoder", &model.decoder)] {
        let stacks: Vec<String> =
            stacks.iter().map(|stack| format!("{} x {}", stack.layers, stack.sharing)).collect();
        line!(text, "{side} {}", stacks.join(", "));
    }
    text
}

/// One task a line: share in percent, lines, vocabularies.
pub fn tasks(table: &TaskTable) -> String {
    let mut text = String::new();
    for task in &table.tasks {
        let lines = task.corpus.train.lines;
        let (source, target) = (&task.source_vocabulary, &task.target_vocabulary);
        line!(text, "{} share {} lines {lines} {source} {target}", task.name, percent(task.share));
    }
    for (name, spec) in &table.vocabularies {
        line!(text, "vocabulary {name} {} pieces {}", spec.size(), spec.file);
    }
    text
}

/// Parts per billion as percent.
fn percent(share: u64) -> String {
    format!("{}.{:07}%", share / 10_000_000, share % 10_000_000)
}

/// One module a line, then one path a line.
pub fn modules(graph: &ModuleGraph, table: &TaskTable) -> String {
    let mut text = String::new();
    for (module, users) in graph.modules.iter().zip(graph.users()) {
        let (parameters, bytes) = (module.parameters, module.state_bytes);
        let tasks = users.len();
        line!(text, "{} parameters {parameters} state {bytes} tasks {tasks}", module.name);
    }
    for (task, path) in table.tasks.iter().zip(&graph.paths) {
        let names = |ids: &[ModuleId]| {
            let names: Vec<&str> =
                ids.iter().filter_map(|id| Some(graph.module(*id)?.name.as_str())).collect();
            names.join(" > ")
        };
        let (encoder, decoder) = (names(&path.encoder), names(&path.decoder));
        let bridge: Vec<ModuleId> = path.bridge.into_iter().collect();
        let bridge =
            if bridge.is_empty() { String::new() } else { format!("{} | ", names(&bridge)) };
        line!(text, "{} flops {}: {encoder} | {bridge}{decoder}", task.name, path.batch_flops);
        for (stack, inside) in &path.adapters {
            line!(text, "  in {}: {}", names(&[*stack]), names(inside));
        }
    }
    text
}

/// One lane a line.
pub fn placement(placement: &Placement) -> String {
    let mut text = String::new();
    let quality = &placement.quality;
    for (name, found) in [("tasks on lanes", &quality.lanes), ("lanes on ranks", &quality.ranks)] {
        if let Some(found) = found {
            line!(text, "{name}: cost {}, bound {}, {}", found.cost, found.bound, found.algorithm);
        }
    }
    for (lane, (spec, rank)) in placement.lanes.iter().zip(&placement.rank_of_lane).enumerate() {
        let tasks: Vec<String> = spec
            .tasks
            .iter()
            .map(|(name, task)| {
                format!("{name} {} [{}, {}]", task.parts, task.lines[0], task.lines[1])
            })
            .collect();
        line!(text, "lane {lane} rank {rank}: {}", tasks.join(", "));
    }
    text
}
