//! Events of a run to what people see of it: bars on a terminal, lines elsewhere. Always on standard error.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mmc_plan::{Calibration, Event, Measure, SkippedPairs, SplitLane};

use crate::report;

/// Tasks with a row or a place of their own; the others count in the mean.
const SHOWN_TASKS: usize = 12;

/// Between two lines of training where no terminal is.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What is known of a run and how it is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    view: View,
    /// Steps in all.
    steps: u64,
    /// Newest training loss of every task.
    losses: BTreeMap<String, f64>,
    /// Since the last line.
    window: Window,
    /// Step and time of the start, for the time left.
    began: (u64, Instant),
    /// Pairs that validations leave out, as they were told last.
    left_out: BTreeMap<String, SkippedPairs>,
    /// Newest checkpoint.
    pub(crate) saved: Option<String>,
    /// What a calibration found.
    pub(crate) calibration: Option<Calibration>,
    /// Whether the worker said that it is done, and whether by a signal.
    pub(crate) finished: Option<bool>,
}

#[derive(Debug)]
enum View {
    Lines { last: Option<Instant> },
    Bars { all: MultiProgress, steps: ProgressBar, tasks: BTreeMap<String, ProgressBar> },
}

/// Sums over the steps since the last line.
#[derive(Debug, Default)]
struct Window {
    source_tokens: u64,
    target_tokens: u64,
    seconds: f64,
}

impl Progress {
    /// Bars where standard error is a terminal, else lines.
    pub(crate) fn new() -> Self {
        let view =
            if io::stderr().is_terminal() { View::bars() } else { View::Lines { last: None } };
        Self {
            view,
            steps: 0,
            losses: BTreeMap::new(),
            window: Window::default(),
            began: (0, Instant::now()),
            left_out: BTreeMap::new(),
            saved: None,
            calibration: None,
            finished: None,
        }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Started { world, step, steps, parameters, memory: _ } => {
                self.start(*world, (*step, *steps), *parameters);
            }
            Event::Damaged { path, fault } => {
                self.say(&format!(
                    "checkpoint {path} is damaged: {fault}; going on from an older one"
                ));
            }
            Event::Step { step, losses, source_tokens, target_tokens, lr, seconds, .. } => {
                self.losses.extend(losses.iter().map(|(task, loss)| (task.clone(), *loss)));
                self.window.source_tokens += source_tokens;
                self.window.target_tokens += target_tokens;
                self.window.seconds += seconds;
                self.step(*step, *lr);
            }
            Event::Split { step, lanes } => {
                for lane in lanes {
                    self.say(&split(*step, lane));
                }
            }
            Event::Skipped { step, batches, tasks, in_a_row, .. } => {
                let what = if batches.is_empty() { "gradient" } else { "loss" };
                self.say(&skipped(*step, what, tasks, *in_a_row));
            }
            Event::Validated { .. } => self.validation(event),
            Event::StoppedEarly { step, best } => {
                self.say(&format!(
                    "stopping after step {step}: no validation was better than that of step {best}"
                ));
            }
            Event::Saved { step, path, skipped } => {
                self.saved = Some(path.clone());
                let left_out = left_out("pairs left out so far", skipped);
                self.say(&format!("step {step}: checkpoint {path}{left_out}"));
            }
            Event::Averaged { steps, path } => {
                self.say(&format!("mean of the checkpoints of steps {steps:?}: {path}"));
            }
            Event::Finished { step, interrupted } => {
                self.finish(*step, *interrupted);
            }
            Event::Measured { what, done, of } => {
                if let View::Bars { steps: bar, .. } = &self.view {
                    bar.set_length((*of).into());
                    bar.set_position((*done).into());
                    bar.set_message(what.clone());
                }
            }
            Event::Calibrated(found) => self.calibration = Some(*found),
            Event::Failed { .. } => {}
        }
    }

    fn validation(&mut self, event: &Event) {
        let Event::Validated {
            step,
            losses,
            loss,
            perplexity,
            accuracy,
            macro_scores,
            skipped,
            ..
        } = event
        else {
            return;
        };
        let found = validated([*loss, *perplexity], *accuracy, macro_scores);
        let left_out = self.newly_left_out(skipped);
        self.say(&format!("step {step}: validation{found};{}{left_out}", listed(losses)));
    }

    fn start(&mut self, world: u32, (step, steps): (u64, u64), parameters: u64) {
        self.steps = steps;
        self.began = (step, Instant::now());
        if let View::Bars { steps: bar, .. } = &self.view {
            bar.set_length(steps);
            bar.set_position(step);
            bar.reset_eta();
        }
        let from = if step > 0 { format!(", from step {step}") } else { String::new() };
        self.say(&format!(
            "training {} parameters on {world} {}, {steps} steps{from}",
            grouped(parameters),
            if world == 1 { "rank" } else { "ranks" }
        ));
    }

    /// What a validation leaves out, unless the one before left out the same: texts do not change.
    fn newly_left_out(&mut self, skipped: &BTreeMap<String, SkippedPairs>) -> String {
        if self.left_out == *skipped {
            return String::new();
        }
        self.left_out.clone_from(skipped);
        left_out("pairs left out", skipped)
    }

    fn finish(&mut self, step: u64, interrupted: bool) {
        self.finished = Some(interrupted);
        self.close();
        if interrupted {
            self.say(&format!("interrupted after step {step}; `--resume` goes on from there"));
        } else {
            self.say(&format!("finished after step {step}"));
        }
    }

    /// Removes the bars, so that what follows stands below the lines.
    pub(crate) fn close(&mut self) {
        if let View::Bars { all, .. } = &self.view {
            let _ = all.clear();
            self.view = View::Lines { last: Some(Instant::now()) };
        }
    }

    /// A line for people that does not tear the bars.
    pub(crate) fn say(&self, line: &str) {
        match &self.view {
            View::Lines { .. } => report::note(line),
            View::Bars { all, .. } => {
                if all.println(line).is_err() {
                    report::note(line);
                }
            }
        }
    }

    fn step(&mut self, step: u64, lr: f64) {
        let (source, target) = self.window.rates();
        let mean = mean(&self.losses);
        match &mut self.view {
            View::Lines { last } => {
                let due = last.is_none_or(|last| last.elapsed() >= LINE_EVERY);
                if !due && step != self.steps {
                    return;
                }
                *last = Some(Instant::now());
                let left = time_left(self.began, step, self.steps);
                report::note(&format!(
                    "step {step}/{}: loss {mean:.3}, {source} source + {target} target tokens/s, lr {lr:.2e}{left};{}",
                    self.steps,
                    listed(&self.losses)
                ));
                self.window = Window::default();
            }
            View::Bars { all, steps, tasks } => {
                steps.set_position(step);
                steps.set_message(format!(
                    "loss {mean:.3}, {source} + {target} tokens/s, lr {lr:.1e}"
                ));
                for (task, loss) in &self.losses {
                    if !tasks.contains_key(task) {
                        if tasks.len() >= SHOWN_TASKS {
                            continue;
                        }
                        let row = all.insert_before(steps, ProgressBar::no_length());
                        row.set_style(
                            ProgressStyle::with_template("  {msg}")
                                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                        );
                        tasks.insert(task.clone(), row);
                    }
                    if let Some(row) = tasks.get(task) {
                        row.set_message(format!("{task}  {loss:.3}"));
                    }
                }
                if self.window.seconds > LINE_EVERY.as_secs_f64() {
                    self.window = Window::default();
                }
            }
        }
    }
}

