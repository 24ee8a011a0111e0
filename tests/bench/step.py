#!/usr/bin/env python3
"""Training of tests/bench/tiny.mmc's model in plain PyTorch: the time of a step and the peak of memory.

Reads the same lines, in batches made alike (shuffled, sorted by length, at most 2048 padded tokens of the larger side), one
task a step. Layers are those of torch.nn (pre-norm, GELU), the optimiser is the fused AdamW, one thread.

    step.py DATA [STEPS]        DATA: the folder with train.copy-copy.src and so on
"""
import math
import random
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

DIM, HEADS, INNER, LAYERS, TOKENS = 128, 2, 512, 2, 2048
BOS, EOS = 1, 2
SYMBOLS = {'w%d' % i: 3 + i for i in range(20)}


def batches(folder, task):
    """Endless batches of (source, target) rows."""
    sides = [open('%s/train.%s-%s.%s' % (folder, task, task, side)).read().splitlines() for side in ('src', 'tgt')]
    rows = [[[SYMBOLS[w] for w in line.split()] for line in side] for side in sides]
    pairs = list(zip(*rows))
    while True:
        random.shuffle(pairs)
        for start in range(0, len(pairs), 10_000):
            chunk = sorted(pairs[start:start + 10_000], key=lambda pair: len(pair[0]))
            cut, widest = [[]], 0
            for pair in chunk:
                widest = max(widest, len(pair[0]) + 1)
                if cut[-1] and widest * (len(cut[-1]) + 1) > TOKENS:
                    cut.append([])
                    widest = len(pair[0]) + 1
                cut[-1].append(pair)
            random.shuffle(cut)
            yield from cut


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def embedding(size):
    table = nn.Embedding(size, DIM)
    nn.init.normal_(table.weight, std=DIM ** -0.5)
    return table


class Decoder(nn.Module):
    """A target embedding, tied to the output, and its decoder."""

    def __init__(self, size):
        super().__init__()
        self.embed = embedding(size)
        layer = nn.TransformerDecoderLayer(DIM, HEADS, INNER, 0.0, 'gelu', batch_first=True, norm_first=True)
        self.stack = nn.TransformerDecoder(layer, LAYERS, nn.LayerNorm(DIM))


class Model(nn.Module):
    """One encoder, a decoder for each task."""

    def __init__(self, size, tasks):
        super().__init__()
        self.embed = embedding(size)
        layer = nn.TransformerEncoderLayer(DIM, HEADS, INNER, 0.0, 'gelu', batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(DIM), enable_nested_tensor=False)
        self.decoders = nn.ModuleDict({task: Decoder(size) for task in tasks})
        at = torch.arange(256).unsqueeze(1) * torch.exp(torch.arange(DIM // 2) * (-math.log(10000) / (DIM // 2)))
        self.register_buffer('positions', torch.cat([at.sin(), at.cos()], 1))

    def place(self, embed, ids):
        return embed(ids) * math.sqrt(DIM) + self.positions[:ids.shape[1]]

    def forward(self, task, source, hidden, target):
        if not hidden.any():
            hidden = None
        memory = self.encoder(self.place(self.embed, source), src_key_padding_mask=hidden)
        decoder = self.decoders[task]
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        states = decoder.stack(self.place(decoder.embed, target), memory, tgt_mask=causal, tgt_is_causal=True,
                               memory_key_padding_mask=hidden)
        return F.linear(states, decoder.embed.weight)


def main(folder, steps):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    random.seed(1)
    tasks = ['copy', 'rev']
    model = Model(3 + len(SYMBOLS), tasks)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0, fused=True)
    streams = {task: batches(folder, task) for task in tasks}
    tokens = 0
    warm = min(20, steps // 2)
    for step in range(steps):
        if step == warm:
            began, cpu = time.perf_counter(), time.process_time()
        task = random.choice(tasks)
        rows = next(streams[task])
        source = padded([pair[0] + [EOS] for pair in rows])
        target = padded([[BOS] + pair[1] for pair in rows])
        gold = padded([pair[1] + [EOS] for pair in rows])
        lengths = torch.tensor([len(pair[0]) + 1 for pair in rows])
        hidden = torch.arange(source.shape[1]) >= lengths.unsqueeze(1)
        gold = gold.masked_fill(hidden, -100)
        logits = model(task, source, hidden, target)
        scored = int(lengths.sum())
        loss = F.cross_entropy(logits.flatten(0, 1), gold.flatten(), ignore_index=-100, label_smoothing=0.1, reduction='sum')
        optimiser.zero_grad(set_to_none=True)
        (loss / scored).backward()
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 1.0)
        optimiser.step()
        if step >= warm:
            tokens += scored
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    timed = steps - warm
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print('loss %.3f  wall %.2f ms a step  cpu %.2f ms a step  %.0f target tokens/s  %.0f tokens/cpu s  peak %d MB'
          % (float(loss.detach()) / scored, 1e3 * wall / timed, 1e3 * cpu / timed, tokens / wall, tokens / cpu, peak))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200)
