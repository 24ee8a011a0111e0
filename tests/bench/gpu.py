#!/usr/bin/env python3
"""All checks of docs/gpu-checks.md that one GPU can answer, in one go of some four minutes.

    gpu.py MMC WORKER FOLDER [TORCH] [--python PATH] [--only checks,two,paper,profile,reference]

MMC and WORKER: the two programs; FOLDER: where to work; TORCH: the folder `lib` of a libtorch for GPUs of the worker's version, when the
worker was built against one for processors; `--python`: a Python with torch, for the reference (gpu_step.py) beside it. Nothing else is
needed but Python. A part goes on when one of its runs fails, and the next one when its time is over; all failures stand at the end, with
status 1.
"""
import argparse
import bisect
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import gpu_trace

HERE = os.path.dirname(os.path.abspath(__file__))
CPU, GPU, TWO_GPUS = 'laptop(ranks = 1)', 'dgx_h200(nodes = 1, gpus_per_node = 1)', 'dgx_h200(nodes = 1, gpus_per_node = 2)'
ALONE = dict(pairs='x -> y', decoder='FULL', lanes=1)
CHECK = dict(ALONE, text='check', words=500, lines=4000, dim=128, heads=4, ffn=512, layers=2, batch=1024, steps=50, dropout=0)
# The model of the MAMMOTH paper, and the batches and precisions that it is trained in.
PAPER = dict(ALONE, text='paper', words=64_000, lines=60_000, dim=512, heads=8, ffn=2048, layers=6, steps=40, dropout=0.1)
# Two lanes with an encoder in common, and dropout.
SHARED = dict(pairs='[x -> y, y -> x]', decoder='LANGUAGE', lanes=2, dropout=0.1, precision='fp32')
RUNS = [('bf16', 4096), ('bf16', 16_384), ('bf16', 32_768), ('fp32', 16_384)]
PROFILED = dict(precision='bf16', batch=16_384, steps=32)
# FLOP/s of an H100 or H200: dense, without TF32.
PEAK = {'bf16': 990e12, 'fp32': 67e12}
# What `--tiny` puts in place of these, to try this file without a GPU.
TINY = dict(words=500, lines=3000, dim=32, heads=2, ffn=64, layers=1, steps=16)
TINY_RUNS = [('bf16', 256), ('bf16', 1024), ('fp32', 1024)]
NO_GPU = 'laptop(ranks = 1, cpu = { memory = 8 GiB, bf16 = 50 GFLOP/s, fp32 = 100 GFLOP/s })'
# Seconds that a part may take, and one process of it.
LIMITS = {'checks': 100, 'two': 75, 'paper': 150, 'profile': 75, 'reference': 120}
LIMIT = 75
TAIL = 12

EXPERIMENT = '''import std.clusters.laptop
import std.clusters.dgx_h200
experiment gpu {{ seed = 1 }}
languages x, y
corpus text {{ train = "{text}/{{src_lang}}" -> "{text}/{{tgt_lang}}" }}
tokenizer words {{ kind = huggingface  file = "{text}/words.json" }}
tasks toy {{ pairs = {pairs}  corpus = text  transforms = [words] }}
model {{
  dim = {dim}  heads = {heads}  ffn = {ffn}  dropout = {dropout}
  encoder = [{layers} x FULL]  decoder = [{layers} x {decoder}]
}}
training {{
  steps = {steps}  batch = {batch} tokens  precision = {precision}  lanes = {lanes}
  optimizer = adamw(lr = 5e-4)  schedule = linear(warmup = 10)  clip = 1.0
}}
cluster = {cluster}
'''


class Failure(Exception):
    """What was found wrong."""


def say(text):
    print(text, flush=True)


