#!/usr/bin/env python3
"""Training and translation of a small model beside MAMMOTH and plain PyTorch, in one run on an idle machine.

    peer.py MMC WORKER BIN PEER [STEPS] [ROUNDS]

MMC and WORKER are the programs; BIN is the folder of programs of a venv with `mammoth-nlp` and torch 2.11; PEER holds `make_tiny.py`
and `tiny.template.yaml`: two toy tasks of 20 000 lines, width 128, 2 and 2 layers, batches of 2048 tokens. `LD_LIBRARY_PATH` names
libtorch's libraries for WORKER alone.

ROUNDS times, in turns: MAMMOTH, mmc and `step.py` with one thread, then MAMMOTH with two threads and mmc with two ranks of one thread,
each for STEPS steps, and two runs of mmc with one thread at once: what two cores are worth in that minute. Shown are target tokens a second (medians of MAMMOTH's reports but the first, and of mmc's steps but the first
20), and the most memory of all processes together: resident, and with what is shared counted once. Then both train 500 steps, and
translate the test lines once and eleven times over: seconds a line are the difference, the rest is the start. The exit status says
whether the limits that are printed were kept.
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SYMBOLS = 20
REPORT = re.compile(rb'Step +(\d+)/.*; *(\d+)/(\d+) tok/s')


def memory(session):
    """Resident and proportional bytes of all processes of a session."""
    resident = proportional = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            if os.getsid(int(pid)) != session:
                continue
            with open('/proc/%s/smaps_rollup' % pid) as file:
                sizes = dict(line.split()[:2] for line in file if line[:3] in ('Rss', 'Pss'))
        except (OSError, ValueError):
            continue
        resident += int(sizes.get('Rss:', 0)) * 1024
        proportional += int(sizes.get('Pss:', 0)) * 1024
    return resident, proportional


def watched(command, log, **environment):
    """Runs a command; its seconds and the most memory of its processes, looked at twice a second."""
    with open(log, 'wb') as out:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment}, start_new_session=True)
        most = (0, 0)
        while child.poll() is None:
            most = tuple(map(max, most, memory(child.pid)))
            try:
                child.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
    if child.returncode:
        sys.exit('%s failed: see its end:\n%s' % (command[0], open(log, errors='replace').read()[-2000:]))
    return time.perf_counter() - began, most


class Bench:
    def __init__(self, mmc, worker, programs, peer, steps):
        self.mmc, self.worker, self.programs, self.peer, self.steps = mmc, worker, programs, peer, steps
        subprocess.run([sys.executable, os.path.join(peer, 'make_tiny.py')], check=True)
        words = ['<unk>', '<s>', '</s>'] + ['w%d' % i for i in range(SYMBOLS)]
        model = {'type': 'WordLevel', 'vocab': {word: i for i, word in enumerate(words)}, 'unk_token': '<unk>'}
        added = [{'id': i, 'content': words[i], 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False, 'special': True} for i in range(3)]
        tokenizer = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': added, 'normalizer': None,
                     'pre_tokenizer': {'type': 'WhitespaceSplit'}, 'post_processor': None, 'decoder': None, 'model': model}
        with open('data/tiny/words.json', 'w') as file:
            json.dump(tokenizer, file)
        self.configuration = self.configured()

    def configured(self):
        """MAMMOTH's configuration for one CPU."""
        stages = [['config_all', '--in_config', os.path.join(self.peer, 'tiny.template.yaml'), '--out_config', 'gpu.yaml', '--n_nodes', '1', '--n_gpus_per_node', '1'],
                  ['extra_cpu', '--in_config', 'gpu.yaml', '--out_config', 'cpu.yaml']]
        for stage in stages:
            watched([os.path.join(self.programs, 'mammoth_config_config'), *stage], 'stage.log', LD_LIBRARY_PATH='')
        return open('cpu.yaml').read()

    def mammoth(self, threads, steps):
        text = re.sub(r'(?m)^(train_steps|valid_steps|save_checkpoint_steps): .*', r'\1: %d' % steps, self.configuration)
        with open('train.yaml', 'w') as file:
            file.write(text)
        _, most = watched([os.path.join(self.programs, 'mammoth_train'), '--config', 'train.yaml', '--node_rank', '0'], 'mammoth.log',
                          OMP_NUM_THREADS=str(threads), LD_LIBRARY_PATH='')
        reports = [int(found.group(3)) for found in REPORT.finditer(open('mammoth.log', 'rb').read())]
        return statistics.median(reports[1:]), most

    def planned(self, ranks, steps, *folders):
        """A plan, and no folder of an earlier run."""
        subprocess.run([self.mmc, 'plan', os.path.join(HERE, 'tiny.mmc'), '-p', 'steps=%d' % steps, '-p', 'ranks=%d' % ranks, '-o', 'tiny.yaml'],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def ours(self, ranks, steps):
        self.planned(ranks, steps, 'runs')
        _, most = watched([self.mmc, 'run', 'tiny.yaml', '--worker', self.worker, '--threads', '1'], 'ours.log', OMP_NUM_THREADS='1')
        return self.rate('runs/tiny'), most

    def apart(self, steps):
        """Two runs at once that know nothing of each other: what the machine's two cores are worth."""
        self.planned(1, steps, 'apart0', 'apart1')
        runs = [subprocess.Popen([self.mmc, 'run', 'tiny.yaml', '--output', 'apart%d' % run, '--worker', self.worker, '--threads', '1'],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, 'OMP_NUM_THREADS': '1'}) for run in range(2)]
        if any(run.wait() for run in runs):
            sys.exit('two runs at once failed')
        return sum(self.rate('apart%d' % run) for run in range(2)), None

    def rate(self, folder):
        self.events = [json.loads(line) for line in open(os.path.join(folder, 'events.jsonl'))]
        done = [event for event in self.events if event['event'] == 'step'][20:]
        return statistics.median(event['target_tokens'] / event['seconds'] for event in done)

    def torch(self):
        _, most = watched([os.path.join(self.programs, 'python'), os.path.join(HERE, 'step.py'), 'data/tiny', str(self.steps)], 'torch.log',
                          OMP_NUM_THREADS='1', LD_LIBRARY_PATH='')
        return int(re.search(r'(\d+) target tokens/s', open('torch.log').read()).group(1)), most

    def translations(self, task, lines, beam, peer):
        """Seconds that one of the programs takes for `lines`, and what it wrote."""
        with open('in', 'w') as file:
            file.writelines(lines)
        if os.path.exists('out'):
            os.remove('out')
        if peer:
            search = ['--random_sampling_topk', '1', '--beam_size', '1'] if beam == 1 else ['--beam_size', str(beam)]
            command = [os.path.join(self.programs, 'mammoth_translate'), '--config', 'train.yaml', '--seed', '1', '--model', 'models/tiny_step_500',
                       *search, '--max_length', '20', '--batch_size', '50', '--task_id', '%s-%s' % (task, task), '--src', 'in', '--output', 'out']
            took, _ = watched(command, 'translate.log', OMP_NUM_THREADS='1', LD_LIBRARY_PATH='', TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
        else:
            command = [self.mmc, 'translate', 'tiny.yaml', '--worker', self.worker, '--threads', '1', '--from', 'x', '--to', task, '--beam', str(beam),
                       '--input', 'in', '--output', 'out']
            took, _ = watched(command, 'translate.log', OMP_NUM_THREADS='1')
        return took, open('out').read().splitlines()

    def decoding(self, task, beam, peer):
        """Seconds of the start, lines a second, and exact matches in percent."""
        lines, gold = (open('data/tiny/test.%s-%s.%s' % (task, task, side)).readlines() for side in ('src', 'tgt'))
        once = min(self.translations(task, lines, beam, peer)[0] for _ in range(3))
        often, written = self.translations(task, lines * 11, beam, peer)
        each = max(often - once, 1e-9) / (10 * len(lines))
        exact = sum(line.strip() == want.strip() for line, want in zip(written, gold))
        return once - len(lines) * each, 1 / each, 100 * exact / len(gold)


def shown(name, tokens, most):
    held = '   %5.0f MB resident, %5.0f MB proportional' % (most[0] / 1e6, most[1] / 1e6) if most else ''
    print('%-34s %8.0f target tokens/s%s' % (name, tokens, held))


def limit(text, value, bound, least=True):
    kept = value >= bound if least else value <= bound
    print('%-66s %8.2f   limit %s %.2f: %s' % (text, value, '>=' if least else '<=', bound, 'kept' if kept else 'NOT KEPT'))
    return kept


def main(mmc, worker, programs, peer, steps=200, rounds=3):
    bench = Bench(*map(os.path.abspath, (mmc, worker, programs, peer)), int(steps))
    names = ['MAMMOTH, one thread', 'mmc, one thread', 'PyTorch, one thread', 'MAMMOTH, two threads', 'mmc, two ranks of one thread', 'mmc, two runs apart, together']
    print('load of the machine before: %s' % open('/proc/loadavg').read().strip())
    runs = [lambda: bench.mammoth(1, bench.steps), lambda: bench.ours(1, bench.steps), bench.torch,
            lambda: bench.mammoth(2, bench.steps), lambda: bench.ours(2, bench.steps), lambda: bench.apart(bench.steps)]
    measured = [[run() for run in runs] for _ in range(int(rounds))]
    tokens = [statistics.median(row[i][0] for row in measured) for i in range(len(runs))]
    most = [measured[0][i][1] and tuple(max(row[i][1][part] for row in measured) for part in (0, 1)) for i in range(len(runs))]
    for row in zip(names, tokens, most):
        shown(*row)
    print('two runs that know nothing of each other: %.2f of one; two ranks: %.2f of those two' % (tokens[5] / tokens[1], tokens[4] / tokens[5]))
    kept = [limit('target tokens/s of MAMMOTH, one thread, times', tokens[1] / tokens[0], 1.5),
            limit('target tokens/s of MAMMOTH, two threads, times', tokens[4] / tokens[3], 1.9),
            limit('target tokens/s of one rank, two ranks, times', tokens[4] / tokens[1], 1.8),
            limit('time of a step of PyTorch', tokens[2] / tokens[1], 1.0, least=False),
            limit('memory of PyTorch, resident', most[1][0] / most[2][0], 1.0, least=False),
            limit('memory of MAMMOTH, one thread, resident', most[1][0] / most[0][0], 0.5, least=False),
            limit('memory of MAMMOTH, one thread, proportional', most[1][1] / most[0][1], 0.5, least=False),
            limit('memory of MAMMOTH, two threads, proportional', most[4][1] / most[3][1], 0.5, least=False)]
    bench.mammoth(2, 500)
    bench.ours(1, 500)
    validated = [event for event in bench.events if event['event'] == 'validated'][-1]
    kept.append(limit('perplexity of validation after 500 steps', 2.718281828459045 ** validated['loss'], 2.27, least=False))
    for task, bar in (('copy', 85), ('rev', 50)):
        for beam in (1, 5):
            (start, rate, exact), (peer_start, peer_rate, peer_exact) = (bench.decoding(task, beam, peer) for peer in (False, True))
            print('%s, beam %d: mmc %.2f s to start, %.0f lines/s, %.0f %% exact; MAMMOTH %.2f s, %.0f lines/s, %.0f %%'
                  % (task, beam, start, rate, exact, peer_start, peer_rate, peer_exact))
            kept += [limit('  lines/s of MAMMOTH, times', rate / peer_rate, 5), limit('  seconds to start', start, 1, least=False),
                     limit('  exact match in percent', exact, bar + 1)]
    print('load of the machine after: %s' % open('/proc/loadavg').read().strip())
    sys.exit(0 if all(kept) else 1)


if __name__ == '__main__':
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    arguments = [os.path.abspath(path) for path in sys.argv[1:5]] + sys.argv[5:]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(*arguments)
