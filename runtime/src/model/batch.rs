//! A batch as tensors: ids in rows of equal length, and which target positions are scored.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::attention::{Grid, Padding};
use crate::gpu;

/// Sentence pairs as tensors.
#[derive(Debug)]
pub struct Batch {
    /// Source ids `[rows * columns]`, row by row, padded behind.
    pub(crate) source: Ids,
    /// Target ids given to the decoder `[rows * columns]`: each row without its last id.
    pub(crate) target: Ids,
    /// Positions in the target that are scored, `[tokens]`; none: all of them.
    pub(crate) scored: Option<Tensor>,
    /// The ids to be predicted there, `[tokens]`.
    pub(crate) gold: Tensor,
}

/// The size of a batch, in ids with padding: none of what is computed grows when all of these shrink. Attention's weights are cells
/// times columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Of the source.
    pub(crate) source: i64,
    /// Of the target.
    pub(crate) target: i64,
    /// Of a row of the longer side.
    pub(crate) longest: i64,
}

impl Size {
    /// Whether it is no larger than another in any respect.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.source <= other.source && self.target <= other.target && self.longest <= other.longest
    }
}

/// Rows of ids, made equally long by padding behind.
#[derive(Debug)]
pub(crate) struct Ids {
    /// `[rows * columns]`.
    pub(crate) flat: Tensor,
    /// Shape.
    pub(crate) grid: Grid,
    /// Ids in each row before its padding.
    pub(crate) lengths: Vec<i64>,
}

impl Ids {
    /// Rows of ids on a device. What stands in the padding changes nothing: nothing attends to it, and it is not scored.
    pub(crate) fn new<'a>(
        rows: impl ExactSizeIterator<Item = &'a [u32]> + Clone,
        device: Device,
    ) -> Self {
        let columns = rows.clone().map(<[u32]>::len).max().unwrap_or(0);
        let count = rows.len();
        let mut flat = Vec::with_capacity(count * columns);
        let mut lengths = Vec::with_capacity(count);
        for row in rows {
            flat.extend(row.iter().map(|&id| i64::from(id)));
            flat.resize(flat.len() + columns - row.len(), 0);
            lengths.push(as_i64(row.len()));
        }
        let flat = numbers(&flat, device);
        Self { flat, grid: Grid { rows: as_i64(count), columns: as_i64(columns) }, lengths }
    }

    /// Some of the rows, without columns in which none of them has an id.
    fn part(&self, from: i64, count: i64) -> Self {
        let lengths = self.lengths.iter().skip(as_usize(from)).take(as_usize(count));
        let lengths: Vec<i64> = lengths.copied().collect();
        let columns = lengths.iter().copied().max().unwrap_or(0);
        let all = self.flat.view([self.grid.rows, self.grid.columns]);
        let flat = all.narrow(0, from, count).narrow(1, 0, columns).reshape([-1]);
        Self { flat, grid: Grid { rows: count, columns }, lengths }
    }

    /// Where keys are padded, like `like` in kind; none when nothing is.
    pub(crate) fn padding(&self, like: &Tensor) -> Option<Padding> {
        let Grid { rows, columns } = self.grid;
        if self.lengths.iter().all(|&length| length == columns) {
            return None;
        }
        let lengths = numbers(&self.lengths, like.device());
        let places = Tensor::arange(columns, (Kind::Int64, like.device()));
        let hidden = places.ge_tensor(&lengths.unsqueeze(1));
        let open = Tensor::zeros([rows, columns], (like.kind(), like.device()));
        let added = open.masked_fill(&hidden, f64::NEG_INFINITY).view([rows, 1, 1, columns]);
        Some(Padding { lengths, added })
    }
}

impl Batch {
    /// A batch of pairs. `source` rows are what the encoder reads, at least one id each; `target` rows are the start token, prefix
    /// tokens, the pieces and the end token: every id is predicted from those before it, and the predictions of a row's
    /// `scored` range count, the first being of the id behind the start token.
    pub fn new(
        source: &[Vec<u32>],
        target: &[Vec<u32>],
        scored: &[Range<usize>],
        device: Device,
    ) -> Self {
        let source = Ids::new(source.iter().map(Vec::as_slice), device);
        let inputs = target.iter().map(|row| row.split_last().map_or(&[][..], |(_, rest)| rest));
        let inputs = Ids::new(inputs, device);
        let columns = usize::try_from(inputs.grid.columns).unwrap_or(0);
        let (mut places, mut gold) = (Vec::new(), Vec::new());
        for (at, (row, scored)) in target.iter().zip(scored).enumerate() {
            let end = scored.end.min(row.len().saturating_sub(1));
            for column in scored.start..end {
                places.push(as_i64(at * columns + column));
                gold.extend(row.get(column + 1).map(|&id| i64::from(id)));
            }
        }
        let all = places.len() == target.len() * columns;
        let scored = (!all).then(|| numbers(&places, device));
        Self { source, target: inputs, scored, gold: numbers(&gold, device) }
    }

    /// Sentence pairs.
    pub fn rows(&self) -> usize {
        self.target.lengths.len()
    }

