//! Languages of the vocabularies and path templates to tasks: one for every pair whose files are there.

use std::collections::BTreeMap;

use mmc_core::diagnostics::Halt;
use mmc_core::suggest;
use mmc_syntax::Span;

use crate::error::MammothError;
use crate::job::{Job, shortened};
use crate::template::{TemplateFault, fill};
use crate::warning::MammothWarning;
use crate::yaml::{Id, Value};

/// What templates of a direction may use.
const VARIABLES: [&str; 8] =
    ["src_lang", "tgt_lang", "lang_a", "lang_b", "side_a", "side_b", "lang_pair", "sorted_pair"];

/// A template with its option and its place.
struct Template {
    key: &'static str,
    text: String,
    span: Span,
}

struct Templates {
    source: Template,
    target: Template,
    valid_source: Template,
    valid_target: Template,
    /// Of one language; none: there are no tasks of one language.
    mono: Option<Vec<(Template, Template)>>,
    mono_validation: bool,
}

/// The files of a task.
struct Paths {
    source: String,
    target: String,
    valid: Option<(String, String)>,
}

/// Pairs that have no files.
#[derive(Default)]
struct Missing {
    pairs: Vec<String>,
    first: Option<(String, String)>,
    wanted: usize,
}

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    let templates = templates(job)?;
    let sources = languages(job, "src_vocab")?;
    let targets = languages(job, "tgt_vocab")?;
    let mut tasks = existing(job)?;
    let mut missing = Missing::default();
    for source in &sources {
        for target in &targets {
            if source == target {
                mono(job, &templates, source, &mut tasks)?;
            } else {
                pair(job, &templates, (source, target), &mut tasks, &mut missing)?;
            }
        }
    }
    report_missing(job, &missing, &templates.source);
    if tasks.is_empty() {
        let first = missing
            .first
            .map(|(source, target)| format!("looked for `{source}` and `{target}` first"));
        let help = first.unwrap_or_else(|| "the vocabularies name no two languages".to_owned());
        return Err(job.halt(MammothError::NoTasks { span: templates.source.span, help }));
    }
    vocabularies(job, "src_vocab", "src_lang", &sources)?;
    vocabularies(job, "tgt_vocab", "tgt_lang", &targets)
}

fn templates(job: &mut Job<'_>) -> Result<Templates, Halt> {
    let help = "a path with variables such as `{src_lang}`";
    let mut template = |key: &'static str| {
        job.required_text(key, help).map(|(text, span)| Template { key, text, span })
    };
    let source = template("src_path")?;
    let target = template("tgt_path")?;
    let valid_source = template("valid_src_path")?;
    let valid_target = template("valid_tgt_path")?;
    let mono = job.switch("autoencoder")?;
    let mono = if mono { Some(mono_templates(job, &source, &target)?) } else { None };
    let mono_validation = job.switch("autoencoder_validation")?;
    Ok(Templates { source, target, valid_source, valid_target, mono, mono_validation })
}

/// `ae_path`, one or several, else the templates of pairs.
fn mono_templates(
    job: &mut Job<'_>,
    source: &Template,
    target: &Template,
) -> Result<Vec<(Template, Template)>, Halt> {
    let again = |template: &Template| Template { text: template.text.clone(), ..*template };
    let both = |(text, span): (String, Span)| {
        let template = Template { key: "ae_path", text, span };
        (again(&template), template)
    };
    let option = job.option("ae_path")?.filter(|_| job.flags.text("ae_path").is_none());
    let listed = option.and_then(|id| {
        if let Value::List(items) = job.tree.value(id) { Some(items.clone()) } else { None }
    });
    let found: Vec<(String, Span)> = match listed {
        Some(items) => {
            let mut found = Vec::new();
            for item in items {
                let Some(text) = job.tree.text(item) else {
                    return Err(job.wrong(item, "ae_path", "a text", None));
                };
                found.push((text.to_owned(), job.tree.span(item)));
            }
            found
        }
        None => job.text("ae_path")?.into_iter().collect(),
    };
    if found.is_empty() {
        return Ok(vec![(again(source), again(target))]);
    }
    Ok(found.into_iter().map(both).collect())
}

