//! What a curriculum comes to: shares, tokens and epochs of every task, and the active tasks of every rank, over the run.

use crate::plan::Plan;

/// A forecast of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// First and last step of every window.
    pub windows: Vec<[u64; 2]>,
    /// Of every task, in order of name.
    pub tasks: Vec<TaskForecast>,
    /// Per rank and window: tasks that its lanes may draw.
    pub active: Vec<Vec<usize>>,
}

/// What comes to a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskForecast {
    /// The task.
    pub name: String,
    /// Share in every window, in parts per billion.
    pub shares: Vec<u64>,
    /// Padded tokens of all its batches up to the end of every window, in expectation.
    pub tokens: Vec<f64>,
    /// Times that its text was read up to the end of every window, in expectation.
    pub epochs: Vec<f64>,
}

impl TaskForecast {
    /// First window in which it takes part.
    pub fn first_window(&self) -> Option<usize> {
        self.shares.iter().position(|share| *share > 0)
    }

    /// Tokens of the whole run.
    pub fn all_tokens(&self) -> f64 {
        self.tokens.last().copied().unwrap_or(0.0)
    }

    /// Epochs of the whole run.
    pub fn all_epochs(&self) -> f64 {
        self.epochs.last().copied().unwrap_or(0.0)
    }
}

impl Forecast {
    /// The forecast of a plan, when a line has so many padded tokens.
    ///
    /// A step reads `lanes * accumulate * batch_tokens` tokens, of which a task gets its share in the step's window; a text
    /// of n lines is read once when its task got n lines' tokens.
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    pub fn new(plan: &Plan, line_tokens: u32) -> Self {
        let windows = plan.windows();
        let training = &plan.training;
        let step = plan.lanes.len() as f64
            * f64::from(training.accumulate)
            * f64::from(training.batch_tokens);
        let task = |(name, spec): (&String, &crate::plan::TaskSpec)| {
            let shares: Vec<u64> = (0..windows.len()).map(|at| plan.share_in(at, name)).collect();
            let mut sum = 0.0;
            let tokens: Vec<f64> = shares
                .iter()
                .zip(&windows)
                .map(|(share, [first, last])| {
                    sum += *share as f64 / 1e9 * step * (last + 1).saturating_sub(*first) as f64;
                    sum
                })
                .collect();
            let epoch = spec.corpus.train.lines.max(1) as f64 * f64::from(line_tokens.max(1));
            let epochs = tokens.iter().map(|tokens| tokens / epoch).collect();
            TaskForecast { name: name.clone(), shares, tokens, epochs }
        };
        let active = |rank: &crate::plan::RankSpec| {
            (0..windows.len()).map(|window| active(plan, window, &rank.lanes)).collect()
        };
        Self {
            tasks: plan.tasks.iter().map(task).collect(),
            active: plan.ranks.iter().map(active).collect(),
            windows,
        }
    }
}

/// Tasks that some lanes may draw in a window.
fn active(plan: &Plan, window: usize, lanes: &[u32]) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for &lane in lanes {
        let Ok(number) = usize::try_from(lane) else { continue };
        let tasks = plan.lanes.get(number).into_iter().flat_map(|spec| spec.tasks.keys());
        let drawn = tasks.filter(|task| plan.parts_in(window, number, task) > 0);
        names.extend(drawn.map(String::as_str));
    }
    names.sort_unstable();
    names.dedup();
    names.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn forecast_of_two_windows() {
        let mut plan = sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
        plan.curriculum = sample::two_windows(&plan);
        let forecast = Forecast::new(&plan, 10);
        assert_eq!(forecast.windows, vec![[1, 10], [11, 20]]);
        let task = forecast.tasks.first().expect("a task");
        // 20 steps of 2 lanes, 2 batches of 256 tokens; half of them; 1000 lines of 10 tokens.
        assert!((task.all_tokens() - 10_240.0).abs() < 1e-6);
        assert!((task.epochs[0] - 0.512).abs() < 1e-9 && (task.all_epochs() - 1.024).abs() < 1e-9);
        assert_eq!(task.first_window(), Some(0));
        assert_eq!(forecast.active, vec![vec![1, 1], vec![1, 1]]);
    }
}
