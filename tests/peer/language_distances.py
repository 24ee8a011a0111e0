#!/usr/bin/env python3
"""Distances of languages by features and by text for compiler/core/tests/distances.rs, by numpy and scikit-learn.

usage: language_distances.py OUT.json     (needs `pip install scikit-learn`; written with 1.9.1)

Features: cosine distance over what both languages have, drawn towards the distance of their families by 20 features'
weight. Text: one minus the Bhattacharyya coefficient of groups of three letters, one minus the overlap of words; groups
and words are CountVectorizer's.
"""
import itertools
import json
import random
import sys

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics.pairwise import cosine_distances

FAMILIES = ["a/b/c", "a/b/d", "a/e", "a/b/c", "f/g", "f", "h/i/j", "h/i"]


def family_distance(a, b):
    a, b = a.split("/"), b.split("/")
    same = list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b)))
    return 1 - len(same) / max(len(a), len(b))


def features(rng):
    values = np.round(rng.random((8, 40)) * 3) / 2
    values[rng.random((8, 40)) < 0.45] = np.nan
    values[7, :38] = np.nan
    pairs = []
    for i, j in itertools.combinations(range(8), 2):
        both = ~np.isnan(values[i]) & ~np.isnan(values[j])
        n = int(both.sum())
        family = family_distance(FAMILIES[i], FAMILIES[j])
        own = cosine_distances(values[i][both][None], values[j][both][None])[0, 0] if n else 0.0
        if n and not values[i][both].any() and not values[j][both].any():
            own = 0.0
        pairs.append([n, float((n * own + 20 * family) / (n + 20))])
    lines = ["lang," + ",".join(f"f{at}" for at in range(40))]
    for at, row in enumerate(values):
        lines.append(f"l{at}," + ",".join("" if np.isnan(x) else f"{x:g}" for x in row))
    return {"table": "\n".join(lines) + "\n", "families": FAMILIES, "pairs": pairs}


def text(rng):
    syllables = ["ka", "to", "mü", "ši", "на", "го", "ре", "lo", "pé", "nu", "wa", "ты"]
    texts = []
    for at in range(5):
        own = syllables[at : at + 6]
        words = ["".join(rng.choice(own) for _ in range(rng.randint(1, 3))) for _ in range(60)]
        line = lambda: " ".join(rng.choice(words).capitalize() for _ in range(rng.randint(3, 9)))
        texts.append([line() for _ in range(40)])

    def frequencies(vectorizer):
        counts = vectorizer.fit_transform("\n".join(lines) for lines in texts).toarray()
        assert (counts > 0).sum(1).max() <= 500, "a profile keeps 500"
        return counts / counts.sum(1, keepdims=True)

    letters = frequencies(CountVectorizer(analyzer="char_wb", ngram_range=(3, 3)))
    words = frequencies(CountVectorizer(token_pattern=r"[^\W\d_]+"))
    pairs = list(itertools.combinations(range(5), 2))
    return {
        "texts": texts,
        "letters": [float(1 - np.sqrt(letters[i] * letters[j]).sum()) for i, j in pairs],
        "words": [float(1 - np.minimum(words[i], words[j]).sum()) for i, j in pairs],
    }


if __name__ == "__main__":
    found = {"features": features(np.random.default_rng(1)), "text": text(random.Random(1))}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(found, file, ensure_ascii=False, indent=0)
        file.write("\n")
