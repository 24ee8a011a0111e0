#!/usr/bin/env bash
# A real multi-node launch: two Slurm nodes on this machine, one rank a node, the batch script of `mmc emit slurm` unchanged.
# Usage: tests/slurm.sh EXPERIMENT.mmc (its corpus and tokenizers in place; its cluster has two nodes of one CPU device).
# Needs root, Debian's Slurm packages (installed when missing) and `cargo xtask worker` done. Stops its daemons at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
experiment=${1:?usage: tests/slurm.sh EXPERIMENT.mmc}
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "skipped: a Slurm of its own needs root and apt-get"
    exit 0
fi
programs=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
export PATH="$programs:$PATH"
if ! command -v slurmctld >/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends slurmctld slurmd slurm-client munge
fi
spool=/var/spool/slurm-test
mkdir -p /etc/slurm "$spool/state" "$spool/d.n1" "$spool/d.n2" /run/munge
cp tests/slurm/two-nodes.conf /etc/slurm/slurm.conf
chown munge:munge /run/munge /etc/munge
stop() {
    for file in "$spool"/d.n1.pid "$spool"/d.n2.pid "$spool"/ctld.pid /run/munge/munged.pid; do
        [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
    done
}
trap stop EXIT
pgrep -x munged >/dev/null || su -s /bin/sh munge -c munged
slurmctld
slurmd -N n1
slurmd -N n2
for _ in $(seq 30); do
    [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null | head -1)" = 2 ] && break
    sleep 1
done
sinfo
script=$(mktemp --suffix=.sbatch)
mmc emit slurm "$experiment" >"$script"
cat "$script"
mkdir -p logs
job=$(sbatch --parsable "$script")
while squeue --noheader --jobs="$job" 2>/dev/null | grep -q .; do sleep 2; done
scontrol show job "$job" | grep -E 'JobState|ExitCode|NodeList='
scontrol show job "$job" | grep -q 'JobState=COMPLETED'
