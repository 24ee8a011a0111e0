//! A direction's way through the modules, made from the model's patterns: for the plan's tasks and for zero-shot pairs alike.

use std::collections::{BTreeMap, HashMap};

use crate::attachment::StackSide;
use crate::model::{ModelSpec, Sharing, StackPattern};
use crate::plan::{Plan, TaskSpec};
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

/// The two ends of a direction: what is read and what is written.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// Source language.
    pub source: &'a str,
    /// Target language.
    pub target: &'a str,
    /// Source and target vocabulary: they matter where embeddings are shared by vocabulary.
    pub vocabularies: [&'a str; 2],
}

impl<'a> From<&'a TaskSpec> for Ends<'a> {
    fn from(task: &'a TaskSpec) -> Self {
        let vocabularies = [task.source_vocabulary.as_str(), &task.target_vocabulary];
        Self { source: &task.source, target: &task.target, vocabularies }
    }
}

/// The vocabularies that languages have in a plan's tasks: what a direction without a task is read and written in.
#[derive(Debug)]
pub struct Spelling<'p> {
    /// Language -> its vocabulary as source, as target, in the first task that has one.
    known: [HashMap<&'p str, &'p str>; 2],
}

impl<'p> Spelling<'p> {
    /// Of all tasks, in order of name.
    pub fn new(plan: &'p Plan) -> Self {
        let mut known = [HashMap::new(), HashMap::new()];
        for task in plan.tasks.values() {
            let Ends { source, target, vocabularies } = Ends::from(task);
            for ((known, language), vocabulary) in
                known.iter_mut().zip([source, target]).zip(vocabularies)
            {
                known.entry(language).or_insert(vocabulary);
            }
        }
        Self { known }
    }

    /// A direction with the vocabularies that its languages have on their sides, else on the other, else none.
    pub fn ends<'a>(&self, source: &'a str, target: &'a str) -> Ends<'a>
    where
        'p: 'a,
    {
        let [sources, targets] = &self.known;
        let find =
            |language: &str, own: &HashMap<&'p str, &'p str>, other: &HashMap<&'p str, &'p str>| {
                own.get(language).or_else(|| other.get(language)).copied().unwrap_or_default()
            };
        let vocabularies = [find(source, sources, targets), find(target, targets, sources)];
        Ends { source, target, vocabularies }
    }
}

/// The sharing id of a side of a direction under a rule, e.g. `lang.de`; none when a language is in no group of the grouping, or
/// nobody shares.
///
/// `vocabulary` is the side's; `group` answers the group of a language in a grouping.
fn sharing_id(
    sharing: &Sharing,
    (source, target): (&str, &str),
    vocabulary: &str,
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
        Sharing::Vocabulary => (!vocabulary.is_empty()).then(|| format!("vocabulary.{vocabulary}")),
        Sharing::None => None,
    }
}

/// The modules of a direction by a model's patterns; none when a pattern needs a group that a language is not in, or a vocabulary
/// that is not known.
///
/// `group` answers the group of a language in a grouping, as `group(grouping, language)`.
pub fn module_path(
    model: &ModelSpec,
    ends: Ends<'_>,
    group: &dyn Fn(&str, &str) -> Option<String>,
) -> Option<ModulePath> {
    let places = Places::of(model, model.stacks(ends.source, ends.target));
    let standing = &mut |_: usize, place: &Place<'_>| place.module(ends, group);
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
    /// Numbers of the languages and vocabularies met so far.
    numbers: HashMap<String, u32>,
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

/// The source and target language and the vocabulary that a place's module depends on, by their numbers, where it does.
type Sharers = [Option<u32>; 3];

impl<'m, M: Clone> Ways<'m, M> {
    /// No ways yet.
    pub fn new(model: &'m ModelSpec) -> Self {
        Self { model, numbers: HashMap::new(), met: Vec::new() }
    }

    /// The way of a direction as [`module_path`] has it, with `made` of every name that is new.
    pub fn of(
        &mut self,
        ends: Ends<'_>,
        group: &dyn Fn(&str, &str) -> Option<String>,
        made: &mut dyn FnMut(String) -> M,
    ) -> Option<Way<M>> {
        let Ends { source, target, vocabularies } = ends;
        let numbers = Numbers {
            languages: [source, target].map(|language| self.number(language)),
            vocabularies: vocabularies.map(|vocabulary| self.number(vocabulary)),
            is_in_order: source <= target,
        };
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
            let sharers = place.sharers(numbers);
            if let Some(known) = known.get(&sharers) {
                return Some(known.clone());
            }
            let new = made(place.module(ends, group)?);
            known.insert(sharers, new.clone());
            Some(new)
        };
        let encoder = places.encoder.iter().map(|place| place.sharers(numbers));
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
                places.decoder.iter().map(|place| place.sharers(numbers)),
                || places.decoder(standing),
            )?,
            adapters: places.adapters(standing)?,
        })
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// A direction in numbers.
#[derive(Clone, Copy)]
struct Numbers {
    /// Source and target.
    languages: [u32; 2],
    /// Of source and target.
    vocabularies: [u32; 2],
    /// Whether the source's code is not behind the target's.
    is_in_order: bool,
}

