//! Steps that are left out because a loss or a gradient was no finite number: how many there were, and whether one more may be.
//!
//! All ranks see the same sums of all lanes' losses and of all gradients, so all count alike.

use mmc_plan::OnNan;
use serde::{Deserialize, Serialize};

/// Steps that were left out; a part of checkpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skips {
    /// Since the last step that trained.
    pub in_a_row: u32,
    /// Since training began.
    pub in_all: u64,
}

impl Skips {
    /// Whether the plan lets one more step be left out.
    pub fn may_go_on(self, rule: OnNan) -> bool {
        match rule {
            OnNan::Stop => false,
            OnNan::Skip { most } => self.in_a_row < most,
        }
    }

    /// A step was left out.
    pub fn count(&mut self) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_all = self.in_all.saturating_add(1);
    }

    /// A step has trained.
    pub fn end_row(&mut self) {
        self.in_a_row = 0;
    }

    /// Whether none was left out.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_trains_ends_the_row() {
        let rule = OnNan::Skip { most: 2 };
        let mut skips = Skips::default();
        assert!(!skips.may_go_on(OnNan::Stop) && skips.may_go_on(rule) && skips.is_none());
        skips.count();
        assert!(skips.may_go_on(rule));
        skips.count();
        assert!(!skips.may_go_on(rule));
        skips.end_row();
        assert!(skips.may_go_on(rule));
        assert_eq!(skips, Skips { in_a_row: 0, in_all: 2 });
    }
}
