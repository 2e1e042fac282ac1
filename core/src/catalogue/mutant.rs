//! The planted bugs: each is a line of code made wrong on purpose, to prove that a law is watched.

use super::law::LawId::{self, *};

/// A planted bug. A simulation that runs with it must report a broken law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Stable name, in `[a-z0-9_]+`.
    pub name: &'static str,
    /// Which line of code is made wrong, and how.
    pub statement: &'static str,
    /// The law that the bug is planted to break.
    pub law: LawId,
    /// Further laws that the same bug may break; being caught by one of them counts as well.
    pub also: &'static [LawId],
}

impl Mutant {
    /// The mutant with this name.
    pub fn by_name(name: &str) -> Option<&'static Mutant> {
        MUTANTS.iter().find(|mutant| mutant.name == name)
    }

    /// Whether a violation of `law` counts as catching this mutant.
    pub fn is_caught_by(&self, law: LawId) -> bool {
        self.law == law || self.also.contains(&law)
    }
}

/// Every planted bug, in the order of the laws that they break.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "counter_instead_of_rows",
        statement: "The slots in use are a number that admission raises and each completion \
            lowers, instead of a count of ticket rows.",
        law: S1,
        also: &[S3, L14],
    },
    Mutant {
        name: "promote_without_capacity_check",
        statement: "A release promotes the next waiter without comparing the holders with the \
            limit.",
        law: S1,
        also: &[],
    },
    Mutant {
        name: "lease_loss_ignored_by_worker",
        statement: "A worker whose renewals fail lets its actions run on after its lease has \
            ended.",
        law: S1p,
        also: &[],
    },
    Mutant {
        name: "promote_newest_first",
        statement: "Promotion takes the waiter with the highest order number instead of the \
            lowest.",
        law: S2,
        also: &[],
    },
    Mutant {
        name: "retry_returns_before_release",
        statement: "The path that ends an attempt for a retry returns before it gives the slot \
            back.",
        law: S3,
        also: &[L1, L14],
    },
    Mutant {
        name: "cancelled_waiter_is_promoted",
        statement: "Cancelling a waiter sets its status and leaves its ticket in the line.",
        law: S3,
        also: &[S27, L14],
    },
    Mutant {
        name: "release_by_queue_key",
        statement: "A release deletes some holding ticket of the queue key instead of the one of \
            the execution.",
        law: S3,
        also: &[S1],
    },
    Mutant {
        name: "readmission_takes_a_new_number",
        statement: "Admitting a known execution gives it a fresh order number instead of returning \
            its ticket.",
        law: S4,
        also: &[S2],
    },
    Mutant {
        name: "start_without_compare_and_set",
        statement: "A worker's start is written without the condition on status and token.",
        law: S5,
        also: &[S1p, S6],
    },
    Mutant {
        name: "late_report_overwrites_terminal",
        statement: "The update that takes a finish report has no condition on the present status.",
        law: S6,
        also: &[S22],
    },
    Mutant {
        name: "stale_status_is_applied",
        statement: "A status report is written whenever it differs from the row, whichever way it \
            moves.",
        law: S7,
        also: &[S6],
    },
    Mutant {
        name: "result_taken_from_a_fenced_report",
        statement: "A report refused for its token still has its result stored.",
        law: S8,
        also: &[S6],
    },
    Mutant {
        name: "ack_without_token",
        statement: "Acknowledging deletes the message by its id alone.",
        law: S9,
        also: &[S11],
    },
    Mutant {
        name: "renew_without_token",
        statement: "Renewing moves the visibility time by message id alone and reports success.",
        law: S9,
        also: &[],
    },
    Mutant {
        name: "send_without_unique_key",
        statement: "A message is inserted under a fresh id, so that a send repeated after an \
            unknown commit inserts it again.",
        law: S10,
        also: &[],
    },
    Mutant {
        name: "publish_outside_the_transaction",
        statement: "The message is published after the commit and no outbox row is written.",
        law: S11,
        also: &[L2],
    },
    Mutant {
        name: "skip_and_ack_when_busy",
        statement: "A consumer that finds the claim held acknowledges the message instead of \
            deferring it.",
        law: S11,
        also: &[L4],
    },
    Mutant {
        name: "dead_letter_unroutable",
        statement: "The dead-letter exchange has no binding that matches the keys of dead letters.",
        law: S11,
        also: &[],
    },
    Mutant {
        name: "poison_is_dropped",
        statement: "A message beyond its maximum of starts is deleted instead of parked.",
        law: S11,
        also: &[L11],
    },
    Mutant {
        name: "completed_only_guard",
        statement: "The guard before effects recognises only completed, so every other end repeats \
            its effects.",
        law: S12,
        also: &[S13],
    },
    Mutant {
        name: "guard_fails_open",
        statement: "An error in the lookup of the effect ledger is taken for not yet sent.",
        law: S12,
        also: &[],
    },
    Mutant {
        name: "effects_planned_at_first_report",
        statement: "Success effects are planned when the attempt reports, before cancel and retry \
            have decided the final status.",
        law: S13,
        also: &[],
    },
    Mutant {
        name: "successor_without_unique_key",
        statement: "A successor is looked up and then inserted, without a unique key.",
        law: S14,
        also: &[],
    },
    Mutant {
        name: "expansion_split_over_commits",
        statement: "The items of a list are inserted in several commits, and a repeat begins after \
            the first row that it finds.",
        law: S15,
        also: &[],
    },
    Mutant {
        name: "progress_as_a_rewritten_list",
        statement: "Finished tasks are a list in the run's row, read before the lock is taken and \
            written back whole.",
        law: S16,
        also: &[L5],
    },
    Mutant {
        name: "window_counts_started_items_only",
        statement: "Free places in the window are computed from running items and leave out those \
            dispatched.",
        law: S17,
        also: &[],
    },
    Mutant {
        name: "countdown_barrier_with_reset",
        statement: "A barrier is a number that members of any generation count down and that \
            arming resets.",
        law: S18,
        also: &[],
    },
    Mutant {
        name: "drain_keeps_claiming",
        statement: "A worker that drains goes on claiming until its process exits.",
        law: S19,
        also: &[],
    },
    Mutant {
        name: "sweep_by_age_alone",
        statement: "A sweep ends what has not changed for a fixed time and looks at neither lease \
            nor state.",
        law: S20,
        also: &[],
    },
    Mutant {
        name: "deregister_by_name",
        statement: "Deregistration addresses the worker's name and leaves out the incarnation.",
        law: S21,
        also: &[],
    },
    Mutant {
        name: "submit_key_checked_by_reading",
        statement: "A submit looks for its key and then inserts, without a unique key.",
        law: S22,
        also: &[],
    },
    Mutant {
        name: "abandoned_missing_from_terminal_set",
        statement: "The set of terminal statuses in a query lacks abandoned.",
        law: S23,
        also: &[L5],
    },
    Mutant {
        name: "stats_not_refreshed_when_empty",
        statement: "A release that promotes nobody returns before the figures are refreshed.",
        law: S24,
        also: &[],
    },
    Mutant {
        name: "leader_without_compare_and_set",
        statement: "Firing a schedule inserts and moves the due time without comparing it with the \
            one that was read.",
        law: S25,
        also: &[],
    },
    Mutant {
        name: "transport_read_from_config",
        statement: "Dispatch uses the transport configured now instead of the one pinned in the \
            row.",
        law: S26,
        also: &[],
    },
    Mutant {
        name: "retry_after_cancel",
        statement: "A retriable failure goes to backoff without looking whether a cancel was \
            requested.",
        law: S27,
        also: &[],
    },
    Mutant {
        name: "delivery_counts_as_a_start",
        statement: "The budget is charged when a message is claimed instead of when its work \
            starts.",
        law: S28,
        also: &[],
    },
    Mutant {
        name: "queue_length_not_checked",
        statement: "Admission never compares the number of waiters with the maximum length.",
        law: S29,
        also: &[],
    },
    Mutant {
        name: "retention_ignores_references",
        statement: "Retention removes tombstones by age although a live message still refers to \
            them.",
        law: S29,
        also: &[S12],
    },
    Mutant {
        name: "journal_records_another_time",
        statement: "The time written to the journal is read after the decision instead of being \
            the one that it was given.",
        law: S30,
        also: &[],
    },
    Mutant {
        name: "run_closed_by_item_status",
        statement: "A run counts its open items by their stored status instead of by the \
            completions not yet folded in.",
        law: S31,
        also: &[L5],
    },
    Mutant {
        name: "queue_timeout_not_armed",
        statement: "Admission to the line sets no timer for the queue timeout.",
        law: L1,
        also: &[],
    },
    Mutant {
        name: "promotion_without_dispatch",
        statement: "Promotion turns the ticket and writes no dispatch message.",
        law: L2,
        also: &[S11],
    },
    Mutant {
        name: "promote_one_on_raise",
        statement: "Raising a limit promotes a single waiter.",
        law: L3,
        also: &[],
    },
    Mutant {
        name: "retry_sleeps_in_handler",
        statement: "The handler of a failure sleeps through the backoff instead of setting a \
            timer.",
        law: L3,
        also: &[L4],
    },
    Mutant {
        name: "claim_marks_done_before_work",
        statement: "The claim of a message writes the mark that a redelivery reads as done.",
        law: L4,
        also: &[S11],
    },
    Mutant {
        name: "failed_attempt_read_as_terminal",
        statement: "The guard against terminal runs also turns away a run whose attempt failed \
            with retries left.",
        law: L4,
        also: &[S11],
    },
    Mutant {
        name: "join_not_rechecked",
        statement: "A predecessor is added to the join, and readiness is tested against the set as \
            it was before.",
        law: L5,
        also: &[],
    },
    Mutant {
        name: "dispatch_to_the_first_worker",
        statement: "Work goes to the first eligible worker by name, whatever it already runs.",
        law: L6,
        also: &[],
    },
    Mutant {
        name: "beat_does_not_restore_active",
        statement: "A beat moves the timestamp of a suspect worker and leaves it suspect.",
        law: L7,
        also: &[],
    },
    Mutant {
        name: "status_before_effects",
        statement: "The final status is committed first and the effects are planned in a second \
            transaction.",
        law: L8,
        also: &[S13],
    },
    Mutant {
        name: "drain_counts_terminal_executions",
        statement: "The count of executions pinned to a transport leaves out the condition on \
            status.",
        law: L9,
        also: &[],
    },
    Mutant {
        name: "rearm_waits_for_the_leader",
        statement: "Expired claims are re-armed only by the process that holds the leader lease.",
        law: L10,
        also: &[],
    },
    Mutant {
        name: "parked_left_out_of_inspection",
        statement: "The query behind the inspection endpoint lists ready and claimed messages \
            only.",
        law: L11,
        also: &[],
    },
    Mutant {
        name: "retry_resets_its_count",
        statement: "A retry starts its count of failures at zero.",
        law: L12,
        also: &[S28],
    },
    Mutant {
        name: "cancel_grace_not_armed",
        statement: "A cancel asks the holder to stop and sets no timer for the grace.",
        law: L13,
        also: &[],
    },
    Mutant {
        name: "lease_left_at_the_end",
        statement: "The commit that ends an execution leaves its lease row behind.",
        law: L14,
        also: &[],
    },
];
