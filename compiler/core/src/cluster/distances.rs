//! A symmetric matrix of distances, of which the part above the diagonal is kept.

/// Distances between `items` things; `d(i, i)` is 0 and not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    items: usize,
    /// Row by row above the diagonal.
    upper: Vec<f64>,
}

impl Distances {
    /// The distances that `of(i, j)`, `i < j`, gives.
    pub fn new(items: usize, mut of: impl FnMut(usize, usize) -> f64) -> Self {
        let pairs = (0..items).flat_map(|i| (i + 1..items).map(move |j| (i, j)));
        Self { items, upper: pairs.map(|(i, j)| of(i, j)).collect() }
    }

    /// Number of things.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The distance of two things; infinite for those that are not there.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        if i == j && i < self.items {
            return 0.0;
        }
        self.place(i, j).and_then(|at| self.upper.get(at)).copied().unwrap_or(f64::INFINITY)
    }

    /// Sets the distance of two different things.
    pub(super) fn set(&mut self, i: usize, j: usize, distance: f64) {
        if let Some(cell) = self.place(i, j).and_then(|at| self.upper.get_mut(at)) {
            *cell = distance;
        }
    }

    fn place(&self, i: usize, j: usize) -> Option<usize> {
        let (low, high) = (i.min(j), i.max(j));
        // Rows above `low` have items - 1, items - 2, ... cells.
        (low < high && high < self.items)
            .then(|| low * (2 * self.items - low - 1) / 2 + high - low - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_from_both_sides() {
        let small = |i: usize, j: usize| f64::from(u8::try_from(10 * i + j).unwrap());
        let distances = Distances::new(5, small);
        for i in 0..5 {
            for j in 0..5 {
                let expected = if i == j { 0.0 } else { small(i.min(j), i.max(j)) };
                assert!((distances.get(i, j) - expected).abs() < 1e-12, "{i} {j}");
            }
        }
        assert!(distances.get(1, 5).is_infinite());
    }
}
