//! The least sum over places of what each pays for its share of an amount.

/// Per amount: the least sum of the places so far that have as much together.
#[derive(Debug, Default)]
pub(super) struct Sums {
    sums: Vec<u64>,
    next: Vec<u64>,
}

impl Sums {
    /// No places yet, for an amount that they will share.
    pub(super) fn start(&mut self, amount: usize) {
        self.sums.clear();
        self.sums.resize(amount + 1, u64::MAX);
        self.sums[0] = 0;
    }

    /// A place more, that has `most` at most; `weight` tells what it pays for so much, never less for more; none from where on it
    /// can't have as much.
    pub(super) fn add(&mut self, most: usize, weight: impl Fn(usize) -> Option<u64>) {
        let amount = self.sums.len() - 1;
        self.next.clear();
        self.next.resize(amount + 1, u64::MAX);
        let most = most.min(amount);
        let mut ahead = weight(0);
        for more in 0..=most {
            let Some(here) = ahead else { break };
            ahead = if more < most { weight(more + 1) } else { None };
            // What is as cheap as more of it is not looked at.
            if ahead == Some(here) {
                continue;
            }
            for (at, cell) in self.next.iter_mut().enumerate() {
                *cell = (*cell).min(self.sums[at.saturating_sub(more)].saturating_add(here));
            }
        }
        std::mem::swap(&mut self.sums, &mut self.next);
    }

    /// The least sum of all places; none when they can't have the amount together.
    pub(super) fn least(&self) -> Option<u64> {
        self.sums.last().copied().filter(|&sum| sum < u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least sum, by trying all shares.
    fn by_trial(amount: usize, places: &[Vec<u64>]) -> Option<u64> {
        let Some((first, rest)) = places.split_first() else {
            return (amount == 0).then_some(0);
        };
        let shares = first.iter().enumerate();
        shares
            .filter_map(|(share, weight)| {
                Some(weight + by_trial(amount.saturating_sub(share), rest)?)
            })
            .min()
    }

    proptest! {
        #[test]
        fn sums_are_the_least_of_all_shares(
            amount in 0..12_usize,
            places in prop::collection::vec(prop::collection::vec(0..4_u64, 1..6), 0..4),
        ) {
            let places: Vec<Vec<u64>> = places.into_iter().map(|rises| {
                rises.into_iter().scan(0, |sum, rise| { *sum += rise; Some(*sum) }).collect()
            }).collect();
            let mut sums = Sums::default();
            sums.start(amount);
            for place in &places {
                sums.add(place.len() + 2, |more| place.get(more).copied());
            }
            prop_assert_eq!(sums.least(), by_trial(amount, &places));
        }
    }
}
