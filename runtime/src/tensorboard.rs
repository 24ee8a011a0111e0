//! Events to curves for TensorBoard: `<output>/tensorboard/events.out.tfevents.<seconds>.mmc`, a file for every start of the run.
//!
//! A file is a row of messages `Event` (tensorflow, `core/util/event.proto`). The few fields that curves need are written by
//! [`record`]: the crates for it are not kept up.
//!
//! A run that goes on behind step `s` does the steps after `s` again. So what earlier files say of those is cut off, and the
//! new file begins with the start of a session, at which a TensorBoard that is watching forgets them too: every point is there
//! once, whoever reads.

mod record;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use mmc_plan::{Event, Measure};

use crate::error::{While as _, WorkerError};

use record::{Message, cut, record};

/// TensorBoard looks for files with this in their names and reads them in order of name.
const PREFIX: &str = "events.out.tfevents.";

/// Ours among them.
const SUFFIX: &str = ".mmc";

/// The open file of a run's curves.
#[derive(Debug)]
pub struct Curves {
    file: File,
}

impl Curves {
    /// Cuts what the folder's files say of steps behind `step`, and begins a file for them.
    pub fn open(folder: &Path, step: u64) -> Result<Self, WorkerError> {
        let doing = format!("preparing {}", folder.display());
        fs::create_dir_all(folder).doing(&doing)?;
        let entries = fs::read_dir(folder).doing(&doing)?;
        for entry in entries {
            let entry = entry.doing(&doing)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
                cut(&entry.path(), step).doing(&doing)?;
            }
        }
        let mut curves = Self { file: create(folder).doing(&doing)? };
        curves.write(0, |event| event.text(3, "brain.Event:2"))?;
        // `session_log { status: START }`
        curves.write(step + 1, |event| event.message(7, |session| session.number(1, 1)))?;
        Ok(curves)
    }

    /// Adds the points of an event, if it has any.
    pub fn add(&mut self, event: &Event) -> Result<(), WorkerError> {
        let Some((step, points)) = points(event) else { return Ok(()) };
        self.write(step, |event| {
            event.message(5, |summary| {
                for (tag, value) in &points.0 {
                    summary.message(1, |point| {
                        point.text(1, tag);
                        point.float(2, *value);
                    });
                }
            });
        })
    }

    fn write(&mut self, step: u64, fill: impl FnOnce(&mut Message)) -> Result<(), WorkerError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut event = Message::default();
        event.double(1, now.as_secs_f64());
        event.number(2, step);
        fill(&mut event);
        // In one piece and unbuffered: a rank that is killed loses no more than its last step.
        self.file.write_all(&record(&event)).doing("writing the curves for TensorBoard")
    }
}

/// A new file whose name comes behind those of earlier seconds.
fn create(folder: &Path) -> io::Result<File> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut seconds = now.as_secs();
    loop {
        let path = folder.join(format!("{PREFIX}{seconds:010}{SUFFIX}"));
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
            made => return made,
        }
    }
}

/// Tags and values.
#[derive(Debug, Default)]
struct Points(Vec<(String, f64)>);

impl Points {
    fn add<'a>(&mut self, group: &str, of_group: impl IntoIterator<Item = (&'a str, f64)>) {
        self.0.extend(of_group.into_iter().map(|(name, value)| (format!("{group}/{name}"), value)));
    }

    fn add_scores(
        &mut self,
        scores: &BTreeMap<Measure, BTreeMap<String, f64>>,
        means: &BTreeMap<Measure, f64>,
    ) {
        for (measure, of_tasks) in scores {
            self.add_tasks(&format!("validation_{measure}"), of_tasks);
        }
        for (measure, mean) in means {
            self.add("validation", [(format!("macro_{measure}").as_str(), *mean)]);
        }
    }

    fn add_tasks(&mut self, group: &str, of_tasks: &BTreeMap<String, f64>) {
        self.add(group, of_tasks.iter().map(|(task, value)| (task.as_str(), *value)));
    }
}

/// The step and the points of an event.
fn points(event: &Event) -> Option<(u64, Points)> {
    of_step(event).or_else(|| of_validation(event))
}

