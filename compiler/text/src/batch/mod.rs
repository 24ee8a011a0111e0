//! The training stream of a task on a lane: lines to shuffled batches of ids, in an order that is a function of the plan alone.
//!
//! With a competence, only a chunk's easiest examples go on, as many as the step admits.
//!
//! A stream reads its part of the corpus in chunks of `training.shuffle` examples. A chunk is shuffled, sorted by length, cut into
//! batches, and the batches are shuffled: lengths fit, the order of examples is fair, memory is bounded, and a state of a few
//! numbers (epoch, first line of the chunk, batches served) brings a stream back to exactly where it was.

mod cut;
mod ease;
mod example;
mod good;
mod stream;
mod streams;
#[cfg(test)]
mod tests;
mod tokenizers;
mod validation;

pub use cut::Batch;
pub use stream::{StreamError, StreamState, TaskStream};
pub use streams::{LaneStreams, Streams};
pub use tokenizers::Tokenizers;
pub use validation::ValidationStream;
