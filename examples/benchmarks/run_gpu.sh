#!/bin/sh
# The table of all nets on this machine's accelerator, within 8 minutes, without network and without PyAV:
#   examples/benchmarks/run_gpu.sh > table.md
# Options are those of devices.py beside it. PYTHON names the interpreter that has torch; vsr need not be installed.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
exec "${PYTHON:-python3}" "$here/devices.py" "$@"
