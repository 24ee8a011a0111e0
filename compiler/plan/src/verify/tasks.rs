//! Tasks: names, languages, files, vocabularies, and the way through the modules.

use crate::plan::{ParallelFiles, Plan, TaskSpec, Transform};
use crate::verify::{Findings, Rule};

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    names(plan, findings);
    let sum = plan.tasks.values().fold(0_u64, |sum, task| sum.saturating_add(task.share));
    findings.expect(sum == 1_000_000_000, Rule::Share, || {
        ("tasks", format!("shares sum to {sum}, not 1000000000"))
    });
    for (name, task) in &plan.tasks {
        references(plan, name, task, findings);
        corpus(name, task, findings);
        transforms(plan, name, task, findings);
        path(plan, name, task, findings);
    }
}

/// Names become file names of checkpoints and words of reports.
fn names(plan: &Plan, findings: &mut Findings) {
    let all = [
        ("language", plan.languages.keys().collect::<Vec<_>>()),
        ("vocabulary", plan.vocabularies.keys().collect()),
        ("module", plan.modules.keys().collect()),
        ("task", plan.tasks.keys().collect()),
    ];
    for (kind, names) in all {
        for name in names {
            let ordinary = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
            let kept = !name.is_empty() && !name.starts_with('.') && name.chars().all(ordinary);
            findings.expect(kept, Rule::Name, || {
                (format!("{kind} `{}`", name.escape_debug()), "it can't be part of a file's name")
            });
        }
    }
    let named = [("name", &plan.experiment.name), ("output", &plan.experiment.output)];
    for (field, name) in named {
        findings.expect(!name.is_empty(), Rule::Name, || {
            (format!("experiment.{field}"), "it is empty")
        });
    }
}

fn references(plan: &Plan, name: &str, task: &TaskSpec, findings: &mut Findings) {
    let mut exists = |kind: &str, what: &str, known: bool| {
        findings.expect(known, Rule::Reference, || {
            (format!("task `{name}`"), format!("there is no {kind} `{what}`"))
        });
    };
    for language in [&task.source, &task.target] {
        exists("language", language, plan.languages.contains_key(language));
    }
    for vocabulary in [&task.source_vocabulary, &task.target_vocabulary] {
        exists("vocabulary", vocabulary, plan.vocabularies.contains_key(vocabulary));
    }
    for module in task.encoder.iter().chain(&task.decoder) {
        exists("module", module, plan.modules.contains_key(module));
    }
    let direction = format!(".{}-{}", task.source, task.target);
    findings.expect(name.ends_with(&direction), Rule::Name, || {
        (format!("task `{name}`"), format!("it does not end in `{direction}`"))
    });
}

fn corpus(name: &str, task: &TaskSpec, findings: &mut Findings) {
    let parts = [
        ("train", Some(&task.corpus.train)),
        ("valid", task.corpus.valid.as_ref()),
        ("test", task.corpus.test.as_ref()),
    ];
    for (part, files) in parts {
        let Some(ParallelFiles { source, target, lines }) = files else { continue };
        let place = || format!("task `{name}`, {part}");
        findings.expect(source.len() == target.len(), Rule::Corpus, || {
            (place(), format!("{} source files, {} target files", source.len(), target.len()))
        });
        findings.expect(!source.is_empty() && *lines > 0, Rule::Corpus, || {
            (place(), format!("{lines} lines in {} files", source.len()))
        });
        let named = source.iter().chain(target).all(|file| !file.is_empty());
        findings.expect(named, Rule::Corpus, || (place(), "a file has no name"));
    }
}

fn transforms(plan: &Plan, name: &str, task: &TaskSpec, findings: &mut Findings) {
    let place = || format!("task `{name}`");
    let tokenized = task.transforms.iter().filter(|one| **one == Transform::Tokenize).count();
    findings.expect(tokenized == 1, Rule::Vocabulary, || {
        (place(), format!("`tokenize` stands {tokenized} times among its transforms, not once"))
    });
    let mut prefixed = |vocabulary: &str, tokens: &[String]| {
        let Some(spec) = plan.vocabularies.get(vocabulary) else { return };
        for token in tokens {
            findings.expect(spec.added.contains(token), Rule::Vocabulary, || {
                (place(), format!("prefix `{token}` is not added to vocabulary `{vocabulary}`"))
            });
        }
    };
    for transform in &task.transforms {
        match transform {
            Transform::Prefix { source, target } => {
                prefixed(&task.source_vocabulary, source);
                prefixed(&task.target_vocabulary, target);
            }
            Transform::Tokenize | Transform::FilterTooLong { .. } => {}
        }
    }
}

fn path(plan: &Plan, name: &str, task: &TaskSpec, findings: &mut Findings) {
    let place = || format!("task `{name}`");
    let Some(path) = plan.module_path(&task.source, &task.target) else {
        let message = "one of its languages is in no group of a grouping that the model shares by";
        findings.add(Rule::Path, place(), message);
        return;
    };
    for (side, found, made) in
        [("encoder", &task.encoder, &path.encoder), ("decoder", &task.decoder, &path.decoder)]
    {
        findings.expect(found == made, Rule::Path, || {
            let found = found.join(", ");
            (place(), format!("{side} [{found}], but the model makes [{}]", made.join(", ")))
        });
    }
}
