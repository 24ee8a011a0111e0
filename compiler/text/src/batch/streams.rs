//! The streams of a rank: each is made when it is first drawn from, and few of them keep files open.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mmc_plan::Plan;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Batch, StreamError, StreamState, TaskStream, Tokenizers};

/// Where the streams of a lane stand: task -> state.
pub type LaneStreams = BTreeMap<String, StreamState>;

/// Streams by lane and task.
#[derive(Debug)]
pub struct Streams<'a> {
    plan: &'a Plan,
    tokenizers: Tokenizers,
    /// Where former streams stood, by lane.
    saved: BTreeMap<u32, LaneStreams>,
    drawn: BTreeMap<(u32, &'a str), TaskStream>,
    /// Those that have files open, the one that was drawn from last at the end.
    open: Vec<(u32, &'a str)>,
    /// So many may keep them open between their chunks.
    most_open: usize,
    /// What makes examples of pairs.
    pool: ThreadPool,
}

impl<'a> Streams<'a> {
    /// Streams that go on where former ones stood, which make examples of what they read on so many threads: the same, whatever their
    /// number. Nothing is read before the first batch.
    pub fn new(
        plan: &'a Plan,
        tokenizers: Tokenizers,
        saved: BTreeMap<u32, LaneStreams>,
        (most_open, threads): (usize, usize),
    ) -> Result<Self, StreamError> {
        let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = pool.map_err(|cause| StreamError::Threads(cause.to_string()))?;
        let (drawn, open) = (BTreeMap::new(), Vec::new());
        Ok(Self { plan, tokenizers, saved, drawn, open, most_open, pool })
    }

    /// The batches of a task on a lane for one step (from 1), and where its stream stands behind them.
    pub fn draw(
        &mut self,
        step: u64,
        lane: u32,
        task: &'a str,
    ) -> Result<(Vec<Batch>, StreamState), StreamError> {
        let stream = match self.drawn.entry((lane, task)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut stream = TaskStream::open(self.plan, task, lane, &self.tokenizers)?;
                if let Some(state) = self.saved.get(&lane).and_then(|states| states.get(task)) {
                    stream.resume(state)?;
                }
                entry.insert(stream)
            }
        };
        let count = self.plan.training.accumulate;
        let batches = self
            .pool
            .install(|| (0..count).map(|_| stream.next_batch(step)).collect::<Result<_, _>>());
        let drawn = (batches?, stream.state());
        self.open.retain(|other| *other != (lane, task));
        if stream.is_open() {
            self.open.push((lane, task));
        }
        self.rest();
        Ok(drawn)
    }

    /// Lets streams rest that were not drawn from for long until few enough have files open: first those whose place is found by
    /// a seek, because others have to decompress all that is before it.
    fn rest(&mut self) {
        while self.open.len() > self.most_open {
            let seeks = |key| self.drawn.get(key).is_some_and(TaskStream::seeks);
            let at = self.open.iter().position(seeks).unwrap_or(0);
            if let Some(stream) = self.drawn.get_mut(&self.open.remove(at)) {
                stream.rest();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use mmc_plan::random::{Purpose, Stream};

    use super::super::tests::{TASK, corpus};
    use super::*;

    const TASKS: u64 = 240;

    /// Tasks with forty lines each, which are read six at a time, for two batches: plain, compressed with gzip, with zstd, by turns.
    fn plan(folder: &Path) -> Plan {
        let mut plan = corpus(folder, 10, 6);
        (plan.training.batch_tokens, plan.training.accumulate) = (12, 1);
        for number in 0..TASKS {
            let pair = |line| format!("w{} w{line} w3\n", number + line);
            let text: String = (0..40).map(pair).collect();
            let (suffix, bytes) = match number % 3 {
                0 => ("", text.into_bytes()),
                1 => {
                    let level = flate2::Compression::fast();
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                    encoder.write_all(text.as_bytes()).unwrap();
                    (".gz", encoder.finish().unwrap())
                }
                _ => (".zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
            };
            let path = folder.join(format!("{number}.txt{suffix}"));
            fs::write(&path, bytes).unwrap();
            let path = path.to_string_lossy().into_owned();
            let mut task = plan.tasks[TASK].clone();
            task.corpus.train.source = vec![path.clone()].into();
            task.corpus.train.target = vec![path].into();
            let lane = plan.lanes[0].tasks[TASK];
            plan.tasks.insert(number.to_string(), task);
            plan.lanes[0].tasks.insert(number.to_string(), lane);
        }
        plan
    }

    /// Files in a folder that this process has open; none where the system does not tell.
    fn open_files(folder: &Path) -> Option<usize> {
        let links = fs::read_dir("/proc/self/fd").ok()?.flatten();
        let files = links.filter_map(|link| fs::read_link(link.path()).ok());
        Some(files.filter(|file| file.starts_with(folder)).count())
    }

    /// However few may be open, batches and states are those of streams that are all open, before a resumption and behind it.
    #[test]
    fn few_files_are_open_and_the_batches_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        let names: Vec<String> = (0..TASKS).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tokenizers = Tokenizers::load(&plan, &names).unwrap();
        let streams =
            |saved, most| Streams::new(&plan, tokenizers.clone(), saved, (most, 2)).unwrap();
        let mut draw = Stream::new(1, Purpose::Synth, &[]);
        let mut order = names.repeat(9);
        draw.shuffle(&mut order);
        let mut all = streams(BTreeMap::new(), usize::MAX);
        let drawn: Vec<_> = order.iter().map(|task| all.draw(1, 0, task).unwrap()).collect();
        let held = open_files(folder.path());
        assert!(held.is_none_or(|held| held as u64 > TASKS), "{held:?}: nothing to let rest");
        drop(all);
        for most in [0, 1, 16] {
            let mut few = streams(BTreeMap::new(), most);
            let mut saved = LaneStreams::new();
            for (at, (task, drawn)) in order.iter().zip(&drawn).enumerate() {
                if at == order.len() / 2 + most {
                    few = streams([(0, saved.clone())].into(), most);
                }
                let found = few.draw(1, 0, task).unwrap();
                assert_eq!(found, *drawn, "{task}, drawn as number {at}, {most} open");
                saved.insert((*task).to_owned(), found.1);
                if at % 50 == 0 {
                    let held = open_files(folder.path());
                    assert!(held.is_none_or(|held| held <= 2 * most), "{held:?} with {most}");
                }
            }
        }
    }

    /// A stream that would have to decompress all that is before its place rests last.
    #[test]
    fn plain_files_are_closed_first() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        let tokenizers = Tokenizers::load(&plan, &["0"]).unwrap();
        let mut streams = Streams::new(&plan, tokenizers, BTreeMap::new(), (2, 1)).unwrap();
        let mut open = |task| {
            streams.draw(1, 0, task).unwrap();
            streams.open.iter().map(|(_, task)| *task).collect::<Vec<_>>()
        };
        assert_eq!(open("0"), ["0"]);
        assert_eq!(open("1"), ["0", "1"]);
        assert_eq!(open("0"), ["1", "0"]);
        assert_eq!(open("2"), ["1", "2"]);
        assert_eq!(open("3"), ["1", "2"]);
        assert_eq!(open("4"), ["2", "4"]);
    }
}
