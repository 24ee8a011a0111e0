//! Tasks: names, languages, files, vocabularies, and the way through the modules.

use crate::plan::{ParallelFiles, Plan, TaskKind, TaskSpec};
use crate::transform::{MaskUnit, Transform};
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
    for module in task.path() {
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
        if let Transform::Prefix { source, target } = transform {
            prefixed(&task.source_vocabulary, source);
            prefixed(&task.target_vocabulary, target);
        }
    }
    if task.transforms.iter().any(Transform::masks) {
        for vocabulary in [&task.source_vocabulary, &task.target_vocabulary] {
            let spec = plan.vocabularies.get(vocabulary);
            findings.expect(spec.is_none_or(|spec| spec.mask.is_some()), Rule::Vocabulary, || {
                (place(), format!("a transform masks, but vocabulary `{vocabulary}` has no mask"))
            });
        }
    }
    for transform in &task.transforms {
        findings.expect(in_range(transform), Rule::Number, || {
            (place(), format!("{transform:?} has a number out of range"))
        });
    }
    let same = task.source == task.target && task.corpus.train.source == task.corpus.train.target;
    findings.expect(task.kind == TaskKind::Translate || same, Rule::Corpus, || {
        (place(), "it denoises, but its sides are not the same text")
    });
}

/// Whether the numbers of a transform are in the ranges that its fields declare.
fn in_range(transform: &Transform) -> bool {
    let part = |value: f64| (0.0..=1.0).contains(&value);
    match transform {
        Transform::Tokenize | Transform::Prefix { .. } => true,
        Transform::FilterTooLong { source, target } => *source > 0 && *target > 0,
        Transform::FilterWordRatio { most } => most.is_finite() && *most > 1.0,
        Transform::FilterRepetitions { most, shortest, longest } => {
            *most > 1 && *shortest > 0 && shortest <= longest
        }
        Transform::FilterTerminalPunctuation { least } => least.is_finite() && *least <= 0.0,
        Transform::FilterNumerals { least } => part(*least),
        Transform::FilterScript { source, target, least } => {
            part(*least) && !source.is_empty() && !target.is_empty()
        }
        Transform::Denoise(noise) => {
            let mean = match noise.unit {
                MaskUnit::SpanPoisson(mean) => mean,
                MaskUnit::Subword | MaskUnit::Word => 1.0,
            };
            let parts = [noise.ratio, noise.random, noise.insert, noise.rotate, noise.permute];
            mean.is_finite() && mean > 0.0 && parts.into_iter().all(part)
        }
        Transform::Switchout { temperature }
        | Transform::TokenDrop { temperature }
        | Transform::TokenMask { temperature } => temperature.is_finite() && *temperature > 0.0,
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
    findings.expect(task.bridge == path.bridge, Rule::Path, || {
        (place(), format!("bridge {:?}, but the model makes {:?}", task.bridge, path.bridge))
    });
    findings.expect(task.adapters == path.adapters, Rule::Path, || {
        (place(), format!("adapters {:?}, but the model makes {:?}", task.adapters, path.adapters))
    });
}
