//! Adapters: the ids that a pattern stands for, and each task's own.

use std::collections::BTreeSet;

use mmc_core::diagnostics::Halt;

use crate::job::{Job, Task};
use crate::warning::MammothWarning;
use crate::yaml::{Id, Value};

/// Encoder or decoder.
struct Side {
    key: &'static str,
    vocabularies: &'static str,
    language: fn(&Task) -> &str,
}

const SIDES: [Side; 2] = [
    Side { key: "encoder", vocabularies: "src_vocab", language: |task| &task.source },
    Side { key: "decoder", vocabularies: "tgt_vocab", language: |task| &task.target },
];

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    let root = job.tree.root();
    job.options()?;
    let Some(adapters) = job.tree.get(root, "adapters") else { return Ok(()) };
    let adapters = job.map(adapters, "adapters")?;
    let tasks = job.pairs()?;
    for task in &tasks {
        if job.tree.get(task.id, "adapters").is_none() {
            let own = job.tree.add(Value::Map(Vec::new()), job.tree.span(task.id));
            for side in &SIDES {
                let list = job.tree.add(Value::List(Vec::new()), job.tree.span(task.id));
                job.tree.set(own, side.key, list);
            }
            job.tree.set(task.id, "adapters", own);
        }
    }
    for side in &SIDES {
        let Some(section) = job.tree.get(adapters, side.key) else {
            let none = job.tree.add(Value::List(Vec::new()), job.tree.span(adapters));
            job.tree.set(adapters, side.key, none);
            continue;
        };
        if !job.tree.value(section).is_truthy() {
            continue;
        }
        job.map(section, side.key)?;
        for (name, adapter) in job.tree.sorted(section) {
            one(job, side, &tasks, (name, adapter))?;
        }
    }
    Ok(())
}

fn one(
    job: &mut Job<'_>,
    side: &Side,
    tasks: &[Task],
    (name, adapter): (Id, Id),
) -> Result<(), Halt> {
    let title = job.tree.text(name).unwrap_or("an adapter").to_owned();
    job.map(adapter, &title)?;
    let Some(ids) = job.tree.get(adapter, "ids") else {
        let span = job.tree.span(name);
        let help = "write `LANGUAGE`, `GROUP`, `FULL`, or a list";
        return Err(job.missing(&format!("adapter `{title}`"), "ids", span, help));
    };
    let span = job.tree.span(ids);
    let pattern = job.tree.text(ids).unwrap_or_default().to_owned();
    let (all, own) = match pattern.as_str() {
        "LANGUAGE" => {
            let own = tasks.iter().map(|task| text(job, (side.language)(task))).collect();
            (languages(job, side)?.iter().map(|code| text(job, code)).collect(), own)
        }
        "GROUP" => groups(job, side, tasks)?,
        "FULL" => (vec![text(job, "full")], tasks.iter().map(|_| text(job, "full")).collect()),
        _ => {
            job.sink.report(MammothWarning::UnusedAdapter { name: title, span });
            return Ok(());
        }
    };
    let all = job.tree.add(Value::List(all), span);
    job.tree.set(adapter, "ids", all);
    give(job, side, tasks, name, &own)
}

/// Appends `[name, id]` to each task's adapters.
fn give(job: &mut Job<'_>, side: &Side, tasks: &[Task], name: Id, own: &[Id]) -> Result<(), Halt> {
    let title = job.tree.text(name).unwrap_or_default().to_owned();
    for (task, id) in tasks.iter().zip(own) {
        let Some(adapters) = job.tree.get(task.id, "adapters") else { continue };
        let list = job.tree.get(adapters, side.key);
        let Some((list, Value::List(items))) = list.map(|list| (list, job.tree.value(list))) else {
            let span = job.tree.span(adapters);
            let section = format!("`adapters` of task `{}`", task.key);
            return Err(job.missing(&section, side.key, span, "write an empty list, `[]`"));
        };
        let mut items = items.clone();
        let name = text(job, &title);
        items.push(job.tree.add(Value::List(vec![name, *id]), job.tree.span(task.id)));
        job.tree.replace(list, Value::List(items));
    }
    Ok(())
}

fn text(job: &mut Job<'_>, text: &str) -> Id {
    job.tree.add_text(text)
}

/// All languages of a side, with and without tasks, in order.
fn languages(job: &mut Job<'_>, side: &Side) -> Result<Vec<String>, Halt> {
    let map = job.root_map(side.vocabularies, "it names the languages")?;
    let keys = job.tree.entries(map).iter().filter_map(|(key, _)| job.tree.text(*key));
    let mut languages: Vec<String> = keys.map(str::to_owned).collect();
    languages.sort_unstable();
    Ok(languages)
}

/// The groups of a side's languages, and the group of each task.
fn groups(job: &mut Job<'_>, side: &Side, tasks: &[Task]) -> Result<(Vec<Id>, Vec<Id>), Halt> {
    let groups = job.groups()?;
    let mut names = BTreeSet::new();
    for language in languages(job, side)? {
        // A language without tasks may be in no group: clusters are of languages with tasks.
        let found = if job.bugs() {
            Some(job.group(groups, &language)?)
        } else {
            job.tree.get(groups, &language)
        };
        names.extend(found.and_then(|group| job.tree.text(group)).map(str::to_owned));
    }
    let mut own = Vec::new();
    for task in tasks {
        own.push(job.group(groups, (side.language)(task))?);
    }
    Ok((names.iter().map(|name| text(job, name)).collect(), own))
}
