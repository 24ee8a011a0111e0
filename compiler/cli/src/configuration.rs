//! A MAMMOTH configuration in the place of a source: read, made an experiment, and its findings brought back to the YAML.

use std::fmt;
use std::fs;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, Severity};
use mmc_core::cluster::TextProfile;
use mmc_core::diagnostics::Finding;
use mmc_core::world::{
    CorpusFacts, Remark, Sample, SampleFacts, TokenizerFacts, World, WorldError,
};
use mmc_mammoth::import::{Imported, import};
use mmc_mammoth::yaml::Tree;
use mmc_syntax::{SourceMap, Span};

use crate::error::{At as _, Stop};
use crate::findings::Findings;

/// A configuration that became an experiment.
#[derive(Debug)]
pub(crate) struct Configuration {
    name: String,
    yaml: String,
    /// The experiment, and where its parts come from.
    pub(crate) imported: Imported,
    /// What the experiment does otherwise, and keys that are given twice.
    notes: Vec<Finding>,
}

/// Whether a file is a configuration: YAML that is no plan.
pub(crate) fn is_one(path: &Path) -> bool {
    is_yaml(path) && !crate::program::is_plan(path)
}

/// Whether a file is YAML by its name.
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == "yaml" || suffix == "yml")
}

impl Configuration {
    /// Reads a configuration; the findings when it is none.
    pub(crate) fn read(path: &Path) -> Result<Result<Self, Findings>, Stop> {
        let yaml = fs::read_to_string(path).reading(path)?;
        let name = path.to_string_lossy().into_owned();
        let mut sources = SourceMap::new();
        let source = sources.add(&name, &yaml);
        let read = match Tree::read(source, &yaml) {
            Ok(read) => read,
            Err(fault) => return Ok(Err(Findings::new(vec![Box::new(fault)], sources))),
        };
        let mut imported = import(&read.tree, source, &yaml);
        let mut found = std::mem::take(&mut imported.notes);
        for duplicate in read.duplicates {
            found.push(Box::new(duplicate));
        }
        let faults = std::mem::take(&mut imported.faults);
        if faults.is_empty() {
            return Ok(Ok(Self { name, yaml, imported, notes: found }));
        }
        found.extend(faults.into_iter().map(|fault| Box::new(fault) as Finding));
        Ok(Err(Findings::new(found, sources)))
    }

    /// What the import itself has found.
    pub(crate) fn notes(self) -> (Imported, Findings) {
        let mut sources = SourceMap::new();
        sources.add(&self.name, &self.yaml);
        (self.imported, Findings::new(self.notes, sources))
    }

    /// A world in which the configuration's file is the experiment.
    pub(crate) fn over<'w>(&'w self, world: &'w dyn World) -> impl World + 'w {
        Over { configuration: self, world }
    }

    /// Findings about the experiment as findings about the YAML.
    pub(crate) fn relocate(
        self,
        found: Vec<Finding>,
        mut sources: SourceMap,
    ) -> (Vec<Finding>, SourceMap) {
        let start = sources.add(&self.name, &self.yaml).start();
        let Imported { text, origins, .. } = self.imported;
        let length = text.len();
        let place = |label: LabeledSpan| {
            let at = label.offset();
            let origin = u32::try_from(at).ok().and_then(|at| origins.of(at));
            match origin {
                Some(Span { start: from, end: to }) if at <= length => LabeledSpan::new(
                    label.label().map(str::to_owned),
                    (from + start) as usize,
                    (to - from) as usize,
                ),
                _ => label,
            }
        };
        let relocated = found.into_iter().map(|inner| {
            let labels = inner.labels().into_iter().flatten().map(place).collect();
            Box::new(Relocated { inner, labels }) as Finding
        });
        // The import's own findings are about a map of sources with nothing else in it.
        let behind = |label: LabeledSpan| {
            let offset = label.offset() + start as usize;
            LabeledSpan::new(label.label().map(str::to_owned), offset, label.len())
        };
        let own = self.notes.into_iter().map(|inner| {
            let labels = inner.labels().into_iter().flatten().map(behind).collect();
            Box::new(Relocated { inner, labels }) as Finding
        });
        (relocated.chain(own).collect(), sources)
    }
}

struct Over<'w> {
    configuration: &'w Configuration,
    world: &'w dyn World,
}

impl World for Over<'_> {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        if path == self.configuration.name {
            return Ok(self.configuration.imported.text.clone());
        }
        self.world.source(path)
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        self.world.corpora(paths)
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        self.world.matching(patterns)
    }

    fn tokenizer(
        &self,
        path: &str,
        kind: mmc_plan::VocabularyKind,
    ) -> Result<TokenizerFacts, WorldError> {
        self.world.tokenizer(path, kind)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        self.world.profile(path)
    }

    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        self.world.samples(wanted)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.world.remarks()
    }
}

/// A finding with its labels elsewhere.
#[derive(Debug)]
struct Relocated {
    inner: Finding,
    labels: Vec<LabeledSpan>,
}

impl fmt::Display for Relocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl std::error::Error for Relocated {}

impl Diagnostic for Relocated {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.inner.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
