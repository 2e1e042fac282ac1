# shellcheck shell=sh
# What the shell actions of this pack have in common: call `step NAME` after `params`.
#
# It waits $step_seconds, so that there is something to watch and to interrupt, and writes to the
# file $ledger, if there is one, a line when the attempt starts and another one when it ends:
#     task execution_id attempt token timestamp start|done|failed
# An attempt that was killed has no second line.
step() {
    step_name=$1
    step_note start
    trap 'step_end $?' EXIT
    sleep "${step_seconds:-0}"
}

step_end() {
    if [ "$1" -eq 0 ]; then step_note 'done'; else step_note failed; fi
}

# One short write to a file opened for appending: lines of processes at work together never mix.
step_note() {
    [ -n "${ledger:-}" ] || return 0
    printf '%s %s %s %s %s %s\n' "$step_name" "${STEADFAST_EXECUTION_ID:--}" \
        "${STEADFAST_ATTEMPT:-1}" "${STEADFAST_FENCING_TOKEN:-0}" "$(date +%s.%N)" "$1" >>"$ledger"
}
