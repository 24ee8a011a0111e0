//! The sink of diagnostics: stages report into it and stop with [`Halt`], which only it can make.

use miette::Diagnostic;

/// One finding, ready for rendering.
pub type Finding = Box<dyn Diagnostic + Send + Sync + 'static>;

/// Findings of a compilation, in the order of their reporting until they are taken.
#[derive(Debug, Default)]
pub struct Diagnostics {
    findings: Vec<Finding>,
    errors: usize,
}

/// Proof that an error was reported: a stage that can't go on returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt(());

impl Diagnostics {
    /// Records a finding. Its severity decides whether it stops the compilation (no severity: an error).
    pub fn report(&mut self, finding: impl Diagnostic + Send + Sync + 'static) {
        self.take(Box::new(finding));
    }

    /// Records a finding of another sink.
    pub fn take(&mut self, finding: Finding) {
        let error = !matches!(
            finding.severity(),
            Some(miette::Severity::Warning | miette::Severity::Advice)
        );
        self.errors += usize::from(error);
        self.findings.push(finding);
    }

    /// Records an error and gives the proof of it.
    pub fn halt(&mut self, finding: impl Diagnostic + Send + Sync + 'static) -> Halt {
        self.report(finding);
        Halt(())
    }

    /// Stops when an error was recorded so far.
    pub fn checkpoint(&self) -> Result<(), Halt> {
        if self.errors > 0 { Err(Halt(())) } else { Ok(()) }
    }

    /// All findings in order of place, then of code; the same finding at the same place once. Files come in the order in
    /// which they were read; findings without a place come first.
    pub fn into_findings(self) -> Vec<Finding> {
        let mut keyed: Vec<(Key, Finding)> =
            self.findings.into_iter().map(|finding| (key(&*finding), finding)).collect();
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        keyed.dedup_by(|(a, _), (b, _)| a == b && a.place.is_some());
        keyed.into_iter().map(|(_, finding)| finding).collect()
    }
}

/// What orders findings.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    place: Option<(usize, usize)>,
    code: String,
    message: String,
}

fn key(finding: &dyn Diagnostic) -> Key {
    let code = finding.code().map(|code| code.to_string()).unwrap_or_default();
    let primary = finding.labels().and_then(|mut labels| labels.next());
    let place = primary.map(|label| (label.offset(), label.len()));
    Key { place, code, message: finding.to_string() }
}
