//! A direction's way through the modules, made from the model's patterns: for the plan's tasks and for zero-shot pairs alike.

use std::collections::{BTreeMap, HashMap};

use crate::attachment::StackSide;
use crate::model::{ModelSpec, Sharing, StackPattern};
use crate::plan::Plan;
use crate::shared::Shared;

/// The modules of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePath {
    /// Source embedding, then encoder stacks; nothing in a model without an encoder.
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
    let places = Places::of(model, model.stacks(source, target));
    let standing = &mut |_: usize, place: &Place<'_>| place.module(source, target, group);
    let encoder = places.encoder(standing)?;
    let bridge = match &places.bridge {
        Some(bridge) => Some(standing(places.encoder.len(), bridge)?),
        None => None,
    };
    Some(ModulePath {
        encoder,
        bridge,
        decoder: places.decoder(standing)?,
        adapters: places.adapters(standing)?.into_iter().collect(),
    })
}

/// A direction's way through things that stand for modules, in the order of [`ModulePath`]. Directions that are led alike share lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way<M> {
    /// Source embedding, then encoder stacks.
    pub encoder: Shared<Vec<M>>,
    /// Between the two.
    pub bridge: Option<M>,
    /// Target embedding, decoder stacks, then the head when it is not tied.
    pub decoder: Shared<Vec<M>>,
    /// Stacks with their adapters, in order of the stacks' names.
    pub adapters: Vec<(M, Vec<M>)>,
}

/// The ways of many directions: what stands for a module is made once for all directions that a pattern leads to it.
#[derive(Debug)]
pub struct Ways<'m, M> {
    model: &'m ModelSpec,
    /// Numbers of the languages met so far.
    languages: HashMap<String, u32>,
    /// By patterns of encoder and decoder.
    met: Vec<Met<'m, M>>,
}

/// What was made for directions with the same patterns.
#[derive(Debug)]
struct Met<'m, M> {
    stacks: Stacks<'m>,
    places: Places<'m>,
    /// Place -> what was made there.
    made: Vec<HashMap<Sharers, M>>,
    /// What was made of encoders and of decoders.
    sides: [Sides<M>; 2],
}

/// Sides by those who share them.
type Sides<M> = HashMap<Sharers, Shared<Vec<M>>>;

/// The patterns of encoder and decoder.
type Stacks<'m> = (&'m [StackPattern], &'m [StackPattern]);

/// The languages that a place's module depends on, by their numbers: source and target, where it does.
type Sharers = (Option<u32>, Option<u32>);

impl<'m, M: Clone> Ways<'m, M> {
    /// No ways yet.
    pub fn new(model: &'m ModelSpec) -> Self {
        Self { model, languages: HashMap::new(), met: Vec::new() }
    }

    /// The way of a direction as [`module_path`] has it, with `made` of every name that is new.
    pub fn of(
        &mut self,
        source: &str,
        target: &str,
        group: &dyn Fn(&str, &str) -> Option<String>,
        made: &mut dyn FnMut(String) -> M,
    ) -> Option<Way<M>> {
        let numbers = (self.number(source), self.number(target));
        let stacks = self.model.stacks(source, target);
        let at = self.met.iter().position(|met| met.stacks == stacks).unwrap_or_else(|| {
            let places = Places::of(self.model, stacks);
            let made = vec![HashMap::new(); places.count()];
            self.met.push(Met { stacks, places, made, sides: [HashMap::new(), HashMap::new()] });
            self.met.len() - 1
        });
        let Met { places, made: known, sides: [encoders, decoders], .. } = self.met.get_mut(at)?;
        let standing = &mut |at: usize, place: &Place<'m>| {
            let known = known.get_mut(at)?;
            let sharers = place.sharers(numbers, source <= target);
            if let Some(known) = known.get(&sharers) {
                return Some(known.clone());
            }
            let new = made(place.module(source, target, group)?);
            known.insert(sharers, new.clone());
            Some(new)
        };
        let encoder = places.encoder.iter().map(|place| place.sharers(numbers, true));
        let encoder = side(encoders, encoder, || places.encoder(standing))?;
        let bridge = match &places.bridge {
            Some(bridge) => Some(standing(places.encoder.len(), bridge)?),
            None => None,
        };
        Some(Way {
            encoder,
            bridge,
            decoder: side(
                decoders,
                places.decoder.iter().map(|place| place.sharers(numbers, true)),
                || places.decoder(standing),
            )?,
            adapters: places.adapters(standing)?,
        })
    }

    fn number(&mut self, language: &str) -> u32 {
        if let Some(&number) = self.languages.get(language) {
            return number;
        }
        let number = u32::try_from(self.languages.len()).unwrap_or(u32::MAX);
        self.languages.insert(language.to_owned(), number);
        number
    }
}

/// A side, made once for all whose places have the same sharers.
fn side<M: Clone>(
    known: &mut Sides<M>,
    places: impl Iterator<Item = Sharers>,
    made: impl FnOnce() -> Option<Vec<M>>,
) -> Option<Shared<Vec<M>>> {
    let sharers =
        places.fold((None, None), |(a, b), (source, target)| (a.or(source), b.or(target)));
    if let (Some(_), Some(_)) = sharers {
        // It is one direction's own.
        return made().map(Shared::from);
    }
    if let Some(known) = known.get(&sharers) {
        return Some(known.clone());
    }
    let new = Shared::from(made()?);
    known.insert(sharers, new.clone());
    Some(new)
}

