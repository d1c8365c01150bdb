#!/bin/sh
# Slurm HealthCheckProgram: it must drain the node itself, and Slurm ends it after 60 seconds. A node that is fit again
# is resumed only if this check drained it. In slurm.conf: HealthCheckProgram=…/health_check.sh,
# HealthCheckNodeState=IDLE (a busy GPU looks slow), HealthCheckInterval=3600.
# Source: slurm.conf(5), HealthCheckProgram; scontrol(1), update NodeName.
node=${SLURMD_NODENAME:-$(hostname -s)}
PTXPROOF_SECONDS=${PTXPROOF_SECONDS:-50}
export PTXPROOF_SECONDS
line=$("${PTXPROOF_HOOK:-$(dirname "$(readlink -f "$0")")/../ptxproof-sanity}" 2>/dev/null)
case $? in
    1) scontrol update NodeName="$node" State=DRAIN Reason="ptxproof: $line" ;;
    0)
        if scontrol show node "$node" | grep -q 'Reason=ptxproof:'; then
            scontrol update NodeName="$node" State=RESUME
        fi
        ;;
    *) logger -t ptxproof "$line" 2>/dev/null || : ;;
esac
exit 0
