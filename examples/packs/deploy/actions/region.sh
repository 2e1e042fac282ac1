#!/bin/sh
# Puts a version into one region and switches to it; see region.yaml. Running it again changes
# nothing more: `previous` stays what it was before the first attempt.
set -eu
. ./lib/params.sh
. ./lib/step.sh
target='' version='' region='' fail=false step_seconds=0 ledger=''
params target version region fail step_seconds ledger
step "region:$region"

home=$target/regions/$region
mkdir -p -- "$home/$version"
cp -- "$target/store/site-$version.html" "$home/$version/index.html.$$.tmp"
mv -- "$home/$version/index.html.$$.tmp" "$home/$version/index.html"

current=$(readlink -- "$home/current" || true)
if [ "$current" != "$version" ]; then
    printf '%s\n' "$current" >"$home/previous.$$.tmp"
    mv -- "$home/previous.$$.tmp" "$home/previous"
    ln -s -- "$version" "$home/current.$$.tmp"
    mv -T -- "$home/current.$$.tmp" "$home/current"
fi
if [ "$fail" = true ]; then
    echo "$region: version $version does not answer after the switch" >&2
    exit 1
fi
printf '{"region": "%s", "version": "%s", "previous": "%s"}\n' \
    "$region" "$version" "$(cat -- "$home/previous")"
