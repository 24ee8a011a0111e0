//! The sound side of a family and of a language: roots by the family's phonotactics, and regular sound changes.

use mmc_plan::random::Stream;

/// Consonants that families choose from.
const CONSONANTS: &[char] =
    &['p', 't', 'k', 'b', 'd', 'g', 'm', 'n', 's', 'z', 'l', 'r', 'f', 'v', 'h', 'j', 'w'];

/// Vowels that families choose from.
const VOWELS: &[char] = &['a', 'e', 'i', 'o', 'u'];

/// What a sound may become: changes that languages of the world have undergone.
const CHANGES: &[(char, char)] = &[
    ('p', 'f'),
    ('t', 'd'),
    ('k', 'h'),
    ('b', 'v'),
    ('d', 'z'),
    ('g', 'j'),
    ('s', 'h'),
    ('r', 'l'),
    ('f', 'h'),
    ('w', 'v'),
    ('a', 'o'),
    ('e', 'i'),
    ('o', 'u'),
    ('u', 'y'),
    ('i', 'e'),
];

/// Which sounds a family has, and how it builds syllables.
#[derive(Debug, Clone)]
pub(super) struct Phonotactics {
    consonants: Vec<char>,
    vowels: Vec<char>,
    /// Of 100 syllables, how many end in a consonant.
    closed: u64,
}

fn choose<'a, T>(stream: &mut Stream, items: &'a [T]) -> Option<&'a T> {
    items.get(usize::try_from(stream.below(items.len() as u64)).unwrap_or(0))
}

fn part_of(stream: &mut Stream, letters: &[char], count: usize) -> Vec<char> {
    let mut letters = letters.to_vec();
    stream.shuffle(&mut letters);
    letters.truncate(count);
    letters.sort_unstable();
    letters
}

impl Phonotactics {
    /// A family's sounds: 9 of the consonants, 3 to 5 of the vowels.
    pub(super) fn new(stream: &mut Stream) -> Self {
        let consonants = part_of(stream, CONSONANTS, 9);
        let vowels = 3 + usize::try_from(stream.below(3)).unwrap_or(0);
        let vowels = part_of(stream, VOWELS, vowels);
        Self { consonants, vowels, closed: 10 + stream.below(40) }
    }

    fn syllable(&self, stream: &mut Stream, word: &mut String) {
        word.extend(choose(stream, &self.consonants));
        word.extend(choose(stream, &self.vowels));
        if stream.below(100) < self.closed {
            word.extend(choose(stream, &self.consonants));
        }
    }

    /// A root of two or three syllables.
    pub(super) fn root(&self, stream: &mut Stream) -> String {
        let mut word = String::new();
        for _ in 0..2 + stream.below(2) {
            self.syllable(stream, &mut word);
        }
        word
    }

    /// A suffix or particle: a vowel and a consonant, or one syllable.
    pub(super) fn suffix(&self, stream: &mut Stream) -> String {
        let mut word = String::new();
        if stream.below(2) == 0 {
            word.extend(choose(stream, &self.vowels));
            word.extend(choose(stream, &self.consonants));
        } else {
            self.syllable(stream, &mut word);
        }
        word
    }
}

/// A language's regular sound changes since its family split, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct SoundChanges {
    changes: Vec<(char, char)>,
    /// Whether final vowels of longer words were lost.
    loses_final_vowel: bool,
}

impl SoundChanges {
    /// So many changes, each of another sound.
    pub(super) fn new(stream: &mut Stream, count: usize) -> Self {
        let mut possible = CHANGES.to_vec();
        stream.shuffle(&mut possible);
        possible.truncate(count);
        Self { changes: possible, loses_final_vowel: stream.below(4) == 0 }
    }

    /// A word of the family as the language says it. All changes happen at once: none feeds another.
    pub(super) fn apply(&self, word: &str) -> String {
        let change = |c: char| {
            let found = self.changes.iter().find(|(from, _)| *from == c);
            found.map_or(c, |(_, to)| *to)
        };
        let mut changed: String = word.chars().map(change).collect();
        let long = changed.chars().count() > 4;
        if self.loses_final_vowel && long && changed.ends_with(['a', 'e', 'i', 'o', 'u', 'y']) {
            changed.pop();
        }
        changed
    }
}
