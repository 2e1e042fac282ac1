#!/bin/sh
# Copies what was built to the store; see upload.yaml.
set -eu
. ./lib/params.sh
. ./lib/step.sh
target='' version='' sha256='' failures=0 step_seconds=0 ledger=''
params target version sha256 failures step_seconds ledger
step upload

attempt=${STEADFAST_ATTEMPT:-1}
if [ "$attempt" -le "$failures" ]; then
    echo "the store did not answer (attempt $attempt of $failures that fail)" >&2
    exit 1
fi
draft=$target/store/site-$version.html.$$.tmp
cp -- "$target/artifacts/site-$version.html" "$draft"
sum=$(sha256sum <"$draft")
if [ "${sum%% *}" != "$sha256" ]; then
    rm -f -- "$draft"
    echo "site-$version.html: expected $sha256, found ${sum%% *}" >&2
    exit 1
fi
mv -- "$draft" "$target/store/site-$version.html"
printf '{"attempt": %s}\n' "$attempt"
