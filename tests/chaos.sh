#!/usr/bin/env bash
# Ten minutes, or as many seconds as are said, of whatever may happen to real processes on real
# servers, first with RabbitMQ and then with the database alone: `bash tests/chaos.sh [SECONDS [SEED]]`.
# The first line says which seed it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export STEADFAST_CHAOS_SECONDS="${1:-600}"
if [ -n "${2:-}" ]; then
    export STEADFAST_CHAOS_SEED="$2"
fi
exec cargo test -p steadfast-tests --features servers --test chaos -- --nocapture
