//! Random numbers as functions of a key, alike on every machine: SplitMix64 (Steele, Lea and Flood 2014).

/// Entries of the table of logarithms.
const ENTRIES: usize = 1 << 12;
/// Bits behind the point of a logarithm.
const POINT: u32 = 16;

/// A stream of random words.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of a key.
    pub(crate) fn new(key: u64) -> Self {
        Self { state: key }
    }

    /// The next word.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is below four billion; 0 when `bound` is 0.
    #[inline]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (((self.next() >> 32) * bound as u64) >> 32) as usize
    }

    /// One of some items.
    #[inline]
    pub(crate) fn of<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }

    /// Shuffles in place (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// What a change may cost at a temperature and be accepted (Metropolis): `-T ln u` for a random `u`, in whole numbers.
#[derive(Debug)]
pub(crate) struct Patience {
    logarithms: Vec<u32>,
}

impl Patience {
    /// The table: `-ln u` at the middles of equal parts of (0, 1].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "rounded, positive and below 9 * 2^16"
    )]
    pub(crate) fn new() -> Self {
        let one = |at: usize| {
            let u = (at as f64 + 0.5) / ENTRIES as f64;
            libm::round(-libm::log(u) * f64::from(1_u32 << POINT)) as u32
        };
        Self { logarithms: (0..ENTRIES).map(one).collect() }
    }

    /// What a change may cost now; the temperature has 16 bits behind the point.
    #[inline]
    pub(crate) fn limit(&self, stream: &mut Random, temperature: u64) -> i64 {
        let log = self.logarithms[(stream.next() >> 52) as usize];
        let cost = (u128::from(temperature) * u128::from(log)) >> (2 * POINT);
        i64::try_from(cost).unwrap_or(i64::MAX)
    }
}
