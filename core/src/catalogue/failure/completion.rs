//! How an execution's end is decided, written down and made known.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F1",
        name: "duplicate_completion_frees_two_slots",
        subject: Subject::Completion,
        story: &[
            "A worker announces the end of an execution.",
            "A second announcement of the same end follows: from another component, a redelivery \
                or a timeout monitor.",
            "The queue keeps a counter, and takes one off and lets a waiter in for each \
                announcement.",
            "The second one has given away the slot of an execution that is still running.",
        ],
        harm: "One more than the limit runs. While others hold or wait, the counter never reaches \
            zero, so not even a warning appears.",
        breaks: &[S1, S3],
        prevented_by: &[D1, D3],
        applies: Applies::Yes,
    },
    Failure {
        code: "F2",
        name: "stale_row_is_written_back",
        subject: Subject::Completion,
        story: &[
            "A manager loads a whole row in order to change one column.",
            "The worker writes its result and a newer status to that row.",
            "The manager writes all columns of its copy back.",
        ],
        harm: "The worker's result or status is gone. Skipping the write when nothing differs does \
            not help: the copy that is compared is the stale one.",
        breaks: &[S6, S8],
        prevented_by: &[D4],
        applies: Applies::Yes,
    },
    Failure {
        code: "F3",
        name: "late_status_message_moves_backwards",
        subject: Subject::Completion,
        story: &[
            "An execution has ended and its row says completed.",
            "A delayed message that it is running arrives, requeued or through another replica.",
            "The handler sees two different statuses and writes the one from the message.",
        ],
        harm: "A finished execution comes back to life, holds on to what it had released, and is \
            declared abandoned hours later.",
        breaks: &[S6, S7],
        prevented_by: &[D4],
        applies: Applies::Yes,
    },
    Failure {
        code: "F4",
        name: "redelivery_repeats_the_follow_up",
        subject: Subject::Completion,
        story: &[
            "A completion is handled and its children are created.",
            "The same message is delivered again.",
            "The handler finds the status unchanged and skips the write, but still runs the \
                follow-up.",
        ],
        harm: "The children are created a second time. Skipping a write is not yet idempotence.",
        breaks: &[S14],
        prevented_by: &[D3, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F5",
        name: "only_announcer_dies",
        subject: Subject::Completion,
        story: &[
            "A worker commits the terminal status.",
            "It dies before it publishes, or the publish fails and is only logged.",
            "Nobody else may announce the end.",
        ],
        harm: "The slot stays taken and the workflow waits, although the row says that all is \
            done.",
        breaks: &[S11, L2, L4],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F6",
        name: "end_without_a_worker",
        subject: Subject::Completion,
        story: &[
            "An engine relies on the worker to announce every end.",
            "An execution ends where no worker is involved: unschedulable, refused by policy, \
                cancelled early, dead-lettered, or the parent of a workflow.",
            "The code that ended it has to remember the announcement, and one such path does not.",
        ],
        harm: "The slot is never released, and each new way to end is a new chance to forget.",
        breaks: &[L2],
        prevented_by: &[D2],
        applies: Applies::Yes,
    },
    Failure {
        code: "F7",
        name: "terminal_set_drifts_in_code",
        subject: Subject::Completion,
        story: &[
            "A handler lists the terminal statuses that it follows up: completed, failed, \
                cancelled.",
            "An execution ends as timed out or abandoned.",
            "The handler matches none of its cases and does nothing.",
        ],
        harm: "Successors never start, and the run waits for an item that has long ended.",
        breaks: &[S23, L5],
        prevented_by: &[D12],
        applies: Applies::Yes,
    },
    Failure {
        code: "F8",
        name: "end_is_never_announced",
        subject: Subject::Completion,
        story: &[
            "A queue hands out its slots and expects one message for each end.",
            "No component has been given the task of sending it.",
            "As many executions finish as the queue has slots.",
        ],
        harm: "From then on every request queues and nothing runs.",
        breaks: &[L2],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F9",
        name: "announcement_is_lost_after_the_commit",
        subject: Subject::Completion,
        story: &[
            "The terminal status is committed.",
            "The broker is unreachable, or the process dies before it publishes.",
            "The failure is logged and the handler moves on.",
        ],
        harm: "Each such moment costs one slot for good; as many of them as the limit stop the \
            action altogether.",
        breaks: &[L2],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F10",
        name: "release_needs_another_read",
        subject: Subject::Completion,
        story: &[
            "An execution ends.",
            "The code reads its row again, because the release is addressed by the action's id.",
            "The action was deleted, the read fails, or a placeholder id is sent in its place.",
        ],
        harm: "No usable announcement goes out and the slot stays taken.",
        breaks: &[L2],
        prevented_by: &[D1, D3],
        applies: Applies::Yes,
    },
    Failure {
        code: "F11",
        name: "wire_words_follow_debug_output",
        subject: Subject::Completion,
        story: &[
            "One producer prints a status with its debug format, another in lower case, and the \
                documentation promises a third form.",
            "A consumer compares the strings.",
            "A unit test pins whatever the first producer happened to print.",
        ],
        harm: "Ends are filed under the wrong status or not at all.",
        breaks: &[S23],
        prevented_by: &[D12],
        applies: Applies::Yes,
    },
    Failure {
        code: "F41",
        name: "errors_are_classified_by_their_text",
        subject: Subject::Completion,
        story: &[
            "An engine tells permanent errors from passing ones by searching their text for a \
                phrase.",
            "The producer of the error words it better.",
            "A permanent error is now taken for a passing one: the row goes back to waiting, and \
                its message is refused without being requeued.",
        ],
        harm: "The execution waits in a state that nothing will pick up.",
        breaks: &[S23, L4],
        prevented_by: &[D9, D12],
        applies: Applies::Yes,
    },
    Failure {
        code: "F62",
        name: "status_has_many_writers",
        subject: Subject::Completion,
        story: &[
            "A dozen places read a status, decide, and write it without a lock.",
            "One of them marks a run as completed.",
            "Another, which had read before that, writes running or failed.",
        ],
        harm: "A completed run shows as running with nobody behind it, or a success turns into a \
            failure.",
        breaks: &[S6, S22],
        prevented_by: &[D4],
        applies: Applies::Yes,
    },
];
