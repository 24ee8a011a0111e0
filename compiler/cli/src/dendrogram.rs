//! A grouping as text, and the tree of a clustering as text and SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mmc_core::cluster::{Clustering, Cut, Tree, Way};
use mmc_core::ir::experiment::Grouping;

use crate::svg::{COLOURS, document, escaped, line};

/// Support below this is too little for a distance to be trusted.
const LITTLE_SUPPORT: u32 = 20;
/// Columns of the drawing's tree, in pixels, and the height of a line.
const WIDTH: f64 = 480.0;
const LINE: f64 = 22.0;
const MARGIN: f64 = 24.0;

/// Groups with their members; then how they were found, the tree, and how far to trust it.
pub(crate) fn text(grouping: &Grouping) -> String {
    let mut text = String::new();
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (language, group) in &grouping.group_of {
        groups.entry(group).or_default().push(language);
    }
    line!(text, "{}", grouping.name);
    let width = groups.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    for (group, members) in &groups {
        line!(text, "  {group:width$}  {:>3}  {}", members.len(), members.join(" "));
    }
    if let Some(clustering) = &grouping.clustering {
        line!(text, "\n{}", found(clustering));
        if let Some(words) = support(clustering) {
            line!(text, "{words}");
        }
        line!(text, "");
        branches(clustering, &mut text);
    }
    text
}

