//! A direction's way through the modules, made from the model's patterns: for the plan's tasks and for zero-shot pairs alike.

use crate::model::{ModelSpec, Sharing, StackPattern};
use crate::plan::Plan;

/// The modules of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePath {
    /// Source embedding, then encoder stacks.
    pub encoder: Vec<String>,
    /// Target embedding, decoder stacks, then the head when it is not tied.
    pub decoder: Vec<String>,
}

/// The sharing id of a direction under a rule, e.g. `lang.de`; none when a language is in no group of the grouping.
///
/// `group` answers the group of a language in a grouping.
pub fn sharing_id(
    sharing: &Sharing,
    source: &str,
    target: &str,
    group: &dyn Fn(&str, &str) -> Option<String>,
) -> Option<String> {
    let grouped = |grouping: &String, language: &str| {
        let name = group(grouping, language)?;
        Some(match grouping.as_str() {
            "groups" => format!("group.{name}"),
            _ => format!("group.{grouping}.{name}"),
        })
    };
    match sharing {
        Sharing::Full => Some("full".to_owned()),
        Sharing::SourceLanguage => Some(format!("lang.{source}")),
        Sharing::TargetLanguage => Some(format!("lang.{target}")),
        Sharing::SourceGroup(grouping) => grouped(grouping, source),
        Sharing::TargetGroup(grouping) => grouped(grouping, target),
        Sharing::Task => Some(format!("task.{source}-{target}")),
        Sharing::Pair => {
            let (a, b) = if source <= target { (source, target) } else { (target, source) };
            Some(format!("pair.{a}-{b}"))
        }
    }
}

/// The modules of a direction by a model's patterns; none when a pattern needs a group that a language is not in.
///
/// `group` answers the group of a language in a grouping, as `group(grouping, language)`.
pub fn module_path(
    model: &ModelSpec,
    source: &str,
    target: &str,
    group: &dyn Fn(&str, &str) -> Option<String>,
) -> Option<ModulePath> {
    let id = |sharing: &Sharing| sharing_id(sharing, source, target, group);
    let (encoder, decoder) = model.stacks(source, target);
    let stacks = |side: &str, patterns: &[StackPattern]| -> Option<Vec<String>> {
        patterns
            .iter()
            .enumerate()
            .map(|(at, pattern)| Some(format!("{side}.{at}.{}", id(&pattern.sharing)?)))
            .collect()
    };
    let embeddings = &model.embeddings;
    let (source_prefix, target_prefix) =
        if embeddings.tie_source { ("embed", "embed") } else { ("embed.src", "embed.tgt") };
    let mut path = ModulePath {
        encoder: vec![format!("{source_prefix}.{}", id(&embeddings.source)?)],
        decoder: vec![format!("{target_prefix}.{}", id(&embeddings.target)?)],
    };
    path.encoder.extend(stacks("encoder", encoder)?);
    path.decoder.extend(stacks("decoder", decoder)?);
    if !embeddings.tie_output {
        path.decoder.push(format!("head.{}", id(&embeddings.target)?));
    }
    Some(path)
}

impl ModelSpec {
    /// The encoder's and the decoder's patterns of a direction: its own, or the model's.
    pub fn stacks(&self, source: &str, target: &str) -> (&[StackPattern], &[StackPattern]) {
        let own = self
            .overrides
            .iter()
            .find(|own| own.pairs.iter().any(|[s, t]| s == source && t == target));
        (
            own.and_then(|own| own.encoder.as_ref()).unwrap_or(&self.encoder),
            own.and_then(|own| own.decoder.as_ref()).unwrap_or(&self.decoder),
        )
    }
}

impl Plan {
    /// The modules of a direction by the model's patterns, whether or not they exist in the plan.
    pub fn module_path(&self, source: &str, target: &str) -> Option<ModulePath> {
        module_path(&self.model, source, target, &|grouping, language| {
            self.languages.get(language)?.groups.get(grouping).cloned()
        })
    }
}
