"""What the Python actions of this pack have in common; lib/step.sh is the same for the shell."""

import contextlib
import os
import time


@contextlib.contextmanager
def step(name, parameters):
    """Waits `step_seconds` and keeps the `ledger`: a line at the start, another one at the end."""
    ledger = parameters.get("ledger")
    note(ledger, name, "start")
    try:
        time.sleep(parameters.get("step_seconds", 0))
        yield
    except BaseException:
        note(ledger, name, "failed")
        raise
    note(ledger, name, "done")


def note(ledger, name, phase):
    if not ledger:
        return
    env = os.environ.get
    line = (
        f"{name} {env('STEADFAST_EXECUTION_ID', '-')} {env('STEADFAST_ATTEMPT', '1')}"
        f" {env('STEADFAST_FENCING_TOKEN', '0')} {time.time():.9f} {phase}\n"
    )
    # One write to a descriptor opened for appending: lines of several processes never mix.
    handle = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
