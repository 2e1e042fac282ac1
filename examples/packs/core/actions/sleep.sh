#!/bin/sh
# The result is written before the wait: `exec` then leaves one process only, which ends at once
# when it is asked to (SIGTERM). Output counts only if the process succeeds.
set -eu
. ./lib/params.sh
seconds=1
params seconds
case $seconds in
'' | . | *[!0-9.]* | *.*.*)
    echo "seconds: '$seconds' is no number of seconds; give for example 1.5" >&2
    exit 2
    ;;
esac
case $seconds in .*) seconds=0$seconds ;; esac
printf '{"seconds": %s}\n' "${seconds%.}"
exec sleep "$seconds"