/// How clusters were found, and how good they are.
fn found(clustering: &Clustering) -> String {
    let (within, pairs) = (clustering.within(), pairs_within(clustering));
    let quality = format!("mean distance {} within clusters, {} between", mean(within, pairs), {
        let (all, count) = everything(clustering);
        mean(all - within, count - pairs)
    });
    match &clustering.way {
        Way::Cut(linkage, Cut::Count(_)) => {
            format!("{linkage:?} linkage, cut into {}; {quality}", clustering.clusters())
                .to_lowercase()
        }
        Way::Cut(linkage, Cut::Height(height)) => {
            let clusters = clustering.clusters();
            format!("{linkage:?} linkage, cut at {height} into {clusters}; {quality}")
                .to_lowercase()
        }
        Way::Balanced(balance) => {
            let loads: Vec<String> = balance.weights.iter().map(u64::to_string).collect();
            let best = if balance.is_best() {
                "the least that is possible".to_owned()
            } else {
                format!("at least {}", billionths(balance.bound))
            };
            format!(
                "balanced, weights {}; distances within clusters sum to {}, {best}; {quality}",
                loads.join(" "),
                billionths(balance.within)
            )
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn billionths(parts: u64) -> String {
    format!("{:.3}", parts as f64 / 1e9)
}

fn mean(sum: f64, count: u32) -> String {
    if count == 0 { "-".to_owned() } else { format!("{:.3}", sum / f64::from(count)) }
}

fn everything(clustering: &Clustering) -> (f64, u32) {
    let (mut sum, mut count) = (0.0, 0);
    for i in 0..clustering.names.len() {
        for j in i + 1..clustering.names.len() {
            sum += clustering.distances.get(i, j);
            count += 1;
        }
    }
    (sum, count)
}

fn pairs_within(clustering: &Clustering) -> u32 {
    let labels = clustering.labels.iter().enumerate();
    let same =
        labels.map(|(i, a)| clustering.labels.iter().skip(i + 1).filter(|b| a == *b).count());
    u32::try_from(same.sum::<usize>()).unwrap_or(u32::MAX)
}

/// The pair of languages that fewest features are known of both.
fn support(clustering: &Clustering) -> Option<String> {
    let support = clustering.support.as_ref()?;
    let names = clustering.names.iter().enumerate();
    let pairs = names.flat_map(|(i, a)| clustering.names.iter().skip(i + 1).map(move |b| (a, b)));
    let (least, (a, b)) = support.iter().zip(pairs).min_by_key(|(count, _)| **count)?;
    let few = support.iter().filter(|count| **count < LITTLE_SUPPORT).count();
    Some(format!(
        "features of both languages of a pair: {least} at least ({a}, {b}); {few} of {} pairs below {LITTLE_SUPPORT}",
        support.len()
    ))
}

/// The tree, root first: a node with the height of its merge, a leaf with its cluster.
fn branches(clustering: &Clustering, text: &mut String) {
    let tree = &clustering.tree;
    let Some(root) = (tree.leaves + tree.merges.len()).checked_sub(1) else { return };
    let mut open = vec![(root, String::new(), String::new())];
    while let Some((node, first, rest)) = open.pop() {
        let Some(merge) = node.checked_sub(tree.leaves).and_then(|at| tree.merges.get(at)) else {
            let name = clustering.names.get(node).map_or("", String::as_str);
            let label = clustering.labels.get(node).copied().unwrap_or_default();
            line!(text, "{first}{name}  group{label}");
            continue;
        };
        line!(text, "{first}{:.3}", merge.height);
        open.push((merge.right, format!("{rest}`-- "), format!("{rest}    ")));
        open.push((merge.left, format!("{rest}|-- "), format!("{rest}|   ")));
    }
}

/// The tree drawn, leaves in the colours of their clusters, with the cut as a dashed line. None for groups without a tree.
pub(crate) fn svg(grouping: &Grouping) -> Option<String> {
    let clustering = grouping.clustering.as_ref()?;
    let tree = &clustering.tree;
    let places = places(tree);
    let highest = tree.merges.last().map_or(0.0, |merge| merge.height);
    let x = |height: f64| {
        let part = if highest > 0.0 { height / highest } else { 0.0 };
        MARGIN + WIDTH * (1.0 - part)
    };
    let height = LINE * f64::from(u32::try_from(tree.leaves).unwrap_or(u32::MAX)) + 2.0 * MARGIN;
    let mut text = String::from("<g fill=\"none\" stroke=\"#555555\">\n");
    for merge in &tree.merges {
        let (top, left) = places.get(merge.left).copied().unwrap_or_default();
        let (bottom, right) = places.get(merge.right).copied().unwrap_or_default();
        line!(
            text,
            "<path d=\"M{:.1} {top:.1}H{:.1}V{bottom:.1}H{:.1}\"/>",
            x(left),
            x(merge.height),
            x(right)
        );
    }
    line!(text, "</g>");
    if let Way::Cut(_, cut) = clustering.way
        && let Some(at) = cut_height(tree, cut, highest)
    {
        line!(
            text,
            "<path d=\"M{0:.1} {MARGIN:.1}V{1:.1}\" stroke=\"#999999\" stroke-dasharray=\"4 4\"/>",
            x(at),
            height - MARGIN
        );
    }
    for (leaf, name) in clustering.names.iter().enumerate() {
        let (y, _) = places.get(leaf).copied().unwrap_or_default();
        let label = clustering.labels.get(leaf).copied().unwrap_or_default();
        let colour = COLOURS.get(label % COLOURS.len()).copied().unwrap_or("#000000");
        let (x, y, name) = (MARGIN + WIDTH + 8.0, y + 4.0, escaped(name));
        line!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{name} group{label}</text>");
    }
    Some(document(&grouping.name, [2.0 * MARGIN + WIDTH + 200.0, height], &text))
}

/// Where the dashed line of a cut goes: between the last merge that stays and the first that is undone.
fn cut_height(tree: &Tree, cut: Cut, highest: f64) -> Option<f64> {
    if let Cut::Height(height) = cut {
        return (height <= highest).then_some(height);
    }
    let undone = tree.clusters(cut).checked_sub(1).filter(|undone| *undone > 0)?;
    let first = tree.merges.len().checked_sub(undone)?;
    let above = tree.merges.get(first)?.height;
    let below =
        first.checked_sub(1).and_then(|at| tree.merges.get(at)).map_or(0.0, |merge| merge.height);
    Some(f64::midpoint(above, below))
}

/// Of every node: where it is from top to bottom, and the height of its merge.
fn places(tree: &Tree) -> Vec<(f64, f64)> {
    let mut places = vec![(0.0, 0.0); tree.leaves];
    let mut y = MARGIN + LINE / 2.0;
    for leaf in tree.leaf_order() {
        if let Some(place) = places.get_mut(leaf) {
            *place = (y, 0.0);
        }
        y += LINE;
    }
    for merge in &tree.merges {
        let of = |node: usize| places.get(node).map_or(0.0, |(y, _)| *y);
        places.push((f64::midpoint(of(merge.left), of(merge.right)), merge.height));
    }
    places
}
