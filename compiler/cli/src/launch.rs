//! One worker process a rank: starts them, shows what rank 0 tells, forwards signals, and ends all when one fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use mmc_plan::Event;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::error::{At as _, CliError, Exit, Stop};
use crate::progress::Progress;
use crate::seat::Seat;

/// How often processes and signals are looked at.
const POLL: Duration = Duration::from_millis(20);

/// Between TERM and KILL for the ranks that outlive a failed one.
const GRACE: Duration = Duration::from_secs(3);

/// A worker's exit status when another rank is to blame.
const OTHER_FAILED: i32 = 3;

/// Lines of a log that stand for a rank without words.
const LOG_LINES: usize = 5;

/// Bytes at a log's end that are searched for them.
const LOG_BYTES: u64 = 8 << 10;

/// What every worker is told.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program.
    pub(crate) worker: &'a Path,
    /// What it is asked, the same of all ranks.
    pub(crate) arguments: Vec<OsString>,
    /// The folder of the ranks' logs.
    pub(crate) logs: &'a Path,
    /// What can be done when a rank has failed.
    pub(crate) help: String,
}

/// A started rank.
struct Rank {
    number: u32,
    child: Child,
    log: PathBuf,
    /// The log's length before this run.
    log_start: u64,
    ended: Option<ExitStatus>,
}

/// What is known of a failure.
#[derive(Debug, Default)]
struct Failure {
    /// Ranks that failed before the others were ended.
    failed: Vec<u32>,
    /// What was said of ranks that can't go on, by themselves or by those that lost them.
    words: BTreeMap<u32, String>,
}

/// A line of a rank's standard output.
type Told = (u32, String);

impl Launch<'_> {
    /// Becomes the worker of a seat that a launcher gave; returns only when that fails.
    pub(crate) fn become_worker(&self) -> CliError {
        let cause = self.command().exec();
        CliError::Start { path: self.worker.to_owned(), cause }
    }

    /// Starts all ranks on this machine and waits for their end.
    pub(crate) fn all(&self, ranks: u32, progress: &mut Progress) -> Result<Exit, Stop> {
        let port = free_port()?;
        let seats: Vec<Seat> = (0..ranks).map(|rank| Seat { rank, world: ranks }).collect();
        self.supervise(&seats, progress, &|command, seat| {
            command
                .env("RANK", seat.rank.to_string())
                .env("WORLD_SIZE", seat.world.to_string())
                .env("LOCAL_RANK", seat.rank.to_string())
                .env("LOCAL_WORLD_SIZE", seat.world.to_string())
                .env("MASTER_ADDR", "127.0.0.1")
                .env("MASTER_PORT", port.to_string());
        })
    }

    /// Starts the one rank that a launcher gave this process, in the launcher's environment, and waits for its end.
    pub(crate) fn one(&self, seat: Seat, progress: &mut Progress) -> Result<Exit, Stop> {
        self.supervise(&[seat], progress, &|_, _| {})
    }

    fn supervise(
        &self,
        seats: &[Seat],
        progress: &mut Progress,
        environment: &dyn Fn(&mut Command, Seat),
    ) -> Result<Exit, Stop> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1]).reading(Path::new("signals"))?;
        let (sender, told) = mpsc::channel();
        let mut ranks = Vec::new();
        for seat in seats {
            match self.start(*seat, environment, &sender) {
                Ok(rank) => ranks.push(rank),
                Err(fault) => {
                    end(&mut ranks);
                    return Err(fault.into());
                }
            }
        }
        drop(sender);
        let failure = watch(&mut ranks, &told, &mut signals, progress);
        progress.close();
        match failure.culprit(&ranks) {
            Some(rank) => Err(self.fault(&ranks, &failure, rank).into()),
            None if ranks.iter().any(Rank::interrupted) => Ok(Exit::INTERRUPTED),
            None => Ok(Exit::FINE),
        }
    }

    fn start(
        &self,
        seat: Seat,
        environment: &dyn Fn(&mut Command, Seat),
        sender: &Sender<Told>,
    ) -> Result<Rank, CliError> {
        fs::create_dir_all(self.logs).writing(self.logs)?;
        let log = self.logs.join(format!("rank{}.log", seat.rank));
        // A resumed run goes on in the same logs.
        let file = OpenOptions::new().create(true).append(true).open(&log).writing(&log)?;
        let log_start = file.metadata().writing(&log)?.len();
        let mut command = self.command();
        environment(&mut command, seat);
        // A group of its own: a terminal's Ctrl-C reaches the ranks once, through us.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).process_group(0);
        let mut child = command
            .spawn()
            .map_err(|cause| CliError::Start { path: self.worker.to_owned(), cause })?;
        if let Some(stdout) = child.stdout.take() {
            let (sender, number) = (sender.clone(), seat.rank);
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send((number, line)).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Rank { number: seat.rank, child, log, log_start, ended: None })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.worker);
        command.args(&self.arguments);
        command
    }

    fn fault(&self, ranks: &[Rank], failure: &Failure, number: u32) -> CliError {
        let rank = ranks.iter().find(|rank| rank.number == number);
        let failed = rank.filter(|_| failure.failed.contains(&number));
        // What the others were ended by is no cause.
        let how = failed.map_or_else(|| "did not go on".to_owned(), Rank::how);
        let said = failure.words.get(&number).cloned();
        let message = said.or_else(|| Some(rank?.last_words())).unwrap_or_default();
        let others = if ranks.len() > 1 { "the other ranks were ended; " } else { "" };
        let log = rank.map_or_else(String::new, |rank| {
            format!("the rank's log is `{}`; ", rank.log.display())
        });
        let help = format!("{others}{log}{}", self.help);
        CliError::RankFailed { rank: number, how, message, help }
    }
}

