//! Wishes of `placement`: `pin = { cs -> en = (node 0, gpu 1) }` and `apart = [all -> en, copies]`.

use mmc_plan::{ClusterSpec, Device};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::pairs::Algebra;
use super::read::{PLAIN, Reader};
use super::section::Section;
use crate::ir::experiment::{Apart, At, Pin};

/// Tasks bound to nodes and devices; none when there was a fault, or when the cluster is not known.
pub(super) fn pins<'a>(
    section: &Section<'a>,
    algebra: Algebra<'_>,
    cluster: Option<&At<ClusterSpec>>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<Pin>> {
    let Some(value) = section.value("pin") else { return Some(Vec::new()) };
    let value = reader.follow(value)?;
    let ExprKind::Map(rows) = &value.kind else {
        reader.wrong_type("pin", "a map such as `{ cs -> en = (node 0, gpu 1) }`", value);
        return None;
    };
    let cluster = &cluster?.value;
    let mut found = Vec::new();
    let mut is_whole = true;
    for (key, value) in rows {
        let pairs = algebra.pairs(key, reader);
        let place = place(value, cluster, reader);
        match (pairs, place) {
            (Some(pairs), Some((node, device))) => {
                let span = Span::new(key.span.start, value.span.end);
                found.push(Pin { pairs, node, device, span });
            }
            (None, _) | (_, None) => is_whole = false,
        }
    }
    is_whole.then_some(found)
}

/// `node 0`, or `(node 0, gpu 1)`; without GPUs the device is a `rank` of the node.
fn place<'a>(
    value: &'a Expr,
    cluster: &ClusterSpec,
    reader: &mut Reader<'_, 'a>,
) -> Option<(u32, Option<u32>)> {
    let value = reader.follow(value)?;
    let word = match cluster.device {
        Device::Gpu => "gpu",
        Device::Cpu => "rank",
    };
    let (node, device) = match &value.kind {
        ExprKind::Tuple(items) => match items.as_slice() {
            [node, device] => (node, Some(device)),
            _ => (value, None),
        },
        _ => (value, None),
    };
    let mut number = |expr: &'a Expr, wanted: &'static str, count: u32| match &expr.kind {
        ExprKind::Prefixed(name, number) if name.text == wanted => {
            let most = u64::from(count.saturating_sub(1));
            u32::try_from(reader.whole(number, wanted, PLAIN, (0, most))?).ok()
        }
        _ => {
            let expected = format!("a place such as `node 0` or `(node 0, {word} 1)`");
            reader.wrong_type("pin", &expected, expr);
            None
        }
    };
    let node = number(node, "node", cluster.nodes);
    let device = match device {
        Some(device) => Some(number(device, word, cluster.devices_per_node)?),
        None => None,
    };
    Some((node?, device))
}

/// What is kept apart; none when there was a fault.
pub(super) fn apart<'a>(
    section: &Section<'a>,
    algebra: Algebra<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<(Apart, Span)>> {
    let Some(value) = section.value("apart") else { return Some(Vec::new()) };
    let value = reader.follow(value)?;
    let ExprKind::List(items) = &value.kind else {
        reader.wrong_type("apart", "a list such as `[all -> en, copies]`", value);
        return None;
    };
    let mut found = Vec::new();
    let mut is_whole = true;
    for item in items {
        let what = match &item.kind {
            ExprKind::Name(word) if word == "copies" => Some(Apart::Copies),
            _ => algebra.pairs(item, reader).map(Apart::Pairs),
        };
        match what {
            Some(what) => found.push((what, item.span)),
            None => is_whole = false,
        }
    }
    is_whole.then_some(found)
}
