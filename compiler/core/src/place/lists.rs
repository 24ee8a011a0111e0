//! Many short lists of numbers, one behind the other: those of a million tasks are two allocations.

/// Owner -> its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Where the list of each owner ends, which is where the next begins.
    ends: Vec<usize>,
    numbers: Vec<usize>,
}

impl Lists {
    /// Per owner the numbers of the sets that it is in, ascending.
    pub(super) fn inverted<'s>(
        owners: usize,
        sets: impl Iterator<Item = &'s Vec<usize>> + Clone,
    ) -> Self {
        let mut ends = vec![0; owners];
        for &owner in sets.clone().flatten() {
            if let Some(count) = ends.get_mut(owner) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for end in &mut ends {
            // The list is empty yet: it ends where it begins.
            sum += std::mem::replace(end, sum);
        }
        let mut numbers = vec![0; sum];
        for (number, set) in sets.enumerate() {
            for &owner in set {
                let Some(end) = ends.get_mut(owner) else { continue };
                if let Some(slot) = numbers.get_mut(*end) {
                    (*slot, *end) = (number, *end + 1);
                }
            }
        }
        Self { ends, numbers }
    }

    /// The same with other numbers in place of these.
    pub(super) fn renumbered(mut self, numbers: &[usize]) -> Self {
        for number in &mut self.numbers {
            *number = numbers.get(*number).copied().unwrap_or(*number);
        }
        self
    }

    /// The numbers of an owner.
    pub fn of(&self, owner: usize) -> &[usize] {
        let from = owner.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let span = self.ends.get(owner).map(|to| from.unwrap_or(0)..*to);
        span.and_then(|span| self.numbers.get(span)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_know_their_sets() {
        let sets = [vec![0, 2], vec![2], vec![], vec![0, 3]];
        let lists = Lists::inverted(5, sets.iter());
        let found: Vec<&[usize]> = (0..6).map(|owner| lists.of(owner)).collect();
        assert_eq!(found, [&[0, 3][..], &[], &[0, 1], &[3], &[], &[]]);
    }
}
