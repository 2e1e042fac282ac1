//! Successors, joins, lists of items and the end of a run.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F20",
        name: "successor_is_dispatched_twice",
        subject: Subject::Workflow,
        story: &[
            "Items 3 and 4 of a list end together, and both rows say completed before either \
                message is handled.",
            "The message of item 3 finds no open item and dispatches the successor.",
            "The message of item 4 finds no open item either and dispatches it again.",
        ],
        harm: "The step after the list runs once for each item that ended in the same moment.",
        breaks: &[S14],
        prevented_by: &[D3, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F21",
        name: "check_then_insert",
        subject: Subject::Workflow,
        story: &[
            "Two executors handle completions of the same run.",
            "Each looks for the successor and finds none.",
            "Each inserts it.",
        ],
        harm: "Any guard that reads first and writes afterwards lets both through.",
        breaks: &[S14],
        prevented_by: &[D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F22",
        name: "dedupe_turns_into_loss",
        subject: Subject::Workflow,
        story: &[
            "The row of a successor is inserted.",
            "The process dies before it publishes the dispatch.",
            "The redelivery finds the row and concludes that the work was handed out.",
        ],
        harm: "Nothing ever runs it. The guard against doing it twice has become a way of never \
            doing it.",
        breaks: &[S11, L5],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F23",
        name: "dedupe_key_is_too_coarse",
        subject: Subject::Workflow,
        story: &[
            "A successor is recognised by run and task name.",
            "A loop reaches the task a second time and is turned away as a duplicate.",
            "Elsewhere a crash interrupts the expansion of a list, and the second try takes the \
                items that are missing for dispatched.",
        ],
        harm: "A legal visit never happens, or part of a list is never processed.",
        breaks: &[S15, L5],
        prevented_by: &[D3, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F24",
        name: "join_loses_an_update",
        subject: Subject::Workflow,
        story: &[
            "Tasks a and b feed a join of two and end together.",
            "Two handlers read the list of finished tasks, which is empty.",
            "Each writes it back with its own task as the only entry.",
        ],
        harm: "The join sees one predecessor, twice, and never fires; or the run is closed too \
            early.",
        breaks: &[S16, L5],
        prevented_by: &[D3, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F25",
        name: "window_counts_the_wrong_items",
        subject: Subject::Workflow,
        story: &[
            "An item that was published but not yet taken up still counts as not dispatched.",
            "Two quick completions each look for the next item and find the same one.",
            "An error while publishing is swallowed, and a redelivery publishes again.",
        ],
        harm: "The window runs with a place less than it has, or with one more.",
        breaks: &[S17, L3],
        prevented_by: &[D1, D2],
        applies: Applies::Yes,
    },
    Failure {
        code: "F26",
        name: "terminal_set_drifts_in_queries",
        subject: Subject::Workflow,
        story: &[
            "Several queries spell the terminal statuses out, and abandoned is missing.",
            "One item of a list is abandoned.",
            "The query for open siblings never comes back empty.",
        ],
        harm: "The run hangs unless that item happens to be the last one handled, and then its \
            failure is not counted.",
        breaks: &[S23, L5],
        prevented_by: &[D12],
        applies: Applies::Yes,
    },
    Failure {
        code: "F27",
        name: "retry_inside_the_listener",
        subject: Subject::Workflow,
        story: &[
            "A child fails with retries left; its completion arrives twice and creates two \
                retries.",
            "The listener sleeps through the backoff, and everything behind it waits.",
            "It returns from there before it has released the slot.",
        ],
        harm: "With a limit of one, the retry waits for the slot of its own predecessor.",
        breaks: &[S3, S15, S28, L1, L2],
        prevented_by: &[D3, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F45",
        name: "session_lock_on_a_pooled_connection",
        subject: Subject::Workflow,
        story: &[
            "A handler takes a lock that belongs to the database session, on a connection from a \
                pool.",
            "The handler is aborted, or the unlock fails.",
            "The connection returns to the pool and the lock with it.",
        ],
        harm: "That run is frozen for everybody. Behind a pooler that switches sessions, the lock \
            does not even protect.",
        breaks: &[L5, L14],
        prevented_by: &[D3],
        applies: Applies::No(
            "Only rows and transactions are locked, never sessions, and L14 looks for locks left \
                behind.",
        ),
    },
    Failure {
        code: "F66",
        name: "run_is_closed_before_its_last_branch",
        subject: Subject::Workflow,
        story: &[
            "A run has a leaf a, and b followed by d; a and b end, and both rows say completed.",
            "The message of a is handled first: it starts nothing and finds no open row, so the \
                run is closed as completed.",
            "The message of b finds a closed run and is skipped.",
        ],
        harm: "d never runs and the parent reports success: with one listener, no crash and no \
            duplicate.",
        breaks: &[S31, L5],
        prevented_by: &[D3],
        applies: Applies::Yes,
    },
    Failure {
        code: "F67",
        name: "second_visit_never_runs",
        subject: Subject::Workflow,
        story: &[
            "A graph with a cycle is accepted.",
            "The key of a dispatch has no place for the number of the visit.",
            "The run comes to a task for the second time.",
        ],
        harm: "The visit is dropped without a word, and the run ends or hangs without it.",
        breaks: &[S31, L5],
        prevented_by: &[D6],
        applies: Applies::Yes,
    },
];
