#!/usr/bin/env bash
# A real multi-node launch: a Slurm with two nodes on this machine, one rank a node, the batch script of `mmc emit slurm` unchanged.
# Needs root, Debian's Slurm packages (installed when missing) and `cargo xtask worker` done. Works in runs/slurm; stops its daemons.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "skipped: a Slurm of its own needs root and apt-get"
    exit 0
fi
configuration=/etc/slurm/slurm.conf
if [ -e "$configuration" ] && ! cmp -s tests/slurm/two-nodes.conf "$configuration"; then
    echo "skipped: this machine has a Slurm already ($configuration)"
    exit 0
fi
programs=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
export PATH="$programs:$PATH"
if ! command -v slurmctld >/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends slurmctld slurmd slurm-client munge
fi
spool=/var/spool/slurm-test
rm -rf "$spool"
mkdir -p /etc/slurm "$spool/state" "$spool/d.n1" "$spool/d.n2" /run/munge
cp tests/slurm/two-nodes.conf "$configuration"
chown munge:munge /run/munge /etc/munge
stop() {
    for file in "$spool"/d.n1.pid "$spool"/d.n2.pid "$spool"/ctld.pid /run/munge/munged.pid; do
        if [ -f "$file" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
    done
}
trap stop EXIT
pgrep -x munged >/dev/null || su -s /bin/sh munge -c munged
(cd / && slurmctld && slurmd -N n1 && slurmd -N n2)
for _ in $(seq 60); do
    [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null | head -1)" = 2 ] && break
    sleep 1
done
sinfo

rm -rf runs/slurm
mkdir -p runs/slurm
cd runs/slurm
mmc synth corpus --families 1 --train 500 --valid 20 --test 20
cat >two-nodes.mmc <<'END'
import std.clusters.laptop
experiment two-nodes { seed = 1  output = "out" }
languages aa1, aa2
corpus text {
  train = "corpus/train.{src_lang}" -> "corpus/train.{tgt_lang}"
  valid = "corpus/valid.{src_lang}" -> "corpus/valid.{tgt_lang}"
}
tokenizer pieces { kind = huggingface  file = "corpus/{lang}.json"  train = bpe(pieces = 200) }
tasks translation { pairs = all <-> all  corpus = text  transforms = [pieces] }
model { dim = 32  heads = 2  ffn = 64  encoder = [1 x FULL]  decoder = [1 x TGT_LANGUAGE] }
training { steps = 20  batch = 256 tokens  optimizer = adamw(lr = 1e-3)  schedule = constant }
cluster = laptop(nodes = 2, ranks = 1)
END
mmc tokenizer train two-nodes.mmc
mmc plan two-nodes.mmc -o plan.yaml
mmc emit slurm two-nodes.mmc >job.sh
job=$(sbatch --parsable job.sh)
while squeue --noheader --jobs="$job" 2>/dev/null | grep -q .; do sleep 1; done
cat ./*"$job".log
scontrol show job "$job" | grep -E 'JobState|NodeList=|NumNodes'
scontrol show job "$job" | grep -q 'JobState=COMPLETED'
tail -1 out/events.jsonl | grep '"finished"'
