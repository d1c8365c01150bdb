"""The sanity check: is this machine fit for that workload? One command, half a minute, exit 0, 1 or 2."""
