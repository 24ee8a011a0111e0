//! Whether tasks find seats on the devices that they may go to, and devices the tasks that they must have.
//!
//! For every set of devices: tasks that may go nowhere else need seats there (Hall 1935), and as many tasks as must come there may
//! come. With many devices only single ones are asked.

/// The most devices of which all sets are asked.
const MOST_DEVICES: usize = 6;

/// `domains`: per task the devices that it may go to; `seats`: per device how many tasks it must still get at least, and at most.
pub(super) fn is_possible(domains: &[u64], seats: &[(usize, usize)]) -> bool {
    if seats.len() > MOST_DEVICES {
        let may_come = |device: usize| domains.iter().filter(|&&of| of >> device & 1 == 1).count();
        return seats
            .iter()
            .enumerate()
            .all(|(at, &(least, _))| least == 0 || may_come(at) >= least);
    }
    let mut within = [0; 1 << MOST_DEVICES];
    for &domain in domains {
        within[usize::try_from(domain).expect("sets of few devices are small")] += 1;
    }
    // Sums over subsets (Yates 1937): one device after the other.
    let count = 1 << seats.len();
    for device in 0..seats.len() {
        for set in (0..count).filter(|set| set >> device & 1 == 1) {
            within[set] += within[set ^ (1 << device)];
        }
    }
    let sum = |set: usize, of: fn(&(usize, usize)) -> usize| -> usize {
        seats
            .iter()
            .enumerate()
            .filter(|(device, _)| set >> device & 1 == 1)
            .map(|row| of(row.1))
            .sum()
    };
    (1..count).all(|set| {
        let elsewhere = within[count - 1 - set];
        within[set] <= sum(set, |seats| seats.1)
            && domains.len() - elsewhere >= sum(set, |seats| seats.0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether tasks can be seated, by trying all ways.
    fn by_trial(domains: &[u64], seats: &[(usize, usize)]) -> bool {
        let Some((&first, rest)) = domains.split_first() else {
            return seats.iter().all(|(least, _)| *least == 0);
        };
        (0..seats.len()).filter(|&device| first >> device & 1 == 1 && seats[device].1 > 0).any(
            |device| {
                let mut left = seats.to_vec();
                left[device] = (left[device].0.saturating_sub(1), left[device].1 - 1);
                by_trial(rest, &left)
            },
        )
    }

    proptest! {
        #[test]
        fn what_can_be_seated_is_possible(
            seats in prop::collection::vec((0..3_usize, 0..3_usize).prop_map(|(least, more)| (least, least + more)), 1..8),
            domains in prop::collection::vec(0..256_u64, 0..7),
        ) {
            let all = (1 << seats.len()) - 1;
            let domains: Vec<u64> = domains.into_iter().map(|domain| domain & all).collect();
            prop_assert!(is_possible(&domains, &seats) || !by_trial(&domains, &seats));
        }
    }

    #[test]
    fn two_tasks_with_one_seat_are_seen() {
        assert!(is_possible(&[0b01, 0b11], &[(0, 1), (0, 1)]));
        assert!(!is_possible(&[0b01, 0b01], &[(0, 1), (0, 1)]));
        assert!(!is_possible(&[0b01, 0b01], &[(0, 2), (1, 1)]));
    }
}