def write_text(folder, words, lines):
    """Sentences of words by Zipf's law, their translation word by word, and a tokenizer of whole words."""
    os.makedirs(folder, exist_ok=True)
    draw = random.Random(1)
    names = ['w%d' % rank for rank in range(words)]
    sums = list(itertools.accumulate(1 / (rank + 10) for rank in range(words)))
    with open(folder + '/x', 'w') as source, open(folder + '/y', 'w') as target:
        for _ in range(lines):
            line = [bisect.bisect(sums, draw.random() * sums[-1], 0, words - 1) for _ in range(draw.randint(5, 45))]
            source.write(' '.join([names[rank] for rank in line]) + '\n')
            target.write(' '.join([names[rank - words + 1] for rank in line]) + '\n')
    pieces = ['<unk>', '<s>', '</s>'] + names
    model = {'type': 'WordLevel', 'vocab': {piece: at for at, piece in enumerate(pieces)}, 'unk_token': '<unk>'}
    tokenizer = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': None,
                 'pre_tokenizer': {'type': 'Whitespace'}, 'post_processor': None, 'decoder': None, 'model': model}
    with open(folder + '/words.json', 'w') as out:
        json.dump(tokenizer, out)


def end(session):
    """Ends what is left of a session: ranks, which are in groups of their own, with their launcher."""
    for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)


class Bench:
    def __init__(self, given):
        self.mmc, self.folder, self.python = os.path.abspath(given.mmc), given.folder, given.python and os.path.abspath(shutil.which(given.python))
        self.environment = dict(os.environ, MMC_WORKER=os.path.abspath(given.worker))
        if given.torch:
            before = os.environ.get('LD_LIBRARY_PATH', '')
            self.environment['LD_LIBRARY_PATH'] = os.path.abspath(given.torch) + ':' + before
        self.check, self.paper, self.runs, self.profiled, self.gpu, self.two_gpus = CHECK, PAPER, RUNS, PROFILED, GPU, TWO_GPUS
        if given.tiny:
            self.check, self.paper, self.runs, self.profiled, self.gpu = CHECK | TINY, PAPER | TINY, TINY_RUNS, PROFILED | dict(batch=1024), NO_GPU
            self.two_gpus = NO_GPU.replace('ranks = 1', 'ranks = 2')
        # Target tokens a second and parameters of the paper's model, by precision and batch.
        self.speeds, self.failures = {}, []
        self.until = time.monotonic()
        os.makedirs(self.folder, exist_ok=True)

    @contextlib.contextmanager
    def attempt(self, what):
        """Something that may fail while all else goes on."""
        try:
            yield
        except Exception as fault:
            why = str(fault) if isinstance(fault, Failure) else repr(fault)
            self.failures.append((what, why.partition('\n')[0]))
            say('FAILED: %s: %s' % (what, why))

    def part(self, name, work):
        say('\n%s' % name)
        began = time.monotonic()
        self.until = began + LIMITS[name]
        with self.attempt(name):
            work(self)
        say('(%s: %.0f s)' % (name, time.monotonic() - began))

    def process(self, command, log, environment):
        """Runs a command in the folder; what it writes goes to a file there."""
        log, seconds = os.path.join(self.folder, log), min(LIMIT, self.until - time.monotonic())
        with open(log, 'w') as out:
            if seconds <= 0:
                raise Failure('the time of its part is over')
            child = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = child.wait(seconds)
            fault = 'status %d' % status if status else None
        except subprocess.TimeoutExpired:
            fault = 'not over after %.0f s' % seconds
        finally:
            end(child.pid)
            child.wait()
        if fault:
            with open(log, errors='replace') as lines:
                raise Failure('%s %s\n%s' % (os.path.basename(command[0]), fault, ''.join('    ' + line[:300] for line in lines.readlines()[-TAIL:])))

    def text(self, size):
        """The folder of a size's text, which is written once."""
        folder = os.path.join(self.folder, size['text'])
        if not os.path.exists(folder + '/words.json'):
            began = time.monotonic()
            write_text(folder, size['words'], size['lines'])
            say('(%d lines of text: %.1f s)' % (size['lines'], time.monotonic() - began))
        return folder

    def train(self, name, size, cluster, *options, beside=()):
        """Plans and trains, with some variables beside the environment's; the plan's text and the steps' events."""
        self.text(size)
        with open('%s/%s.mmc' % (self.folder, name), 'w') as out:
            out.write(EXPERIMENT.format(cluster=cluster, **size))
        for verb, *arguments in ('plan', name + '.mmc', '-o', name + '.yaml'), ('run', name + '.yaml', '--output', name, '--overwrite', *options):
            self.process([self.mmc, verb, *arguments], '%s.%s.log' % (name, verb), self.environment | dict(beside))
        shutil.rmtree('%s/%s/checkpoints' % (self.folder, name), ignore_errors=True)
        with open('%s/%s/events.jsonl' % (self.folder, name)) as lines:
            events = [json.loads(line) for line in lines]
        with open('%s/%s.yaml' % (self.folder, name)) as plan:
            return plan.read(), [event for event in events if event['event'] == 'step']


