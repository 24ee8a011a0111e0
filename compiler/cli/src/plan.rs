//! `mmc plan`: a source to its plan, the stages on the way, or the comparison with a golden plan.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mmc_core::resolve::ClusterChange;
use mmc_core::{Options, StageText, Watch};
use mmc_plan::Plan;
use mmc_plan::diff::PlanDiff;

use crate::error::{At as _, CliError, Exit, Stop};
use crate::program::{self, ProgramArguments};
use crate::times::Times;
use crate::{output, passes, report, what_if};

/// Options of `mmc plan`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Where to write the plan [default: standard output]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["explain", "emit_stage", "golden"])]
    output: Option<PathBuf>,
    /// The plan's file (`yaml`), or what it says in tables (`text`); with `--what-if` a table (`text`) or a drawing (`svg`)
    /// [default: `yaml`, with `--what-if` `text`]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Plan for other clusters and compare: `nodes`, `ranks`, `gpus_per_node`, `memory`, `flops`, `intra`, `inter` or `latency`, with a range
    /// (`nodes=1..8`) or values (`inter=25 Gbit/s,200 Gbit/s`)
    #[arg(long, value_name = "FIELD=VALUES", value_parser = changes, conflicts_with_all = ["explain", "emit_stage", "golden"])]
    what_if: Option<Changes>,
    /// Show what every stage and pass makes, with its reason
    #[arg(long, conflicts_with_all = ["emit_stage", "golden"])]
    explain: bool,
    /// Show what this stage or pass makes (`mmc passes` lists them)
    #[arg(long, value_name = "NAME", conflicts_with = "golden")]
    emit_stage: Option<String>,
    /// Compare with this plan; a difference is shown and exits with 1
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// Write the golden plan instead of comparing
    #[arg(long, requires = "golden")]
    bless: bool,
    /// Tell on standard error what every stage took: seconds, CPU seconds and the most memory so far
    #[arg(long, conflicts_with_all = ["explain", "emit_stage", "golden", "what_if"])]
    times: bool,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The plan's file
    Yaml,
    /// Tables for people
    Text,
    /// A drawing
    Svg,
}

/// Clusters to try.
#[derive(Debug, Clone)]
struct Changes(Vec<ClusterChange>);

fn changes(text: &str) -> Result<Changes, String> {
    ClusterChange::read(text).map(Changes)
}

/// Plans.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    if arguments.explain || arguments.emit_stage.is_some() {
        return stages(arguments);
    }
    if let Some(Changes(changes)) = &arguments.what_if {
        return what_if(arguments, changes);
    }
    let times = arguments.times.then(Times::start);
    let watch = |name: &'static str| times.iter().for_each(|times| times.ended(name));
    let (plan, rest) = arguments.program.plan_watched(Watch(Some(&watch)))?;
    if let Some(golden) = &arguments.golden {
        return compare(&plan, golden, arguments.bless);
    }
    match (arguments.format.unwrap_or(Format::Yaml), &arguments.output) {
        (Format::Yaml, Some(path)) => output::write_plan(path, &plan)?,
        (Format::Yaml, None) => report::print_by(|out| plan.write_yaml(out))?,
        (Format::Text, _) => {
            write(arguments, &plan.summary())?;
        }
        (Format::Svg, _) => {
            return Err(unfit("a plan is not drawn", "give `--what-if`, or see `mmc emit dot`"));
        }
    }
    if let Some(times) = times {
        times.ended("write");
        report::note(times.text().trim_end());
    }
    // The process ends here: to free a million tasks one by one would only take time.
    std::mem::forget((plan, rest));
    Ok(Exit::FINE)
}

fn write(arguments: &Arguments, text: &str) -> Result<Exit, Stop> {
    match &arguments.output {
        Some(path) => output::write_atomically(path, text)?,
        None => report::print(text)?,
    }
    Ok(Exit::FINE)
}

fn unfit(message: &str, help: &str) -> Stop {
    CliError::Usage { message: message.to_owned(), help: help.to_owned() }.into()
}

fn what_if(arguments: &Arguments, changes: &[ClusterChange]) -> Result<Exit, Stop> {
    let file = &arguments.program.file;
    if program::is_plan(file) {
        let help = "give the `.mmc` file that it was made from";
        return Err(unfit("a plan is for one cluster", help));
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let trials = what_if::plan(&arguments.program, changes)?;
    let text = match arguments.format.unwrap_or(Format::Text) {
        Format::Text => what_if::table(&trials),
        Format::Svg => what_if::drawing(&name, &trials),
        Format::Yaml => {
            return Err(unfit("`--what-if` makes no plan file", "use `--format text` or `svg`"));
        }
    };
    write(arguments, &text)
}

fn stages(arguments: &Arguments) -> Result<Exit, Stop> {
    let file = &arguments.program.file;
    if program::is_plan(file) {
        let message = format!("`{}` is a plan: its stages are past", file.display());
        let help = "give the `.mmc` file that it was made from".to_owned();
        return Err(CliError::Usage { message, help }.into());
    }
    if let Some(name) = &arguments.emit_stage
        && !passes::all().iter().any(|row| row.0 == name)
    {
        let names: Vec<&str> = passes::all().iter().map(|row| row.0).collect();
        return Err(CliError::Usage {
            message: format!("there is no stage or pass `{name}`"),
            help: format!("there are: {}", names.join(", ")),
        }
        .into());
    }
    let compiled =
        arguments.program.source.compile(file, &Options { trace: true, ..Options::default() })?;
    compiled.findings.show();
    let mut before = "";
    for StageText { name, why, text } in &compiled.stages {
        if arguments.explain {
            let shown = if text == before { "unchanged\n" } else { text };
            report::print(&format!("== {name}: {why}\n{shown}\n"))?;
        } else if arguments.emit_stage.as_deref() == Some(name) {
            report::print(text)?;
            return Ok(Exit::FINE);
        }
        before = text;
    }
    Ok(if compiled.plan.is_some() { Exit::FINE } else { Exit::FINDINGS })
}

fn compare(plan: &Plan, path: &Path, bless: bool) -> Result<Exit, Stop> {
    let text = plan.to_yaml();
    if bless {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).writing(folder)?;
        }
        output::write_atomically(path, &text)?;
        return Ok(Exit::FINE);
    }
    let golden = fs::read_to_string(path).reading(path)?;
    if golden == text {
        return Ok(Exit::FINE);
    }
    // The differences by name need a readable plan; one that is not is different too, and says why.
    let golden = program::read_plan(path)?;
    report::print(&PlanDiff::new(&golden, plan).to_text())?;
    report::note(&format!("the plan is not `{}`; `--bless` accepts it", path.display()));
    Ok(Exit::FINDINGS)
}
