//! Devices for tasks that are wished somewhere, and lanes for devices.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Ground, Rule, Wish, is_split};
use crate::ir::task::SHARE_PARTS;
use crate::place::windows::Amounts;

/// Choices of a device that are looked at, at most.
const MOST_STEPS: usize = 50_000;

/// Task -> its ranks, for all tasks that wishes are about; none when they contradict, have no room, or the steps ran out.
pub(super) fn homes(
    wishes: &[Wish],
    ground: &Ground<'_>,
    lanes: usize,
) -> Option<BTreeMap<usize, Vec<u32>>> {
    let mut ranks: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    for wish in wishes {
        for &task in wish.tasks() {
            let here = ranks.entry(task).or_insert_with(|| (0..ground.ranks).collect());
            if let Rule::Pin(_, wanted) = &wish.rule {
                here.retain(|rank| wanted.contains(rank));
            }
        }
    }
    let room = room(ground, lanes);
    let mut search = Search { load: vec![0; room.len()], room, taken: Vec::new(), steps: 0 };
    let mut members = Vec::new();
    for (&task, ranks) in &ranks {
        let sets: Vec<usize> = (0..wishes.len())
            .filter(|&at| {
                wishes.get(at).is_some_and(
                    |wish| matches!(&wish.rule, Rule::Apart(tasks) if tasks.contains(&task)),
                )
            })
            .collect();
        let is_split = is_split(wishes, task);
        let amount = peak(ground, task);
        if sets.is_empty() && !is_split {
            search.add(ranks, amount);
        } else {
            let widest = if is_split {
                SHARE_PARTS
            } else {
                search.room.iter().copied().max().unwrap_or(SHARE_PARTS).max(1)
            };
            let copies = if is_split { ground.copies.get(task).copied().unwrap_or(1) } else { 1 };
            let count = usize::try_from(copies.max(amount.div_ceil(widest))).ok()?;
            let ranks: Vec<u32> = ranks.iter().copied().collect();
            members.push(Member { task, ranks, sets, count, amount });
        }
    }
    for set in 0..wishes.len() {
        let needed: usize =
            members.iter().filter(|of| of.sets.contains(&set)).map(|of| of.count).sum();
        if needed > ground.ranks as usize {
            return None;
        }
    }
    members
        .sort_by_key(|of| (of.ranks.len().saturating_sub(of.count), Reverse(of.amount), of.task));
    search.taken = vec![BTreeSet::new(); wishes.len()];
    let chosen = search.place(&members)?;
    let mut homes: BTreeMap<usize, Vec<u32>> =
        ranks.into_iter().map(|(task, ranks)| (task, ranks.into_iter().collect())).collect();
    homes.extend(members.iter().map(|of| of.task).zip(chosen));
    homes.values().all(|ranks| !ranks.is_empty()).then_some(homes)
}

/// The most of a task in any window.
fn peak(ground: &Ground<'_>, task: usize) -> u64 {
    ground.demands.iter().filter_map(|demand| demand.get(task)).copied().max().unwrap_or(0)
}

/// What every rank has room for, at most.
fn room(ground: &Ground<'_>, lanes: usize) -> Vec<u64> {
    let ranks = ground.ranks.max(1) as usize;
    match ground.given {
        Some(given) => {
            let mut room = vec![0; ranks];
            for &rank in given {
                if let Some(room) = room.get_mut(rank as usize) {
                    *room += SHARE_PARTS;
                }
            }
            room
        }
        None => vec![lanes.div_ceil(ranks) as u64 * SHARE_PARTS; ranks],
    }
}

/// A task that needs ranks which tasks of its sets, or lanes of its own, are not on.
struct Member {
    task: usize,
    ranks: Vec<u32>,
    /// Sets of which no other task may be on its ranks.
    sets: Vec<usize>,
    /// How many ranks it needs.
    count: usize,
    amount: u64,
}

struct Search {
    room: Vec<u64>,
    load: Vec<u64>,
    /// Per set: ranks that one of its tasks is on.
    taken: Vec<BTreeSet<u32>>,
    steps: usize,
}

impl Search {
    /// Adds an amount to some ranks in equal parts.
    fn add(&mut self, ranks: &BTreeSet<u32>, amount: u64) {
        for &rank in ranks {
            if let Some(load) = self.load.get_mut(rank as usize) {
                *load += amount / ranks.len().max(1) as u64;
            }
        }
    }