/// The languages of a vocabulary section, in order of code point.
fn languages(job: &mut Job<'_>, section: &'static str) -> Result<Vec<String>, Halt> {
    let map = job.root_map(section, "it names the languages and their vocabulary files")?;
    let mut codes = Vec::new();
    for (key, _) in job.tree.entries(map).to_vec() {
        let Some(code) = job.tree.text(key).map(str::to_owned) else {
            return Err(job.wrong(key, section, "a language code", None));
        };
        if code.contains('-') {
            let span = job.tree.span(key);
            return Err(job.halt(MammothError::Hyphen { code, span }));
        }
        codes.push(code);
    }
    codes.sort_unstable();
    Ok(codes)
}

/// The tasks that are there already, by name.
fn existing(job: &mut Job<'_>) -> Result<BTreeMap<String, Id>, Halt> {
    let root = job.tree.root();
    let found = job.tree.get(root, "tasks").filter(|id| *job.tree.value(*id) != Value::Null);
    if found.is_none() {
        return Ok(BTreeMap::new());
    }
    Ok(job.tasks()?.into_iter().map(|task| (task.key, task.id)).collect())
}

fn pair(
    job: &mut Job<'_>,
    templates: &Templates,
    direction: (&str, &str),
    tasks: &mut BTreeMap<String, Id>,
    missing: &mut Missing,
) -> Result<(), Halt> {
    let (source, target) = direction;
    let name = format!("{source}-{target}");
    let paths = Paths {
        source: path(job, &templates.source, direction)?,
        target: path(job, &templates.target, direction)?,
        valid: Some((
            path(job, &templates.valid_source, direction)?,
            path(job, &templates.valid_target, direction)?,
        )),
    };
    missing.wanted += 1;
    if job.files.exists(&paths.source) && job.files.exists(&paths.target) {
        add(job, &name, &paths, templates, tasks);
    } else {
        missing.pairs.push(name);
        missing.first.get_or_insert((paths.source, paths.target));
    }
    Ok(())
}

fn mono(
    job: &mut Job<'_>,
    templates: &Templates,
    language: &str,
    tasks: &mut BTreeMap<String, Id>,
) -> Result<(), Halt> {
    let Some(mono) = &templates.mono else { return Ok(()) };
    let direction = (language, language);
    let mut found = Vec::new();
    for (source, target) in mono {
        let (source, target) = (path(job, source, direction)?, path(job, target, direction)?);
        let valid = if templates.mono_validation {
            let source = path(job, &templates.valid_source, direction)?;
            Some((source, path(job, &templates.valid_target, direction)?))
        } else {
            None
        };
        if job.files.exists(&source) && job.files.exists(&target) {
            let paths = Paths { source, target, valid };
            add(job, &format!("{language}-{language}"), &paths, templates, tasks);
            found.push(paths.source);
        }
    }
    if let (Some(last), Some((template, _)), 2..) = (found.last(), mono.first(), found.len()) {
        job.sink.report(MammothWarning::SeveralMonoFiles {
            number: found.len(),
            language: language.to_owned(),
            path: last.clone(),
            span: template.span,
        });
    }
    Ok(())
}

