//! A cover bound for any tasks: every task gives its modules equal shares of itself.

use crate::instance::Instance;

/// Shares are counted in parts that every small number of modules divides.
const WHOLE: u64 = 5040;

/// Per number of tasks: the least weight of modules whose shares add up to as many.
///
/// A set of modules that holds all modules of some tasks has all their shares, so its shares are at least as many as these
/// tasks. The modules with the most share for their weight go first, the last of them in part.
pub(super) fn by_shares(instance: &Instance, most: usize) -> Vec<u64> {
    let mut shares = vec![0; instance.modules()];
    let mut free = 0;
    for task in 0..instance.tasks() {
        let modules = instance.modules_of.of(task);
        if modules.is_empty() {
            free += WHOLE;
        }
        for &module in modules {
            shares[module as usize] += WHOLE.div_ceil(modules.len() as u64);
        }
    }
    let mut order: Vec<usize> = (0..instance.modules()).collect();
    order.sort_by(|&one, &other| {
        let side = |share: usize, weight: usize| {
            u128::from(shares[share]) * u128::from(instance.weight[weight])
        };
        side(other, one).cmp(&side(one, other)).then(one.cmp(&other))
    });
    let mut least = Vec::with_capacity(most + 1);
    let (mut have, mut weight, mut next) = (free, 0, order.iter().peekable());
    for tasks in 0..=most as u64 {
        let need = tasks * WHOLE;
        while let Some(&&module) = next.peek()
            && have + shares[module] <= need
        {
            have += shares[module];
            weight += instance.weight[module];
            next.next();
        }
        let part = next.peek().filter(|_| need > have).map_or(0, |&&module| {
            (instance.weight[module] * (need - have)).div_ceil(shares[module])
        });
        least.push(weight + part);
    }
    least
}
