#!/usr/bin/env python3
"""Trees and labels of scikit-learn's AgglomerativeClustering for compiler/core/tests/cluster.rs.

usage: agglomerative_labels.py OUT.json [MATRICES]     (needs `pip install scikit-learn`; written with 1.9.1)

Random symmetric matrices of 2 to 24 things, most with many ties, are clustered by every linkage, into every count of a
choice and at cutoffs on and beside the heights of merges. Numbers are written as text, so that every reader reads them
exactly. The committed fixture has 120 matrices, a deep comparison 4000.
"""
import json
import random
import sys

import numpy as np
from sklearn.cluster import AgglomerativeClustering


def matrix(rng, n):
    """Distances of one of several kinds; the smaller `levels`, the more ties."""
    kind = rng.choice(["ties", "ties", "few", "reals", "line", "tree", "equal"])
    m = np.zeros((n, n))
    places = [rng.randrange(4) for _ in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            m[i, j] = m[j, i] = {
                "ties": lambda: rng.randrange(4) / 4,
                "few": lambda: rng.randrange(20) / 10,
                "reals": lambda: round(rng.random(), 6),
                "line": lambda: float(abs(places[i] - places[j])),
                "tree": lambda: float((i ^ j).bit_length()) / 3,
                "equal": lambda: 0.7,
            }[kind]()
    return m


def main(out, matrices=120):
    rng = random.Random(20)
    rows = []
    for _ in range(matrices):
        n = rng.randrange(2, 25)
        m = matrix(rng, n)
        cases = []
        for linkage in ["average", "single", "complete"]:
            def fit(**cut):
                model = AgglomerativeClustering(metric="precomputed", linkage=linkage, compute_distances=True, **cut)
                return model.fit(m)
            full = fit(n_clusters=1)
            heights = [float(h) for h in full.distances_]
            tree = {"linkage": linkage, "children": full.children_.tolist(), "heights": list(map(repr, heights)), "cuts": []}
            for count in sorted({1, n, *(rng.randrange(1, n + 1) for _ in range(3))}):
                tree["cuts"].append({"count": count, "labels": fit(n_clusters=count).labels_.tolist()})
            for height in sorted({rng.choice(heights), round(rng.random() * 1.5, 3), 0.0}):
                labels = fit(n_clusters=None, distance_threshold=height).labels_.tolist()
                tree["cuts"].append({"height": repr(height), "labels": labels})
            cases.append(tree)
        upper = [repr(float(m[i, j])) for i in range(n) for j in range(i + 1, n)]
        rows.append({"n": n, "upper": upper, "trees": cases})
    with open(out, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


main(sys.argv[1], *map(int, sys.argv[2:]))
