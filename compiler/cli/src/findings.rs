//! Findings of a compilation, in the order in which they are shown: by file, place, code; the same once.

use std::fmt::{self, Write as _};

use miette::{Diagnostic, LabeledSpan, Severity, SourceCode};
use mmc_core::diagnostics::Finding;
use mmc_core::registry;
use mmc_syntax::{SourceMap, Span};
use serde_json::{Value, json};

use crate::report::{self, Look};

/// Findings with the files that they point into.
#[derive(Debug)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    sources: SourceMap,
}

/// Where findings are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, to standard error
    Text,
    /// One JSON array, to standard output
    Json,
    /// Annotations of GitHub Actions, to standard output
    Github,
    /// SARIF 2.1.0, to standard output
    Sarif,
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    /// Line and column, from 1; columns count characters; the end is behind the last character.
    start: (usize, usize),
    end: (usize, usize),
    words: Option<String>,
}

impl Findings {
    /// Puts findings in order.
    pub(crate) fn new(mut found: Vec<Finding>, sources: SourceMap) -> Self {
        found.sort_by_cached_key(|finding| (offset(finding.as_ref()), code(finding.as_ref())));
        found.dedup_by(|later, earlier| {
            offset(later.as_ref()).is_some()
                && offset(later.as_ref()) == offset(earlier.as_ref())
                && code(later.as_ref()) == code(earlier.as_ref())
                && later.to_string() == earlier.to_string()
        });
        Self { found, sources }
    }

    /// The words of the first error.
    pub(crate) fn first_error(&self) -> Option<String> {
        let mut found = self.found.iter();
        found.find(|finding| level(finding.as_ref()) == "error").map(ToString::to_string)
    }

