//! Who may work on what: claims, guards, leaders and sweeps.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F48",
        name: "retry_meets_the_terminal_guard",
        subject: Subject::Claim,
        story: &[
            "An error path releases its claim, marks the run as failed and lets the message come \
                back for another try.",
            "If the redelivery comes after the mark, the guard against terminal runs turns it \
                away, and the retry never happens.",
            "If it comes before the mark, the second try is under way when the mark falls on it.",
        ],
        harm: "Two guards, each sound by itself, cancel each other.",
        breaks: &[S6, S13, L4],
        prevented_by: &[D4, D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F50",
        name: "tombstone_is_swept_too_early",
        subject: Subject::Claim,
        story: &[
            "The record that a run is finished is removed when its retention ends.",
            "An old message of that run is delivered again and wins a fresh claim.",
            "The last guard reads the status from a replica that lags, or the id now belongs to \
                another run.",
        ],
        harm: "A finished run is done once more.",
        breaks: &[S6, S12, S29],
        prevented_by: &[D4, D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F52",
        name: "error_is_taken_for_a_no",
        subject: Subject::Claim,
        story: &[
            "A guard asks whether something was done, and takes every error for a no.",
            "A method is renamed, and from now on each call is an error.",
        ],
        harm: "The protection is off for good and nothing shows it.",
        breaks: &[S12],
        prevented_by: &[D8, D15],
        applies: Applies::Yes,
    },
    Failure {
        code: "F55",
        name: "claim_is_written_as_done",
        subject: Subject::Claim,
        story: &[
            "A worker writes the mark of a batch and only then begins it.",
            "It is killed.",
            "The redelivery finds the mark, takes the batch for done and is acknowledged.",
        ],
        harm: "The work is never done, and its barrier waits until everything is given up.",
        breaks: &[S11, L4, L5],
        prevented_by: &[D5, D7],
        applies: Applies::Yes,
    },
    Failure {
        code: "F58",
        name: "duplicate_is_skipped_and_acknowledged",
        subject: Subject::Claim,
        story: &[
            "B receives a message whose claim A holds.",
            "B takes it for a duplicate and acknowledges it, which deletes the only copy.",
            "A dies before it is done.",
        ],
        harm: "A dead process holds the claim, and there is no message left that could bring the \
            work back.",
        breaks: &[S11, L4],
        prevented_by: &[D5, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F60",
        name: "leader_without_fencing",
        subject: Subject::Claim,
        story: &[
            "A leader is paused beyond its lease, and another takes over.",
            "The first resumes in the middle of its round: it fires a schedule that has fired, or \
                fails a run that has since been revived.",
            "All sweeps belong to the leader's round, and one step that fails keeps those after it \
                from running.",
        ],
        harm: "Schedules fire twice, live runs are failed, and lost work is not re-armed.",
        breaks: &[S20, S25, L4, L10],
        prevented_by: &[D10],
        applies: Applies::Yes,
    },
    Failure {
        code: "F65",
        name: "monitoring_goes_quiet",
        subject: Subject::Claim,
        story: &[
            "A service sends its heartbeat while every one of its rounds fails.",
            "A replica that lost the leadership goes on exporting the figures that it last \
                computed.",
        ],
        harm: "Everything shows green while nothing moves: being alive is not making progress.",
        breaks: &[S24, L11],
        prevented_by: &[D9, D10],
        applies: Applies::Yes,
    },
];
