//! A direction's way through the modules, made from the model's patterns: for the plan's tasks and for zero-shot pairs alike.

use std::collections::BTreeMap;

use crate::attachment::StackSide;
use crate::model::{ModelSpec, Sharing, StackPattern};
use crate::plan::Plan;

/// The modules of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePath {
    /// Source embedding, then encoder stacks.
    pub encoder: Vec<String>,
    /// Between the two.
    pub bridge: Option<String>,
    /// Target embedding, decoder stacks, then the head when it is not tied.
    pub decoder: Vec<String>,
    /// Stack -> its adapters, in order.
    pub adapters: BTreeMap<String, Vec<String>>,
}

impl ModulePath {
    /// All its modules: encoder, bridge, decoder, adapters.
    pub fn modules(&self) -> impl Iterator<Item = &String> {
        let way = self.encoder.iter().chain(&self.bridge).chain(&self.decoder);
        way.chain(self.adapters.values().flatten())
    }
}

/// The sharing id of a direction under a rule, e.g. `lang.de`; none when a language is in no group of the grouping, or nobody
/// shares.
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
        Sharing::None => None,
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
        let places = patterns.iter().enumerate();
        places
            .filter(|(_, pattern)| pattern.sharing != Sharing::None)
            .map(|(at, pattern)| Some(format!("{side}.{at}.{}", id(&pattern.sharing)?)))
            .collect()
    };
    let embeddings = &model.embeddings;
    let (source_prefix, target_prefix) =
        if embeddings.tie_source { ("embed", "embed") } else { ("embed.src", "embed.tgt") };
    let bridge = match &model.bridge {
        Some(bridge) => Some(format!("bridge.{}", id(&bridge.sharing)?)),
        None => None,
    };
    let mut path = ModulePath {
        encoder: vec![format!("{source_prefix}.{}", id(&embeddings.source)?)],
        bridge,
        decoder: vec![format!("{target_prefix}.{}", id(&embeddings.target)?)],
        adapters: BTreeMap::new(),
    };
    path.encoder.extend(stacks("encoder", encoder)?);
    path.decoder.extend(stacks("decoder", decoder)?);
    if !embeddings.tie_output {
        path.decoder.push(format!("head.{}", id(&embeddings.target)?));
    }
    for adapter in &model.adapters {
        let (own, base) = match adapter.side {
            StackSide::Encoder => (encoder, &model.encoder),
            StackSide::Decoder => (decoder, &model.decoder),
        };
        let pattern = own.get(adapter.stack as usize);
        if let Some(pattern) = pattern
            && own == base.as_slice()
        {
            let stack =
                format!("{}.{}.{}", adapter.side.word(), adapter.stack, id(&pattern.sharing)?);
            let module = format!("adapter.{}.{}", adapter.name, id(&adapter.sharing)?);
            path.adapters.entry(stack).or_default().push(module);
        }
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
