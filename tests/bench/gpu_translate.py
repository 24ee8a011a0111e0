#!/usr/bin/env python3
"""Translation on a GPU beside the CPU's: a small model is trained on the CPU, and both translate the same lines by it.

    gpu_translate.py MMC WORKER FOLDER [TORCH] [--device cpu]

MMC and WORKER: the two programs; FOLDER: an empty one to work in; TORCH: the folder `lib` of a libtorch for GPUs of the
worker's version, when the worker was built against one for processors. With `--device cpu` the CPU is compared with itself.
Needs nothing but Python. Ends with 1 when a check fails.
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys

EXPERIMENT = '''import std.clusters.laptop
experiment toys { seed = 1 }
languages x, copy, rev
corpus toys { train = "{tgt_lang}.src" -> "{tgt_lang}.tgt" }
tokenizer words { kind = huggingface  file = "words.json" }
tasks toy { pairs = x -> [copy, rev]  corpus = toys  transforms = [words] }
model {
  dim = 128  heads = 2  ffn = 512  dropout = 0
  encoder = [2 x FULL]  decoder = [2 x TGT_LANGUAGE]
  embeddings { source = FULL  target = TGT_LANGUAGE }
}
training {
  steps = STEPS  batch = 2048 tokens  optimizer = adamw(lr = 1e-3, betas = (0.9, 0.98), weight_decay = 0)
  schedule = linear(warmup = 60)  clip = 1.0  label_smoothing = 0.1
}
cluster = laptop(ranks = 1)
'''.replace('STEPS', '300')
SYMBOLS = ['s%d' % symbol for symbol in range(20)]
LINES = 1000

# What is compared: a name, the columns of the input, and the options. The first two are timed.
SEARCHES = (
    ('greedy', 1, ['--beam', '1']),
    ('beam 5', 1, ['--beam', '5']),
    ('beam 5, coverage, no repetition', 1, ['--beam', '5', '--coverage-penalty', '0.2', '--no-repeat', '2']),
    ('a given beginning', 2, ['--beam', '5', '--given', 'prefix']),
    ('some symbols only', 1, ['--beam', '5', '--only', 'some']),
    ('sampling', 1, ['--sample', '--seed', '1', '--top-k', '5']),
)
SCORED = ('given translations', 2, ['--given', 'translation', '--coverage-penalty', '0.2'])


def write(path, lines):
    with open(path, 'w') as out:
        out.writelines(line + '\n' for line in lines)


def write_text(folder):
    """Lines to copy and to reverse, those to translate with one and with two columns, and a tokenizer of whole words."""
    draw = random.Random(1)
    lines = [draw.choices(SYMBOLS, k=draw.randint(4, 10)) for _ in range(20_000 + LINES)]
    test, train = lines[:LINES], lines[LINES:]
    for language, step in (('copy', 1), ('rev', -1)):
        write('%s/%s.src' % (folder, language), [' '.join(line) for line in train])
        write('%s/%s.tgt' % (folder, language), [' '.join(line[::step]) for line in train])
    write(folder + '/columns.1', [' '.join(line) for line in test])
    # Of differing lengths, and some are wrong.
    write(folder + '/columns.2', [' '.join(line) + '\t' + ' '.join(line[::-1][:1 + at % 5]) for at, line in enumerate(test)])
    write(folder + '/some', SYMBOLS[:15])
    pieces = ['<unk>', '<s>', '</s>'] + SYMBOLS
    model = {'type': 'WordLevel', 'vocab': {piece: at for at, piece in enumerate(pieces)}, 'unk_token': '<unk>'}
    tokenizer = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': None,
                 'pre_tokenizer': {'type': 'Whitespace'}, 'post_processor': None, 'decoder': None, 'model': model}
    with open(folder + '/words.json', 'w') as out:
        json.dump(tokenizer, out)


class Bench:
    def __init__(self, arguments):
        self.mmc, self.folder = os.path.abspath(arguments.mmc), arguments.folder
        self.environment = dict(os.environ, MMC_WORKER=os.path.abspath(arguments.worker))
        if arguments.torch:
            before = os.environ.get('LD_LIBRARY_PATH', '')
            self.environment['LD_LIBRARY_PATH'] = os.path.abspath(arguments.torch) + ':' + before
        self.failed = []

    def mmc_run(self, words, **more):
        return subprocess.run([self.mmc] + words, cwd=self.folder, env=self.environment, check=True, **more)

    def train(self):
        os.makedirs(self.folder, exist_ok=True)
        write_text(self.folder)
        with open(self.folder + '/toys.mmc', 'w') as out:
            out.write(EXPERIMENT)
        self.mmc_run(['plan', 'toys.mmc', '-o', 'toys.yaml'])
        self.mmc_run(['run', 'toys.yaml', '--output', 'run'])

    def translate(self, device, columns, options):
        """What is written, line by line, and lines a second without the reading of modules."""
        words = ['translate', 'run', '--from', 'x', '--to', 'rev', '--input', 'columns.%d' % columns, '--device', device]
        done = self.mmc_run(words + ['--stats'] + options, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        rate = float(re.search(r'([0-9.]+) a second', done.stderr).group(1))
        found = [line.split('\t') for line in done.stdout.splitlines()]
        assert len(found) == LINES, done.stderr
        return found, rate

    def check(self, what, kept):
        if not kept:
            self.failed.append(what)
        return 'ok' if kept else 'FAILED'


def furthest(pairs):
    """The largest difference of numbers; infinite where one of them is none."""
    apart = [abs(float(one) - float(other)) for one, other in pairs]
    return max(apart) if all(value == value for value in apart) else float('inf')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ('mmc', 'worker', 'folder'):
        parser.add_argument(name)
    parser.add_argument('torch', nargs='?')
    parser.add_argument('--device', choices=('cpu', 'gpu'), default='gpu', help='what is compared with the CPU')
    arguments = parser.parse_args()
    bench, device = Bench(arguments), arguments.device
    bench.train()
    print('lines a second: CPU, then ' + device.upper())
    for name, columns, options in SEARCHES:
        ours, ours_rate = bench.translate('cpu', columns, options + ['--scores'])
        theirs, theirs_rate = bench.translate(device, columns, options + ['--scores'])
        alike = [(one[0], other[0]) for one, other in zip(ours, theirs) if one[1] == other[1]]
        apart = furthest(alike) if alike else float('inf')
        verdict = bench.check(name, len(alike) >= 0.99 * LINES and apart <= 1e-3)
        print('%-34s %8.1f %8.1f  %5.1f %% alike, scores %.1e apart %s' % (
            name, ours_rate, theirs_rate, 100 * len(alike) / LINES, apart, verdict), flush=True)
    name, columns, options = SCORED
    (ours, ours_rate), (theirs, theirs_rate) = (bench.translate(on, columns, options) for on in ('cpu', device))
    apart = furthest((one[0], other[0]) for one, other in zip(ours, theirs))
    verdict = bench.check(name, apart <= 1e-3)
    print('%-34s %8.1f %8.1f  scores %.1e apart %s' % (name, ours_rate, theirs_rate, apart, verdict), flush=True)
    right = sum(one[1].split() == line.split()[::-1] for one, line in zip(
        bench.translate('cpu', 1, ['--beam', '5', '--scores'])[0], open(bench.folder + '/columns.1')))
    print('%.1f %% are right' % (100 * right / LINES))
    sys.exit('failed: ' + ', '.join(bench.failed) if bench.failed else 0)


main()
