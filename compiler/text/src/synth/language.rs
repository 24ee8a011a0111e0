//! A language: its family's lexicon and suffixes after its own sound changes and innovations, and its word order.

use std::collections::BTreeSet;

use mmc_plan::random::{Purpose, Stream, name_key};

use super::meaning::Inventory;
use super::sound::{Phonotactics, SoundChanges};
use super::{Family, SynthOptions};

/// Streams of a family and of a language, told apart.
const FAMILY: u64 = 1;
const LANGUAGE: u64 = 2;

/// Where subject, verb and object stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    SubjectVerbObject,
    SubjectObjectVerb,
    VerbSubjectObject,
}

const ORDERS: [Order; 3] =
    [Order::SubjectVerbObject, Order::SubjectObjectVerb, Order::VerbSubjectObject];

/// How a language says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Language {
    pub(super) code: String,
    pub(super) order: Order,
    pub(super) adjective_first: bool,
    pub(super) negation_first: bool,
    pub(super) nouns: Vec<String>,
    pub(super) verbs: Vec<String>,
    pub(super) adjectives: Vec<String>,
    pub(super) adverbs: Vec<String>,
    /// Suffixes of plural and, where the language marks it, of the object.
    pub(super) plural: String,
    pub(super) object: Option<String>,
    /// Suffixes of the verb.
    pub(super) past: String,
    pub(super) future: String,
    /// Particles.
    pub(super) not: String,
    pub(super) that: String,
}

/// What the languages of a family had in common before they split.
#[derive(Debug)]
struct Ancestor {
    phonotactics: Phonotactics,
    order: Order,
    adjective_first: bool,
    negation_first: bool,
    marks_object: bool,
    roots: Vec<String>,
    suffixes: Vec<String>,
}

/// Plural, object, past, future, not, that.
const SUFFIXES: usize = 6;

impl Ancestor {
    fn new(options: &SynthOptions, family: &Family) -> Self {
        let key = [FAMILY, name_key(&family.name)];
        let mut stream = Stream::new(options.seed, Purpose::Synth, &key);
        let phonotactics = Phonotactics::new(&mut stream);
        let order = *ORDERS
            .get(usize::try_from(stream.below(3)).unwrap_or(0))
            .unwrap_or(&Order::SubjectVerbObject);
        let [adjective_first, negation_first, marks_object] =
            [(); 3].map(|()| stream.below(2) == 0);
        let mut taken = BTreeSet::new();
        let suffixes = (0..SUFFIXES)
            .map(|_| distinct(&mut taken, || phonotactics.suffix(&mut stream)))
            .collect();
        let mut taken = BTreeSet::new();
        let roots = (0..options.meanings)
            .map(|_| distinct(&mut taken, || phonotactics.root(&mut stream)))
            .collect();
        Self { phonotactics, order, adjective_first, negation_first, marks_object, roots, suffixes }
    }
}

/// A word that no other has, from a maker of words; after some tries words are made longer.
fn distinct(taken: &mut BTreeSet<String>, mut make: impl FnMut() -> String) -> String {
    let mut word = make();
    let mut tries = 0;
    while !taken.insert(word.clone()) {
        tries += 1;
        word = if tries < 20 { make() } else { word + &make() };
    }
    word
}

/// The languages of all families, in the order of the options.
pub(super) fn languages(options: &SynthOptions) -> Vec<Language> {
    let mut all = Vec::new();
    for family in &options.families {
        let ancestor = Ancestor::new(options, family);
        all.extend(family.languages.iter().map(|code| descend(options, &ancestor, code)));
    }
    all
}

/// A language of the family: sound changes, some roots of its own, now and then another order.
fn descend(options: &SynthOptions, ancestor: &Ancestor, code: &str) -> Language {
    let key = [LANGUAGE, name_key(code)];
    let mut stream = Stream::new(options.seed, Purpose::Synth, &key);
    let changes = SoundChanges::new(&mut stream, 3);
    let order = if stream.below(4) == 0 {
        *ORDERS.get(usize::try_from(stream.below(3)).unwrap_or(0)).unwrap_or(&ancestor.order)
    } else {
        ancestor.order
    };
    let mut turned = |inherited: bool| if stream.below(5) == 0 { !inherited } else { inherited };
    let adjective_first = turned(ancestor.adjective_first);
    let negation_first = turned(ancestor.negation_first);
    let mut taken = BTreeSet::new();
    let mut suffixes = ancestor.suffixes.iter().map(|suffix| {
        let mut said = changes.apply(suffix);
        distinct(&mut taken, || std::mem::replace(&mut said, suffix.clone()))
    });
    let mut suffix = || suffixes.next().unwrap_or_default();
    let [plural, object, past, future, not, that] = [(); SUFFIXES].map(|()| suffix());
    let mut taken = BTreeSet::from([not.clone(), that.clone()]);
    let mut words = ancestor
        .roots
        .iter()
        .map(|root| {
            let inherits = stream.below(100) < u64::from(options.relatedness);
            let mut inherited = inherits.then(|| changes.apply(root));
            distinct(&mut taken, || {
                inherited.take().unwrap_or_else(|| ancestor.phonotactics.root(&mut stream))
            })
        })
        .collect::<Vec<String>>()
        .into_iter();
    let inventory = Inventory::new(options.meanings);
    let mut class = |count: u32| words.by_ref().take(count as usize).collect();
    Language {
        code: code.to_owned(),
        order,
        adjective_first,
        negation_first,
        nouns: class(inventory.nouns),
        verbs: class(inventory.verbs),
        adjectives: class(inventory.adjectives),
        adverbs: class(inventory.adverbs),
        plural,
        object: ancestor.marks_object.then_some(object),
        past,
        future,
        not,
        that,
    }
}
