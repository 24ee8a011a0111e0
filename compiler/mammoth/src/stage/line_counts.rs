//! How many lines each task's source has: counted, and compared with the cache that the peer keeps in the working directory.
//!
//! The peer counts newline characters and believes its cache for ever. Here a last line without newline counts, and the cache is
//! only used for files that aren't there. What the peer would add to the cache is added, so that both tools can share it.

use std::collections::{BTreeMap, BTreeSet};

use mmc_core::diagnostics::Halt;
use mmc_syntax::Span;

use crate::error::MammothError;
use crate::files::{Addition, Lines, Uncounted};
use crate::job::{Job, Task, shortened};
use crate::warning::MammothWarning;

/// The peer's cache: lines `count<TAB>path`.
const CACHE: &str = "corpora_length_cache";

/// A task's source.
struct Corpus {
    path: String,
    span: Span,
}

/// Lines of each task's source, in the order of the tasks, which is that of their names.
pub(super) fn lines(job: &mut Job<'_>, tasks: &[Task]) -> Result<Vec<u64>, Halt> {
    let mut corpora = Vec::new();
    for task in tasks {
        let id = job.task_text(task, "path_src")?;
        let path = job.tree.text(id).unwrap_or_default().to_owned();
        corpora.push(Corpus { path, span: job.tree.span(id) });
    }
    let cache = cached(&job.files.text(CACHE).unwrap_or_default());
    let known =
        if job.bugs() { believed(job, &corpora, &cache)? } else { checked(job, &corpora, &cache)? };
    let counts: Vec<Lines> =
        corpora.iter().map(|corpus| known.get(&corpus.path).copied().unwrap_or_default()).collect();
    for (corpus, lines) in corpora.iter().zip(&counts) {
        // The peer adds a path once for every task that it did not find when it began.
        let before = cache.get(&corpus.path);
        let is_new = if job.bugs() { before.is_none() } else { before != Some(&lines.ends) };
        if is_new {
            let line = format!("{}\t{}", lines.ends, corpus.path);
            job.additions.push(Addition { file: CACHE, line });
        }
    }
    let count = |lines: Lines| if job.bugs() { lines.ends } else { lines.all() };
    Ok(counts.into_iter().map(count).collect())
}