impl View {
    fn bars() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        let steps = all.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template(
            "[{elapsed_precise}] {wide_bar} {pos}/{len} {msg}, {eta} left",
        );
        steps.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bars { all, steps, tasks: BTreeMap::new() }
    }
}

impl Window {
    /// Source and target tokens per second.
    fn rates(&self) -> (String, String) {
        let rate = |tokens: u64| grouped(per_second(tokens, self.seconds));
        (rate(self.source_tokens), rate(self.target_tokens))
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people; casts of floats saturate"
)]
fn per_second(count: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (count as f64 / seconds).round() as u64 } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "a number of tasks")]
fn mean(losses: &BTreeMap<String, f64>) -> f64 {
    losses.values().sum::<f64>() / (losses.len().max(1) as f64)
}

/// ` loss 1.234, perplexity 3.43, accuracy 56.7 %, bleu 8.9`: over all tasks.
fn validated(
    [loss, perplexity]: [Option<f64>; 2],
    accuracy: Option<f64>,
    scores: &BTreeMap<Measure, f64>,
) -> String {
    let loss = loss.map_or_else(|| "not finite".to_owned(), |loss| format!("{loss:.3}"));
    let perplexity = perplexity.map(|x| format!(", perplexity {x:.2}")).unwrap_or_default();
    let scores: Vec<String> =
        scores.iter().map(|(measure, score)| format!(", {measure} {score:.1}")).collect();
    let scores = scores.concat();
    let Some(accuracy) = accuracy else { return format!(" of no pair that can be used{scores}") };
    format!(" loss {loss}{perplexity}, accuracy {:.1} %{scores}", 100.0 * accuracy)
}

/// ` task 1.234, task 2.345 and 30 more`.
fn listed(losses: &BTreeMap<String, f64>) -> String {
    let shown: Vec<String> =
        losses.iter().take(SHOWN_TASKS).map(|(task, loss)| format!(" {task} {loss:.3}")).collect();
    let more = losses.len().saturating_sub(SHOWN_TASKS);
    let rest = if more > 0 {
        format!(" and {more} more, mean {:.3}", mean(losses))
    } else {
        String::new()
    };
    shown.join(",") + &rest
}

