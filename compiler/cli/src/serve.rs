//! `mmc serve`: a server of translations, which is the worker; this process becomes it.

use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;

use clap::Args;

use crate::error::{CliError, Exit, Stop};
use crate::models::Models;

/// Options of `mmc serve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    models: Models,
    /// Address to listen at; anybody who reaches it is served
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen at; 0: any free one, which is told
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// Most requests that wait or are worked on; others are told to come later
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    queue: u32,
    /// Most texts in a request
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_texts: u32,
    /// Most pieces of a text
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_pieces: u32,
    /// Most bytes of a request
    #[arg(long, value_name = "N", default_value_t = 1 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    max_bytes: u64,
    /// Seconds within which a request must come in whole, and that a connection may be idle
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    read_timeout: u32,
}

/// Serves until a signal.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    // Directions are checked when they are asked for.
    let (mut command, path) = arguments.models.command("serve", &|_| Ok(()))?;
    for (name, value) in [
        ("--host", arguments.host.to_string()),
        ("--port", arguments.port.to_string()),
        ("--queue", arguments.queue.to_string()),
        ("--max-texts", arguments.max_texts.to_string()),
        ("--max-pieces", arguments.max_pieces.to_string()),
        ("--max-bytes", arguments.max_bytes.to_string()),
        ("--read-timeout", arguments.read_timeout.to_string()),
    ] {
        command.arg(name).arg(value);
    }
    Err(CliError::Start { cause: command.exec(), path }.into())
}
