//! What rank 0 tells its launcher: events as JSON lines on standard output, the same lines in `<output>/events.jsonl`, and their
//! numbers as curves for TensorBoard.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mmc_plan::Event;

use crate::error::{While as _, WorkerError};
use crate::tensorboard::Curves;

/// What rank 0 tells of a run. The other ranks keep silent.
#[derive(Debug)]
pub struct Events {
    leads: bool,
    record: Option<Record>,
}

/// The files in the output folder.
#[derive(Debug)]
struct Record {
    lines: File,
    folder: PathBuf,
    /// From the event on that says behind which step training begins.
    curves: Option<Curves>,
}

impl Events {
    /// The events of a rank, without a record yet.
    pub fn of_rank(rank: u32) -> Self {
        Self { leads: rank == 0, record: None }
    }

    /// Opens the record at its end: a resumed run goes on in it.
    pub fn record(&mut self, output: &Path) -> Result<(), WorkerError> {
        if self.leads {
            fs::create_dir_all(output).doing(format_args!("making {}", output.display()))?;
            let path = output.join("events.jsonl");
            let lines = OpenOptions::new().create(true).append(true).open(&path);
            let lines = lines.doing(format_args!("opening {}", path.display()))?;
            let folder = output.join("tensorboard");
            self.record = Some(Record { lines, folder, curves: None });
        }
        Ok(())
    }

    /// Writes an event.
    pub fn tell(&mut self, event: &Event) -> Result<(), WorkerError> {
        if !self.leads {
            return Ok(());
        }
        let line = line(event)?;
        // The launcher may be gone: training does not depend on somebody watching.
        let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
        self.record.as_mut().map_or(Ok(()), |record| record.write(event, &line))
    }
}

impl Record {
    fn write(&mut self, event: &Event, line: &[u8]) -> Result<(), WorkerError> {
        self.lines.write_all(line).doing("writing events.jsonl")?;
        if let Event::Started { step, .. } = event {
            self.curves = Some(Curves::open(&self.folder, *step)?);
        }
        self.curves.as_mut().map_or(Ok(()), |curves| curves.add(event))
    }
}

/// Writes an event to standard output only: from a rank that has no record, or not yet.
pub fn tell_launcher(event: &Event) {
    if let Ok(line) = line(event) {
        let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
    }
}

fn line(event: &Event) -> Result<Vec<u8>, WorkerError> {
    let mut line =
        serde_json::to_vec(event).map_err(|fault| WorkerError::Record(fault.to_string()))?;
    line.push(b'\n');
    Ok(line)
}
