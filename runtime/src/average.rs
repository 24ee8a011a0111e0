//! The mean of checkpoints' parameters, module by module: for translation, or as a checkpoint of its own.

use tch::{Kind, Tensor};

/// The mean, summed in 64 bits, of each parameter of a module; those of a single checkpoint as they are.
pub(crate) fn mean(mut all: Vec<Vec<(String, Tensor)>>, kind: Kind) -> Vec<(String, Tensor)> {
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let Some(first) = all.pop() else { return Vec::new() };
    let averaged = |(name, tensor): (String, Tensor)| {
        let others = all.iter().flatten().filter(|(other, _)| *other == name);
        let sum = others.fold(tensor.to_kind(Kind::Double), |sum, (_, other)| {
            sum + other.to_kind(Kind::Double)
        });
        (name, (sum / count).to_kind(kind))
    };
    if count == 1 {
        return first.into_iter().map(|(name, x)| (name, x.to_kind(kind))).collect();
    }
    first.into_iter().map(averaged).collect()
}
