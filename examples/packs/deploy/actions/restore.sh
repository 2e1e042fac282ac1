#!/bin/sh
# Switches one region back to what it served before; see restore.yaml.
set -eu
. ./lib/params.sh
. ./lib/step.sh
target='' version='' region='' step_seconds=0 ledger=''
params target version region step_seconds ledger
step "restore:$region"

home=$target/regions/$region
current=$(readlink -- "$home/current" || true)
if [ -n "$current" ] && [ "$current" = "$version" ]; then
    current=$(cat -- "$home/previous" || true)
    if [ -n "$current" ]; then
        ln -s -- "$current" "$home/current.$$.tmp"
        mv -T -- "$home/current.$$.tmp" "$home/current"
    else
        rm -f -- "$home/current"
    fi
fi
printf '{"region": "%s", "version": "%s"}\n' "$region" "$current"
