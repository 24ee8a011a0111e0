//! What wishes settle on, beside what is known of small cases.

use proptest::prelude::*;

use super::*;
use crate::ir::task::SHARE_PARTS;

/// Tasks in a row, cut where a lane is full.
fn filled(demand: &[u64], lanes: usize) -> Amounts {
    let mut amounts = vec![BTreeMap::new(); lanes];
    let (mut lane, mut room) = (0, SHARE_PARTS);
    for (task, demand) in demand.iter().enumerate() {
        let mut left = *demand;
        while left > 0 && lane < lanes {
            let part = left.min(room);
            amounts[lane].insert(task, part);
            left -= part;
            room -= part;
            if room == 0 {
                (lane, room) = (lane + 1, SHARE_PARTS);
            }
        }
    }
    amounts
}

fn ground(demands: Vec<Vec<u64>>, ranks: u32) -> Ground<'static> {
    let copies = vec![1; demands[0].len()];
    Ground { ranks, given: None, demands, copies }
}

fn wish(rule: Rule) -> Wish {
    Wish { rule, span: Span::default() }
}

/// Parts of a lane.
fn lanes_of(parts: &[u64]) -> Vec<u64> {
    parts.iter().map(|part| part * (SHARE_PARTS / 100)).collect()
}

#[test]
fn pins_go_where_they_say_and_apart_elsewhere() {
    let demand = lanes_of(&[50, 50, 50, 50, 100, 100]);
    let ground = ground(vec![demand.clone()], 4);
    let base = filled(&demand, 4);
    let wishes = [
        wish(Rule::Pin(vec![0, 2], vec![3])),
        wish(Rule::Apart(vec![0, 1, 3])),
        wish(Rule::Pin(vec![1], vec![0, 1])),
    ];
    let settled = settle(&wishes, &ground, &base).expect("there is room");
    let amounts = settled.allowed.amounts(&demand, &ground.copies, 4).expect("there is room");
    let ranks = |task: usize| -> Vec<u32> {
        let lanes = (0..4).filter(|&lane| amounts[lane].contains_key(&task));
        lanes.map(|lane| settled.rank_of_lane[lane]).collect()
    };
    assert_eq!((ranks(0), ranks(2)), (vec![3], vec![3]));
    assert!(ranks(1).iter().all(|rank| *rank < 2));
    assert!(ranks(3).iter().all(|rank| *rank != 3 && !ranks(1).contains(rank)));
}

#[test]
fn the_fewest_wishes_that_contradict() {
    let demand = lanes_of(&[20, 20, 20, 20, 120]);
    let ground = ground(vec![demand.clone()], 2);
    let base = filled(&demand, 2);
    let wishes = [
        wish(Rule::Pin(vec![3], vec![1])),
        wish(Rule::Pin(vec![0], vec![0])),
        wish(Rule::Apart(vec![0, 1])),
        wish(Rule::Apart(vec![2, 3])),
        wish(Rule::Pin(vec![1], vec![0])),
    ];
    assert_eq!(settle(&wishes, &ground, &base), None);
    let fewest = smallest(&wishes, &ground, &base);
    assert_eq!(fewest, [wishes[1].clone(), wishes[2].clone(), wishes[4].clone()]);
    // Seven tenths of all batches on one of two devices.
    let heavy = [wish(Rule::Pin(vec![0, 4], vec![1])), wish(Rule::Pin(vec![3], vec![0]))];
    assert_eq!(smallest(&heavy, &ground, &base), heavy[..1]);
}

#[test]
fn copies_have_devices_of_their_own() {
    let demand = lanes_of(&[200, 100, 100]);
    let mut ground = ground(vec![demand.clone()], 2);
    ground.copies[0] = 2;
    let base = filled(&demand, 4);
    let wishes = [wish(Rule::Copies(vec![0]))];
    let settled = settle(&wishes, &ground, &base).expect("two devices for two copies");
    let ranks: Vec<u32> = settled.allowed.of(0).map(|lane| settled.rank_of_lane[lane]).collect();
    assert_eq!(ranks.len(), 2);
    assert_ne!(ranks[0], ranks[1]);
    ground.copies[0] = 3;
    assert_eq!(settle(&wishes, &ground, &base), None, "three copies on two devices");
}

proptest! {
    #[test]
    fn what_is_settled_has_room_in_every_window(
        ranks in 1_u32..5, lanes in 1_usize..7,
        weights in prop::collection::vec(prop::collection::vec(0_u64..9, 6), 1..4),
        pins in prop::collection::vec((0_usize..6, 0_u32..5), 0..4),
        apart in prop::collection::vec(0_usize..6, 0..4),
    ) {
        let demand = |weights: &Vec<u64>| -> Vec<u64> {
            let sum = weights.iter().sum::<u64>() + 1;
            let mut demand: Vec<u64> =
                weights.iter().map(|weight| weight * SHARE_PARTS * lanes as u64 / sum).collect();
            demand[0] += SHARE_PARTS * lanes as u64 - demand.iter().sum::<u64>();
            demand
        };
        let demands: Vec<Vec<u64>> = weights.iter().map(demand).collect();
        let base = filled(&demands[0], lanes);
        let ground = ground(demands.clone(), ranks);
        let mut apart: Vec<usize> = apart;
        apart.sort_unstable();
        apart.dedup();
        let mut wishes: Vec<Wish> =
            pins.iter().map(|&(task, rank)| wish(Rule::Pin(vec![task], vec![rank % ranks]))).collect();
        wishes.push(wish(Rule::Apart(apart)));
        match settle(&wishes, &ground, &base) {
            None => prop_assert!(!smallest(&wishes, &ground, &base).is_empty()),
            Some(settled) => {
                let mut seen = vec![Vec::new(); 6];
                for demand in &demands {
                    let found = settled.allowed.amounts(demand, &ground.copies, lanes);
                    let found = found.expect("settled for all windows");
                    prop_assert!(found.iter().all(|on| on.values().sum::<u64>() <= SHARE_PARTS));
                    prop_assert!(settled.allowed.keeps(&found));
                    for (lane, on) in found.iter().enumerate() {
                        for &task in on.keys() {
                            seen[task].push(lane);
                        }
                    }
                }
                prop_assert!(wishes.iter().all(|of| of.is_kept(&seen, &settled.rank_of_lane)));
            }
        }
    }
}
