#!/bin/bash
# lm: 2 ranks, one a device. Submit in the folder of plan.yaml; a job that was cut off goes on from its last checkpoint.
#SBATCH --job-name=lm
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append

set -euo pipefail
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"

# Slurm signals this shell alone: the ranks are told, write a checkpoint and end with 75, and the job is queued again.
resume=()
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then resume=(--resume); fi
srun --kill-on-bad-exit=1 mmc run plan.yaml "${resume[@]}" &
ranks=$!
trap 'kill -USR1 "$ranks" 2>/dev/null' USR1 TERM
code=0
wait "$ranks" || code=$?
while kill -0 "$ranks" 2>/dev/null; do
  code=0
  wait "$ranks" || code=$?
done
if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