/// The cache's counts; nothing of it if any line is none, as in the peer.
fn cached(text: &str) -> BTreeMap<String, u64> {
    let entry = |line: &str| {
        let (count, path) = line.split_once('\t')?;
        let fits = !path.contains('\t');
        fits.then_some((path.to_owned(), count.trim().parse().ok()?))
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(entry).collect::<Option<BTreeMap<String, u64>>>().unwrap_or_default()
}

/// Paths, each once, in order of first use.
fn distinct(corpora: &[Corpus]) -> Vec<&Corpus> {
    let mut seen = BTreeSet::new();
    corpora.iter().filter(|corpus| seen.insert(corpus.path.as_str())).collect()
}

type Known = BTreeMap<String, Lines>;

/// Counts all, and says where the cache is wrong.
fn checked(
    job: &mut Job<'_>,
    corpora: &[Corpus],
    cache: &BTreeMap<String, u64>,
) -> Result<Known, Halt> {
    let distinct = distinct(corpora);
    let paths: Vec<&str> = distinct.iter().map(|corpus| corpus.path.as_str()).collect();
    let (mut known, mut open, mut stale, mut absent) =
        (Known::new(), Vec::new(), Vec::new(), Vec::new());
    for (corpus, counted) in distinct.iter().zip(job.files.lines(&paths)) {
        let cached = cache.get(&corpus.path).copied();
        let lines = match (counted, cached) {
            (Ok(lines), _) => lines,
            (Err(Uncounted::Missing), Some(ends)) => {
                absent.push(*corpus);
                Lines { ends, is_open: false }
            }
            (Err(fault), _) => return Err(job.halt(uncountable(corpus, fault))),
        };
        if lines.is_open {
            open.push(*corpus);
        }
        if let Some(ends) = cached.filter(|ends| *ends != lines.ends) {
            stale.push((*corpus, ends, lines.ends));
        }
        known.insert(corpus.path.clone(), lines);
    }
    report(job, &open, &stale, &absent);
    Ok(known)
}

fn report(job: &mut Job<'_>, open: &[&Corpus], stale: &[(&Corpus, u64, u64)], absent: &[&Corpus]) {
    let names = |corpora: &[&Corpus]| shortened(corpora.iter().map(|corpus| corpus.path.as_str()));
    if let Some(first) = open.first() {
        let (files, examples) = (open.len(), names(open));
        job.sink.report(MammothWarning::OpenLastLine { files, examples, span: first.span });
    }
    if let Some((first, ..)) = stale.first() {
        let told: Vec<String> = stale
            .iter()
            .map(|(corpus, old, new)| format!("{}: {old}, now {new}", corpus.path))
            .collect();
        let examples = shortened(told.iter().map(String::as_str));
        job.sink.report(MammothWarning::StaleCache { examples, span: first.span });
    }
    if let Some(first) = absent.first() {
        let (files, examples) = (absent.len(), names(absent));
        job.sink.report(MammothWarning::UncheckedCache { files, examples, span: first.span });
    }
}

fn uncountable(corpus: &Corpus, fault: Uncounted) -> MammothError {
    let reason = match fault {
        Uncounted::Missing => "no such file".to_owned(),
        Uncounted::Damaged { reason, .. } | Uncounted::Unreadable(reason) => reason,
    };
    MammothError::Uncountable { path: corpus.path.clone(), reason, span: corpus.span }
}

/// Believes the cache, and counts the rest as `wc -l` and `zcat | wc -l` do.
fn believed(
    job: &mut Job<'_>,
    corpora: &[Corpus],
    cache: &BTreeMap<String, u64>,
) -> Result<Known, Halt> {
    let mut known = Known::new();
    let mut asked = Vec::new();
    for corpus in distinct(corpora) {
        if let Some(ends) = cache.get(&corpus.path) {
            known.insert(corpus.path.clone(), Lines { ends: *ends, is_open: false });
        } else {
            asked.push((corpus, words(job, corpus)?));
        }
    }
    let paths: Vec<&str> = asked.iter().flat_map(|(_, words)| words).map(String::as_str).collect();
    let mut counted = job.files.lines(&paths).into_iter();
    for (corpus, words) in &asked {
        let is_piped = is_compressed(&corpus.path);
        let mut sum = Lines::default();
        for lines in counted.by_ref().take(words.len()) {
            sum.ends += match lines {
                Ok(lines) => lines.ends,
                // A pipe's status is that of `wc`: what `zcat` can't read has no lines.
                Err(Uncounted::Damaged { ends, .. }) if is_piped => ends,
                Err(_) if is_piped => 0,
                Err(fault) => return Err(job.halt(uncountable(corpus, fault))),
            };
        }
        known.insert(corpus.path.clone(), sum);
    }
    Ok(known)
}

/// The files that a command would read: of a compressed one what a shell makes of its unquoted path.
fn words(job: &mut Job<'_>, corpus: &Corpus) -> Result<Vec<String>, Halt> {
    let path = &corpus.path;
    if !is_compressed(path) {
        return Ok(vec![path.clone()]);
    }
    if path.contains([
        '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '*', '?', '[', '#', '~', '\n',
    ]) {
        return Err(job.halt(MammothError::Shell { path: path.clone(), span: corpus.span }));
    }
    let as_compressed = |word: &str| {
        if is_compressed(word) { word.to_owned() } else { format!("{word}.gz") }
    };
    Ok(path.split_whitespace().map(as_compressed).collect())
}

/// As the peer tells: by exactly these letters.
fn is_compressed(path: &str) -> bool {
    path.strip_suffix(".gz").is_some()
}