/// A side, made once for all whose places have the same sharers.
fn side<M: Clone>(
    known: &mut Sides<M>,
    places: impl Iterator<Item = Sharers>,
    made: impl FnOnce() -> Option<Vec<M>>,
) -> Option<Shared<Vec<M>>> {
    let sharers = places.fold([None; 3], |[a, b, c], [source, target, own]| {
        [a.or(source), b.or(target), c.or(own)]
    });
    if let [Some(_), Some(_), _] = sharers {
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

/// A place: the first words of its modules' names, who shares one, and on which side it is.
#[derive(Debug)]
struct Place<'m> {
    words: String,
    sharing: &'m Sharing,
    side: StackSide,
}

impl<'m> Places<'m> {
    fn of(model: &'m ModelSpec, (encoder, decoder): Stacks<'m>) -> Self {
        let (read, written) = (StackSide::Encoder, StackSide::Decoder);
        let stacks = |side: StackSide, patterns: &'m [StackPattern]| {
            let present = patterns.iter().enumerate();
            let present = present.filter(|(_, pattern)| pattern.sharing != Sharing::None);
            present.map(move |(at, pattern)| {
                Place::new(format!("{}.{at}", side.word()), &pattern.sharing, side)
            })
        };
        let embeddings = &model.embeddings;
        let (source, target) =
            if embeddings.tie_source { ("embed", "embed") } else { ("embed.src", "embed.tgt") };
        let head = || Place::new("head".into(), &embeddings.target, written);
        let head = (!embeddings.tie_output).then(head);
        let source = Place::new(source.into(), &embeddings.source, read);
        let target = Place::new(target.into(), &embeddings.target, written);
        let source = model.has_encoder().then_some(source);
        let encoder_places: Vec<Place<'_>> =
            source.into_iter().chain(stacks(read, encoder)).collect();
        let decoder_places: Vec<Place<'_>> =
            [target].into_iter().chain(stacks(written, decoder)).chain(head).collect();
        let bridge = model.bridge.as_ref();
        let bridge = bridge.map(|bridge| Place::new("bridge".into(), &bridge.sharing, read));
        let mut adapters: BTreeMap<String, (Place<'_>, Vec<Place<'_>>)> = BTreeMap::new();
        for adapter in &model.adapters {
            let (own, base) = match adapter.side {
                StackSide::Encoder => (encoder, &model.encoder),
                StackSide::Decoder => (decoder, &model.decoder),
            };
            let pattern = own.get(adapter.stack as usize).filter(|_| own == base.as_slice());
            let Some(pattern) = pattern else { continue };
            let words = format!("{}.{}", adapter.side.word(), adapter.stack);
            let side = adapter.side;
            let stack = || (Place::new(words.clone(), &pattern.sharing, side), Vec::new());
            let module = Place::new(format!("adapter.{}", adapter.name), &adapter.sharing, side);
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
    fn new(words: String, sharing: &'m Sharing, side: StackSide) -> Self {
        Self { words, sharing, side }
    }

    /// Its side's of two things.
    fn own<T>(&self, [source, target]: [T; 2]) -> T {
        match self.side {
            StackSide::Encoder => source,
            StackSide::Decoder => target,
        }
    }

    /// The name of the module here.
    fn module(
        &self,
        Ends { source, target, vocabularies }: Ends<'_>,
        group: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let vocabulary = self.own(vocabularies);
        let id = sharing_id(self.sharing, (source, target), vocabulary, group)?;
        Some(format!("{}.{id}", self.words))
    }

    /// What the module here depends on, of a direction; the languages of a pair in order of their codes.
    fn sharers(&self, Numbers { languages, vocabularies, is_in_order }: Numbers) -> Sharers {
        let [source, target] = languages.map(Some);
        match self.sharing {
            Sharing::Full | Sharing::None => [None, None, None],
            Sharing::SourceLanguage | Sharing::SourceGroup(_) => [source, None, None],
            Sharing::TargetLanguage | Sharing::TargetGroup(_) => [None, target, None],
            Sharing::Pair if !is_in_order => [target, source, None],
            Sharing::Task | Sharing::Pair => [source, target, None],
            Sharing::Vocabulary => [None, None, Some(self.own(vocabularies))],
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
    /// The modules of a direction by the model's patterns, whether or not they exist in the plan. Its vocabularies are those of
    /// its first task, else those of other tasks with its languages.
    pub fn module_path(&self, source: &str, target: &str) -> Option<ModulePath> {
        let mut tasks = self.tasks.values();
        match tasks.find(|task| task.source == source && task.target == target) {
            Some(task) => self.path_between(task.into()),
            None => self.path_between(Spelling::new(self).ends(source, target)),
        }
    }

    /// The modules between two ends by the model's patterns.
    pub(crate) fn path_between(&self, ends: Ends<'_>) -> Option<ModulePath> {
        module_path(&self.model, ends, &|grouping, language| {
            self.languages.get(language)?.groups.get(grouping).cloned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, Sample};

    /// Four languages, two of which have a vocabulary of their own.
    fn by_vocabulary() -> Sample {
        let mut sample = Sample::new(&["cs", "de", "en", "fr"], 4, &[&[0, 1, 2, 3]]);
        for language in ["cs", "fr"] {
            let own = format!("own.{language}");
            sample.vocabularies.insert(own.clone(), sample::vocabulary("pieces.json", 50));
            sample.vocabulary_of.insert(language.to_owned(), own);
        }
        let embeddings = &mut sample.model.embeddings;
        (embeddings.source, embeddings.target) = (Sharing::Vocabulary, Sharing::Vocabulary);
        (embeddings.tie_source, embeddings.tie_output) = (true, false);
        sample
    }

    #[test]
    fn a_vocabulary_has_one_embedding_on_both_sides() {
        let plan = by_vocabulary().plan();
        assert_eq!(crate::verify(&plan), Ok(()));
        let embeddings = plan.modules.keys().filter(|name| name.starts_with("embed."));
        let expected = ["joint", "own.cs", "own.fr"].map(|name| format!("embed.vocabulary.{name}"));
        assert!(embeddings.eq(&expected), "{:?}", plan.modules.keys());
        let path = plan.module_path("de", "cs").expect("a path");
        assert_eq!(path.encoder[0], "embed.vocabulary.joint");
        assert_eq!(path.decoder[0], "embed.vocabulary.own.cs");
        assert_eq!(path.decoder.last().expect("a head"), "head.vocabulary.own.cs");
    }

    #[test]
    fn ways_are_those_that_paths_name() {
        let plan = by_vocabulary().plan();
        let group = |grouping: &str, language: &str| {
            plan.languages.get(language)?.groups.get(grouping).cloned()
        };
        let mut ways = Ways::new(&plan.model);
        for task in plan.tasks.values() {
            let way = ways.of(task.into(), &group, &mut |name| name).expect("a way");
            let path = plan.path_between(task.into()).expect("a path");
            assert!(way.encoder.iter().eq(&path.encoder), "{way:?} {path:?}");
            assert!(way.decoder.iter().eq(&path.decoder), "{way:?} {path:?}");
        }
    }

    /// Without a task of its own, a direction is read and written as in others with its languages, on whichever side.
    #[test]
    fn directions_without_a_task_have_the_vocabularies_of_their_languages() {
        let mut sample = by_vocabulary();
        let pairs = std::mem::take(&mut sample.pairs);
        let corpora = std::mem::take(&mut sample.corpora);
        let kept = |[source, target]: &[String; 2]| source != "cs" && target != "de";
        (sample.pairs, sample.corpora) =
            pairs.into_iter().zip(corpora).filter(|(pair, _)| kept(pair)).unzip();
        let path = sample.plan().module_path("cs", "de").expect("a path");
        assert_eq!(path.encoder[0], "embed.vocabulary.own.cs");
        assert_eq!(path.decoder[0], "embed.vocabulary.joint");
        assert!(sample.plan().module_path("cs", "unknown").is_none());
    }

    #[test]
    fn layers_are_not_shared_by_vocabulary() {
        let mut plan = by_vocabulary().plan();
        plan.model.encoder[1].sharing = Sharing::Vocabulary;
        plan.digest = plan.mathematics_digest();
        let faults = crate::verify(&plan).expect_err("a stack by vocabulary");
        assert!(faults.iter().any(|fault| fault.message.contains("by vocabulary")), "{faults:?}");
    }
}
