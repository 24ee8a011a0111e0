#!/usr/bin/env python3
"""What a user would write in PyTorch for the model of gpu.py: target tokens a second, milliseconds a step, and memory.

    gpu_step.py DATA [--batch N ...] [--precision bf16|fp32] [--steps 40] [--compile]     one line of JSON for each N

The model is that of the plan: source and target embeddings apart, the output tied to the target's, pre-norm with closing norms, ReLU,
dropout 0.1 but none of attention's weights, sinusoidal positions, no label smoothing. Layers are those of torch.nn, whose attention is
`scaled_dot_product_attention`; bf16 is autocast over weights of 32 bits, fp32 is PyTorch's default, without TF32; then the fused AdamW, a
bound of 1.0 on the gradients' norm, and cross-entropy over all logits. The device is the GPU where there is one.

Batches are those of mmc: 10 000 shuffled lines, sorted by length, in as few and as even batches as N padded tokens of the larger side
allow, shuffled. They are tokenised, cut, padded and pinned before the clock starts, as a loader does that always keeps up; what is timed copies
them to the GPU, and does the rest of the step without waiting for the GPU in between. A first quarter of the steps is not timed.

Attention is not cuDNN's unless asked for: that plans anew for every shape, so that each step of batches of many shapes takes 0.3 s.
"""
import argparse
import gc
import itertools
import json
import math
import random
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

CHUNK = 10_000
UNSCORED = -100


def columns(pair):
    """Of the larger side, with the end or start token."""
    return max(map(len, pair)) + 1


def cut(pairs, most):
    """Pairs sorted by columns, in batches of at most `most` padded tokens."""
    batches = [[]]
    for pair in pairs:
        if batches[-1] and columns(pair) * (len(batches[-1]) + 1) > most:
            batches.append([])
        batches[-1].append(pair)
    return batches


def even(pairs, most):
    """As many batches as `cut` makes, about equally large."""
    fewest = len(cut(pairs, most))
    low, high = columns(pairs[-1]), most
    while low < high:
        middle = (low + high) // 2
        if len(cut(pairs, middle)) > fewest:
            low = middle + 1
        else:
            high = middle
    return cut(pairs, high)


def batches(pairs, most):
    """Endless batches of (source, target) ids."""
    while True:
        random.shuffle(pairs)
        for start in range(0, len(pairs), CHUNK):
            made = even(sorted(pairs[start:start + CHUNK], key=columns), most)
            random.shuffle(made)
            yield from made


def padded(rows, filler):
    width = max(map(len, rows))
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])


def tensors(pairs, bos, eos, pad):
    """Source, which of it is padding (nothing where none is), decoder's input, gold, and the number of scored tokens."""
    source = padded([source + [eos] for source, _ in pairs], pad)
    hidden = source == pad
    target = padded([[bos] + target for _, target in pairs], pad)
    gold = padded([target + [eos] for _, target in pairs], UNSCORED)
    made = [source, hidden if hidden.any() else None, target, gold]
    if torch.cuda.is_available():
        made = [tensor if tensor is None else tensor.pin_memory() for tensor in made]
    return made, sum(len(target) + 1 for _, target in pairs)


