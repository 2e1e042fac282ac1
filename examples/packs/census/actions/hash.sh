#!/bin/sh
# SHA-256 of the files in `paths`; see hash.yaml. A few hundred files are a few hundred processes
# of this kind, so everything but sha256sum itself is done by the shell.
set -euf
. ./lib/params.sh
root='' paths=''
params root paths
case $root in
/*) ;;
*) echo "root: '$root' is no absolute path" >&2; exit 2 ;;
esac
case $paths in
*\\*) echo 'paths: percent-encode what JSON would escape, as census.list does' >&2; exit 2 ;;
'['*']') ;;
*) echo "paths: '$paths' is no list" >&2; exit 2 ;;
esac

# decode PATH: sets $file to its absolute, decoded form.
decode() {
    file=$root/
    rest=$1
    while :; do
        case $rest in
        *%*) ;;
        *) break ;;
        esac
        file=$file${rest%%"%"*}
        rest=${rest#*%}
        octal=$(printf '%03o' "0x${rest%"${rest#??}"}")
        byte=$(printf '%b.' "\\0$octal") # the dot saves a newline from $( )
        file=$file${byte%.}
        rest=${rest#??}
    done
    file=$file$rest
}

# look FILE: sets $status to what can be said about it without reading it.
look() {
    status=ok
    if [ -h "$1" ]; then
        status=changed
    elif [ ! -e "$1" ]; then
        status=vanished
    elif [ ! -f "$1" ]; then
        status=changed
    elif [ ! -r "$1" ]; then
        status=unreadable
    fi
}

# add PATH STATUS [SUM]: one more entry of the result. Encoded paths need no escapes in JSON.
comma=
result=
add() {
    result="$result$comma{\"path\":\"$1\",\"status\":\"$2\"${3:+,\"sha256\":\"$3\"}}"
    comma=,
}

# one_by_one [" PATH " ,]...: a sha256sum for each file.
one_by_one() {
    while [ $# -ge 2 ]; do
        decode "$2"
        look "$file"
        sum=
        if [ $status = ok ] && ! sum=$(sha256sum -- "$file"); then
            # It changed between the look and the reading.
            look "$file"
            [ $status != ok ] || status=unreadable
            sum=
        fi
        sum=${sum#\\} # marks a name that sha256sum had to escape
        add "$2" $status "${sum%% *}"
        shift 2
    done
}

# all_at_once [" PATH " ,]...: one sha256sum for all files; fails if there is anything to say
# about any of them.
all_at_once() {
    fields=$#
    while [ "$fields" -ge 2 ]; do
        decode "$2"
        look "$file"
        [ $status = ok ] || return 1
        shift 2
        set -- "$@" "$file"
        fields=$((fields - 2))
    done
    shift "$fields"
    sums=$(sha256sum -- "$@" 2>/dev/null)
}

# Split at the quotes, ["a","b"] is [ a , b ] and every second field is a path.
IFS='"'
# shellcheck disable=SC2086 # split on purpose; -f keeps * and ? what they are
set -- $paths
unset IFS

if [ $# -le 3 ] || ! all_at_once "$@"; then
    one_by_one "$@"
else
    while IFS= read -r line; do
        line=${line#\\}
        add "$2" ok "${line%% *}"
        shift 2
    done <<SUMS
$sums
SUMS
fi
printf '{"files":[%s]}\n' "$result"
