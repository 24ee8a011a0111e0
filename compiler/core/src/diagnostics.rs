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
        let error = !matches!(
            finding.severity(),
            Some(miette::Severity::Warning | miette::Severity::Advice)
        );
        self.errors += usize::from(error);
        self.findings.push(Box::new(finding));
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

    /// All findings.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
