//! Sentences before any language: trees of meanings.

use mmc_plan::random::{Purpose, Stream, word};

/// The word classes' shares of the lexicon in percent; adverbs have the rest.
const NOUNS: u32 = 55;
const VERBS: u32 = 25;
const ADJECTIVES: u32 = 14;

/// Number of a meaning within its class.
pub(super) type Meaning = u32;

/// Which meanings there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inventory {
    pub(super) nouns: u32,
    pub(super) verbs: u32,
    pub(super) adjectives: u32,
    pub(super) adverbs: u32,
}

impl Inventory {
    /// Divides a lexicon among the word classes.
    pub(super) const fn new(meanings: u32) -> Self {
        let nouns = meanings * NOUNS / 100;
        let verbs = meanings * VERBS / 100;
        let adjectives = meanings * ADJECTIVES / 100;
        Self { nouns, verbs, adjectives, adverbs: meanings - nouns - verbs - adjectives }
    }
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Present,
    Past,
    Future,
}

/// A noun with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NounPhrase {
    pub(super) noun: Meaning,
    pub(super) plural: bool,
    pub(super) adjectives: Vec<Meaning>,
}

/// Somebody does something, perhaps to somebody; perhaps it is said within another sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) subject: NounPhrase,
    pub(super) verb: Meaning,
    pub(super) object: Option<NounPhrase>,
    pub(super) tense: Tense,
    pub(super) negated: bool,
    pub(super) adverb: Option<Meaning>,
    /// "... that [clause]".
    pub(super) content: Option<Box<Self>>,
}

/// Draws sentences: meanings by Zipf's law, `1 / (rank + 3)`.
#[derive(Debug)]
pub(super) struct Speaker {
    inventory: Inventory,
    stream: Stream,
}

impl Speaker {
    /// The speaker of a seed.
    pub(super) fn new(inventory: Inventory, seed: u64) -> Self {
        Self { inventory, stream: Stream::new(seed, Purpose::Synth, &[0]) }
    }

    /// A sentence of about 3 to 12 words.
    pub(super) fn sentence(&mut self) -> Clause {
        let nested = self.chance(12);
        self.clause(nested)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.stream.below(100) < percent
    }

    fn zipf(&mut self, count: u32) -> Meaning {
        let weight = |rank: u32| 1_000_000 / (u64::from(rank) + 3);
        let mut point = self.stream.below((0..count).map(weight).sum());
        for rank in 0..count {
            match point.checked_sub(weight(rank)) {
                Some(rest) => point = rest,
                None => return rank,
            }
        }
        0
    }

    fn noun_phrase(&mut self) -> NounPhrase {
        let noun = self.zipf(self.inventory.nouns);
        let plural = self.chance(35);
        let mut adjectives = Vec::new();
        while adjectives.len() < 2 && self.chance(30) {
            let adjective = self.zipf(self.inventory.adjectives);
            if !adjectives.contains(&adjective) {
                adjectives.push(adjective);
            }
        }
        NounPhrase { noun, plural, adjectives }
    }

    fn clause(&mut self, nested: bool) -> Clause {
        let subject = self.noun_phrase();
        let verb = self.zipf(self.inventory.verbs);
        let transitive = !nested && self.chance(70);
        let object = transitive.then(|| self.noun_phrase());
        let tense = match self.stream.below(10) {
            0..5 => Tense::Present,
            5..8 => Tense::Past,
            _ => Tense::Future,
        };
        let negated = self.chance(12);
        let adverb = if self.chance(25) { Some(self.zipf(self.inventory.adverbs)) } else { None };
        let content = nested.then(|| Box::new(self.clause(false)));
        Clause { subject, verb, object, tense, negated, adverb, content }
    }
}

impl Clause {
    /// A number that differs for different sentences (but for one pair in 2^64).
    pub(super) fn key(&self) -> u64 {
        let mut numbers = Vec::new();
        self.number(&mut numbers);
        word(0, Purpose::Synth, &numbers)
    }

    fn number(&self, numbers: &mut Vec<u64>) {
        self.subject.number(numbers);
        numbers.extend([u64::from(self.verb), self.tense as u64, u64::from(self.negated)]);
        numbers.push(self.adverb.map_or(0, |adverb| u64::from(adverb) + 1));
        numbers.push(u64::from(self.object.is_some()));
        if let Some(object) = &self.object {
            object.number(numbers);
        }
        numbers.push(u64::from(self.content.is_some()));
        if let Some(content) = &self.content {
            content.number(numbers);
        }
    }
}

impl NounPhrase {
    fn number(&self, numbers: &mut Vec<u64>) {
        numbers.extend([u64::from(self.noun), u64::from(self.plural)]);
        numbers.push(self.adjectives.len() as u64);
        numbers.extend(self.adjectives.iter().map(|&adjective| u64::from(adjective)));
    }
}