/// Where modules stand in the paths of directions with the same patterns.
#[derive(Debug)]
struct Places<'m> {
    encoder: Vec<Place<'m>>,
    bridge: Option<Place<'m>>,
    decoder: Vec<Place<'m>>,
    /// Stacks and the adapters in them.
    adapters: Vec<(Place<'m>, Vec<Place<'m>>)>,
}

/// A place: the first words of its modules' names, and who shares one.
#[derive(Debug)]
struct Place<'m> {
    words: String,
    sharing: &'m Sharing,
}

impl<'m> Places<'m> {
    fn of(model: &'m ModelSpec, (encoder, decoder): Stacks<'m>) -> Self {
        let stacks = |side: &'static str, patterns: &'m [StackPattern]| {
            let present = patterns.iter().enumerate();
            let present = present.filter(|(_, pattern)| pattern.sharing != Sharing::None);
            present.map(move |(at, pattern)| Place::new(format!("{side}.{at}"), &pattern.sharing))
        };
        let embeddings = &model.embeddings;
        let (source, target) =
            if embeddings.tie_source { ("embed", "embed") } else { ("embed.src", "embed.tgt") };
        let head = (!embeddings.tie_output).then(|| Place::new("head".into(), &embeddings.target));
        let source = Place::new(source.into(), &embeddings.source);
        let target = Place::new(target.into(), &embeddings.target);
        let source = model.has_encoder().then_some(source);
        let encoder_places: Vec<Place<'_>> =
            source.into_iter().chain(stacks("encoder", encoder)).collect();
        let decoder_places: Vec<Place<'_>> =
            [target].into_iter().chain(stacks("decoder", decoder)).chain(head).collect();
        let bridge = model.bridge.as_ref();
        let bridge = bridge.map(|bridge| Place::new("bridge".into(), &bridge.sharing));
        let mut adapters: BTreeMap<String, (Place<'_>, Vec<Place<'_>>)> = BTreeMap::new();
        for adapter in &model.adapters {
            let (own, base) = match adapter.side {
                StackSide::Encoder => (encoder, &model.encoder),
                StackSide::Decoder => (decoder, &model.decoder),
            };
            let pattern = own.get(adapter.stack as usize).filter(|_| own == base.as_slice());
            let Some(pattern) = pattern else { continue };
            let words = format!("{}.{}", adapter.side.word(), adapter.stack);
            let stack = || (Place::new(words.clone(), &pattern.sharing), Vec::new());
            let module = Place::new(format!("adapter.{}", adapter.name), &adapter.sharing);
            adapters.entry(words.clone()).or_insert_with(stack).1.push(module);
        }
        let adapters = adapters.into_values().collect();
        Self { encoder: encoder_places, bridge, decoder: decoder_places, adapters }
    }

    /// Numbers of all of them, in the order of the path.
    fn count(&self) -> usize {
        self.behind() + self.adapters.iter().map(|(_, inside)| 1 + inside.len()).sum::<usize>()
    }

    /// The number of the first adapter's stack.
    fn behind(&self) -> usize {
        self.encoder.len() + 1 + self.decoder.len()
    }

    /// What stands at every place of the encoder; none when one has nothing.
    fn encoder<M>(&self, standing: &mut Standing<'_, 'm, M>) -> Option<Vec<M>> {
        self.encoder.iter().enumerate().map(|(at, place)| standing(at, place)).collect()
    }

    /// What stands at every place of the decoder.
    fn decoder<M>(&self, standing: &mut Standing<'_, 'm, M>) -> Option<Vec<M>> {
        let first = self.encoder.len() + 1;
        self.decoder.iter().enumerate().map(|(at, place)| standing(first + at, place)).collect()
    }

    /// The stacks with adapters.
    fn adapters<M>(&self, standing: &mut Standing<'_, 'm, M>) -> Option<Vec<(M, Vec<M>)>> {
        let mut number = self.behind();
        let mut next = |place: &Place<'m>| {
            number += 1;
            standing(number - 1, place)
        };
        let mut found = Vec::with_capacity(self.adapters.len());
        for (stack, inside) in &self.adapters {
            let stack = next(stack)?;
            found.push((stack, inside.iter().map(&mut next).collect::<Option<Vec<M>>>()?));
        }
        Some(found)
    }
}

/// What stands at a place, by the place's number; none when it has nothing.
type Standing<'f, 'm, M> = dyn FnMut(usize, &Place<'m>) -> Option<M> + 'f;

impl<'m> Place<'m> {
    fn new(words: String, sharing: &'m Sharing) -> Self {
        Self { words, sharing }
    }

    /// The name of the module here.
    fn module(
        &self,
        source: &str,
        target: &str,
        group: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        Some(format!("{}.{}", self.words, sharing_id(self.sharing, source, target, group)?))
    }

    /// What the module here depends on, of the two languages of a direction; those of a pair in order of their codes.
    fn sharers(&self, (source, target): (u32, u32), is_in_order: bool) -> Sharers {
        match self.sharing {
            Sharing::Full | Sharing::None => (None, None),
            Sharing::SourceLanguage | Sharing::SourceGroup(_) => (Some(source), None),
            Sharing::TargetLanguage | Sharing::TargetGroup(_) => (None, Some(target)),
            Sharing::Pair if !is_in_order => (Some(target), Some(source)),
            Sharing::Task | Sharing::Pair => (Some(source), Some(target)),
        }
    }
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
