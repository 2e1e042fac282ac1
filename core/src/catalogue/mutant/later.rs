//! The bugs that wait for the part that they belong to.

use super::{Due, Mutant};
use crate::catalogue::law::LawId::*;

pub(super) const LATER: &[Mutant] = &[
    Mutant {
        name: "ack_without_token",
        statement: "Acknowledging deletes the message by its id alone.",
        law: S9,
        also: &[S11],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
    Mutant {
        name: "renew_without_token",
        statement: "Renewing moves the visibility time by message id alone and reports success.",
        law: S9,
        also: &[],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
    Mutant {
        name: "send_without_unique_key",
        statement: "A message is inserted under a fresh id, so that a send repeated after an \
            unknown commit inserts it again.",
        law: S10,
        also: &[],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
    Mutant {
        name: "publish_outside_the_transaction",
        statement: "The message is published after the commit and no outbox row is written.",
        law: S11,
        also: &[L2],
        due: Due::Later("There is no transport yet that writes an outbox."),
    },
    Mutant {
        name: "skip_and_ack_when_busy",
        statement: "A consumer that finds the claim held acknowledges the message instead of \
            deferring it.",
        law: S11,
        also: &[L4],
        due: Due::Later(
            "No service claims a run before it works on it; a compare-and-set on the row decides.",
        ),
    },
    Mutant {
        name: "dead_letter_unroutable",
        statement: "The dead-letter exchange has no binding that matches the keys of dead letters.",
        law: S11,
        also: &[],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
    Mutant {
        name: "poison_is_dropped",
        statement: "A message beyond its maximum of starts is deleted instead of parked.",
        law: S11,
        also: &[L11],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
    Mutant {
        name: "countdown_barrier_with_reset",
        statement: "A barrier is a number that members of any generation count down and that \
            arming resets.",
        law: S18,
        also: &[],
        due: Due::Later("No service uses barriers yet."),
    },
    Mutant {
        name: "retention_ignores_references",
        statement: "Retention removes tombstones by age although a live message still refers to \
            them.",
        law: S29,
        also: &[S12],
        due: Due::Later("Nothing is removed yet."),
    },
    Mutant {
        name: "claim_marks_done_before_work",
        statement: "The claim of a message writes the mark that a redelivery reads as done.",
        law: L4,
        also: &[S11],
        due: Due::Later(
            "No service claims a run before it works on it; a compare-and-set on the row decides.",
        ),
    },
    Mutant {
        name: "drain_counts_terminal_executions",
        statement: "The count of executions pinned to a transport leaves out the condition on \
            status.",
        law: L9,
        also: &[],
        due: Due::Later("No service drains a transport yet."),
    },
    Mutant {
        name: "rearm_waits_for_the_leader",
        statement: "Expired claims are re-armed only by the process that holds the leader lease.",
        law: L10,
        also: &[],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
    Mutant {
        name: "parked_left_out_of_inspection",
        statement: "The query behind the inspection endpoint lists ready and claimed messages \
            only.",
        law: L11,
        also: &[],
        due: Due::Later("There is no transport yet in which a message is a row with a token."),
    },
];
