//! Admission, the line of waiters, slots, limits and cancellation.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F12",
        name: "queue_in_memory_is_lost",
        subject: Subject::Queue,
        story: &[
            "One process keeps the count of slots and the line of waiters in memory.",
            "It restarts while N executions run, or a second replica starts beside it.",
            "The new count is zero, so N more are admitted.",
            "The former waiters are forgotten, and late completions meet a queue that does not \
                know them.",
        ],
        harm: "Twice the limit runs, and requests vanish from the line.",
        breaks: &[S1, S2, S4, L1],
        prevented_by: &[D1],
        applies: Applies::Yes,
    },
    Failure {
        code: "F13",
        name: "timeout_races_the_wake_up",
        subject: Subject::Queue,
        story: &[
            "A waiter's timer fires.",
            "Before the waiter gets the lock, a release takes it out of the line and counts it as \
                a holder.",
            "The waiter finds nothing to remove and returns a timeout error.",
        ],
        harm: "The slot belongs to nobody, and which of the two won was up to the scheduler.",
        breaks: &[S3, S30, L2],
        prevented_by: &[D1, D4],
        applies: Applies::Yes,
    },
    Failure {
        code: "F14",
        name: "waiting_inside_a_handler",
        subject: Subject::Queue,
        story: &[
            "A handler that takes messages one by one waits in place for a slot of a full action.",
            "The requests of all other actions pile up behind it.",
            "The broker's patience with the unacknowledged message ends: it closes the channel and \
                delivers the request again.",
            "The request queues a second time under the same id.",
        ],
        harm: "One full action stalls all of them, and its line no longer has one order.",
        breaks: &[S2, S4, L1, L3],
        prevented_by: &[D1, D3],
        applies: Applies::Yes,
    },
    Failure {
        code: "F15",
        name: "slot_is_taken_then_the_next_step_fails",
        subject: Subject::Queue,
        story: &[
            "A handler is granted a slot.",
            "Creating the execution fails, or it is created and publishing it fails.",
            "The message is delivered again, takes another slot and may create another execution.",
        ],
        harm: "The first slot is never given back, and one request may run twice.",
        breaks: &[S3, S22, L2],
        prevented_by: &[D3, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F16",
        name: "release_by_one_who_never_took",
        subject: Subject::Queue,
        story: &[
            "Only some paths take a slot: executions started by the API, by a workflow or as a \
                retry do not.",
            "Such an execution ends.",
            "The release is addressed to the action, so its end takes one off the counter.",
        ],
        harm: "Somebody else's slot is given away and the limit is exceeded.",
        breaks: &[S1, S3],
        prevented_by: &[D1],
        applies: Applies::Yes,
    },
    Failure {
        code: "F17",
        name: "limit_change_is_not_reconciled",
        subject: Subject::Queue,
        story: &[
            "A limit is lowered from 3 to 1 while three run and others wait.",
            "Every release promotes a waiter without looking at the limit, so three go on running.",
            "A limit is raised from 1 to 3: every release promotes one, so one goes on running.",
        ],
        harm: "Neither change takes effect until the line happens to be empty.",
        breaks: &[S1, L3],
        prevented_by: &[D1],
        applies: Applies::Yes,
    },
    Failure {
        code: "F18",
        name: "statistics_skip_the_empty_queue",
        subject: Subject::Queue,
        story: &[
            "The last holder of a queue releases its slot.",
            "The release finds nobody to promote and returns early, above the line that saves the \
                statistics.",
        ],
        harm: "The stored figures go on showing load on a queue that is idle.",
        breaks: &[S24],
        prevented_by: &[D1],
        applies: Applies::Yes,
    },
    Failure {
        code: "F42",
        name: "sweep_kills_those_who_wait",
        subject: Subject::Queue,
        story: &[
            "A waiting execution has the status and the old timestamp of a request that was \
                forgotten.",
            "A sweep ends whatever has not changed for two hours.",
            "Another frees the slots of assignments older than half an hour, and the worker starts \
                after all.",
        ],
        harm: "Those who waited patiently are abandoned, and a freed slot is used twice.",
        breaks: &[S1, S20],
        prevented_by: &[D5, D10],
        applies: Applies::Yes,
    },
    Failure {
        code: "F43",
        name: "cancel_forgets_the_slot",
        subject: Subject::Queue,
        story: &[
            "A cancel reads the status, then writes without a condition: an execution that has \
                just completed becomes cancelling, one that has just started becomes cancelled.",
            "The place in the line stays behind and is promoted in its turn.",
            "The scheduler sees a cancelled execution and removes it from the waiters, among whom \
                it no longer is; or a worker sees it and returns without a word.",
        ],
        harm: "A cancelled execution holds a slot for good.",
        breaks: &[S3, S6, S27, L2, L13, L14],
        prevented_by: &[D1, D4],
        applies: Applies::Yes,
    },
    Failure {
        code: "F44",
        name: "promotion_without_a_message",
        subject: Subject::Queue,
        story: &[
            "A transaction releases the slot of A and promotes B.",
            "The process dies before it publishes the dispatch of B.",
            "The completion of A is delivered again, finds no slot of A, and ends there.",
        ],
        harm: "B holds a slot that no worker knows of. A sweep later takes the slot and gives B \
            up: accepted work is lost.",
        breaks: &[S11, L1, L2],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
];
