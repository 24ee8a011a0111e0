//! Room on lanes for tasks that may not lie on all of them: a maximal flow in whole numbers.

use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;
use petgraph::algo::ford_fulkerson;
use petgraph::graph::DiGraph;

use crate::ir::task::SHARE_PARTS;
use crate::place::windows::Amounts;

/// Tasks that may lie on the same lanes, and the most of one of them that a lane may have, if that is less than all.
type Class = (Vec<usize>, Option<(u64, usize)>);

/// Per lane the amounts of the tasks; none when the lanes have no room for all.
pub(super) fn amounts(
    allowed: &BTreeMap<usize, FixedBitSet>,
    demand: &[u64],
    copies: &[u64],
    lanes: usize,
) -> Option<Amounts> {
    let of = |task: usize| demand.get(task).copied().unwrap_or(0);
    let mut classes: BTreeMap<Class, Vec<usize>> = BTreeMap::new();
    for (&task, on) in allowed.iter().filter(|(task, _)| of(**task) > 0) {
        let copies = copies.get(task).copied().unwrap_or(1);
        let most = (copies > 1).then(|| (of(task).div_ceil(copies), task));
        classes.entry((on.ones().collect(), most)).or_default().push(task);
    }
    let mut graph: DiGraph<(), u64> = DiGraph::new();
    let (source, sink) = (graph.add_node(()), graph.add_node(()));
    let places: Vec<_> = (0..lanes).map(|_| graph.add_node(())).collect();
    for &place in &places {
        graph.add_edge(place, sink, SHARE_PARTS);
    }
    let (mut wanted, mut edges) = (0, Vec::new());
    for ((on, most), tasks) in &classes {
        let sum: u64 = tasks.iter().map(|&task| of(task)).sum();
        let node = graph.add_node(());
        graph.add_edge(source, node, sum);
        wanted += sum;
        let most = most.map_or(sum, |(most, _)| most);
        let to = on.iter().filter_map(|&lane| Some((lane, *places.get(lane)?)));
        edges.push(
            to.map(|(lane, place)| (lane, graph.add_edge(node, place, most))).collect::<Vec<_>>(),
        );
    }
    let (total, flow) = ford_fulkerson(&graph, source, sink);
    if total < wanted {
        return None;
    }
    let mut found: Amounts = vec![BTreeMap::new(); lanes];
    for (tasks, edges) in classes.values().zip(edges) {
        let mut left = tasks.iter().map(|&task| (task, of(task)));
        let mut current = left.next();
        for (lane, edge) in edges {
            let mut room = flow.get(edge.index()).copied().unwrap_or(0);
            while room > 0
                && let Some((task, amount)) = current
            {
                let part = amount.min(room);
                *found.get_mut(lane)?.entry(task).or_default() += part;
                room -= part;
                current = if amount > part { Some((task, amount - part)) } else { left.next() };
            }
        }
    }
    Some(found)
}
