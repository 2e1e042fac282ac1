//! Assignment, liveness, leases, deadlines and shutdown.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F19",
        name: "acknowledged_before_the_work",
        subject: Subject::Worker,
        story: &[
            "A worker starts an action and acknowledges the delivery straight away.",
            "It dies in the middle of the work.",
            "The broker has nothing left to deliver again.",
        ],
        harm: "Only a guess by age notices the loss, long afterwards.",
        breaks: &[L4],
        prevented_by: &[D5, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F28",
        name: "dead_worker_still_looks_alive",
        subject: Subject::Worker,
        story: &[
            "A worker sends a heartbeat and dies right after it.",
            "Until the beat counts as stale, the scheduler goes on choosing that worker.",
            "The assignments lie in a queue that nobody reads.",
        ],
        harm: "All of them wait to be rescued. A shorter interval makes the window smaller and \
            never closes it.",
        breaks: &[L4],
        prevented_by: &[D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F29",
        name: "assignment_has_no_deadline",
        subject: Subject::Worker,
        story: &[
            "An execution is assigned and published to its worker.",
            "The worker never reads the message.",
            "No clock runs on an assigned execution.",
        ],
        harm: "It stays assigned for ever.",
        breaks: &[L4],
        prevented_by: &[D5, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F30",
        name: "message_outlives_its_meaning",
        subject: Subject::Worker,
        story: &[
            "A worker is away for an hour; its executions are failed, cancelled or run elsewhere.",
            "It comes back and finds the old assignments in its queue.",
            "It starts every one of them.",
        ],
        harm: "Settled work runs again and its reports overwrite what was settled. Letting \
            messages expire makes this rarer, not impossible.",
        breaks: &[S5, S6],
        prevented_by: &[D4, D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F31",
        name: "shutdown_races_assignment",
        subject: Subject::Worker,
        story: &[
            "A scheduler reads that a worker is active; the worker deregisters and stops \
                consuming; the scheduler publishes to it.",
            "Or the worker deregisters first and stops consuming last, so it takes new work while \
                it drains.",
            "When its grace ends, it kills what it has just accepted.",
        ],
        harm: "Assignments are orphaned, or begun only to be killed.",
        breaks: &[S19, L4],
        prevented_by: &[D5, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F33",
        name: "late_pick_up_after_the_timeout",
        subject: Subject::Worker,
        story: &[
            "A monitor fails E1, which nobody has started; its slot goes to E2.",
            "A slow worker reads the message of E1 and writes running without a condition.",
            "It works, and writes completed.",
        ],
        harm: "Two run at a limit of one, and a terminal status changes.",
        breaks: &[S1, S5, S6, S22],
        prevented_by: &[D4, D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F34",
        name: "monitor_fails_then_publishes",
        subject: Subject::Worker,
        story: &[
            "A monitor commits that an execution has failed.",
            "It dies, or its publish fails, before the slot is released.",
            "At its next round the row no longer matches what it looks for.",
        ],
        harm: "The slot is lost and the workflow waits.",
        breaks: &[L2],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F35",
        name: "one_state_for_two_waits",
        subject: Subject::Worker,
        story: &[
            "One status covers both being on the way to a worker and waiting inside it.",
            "A worker holds more messages than it can run, and the last ones wait behind healthy \
                work.",
            "A monitor judges by age and fails them; the expiry of messages, set to the same time, \
                races it.",
        ],
        harm: "Healthy work is failed, while a hung worker hides what it holds from both.",
        breaks: &[S20],
        prevented_by: &[D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F38",
        name: "liveness_and_identity_are_confused",
        subject: Subject::Worker,
        story: &[
            "The staleness limit is written down in several places, so that configuring the \
                interval changes nothing.",
            "A stall marks a live worker as inactive; later beats move only its timestamp, and it \
                never serves again.",
            "A restarted worker takes over the row of its name, and the late deregistration of the \
                old process takes it out of service.",
        ],
        harm: "Live workers are shut out and their work is abandoned.",
        breaks: &[S21, L7],
        prevented_by: &[D4, D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F39",
        name: "first_available_worker",
        subject: Subject::Worker,
        story: &[
            "Each replica assigns to the first eligible worker, or takes turns by a position of \
                its own.",
            "The replicas agree on the same worker without knowing it.",
        ],
        harm: "One worker is overloaded while its equals are idle.",
        breaks: &[L6],
        prevented_by: &[D5],
        applies: Applies::Yes,
    },
    Failure {
        code: "F40",
        name: "unreachable_worker_is_declared_dead",
        subject: Subject::Worker,
        story: &[
            "A worker is cut off and its beats stop.",
            "Its execution is abandoned, the slot is passed on, and the next one starts.",
            "The old process goes on working.",
            "The link heals and it writes completed without a condition.",
        ],
        harm: "Two work at the same time on what was limited to one, and the verdict is \
            overwritten.",
        breaks: &[S1p, S5, S6, S8],
        prevented_by: &[D5, D11],
        applies: Applies::Yes,
    },
];