    /// The ranks of members, in their order.
    fn place(&mut self, members: &[Member]) -> Option<Vec<Vec<u32>>> {
        let Some((member, rest)) = members.split_first() else { return Some(Vec::new()) };
        let mut ranks = member.ranks.clone();
        ranks.sort_by_key(|&rank| (self.load.get(rank as usize).copied(), rank));
        self.extend(member, &ranks, &mut Vec::new(), rest)
    }

    /// One rank more for a member, of those that are left to it; then the members behind it.
    fn extend(
        &mut self,
        member: &Member,
        ranks: &[u32],
        chosen: &mut Vec<u32>,
        rest: &[Member],
    ) -> Option<Vec<Vec<u32>>> {
        if chosen.len() == member.count {
            let mut found = self.place(rest)?;
            found.insert(0, chosen.clone());
            return Some(found);
        }
        let part = member.amount / member.count.max(1) as u64;
        for (at, &rank) in ranks.iter().enumerate() {
            self.steps += 1;
            if self.steps > MOST_STEPS || ranks.len() - at < member.count - chosen.len() {
                return None;
            }
            let place = rank as usize;
            let is_taken = member
                .sets
                .iter()
                .any(|&set| self.taken.get(set).is_some_and(|t| t.contains(&rank)));
            let load = self.load.get(place).copied().unwrap_or(u64::MAX);
            if is_taken || load.saturating_add(part) > self.room.get(place).copied().unwrap_or(0) {
                continue;
            }
            self.hold(member, rank, part, true);
            chosen.push(rank);
            let found = self.extend(member, ranks.get(at + 1..).unwrap_or_default(), chosen, rest);
            if found.is_some() {
                return found;
            }
            chosen.pop();
            self.hold(member, rank, part, false);
        }
        None
    }

    fn hold(&mut self, member: &Member, rank: u32, part: u64, is_on: bool) {
        if let Some(load) = self.load.get_mut(rank as usize) {
            *load = if is_on { *load + part } else { *load - part };
        }
        for &set in &member.sets {
            if let Some(taken) = self.taken.get_mut(set) {
                if is_on {
                    taken.insert(rank);
                } else {
                    taken.remove(&rank);
                }
            }
        }
    }
}

/// The rank of every lane: those that are to hold most get a lane more where lanes don't divide; a lane goes where most of what
/// it holds already is wished.
pub(super) fn lanes(
    homes: &BTreeMap<usize, Vec<u32>>,
    ground: &Ground<'_>,
    base: &Amounts,
) -> Vec<u32> {
    let ranks = ground.ranks.max(1) as usize;
    let mut load = vec![0_u64; ranks];
    for (&task, homes) in homes {
        for &rank in homes {
            if let Some(load) = load.get_mut(rank as usize) {
                *load += peak(ground, task) / homes.len().max(1) as u64;
            }
        }
    }
    let mut fullest: Vec<usize> = (0..ranks).collect();
    fullest.sort_by_key(|&rank| (Reverse(load.get(rank).copied()), rank));
    let mut seats = vec![base.len() / ranks; ranks];
    for &rank in fullest.iter().take(base.len() % ranks) {
        if let Some(seats) = seats.get_mut(rank) {
            *seats += 1;
        }
    }
    let mut wants: BTreeMap<(usize, u32), u64> = BTreeMap::new();
    for (lane, tasks) in base.iter().enumerate() {
        for (task, amount) in tasks {
            for &rank in homes.get(task).into_iter().flatten() {
                *wants.entry((lane, rank)).or_default() += amount;
            }
        }
    }
    let mut wants: Vec<(Reverse<u64>, usize, u32)> =
        wants.into_iter().map(|((lane, rank), amount)| (Reverse(amount), lane, rank)).collect();
    wants.sort_unstable();
    let mut rank_of_lane: Vec<Option<u32>> = vec![None; base.len()];
    let mut seat = |lane: usize, rank: u32, mapping: &mut Vec<Option<u32>>| {
        let (Some(seats), Some(place)) = (seats.get_mut(rank as usize), mapping.get_mut(lane))
        else {
            return;
        };
        if *seats > 0 && place.is_none() {
            *seats -= 1;
            *place = Some(rank);
        }
    };
    for (_, lane, rank) in wants {
        seat(lane, rank, &mut rank_of_lane);
    }
    for lane in 0..base.len() {
        for rank in 0..ground.ranks {
            seat(lane, rank, &mut rank_of_lane);
        }
    }
    rank_of_lane.into_iter().map(|rank| rank.unwrap_or(0)).collect()
}