/// Adds a task or overwrites its files.
fn add(
    job: &mut Job<'_>,
    name: &str,
    paths: &Paths,
    templates: &Templates,
    tasks: &mut BTreeMap<String, Id>,
) {
    let span = templates.source.span;
    let task = tasks.get(name).copied().unwrap_or_else(|| new_task(job, name, span));
    tasks.insert(name.to_owned(), task);
    let set = |job: &mut Job<'_>, key: &str, text: &str, span: Span| {
        let id = job.tree.add(Value::Text(text.into()), span);
        job.tree.set(task, key, id);
    };
    set(job, "src_tgt", name, span);
    set(job, "path_src", &paths.source, span);
    set(job, "path_tgt", &paths.target, templates.target.span);
    let Some((source, target)) = &paths.valid else { return };
    if job.files.exists(source) {
        set(job, "path_valid_src", source, templates.valid_source.span);
        set(job, "path_valid_tgt", target, templates.valid_target.span);
        if !job.files.exists(target) {
            job.sink.report(MammothWarning::HalfValidation {
                task: name.to_owned(),
                path: target.clone(),
                span: templates.valid_target.span,
            });
        }
    }
}

fn new_task(job: &mut Job<'_>, name: &str, span: Span) -> Id {
    let root = job.tree.root();
    let found =
        job.tree.get(root, "tasks").filter(|id| matches!(job.tree.value(*id), Value::Map(_)));
    let tasks = found.unwrap_or_else(|| {
        let made = job.tree.add(Value::Map(Vec::new()), span);
        job.tree.set(root, "tasks", made);
        made
    });
    let (key, task) =
        (job.tree.add(Value::Text(name.into()), span), job.tree.add(Value::Map(Vec::new()), span));
    job.tree.push_entry(tasks, key, task);
    task
}

/// A template filled for a direction.
fn path(
    job: &mut Job<'_>,
    template: &Template,
    (source, target): (&str, &str),
) -> Result<String, Halt> {
    let forward = source <= target;
    let (first, second) = if forward { (source, target) } else { (target, source) };
    let (side_a, side_b) = if forward { ("src", "trg") } else { ("trg", "src") };
    let (pair, sorted) = (format!("{source}-{target}"), format!("{first}-{second}"));
    let values = [source, target, first, second, side_a, side_b, &pair, &sorted];
    let variables: Vec<(&str, &str)> = VARIABLES.into_iter().zip(values).collect();
    fill(&template.text, &variables).map_err(|fault| {
        let (key, span) = (template.key.to_owned(), template.span);
        job.halt(bad_template(key, span, fault, &VARIABLES))
    })
}

fn bad_template(key: String, span: Span, fault: TemplateFault, variables: &[&str]) -> MammothError {
    let (reason, help) = match fault {
        TemplateFault::Unknown(name) => (
            format!("there is no variable `{name}`"),
            suggest::help(
                &name,
                variables.iter().copied(),
                "write braces that are meant as `{{` and `}}`",
            ),
        ),
        TemplateFault::Braces(reason) => {
            (reason.to_owned(), "write braces that are meant as `{{` and `}}`".to_owned())
        }
    };
    MammothError::BadTemplate { key, reason, span, help }
}

/// Fills the paths of a vocabulary section.
fn vocabularies(
    job: &mut Job<'_>,
    section: &'static str,
    variable: &str,
    languages: &[String],
) -> Result<(), Halt> {
    let map = job.root_map(section, "it names the languages and their vocabulary files")?;
    for language in languages {
        let Some(value) = job.tree.get(map, language) else { continue };
        let Some(template) = job.tree.text(value) else {
            return Err(job.wrong(value, language, "a path", None));
        };
        let span = job.tree.span(value);
        let filled = fill(template, &[(variable, language)]).map_err(|fault| {
            job.halt(bad_template(format!("{section}.{language}"), span, fault, &[variable]))
        })?;
        let filled = job.tree.add(Value::Text(filled.as_str().into()), span);
        job.tree.set(map, language, filled);
    }
    Ok(())
}

fn report_missing(job: &mut Job<'_>, missing: &Missing, template: &Template) {
    if let Some((source_path, target_path)) = missing.first.clone() {
        job.sink.report(MammothWarning::PairsWithoutFiles {
            missing: missing.pairs.len(),
            wanted: missing.wanted,
            examples: shortened(missing.pairs.iter().map(String::as_str)),
            source_path,
            target_path,
            span: template.span,
        });
    }
}
