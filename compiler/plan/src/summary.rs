//! A plan for people, in tables: what is learnt, by what, where, and at what cost.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::curriculum::{Coupling, Synchronised};
use crate::diff::stacks;
use crate::plan::{CommunicatorSpec, Device, Estimate, FoundSpec, PlacementSpec, Plan};
use crate::units;

/// Rows of a table that are written out; the rest is counted.
const ROWS: usize = 40;
/// Names in a cell that are written out; the rest is counted.
const NAMES: usize = 4;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Plan {
    /// What `mmc plan` prints: languages, tasks, lanes, modules, communicators and costs. A page however large the plan.
    pub fn summary(&self) -> String {
        let mut text = self.heading();
        section(&mut text, "tasks", &TASKS, &self.task_rows());
        section(&mut text, "curriculum", &CURRICULUM, &self.window_rows());
        section(&mut text, "lanes", &LANES, &self.lane_rows());
        section(&mut text, "modules", &MODULES, &self.module_rows());
        section(&mut text, "communicators", &COMMUNICATORS, &self.communicator_rows());
        section(&mut text, "ranks", &RANKS, &self.rank_rows());
        text
    }

    /// Name, size and the model in a few lines.
    fn heading(&self) -> String {
        let mut text = format!("{}\n", self.experiment.name);
        for line in &self.experiment.about {
            let _ = writeln!(text, "  {line}");
        }
        let parameters =
            self.modules.values().fold(0_u64, |sum, m| sum.saturating_add(m.parameters));
        let languages: Vec<&str> = self.languages.keys().map(String::as_str).collect();
        let facts = [
            ("mathematics", self.digest.clone()),
            ("languages", format!("{}: {}", languages.len(), some(&languages, ROWS))),
            (
                "model",
                format!(
                    "{}decoder [{}], width {}, {} parameters",
                    self.encoder_words(),
                    stacks(&self.model.decoder).join(", "),
                    self.model.dim,
                    units::count(parameters)
                ),
            ),
            (
                "training",
                format!(
                    "{} steps of {} lanes x {} batches of {} tokens",
                    units::count(self.training.steps),
                    self.lanes.len(),
                    self.training.accumulate,
                    units::count(self.training.batch_tokens.into())
                ),
            ),
            ("scores", self.scores_words()),
            (
                "cluster",
                format!(
                    "{}, nodes x devices {} x {}, ranks {}",
                    self.cluster.name,
                    self.cluster.nodes,
                    self.cluster.devices_per_node,
                    self.ranks.len()
                ),
            ),
            ("placement", self.placement_words()),
            ("calls", self.calls()),
            ("estimate", format!("{} a step, {} in all", self.step_time(), self.whole_time())),
            ("run", self.run_words()),
        ];
        let facts = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
        let competence = self.curriculum.competence.map(|of| ("competence", of.to_string()));
        for (name, fact) in facts.chain(self.synchronised_fact()).chain(competence) {
            let _ = writeln!(text, "  {name:<12} {fact}");
        }
        text
    }

    /// The encoder's stacks, where there is one.
    fn encoder_words(&self) -> String {
        let stacks = stacks(&self.model.encoder).join(", ");
        if self.model.has_encoder() { format!("encoder [{stacks}], ") } else { String::new() }
    }

    /// What validations score, and how they translate.
    fn scores_words(&self) -> String {
        let Some(scores) = &self.training.scores else { return String::new() };
        let measures: Vec<String> = scores.measures.iter().map(ToString::to_string).collect();
        let search = match scores.beam {
            1 => "greedy search".to_owned(),
            beam => format!("beam {beam}"),
        };
        let text = match scores.sentences {
            Some(most) => format!(" of the first {} sentences", units::count(most)),
            None => String::new(),
        };
        format!("{} of every validation, by {search}{text}", measures.join(", "))
    }

    /// What is summed in a step, under both schedules.
    fn synchronised_fact(&self) -> Option<(&'static str, String)> {
        let Synchronised { independent, aligned } = self.synchronised?;
        let [first, second] = match self.curriculum.schedule {
            Coupling::Independent => [(independent, "independent"), (aligned, "aligned")],
            Coupling::Aligned => [(aligned, "aligned"), (independent, "independent")],
        };
        let bytes = units::bytes;
        let words = format!(
            "{} a step, lanes {} ({} {})",
            bytes(first.0),
            first.1,
            second.1,
            bytes(second.0)
        );
        Some(("synchronised", words))
    }

    /// Costs of the placement with their bounds; nothing where there was nothing to choose.
    fn placement_words(&self) -> String {
        let gap = |found: &FoundSpec| match found.cost - found.bound.min(found.cost) {
            0 => "the least".to_owned(),
            over if found.bound > 0 => {
                format!("{} above a bound", units::share(parts(over, found.bound)))
            }
            _ => "no bound".to_owned(),
        };
        let words = |what: &str, cost: String, found: &FoundSpec| {
            format!("{what} {cost} ({}, {})", gap(found), found.algorithm)
        };
        let PlacementSpec { lanes, ranks } = &self.placement;
        let lanes = lanes.as_ref().map(|found| {
            words("lanes copy", format!("{} parameters", units::count(found.cost)), found)
        });
        let ranks = ranks
            .as_ref()
            .map(|found| words("a step takes", units::seconds(nanoseconds(found.cost)), found));
        lanes.into_iter().chain(ranks).collect::<Vec<_>>().join("; ")
    }

    /// What merging modules by their ranks saves: calls of a step, and the numbers that go with each.
    fn calls(&self) -> String {
        let buckets = |spec: &CommunicatorSpec| {
            let all = spec.modules.iter().map(String::as_str).collect();
            self.gradients(spec, &all).len()
        };
        let merged: usize = self.communicators.iter().map(buckets).sum();
        let modules: usize = self.communicators.iter().map(|spec| spec.modules.len()).sum();
        if modules == merged {
            return String::new();
        }
        let noun = if merged == 1 { "all-reduce" } else { "all-reduces" };
        format!("{merged} {noun} a step at most, where one for each module would be {modules}")
    }

    fn step_time(&self) -> String {
        units::seconds(self.totals.step_seconds)
    }

    #[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
    fn whole_time(&self) -> String {
        units::hours(self.totals.step_seconds * self.training.steps as f64)
    }

    /// Hours of the devices, and their energy; nothing where they are processes whose power is not told.
    fn run_words(&self) -> String {
        let Some(run) = self.run else { return String::new() };
        let hours = |noun: &str| format!("{} {noun} hours", units::three_digits(run.device_hours));
        let energy = run.kilowatt_hours.map(|hours| format!("{} kWh", units::three_digits(hours)));
        match (self.cluster.device, energy) {
            (Device::Cpu, None) => String::new(),
            (Device::Cpu, Some(energy)) => format!("{}, {energy}", hours("device")),
            (Device::Gpu, energy) => {
                [hours("GPU")].into_iter().chain(energy).collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn task_rows(&self) -> Vec<Vec<String>> {
        let mut lanes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (number, lane) in self.lanes.iter().enumerate() {
            for name in lane.tasks.keys() {
                lanes.entry(name).or_default().push(number.to_string());
            }
        }
        let row = |(name, task): (&String, &crate::plan::TaskSpec)| {
            let on = lanes.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let on: Vec<&str> = on.iter().map(String::as_str).collect();
            vec![
                name.clone(),
                units::share(task.share),
                units::count(task.corpus.train.lines),
                some(&on, NAMES),
                task.modules().join(" "),
            ]
        };
        self.tasks.iter().map(row).collect()
    }

    /// Windows of a curriculum that has several.
    fn window_rows(&self) -> Vec<Vec<String>> {
        if self.curriculum.windows.is_empty() {
            return Vec::new();
        }
        let row = |(window, [first, last]): (usize, [u64; 2])| {
            let shares = || {
                let all = self.curriculum.shares.iter();
                all.filter_map(|(name, course)| Some((course.get(window).copied()?, name)))
            };
            let present = shares().filter(|(share, _)| *share > 0);
            let (least, most) = (
                present.clone().min(),
                present.clone().max_by_key(|(share, name)| (*share, std::cmp::Reverse(*name))),
            );
            let told = |found: Option<(u64, &String)>| {
                found.map_or_else(String::new, |(share, name)| {
                    format!("{} {name}", units::share(share))
                })
            };
            vec![
                format!("{} to {}", units::count(first), units::count(last)),
                present.count().to_string(),
                told(most),
                told(least),
            ]
        };
        self.windows().into_iter().enumerate().map(row).collect()
    }

    fn lane_rows(&self) -> Vec<Vec<String>> {
        let mut ranks: BTreeMap<u32, usize> = BTreeMap::new();
        for (number, rank) in self.ranks.iter().enumerate() {
            ranks.extend(rank.lanes.iter().map(|lane| (*lane, number)));
        }
        let row = |(number, lane): (u32, &crate::plan::LaneSpec)| {
            let tasks: Vec<String> = lane
                .tasks
                .iter()
                .map(|(name, task)| {
                    format!("{name} {}", units::share(u64::from(task.parts) * 1000))
                })
                .collect();
            let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
            let rank = ranks.get(&number).map_or_else(|| "none".to_owned(), usize::to_string);
            vec![number.to_string(), rank, some(&tasks, NAMES)]
        };
        (0..).zip(&self.lanes).map(row).collect()
    }

    fn module_rows(&self) -> Vec<Vec<String>> {
        let mut tasks: BTreeMap<&str, u64> = BTreeMap::new();
        for name in self.tasks.values().flat_map(|task| task.modules()) {
            *tasks.entry(name).or_default() += 1;
        }
        let mut ranks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (number, rank) in self.ranks.iter().enumerate() {
            for name in &rank.modules {
                ranks.entry(name).or_default().push(number.to_string());
            }
        }
        let row = |(name, module): (&String, &crate::model::ModuleSpec)| {
            let on = ranks.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let on: Vec<&str> = on.iter().map(String::as_str).collect();
            vec![
                name.clone(),
                units::count(module.parameters),
                units::count(tasks.get(name.as_str()).copied().unwrap_or(0)),
                some(&on, NAMES),
            ]
        };
        self.modules.iter().map(row).collect()
    }

    fn communicator_rows(&self) -> Vec<Vec<String>> {
        // Gradients are summed in 64 bits, those of 64-bit plans in two parts.
        let width = 2 * self.training.precision.parameter_bytes();
        let row = |spec: &CommunicatorSpec| {
            vec![
                spec.name.clone(),
                spec.ranks.len().to_string(),
                spec.modules.len().to_string(),
                units::bytes(spec.elements.saturating_mul(width)),
            ]
        };
        self.communicators.iter().map(row).collect()
    }

    fn rank_rows(&self) -> Vec<Vec<String>> {
        let costs = |name: String, place: String, estimate: &Estimate| {
            vec![
                name,
                place,
                units::count(estimate.parameters),
                units::bytes(estimate.state_bytes.saturating_add(estimate.activation_bytes)),
                units::flops(estimate.step_flops),
                units::bytes(estimate.step_bytes_sent),
                units::seconds(estimate.step_seconds),
            ]
        };
        let row = |(number, rank): (usize, &crate::plan::RankSpec)| {
            let place = format!("node {} device {}", rank.node, rank.device);
            costs(number.to_string(), place, &rank.estimate)
        };
        let ranks = self.ranks.iter().enumerate().map(row);
        ranks.chain([costs("all".to_owned(), String::new(), &self.totals)]).collect()
    }
}

/// A ratio in the parts of a share: thousands of millions.
fn parts(over: u64, bound: u64) -> u64 {
    let parts = u128::from(over) * 1_000_000_000 / u128::from(bound.max(1));
    u64::try_from(parts).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn nanoseconds(count: u64) -> f64 {
    count as f64 / 1e9
}

type Columns<const N: usize> = [(&'static str, Side); N];

const TASKS: Columns<5> = [
    ("task", Side::Left),
    ("share", Side::Right),
    ("lines", Side::Right),
    ("lanes", Side::Left),
    ("modules", Side::Left),
];
const CURRICULUM: Columns<4> = [
    ("steps", Side::Left),
    ("tasks", Side::Right),
    ("largest share", Side::Left),
    ("smallest share", Side::Left),
];
const LANES: Columns<3> = [("lane", Side::Right), ("rank", Side::Right), ("tasks", Side::Left)];
const MODULES: Columns<4> = [
    ("module", Side::Left),
    ("parameters", Side::Right),
    ("tasks", Side::Right),
    ("ranks", Side::Left),
];
const COMMUNICATORS: Columns<4> = [
    ("communicator", Side::Left),
    ("ranks", Side::Right),
    ("modules", Side::Right),
    ("a step, at most", Side::Right),
];
const RANKS: Columns<7> = [
    ("rank", Side::Right),
    ("place", Side::Left),
    ("parameters", Side::Right),
    ("memory", Side::Right),
    ("a step", Side::Right),
    ("sent a step", Side::Right),
    ("time a step", Side::Right),
];

/// The first so many names, and how many more there are.
fn some(names: &[&str], most: usize) -> String {
    let shown = names.get(..most.min(names.len())).unwrap_or_default().join(", ");
    match names.len().checked_sub(most) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// A table under a title; nothing when it has no rows. The last row always shows: it may be a sum.
fn section(text: &mut String, title: &str, columns: &[(&str, Side)], rows: &[Vec<String>]) {
    let Some((last, ahead)) = rows.split_last() else { return };
    let left_out = ahead.len().saturating_sub(ROWS - 1);
    let shown: Vec<&Vec<String>> = ahead.iter().take(ROWS - 1).chain([last]).collect();
    let width = |at: usize, head: &str| {
        let cells = shown.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([head.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> =
        columns.iter().enumerate().map(|(at, (head, _))| width(at, head)).collect();
    let write_row = |text: &mut String, cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::from(" ");
        for ((cell, width), (_, side)) in cells.zip(&widths).zip(columns) {
            let _ = match side {
                Side::Left => write!(line, " {cell:<width$} "),
                Side::Right => write!(line, " {cell:>width$} "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    let _ = writeln!(text, "\n{title}");
    write_row(text, &mut columns.iter().map(|(head, _)| *head));
    for (number, row) in shown.iter().enumerate() {
        if left_out > 0 && number + 1 == shown.len() {
            let _ = writeln!(text, "  ... and {left_out} more");
        }
        write_row(text, &mut row.iter().map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use crate::sample;

    #[test]
    fn small_plan_reads_well() {
        let mut plan = sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
        plan.experiment.about = vec!["Two languages.".to_owned()];
        plan.digest = "sha256:0".to_owned();
        plan.totals.step_seconds = 0.5;
        let expected = "\
sample
  Two languages.
  mathematics  sha256:0
  languages    2: de, en
  model        encoder [1 x SRC_LANGUAGE, 1 x FULL], decoder [1 x TGT_LANGUAGE], width 16, 15 136 parameters
  training     20 steps of 2 lanes x 2 batches of 256 tokens
  cluster      custom, nodes x devices 1 x 2, ranks 2
  calls        1 all-reduce a step at most, where one for each module would be 2
  estimate     500 ms a step, 10.0 s in all

tasks
  task      share  lines  lanes  modules
  t.de-en  50.0 %  1 000  0      embed.full encoder.0.lang.de encoder.1.full decoder.0.lang.en
  t.en-de  50.0 %  1 000  1      embed.full encoder.0.lang.en encoder.1.full decoder.0.lang.de

lanes
  lane  rank  tasks
     0     0  t.de-en 100 %
     1     1  t.en-de 100 %
";
        let summary = plan.summary();
        assert!(summary.starts_with(expected), "{summary}");
    }

    #[test]
    fn large_plan_stays_a_page() {
        let names: Vec<String> = (0..20).map(|at| format!("l{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let summary = sample::plan(&names, 3, &[&[0], &[1, 2]]).summary();
        assert!(summary.contains("  ... and 340 more\n"), "{summary}");
        assert!(summary.lines().count() < 150);
        assert!(summary.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn empty_plan_has_a_summary() {
        let plan = sample::plan(&[], 0, &[]);
        assert!(plan.summary().starts_with("sample\n"));
    }
}
