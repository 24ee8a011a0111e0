//! A plan to its text.
//!
//! The YAML library writes the frame: everything but the tasks, and the tasks on lanes. Of those there may be a million, so they
//! are written here, stretch by stretch on all cores, when all their words are plain; the library writes the others. Both give
//! the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ptr;

use serde::Serialize;
use serde_saphyr::FlowMap;

use crate::flow;
use crate::plan::{
    BadLines, CorpusFiles, LaneSpec, LaneTask, ParallelFiles, Plan, TaskKind, TaskSpec,
};
use crate::stretch;
use crate::transform::Transform;

/// Tasks that are written in one go; tests have fewer.
const STRETCH: usize = if cfg!(test) { 3 } else { 8192 };
/// Bytes of a task's text, about.
const TASK_BYTES: usize = 640;
/// Bytes of a lane's line of a task, about.
const LINE_BYTES: usize = 80;
/// The longest word that is taken as plain: longer keys of a map have another form.
const LONGEST: usize = 128;
/// Words of letters that YAML 1.1 or 1.2 reads as something else, in small letters.
const TAKEN: [&str; 11] =
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];

/// Writes the text of a plan.
pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let frame = library(&frame(plan), 0);
    // Top-level keys alone stand at the start of a line.
    let (head, rest) = frame.split_once("\ntasks: {}\n").expect("a frame has no tasks");
    let (middle, tail) = rest.split_once("\nlanes: []\n").expect("a frame has no lanes");
    out.write_all(head.as_bytes())?;
    tasks(&plan.tasks, out)?;
    out.write_all(middle.as_bytes())?;
    lanes(&plan.lanes, out)?;
    out.write_all(tail.as_bytes())
}

/// How plans are laid out.
pub(super) fn layout() -> serde_saphyr::SerializerOptions {
    serde_saphyr::ser_options! { prefer_block_scalars: false }
}

/// A plan without tasks and lanes.
fn frame(plan: &Plan) -> Plan {
    let Plan {
        format,
        digest,
        experiment,
        languages,
        vocabularies,
        model,
        modules,
        tasks: _,
        training,
        curriculum,
        lanes: _,
        cluster,
        placement,
        ranks,
        communicators,
        synchronised,
        totals,
        run,
    } = plan;
    Plan {
        format: *format,
        digest: digest.clone(),
        experiment: experiment.clone(),
        languages: languages.clone(),
        vocabularies: vocabularies.clone(),
        model: model.clone(),
        modules: modules.clone(),
        tasks: BTreeMap::new(),
        training: training.clone(),
        curriculum: curriculum.clone(),
        lanes: Vec::new(),
        cluster: cluster.clone(),
        placement: placement.clone(),
        ranks: ranks.clone(),
        communicators: communicators.clone(),
        synchronised: *synchronised,
        totals: *totals,
        run: *run,
    }
}

/// The library's text, so many columns further in.
fn library<T: Serialize>(value: &T, columns: usize) -> String {
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, layout())
        .expect("a plan holds nothing that YAML cannot write, and a string takes all text");
    if columns == 0 {
        return text;
    }
    let margin = " ".repeat(columns);
    text.split_inclusive('\n').fold(String::new(), |all, line| all + &margin + line)
}

/// One entry of a map by the library.
fn entry<T: Serialize>(name: &str, value: &T, columns: usize) -> String {
    library(&BTreeMap::from([(name, value)]), columns)
}

/// The section of tasks, with the ends of the lines before and of its last one.
fn tasks(tasks: &BTreeMap<String, TaskSpec>, out: &mut dyn Write) -> io::Result<()> {
    if tasks.is_empty() {
        return out.write_all(b"\ntasks: {}\n");
    }
    out.write_all(b"\ntasks:\n")?;
    let rows: Vec<(&String, &TaskSpec)> = tasks.iter().collect();
    let text = |rows: &[(&String, &TaskSpec)]| {
        let mut text = String::with_capacity(rows.len() * TASK_BYTES);
        let mut known = Known::default();
        for (name, spec) in rows {
            task(name, spec, &mut known, &mut text);
        }
        text
    };
    stretch::in_order(&rows, STRETCH, text, |text| out.write_all(text.as_bytes()))
}

/// The section of lanes, likewise.
fn lanes(lanes: &[LaneSpec], out: &mut dyn Write) -> io::Result<()> {
    if lanes.is_empty() {
        return out.write_all(b"\nlanes: []\n");
    }
    out.write_all(b"\nlanes:\n")?;
    let all: usize = lanes.iter().map(|lane| lane.tasks.len()).sum();
    let length = if all > STRETCH { 1 } else { lanes.len() };
    let text = |lanes: &[LaneSpec]| {
        let mut text = String::with_capacity(
            lanes.iter().map(|lane| lane.tasks.len()).sum::<usize>() * LINE_BYTES,
        );
        for lane in lanes {
            self::lane(lane, &mut text);
        }
        text
    };
    stretch::in_order(lanes, length, text, |text| out.write_all(text.as_bytes()))
}

fn lane(LaneSpec { tasks }: &LaneSpec, text: &mut String) {
    if tasks.is_empty() {
        text.push_str("- tasks: {}\n");
        return;
    }
    text.push_str("- tasks:\n");
    for (name, task) in tasks {
        lane_task(name, task, text);
    }
}