def number(plan, name):
    """Of the plan's only rank."""
    return float(re.search(name + r': ([0-9.e+-]+)', plan[plan.index('\nranks:'):]).group(1))


def apart(one, other):
    """The differences of losses in two trainings."""
    return [abs(loss - b['losses'][task]) for a, b in zip(one, other, strict=True) for task, loss in a['losses'].items()]


def checks(bench):
    """Losses on the GPU against those on the CPU."""
    _, expected = bench.train('check-cpu', bench.check | dict(precision='fp32'), CPU)
    for precision, bound in (('fp32', 1e-3), ('bf16', 5e-2)):
        what = 'losses of %d steps in %s, GPU against CPU' % (bench.check['steps'], precision)
        with bench.attempt(what):
            _, steps = bench.train('check-' + precision, bench.check | dict(precision=precision), bench.gpu)
            found = apart(expected, steps)
            said = '%.2e apart (at most %.0e)' % (max(found), bound)
            if not all(difference <= bound for difference in found):  # Nor with a number that is none.
                raise Failure(said)
            say('%s: %s' % (what, said))


def two(bench):
    """Two ranks on one GPU, by a stand-in for NCCL, against one rank with the same lanes."""
    stand_in = os.path.abspath(bench.folder + '/one_gpu_nccl.so')
    bench.process(['cc', '-shared', '-fPIC', '-O2', '-o', stand_in, os.path.join(HERE, 'one_gpu_nccl.c'), '-ldl'], 'two.cc.log', os.environ)
    size = bench.check | SHARED
    _, one = bench.train('one', size, bench.gpu)
    _, both = bench.train('two', size, bench.two_gpus, beside={'LD_PRELOAD': stand_in, 'CUDA_VISIBLE_DEVICES': '0'})
    norms = max(abs(a['norm'] - b['norm']) / a['norm'] for a, b in zip(one, both, strict=True))
    losses = max(apart(one, both))
    said = 'two ranks on one GPU against one: losses %.2e, norms %.2e apart (at most 1e-4)' % (losses, norms)
    if not (losses <= 1e-4 and norms <= 1e-4):
        raise Failure(said)
    waiting = sum(step['sync_seconds'] for step in both) / sum(step['seconds'] for step in both)
    say('%s; %.0f %% of the time waiting for each other' % (said, 100 * waiting))