impl Failure {
    /// Who is to blame, if some rank failed: one of which something was said, else one that was killed, else the first that failed; and
    /// none that blames another while there are others.
    fn culprit(&self, ranks: &[Rank]) -> Option<u32> {
        let failed = || ranks.iter().filter(|rank| self.failed.contains(&rank.number));
        let first = failed().next()?.number;
        let blames = |number: u32| failed().any(|rank| rank.number == number && rank.blames());
        let named = self.words.keys().copied();
        let killed = failed().filter(|rank| rank.killed()).map(|rank| rank.number);
        let mut suspects = named.chain(killed).chain(failed().map(|rank| rank.number));
        Some(suspects.find(|number| !blames(*number)).unwrap_or(first))
    }
}

impl Rank {
    fn alive(&self) -> bool {
        self.ended.is_none()
    }

    fn interrupted(&self) -> bool {
        self.ended.and_then(|status| status.code()) == Some(i32::from(Exit::INTERRUPTED.0))
    }

    fn failed(&self) -> bool {
        self.ended.is_some_and(|status| !status.success()) && !self.interrupted()
    }

    fn killed(&self) -> bool {
        self.ended.is_some_and(|status| status.signal().is_some())
    }

    /// Whether it ended because another did.
    fn blames(&self) -> bool {
        self.ended.and_then(|status| status.code()) == Some(OTHER_FAILED)
    }

    /// Only a child that was not waited for is signalled: its number can't have been given to another process.
    fn signal(&self, signal: Signal) {
        if self.alive()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, signal);
        }
    }

    fn how(&self) -> String {
        match self.ended {
            Some(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => format!("was killed by signal {signal}"),
                (None, Some(code)) => format!("failed with exit status {code}"),
                (None, None) => "failed".to_owned(),
            },
            None => "did not end".to_owned(),
        }
    }

    /// The end of its log.
    fn last_words(&self) -> String {
        let tail = tail(&self.log, self.log_start).unwrap_or_default();
        if tail.is_empty() { "it left no message".to_owned() } else { tail }
    }
}

/// Waits for the end of all ranks. From the first failure on, the others are ended.
fn watch(
    ranks: &mut [Rank],
    told: &Receiver<Told>,
    signals: &mut Signals,
    progress: &mut Progress,
) -> Failure {
    let (mut failure, mut deadline, mut asked) = (Failure::default(), None, false);
    while ranks.iter().any(Rank::alive) {
        if let Ok(line) = told.recv_timeout(POLL) {
            hear(&mut failure, line, progress);
            for line in told.try_iter() {
                hear(&mut failure, line, progress);
            }
        } else {
            // All pipes may be closed while a process still ends.
            std::thread::sleep(POLL / 4);
        }
        for signal in signals.pending() {
            let insists = asked && signal == SIGINT;
            asked = true;
            let sent = if insists { Signal::KILL } else { forwarded(signal) };
            progress.say(&format!(
                "signal {signal}: telling all ranks to {}",
                if insists { "end at once" } else { "save and end" }
            ));
            signal_all(ranks, sent);
        }
        for rank in ranks.iter_mut().filter(|rank| rank.alive()) {
            rank.ended = rank.child.try_wait().unwrap_or(None);
        }
        if failure.failed.is_empty() {
            failure.failed = failed(ranks);
            if !failure.failed.is_empty() {
                signal_all(ranks, Signal::TERM);
                deadline = Some(Instant::now() + GRACE);
            }
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            signal_all(ranks, Signal::KILL);
        }
    }
    while let Ok(line) = told.recv_timeout(GRACE) {
        hear(&mut failure, line, progress);
    }
    failure
}

fn failed(ranks: &[Rank]) -> Vec<u32> {
    ranks.iter().filter(|rank| rank.failed()).map(|rank| rank.number).collect()
}

fn signal_all(ranks: &[Rank], signal: Signal) {
    for rank in ranks {
        rank.signal(signal);
    }
}

fn forwarded(signal: i32) -> Signal {
    match signal {
        SIGINT => Signal::INT,
        SIGUSR1 => Signal::USR1,
        _ => Signal::TERM,
    }
}

/// Takes a line in: an event, or a word of some library, which goes to standard error.
fn hear(failure: &mut Failure, (number, line): Told, progress: &mut Progress) {
    match serde_json::from_str::<Event>(&line) {
        // A rank's own words are better than what others say of it.
        Ok(Event::Failed { rank, message }) if rank == number => {
            failure.words.insert(rank, message);
        }
        Ok(Event::Failed { rank, message }) => {
            failure.words.entry(rank).or_insert(message);
        }
        Ok(event) => progress.event(&event),
        Err(_) => progress.say(&format!("rank {number}: {line}")),
    }
}

/// Kills ranks that were started in vain.
fn end(ranks: &mut [Rank]) {
    for rank in ranks {
        let _ = rank.child.kill();
        let _ = rank.child.wait();
    }
}

/// The last lines of what was logged behind `start`.
fn tail(log: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    let from = start.max(file.metadata()?.len().saturating_sub(LOG_BYTES));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Ok(lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n"))
}

/// A port of this machine that nobody listens on now.
fn free_port() -> Result<u16, CliError> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.reading(Path::new("a free port of 127.0.0.1"))?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_this_runs_log_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "old run\n1\n2\n\n3\n4\n5\n6\n").unwrap();
        assert_eq!(tail(&log, 0).unwrap(), "2\n3\n4\n5\n6");
        assert_eq!(tail(&log, 17).unwrap(), "5\n6");
        assert_eq!(tail(&log, 999).unwrap(), "");
    }
}
