#!/usr/bin/env python3
"""Documents and what PyYAML makes of them, for compiler/mammoth/tests/pyyaml.rs.

usage: pyyaml_documents.py OUT.json [DOCUMENTS [SEED]]     (needs `pip install PyYAML==6.0.3`)

Random trees are dumped in random styles (flow and block, every quoting, narrow and wide, aliases); beside them stand documents of
random scalars as a person writes them. Each is read by `safe_load` and written by `safe_dump` in the style of MAMMOTH's
configurations. The committed fixture has 250 documents; a deep comparison takes 20000 and is named by MMC_PYYAML_DOCUMENTS.
"""
import datetime
import json
import random
import sys

import yaml

WORDS = ["en", "no", "null", "~", "yes", "on", "1e-4", "1:0", "0:1", "12:30", "010", "0x1F", "-", "?", ":", "a: b", "a #b", "#a", "{x}", "[",
         "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "'", "\"", "''", "=", "<<", "---", "...", "--- a", " a", "a ", "a  b", "", "1.5", ".5",
         "1_000", "2001-12-14", "2001-12-14 21:59:43", "nb_NO", "中文", "dätä set", "a\tb", "a\nb", "a\n", "\na", "a\n b", "a \nb", "\x07",
         "\x85", "\u2028", "\ufeff", "\xa0", "\U0001F600", "\\", "a\\b", "it's", "data/{sorted_pair}/train.{side_a}.gz", "a:b", "a,b", "- a",
         "true", "False", "OFF", "y", "n", ".inf", "+1", "1.", "0o7", "08", "0b1", "!", "&", "*", "a:", "tab\t", "é" * 50, "word " * 30,
         "<from_en> <to_de>", "'no'", "x" * 130, "a\r\nb", "key with spaces", "0", "007", "1.e+5", "x: 'y'", "long'quote " * 12,
         "back\\slash " * 12, "日本 " * 40, "\"q\" " * 40, "a\n\nb\n\n\nc " * 8, "  ", "\n", "\n\n", " \n", "a:  b", "w " * 60]
PLAIN = ["en", "no", "null", "~", "yes", "On", "OFF", "1e-4", "1:0", "0:1", "12:30", "12:30:45", "010", "0x1F", "-0b11", "1.5", "1.", "-1.5e-3", ".5", "-.5", "1_000",
         "1_0.5", "2001-12-14", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43", "2001-1-4 1:02:03 +2", ".inf", "-.INF", ".NaN", "3e-05", "3.0e-05", "1e5", "08", "0o7", "+12",
         "a b", "a:b", "it's", "y", "n", "x-y", "train.{side_a}.gz", "190:20:30", "1:30.5", "1.5:3", "0", "00", "0_7", "1__0", "= ", "a#b", "<<a", "100000000000000000000000000",
         "1e+17", "1.0e+17", "123456789.123456789", "0.1", "1.7976931348623157e+308", "5.0e-324"]


def scalar(rng):
    kind = rng.randrange(12)
    if kind < 6:
        return rng.choice(WORDS)
    if kind == 6:
        return "".join(rng.choice(WORDS + [" "] * 20) for _ in range(rng.randrange(1, 12)))
    if kind == 7:
        return rng.choice([0, 1, -1, 60, 8, 10**20, -10**25, rng.randrange(-10**6, 10**6)])
    if kind == 8:
        return rng.choice([0.0, -0.0, 1.0, 1e16, 1e-5, 1e300, float("inf"), float("-inf"), rng.random(), rng.random() * 10.0 ** rng.randrange(-30, 30)])
    if kind == 9:
        return rng.choice([True, False, None])
    if kind == 10:
        return rng.choice([datetime.date(2001, 2, 3), datetime.datetime(2001, 2, 3, 4, 5, 6), datetime.datetime(2001, 2, 3, 4, 5, 6, 700),
                           datetime.datetime(2001, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=-3, minutes=-30)))])
    return " ".join(rng.choice(["the", "quick", "brown", "fox", "läuft", "it's", "a:b", "#", "—", "no"]) for _ in range(rng.randrange(1, 40)))


def tree(rng, depth, shared):
    if shared and rng.random() < 0.08:
        return rng.choice(shared)
    kind = rng.random()
    if depth == 0 or kind < 0.35:
        return scalar(rng)
    if kind < 0.65:
        made = [tree(rng, depth - 1, shared) for _ in range(rng.randrange(0, 5))]
    else:
        made = {}
        mixed = rng.random() < 0.1
        for _ in range(rng.randrange(0, 6)):
            key = scalar(rng) if mixed else rng.choice([rng.choice(WORDS), rng.choice(["src_vocab", "tasks", "de-en", "n_gpus"])])
            made[key] = tree(rng, depth - 1, shared)
    shared.append(made)
    return made


def document(rng):
    if rng.random() < 0.25:
        lines = []
        for number in range(rng.randrange(1, 12)):
            lines.append(f"{rng.choice(['k', 'key ', 'x-'])}{number}: {rng.choice(PLAIN)}{rng.choice(['', '', ' # note', '   '])}")
            if rng.random() < 0.2:
                lines.append(f"l{number}:\n- {rng.choice(PLAIN)}\n-   {rng.choice(PLAIN)}\n- [{rng.choice(['a', '1', 'no'])}, 'b',c ]")
            if rng.random() < 0.1:
                lines.append(f"m{number}: &m{number} {{a: 1, b: no}}\nn{number}:\n  <<: *m{number}\n  b: 2\n  c: *m{number}")
            if rng.random() < 0.1:
                lines.append(f"t{number}: !!str {rng.choice(['12', 'no', 'x'])}\nu{number}: |\n  a\n   b\n\nv{number}: >-\n  folded\n  text\n\n  more")
        return "\n".join(lines) + "\n"
    data = tree(rng, 4, [])
    style = rng.choice([None, None, None, '"', "'", "|", ">"])
    return yaml.safe_dump(data, default_flow_style=rng.choice([True, False, None]), width=rng.choice([20, 80, 1000]), default_style=style,
                          allow_unicode=rng.random() < 0.5, sort_keys=rng.random() < 0.5, indent=rng.choice([2, 4]))


def main():
    out, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 250, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    cases = []
    while len(cases) < count:
        text = document(rng)
        if any(mark in text for mark in "\x85\u2028\u2029"):
            continue  # line breaks of YAML 1.1 alone: refused, see compiler/mammoth/src/yaml/compose.rs
        try:
            read = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, TypeError):
            continue
        if len(text) < 3000 or count > 1000:
            cases.append([text, yaml.safe_dump(read, default_flow_style=False, allow_unicode=True)])
    with open(out, "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=True, indent=0)
        file.write("\n")


main()
