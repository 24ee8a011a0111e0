//! The all-reduces of one communicator, one after the other on a thread of their own, while the rank computes on.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tch::Tensor;

use super::board::Board;
use super::levels::Levels;
use super::peers::{LOOK, Peers};
use crate::ffi::{Group, ShimError, Store};

/// How long a sum may take when a member is gone.
const GRACE: Duration = Duration::from_secs(1);

/// How the members of a communicator sum what lies in memory.
#[derive(Debug)]
pub(super) struct Ways {
    /// All at once.
    pub(super) group: Group,
    /// Where members lie on one machine.
    pub(super) board: Option<Board>,
    /// Where members lie on several nodes.
    pub(super) levels: Option<Levels>,
    // Groups talk through the store until they are gone: it is dropped after them.
    pub(super) _store: Arc<Store>,
}

impl Ways {
    /// Sums a flat tensor, in place.
    fn sum(&self, tensor: &Tensor) -> Result<(), ShimError> {
        match (&self.levels, &self.board) {
            (Some(levels), _) => levels.sum(tensor),
            (_, Some(board)) => board.sum(tensor),
            (None, None) => self.group.sum(tensor),
        }
    }
}

/// What a sum came to, when it has.
pub(super) type Sum = Receiver<Result<(), ShimError>>;

/// What to sum, and who is told when it is.
type Job = (Tensor, Sender<Result<(), ShimError>>);

/// A thread that sums.
#[derive(Debug)]
pub(super) struct Line {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Sums that were begun and not ended.
    open: Cell<usize>,
}

impl Line {
    pub(super) fn new(ways: Arc<Mutex<Ways>>) -> Self {
        let (jobs, todo) = channel::<Job>();
        let thread = std::thread::spawn(move || {
            for (tensor, answer) in todo {
                let ways = ways.lock().unwrap_or_else(PoisonError::into_inner);
                // Who does not wait for the answer has failed otherwise.
                let _ = answer.send(ways.sum(&tensor));
            }
        });
        Self { jobs: Some(jobs), thread: Some(thread), open: Cell::new(0) }
    }

    /// Begins to sum a flat tensor, behind what was begun before. It must not be touched until the sum has ended.
    pub(super) fn begin(&self, tensor: Tensor) -> Sum {
        let (answer, sum) = channel();
        // A thread that is gone drops `answer`, and so tells when it is waited for.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send((tensor, answer)));
        self.open.set(self.open.get() + 1);
        sum
    }

    /// Waits for a sum. In shared memory no closed connection tells of a rank that has ended: so for it, `peers` are looked at.
    pub(super) fn end(&self, sum: &Sum, peers: Option<&Peers>) -> Result<(), ShimError> {
        let over = |_| ShimError("a rank has ended".to_owned());
        let done = loop {
            match (sum.recv_timeout(LOOK), peers) {
                (Ok(done), _) => break done,
                (Err(RecvTimeoutError::Disconnected), _) => {
                    break Err(ShimError("the thread that sums is gone".to_owned()));
                }
                (Err(fault), Some(peers)) if peers.has_one_failed() => return Err(over(fault)),
                // One that is gone may have ended well, with its part of the sum done.
                (Err(_), Some(peers)) if peers.gone().is_some() => {
                    break sum.recv_timeout(GRACE).map_err(over)?;
                }
                (Err(RecvTimeoutError::Timeout), _) => {}
            }
        };
        self.open.set(self.open.get().saturating_sub(1));
        done
    }
}

impl Drop for Line {
    /// Waits for the thread, unless it waits for a rank that may be no more.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take().filter(|_| self.open.get() == 0) {
            let _ = thread.join();
        }
    }
}
