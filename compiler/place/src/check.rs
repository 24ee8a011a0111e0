//! Whether the numbers in a problem are in range.

use thiserror::Error;

use crate::problem::{Balance, Problem};

/// What is wrong with a problem's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A machine without devices.
    #[error("a machine has at least one node with at least one device")]
    NoDevices,
    /// A task names a module that there is not.
    #[error("task {task} uses module {module}, but there are {modules} modules")]
    Module {
        /// The task.
        task: usize,
        /// The module.
        module: usize,
        /// Modules that there are.
        modules: usize,
    },
    /// A pin or a set names a task that there is not.
    #[error("there is no task {task}; there are {tasks} tasks")]
    Task {
        /// The task.
        task: usize,
        /// Tasks that there are.
        tasks: usize,
    },
    /// A pin names a device that there is not.
    #[error("there is no device {device}; there are {devices} devices")]
    Device {
        /// The device.
        device: usize,
        /// Devices that there are.
        devices: usize,
    },
    /// A balance for another number of devices.
    #[error("the balance is for {found} devices, but there are {devices}")]
    Balance {
        /// Devices that the balance is for.
        found: usize,
        /// Devices that there are.
        devices: usize,
    },
    /// Too large to be counted in 63 bits.
    #[error("weights and loads are too large to be summed")]
    TooLarge,
}

/// The first fault of a problem.
///
/// # Errors
/// Numbers out of range.
pub fn check(problem: &Problem) -> Result<(), Fault> {
    let (tasks, modules) = (problem.tasks.len(), problem.modules.len());
    let devices = problem.machine.devices();
    if devices == 0 {
        return Err(Fault::NoDevices);
    }
    for (task, row) in problem.tasks.iter().enumerate() {
        if let Some(&module) = row.modules.iter().find(|&&module| module >= modules) {
            return Err(Fault::Module { task, module, modules });
        }
    }
    for &(task, device) in &problem.limits.pins {
        if task >= tasks {
            return Err(Fault::Task { task, tasks });
        }
        if device >= devices {
            return Err(Fault::Device { device, devices });
        }
    }
    if let Some(&task) = problem.limits.apart.iter().flatten().find(|&&task| task >= tasks) {
        return Err(Fault::Task { task, tasks });
    }
    if let Balance::Within(seats) = &problem.limits.balance
        && seats.len() != devices
    {
        return Err(Fault::Balance { found: seats.len(), devices });
    }
    sums(problem)
}

/// Whether the dearest assignment can be counted.
fn sums(problem: &Problem) -> Result<(), Fault> {
    let (nodes, devices) = (problem.machine.nodes, problem.machine.devices());
    let one = u128::from(problem.objective.price(1, nodes, devices));
    let mut most = 0_u128;
    for module in &problem.modules {
        most += u128::from(module.weight) * one;
    }
    let sum = |of: &dyn Fn(usize) -> u64, count: usize| {
        (0..count).map(|at| u128::from(of(at))).sum::<u128>()
    };
    let load = sum(&|at| problem.tasks[at].load, problem.tasks.len());
    let memory = sum(&|at| problem.tasks[at].memory, problem.tasks.len())
        + sum(&|at| problem.modules[at].memory, problem.modules.len());
    let limit = u128::from(u64::MAX >> 2);
    if most > limit || load > limit || memory > limit { Err(Fault::TooLarge) } else { Ok(()) }
}