/// A lane's batches that were run in parts.
fn split(step: u64, SplitLane { lane: _, task, sentences, parts }: &SplitLane) -> String {
    format!(
        "step {step}: memory is too small for {sentences} sentences of {task}: its batches were run in {parts} parts"
    )
}

/// A step that was left out.
fn skipped(step: u64, what: &str, tasks: &[String], in_a_row: u32) -> String {
    let row = if in_a_row > 1 { format!("; {in_a_row} in a row") } else { String::new() };
    format!("step {step} is skipped: its {what} is not finite (tasks {}){row}", tasks.join(", "))
}

/// `; pairs left out so far: 3 not UTF-8, 1 empty`, over all tasks.
fn left_out(what: &str, skipped: &BTreeMap<String, SkippedPairs>) -> String {
    let mut all = SkippedPairs::default();
    for of_task in skipped.values() {
        all += *of_task;
    }
    let SkippedPairs { empty, too_long, not_utf8, filtered } = all;
    let reasons =
        [(not_utf8, "not UTF-8"), (empty, "empty"), (too_long, "too long"), (filtered, "filtered")];
    let told = reasons.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> =
        told.map(|(count, reason)| format!("{} {reason}", grouped(count))).collect();
    if told.is_empty() {
        return String::new();
    }
    format!("; {what}: {}", told.join(", "))
}

/// `, 1 h 12 min left`, from the mean pace since the start.
fn time_left(began: (u64, Instant), step: u64, steps: u64) -> String {
    let (done, left) = (step.saturating_sub(began.0), steps.saturating_sub(step));
    let (Ok(done), Ok(left)) = (u32::try_from(done), u32::try_from(left)) else {
        return String::new();
    };
    if done == 0 || left == 0 {
        return String::new();
    }
    let seconds = (began.1.elapsed().as_secs_f64() / f64::from(done) * f64::from(left)).ceil();
    format!(", {} left", duration(seconds))
}

/// Seconds as people say them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and casts of floats saturate"
)]
fn duration(seconds: f64) -> String {
    match seconds as u64 {
        short @ 0..60 => format!("{short} s"),
        middle @ 60..3600 => format!("{} min {} s", middle / 60, middle % 60),
        long => format!("{} h {} min", long / 3600, long % 3600 / 60),
    }
}

/// `1 file`, `1 200 files`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number with spaces between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_easily() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(duration(59.9), "59 s");
        assert_eq!(duration(61.0), "1 min 1 s");
        assert_eq!(duration(7380.0), "2 h 3 min");
        assert_eq!(per_second(100, 0.0), 0);
        assert_eq!(per_second(100, 4.0), 25);
    }

    #[test]
    fn validations_tell_their_scores() {
        let found = validated([Some(1.5), None], Some(0.25), &BTreeMap::new());
        assert_eq!(found, " loss 1.500, accuracy 25.0 %");
        let scores = BTreeMap::from([(Measure::Bleu, 12.34), (Measure::Chrf, 40.0)]);
        let found = validated([Some(1.5), Some(4.482)], Some(0.25), &scores);
        assert_eq!(found, " loss 1.500, perplexity 4.48, accuracy 25.0 %, bleu 12.3, chrf 40.0");
        let found = validated([None, None], Some(0.0), &BTreeMap::new());
        assert_eq!(found, " loss not finite, accuracy 0.0 %");
        let found = validated([None, None], None, &BTreeMap::new());
        assert_eq!(found, " of no pair that can be used");
    }

    #[test]
    fn pairs_left_out_are_summed_over_tasks() {
        let of_task = SkippedPairs { empty: 600, not_utf8: 1, ..SkippedPairs::default() };
        let two = BTreeMap::from([("a".to_owned(), of_task), ("b".to_owned(), of_task)]);
        assert_eq!(left_out("left out", &two), "; left out: 2 not UTF-8, 1 200 empty");
        assert_eq!(left_out("left out", &BTreeMap::new()), "");
        let mut progress = Progress::new();
        let told = [&two, &two, &BTreeMap::new(), &two].map(|found| progress.newly_left_out(found));
        assert_eq!(told.map(|text| text.is_empty()), [false, true, true, false]);
    }

    #[test]
    fn many_tasks_are_cut_short() {
        let losses: BTreeMap<String, f64> = (0..20).map(|n| (format!("t{n:02}"), 2.0)).collect();
        let text = listed(&losses);
        assert!(text.starts_with(" t00 2.000, t01 2.000"), "{text}");
        assert!(text.ends_with("and 8 more, mean 2.000"), "{text}");
    }
}
