//! The bugs that can be planted today and break a liveness law.

use super::{Due, Mutant};
use crate::catalogue::law::LawId::*;

pub(super) const LIVENESS: &[Mutant] = &[
    Mutant {
        name: "queue_timeout_not_armed",
        statement: "Admission to the line sets no timer for the queue timeout.",
        law: L1,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "promotion_without_dispatch",
        statement: "Promotion lets a waiter through and publishes no hint that it is ready.",
        law: L2,
        also: &[S11],
        due: Due::Now,
    },
    Mutant {
        name: "promote_one_on_raise",
        statement: "Raising a limit promotes a single waiter.",
        law: L3,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "retry_returns_before_release",
        statement: "The path that ends an attempt for a retry returns before it lets the next in \
            line have the slot.",
        law: L3,
        also: &[L1, L4],
        due: Due::Now,
    },
    Mutant {
        name: "cancel_skips_promotion",
        statement: "The path that cancels a holder returns before it lets the next in line have \
            the slot.",
        law: L3,
        also: &[L1, L4],
        due: Due::Now,
    },
    Mutant {
        name: "retry_sleeps_in_handler",
        statement: "The handler of a failure sleeps through a long backoff, and every report that \
            comes after waits behind it.",
        law: L4,
        also: &[L1, L2, L3, L5],
        due: Due::Now,
    },
    Mutant {
        name: "failed_attempt_read_as_terminal",
        statement: "The guard against terminal runs also turns away a run whose attempt failed \
            with retries left.",
        law: L4,
        also: &[S11, L5, L14],
        due: Due::Now,
    },
    Mutant {
        name: "claim_answer_lost_is_forgotten",
        statement: "A worker that is told of an attempt that it does not have leaves it to itself \
            instead of giving it up.",
        law: L4,
        also: &[L1, L5, L14],
        due: Due::Now,
    },
    Mutant {
        name: "join_not_rechecked",
        statement: "A predecessor is added to the join, and readiness is tested against the set as \
            it was before.",
        law: L5,
        also: &[L14],
        due: Due::Now,
    },
    Mutant {
        name: "children_query_lacks_abandoned",
        statement: "The query for the ended children of a run leaves out those that were \
            abandoned.",
        law: L5,
        also: &[S11, L4, L14],
        due: Due::Now,
    },
    Mutant {
        name: "sweep_trusts_hints",
        statement: "A sweep looks for what is due and leaves lines and runs to the hints, though \
            hints may be lost.",
        law: L5,
        also: &[L1, L3, L4, L14],
        due: Due::Now,
    },
    Mutant {
        name: "ack_before_work",
        statement: "A hint is settled although acting on it failed, and no sweep looks for what it \
            spoke of.",
        law: L5,
        also: &[L1, L3, L4, L14],
        due: Due::Now,
    },
    Mutant {
        name: "other_transports_work_is_left",
        statement: "Workers that come for their work leave what was submitted while work was still \
            assigned, although nobody assigns it any more.",
        law: L2,
        also: &[L4],
        due: Due::Now,
    },
    Mutant {
        name: "dispatch_to_the_first_worker",
        statement: "Work goes to the first eligible worker by name, whatever it already runs.",
        law: L6,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "beat_does_not_restore_active",
        statement: "A beat moves the timestamp of a suspect worker and leaves it suspect.",
        law: L7,
        also: &[L4, L6],
        due: Due::Now,
    },
    Mutant {
        name: "lost_worker_does_not_return",
        statement: "A worker that has lost its lease stops its work and does not register anew.",
        law: L7,
        also: &[L4, L6],
        due: Due::Now,
    },
    Mutant {
        name: "recovered_worker_stays_unhealthy",
        statement: "A probe that is answered well again is not told to the worker's row.",
        law: L7,
        also: &[L4],
        due: Due::Now,
    },
    Mutant {
        name: "status_before_effects",
        statement: "The final status is committed first and the effects are planned in a second \
            transaction.",
        law: L8,
        also: &[S13],
        due: Due::Now,
    },
    Mutant {
        name: "silent_senders_are_waited_for",
        statement: "The scan for effects that are due leaves out those that somebody is sending, so \
            that one whose sender died is never sent.",
        law: L8,
        also: &[L14],
        due: Due::Now,
    },
    Mutant {
        name: "orphans_not_swept",
        statement: "A sweep declares workers dead and does not look for what they had.",
        law: L10,
        also: &[L1, L4, L5, L13, L14],
        due: Due::Now,
    },
    Mutant {
        name: "retry_resets_its_count",
        statement: "A retry starts its count of failures at zero.",
        law: L12,
        also: &[S28],
        due: Due::Now,
    },
    Mutant {
        name: "one_retry_too_few",
        statement: "The count of failures is compared with the number of retries as if it had been \
            raised once more.",
        law: L12,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "cancel_grace_not_armed",
        statement: "A cancel asks the holder to stop and sets no timer for the grace.",
        law: L13,
        also: &[S11],
        due: Due::Now,
    },
    Mutant {
        name: "cancel_does_not_reach_children",
        statement: "Cancelling a run stops what it would start and leaves its children as they \
            are.",
        law: L13,
        also: &[L4, L5, L14],
        due: Due::Now,
    },
    Mutant {
        name: "lease_left_at_the_end",
        statement: "The commit that ends an execution leaves its timer set.",
        law: L14,
        also: &[S6],
        due: Due::Now,
    },
];
