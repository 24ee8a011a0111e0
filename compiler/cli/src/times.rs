//! What the stages of a command took: seconds, CPU seconds of all threads, and the most memory so far.
//!
//! Linux alone tells a process its CPU time in nanoseconds and its memory's peak (`/proc/self`); elsewhere those cells hold `-`.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

/// A stopwatch with a row for every end that it was told.
#[derive(Debug)]
pub(crate) struct Times {
    start: Moment,
    rows: RefCell<Vec<(&'static str, Moment)>>,
}

/// A point in time.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    /// Seconds of all threads since the process began.
    cpu: Option<f64>,
    /// Most memory until now, in MiB.
    peak: Option<f64>,
}

impl Times {
    /// Starts the watch.
    pub(crate) fn start() -> Self {
        Self { start: Moment::now(), rows: RefCell::default() }
    }

    /// Something has ended, and what comes next begins.
    pub(crate) fn ended(&self, name: &'static str) {
        self.rows.borrow_mut().push((name, Moment::now()));
    }

    /// A table: one row an end, and all of them together.
    pub(crate) fn text(&self) -> String {
        let mut text =
            format!("{:<18} {:>9} {:>12} {:>9}\n", "stage", "seconds", "CPU seconds", "peak MiB");
        let (rows, mut before) = (self.rows.borrow(), self.start);
        for &(name, moment) in rows.iter() {
            row(&mut text, name, before, moment);
            before = moment;
        }
        row(&mut text, "all", self.start, before);
        text
    }
}

fn row(text: &mut String, name: &str, before: Moment, after: Moment) {
    let cell = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let seconds = (after.at - before.at).as_secs_f64();
    let cpu = after.cpu.zip(before.cpu).map(|(after, before)| after - before);
    let (cpu, peak) = (cell(cpu, 4), cell(after.peak, 1));
    let _ = writeln!(text, "{name:<18} {seconds:>9.4} {cpu:>12} {peak:>9}");
}

impl Moment {
    fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu_seconds(), peak: peak_mebibytes() }
    }
}

/// The first number of a thread's `schedstat` is its time on a CPU in nanoseconds.
fn cpu_seconds() -> Option<f64> {
    let mut seconds = 0.0;
    for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        seconds += text.split(' ').next()?.parse::<f64>().ok()? / 1e9;
    }
    Some(seconds)
}

fn peak_mebibytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_every_end_and_one_for_all() {
        let times = Times::start();
        times.ended("tasks");
        times.ended("modules");
        let text = times.text();
        let names: Vec<&str> =
            text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["stage", "tasks", "modules", "all"]);
        assert!(text.lines().skip(1).all(|line| line.split_whitespace().count() == 4), "{text}");
    }
}
