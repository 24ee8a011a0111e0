//! The largest load of a device, while the tree places tasks: what it is at least, whatever comes.

use crate::instance::Instance;
use crate::objective::Objective;

/// Loads of all devices.
#[derive(Debug)]
pub(super) struct Loads {
    of: Vec<u64>,
    /// Load of tasks that are nowhere.
    left: u64,
}

impl Loads {
    /// Nothing is placed; none when the objective does not ask for loads.
    pub(super) fn new(instance: &Instance) -> Option<Self> {
        let Objective::Time(_) = instance.objective else { return None };
        Some(Self { of: vec![0; instance.devices()], left: instance.load.iter().sum() })
    }

    pub(super) fn put(&mut self, load: u64, device: usize) {
        self.of[device] += load;
        self.left -= load;
    }

    pub(super) fn take(&mut self, load: u64, device: usize) {
        self.of[device] -= load;
        self.left += load;
    }

    /// The largest load when what is left could be divided at will: water that fills the lowest devices first.
    pub(super) fn least(&self) -> u64 {
        let mut loads = self.of.clone();
        loads.sort_unstable();
        let (mut sum, mut level) = (self.left, 0);
        for (at, &load) in loads.iter().enumerate() {
            if at > 0 && level <= load {
                break;
            }
            sum += load;
            level = sum.div_ceil(at as u64 + 1);
        }
        level.max(loads.last().copied().unwrap_or(0))
    }

    /// The load of a device with a task more.
    #[inline]
    pub(super) fn with(&self, load: u64, device: usize) -> u64 {
        self.of[device] + load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_fills_the_lowest_first() {
        let least = |of: &[u64], left| Loads { of: of.to_vec(), left }.least();
        assert_eq!(least(&[0, 0, 0], 10), 4);
        assert_eq!(least(&[5, 1, 0], 3), 5);
        assert_eq!(least(&[5, 1, 0], 12), 6);
        assert_eq!(least(&[9, 1, 1], 4), 9);
        assert_eq!(least(&[7], 0), 7);
    }
}
