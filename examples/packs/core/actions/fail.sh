#!/bin/sh
# STEADFAST_ATTEMPT counts from 1 and makes a failure that goes away as repeatable as one that stays.
set -eu
. ./lib/params.sh
message='failed on purpose' exit_code=1 attempts=0
params message exit_code attempts
attempt=${STEADFAST_ATTEMPT:-1}
if [ "$attempts" -eq 0 ] || [ "$attempt" -le "$attempts" ]; then
    printf '%s\n' "$message" >&2
    exit "$exit_code"
fi
printf '{"attempt": %s}\n' "$attempt"