def paper(bench):
    """Speed and memory of the paper's model."""
    for precision, batch in bench.runs:
        name = 'paper-%s-%d' % (precision, batch)
        with bench.attempt(name):
            began = time.monotonic()
            plan, steps = bench.train(name, bench.paper | dict(precision=precision, batch=batch), bench.gpu)
            warm = steps[len(steps) // 4:]
            seconds = sum(step['seconds'] for step in warm)
            source, target = (sum(step[side] for step in warm) / seconds for side in ('source_tokens', 'target_tokens'))
            flops = number(plan, 'step_flops') / batch * target
            predicted = number(plan, 'state_bytes') + number(plan, 'activation_bytes')
            bench.speeds[precision, batch] = target, number(plan, 'parameters')
            say('%s %6d: %.0f source, %.0f target tokens/s, %.2f ms a step (predicted %.2f), MFU %.1f %%, %.2f GB (predicted %.2f), loss %.3f (%.0f s)' % (
                precision, batch, source, target, 1e3 * statistics.median(step['seconds'] for step in warm), 1e3 * number(plan, 'step_seconds'),
                100 * flops / PEAK[precision], warm[-1]['memory'] / 1e9, predicted / 1e9, next(iter(warm[-1]['losses'].values())), time.monotonic() - began))


def profile(bench):
    """Where the time of one step goes."""
    size = bench.paper | bench.profiled
    step = size['steps'] - 2
    _, steps = bench.train('profile', size, bench.gpu, '--profile', str(step))
    say('%(precision)s %(batch)d tokens' % size + ', step %d of %.2f ms, those before of %.2f ms' % (
        step, 1e3 * steps[step - 1]['seconds'], 1e3 * statistics.median(event['seconds'] for event in steps[step // 2:step - 1])))
    for line in gpu_trace.report(gpu_trace.read('%s/profile/profile/rank-0.json' % bench.folder)):
        say(line)


def reference(bench):
    """The same model in PyTorch, and how many times as fast ours is."""
    if not bench.python:
        say('none without --python')
        return
    shape = [part for name in ('steps', 'dim', 'heads', 'ffn', 'layers', 'dropout') for part in ('--' + name, str(bench.paper[name]))]
    data = os.path.abspath(bench.text(bench.paper))
    for precision in dict.fromkeys(precision for precision, _ in bench.runs):
        sizes = [batch for of, batch in bench.runs if of == precision]
        log = 'reference-%s.log' % precision
        with bench.attempt('reference, ' + precision):
            command = [bench.python, os.path.join(HERE, 'gpu_step.py'), data, '--precision', precision, *shape, '--batch', *map(str, sizes)]
            try:
                bench.process(command, log, os.environ)
            finally:  # What was measured before a fault.
                with contextlib.suppress(FileNotFoundError), open(os.path.join(bench.folder, log)) as lines:
                    for line in lines:
                        if line.startswith('{'):
                            compare(bench, json.loads(line))


def compare(bench, found):
    """Says one line of the reference."""
    key = found['precision'], found['batch']
    with bench.attempt('reference, %s %d' % key):
        if 'fault' in found:
            raise Failure(found['fault'])
        ours, parameters = bench.speeds.get(key, (None, found['parameters']))
        ratio = 'ours %.2f times as fast' % (ours / found['tokens']) if ours else 'ours was not measured'
        say('%s %6d: PyTorch, %s: %.0f target tokens/s, %.2f ms a step, %.2f GB, loss %.3f; %s' % (
            *key, found['device'], found['tokens'], found['ms'], found['memory'] / 1e9, found['loss'], ratio))
        if found['parameters'] != parameters:
            raise Failure('another model: %d parameters, ours has %d' % (found['parameters'], parameters))


PARTS = {'checks': checks, 'two': two, 'paper': paper, 'profile': profile, 'reference': reference}


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('mmc', 'worker', 'folder'):
        parse.add_argument(name)
    parse.add_argument('torch', nargs='?')
    parse.add_argument('--python')
    parse.add_argument('--only', type=lambda names: names.split(','), default=list(PARTS))
    parse.add_argument('--tiny', action='store_true', help=argparse.SUPPRESS)
    given = parse.parse_args()
    if unknown := set(given.only) - set(PARTS):
        parse.error('no part %s; there are %s' % (', '.join(sorted(unknown)), ', '.join(PARTS)))
    if given.python and not shutil.which(given.python):
        parse.error('no program %s' % given.python)
    bench = Bench(given)
    if shutil.which('nvidia-smi'):
        asked = ['nvidia-smi', '--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
        say(subprocess.run(asked, capture_output=True, text=True).stdout.strip())
    for name, work in PARTS.items():
        if name in given.only:
            bench.part(name, work)
    for what, why in bench.failures:
        say('failed: %-46s %s' % (what, why))
    sys.exit(1 if bench.failures else 0)


if __name__ == '__main__':
    main()
