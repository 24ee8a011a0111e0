//! Dense numbers for tasks and modules inside the compiler; the plan speaks names.

/// Place of a task in the task table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// Place of a module in the module graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u32);

impl TaskId {
    /// The id of a place.
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ModuleId {
    /// The id of a place.
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
