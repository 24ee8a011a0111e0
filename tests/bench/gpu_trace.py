#!/usr/bin/env python3
"""Where the time of a step goes on a GPU, by a trace in Kineto's format (`mmc run --profile`, or `export_chrome_trace` of torch.profiler).

    gpu_trace.py TRACE

Times are those of the events on the device: kernels, copies and fills. They may overlap, so that classes can add up to more than the busy time.
"""
import collections
import json
import re
import sys

# Names of kernels by class, the first rule that is found in the name. Names nest others (an element-wise kernel of copies, attention made
# with CUTLASS): what says most comes first. `multi_tensor` are the fused updates, and the norms of all gradients.
CLASSES = [(name, re.compile(rule, re.IGNORECASE)) for name, rule in (
    ('attention', 'fmha|flash|attention|sdpa'),
    ('matrix products', 'gemm|gemv|cutlass|nvjet|xmma|sm90|splitk|cublas'),
    ('optimiser', 'multi_tensor|adam'),
    ('softmax and loss', 'softmax|nll_loss|cross_entropy|logsumexp'),
    ('norms of layers', 'layer_?norm|gammabeta|rms_?norm|rowwisemoments'),
    ('embeddings, indices', 'embedding|gather|scatter|index|sort|compute_grad_weight|krn_partial|cub::'),
    ('copies, casts, fills', 'copy_kernel|catarray|fillfunctor|memcpy|memset'),
    ('reductions', 'reduce|dot_kernel'),
    ('element-wise', 'elementwise|vectorized|dropout'),
)]
OTHER = 'other'
ON_DEVICE = {'kernel', 'gpu_memcpy', 'gpu_memset'}
LONGEST, WIDTH = 25, 110
# What names of kernels can do without where they are shown.
NOISE = re.compile(r'\bvoid |\bat::native::|\(anonymous namespace\)::')


def kind(name):
    """The class of a device's event."""
    return next((known for known, rule in CLASSES if rule.search(name)), OTHER)


def busy(events):
    """Microseconds in which at least one of the events runs."""
    total, end = 0.0, float('-inf')
    for began, ended in sorted((event['ts'], event['ts'] + event['dur']) for event in events):
        total += max(0.0, ended - max(began, end))
        end = max(end, ended)
    return total


def summed(events, key):
    """(key, microseconds, count), the longest in total first."""
    sums = collections.defaultdict(lambda: [0.0, 0])
    for event in events:
        entry = sums[key(event['name'])]
        entry[0] += event['dur']
        entry[1] += 1
    return sorted(((name, *entry) for name, entry in sums.items()), key=lambda row: (-row[1], row[0]))


def report(trace):
    """The lines of the tables of a trace, parsed."""
    whole = [event for event in trace['traceEvents'] if event.get('ph') == 'X']
    device = [event for event in whole if event.get('cat') in ON_DEVICE]
    if not device:
        raise ValueError('the trace has no event of a device')
    span = max(event['ts'] + event['dur'] for event in device) - min(event['ts'] for event in device)
    used = busy(device)
    on_host = collections.Counter(event.get('cat') for event in whole)
    launches = sum(event.get('cat') == 'cuda_runtime' and 'Launch' in event['name'] for event in whole)
    yield 'device: %d events in %.2f ms, busy for %.2f ms (%.1f %%)' % (len(device), span / 1e3, used / 1e3, 100 * used / max(span, 1e-9))
    yield 'host: %d operations, %d calls of the CUDA runtime, of them %d launches' % (on_host['cpu_op'], on_host['cuda_runtime'], launches)
    yield '%-24s %9s %9s %7s' % ('class', 'ms', 'of busy', 'count')
    for name, spent, count in summed(device, kind):
        yield '%-24s %9.3f %7.1f %% %7d' % (name, spent / 1e3, 100 * spent / max(used, 1e-9), count)
    yield '%9s %7s  %s' % ('ms', 'count', 'longest in total')
    for name, spent, count in summed(device, lambda name: name)[:LONGEST]:
        yield '%9.3f %7d  %s' % (spent / 1e3, count, NOISE.sub('', name)[:WIDTH])


def read(path):
    with open(path) as text:
        return json.load(text)


if __name__ == '__main__':
    print('\n'.join(report(read(sys.argv[1]))))
