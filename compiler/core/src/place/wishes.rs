//! The wishes of an experiment, kept or reported; [`settle`] finds the ranks and lanes that keep them.

mod settle;

use miette::LabeledSpan;
use mmc_plan::FoundSpec;

use super::error::PlaceError;
use super::problem::{Problem, Spread};
use super::ranks::Keeper;
use super::windows::{self, Amounts};
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::experiment::Experiment;
use crate::ir::module::ModuleGraph;
use crate::ir::task::{SHARE_PARTS, TaskTable};

pub(super) use settle::{Allowed, Wish};
use settle::{Ground, Rule, Settled};

/// Wishes with a way to keep them.
#[derive(Debug)]
pub(super) struct Wished {
    wishes: Vec<Wish>,
    settled: Settled,
}

impl Wished {
    /// The wishes of an experiment; a report when they can't be kept together on the lanes of a spread.
    pub(super) fn of(
        experiment: &Experiment,
        table: &TaskTable,
        base: &Amounts,
        diagnostics: &mut Diagnostics,
    ) -> Result<Self, Halt> {
        let (wishes, idle) = settle::read(experiment, table);
        for span in idle {
            diagnostics.report(PlaceError::NoTask { span });
        }
        diagnostics.checkpoint()?;
        let nothing = Settled { rank_of_lane: Vec::new(), allowed: Allowed::default() };
        if wishes.is_empty() {
            return Ok(Self { wishes, settled: nothing });
        }
        let cluster = &experiment.cluster.value;
        let ground = Ground {
            ranks: cluster.nodes.saturating_mul(cluster.devices_per_node).max(1),
            given: experiment.placement.lanes.as_ref().map(|lanes| lanes.value.as_slice()),
            demands: windows::demands(table, base.len()),
            copies: windows::copies(table),
        };
        let Some(settled) = settle::settle(&wishes, &ground, base) else {
            let fewest = settle::smallest(&wishes, &ground, base);
            return Err(diagnostics.halt(infeasible(&fewest, table, &ground)));
        };
        Ok(Self { wishes, settled })
    }

    /// Where tasks may lie.
    pub(super) fn allowed(&self) -> &Allowed {
        &self.settled.allowed
    }

    /// A spread that keeps the wishes, with what it costs; `found` is what is known of the one before.
    pub(super) fn follow(
        &self,
        base: Amounts,
        found: Option<FoundSpec>,
        (table, graph): (&TaskTable, &ModuleGraph),
        team: usize,
    ) -> (Amounts, Option<FoundSpec>) {
        if self.wishes.is_empty() {
            return (base, found);
        }
        let spread = Spread { lanes: windows::moved(base, table, graph, self.allowed()) };
        let problem = Problem::new(table, graph, spread.lanes.len());
        let cost = u64::try_from(problem.cost(&spread).replicas).unwrap_or(u64::MAX);
        // Lanes of a team count as one in what was found.
        let least = |found: &FoundSpec| if team == 1 { found.bound } else { problem.bound() };
        let found = found.map(|found| FoundSpec { cost, bound: least(&found).min(cost), ..found });
        (spread.lanes, found)
    }

    /// The wishes as a mapping of lanes must keep them; none when there are none.
    pub(super) fn keeper(&self, windows: &[Amounts], tasks: usize) -> Option<Keeper<'_>> {
        if self.wishes.is_empty() {
            return None;
        }
        let mut lanes_of: Vec<Vec<usize>> = vec![Vec::new(); tasks];
        for (lane, on) in windows.iter().flat_map(|amounts| amounts.iter().enumerate()) {
            for &task in on.keys() {
                if let Some(lanes) = lanes_of.get_mut(task)
                    && !lanes.contains(&lane)
                {
                    lanes.push(lane);
                }
            }
        }
        Some(Keeper { start: &self.settled.rank_of_lane, wishes: &self.wishes, lanes_of })
    }
}

/// The report of wishes that can't be kept together.
fn infeasible(wishes: &[Wish], table: &TaskTable, ground: &Ground<'_>) -> PlaceError {
    let share = |tasks: &[usize]| {
        let parts: u64 =
            tasks.iter().filter_map(|&at| table.tasks.get(at)).map(|row| row.share).sum();
        percent(parts, 1)
    };
    let place = |wish: &Wish| {
        let words = match &wish.rule {
            Rule::Pin(tasks, ranks) => {
                format!(
                    "{} of all batches on {} of {} devices",
                    share(tasks),
                    ranks.len(),
                    ground.ranks
                )
            }
            Rule::Apart(tasks) => format!("{} tasks on devices of their own", tasks.len()),
            Rule::Copies(tasks) => {
                let most = tasks.iter().filter_map(|&task| ground.copies.get(task)).max();
                format!("up to {} copies on devices of their own", most.copied().unwrap_or(1))
            }
        };
        let (start, end) = (wish.span.start as usize, wish.span.end as usize);
        LabeledSpan::new(Some(words), start, end - start)
    };
    let devices = u64::from(ground.ranks);
    let lanes = ground.given.map_or("", |_| ", if lanes lie as `lanes` says");
    let help = format!(
        "{devices} devices take {} of all batches each{lanes}{}",
        percent(SHARE_PARTS, devices),
        if wishes.len() > 1 {
            "; without any one of these wishes the others can be kept"
        } else {
            ""
        }
    );
    let wishes_of = |count: usize| match count {
        1 => "this wish".to_owned(),
        more => format!("these {more} wishes together"),
    };
    PlaceError::Infeasible {
        wishes: wishes_of(wishes.len()),
        places: wishes.iter().map(place).collect(),
        help,
    }
}

/// `12.5 %`: parts of [`SHARE_PARTS`], divided by a number.
fn percent(parts: u64, by: u64) -> String {
    let thousandths = parts / (SHARE_PARTS / 1000 * by.max(1));
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}
