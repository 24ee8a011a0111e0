//! `mmc groups`: the groupings of an experiment, with the tree and the cut of those that were found by distances.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mmc_core::ir::experiment::Grouping;

use crate::error::{CliError, Exit, Stop};
use crate::program::SourceArguments;
use crate::{dendrogram, output, report};

/// Options of `mmc groups`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiment (`.mmc`)
    file: PathBuf,
    #[command(flatten)]
    source: SourceArguments,
    /// Only this grouping (the one without a name is `groups`)
    #[arg(long, value_name = "NAME")]
    grouping: Option<String>,
    /// For people (`text`), or a drawing of one grouping's tree (`svg`)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How groupings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text
    Text,
    /// SVG
    Svg,
}

/// Shows the groupings.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let experiment = arguments.source.resolve(&arguments.file)?;
    let wanted = |grouping: &&Grouping| {
        arguments.grouping.as_ref().is_none_or(|name| *name == grouping.name)
    };
    let groupings: Vec<&Grouping> = experiment.groupings.iter().filter(wanted).collect();
    if groupings.is_empty() {
        let names: Vec<&str> =
            experiment.groupings.iter().map(|grouping| grouping.name.as_str()).collect();
        let message = match &arguments.grouping {
            Some(name) => format!("there is no grouping `{name}`"),
            None => format!("`{}` has no groupings", arguments.file.display()),
        };
        let help = match names.as_slice() {
            [] => "declare one: `groups = by(family)`".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        return Err(CliError::Usage { message, help }.into());
    }
    let text = match arguments.format {
        Format::Text => groupings
            .iter()
            .map(|grouping| dendrogram::text(grouping))
            .collect::<Vec<_>>()
            .join("\n"),
        Format::Svg => svg(&groupings)?,
    };
    match &arguments.output {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::FINE)
}

/// A drawing holds one tree.
fn svg(groupings: &[&Grouping]) -> Result<String, Stop> {
    let drawn: Vec<(&str, String)> = groupings
        .iter()
        .filter_map(|grouping| Some((grouping.name.as_str(), dendrogram::svg(grouping)?)))
        .collect();
    match drawn.as_slice() {
        [(_, drawing)] => Ok(drawing.clone()),
        [] => Err(CliError::Usage {
            message: "no tree to draw: the groups were not found by distances".to_owned(),
            help: "`--format text` shows them; `groups = cluster(...)` finds some".to_owned(),
        }
        .into()),
        several => Err(CliError::Usage {
            message: format!("{} trees, and a drawing holds one", several.len()),
            help: format!(
                "say which: `--grouping {}`",
                several.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("` or `--grouping ")
            ),
        }
        .into()),
    }
}
