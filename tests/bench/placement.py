"""`mmc place` beside Mt-KaHyPar's default preset on the same problems, in the same run: costs and CPU seconds.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mtkahypar
    cargo build --release -p mmc
    /tmp/venv/bin/python tests/bench/placement.py [--effort N] [--mmc PATH] FILE.json...

Mt-KaHyPar minimises the Steiner tree metric on a complete graph of devices with edges of weight 1 inside a node and 6
between nodes: the cost `5 (n - 1) + (k - 1)` of a module on `k` devices of `n` nodes. Both answers are scored here.
"""
import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict


def score(problem, places):
    nodes, devices = defaultdict(set), defaultdict(set)
    for modules, (node, gpu) in zip(problem["tasks"], places):
        for module in modules:
            nodes[module].add(node)
            devices[module].add((node, gpu))
    return sum(5 * (len(nodes[m]) - 1) + len(devices[m]) - 1 for m in devices)


def peer(problem, threads):
    import mtkahypar

    engine = mtkahypar.initialize(threads)
    context = engine.context_from_preset(mtkahypar.PresetType.DEFAULT)
    gpus = problem["gpus_per_node"]
    parts = problem["n_nodes"] * gpus
    tasks = len(problem["tasks"])
    # The largest imbalance that still rounds down to the ceiling of tasks / devices.
    most = -(-tasks // parts)
    context.set_partitioning_parameters(parts, most * parts / tasks - 1 + 1e-6, mtkahypar.Objective.KM1)
    context.logging = False
    pins = defaultdict(list)
    for task, modules in enumerate(problem["tasks"]):
        for module in set(modules):
            pins[module].append(task)
    edges = [pins[m] for m in sorted(pins) if len(pins[m]) > 1]
    graph = engine.create_hypergraph(context, tasks, len(edges), edges)
    pairs = [(a, b) for a in range(parts) for b in range(a + 1, parts)]
    weights = [1 if a // gpus == b // gpus else 6 for a, b in pairs]
    target = engine.create_target_graph(context, parts, len(pairs), pairs, weights)
    before = time.process_time()
    found = graph.map_onto_graph(target, context)
    cpu = time.process_time() - before
    blocks = [found.block_id(task) for task in range(tasks)]
    counts = Counter(blocks)
    places = [(block // gpus, block % gpus) for block in blocks]
    return score(problem, places), cpu, min(counts[b] for b in range(parts)), max(counts.values())


def ours(command, path, problem, effort):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([command, "place", path, "--effort", str(effort)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(out.stdout)
    cost = score(problem, answer["assignment"])
    assert cost == answer["cost"], (path, cost, answer["cost"])
    return answer, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--mmc", default="target/release/mmc")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{'instance':24} {'ours':>7} {'bound':>7} {'CPU s':>7} {'peer':>7} {'CPU s':>7} {'ratio':>6}  tasks a device of the peer")
    worse = 0
    for path in options.files:
        with open(path) as file:
            problem = json.load(file)
        answer, cpu = ours(options.mmc, path, problem, options.effort)
        other, other_cpu, least, most = peer(problem, options.threads)
        worse += answer["cost"] > other
        ratio = answer["cost"] / other if other else 1.0
        name = path.rsplit("/", 1)[-1].removesuffix(".json")
        print(f"{name:24} {answer['cost']:7} {answer['bound']:7} {cpu:7.2f} {other:7} {other_cpu:7.2f} {ratio:6.3f}  {least}..{most}", flush=True)
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
