//! Translation for other programs: requests by HTTP, translated as `mmc-worker translate` would.
//!
//! ```text
//! connections --> desk (a thread for all: checks, answers) --> queue --> this thread: searches for all that wait alike
//! ```
//! Networks belong to one thread; what waits with the same direction and settings is searched for together.

mod desk;
mod request;
mod work;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::translate::{Batching, Engine, Models, TranslateError};

use desk::Desk;

/// Translates for other programs, by HTTP, until a signal.
#[derive(Debug, Clone, PartialEq, clap::Parser)]
#[command(name = "mmc-worker serve")]
pub struct ServeArguments {
    /// By what to translate.
    #[command(flatten)]
    pub models: Models,
    /// What is translated together.
    #[command(flatten)]
    pub batching: Batching,
    /// Address to listen at.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen at; 0: any free one, which is told.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub port: u16,
    /// What a request may ask.
    #[command(flatten)]
    pub limits: Limits,
}

/// What requests may ask; the others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Limits {
    /// Most requests that wait or are worked on.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub queue: u32,
    /// Most texts in a request.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_texts: u32,
    /// Most pieces of a text.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_pieces: u32,
    /// Most bytes of a request.
    #[arg(long, value_name = "N", default_value_t = 1 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_bytes: u64,
    /// Seconds within which a request must come in, and that a connection may be idle.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub read_timeout: u32,
}

impl Limits {
    /// How long a client is waited for.
    fn patience(self) -> Duration {
        Duration::from_secs(self.read_timeout.into())
    }
}

/// Listens, tells where on `out`, and serves until TERM or INT; then what was accepted is finished. A second signal ends at once.
pub fn serve(arguments: &ServeArguments, out: &mut dyn Write) -> Result<(), TranslateError> {
    let stop = Arc::new(AtomicBool::new(false));
    listen_for_signals(&stop)
        .map_err(|fault| TranslateError::Stream { doing: "listening for signals", fault })?;
    let mut engine = Engine::load(&arguments.models, arguments.batching)?;
    let languages: Vec<String> =
        engine.plan().map(|plan| plan.languages.keys().cloned().collect()).unwrap_or_default();
    let address = SocketAddr::new(arguments.host, arguments.port);
    let desk = Desk::open(address, arguments.limits, languages, Arc::clone(&stop))?;
    writeln!(out, "listening at http://{}", desk.address())
        .and_then(|()| out.flush())
        .map_err(|fault| TranslateError::Stream { doing: "writing standard output", fault })?;
    let (sender, jobs) = mpsc::channel();
    let accepting = thread::Builder::new()
        .spawn(move || desk.accept(sender))
        .map_err(|fault| TranslateError::Stream { doing: "starting a thread", fault })?;
    work::until_stopped(&mut engine, &jobs, arguments.limits, &stop);
    if matches!(jobs.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
        // All answers are written, or none can be asked for: the thread is at its end.
        return accepting.join().unwrap_or(Err(TranslateError::DeskGone));
    }
    Ok(())
}

fn listen_for_signals(stop: &Arc<AtomicBool>) -> std::io::Result<()> {
    for signal in [SIGTERM, SIGINT] {
        // First, so that it sees what an earlier signal has set.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(stop))?;
        signal_hook::flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}