class Model(nn.Module):
    def __init__(self, vocabulary, longest, dim, heads, ffn, layers, dropout):
        super().__init__()
        self.source, self.target = nn.Embedding(vocabulary, dim), nn.Embedding(vocabulary, dim)
        for embedding in (self.source, self.target):
            nn.init.normal_(embedding.weight, std=dim ** -0.5)
        of_layer = dict(d_model=dim, nhead=heads, dim_feedforward=ffn, dropout=dropout, batch_first=True, norm_first=True)
        encoder, decoder = nn.TransformerEncoderLayer(**of_layer), nn.TransformerDecoderLayer(**of_layer)
        for attention in (encoder.self_attn, decoder.self_attn, decoder.multihead_attn):
            attention.dropout = 0.0
        self.encoder = nn.TransformerEncoder(encoder, layers, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(decoder, layers, nn.LayerNorm(dim))
        self.dropout = nn.Dropout(dropout)
        at = torch.arange(longest).unsqueeze(1) * torch.exp(torch.arange(dim // 2) * (-math.log(10_000) / (dim // 2)))
        self.register_buffer('positions', torch.cat([at.sin(), at.cos()], 1))
        self.register_buffer('causal', nn.Transformer.generate_square_subsequent_mask(longest))

    def place(self, embedding, ids):
        """Ids `[rows, columns]` to `[rows, columns, dim]`."""
        return self.dropout(embedding(ids) * math.sqrt(embedding.embedding_dim) + self.positions[:ids.shape[1]])

    def forward(self, source, hidden, target):
        """Logits `[rows, columns, vocabulary]`."""
        memory = self.encoder(self.place(self.source, source), src_key_padding_mask=hidden)
        causal = self.causal[:target.shape[1], :target.shape[1]]
        states = self.decoder(self.place(self.target, target), memory, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=hidden)
        return F.linear(states, self.target.weight)


def train(model, prepared, device, precision):
    """Seconds of every timed step, and tokens a second over all of them."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-4, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01, fused=True)
    steps, warmup = len(prepared), 10
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min((step + 1) / warmup, (steps - step) / max(steps - warmup, 1)))
    on_gpu = device.type == 'cuda'
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    marks, tokens = [], 0

    def mark():
        if on_gpu:
            marks.append(torch.cuda.Event(enable_timing=True))
            marks[-1].record()
        else:
            marks.append(time.perf_counter())

    for step, (batch, scored) in enumerate(prepared):
        if step == steps // 4:
            wait()
            began = time.perf_counter()
            mark()
        source, hidden, target, gold = (tensor if tensor is None else tensor.to(device, non_blocking=True) for tensor in batch)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == 'bf16'):
            logits = model(source, hidden, target)
            loss = F.cross_entropy(logits.flatten(0, 1), gold.flatten(), ignore_index=UNSCORED)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step >= steps // 4:
            tokens += scored
            mark()
    wait()
    seconds = time.perf_counter() - began
    each = [one.elapsed_time(other) / 1e3 if on_gpu else other - one for one, other in itertools.pairwise(marks)]
    return each, tokens / seconds, float(loss.detach())


def measured(pairs, most, words, device, given):
    """What is printed of one size of batches."""
    torch.manual_seed(1)
    random.seed(1)
    bos, eos, pad = words['<s>'], words['</s>'], len(words)
    prepared = [tensors(batch, bos, eos, pad) for batch in itertools.islice(batches(pairs, most), given.steps)]
    shape = {name: getattr(given, name) for name in ('dim', 'heads', 'ffn', 'layers', 'dropout')}
    model = Model(len(words) + 1, max(map(columns, pairs)), **shape).to(device)
    parameters = sum(weight.numel() for weight in model.parameters())
    each, rate, loss = train(torch.compile(model, dynamic=True) if given.compile else model, prepared, device, given.precision)
    memory = torch.cuda.max_memory_reserved() if device.type == 'cuda' else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return dict(tokens=rate, ms=1e3 * statistics.median(each), memory=memory, loss=loss, parameters=parameters)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument('data', help='the folder with x, y and words.json')
    parse.add_argument('--batch', type=int, nargs='+', default=[16_384])
    parse.add_argument('--precision', choices=('bf16', 'fp32'), default='bf16')
    parse.add_argument('--compile', action='store_true', help='with torch.compile, in steps that are not timed')
    parse.add_argument('--cudnn', action='store_true', help='with attention by cuDNN, as PyTorch chooses by itself on the newest GPUs')
    for name, default in dict(steps=40, dim=512, heads=8, ffn=2048, layers=6).items():
        parse.add_argument('--' + name, type=int, default=default)
    parse.add_argument('--dropout', type=float, default=0.1)
    given = parse.parse_args()
    torch.backends.cuda.enable_cudnn_sdp(given.cudnn)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    name = torch.cuda.get_device_name() if device.type == 'cuda' else 'CPU'
    with open(given.data + '/words.json') as text:
        words = json.load(text)['model']['vocab']
    sides = ([[words[word] for word in line.split()] for line in open('%s/%s' % (given.data, side))] for side in 'xy')
    pairs = list(zip(*sides, strict=True))
    for most in given.batch:
        result = dict(batch=most, precision=given.precision, compiled=given.compile, device=name)
        try:
            result |= measured(list(pairs), most, words, device, given)
        except RuntimeError as fault:  # Memory that is too small for this size may be enough for the next one.
            result['fault'] = str(fault).splitlines()[0]
        print(json.dumps(result), flush=True)
        gc.collect()
        if device.type == 'cuda':
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


if __name__ == '__main__':
    main()
