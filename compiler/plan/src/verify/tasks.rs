//! Tasks: names, languages, files, vocabularies, and the way through the modules.

use std::collections::{HashMap, HashSet};

use crate::path::{Way, Ways};
use crate::plan::{ParallelFiles, Plan, TaskKind, TaskSpec, VocabularySpec};
use crate::stretch;
use crate::transform::{LEAST_SPAN, LONGEST_SPAN, MaskUnit, Objective, Replace, Transform};
use crate::verify::index::{Index, Row};
use crate::verify::{Findings, Rule, STRETCH, causal};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    names(plan, findings);
    let sum = plan.tasks.values().fold(0_u64, |sum, task| sum.saturating_add(task.share));
    findings.expect(sum == 1_000_000_000, Rule::Share, || {
        ("tasks", format!("shares sum to {sum}, not 1000000000"))
    });
    let known = Known::new(plan);
    let found = stretch::each(&index.tasks, STRETCH, |rows| {
        let mut findings = Findings::default();
        let mut ways = Ways::new(&plan.model);
        for row in rows {
            let Row { name, task, .. } = *row;
            references(&known, index, row, &mut findings);
            corpus(name, task, &mut findings);
            transforms(&known, name, task, &mut findings);
            causal::task(plan, name, task, &mut findings);
            if !is_led(plan, index, row, &mut ways) {
                path(plan, name, task, &mut findings);
            }
        }
        findings.violations
    });
    findings.violations.extend(found.into_iter().flatten());
}

/// What tasks refer to.
struct Known<'a> {
    languages: HashSet<&'a str>,
    /// Their number.
    modules: usize,
    /// With whether the added tokens are in order, as the planner writes them.
    vocabularies: HashMap<&'a str, (&'a VocabularySpec, bool)>,
}

impl<'a> Known<'a> {
    fn new(plan: &'a Plan) -> Self {
        let vocabulary = |(name, spec): (&'a String, &'a VocabularySpec)| {
            (name.as_str(), (spec, spec.added.is_sorted()))
        };
        Self {
            languages: plan.languages.keys().map(String::as_str).collect(),
            modules: plan.modules.len(),
            vocabularies: plan.vocabularies.iter().map(vocabulary).collect(),
        }
    }

