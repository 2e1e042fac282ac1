#!/bin/sh
# Makes the target directory and looks whether it has room; see check_disk.yaml.
set -eu
. ./lib/params.sh
. ./lib/step.sh
target='' min_free_mb=10 step_seconds=0 ledger=''
params target min_free_mb step_seconds ledger
step check_disk

target=${target:-${TMPDIR:-/tmp}/steadfast-deploy}
case $target in
*[\"\\]*) echo 'target: a path without quotes and backslashes, please' >&2; exit 2 ;;
/*) ;;
*) echo "target: '$target' is relative; give an absolute path" >&2; exit 2 ;;
esac
mkdir -p -- "$target/artifacts" "$target/store" "$target/regions"
free_mb=$(df -Pk -- "$target" | awk 'NR == 2 { print int($4 / 1024) }')
if [ "$free_mb" -lt "$min_free_mb" ]; then
    echo "$target has $free_mb MiB free and needs $min_free_mb" >&2
    exit 1
fi
printf '{"target": "%s", "free_mb": %s}\n' "$target" "$free_mb"