    /// Its first and its second half; none of a single pair.
    pub fn halves(&self) -> Option<[Self; 2]> {
        let (rows, columns) = (self.target.grid.rows, self.target.grid.columns);
        if rows < 2 {
            return None;
        }
        let device = self.gold.device();
        let places: Vec<i64> = match &self.scored {
            None => (0..rows * columns).collect(),
            Some(scored) => Vec::try_from(scored).unwrap_or_default(),
        };
        let middle = (rows + 1) / 2;
        Some([(0, middle), (middle, rows - middle)].map(|(from, count)| {
            let (source, target) = (self.source.part(from, count), self.target.part(from, count));
            let narrow = target.grid.columns;
            let before = places.partition_point(|place| *place < from * columns);
            let own = places.iter().skip(before).take_while(|at| **at < (from + count) * columns);
            let own = own.map(|at| (at / columns - from) * narrow + at % columns);
            let own: Vec<i64> = own.collect();
            let gold = self.gold.narrow(0, as_i64(before), as_i64(own.len()));
            let scored = (as_i64(own.len()) < count * narrow).then(|| numbers(&own, device));
            Self { source, target, scored, gold }
        }))
    }

    /// Scored target tokens.
    pub fn tokens(&self) -> i64 {
        self.gold.size().first().copied().unwrap_or(0)
    }

    /// What it needs memory for.
    pub(crate) fn size(&self) -> Size {
        let cells = |grid: &Grid| grid.rows * grid.columns;
        let [source, target] = [&self.source.grid, &self.target.grid];
        let longest = source.columns.max(target.columns);
        Size { source: cells(source), target: cells(target), longest }
    }

    /// Ids of both sides that are not padding: what throughput is counted in.
    pub fn ids(&self) -> [i64; 2] {
        [self.source.lengths.iter().sum(), self.target.lengths.iter().sum()]
    }
}

/// Whole numbers on a device.
fn numbers(list: &[i64], device: Device) -> Tensor {
    gpu::sent(&Tensor::from_slice(list), device).expect("a device has memory for ids")
}

fn as_usize(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor).expect("ids")
    }

    #[test]
    fn targets_are_shifted_and_prefixes_not_scored() {
        let source = vec![vec![5, 2], vec![6, 7, 2]];
        let target = vec![vec![1, 9, 4, 5, 2], vec![1, 9, 2]];
        let batch = Batch::new(&source, &target, &[1..4, 1..2], Device::Cpu);
        assert_eq!(listed(&batch.source.flat), [5, 2, 0, 6, 7, 2]);
        assert_eq!(listed(&batch.target.flat), [1, 9, 4, 5, 1, 9, 0, 0]);
        assert_eq!(listed(batch.scored.as_ref().expect("not all")), [1, 2, 3, 5]);
        assert_eq!(listed(&batch.gold), [4, 5, 2, 2]);
        assert_eq!(batch.tokens(), 4);
        assert_eq!(batch.ids(), [5, 6]);
    }

    #[test]
    fn halves_are_what_their_rows_would_be_alone() {
        assert_halves(&[vec![5, 6, 7, 2], vec![6, 2], vec![8, 9, 2]]);
    }

    #[test]
    fn halves_have_no_source_where_nothing_is_read() {
        assert_halves(&[vec![], vec![], vec![]]);
    }

    fn assert_halves(source: &[Vec<u32>; 3]) {
        let target = [vec![1, 9, 4, 5, 2], vec![1, 9, 2], vec![1, 2]];
        for scored in [[1..4, 1..2, 0..1], [0..4, 0..2, 0..1]] {
            let batch = Batch::new(source, &target, &scored, Device::Cpu);
            let halves = batch.halves().expect("three rows");
            for (half, rows) in halves.iter().zip([0..2, 2..3]) {
                let [source, target] = [&source[rows.clone()], &target[rows.clone()]];
                let alone = Batch::new(source, target, &scored[rows], Device::Cpu);
                for (a, b) in [(&half.source, &alone.source), (&half.target, &alone.target)] {
                    assert_eq!((listed(&a.flat), &a.lengths), (listed(&b.flat), &b.lengths));
                    assert_eq!((a.grid.rows, a.grid.columns), (b.grid.rows, b.grid.columns));
                }
                assert_eq!(half.scored.as_ref().map(listed), alone.scored.as_ref().map(listed));
                assert_eq!(listed(&half.gold), listed(&alone.gold));
            }
            assert!(halves[1].halves().is_none());
        }
    }

    #[test]
    fn a_mask_only_where_rows_differ() {
        let like = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        let even = [vec![5, 2], vec![6, 2]];
        assert!(Ids::new(even.iter().map(Vec::as_slice), Device::Cpu).padding(&like).is_none());
        let uneven = [vec![5, 2], vec![2]];
        let padding = Ids::new(uneven.iter().map(Vec::as_slice), Device::Cpu).padding(&like);
        let added = padding.expect("uneven").added.view([-1]);
        let values: Vec<f32> = Vec::try_from(added).expect("values");
        assert_eq!(values, [0.0, 0.0, 0.0, f32::NEG_INFINITY]);
    }
}
