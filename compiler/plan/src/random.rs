//! Counter-based random numbers: a pure function of a key, alike on every machine, rank and thread.

/// What a random stream is for; part of its key, so that streams never coincide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Which task a lane runs.
    Schedule = 1,
    /// Order of examples.
    Shuffle = 2,
    /// Order of batches.
    BatchOrder = 3,
    /// Dropout masks.
    Dropout = 4,
    /// Initial parameters.
    Init = 5,
    /// Artificial corpora.
    Synth = 6,
    /// Noise of examples.
    Noise = 7,
    /// Sampled translations.
    Sampling = 8,
}

/// What the state of a stream grows by from word to word.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection that mixes all bits.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random word keyed by seed, purpose and up to any number of counters.
pub fn word(seed: u64, purpose: Purpose, counters: &[u64]) -> u64 {
    let mut state = mix(seed ^ GAMMA);
    state = mix(state ^ (purpose as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    for &counter in counters {
        state = mix(state.wrapping_add(GAMMA) ^ mix(counter));
    }
    state
}

/// A key for a name: FNV-1a (64 bits) of its bytes.
pub fn name_key(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// A stream of words for one key (SplitMix64).
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of a key.
    pub fn new(seed: u64, purpose: Purpose, counters: &[u64]) -> Self {
        Self { state: word(seed, purpose, counters) }
    }

    /// The next word.
    pub fn next_word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// Passes over some words and returns the state before them: word `i` of those is the finaliser of
    /// `state + (i + 1) * 0x9e3779b97f4a7c15`.
    pub fn pass(&mut self, words: u64) -> u64 {
        let state = self.state;
        self.state = state.wrapping_add(words.wrapping_mul(GAMMA));
        state
    }

    /// A number in `0..bound`; 0 when `bound` is 0. Bias below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next_word()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number in `[0, 1)` with 53 random bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.next_word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            items.swap(last, other);
        }
    }
}
