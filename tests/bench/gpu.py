#!/usr/bin/env python3
"""All checks of docs/gpu-checks.md that one GPU can answer, in one go of some minutes.

    gpu.py MMC WORKER FOLDER [TORCH]

MMC and WORKER: the two programs; FOLDER: an empty one to work in; TORCH: the folder `lib` of a libtorch for GPUs of the
worker's version, when the worker was built against one for processors. Needs nothing but Python. Ends with 1 when a check fails.
"""
import json
import os
import random
import re
import statistics
import subprocess
import sys

CHECK = dict(name='check', words=500, lines=4000, dim=128, heads=4, ffn=512, layers=2, batch=1024, steps=50)
# The model of the MAMMOTH paper.
PAPER = dict(name='paper', words=64_000, lines=60_000, dim=512, heads=8, ffn=2048, layers=6, batch=16_384, steps=40)

EXPERIMENT = '''import std.clusters.laptop
import std.clusters.dgx_h200
experiment {name} {{ seed = 1 }}
languages x, y
corpus text {{ train = "{data}/x" -> "{data}/y" }}
tokenizer words {{ kind = huggingface  file = "{data}/words.json" }}
tasks toy {{ pairs = x -> y  corpus = text  transforms = [words] }}
model {{
  dim = {dim}  heads = {heads}  ffn = {ffn}  dropout = {dropout}
  encoder = [{layers} x FULL]  decoder = [{layers} x FULL]
}}
training {{
  steps = {steps}  batch = {batch} tokens  precision = {precision}
  optimizer = adamw(lr = 5e-4)  schedule = linear(warmup = 10)  clip = 1.0
}}
cluster = {cluster}
'''
CPU, GPU = 'laptop(ranks = 1)', 'dgx_h200(nodes = 1, gpus_per_node = 1)'


def write_text(folder, size):
    """Sentences of words by Zipf's law, their translation word by word, and a tokenizer of whole words."""
    os.makedirs(folder)
    draw = random.Random(1)
    ranks = range(size['words'])
    weights = [1 / (rank + 10) for rank in ranks]
    with open(folder + '/x', 'w') as source, open(folder + '/y', 'w') as target:
        for _ in range(size['lines']):
            line = draw.choices(ranks, weights, k=draw.randint(5, 45))
            for side, shift in ((source, 0), (target, 1)):
                side.write(' '.join('w%d' % ((word + shift) % size['words']) for word in line) + '\n')
    pieces = ['<unk>', '<s>', '</s>'] + ['w%d' % rank for rank in ranks]
    model = {'type': 'WordLevel', 'vocab': {piece: at for at, piece in enumerate(pieces)}, 'unk_token': '<unk>'}
    tokenizer = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': None,
                 'pre_tokenizer': {'type': 'Whitespace'}, 'post_processor': None, 'decoder': None, 'model': model}
    with open(folder + '/words.json', 'w') as out:
        json.dump(tokenizer, out)


class Bench:
    def __init__(self, mmc, worker, folder, torch=None):
        self.mmc, self.folder = os.path.abspath(mmc), folder
        self.environment = dict(os.environ, MMC_WORKER=os.path.abspath(worker))
        if torch:
            before = os.environ.get('LD_LIBRARY_PATH', '')
            self.environment['LD_LIBRARY_PATH'] = os.path.abspath(torch) + ':' + before
        self.failed = []

    def run(self, size, precision, cluster, dropout=0):
        """Plans and trains; the plan's text and the steps' events."""
        name = '%s-%s-%s' % (size['name'], precision, cluster.split('(')[0])
        data = 'data-' + size['name']
        if not os.path.exists('%s/%s' % (self.folder, data)):
            write_text('%s/%s' % (self.folder, data), size)
        text = EXPERIMENT.format(data=data, precision=precision, cluster=cluster, dropout=dropout, **size)
        with open('%s/%s.mmc' % (self.folder, name), 'w') as out:
            out.write(text)
        for arguments in (['plan', name + '.mmc', '-o', name + '.yaml'], ['run', name + '.yaml', '--output', name]):
            subprocess.run([self.mmc] + arguments, cwd=self.folder, env=self.environment, check=True)
        with open('%s/%s/events.jsonl' % (self.folder, name)) as lines:
            events = [json.loads(line) for line in lines]
        with open('%s/%s.yaml' % (self.folder, name)) as plan:
            return plan.read(), [event for event in events if event['event'] == 'step']

    def check(self, what, found, bound):
        kept = found <= bound  # Not with a number that is none.
        verdict = 'ok' if kept else 'FAILED'
        print('%-52s %.2e (at most %.0e) %s' % (what, found, bound, verdict), flush=True)
        if not kept:
            self.failed.append(what)


def losses(steps):
    return [next(iter(step['losses'].values())) for step in steps]


def apart(one, other):
    return max(abs(a - b) for a, b in zip(losses(one), losses(other), strict=True))


def number(plan, name):
    """Of the plan's only rank."""
    return float(re.search(name + r': ([0-9.e+-]+)', plan[plan.index('\nranks:'):]).group(1))


def speed(name, plan, steps, flops):
    warm = steps[len(steps) // 4:]
    seconds = statistics.median(step['seconds'] for step in warm)
    tokens = sum(step['target_tokens'] for step in warm) / sum(step['seconds'] for step in warm)
    predicted = number(plan, 'state_bytes') + number(plan, 'activation_bytes')
    print('%s: %.0f target tokens/s, %.1f ms a step (predicted %.1f), MFU %.1f %%, memory %.2f GB (predicted %.2f)' % (
        name, tokens, seconds * 1e3, number(plan, 'step_seconds') * 1e3,
        100 * number(plan, 'step_flops') / seconds / flops, steps[-1]['memory'] / 1e9, predicted / 1e9), flush=True)


def main():
    bench = Bench(*sys.argv[1:])
    _, cpu = bench.run(CHECK, 'fp32', CPU)
    _, gpu = bench.run(CHECK, 'fp32', GPU)
    bench.check('losses of 50 steps, GPU against CPU', apart(cpu, gpu), 1e-3)
    _, narrow = bench.run(CHECK, 'bf16', GPU)
    bench.check('the same in bf16', apart(cpu, narrow), 5e-2)
    for precision, flops in (('bf16', 990e12), ('fp32', 67e12)):
        plan, steps = bench.run(PAPER, precision, GPU, dropout=0.1)
        speed('the paper\'s model, ' + precision, plan, steps, flops)
    sys.exit('failed: ' + ', '.join(bench.failed) if bench.failed else 0)


main()
