#!/usr/bin/env bash
# Two ranks of one thread with a slow link between them: a step whose gradients are summed in buckets while backward passes go on,
# and one in which they are summed in one bucket behind them. Seconds of a step and of waiting, medians, in turns.
#
#     link.sh MMC WORKER [RATE] [ROUNDS]       RATE as tc has it, e.g. 1000mbit
#
# Needs root and iproute2: each rank lives in a network name space of its own. `LD_LIBRARY_PATH` names libtorch's libraries.
set -euo pipefail
mmc=$(realpath "$1") worker=$(realpath "$2") rate=${3:-1000mbit} rounds=${4:-2}
folder=$(mktemp -d)
cd "$folder"
clean() {
    ip netns del link-a 2>/dev/null || true
    ip netns del link-b 2>/dev/null || true
    rm -rf "$folder"
}
trap clean EXIT

cat > link.mmc <<'MMC'
experiment link { seed = 1 }
languages aa, ab, ba, bb
groups { alpha = [aa, ab]  beta = [ba, bb] }
corpus synth { train = "synth/train.{src_lang}" -> "synth/train.{tgt_lang}" }
tokenizer pieces { kind = huggingface  file = "synth/{lang}.json"  train = bpe(pieces = 500) }
tasks translation { pairs = all <-> all  corpus = synth  transforms = [pieces, prefix(target)] }
model {
  dim = 256  heads = 4  ffn = 1024  dropout = 0.1
  encoder = [2 x SRC_GROUP, 2 x FULL]  decoder = [2 x TGT_GROUP, 1 x FULL]
}
training {
  steps = 16  batch = 2048 tokens  optimizer = adamw(lr = 5e-4)  schedule = inverse_sqrt(warmup = 2)
  shuffle = 1k sentences
}
cluster {
  nodes = 2  ranks = 1
  cpu { memory = 8 GB  fp32 = 60 GFLOP/s }
  links { intra = 1 GB/s  inter = 125 MB/s  latency = 200 us }
}
MMC
"$mmc" synth synth --families alpha=aa,ab beta=ba,bb
"$mmc" tokenizer train link.mmc > /dev/null
"$mmc" plan link.mmc -o buckets.yaml > /dev/null
grep -v '^  bucket: ' buckets.yaml > one.yaml

ip netns add link-a
ip netns add link-b
ip link add va netns link-a type veth peer name vb netns link-b
ip netns exec link-a ip addr add 10.9.0.1/24 dev va
ip netns exec link-b ip addr add 10.9.0.2/24 dev vb
for end in a b; do
    ip netns exec link-$end ip link set lo up
    ip netns exec link-$end ip link set v$end up
    ip netns exec link-$end tc qdisc add dev v$end root tbf rate "$rate" burst 256kb latency 50ms
done

export MASTER_ADDR=10.9.0.1 MASTER_PORT=29511 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1
for _ in $(seq "$rounds"); do
    for plan in one buckets; do
        rm -rf out
        RANK=1 GLOO_SOCKET_IFNAME=vb ip netns exec link-b "$worker" train --plan $plan.yaml --threads 1 --output out > b.log 2>&1 &
        RANK=0 GLOO_SOCKET_IFNAME=va ip netns exec link-a "$worker" train --plan $plan.yaml --threads 1 --output out > a.log 2>&1 || { cat a.log; exit 1; }
        wait
        python3 - "$rate" $plan <<'PY'
import json, statistics, sys
steps = [e for e in map(json.loads, open('out/events.jsonl')) if e['event'] == 'step'][4:]
middle = lambda name: statistics.median(step[name] for step in steps)
print('%s, %-7s  a step %.3f s, of them %.3f s of waiting' % (sys.argv[1], sys.argv[2], middle('seconds'), middle('sync_seconds')))
PY
    done
done
