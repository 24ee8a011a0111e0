//! Sizes of batches that memory was large enough for.

use std::collections::BTreeMap;

use crate::model::Size;

/// The sizes that passed, by task: tasks with deeper stacks need more for the same batch. Of each task those that no other one covers.
#[derive(Debug, Default)]
pub(super) struct Fitted<'a>(BTreeMap<&'a str, Vec<Size>>);

impl<'a> Fitted<'a> {
    /// Whether a batch of a task passed that was as large in all respects.
    pub(super) fn covers(&self, task: &str, size: Size) -> bool {
        self.0.get(task).is_some_and(|passed| passed.iter().any(|larger| size.is_within(*larger)))
    }

    /// Remembers a size that passed.
    pub(super) fn add(&mut self, task: &'a str, size: Size) {
        let passed = self.0.entry(task).or_default();
        if !passed.iter().any(|larger| size.is_within(*larger)) {
            passed.retain(|smaller| !smaller.is_within(size));
            passed.push(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(source: i64, target: i64, longest: i64) -> Size {
        Size { source, target, longest }
    }

    #[test]
    fn a_batch_is_covered_by_one_of_its_task_that_was_as_large_in_all() {
        let mut fitted = Fitted::default();
        fitted.add("a", size(100, 20, 10));
        fitted.add("a", size(20, 100, 10));
        assert!(fitted.covers("a", size(100, 20, 10)) && fitted.covers("a", size(9, 99, 9)));
        // Neither was as large on both sides, or had lines as long.
        assert!(!fitted.covers("a", size(100, 100, 10)) && !fitted.covers("a", size(9, 9, 11)));
        assert!(!fitted.covers("b", size(1, 1, 1)), "another task may have deeper stacks");
        fitted.add("a", size(100, 100, 10));
        assert_eq!(fitted.0["a"], [size(100, 100, 10)]);
    }
}
