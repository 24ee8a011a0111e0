//! Networks that decode together: one, or several whose probabilities are averaged.

use tch::{Device, Kind, Tensor};

use crate::model::{Decoding, Direction, Ids, Mode};

/// What all members remember of the hypotheses that are extended.
pub(crate) struct Joint<'a> {
    members: Vec<(&'a Direction, Decoding)>,
}

impl<'a> Joint<'a> {
    /// Encodes sources by every member; with `cover`, attention to them is summed up.
    pub(crate) fn begin(directions: &'a [Direction], source: &Ids, cover: bool) -> Self {
        let begin = |direction: &'a Direction| {
            let mut decoding = direction.begin(direction.encode(source, Mode::Evaluate));
            if cover {
                decoding.cover();
            }
            (direction, decoding)
        };
        Self { members: directions.iter().map(begin).collect() }
    }

    /// Reads equally many further ids of every hypothesis. Gives what follows as `[rows, vocabulary]`: the logits of a single
    /// member, else the logarithm of the mean of the members' probabilities.
    pub(crate) fn advance(&mut self, ids: &Ids) -> Tensor {
        let logits =
            |(direction, decoding): &mut (&Direction, Decoding)| direction.advance(decoding, ids);
        let mut all: Vec<Tensor> = self.members.iter_mut().map(logits).collect();
        match all.len() {
            1 => all.remove(0),
            _ => log_mean(&all),
        }
    }

    /// Goes on with some rows and sentences, as [`Decoding::select`].
    pub(crate) fn select(&mut self, rows: &[i64], sentences: &[i64]) {
        for (_, decoding) in &mut self.members {
            decoding.select(rows, sentences);
        }
    }

    /// The mean of the members' coverage of each row, as [`Decoding::coverage`], `[rows]`; none where attention is not summed up.
    pub(crate) fn coverage(&self) -> Option<Tensor> {
        let of_members: Vec<Tensor> =
            self.members.iter().filter_map(|(_, decoding)| decoding.coverage()).collect();
        if of_members.is_empty() {
            return None;
        }
        Some(Tensor::stack(&of_members, 0).mean_dim([0_i64].as_slice(), false, Kind::Double))
    }
}

/// Where members compute: the device of their parameters, which is one for all.
pub(crate) fn device(directions: &[Direction]) -> Device {
    directions.first().map_or(Device::Cpu, Direction::device)
}

/// `log((p_1 + .. + p_m) / m)` of the members' distributions, given by logits of one shape, over the last dimension.
pub(crate) fn log_mean(logits: &[Tensor]) -> Tensor {
    // Members of several precisions are added in the finest.
    let double = logits.iter().any(|logits| logits.kind() == Kind::Double);
    let kind = if double { Kind::Double } else { Kind::Float };
    let all: Vec<Tensor> = logits.iter().map(|logits| logits.log_softmax(-1, kind)).collect();
    #[expect(clippy::cast_precision_loss, reason = "members are few")]
    let count = logits.len() as f64;
    Tensor::stack(&all, 0).logsumexp([0_i64].as_slice(), false) - libm::log(count)
}
