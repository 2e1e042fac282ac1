//! The liveness laws: what always happens in the end, and by when.

use super::law::{Kind, Law, LawId, Scope};

/// L1 to L14, in the order of [`LawId`].
pub(super) const LIVENESS: &[Law] = &[
    Law {
        id: LawId::L1,
        code: "L1",
        name: "every_waiter_leaves_the_queue",
        statement: "Every waiting execution is promoted, cancelled or expired: within its queue \
            timeout or, where none applies, within the time that the holders and waiters ahead of \
            it take to end.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "A request waits for ever and gets no answer.",
        mutants: &["queue_timeout_not_armed"],
        failures: &["F12", "F14", "F27", "F44"],
    },
    Law {
        id: LawId::L2,
        code: "L2",
        name: "a_finished_execution_frees_its_slot_at_once",
        statement: "The commit that makes an execution terminal removes its ticket, and whoever is \
            promoted by it has a dispatch hint on its way within one relay period.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "Each finished job leaves the queue a little narrower, until it stands still.",
        mutants: &["promotion_without_dispatch", "other_transports_work_is_left"],
        failures: &[
            "F5", "F6", "F8", "F9", "F10", "F13", "F15", "F27", "F32", "F34", "F36", "F43", "F44",
        ],
    },
    Law {
        id: LawId::L3,
        code: "L3",
        name: "free_capacity_is_used_at_once",
        statement: "A queue key that is not paused never has both a waiter and a free slot for \
            longer than one step. Raising its limit by d promotes d waiters, or all there are, in \
            that step.",
        kind: Kind::Liveness,
        scope: Scope::Transition,
        why: "Slots stand empty while people wait.",
        mutants: &[
            "promote_one_on_raise",
            "retry_returns_before_release",
            "cancel_skips_promotion",
        ],
        failures: &["F14", "F17", "F25"],
    },
    Law {
        id: LawId::L4,
        code: "L4",
        name: "every_execution_ends",
        statement: "Once faults stop, every accepted execution becomes terminal within its time in \
            the queue, which L1 bounds, plus for each remaining attempt the offer deadline, the \
            lease, the run deadline and the longest backoff, plus one sweep period.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "A job neither succeeds nor fails, and whoever asked for it is never told.",
        mutants: &[
            "retry_sleeps_in_handler",
            "failed_attempt_read_as_terminal",
            "claim_answer_lost_is_forgotten",
            "claim_marks_done_before_work",
        ],
        failures: &[
            "F5", "F19", "F28", "F29", "F31", "F32", "F36", "F41", "F46", "F48", "F55", "F58",
            "F59", "F60", "F64",
        ],
    },
    Law {
        id: LawId::L5,
        code: "L5",
        name: "every_workflow_run_ends",
        statement: "A run becomes terminal within the bound of one step times the number of its \
            task instances, counted from the end of its last item. No task instance with a \
            satisfied join stays waiting.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "All the work is done and the workflow still shows as running.",
        mutants: &[
            "join_not_rechecked",
            "children_query_lacks_abandoned",
            "sweep_trusts_hints",
            "ack_before_work",
        ],
        failures: &["F7", "F22", "F23", "F24", "F26", "F32", "F45", "F55", "F57", "F66", "F67"],
    },
    Law {
        id: LawId::L6,
        code: "L6",
        name: "work_spreads_over_equal_workers",
        statement: "With equal workers and an endless backlog, the numbers of attempts that run on \
            any two of them differ by at most one, or by the stated bound of the way work is \
            handed out.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "One worker is overloaded while those beside it, paid for as well, stand idle.",
        mutants: &["dispatch_to_the_first_worker"],
        failures: &["F39"],
    },
    Law {
        id: LawId::L7,
        code: "L7",
        name: "a_recovered_worker_serves_again",
        statement: "A live worker whose beats resume is eligible again within two beat intervals, \
            under a new incarnation if the old one was declared dead; one that hung, and answers \
            well again, within two intervals of the probes.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "A short network fault takes capacity away until somebody restarts the worker by \
            hand.",
        mutants: &[
            "beat_does_not_restore_active",
            "lost_worker_does_not_return",
            "recovered_worker_stays_unhealthy",
        ],
        failures: &["F38"],
    },
    Law {
        id: LawId::L8,
        code: "L8",
        name: "every_barrier_and_effect_ends",
        statement: "Every open barrier ends complete or aborted, and every planned effect ends \
            delivered or given up with a reason.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "The last batch is done and the result never arrives, or a webhook is neither sent \
            nor reported as failed.",
        mutants: &["status_before_effects", "silent_senders_are_waited_for"],
        failures: &["F51", "F56", "F63"],
    },
    Law {
        id: LawId::L9,
        code: "L9",
        name: "a_drain_ends",
        statement: "The drain of a transport finishes within the bound that L4 gives for the last \
            execution pinned to it.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "The old broker can never be switched off.",
        mutants: &["drain_counts_terminal_executions"],
        failures: &["F61"],
    },
    Law {
        id: LawId::L10,
        code: "L10",
        name: "a_dead_holders_message_returns",
        statement: "The message of a dead holder is ready again within its lease plus one re-arm \
            period, however many sweepers run, as long as one does, and with no leader.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "One crashed consumer, or one stuck leader, holds up work that others could do.",
        mutants: &["orphans_not_swept", "rearm_waits_for_the_leader"],
        failures: &["F49", "F60"],
    },
    Law {
        id: LawId::L11,
        code: "L11",
        name: "what_is_stuck_is_visible",
        statement: "Every parked message and every stuck entity appears in the inspection endpoint \
            and in the metrics within one scrape, with the one fact that it waits for.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "The customer notices before the operator does, and nobody can say why.",
        mutants: &["parked_left_out_of_inspection"],
        failures: &["F46", "F65"],
    },
    Law {
        id: LawId::L12,
        code: "L12",
        name: "retries_end",
        statement: "An execution whose every attempt fails starts exactly as many attempts as its \
            budget and then ends.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "A job that cannot succeed keeps a slot and a machine busy for ever.",
        mutants: &["retry_resets_its_count", "one_retry_too_few"],
        failures: &["F32"],
    },
    Law {
        id: LawId::L13,
        code: "L13",
        name: "every_cancel_ends",
        statement: "An execution whose cancel was accepted becomes cancelled, unless a report \
            ordered before ends it, within the cancel grace plus one lease.",
        kind: Kind::Liveness,
        scope: Scope::World,
        why: "Somebody cancels a job, and it runs on or shows as cancelling for ever.",
        mutants: &["cancel_grace_not_armed", "cancel_does_not_reach_children"],
        failures: &["F43"],
    },
    Law {
        id: LawId::L14,
        code: "L14",
        name: "nothing_leaks_at_rest",
        statement: "When every execution is terminal there is no ticket, live message, lease, open \
            barrier, held claim, unsent outbox row or held lock. Only parked messages and history \
            remain.",
        kind: Kind::Liveness,
        scope: Scope::Snapshot,
        why: "Capacity seeps away unseen over weeks, until a restart that nobody can explain \
            brings it back.",
        mutants: &["lease_left_at_the_end"],
        failures: &["F43", "F45"],
    },
];
