//! What goes wrong between ranks.

use std::time::Duration;

use crate::ffi::ShimError;

/// What goes wrong between ranks.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// Another number of processes than ranks.
    #[error(
        "the plan is for {planned} ranks and {started} processes were started; start {planned}, or plan for {started} devices (lanes stay, so the mathematics does too)"
    )]
    Size {
        /// Ranks of the plan.
        planned: usize,
        /// Processes.
        started: u32,
    },
    /// Nobody came to the meeting place.
    #[error(
        "rank {rank} could not meet the others at {host}:{port}: {cause}\n  is the port in use by another job, or did another rank fail to start?"
    )]
    Meeting {
        /// This rank.
        rank: u32,
        /// Where.
        host: String,
        /// Port.
        port: u16,
        /// Torch's words.
        cause: ShimError,
    },
    /// Ranks did not come to the meeting place.
    #[error(
        "rank {rank} waited {} s for ranks {absent:?} at {host}:{port}: they were not started, or died before they came",
        waited.as_secs()
    )]
    Absent {
        /// This rank.
        rank: u32,
        /// Who did not come.
        absent: Vec<u32>,
        /// Where.
        host: String,
        /// Port.
        port: u16,
        /// How long.
        waited: Duration,
    },
    /// A group could not be made.
    #[error("communicator `{name}` (ranks {ranks:?}) could not be set up: {cause}")]
    SetUp {
        /// Its name.
        name: String,
        /// Its ranks.
        ranks: Vec<u32>,
        /// Gloo's words.
        cause: ShimError,
    },
    /// A collective failed.
    #[error(
        "a collective of communicator `{name}` (ranks {ranks:?}) failed; most likely one of these ranks is gone: {cause}"
    )]
    Collective {
        /// Its name.
        name: String,
        /// Its ranks.
        ranks: Vec<u32>,
        /// Gloo's words.
        cause: ShimError,
    },
    /// Another rank told that it can't go on.
    #[error("rank {rank} failed: {message}")]
    Told {
        /// Which.
        rank: u32,
        /// Its words.
        message: String,
    },
    /// Other ranks neither ended nor came.
    #[error(
        "ranks {missing:?} did not come to a collective of communicator `{communicator}` (ranks {ranks:?}): stopped, or slower than `--timeout` allows? {cause}"
    )]
    Missing {
        /// The communicator.
        communicator: String,
        /// Its ranks.
        ranks: Vec<u32>,
        /// Who did not come.
        missing: Vec<u32>,
        /// Gloo's words.
        cause: ShimError,
    },
    /// Another rank ended without a word.
    #[error(
        "rank {rank} is gone: {place} ended without a word (killed, or out of memory?); noticed {noticed}"
    )]
    Gone {
        /// Which.
        rank: u32,
        /// Its process and host.
        place: String,
        /// When it was missed.
        noticed: String,
    },
    /// The plan has no such communicator.
    #[error("the plan has no communicator `{0}`")]
    Unknown(String),
}
