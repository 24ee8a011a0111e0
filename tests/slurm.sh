#!/usr/bin/env bash
# A real multi-node launch: a Slurm with two nodes on this machine, one rank a node, the batch script of `mmc emit slurm` unchanged.
# Trains on `mmc synth` text, interrupts the job as Slurm does before a time limit, lets Slurm run it again, looks at the result.
# Needs root, Debian's Slurm packages (installed when missing), and `mmc` and `mmc-worker` in PATH or target/release
# (`cargo xtask worker` builds both). Works in a folder of its own; stops its daemons at the end.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "skipped: a Slurm of its own needs root and apt-get"
    exit 0
fi
configuration=/etc/slurm/slurm.conf
if [ -e "$configuration" ] && ! cmp -s "$repository/tests/slurm/two-nodes.conf" "$configuration"; then
    echo "skipped: this machine has a Slurm already ($configuration)"
    exit 0
fi
export PATH="$PATH:${CARGO_TARGET_DIR:-$repository/target}/release"
for program in mmc mmc-worker; do
    command -v "$program" >/dev/null || { echo "skipped: no $program in PATH or target/release"; exit 0; }
done
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends slurmctld slurmd slurm-client munge
fi

spool=/var/spool/slurm-test
rm -rf "$spool"
mkdir -p /etc/slurm "$spool/state" "$spool/d.n1" "$spool/d.n2" /run/munge
cp "$repository/tests/slurm/two-nodes.conf" "$configuration"
chown munge:munge /run/munge /etc/munge
started=()
stop() {
    if [ -n "${job:-}" ]; then
        scancel --quiet "$job" 2>/dev/null || true
        for _ in $(seq 20); do
            [ "$(squeue --noheader --jobs="$job" 2>/dev/null | wc -l)" = 0 ] && break
            sleep 0.5
        done
    fi
    local processes=()
    for file in "${started[@]}"; do
        if [ -f "$file" ]; then processes+=("$(cat "$file")"); fi
    done
    kill "${processes[@]}" 2>/dev/null || true
    sleep 2
    kill -KILL "${processes[@]}" 2>/dev/null || true
}
trap stop EXIT
pgrep -x slurmctld >/dev/null && { echo "failed: a slurmctld runs already"; exit 1; }
if ! pgrep -x munged >/dev/null; then
    su -s /bin/sh munge -c munged
fi
slurmctld
slurmd -N n1
slurmd -N n2
# Stopped in this order: nodes before the controller, munge last.
started=("$spool/d.n1.pid" "$spool/d.n2.pid" "$spool/ctld.pid" /run/munge/munged.pid)
for _ in $(seq 60); do
    [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null | head -1)" = 2 ] && break
    sleep 1
done
sinfo

folder=$(mktemp -d)
cd "$folder"
cat >two.mmc <<'MMC'
import std.clusters.laptop
experiment two { seed = 1  output = "run" }
languages aa1, aa2
corpus synth {
  train = "corpus/train.{src_lang}" -> "corpus/train.{tgt_lang}"
  valid = "corpus/valid.{src_lang}" -> "corpus/valid.{tgt_lang}"
}
tokenizer pieces { kind = huggingface  file = "corpus/{lang}.json"  train = bpe(pieces = 200) }
tasks translation { pairs = all <-> all  corpus = synth  transforms = [pieces, prefix(target)] }
model {
  dim = 32  heads = 2  ffn = 64  dropout = 0
  encoder = [1 x FULL]
  decoder = [1 x TGT_LANGUAGE]
}
training {
  steps = 40  batch = 256 tokens
  optimizer = adamw(lr = 2e-3)
  schedule = inverse_sqrt(warmup = 20)
}
cluster = laptop(nodes = 2, ranks = 1)
lint { allow = [mmc::lint::single_task_module] }
MMC
mmc synth corpus --families 1 --train 1000 --valid 50 --test 50
mmc tokenizer train two.mmc
mmc plan two.mmc -o plan.yaml
mmc emit slurm plan.yaml >job.sbatch

fail() {
    echo "failed: $1"
    cat ./*.log run/logs/*.log 2>/dev/null || true
    exit 1
}
told() { cat run/events.jsonl 2>/dev/null | grep -c "$1" || true; }
job=$(sbatch --parsable job.sbatch)
for _ in $(seq 600); do
    [ "$(told '"event":"step"')" -ge 4 ] && break
    sleep 0.5
done
[ "$(told '"event":"step"')" -ge 4 ] || fail "no step within five minutes"
scancel --batch --signal=USR1 "$job"
for _ in $(seq 900); do
    [ "$(squeue --noheader --jobs="$job" 2>/dev/null | wc -l)" = 0 ] && break
    # A job that is queued again waits two minutes for its turn, unless it is told to begin.
    scontrol update JobId="$job" StartTime=now 2>/dev/null || true
    sleep 1
done
cat ./*.log
scontrol show job "$job" | grep -E 'JobState|Restarts|NodeList=|NumNodes'
scontrol show job "$job" | grep -q 'JobState=COMPLETED' || fail "the job did not complete"
scontrol show job "$job" | grep -q 'Restarts=1' || fail "the job was not queued again"
[ "$(told '"interrupted":true')" = 1 ] || fail "the signal did not interrupt the run"
[ "$(told '"event":"started"')" = 2 ] || fail "the run did not start twice"
tail -1 run/events.jsonl | grep -q '"step":40,"interrupted":false' || fail "the run did not finish"
mmc translate run --from aa1 --to aa2 --input corpus/test.aa1 --output out
[ "$(wc -l <out)" = 50 ] || fail "not every line was translated"
mmc eval corpus/test.aa2 <out
cd /
rm -r "$folder"
echo "two nodes, one rank each: interrupted, queued again, finished"
