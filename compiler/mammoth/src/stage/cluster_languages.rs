//! Distances between languages to groups: average linkage, with scikit-learn's labels.

use std::collections::BTreeSet;

use mmc_core::cluster::{Cut, DistanceTable, Linkage, agglomerate};
use mmc_core::diagnostics::Halt;
use mmc_syntax::Span;

use crate::error::MammothError;
use crate::job::{Job, shortened};
use crate::warning::MammothWarning;
use crate::yaml::Value;

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    let options = job.options()?;
    let has_groups = job.option("groups")?.is_some();
    let is_counted = job.flags.count("n_groups").is_some_and(|count| count != 0)
        || job.tree.get(options, "n_groups").is_some();
    let matrix = job.text("distance_matrix")?.filter(|(path, _)| !path.is_empty());
    if !is_counted {
        let span = job.options_place();
        if job.bugs() {
            let help = "MAMMOTH needs it even where nothing is clustered";
            return Err(job.missing("`config_config`", "n_groups", span, help));
        }
        if matrix.is_none() && has_groups {
            job.sink.report(MammothWarning::NGroupsMissing { span });
        }
    }
    let Some((path, span)) = matrix else {
        if has_groups {
            return Ok(());
        }
        let span = job.options_place();
        return Err(job.halt(MammothError::NoGroups { span }));
    };
    let table = table(job, &path, span)?;
    let kept = kept(job, &table, span)?;
    let cut = cut(job, kept.len())?;
    let tree = agglomerate(&table.distances(&kept), Linkage::Average);
    write(job, &table, &kept, &tree.labels(cut), span)
}

fn table(job: &mut Job<'_>, path: &str, span: Span) -> Result<DistanceTable, Halt> {
    let read = job
        .files
        .text(path)
        .and_then(|text| DistanceTable::read(&text).map_err(|fault| fault.to_string()));
    read.map_err(|reason| {
        job.halt(MammothError::BadDistances { path: path.to_owned(), reason, span })
    })
}

/// The languages of the table that tasks use, in the table's order.
fn kept(job: &mut Job<'_>, table: &DistanceTable, span: Span) -> Result<Vec<usize>, Halt> {
    let mut used = BTreeSet::new();
    for task in job.pairs()? {
        for language in [task.source, task.target] {
            if !table.names.contains(&language) {
                let reason =
                    format!("it lacks the language `{language}` of the task `{}`", task.key);
                let path = job.text("distance_matrix")?.unwrap_or_default().0;
                return Err(job.halt(MammothError::BadDistances { path, reason, span }));
            }
            used.insert(language);
        }
    }
    let (kept, unused): (Vec<usize>, Vec<usize>) = (0..table.names.len())
        .partition(|at| table.names.get(*at).is_some_and(|name| used.contains(name)));
    if !unused.is_empty() {
        let names = unused.iter().filter_map(|at| table.names.get(*at)).map(String::as_str);
        let (number, examples) = (unused.len(), shortened(names));
        job.sink.report(MammothWarning::UnusedLanguages { number, examples, span });
    }
    Ok(kept)
}

/// Exactly one of the number of groups and the height.
fn cut(job: &mut Job<'_>, languages: usize) -> Result<Cut, Halt> {
    let count = match job.flags.count("n_groups").filter(|count| *count != 0) {
        Some(count) => Some(count),
        None => match job.option("n_groups")? {
            None => None,
            Some(id) => match job.tree.int(id).and_then(|count| i64::try_from(count).ok()) {
                Some(count) => Some(count),
                None => return Err(job.wrong(id, "n_groups", "a whole number", None)),
            },
        },
    };
    let height = job.number("cutoff_threshold")?;
    let span = job.options_place();
    let choice = |found| MammothError::ClusterChoice { found, span };
    match (count, height) {
        (Some(_), Some(_)) => Err(job.halt(choice("both are given"))),
        (None, None) => Err(job.halt(choice("none is given"))),
        (Some(groups), None) => {
            let fits = usize::try_from(groups).ok().filter(|count| (1..=languages).contains(count));
            fits.filter(|_| languages > 1)
                .map(Cut::Count)
                .ok_or_else(|| job.halt(MammothError::ClusterCount { languages, groups, span }))
        }
        (None, Some(height)) => Ok(Cut::Height(height)),
    }
}

fn write(
    job: &mut Job<'_>,
    table: &DistanceTable,
    kept: &[usize],
    labels: &[usize],
    span: Span,
) -> Result<(), Halt> {
    let groups = job.tree.add(Value::Map(Vec::new()), span);
    for (at, label) in kept.iter().zip(labels) {
        let Some(name) = table.names.get(*at) else { continue };
        let key = job.tree.add(Value::Text(name.as_str().into()), span);
        let group = job.tree.add(Value::Text(format!("group{label}").into()), span);
        job.tree.push_entry(groups, key, group);
    }
    let options = job.options()?;
    job.tree.set(options, "groups", groups);
    Ok(())
}