fn of_step(event: &Event) -> Option<(u64, Points)> {
    let Event::Step {
        step,
        losses,
        source_tokens,
        target_tokens,
        lr,
        least_lr,
        norm,
        scale,
        seconds,
        sync_seconds,
        data_seconds,
        memory,
        fullest,
    } = event
    else {
        return None;
    };
    let mut points = Points::default();
    points.add_tasks("training_loss", losses);
    points.add("training", [("learning_rate", *lr)]);
    points.add("training", least_lr.map(|lr| ("least_learning_rate", lr)));
    points.add("training", norm.map(|norm| ("gradient_norm", norm)));
    points.add("training", scale.map(|scale| ("loss_scale", scale)));
    let rate = |count: u64| number(count) / seconds.max(f64::MIN_POSITIVE);
    let fullest = fullest.map_or(*memory, |fullest| fullest.memory);
    let speed = [
        ("source_tokens_per_second", rate(*source_tokens)),
        ("target_tokens_per_second", rate(*target_tokens)),
        ("seconds_per_step", *seconds),
        ("synchronising_seconds_per_step", *sync_seconds),
        ("waiting_for_text_seconds_per_step", *data_seconds),
        ("most_memory_of_rank_0_in_bytes", number(*memory)),
        ("most_memory_of_any_rank_in_bytes", number(fullest)),
    ];
    points.add("speed", speed);
    Some((*step, points))
}

fn of_validation(event: &Event) -> Option<(u64, Points)> {
    let Event::Validated {
        step,
        losses,
        perplexities,
        accuracies,
        loss,
        perplexity,
        accuracy,
        macro_loss,
        macro_perplexity,
        macro_accuracy,
        scores,
        macro_scores,
        skipped: _,
    } = event
    else {
        return None;
    };
    let mut points = Points::default();
    points.add_tasks("validation_loss", losses);
    points.add_tasks("validation_perplexity", perplexities);
    points.add_tasks("validation_accuracy", accuracies);
    let of_all = [
        ("loss", *loss),
        ("perplexity", *perplexity),
        ("accuracy", *accuracy),
        ("macro_loss", *macro_loss),
        ("macro_perplexity", *macro_perplexity),
        ("macro_accuracy", *macro_accuracy),
    ];
    points.add("validation", of_all.into_iter().filter_map(|(name, x)| Some((name, x?))));
    points.add_scores(scores, macro_scores);
    Some((*step, points))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::record::{next, step_of};
    use super::*;

    fn step(step: u64) -> Event {
        let losses = [("t.de-en".to_owned(), 2.5)].into();
        let (source_tokens, target_tokens, memory) = (10, 20, 1 << 20);
        let (lr, least_lr, norm, scale) = (1e-3, None, Some(1.0), None);
        let (seconds, sync_seconds, data_seconds, fullest) = (0.5, 0.0, 0.0, None);
        Event::Step {
            step,
            losses,
            source_tokens,
            target_tokens,
            lr,
            least_lr,
            norm,
            scale,
            seconds,
            sync_seconds,
            data_seconds,
            memory,
            fullest,
        }
    }

    /// The steps of all records, file by file.
    fn steps(folder: &Path) -> Vec<Vec<u64>> {
        let mut paths: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let of = |path| {
            let mut reader = BufReader::new(File::open(path).unwrap());
            std::iter::from_fn(|| next(&mut reader)).map(|event| step_of(&event)).collect()
        };
        paths.into_iter().map(of).collect()
    }

    #[test]
    fn a_run_that_goes_on_says_every_step_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = |behind: u64, last: u64| {
            let mut curves = Curves::open(folder.path(), behind).unwrap();
            for at in behind + 1..=last {
                curves.add(&step(at)).unwrap();
            }
            curves.add(&Event::Finished { step: last, interrupted: true }).unwrap();
            curves
        };
        let mut curves = run(0, 300);
        // Killed in the middle of a record, and started again behind a checkpoint before it.
        let mut half = Message::default();
        half.text(3, "half of it");
        curves.file.write_all(&record(&half)[..20]).unwrap();
        run(200, 203);
        assert_eq!(
            steps(folder.path()),
            [[0, 1].into_iter().chain(1..=200).collect(), vec![0, 201, 201, 202, 203]]
        );
        // Behind an older one: nothing of the second file is left.
        run(150, 151);
        let first = [0, 1].into_iter().chain(1..=150).collect();
        assert_eq!(steps(folder.path()), [first, vec![0, 151, 151]]);
        run(0, 1);
        assert_eq!(steps(folder.path()), [[0, 1, 1]]);
    }
}