    /// Whether a vocabulary that exists lacks an added token.
    fn lacks(&self, vocabulary: &str, token: &String) -> bool {
        self.vocabularies.get(vocabulary).is_some_and(|(spec, is_sorted)| {
            if *is_sorted {
                spec.added.binary_search(token).is_err()
            } else {
                !spec.added.contains(token)
            }
        })
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

fn references(known: &Known<'_>, index: &Index<'_>, row: &Row<'_>, findings: &mut Findings) {
    let Row { name, task, .. } = *row;
    let mut exists = |kind: &str, what: &str, known: bool| {
        findings.expect(known, Rule::Reference, || {
            (format!("task `{name}`"), format!("there is no {kind} `{what}`"))
        });
    };
    for language in [&task.source, &task.target] {
        exists("language", language, known.languages.contains(language.as_str()));
    }
    for vocabulary in [&task.source_vocabulary, &task.target_vocabulary] {
        exists("vocabulary", vocabulary, known.vocabularies.contains_key(vocabulary.as_str()));
    }
    for (module, number) in task.path().zip(index.way(row)) {
        exists("module", module, *number < known.modules);
    }
    let before = |end: &str| {
        name.strip_suffix(task.target.as_str())?
            .strip_suffix('-')?
            .strip_suffix(end)
            .map(|rest| rest.ends_with('.'))
    };
    findings.expect(before(&task.source) == Some(true), Rule::Name, || {
        let direction = format!(".{}-{}", task.source, task.target);
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
        let Some(ParallelFiles { source, target, columns, lines }) = files else { continue };
        let place = || format!("task `{name}`, {part}");
        findings.expect(source.len() == target.len(), Rule::Corpus, || {
            (place(), format!("{} source files, {} target files", source.len(), target.len()))
        });
        findings.expect(!source.is_empty() && *lines > 0, Rule::Corpus, || {
            (place(), format!("{lines} lines in {} files", source.len()))
        });
        let named = source.iter().chain(target).all(|file| !file.is_empty());
        findings.expect(named, Rule::Corpus, || (place(), "a file has no name"));
        let Some([first, second]) = columns else { continue };
        findings.expect(*first > 0 && *second > 0, Rule::Corpus, || {
            (place(), format!("columns {first} and {second} are not counted from 1"))
        });
        let (is_one, of_one) = (first == second, task.source == task.target);
        findings.expect(of_one || !is_one, Rule::Corpus, || {
            (place(), format!("column {first} is the text of two languages"))
        });
        findings.expect(source == target, Rule::Corpus, || {
            (place(), "it has columns, but its sides are not the same files")
        });
        findings.expect(task.kind == TaskKind::Translate || is_one, Rule::Corpus, || {
            (place(), "it does not translate, but its sides are two columns")
        });
    }
}

fn transforms(known: &Known<'_>, name: &str, task: &TaskSpec, findings: &mut Findings) {
    let place = || format!("task `{name}`");
    let tokenized = task.transforms.iter().filter(|one| **one == Transform::Tokenize).count();
    findings.expect(tokenized == 1, Rule::Vocabulary, || {
        (place(), format!("`tokenize` stands {tokenized} times among its transforms, not once"))
    });
    let mut prefixed = |vocabulary: &str, tokens: &[String]| {
        for token in tokens {
            findings.expect(!known.lacks(vocabulary, token), Rule::Vocabulary, || {
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
            let spec = known.vocabularies.get(vocabulary.as_str());
            findings.expect(
                spec.is_none_or(|(spec, _)| spec.mask.is_some()),
                Rule::Vocabulary,
                || {
                    (
                        place(),
                        format!("a transform masks, but vocabulary `{vocabulary}` has no mask"),
                    )
                },
            );
        }
    }
    for transform in &task.transforms {
        findings.expect(in_range(transform), Rule::Number, || {
            (place(), format!("{transform:?} has a number out of range"))
        });
    }
    mass(name, task, findings);
    let same = task.source == task.target && task.corpus.train.source == task.corpus.train.target;
    findings.expect(task.kind == TaskKind::Translate || same, Rule::Corpus, || {
        (place(), "it does not translate, but its sides are not the same text")
    });
}

/// MASS predicts pieces of what it masks: nothing else may change the one or the other.
fn mass(name: &str, task: &TaskSpec, findings: &mut Findings) {
    if !task.transforms.iter().any(Transform::is_mass) {
        return;
    }
    let place = || format!("task `{name}`");
    let noises = task.transforms.iter().filter(|transform| transform.is_noise()).count();
    findings.expect(noises == 1, Rule::Vocabulary, || {
        (place(), format!("{noises} transforms are noise, one of them MASS, which goes alone"))
    });
    findings.expect(task.kind == TaskKind::Denoise, Rule::Corpus, || {
        (place(), format!("MASS in a task of kind {:?}, whose sides are not one text", task.kind))
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
            let by_piece = noise.unit == MaskUnit::Subword && noise.replace == Replace::Each;
            let parts = [noise.ratio, noise.random, noise.insert, noise.rotate, noise.permute];
            (LEAST_SPAN..=LONGEST_SPAN).contains(&mean)
                && (noise.objective == Objective::Bart || by_piece)
                && parts.into_iter().all(part)
        }
        Transform::Switchout { temperature }
        | Transform::TokenDrop { temperature }
        | Transform::TokenMask { temperature } => temperature.is_finite() && *temperature > 0.0,
    }
}

/// Whether a task leads through exactly the modules that the model's patterns make: compared by number, which says yes of plain
/// tasks at once, and leaves those with adapters to [`path`].
fn is_led(plan: &Plan, index: &Index<'_>, row: &Row<'_>, ways: &mut Ways<'_, usize>) -> bool {
    let task = row.task;
    let group = |grouping: &str, language: &str| {
        plan.languages.get(language)?.groups.get(grouping).cloned()
    };
    let mut number = |name: String| index.modules.get(name.as_str()).copied().unwrap_or(usize::MAX);
    let Some(way) = ways.of(task.into(), &group, &mut number) else { return false };
    let Way { encoder, bridge, decoder, adapters } = way;
    let lengths = (task.encoder.len(), task.bridge.is_some(), task.decoder.len());
    adapters.is_empty()
        && task.adapters.is_empty()
        && lengths == (encoder.len(), bridge.is_some(), decoder.len())
        && index.way(row).iter().eq(encoder.iter().chain(&bridge).chain(&decoder))
}

fn path(plan: &Plan, name: &str, task: &TaskSpec, findings: &mut Findings) {
    let place = || format!("task `{name}`");
    let Some(path) = plan.path_between(task.into()) else {
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
