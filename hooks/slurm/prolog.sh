#!/bin/sh
# Slurm Prolog: a machine that is not fit fails it, and Slurm drains the node and requeues the job. Where nothing could
# be judged (a node without GPU) the job goes on. In slurm.conf: Prolog=/opt/ptxproof/hooks/slurm/prolog.sh and
# PrologEpilogTimeout above PTXPROOF_SECONDS. Source: slurm.conf(5), Prolog and Epilog Scripts.
if [ -z "$SLURM_JOB_GPUS$CUDA_VISIBLE_DEVICES$PTXPROOF_ALWAYS" ]; then
    exit 0  # a job that asks for no GPU does not wait for the check
fi
line=$("${PTXPROOF_HOOK:-$(dirname "$(readlink -f "$0")")/../ptxproof-sanity}" 2>/dev/null)
code=$?
if [ "$code" -eq 1 ]; then
    echo "print $line"
    exit 1
fi
exit 0
