//! The `mammoth` block: what only MAMMOTH reads, its names of groups, and its vocabulary files.

use std::collections::{BTreeMap, BTreeSet};

use mmc_core::ir::experiment::At;
use mmc_core::ir::settings::Setting;
use mmc_core::suggest;
use mmc_core::template::Templates;
use mmc_plan::{Optimizer, Schedule, VocabularyKind};
use mmc_syntax::Span;

use super::draft::{Draft, text};
use super::error::EmitFault;
use super::keys;
use super::transforms::OPTIONS;
use crate::yaml::Value;

/// Keys with a meaning of their own.
const OWN: &[&str] = &["groups", "src_vocab", "tgt_vocab", "x_transformers_opts"];

/// MAMMOTH's name of a group: `groups { af_nl = "af+nl" }`, or its own.
pub(super) fn group(name: &str, draft: &Draft<'_>) -> String {
    let groups = draft.experiment.mammoth.get("groups").map(|at| &at.value);
    if let Some(Setting::Block(groups)) = groups
        && let Some(At { value: Setting::Text(other), .. }) = groups.get(name)
    {
        return other.clone();
    }
    name.to_owned()
}

/// Writes everything of the block but vocabularies; `used` are MAMMOTH's names of the transforms in use.
pub(super) fn write(used: &BTreeSet<&'static str>, draft: &mut Draft<'_>) {
    groups(draft);
    let experiment = draft.experiment;
    for (key, at) in &experiment.mammoth {
        if key == "x_transformers_opts" {
            network(at, draft);
            continue;
        }
        if OWN.contains(&key.as_str()) {
            continue;
        }
        let is_known = keys::DECIDED.contains(&key.as_str()) || keys::FREE.contains(&key.as_str());
        if !is_known {
            let all = keys::DECIDED.iter().chain(keys::FREE).copied();
            unknown(key, at.span, all, draft);
        } else if draft.tree.get(draft.tree.root(), key).is_some() || !is_free(key, used, draft) {
            let (key, span) = (key.clone(), at.span);
            draft.sink.report(EmitFault::DecidedKey { key, span });
        } else {
            let value = value(&at.value, draft);
            draft.top(key, value);
        }
    }
}

fn unknown<'k>(key: &str, span: Span, all: impl Iterator<Item = &'k str>, draft: &mut Draft<'_>) {
    let help = suggest::help(key, all, "leave it out: MAMMOTH would ignore it without a word");
    draft.sink.report(EmitFault::UnknownKey { key: key.to_owned(), span, help });
}

/// Whether a key has no influence on this experiment's training.
fn is_free(key: &str, used: &BTreeSet<&'static str>, draft: &Draft<'_>) -> bool {
    if let Some((transform, _)) = OPTIONS.iter().find(|(_, keys)| keys.contains(&key)) {
        return !used.contains(transform);
    }
    let training = &draft.experiment.training.value;
    let is_adafactor = matches!(training.optimizer, Optimizer::Adafactor { .. });
    match key {
        "adam_beta1" | "adam_beta2" => {
            !matches!(training.optimizer, Optimizer::Adamw { .. } | Optimizer::Adam { .. })
        }
        "adagrad_accumulator_init" => !matches!(training.optimizer, Optimizer::Adagrad { .. }),
        "weight_decay" => {
            matches!(training.optimizer, Optimizer::Sgd { .. } | Optimizer::Adagrad { .. })
        }
        "learning_rate" | "decay_method" => is_adafactor,
        "warmup_steps" => {
            is_adafactor || matches!(training.schedule, Schedule::Constant | Schedule::Decay { .. })
        }
        "start_decay_steps" | "decay_steps" | "learning_rate_decay" => {
            is_adafactor
                || !matches!(training.schedule, Schedule::Constant | Schedule::Decay { .. })
        }
        _ => keys::FREE.contains(&key),
    }
}

fn network(at: &At<Setting>, draft: &mut Draft<'_>) {
    let Setting::Block(settings) = &at.value else {
        wrong(
            "x_transformers_opts",
            "a block",
            at.span,
            "x_transformers_opts { attn_flash = true }",
            draft,
        );
        return;
    };
    let root = draft.tree.root();
    let Some(options) = draft.tree.get(root, "x_transformers_opts") else { return };
    for (key, at) in settings {
        if keys::FREE_NETWORK.contains(&key.as_str()) {
            let value = value(&at.value, draft);
            draft.put(options, key, value);
        } else if keys::NETWORK.contains(&key.as_str()) {
            let (key, span) = (key.clone(), at.span);
            draft.sink.report(EmitFault::DecidedKey { key, span });
        } else {
            unknown(key, at.span, keys::FREE_NETWORK.iter().copied(), draft);
        }
    }
}