    /// Errors, and others.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let errors = self.found.iter().filter(|finding| level(finding.as_ref()) == "error").count();
        (errors, self.found.len() - errors)
    }

    /// Those whose code is of a stage, with their sources.
    pub(crate) fn of_stage<'a>(
        &'a self,
        stage: &'a str,
    ) -> impl Iterator<Item = impl Diagnostic + 'a> + 'a {
        let is_of_stage =
            move |finding: &&Finding| code(finding.as_ref()).split("::").nth(1) == Some(stage);
        let all = self.found.iter().filter(is_of_stage);
        all.map(|finding| Sourced { finding: finding.as_ref(), sources: &self.sources })
    }

    /// Shows all on standard error.
    pub(crate) fn show(&self) {
        for finding in &self.found {
            report::show(&Sourced { finding: finding.as_ref(), sources: &self.sources });
        }
    }

    /// `2 errors and 1 warning`; none: no findings.
    pub(crate) fn summary(&self) -> Option<String> {
        let counted = |number: usize, noun: &str| match number {
            0 => None,
            1 => Some(format!("1 {noun}")),
            _ => Some(format!("{number} {noun}s")),
        };
        let number = |wanted: &str| {
            self.found.iter().filter(|finding| level(finding.as_ref()) == wanted).count()
        };
        let words: Vec<String> = [("error", "error"), ("warning", "warning"), ("note", "note")]
            .into_iter()
            .filter_map(|(level, noun)| counted(number(level), noun))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// The text of a format for programs.
    pub(crate) fn machine_text(&self, format: Format) -> String {
        match format {
            Format::Text => self
                .found
                .iter()
                .map(|finding| {
                    let finding = Sourced { finding: finding.as_ref(), sources: &self.sources };
                    report::render(&finding, Look::PLAIN)
                })
                .collect(),
            Format::Json => {
                let all: Vec<Value> =
                    self.found.iter().map(|finding| self.json(finding.as_ref())).collect();
                pretty(&Value::Array(all))
            }
            Format::Github => {
                self.found.iter().map(|finding| self.github(finding.as_ref())).collect()
            }
            Format::Sarif => pretty(&self.sarif()),
        }
    }

    fn places(&self, finding: &dyn Diagnostic) -> Vec<Place> {
        let labels = finding.labels().into_iter().flatten();
        labels.filter_map(|label| self.place(&label)).collect()
    }

    fn place(&self, label: &LabeledSpan) -> Option<Place> {
        let start = u32::try_from(label.offset()).ok()?;
        let end = u32::try_from(label.offset() + label.len()).ok()?;
        let (from, behind) = (Span::new(start, start), Span::new(end, end));
        Some(Place {
            file: self.sources.name(from)?.to_owned(),
            start: self.sources.line_column(from)?,
            end: self.sources.line_column(behind)?,
            words: label.label().map(str::to_owned),
        })
    }

    fn json(&self, finding: &dyn Diagnostic) -> Value {
        let labels: Vec<Value> = self
            .places(finding)
            .into_iter()
            .map(|Place { file, start, end, words }| {
                json!({
                    "file": file, "line": start.0, "column": start.1,
                    "end_line": end.0, "end_column": end.1, "label": words,
                })
            })
            .collect();
        json!({
            "code": code(finding),
            "level": level(finding),
            "message": finding.to_string(),
            "help": finding.help().map(|help| help.to_string()),
            "labels": labels,
        })
    }

    fn github(&self, finding: &dyn Diagnostic) -> String {
        let kind = if level(finding) == "note" { "notice" } else { level(finding) };
        let place = self.places(finding).into_iter().next().map_or_else(String::new, |place| {
            let file = escaped(&place.file, true);
            let (line, column) = place.start;
            let end = match place.end {
                (end_line, end) if end_line == line => format!(",endColumn={end}"),
                (end_line, _) => format!(",endLine={end_line}"),
            };
            format!("file={file},line={line},col={column}{end},")
        });
        let mut words = finding.to_string();
        if let Some(help) = finding.help() {
            words = format!("{words}\nhelp: {help}");
        }
        let (title, words) = (escaped(&code(finding), true), escaped(&words, false));
        format!("::{kind} {place}title={title}::{words}\n")
    }

    fn sarif(&self) -> Value {
        let mut rules: Vec<String> =
            self.found.iter().map(|finding| code(finding.as_ref())).collect();
        rules.sort_unstable();
        rules.dedup();
        let rules: Vec<Value> = rules.into_iter().map(|rule| sarif_rule(&rule)).collect();
        let results: Vec<Value> =
            self.found.iter().map(|finding| self.sarif_result(finding.as_ref())).collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "mmc", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    fn sarif_result(&self, finding: &dyn Diagnostic) -> Value {
        let mut words = finding.to_string();
        if let Some(help) = finding.help() {
            words = format!("{words}\nhelp: {help}");
        }
        let location = |place: &Place| {
            json!({ "physicalLocation": {
                "artifactLocation": { "uri": uri(&place.file) },
                "region": {
                    "startLine": place.start.0, "startColumn": place.start.1,
                    "endLine": place.end.0, "endColumn": place.end.1,
                },
            } })
        };
        let places = self.places(finding);
        let first: Vec<Value> = places.iter().take(1).map(location).collect();
        let others: Vec<Value> = places.iter().skip(1).map(location).collect();
        json!({
            "ruleId": code(finding), "level": level(finding), "message": { "text": words },
            "locations": first, "relatedLocations": others,
        })
    }
}

/// A code with what the registry says of it.
fn sarif_rule(code: &str) -> Value {
    registry::find(code).map_or_else(
        || json!({ "id": code }),
        |row| {
            json!({
                "id": code,
                "shortDescription": { "text": row.title },
                "fullDescription": { "text": row.meaning },
                "help": { "text": registry::explain(row) },
            })
        },
    )
}

/// A path as a relative reference: bytes that it may not hold are escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~:+@,".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// A finding together with its sources.
struct Sourced<'a> {
    finding: &'a (dyn Diagnostic + Send + Sync),
    sources: &'a SourceMap,
}

impl fmt::Debug for Sourced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.finding, f)
    }
}

impl fmt::Display for Sourced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.finding, f)
    }
}

impl std::error::Error for Sourced<'_> {}

impl Diagnostic for Sourced<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.finding.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.finding.source_code().unwrap_or(self.sources))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.finding.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        self.finding.related()
    }
}

/// The place of the first label in the global space; findings without one come last.
fn offset(finding: &dyn Diagnostic) -> Option<usize> {
    finding.labels()?.next().map(|label| label.offset())
}

fn code(finding: &dyn Diagnostic) -> String {
    finding.code().map(|code| code.to_string()).unwrap_or_default()
}

/// The level's word in JSON and SARIF.
fn level(finding: &dyn Diagnostic) -> &'static str {
    match finding.severity() {
        None | Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Advice) => "note",
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The escapes of workflow commands; values of properties have two more.
fn escaped(text: &str, property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}