fn lane_task(name: &str, task: &LaneTask, text: &mut String) {
    if !is_plain(name) {
        text.push_str(&entry(name, &FlowMap(task), 4));
        return;
    }
    let LaneTask { parts, lines: [from, to] } = task;
    text.extend(["    ", name]);
    let _ = writeln!(text, ": {{parts: {parts}, lines: [{from}, {to}]}}");
}

/// Texts of what many tasks share, by where it lies.
#[derive(Default)]
struct Known {
    transforms: HashMap<*const Vec<Transform>, String>,
    /// Of lists of modules; none when not all their names are plain.
    modules: HashMap<*const Vec<String>, Option<String>>,
}

impl Known {
    fn transforms(&mut self, transforms: &Vec<Transform>) -> &str {
        let written = || entry("transforms", transforms, 4);
        self.transforms.entry(ptr::from_ref(transforms)).or_insert_with(written)
    }

    fn modules(&mut self, key: &str, modules: &Vec<String>) -> Option<&str> {
        let written = || {
            let mut text = String::new();
            names("    ", key, modules, &mut text);
            text
        };
        let known = self.modules.entry(ptr::from_ref(modules));
        known.or_insert_with(|| modules.iter().all(|name| is_plain(name)).then(written)).as_deref()
    }
}

fn task(name: &str, spec: &TaskSpec, known: &mut Known, text: &mut String) {
    let sides = [("encoder", &spec.encoder), ("decoder", &spec.decoder)];
    if !is_plain(name)
        || !words(spec).all(is_plain)
        || !sides.iter().all(|(key, modules)| known.modules(key, modules).is_some())
    {
        text.push_str(&entry(name, spec, 2));
        return;
    }
    let TaskSpec {
        kind,
        source,
        target,
        share,
        corpus: CorpusFiles { train, valid, test, bad_lines },
        transforms,
        source_vocabulary,
        target_vocabulary,
        encoder,
        bridge,
        decoder,
        adapters,
    } = spec;
    text.extend(["  ", name, ":\n"]);
    let kind = match kind {
        TaskKind::Translate => "translate",
        TaskKind::Denoise => "denoise",
        TaskKind::Causal => "causal",
    };
    text.extend(["    kind: ", kind, "\n    source: ", source, "\n    target: ", target]);
    let _ = writeln!(text, "\n    share: {share}\n    corpus:");
    for (part, files) in
        [("train", Some(train)), ("valid", valid.as_ref()), ("test", test.as_ref())]
    {
        if let Some(files) = files {
            parallel(part, files, text);
        }
    }
    match bad_lines {
        BadLines::Skip => {}
        BadLines::Fatal => text.push_str("      bad_lines: fatal\n"),
    }
    if !transforms.is_empty() {
        text.push_str(known.transforms(transforms));
    }
    text.extend(["    source_vocabulary: ", source_vocabulary, "\n    target_vocabulary: "]);
    text.extend([target_vocabulary, "\n"]);
    text.push_str(known.modules("encoder", encoder).unwrap_or_default());
    if let Some(bridge) = bridge {
        text.extend(["    bridge: ", bridge, "\n"]);
    }
    text.push_str(known.modules("decoder", decoder).unwrap_or_default());
    if !adapters.is_empty() {
        text.push_str(&entry("adapters", adapters, 4));
    }
}

/// The words of a task that are written here, but those of its sides.
fn words(spec: &TaskSpec) -> impl Iterator<Item = &str> {
    let CorpusFiles { train, valid, test, bad_lines: _ } = &spec.corpus;
    let files = [Some(train), valid.as_ref(), test.as_ref()].into_iter().flatten();
    let files = files.flat_map(|files| files.source.iter().chain(&files.target));
    let own = [&spec.source, &spec.target, &spec.source_vocabulary, &spec.target_vocabulary];
    own.into_iter().chain(files).chain(&spec.bridge).map(String::as_str)
}

fn parallel(part: &str, files: &ParallelFiles, text: &mut String) {
    let ParallelFiles { source, target, columns, lines } = files;
    text.extend(["      ", part, ":\n"]);
    names("        ", "source", source, text);
    names("        ", "target", target, text);
    if let Some([source, target]) = columns {
        let _ = writeln!(text, "        columns: [{source}, {target}]");
    }
    let _ = writeln!(text, "        lines: {lines}");
}

/// A list of plain names, laid out as [`flow::names`] says.
fn names(margin: &str, key: &str, names: &[String], text: &mut String) {
    text.extend([margin, key, ":"]);
    if flow::is_short(names) {
        text.push_str(" [");
        for (at, name) in names.iter().enumerate() {
            text.extend([if at == 0 { "" } else { ", " }, name]);
        }
        text.push_str("]\n");
    } else {
        text.push('\n');
        for name in names {
            text.extend([margin, "- ", name, "\n"]);
        }
    }
}

/// Bytes of plain words.
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let is_mark = matches!(byte, b'.' | b'_' | b'-' | b'/');
        plain[byte as usize] = byte.is_ascii_alphanumeric() || is_mark;
        byte += 1;
    }
    plain
};

/// Whether a word stands for itself as a key, as a value and in a list on one line. Not all that do are known here.
fn is_plain(word: &str) -> bool {
    let is_in_names = |byte: &u8| PLAIN.get(usize::from(*byte)) == Some(&true);
    let begins = word.as_bytes().first().is_some_and(|&b| b.is_ascii_alphabetic() || b == b'/');
    let is_taken = || TAKEN.iter().any(|taken| word.eq_ignore_ascii_case(taken));
    begins && word.len() <= LONGEST && word.as_bytes().iter().all(is_in_names) && !is_taken()
}
