//! A stream whose batches are made ahead on a thread of their own; what it serves is what the stream would have served.

use std::sync::mpsc::{Receiver, sync_channel};

use super::{Batch, StreamError, StreamState, TaskStream};

/// What the reading thread hands over: a batch, and where the stream stood behind it.
type Served = Result<(Batch, StreamState), StreamError>;

/// A [`TaskStream`] behind a thread, which ends when this value is dropped or the stream fails.
#[derive(Debug)]
pub struct Prefetched {
    task: String,
    served: Receiver<Served>,
    state: StreamState,
}

impl Prefetched {
    /// Starts to read up to `ahead` batches (at least one) ahead of a stream, from where it stands.
    pub fn new(mut stream: TaskStream, ahead: usize) -> Self {
        let (task, state) = (stream.task().to_owned(), stream.state());
        let (sender, served) = sync_channel::<Served>(ahead.max(1));
        let read = move || {
            loop {
                let next = stream.next_batch().map(|batch| (batch, stream.state()));
                let failed = next.is_err();
                if sender.send(next).is_err() || failed {
                    break;
                }
            }
        };
        std::thread::spawn(read);
        Self { task, served, state }
    }

    /// The next batch. After an error the stream has ended.
    pub fn next_batch(&mut self) -> Result<Batch, StreamError> {
        let ended = |_| StreamError::Ended(self.task.clone());
        let (batch, state) = self.served.recv().map_err(ended)??;
        self.state = state;
        Ok(batch)
    }

    /// Where the stream stands behind the last batch that was served: what [`TaskStream::resume`] takes.
    pub fn state(&self) -> StreamState {
        self.state
    }
}