fn wrong(key: &str, expected: &'static str, span: Span, example: &str, draft: &mut Draft<'_>) {
    let (key, help) = (key.to_owned(), format!("for example `mammoth {{ {example} }}`"));
    draft.sink.report(EmitFault::WrongValue { key, expected, span, help });
}

/// Names of groups must be of groups that there are.
fn groups(draft: &mut Draft<'_>) {
    let experiment = draft.experiment;
    let Some(at) = experiment.mammoth.get("groups") else { return };
    let example = "groups { west_slavic = \"cs+pl\" }";
    let Setting::Block(names) = &at.value else {
        wrong("groups", "a block", at.span, example, draft);
        return;
    };
    let known: BTreeSet<&str> = experiment
        .groupings
        .iter()
        .flat_map(|grouping| grouping.group_of.values().map(String::as_str))
        .collect();
    for (name, at) in names {
        if !known.contains(name.as_str()) {
            let help = suggest::help(name, known.iter().copied(), "it renames groups");
            let (key, span) = (name.clone(), at.span);
            draft.sink.report(EmitFault::UnknownKey { key, span, help });
        } else if !matches!(at.value, Setting::Text(_)) {
            wrong(name, "a name", at.span, example, draft);
        }
    }
}

fn value(setting: &Setting, draft: &mut Draft<'_>) -> Value {
    match setting {
        Setting::Switch(on) => Value::Bool(*on),
        Setting::Whole(number) => Value::Int(*number),
        Setting::Real(number) => Value::Float(*number),
        Setting::Text(word) => text(word),
        Setting::List(items) => {
            let items: Vec<Value> = items.iter().map(|item| value(&item.value, draft)).collect();
            draft.list(items)
        }
        Setting::Block(settings) => {
            let mut entries = Vec::new();
            for (key, at) in settings {
                let value = value(&at.value, draft);
                entries.push((draft.tree.add_text(key), draft.tree.add(value, at.span)));
            }
            Value::Map(entries)
        }
    }
}

/// `src_vocab` and `tgt_vocab`: the languages of each side with their files.
pub(super) fn vocabularies(draft: &mut Draft<'_>) {
    let experiment = draft.experiment;
    let templates = Templates::new(&experiment.languages);
    let mut sides: [BTreeMap<&str, &str>; 2] = Default::default();
    for task in draft.plan.tasks.values() {
        let [sources, targets] = &mut sides;
        sources.insert(&task.source, &task.source_vocabulary);
        targets.insert(&task.target, &task.target_vocabulary);
    }
    for (key, languages) in ["src_vocab", "tgt_vocab"].into_iter().zip(sides) {
        let given = [key, "src_vocab"]
            .into_iter()
            .find_map(|key| Some((key, experiment.mammoth.get(key)?)));
        let root = draft.tree.root();
        let span = given.map_or(draft.tree.span(root), |(_, given)| given.span);
        let map = draft.map(root, key, span);
        for (language, vocabulary) in languages {
            let found = match given {
                Some((key, given)) => named(key, given, language, &templates, draft),
                None => derived(language, vocabulary, draft),
            };
            if let Some(file) = found {
                draft.put(map, language, text(&file));
            }
        }
    }
}

/// The file that the block names.
fn named(
    key: &str,
    given: &At<Setting>,
    language: &str,
    templates: &Templates,
    draft: &mut Draft<'_>,
) -> Option<String> {
    let file = match &given.value {
        Setting::Text(template) => templates.language(template, language).ok(),
        Setting::Block(files) => match files.get(language).map(|at| &at.value) {
            Some(Setting::Text(file)) => Some(file.clone()),
            _ => None,
        },
        Setting::Switch(_) | Setting::Whole(_) | Setting::Real(_) | Setting::List(_) => None,
    };
    if file.is_none() {
        let expected = "a template with `{lang}`, or a file for each language";
        wrong(key, expected, given.span, "src_vocab = \"vocab/{lang}.vocab\"", draft);
    }
    file
}

/// The file beside a SentencePiece model.
fn derived(language: &str, vocabulary: &str, draft: &mut Draft<'_>) -> Option<String> {
    let spec = draft.plan.vocabularies.get(vocabulary)?;
    let file = match spec.kind {
        VocabularyKind::Sentencepiece => {
            spec.file.strip_suffix(".model").map(|stem| format!("{stem}.vocab"))
        }
        VocabularyKind::Words => Some(spec.file.clone()),
        VocabularyKind::Huggingface => None,
    };
    if file.is_none() {
        let (name, _) = vocabulary.split_once('.')?;
        let tokenizer = draft.experiment.tokenizers.iter().find(|found| found.name == name)?;
        let (language, file, span) = (language.to_owned(), spec.file.clone(), tokenizer.file.span);
        draft.sink.report(EmitFault::NoVocabulary { language, file, span });
    }
    file
}
