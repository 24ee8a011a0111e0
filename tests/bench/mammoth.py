#!/usr/bin/env python3
"""Time of `mmc mammoth config_all` on MAMMOTH's three templates, beside MAMMOTH's own tool on the same files in the same run.

usage: mammoth.py MMC CHECKOUT COMMAND...     (needs `pip install PyYAML`)

MMC is the program; CHECKOUT a checkout of MAMMOTH (for `examples/`); COMMAND starts its config_config, for example
`python -m mammoth.bin.config_config`. Every corpus that the shipped outputs name is made with ten lines in a temporary folder. Both
tools run once unmeasured, so that line counts are cached for both. Shown are medians of wall and CPU seconds (children's), and whether
the outputs are equal. The limit is 50 ms of wall time and a hundredth of MAMMOTH's; the exit status says whether both are kept.
"""
import gzip
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import yaml

TEMPLATES = [("config_config.template.yaml", "config_config.yaml"), ("synthdata.template.yaml", "synthdata.yaml"), ("multi30k.template.yaml", "multi30k.yaml")]
FLAGS = ["--n_nodes", "1", "--n_gpus_per_node", "1"]
OURS, THEIRS = 21, 3


def timed(command, folder):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(command, folder, runs):
    timed(command, folder)
    walls, cpus = zip(*(timed(command, folder) for _ in range(runs)))
    return statistics.median(walls), statistics.median(cpus)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    mmc, checkout, peer = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    kept = True
    for template, shipped in TEMPLATES:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(checkout, "examples", template), encoding="utf-8") as file:
                text = file.read()
            with open(os.path.join(folder, "meta.yaml"), "w", encoding="utf-8") as file:
                file.write(text)
            with open(os.path.join(checkout, "examples", "config_config_output", shipped), encoding="utf-8") as file:
                tasks = yaml.safe_load(file)["tasks"].values()
            lines = b"x\n" * 10
            for path in {value for task in tasks for key, value in task.items() if key.startswith("path_")}:
                path = os.path.join(folder, path)
                if not os.path.abspath(path).startswith(folder):
                    sys.exit(f"{template} names {path}, which lies outside of the folder")
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(gzip.compress(lines) if path.endswith(".gz") else lines)
            stage = ["config_all", "--in_config", "meta.yaml", *FLAGS]
            os.environ["XDG_CACHE_HOME"] = os.path.join(folder, ".cache")
            theirs = median([*peer, *stage, "--out_config", "theirs.yaml"], folder, THEIRS)
            ours = median([mmc, "mammoth", *stage, "--out_config", "ours.yaml"], folder, OURS)
            with open(os.path.join(folder, "theirs.yaml"), "rb") as one, open(os.path.join(folder, "ours.yaml"), "rb") as other:
                equal = one.read() == other.read()
            kept = kept and equal and ours[0] < 0.05 and ours[0] * 100 <= theirs[0]
            print(f"{template}: mmc {ours[0] * 1000:.1f} ms wall, {ours[1] * 1000:.1f} ms CPU; MAMMOTH {theirs[0]:.2f} s wall, {theirs[1]:.2f} s CPU; "
                  f"{theirs[0] / ours[0]:.0f} and {theirs[1] / max(ours[1], 1e-4):.0f} times; {'equal' if equal else 'different'} bytes")
    sys.exit(0 if kept else 1)


main()
