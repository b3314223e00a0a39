#!/usr/bin/env bash
# Train on several devices of one or more machines, or on several CPU
# processes where there is no CUDA device.
#   tools/dist_train.sh CONFIG PROCESSES [arguments of train.py]
# Variables: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [arguments of train.py]" >&2
    exit 2
fi
CONFIG=$1
PROCESSES=$2
shift 2
TOOLS=$(cd "$(dirname "$0")" && pwd)
# The repository comes first, also if another mmdsr is installed.
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${PORT:-29500}" \
    --nproc-per-node "$PROCESSES" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "$@"
