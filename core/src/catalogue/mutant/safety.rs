//! The bugs that can be planted today and break a safety law.

use super::{Due, Mutant};
use crate::catalogue::law::LawId::*;

pub(super) const SAFETY: &[Mutant] = &[
    Mutant {
        name: "counter_instead_of_rows",
        statement: "Each report lowers the number of slots in use, whether it is taken or refused, \
            instead of leaving it to a count of rows.",
        law: S1,
        also: &[S3, L14],
        due: Due::Now,
    },
    Mutant {
        name: "promote_without_capacity_check",
        statement: "A promotion lets waiters through without comparing the holders with the limit.",
        law: S1,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "paused_queue_admits",
        statement: "Admission of a newcomer looks at the limit of its queue and not at whether the \
            queue is paused.",
        law: S1,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "operator_limit_ignored",
        statement: "Admission of a newcomer compares with the limit that the definition declares, \
            whatever an operator has set.",
        law: S1,
        also: &[L3],
        due: Due::Now,
    },
    Mutant {
        name: "occupancy_counted_before_the_lock",
        statement: "The holders of a queue are counted first and its row is locked after that, so \
            the count may be out of date.",
        law: S1,
        also: &[S2, S29, L3],
        due: Due::Now,
    },
    Mutant {
        name: "occupancy_of_an_old_look",
        statement: "The store counts the holders of a queue as they were when the transaction \
            began, although its row was locked after that.",
        law: S1,
        also: &[S2, S29, L3],
        due: Due::Now,
    },
    Mutant {
        name: "disowned_attempts_run_on",
        statement: "A worker does not stop what runs although the store has given it to nobody or \
            somebody else.",
        law: S1p,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "witness_speaks_too_soon",
        statement: "The witness of a killed worker says that it is dead without waiting until its \
            actions are.",
        law: S1p,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "lease_loss_ignored_by_worker",
        statement: "A worker whose renewals fail lets its actions run on after its lease has \
            ended.",
        law: S1p,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "fence_after_the_lease",
        statement: "A worker that cannot renew waits for three leases before it stops its work, \
            instead of for four fifths of one.",
        law: S1p,
        also: &[S5],
        due: Due::Now,
    },
    Mutant {
        name: "superseded_worker_runs_on",
        statement: "A process that hears that a newer one has its name stops claiming and lets its \
            actions run on.",
        law: S1p,
        also: &[S21],
        due: Due::Now,
    },
    Mutant {
        name: "stop_only_heard_from_hints",
        statement: "A worker stops an attempt when a message tells it to, and does not look at \
            what its beats are answered.",
        law: S1p,
        also: &[L13],
        due: Due::Now,
    },
    Mutant {
        name: "promote_newest_first",
        statement: "Promotion takes the waiter with the highest order number instead of the \
            lowest.",
        law: S2,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "line_read_newest_first",
        statement: "The query for the head of a line reads it from its end.",
        law: S2,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "horizon_ignored",
        statement: "A promotion takes the waiters that were loaded for the whole line, though some \
            that were not stand further ahead.",
        law: S2,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "release_by_queue_key",
        statement: "A release takes the slot of another holder of the queue key as well, and sends \
            it back into the line.",
        law: S3,
        also: &[S1, S5, S7, L3],
        due: Due::Now,
    },
    Mutant {
        name: "readmission_takes_a_new_number",
        statement: "An execution that stands in line again for a retry gets a fresh order number \
            instead of keeping its own.",
        law: S4,
        also: &[S2, S24],
        due: Due::Now,
    },
    Mutant {
        name: "place_given_out_twice",
        statement: "The order number that is given to a newcomer is not counted up in the queue's \
            row.",
        law: S4,
        also: &[S2, S3, S24],
        due: Due::Now,
    },
    Mutant {
        name: "report_accepted_with_any_token",
        statement: "A report is taken for the present attempt, whichever token it presents.",
        law: S5,
        also: &[S6, S8, S28],
        due: Due::Now,
    },
    Mutant {
        name: "token_reused_after_a_loss",
        statement: "An execution that was lost and is claimed again keeps the number, and so the \
            token, of the attempt before.",
        law: S5,
        also: &[S7],
        due: Due::Now,
    },
    Mutant {
        name: "start_without_compare_and_set",
        statement: "A claim reads rows that another claim has locked, and writes its start \
            without the condition on the version that it read.",
        law: S5,
        also: &[S1p, S6, S7],
        due: Due::Now,
    },
    Mutant {
        name: "late_report_overwrites_terminal",
        statement: "A finish report with the newest token is applied to an execution that is over.",
        law: S6,
        also: &[S7, S22, S24],
        due: Due::Now,
    },
    Mutant {
        name: "stale_status_is_applied",
        statement: "A finish report with the newest token is applied whatever the status is, also \
            while the execution waits for its next attempt.",
        law: S7,
        also: &[S6, S8, S27],
        due: Due::Now,
    },
    Mutant {
        name: "result_taken_from_a_fenced_report",
        statement: "A report refused for its token still has its result stored.",
        law: S8,
        also: &[S6],
        due: Due::Now,
    },
    Mutant {
        name: "engine_end_leaves_no_reason",
        statement: "An execution that the engine itself ends gets its status and no sentence that \
            says why.",
        law: S8,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "result_of_a_failed_attempt_is_kept",
        statement: "The result of a failed attempt is stored although the execution is tried \
            again.",
        law: S8,
        also: &[S6, L4],
        due: Due::Now,
    },
    Mutant {
        name: "give_back_arms_no_timer",
        statement: "An attempt that was given back waits for a worker without a time after which \
            somebody looks at it again.",
        law: S11,
        also: &[L4],
        due: Due::Now,
    },
    Mutant {
        name: "offer_without_deadline",
        statement: "An offer to a worker sets no timer for the answer.",
        law: S11,
        also: &[L4],
        due: Due::Now,
    },
    Mutant {
        name: "delay_not_armed",
        statement: "A task with a delay is created and the timer that would start it is not set.",
        law: S11,
        also: &[L4, L5],
        due: Due::Now,
    },
    Mutant {
        name: "unknown_commit_taken_for_success",
        statement: "A commit whose answer was lost is taken for done, and the caller is told so.",
        law: S11,
        also: &[S1p, S5, S22, L4],
        due: Due::Now,
    },
    Mutant {
        name: "conflict_taken_for_done",
        statement: "A commit that was refused because somebody else was faster is taken for done, \
            and the caller is told so.",
        law: S11,
        also: &[S1p, S5, S22, L4],
        due: Due::Now,
    },
    Mutant {
        name: "completed_only_guard",
        statement: "The guard before effects recognises only completed, so every other end repeats \
            its effects.",
        law: S12,
        also: &[S13],
        due: Due::Now,
    },
    Mutant {
        name: "guard_fails_open",
        statement: "An error in the lookup of the effect ledger is taken for not yet sent.",
        law: S12,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "effect_settled_with_any_token",
        statement: "A word on a try settles the effect whatever token it presents, so that a sender \
            whose try was taken over speaks for the one who has it.",
        law: S12,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "effect_settled_without_sending",
        statement: "The effect is marked delivered before the receiver has answered.",
        law: S12,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "effects_planned_at_first_report",
        statement: "Success effects are planned when the attempt reports, before cancel and retry \
            have decided the final status.",
        law: S13,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "occurrence_not_counted",
        statement: "A visit of a task is created and the run does not count it.",
        law: S14,
        also: &[S16, L5],
        due: Due::Now,
    },
    Mutant {
        name: "successor_without_unique_key",
        statement: "A run is advanced without a lock; its successors are looked up and then \
            inserted, with neither unique keys nor a condition on versions.",
        law: S14,
        also: &[S4, S15, S16, S24],
        due: Due::Now,
    },
    Mutant {
        name: "expansion_split_over_commits",
        statement: "The items of a list are inserted in several commits, and the count of all of \
            them is written with the first.",
        law: S15,
        also: &[S17, L5],
        due: Due::Now,
    },
    Mutant {
        name: "progress_as_a_rewritten_list",
        statement: "Each completion is folded into the count as it was read at the beginning, so \
            the last of several overwrites the others.",
        law: S16,
        also: &[S11, L5],
        due: Due::Now,
    },
    Mutant {
        name: "completion_counted_again",
        statement: "A completion is counted in its visit and not marked as folded in, so the next \
            look counts it again.",
        law: S16,
        also: &[S31, L5],
        due: Due::Now,
    },
    Mutant {
        name: "window_counts_started_items_only",
        statement: "Free places in the window are computed from what this commit has created and \
            leave out what is under way.",
        law: S17,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "drain_keeps_claiming",
        statement: "A worker that drains goes on claiming until its process exits.",
        law: S19,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "draining_worker_accepts",
        statement: "A worker that drains accepts what was offered to it before.",
        law: S19,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "sweep_trusts_an_old_look",
        statement: "A sweep reads the workers before it has locked the executions that it takes \
            from them.",
        law: S20,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "unhealthy_worker_keeps_getting_work",
        statement: "A worker that was found hung goes on claiming.",
        law: S19,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "probe_failure_taken_for_death",
        statement: "A worker whose probe fails is declared dead within its lease.",
        law: S20,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "sweep_by_age_alone",
        statement: "A sweep declares dead whatever worker has not been heard of for a fixed time \
            and does not look at its lease.",
        law: S20,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "busy_workers_count_as_none",
        statement: "An execution that waits for a worker too long is given up, though those that \
            could run it are merely busy.",
        law: S20,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "burial_without_compare_and_set",
        statement: "A worker is declared dead by a look that is older than its last beat, because \
            the write names no version.",
        law: S20,
        also: &[S21],
        due: Due::Now,
    },
    Mutant {
        name: "witness_speaks_by_name",
        statement: "A witness's word addresses the worker's name and leaves out the incarnation, \
            so a process that has come back meanwhile is taken for dead.",
        law: S21,
        also: &[S1p, S5, S20],
        due: Due::Now,
    },
    Mutant {
        name: "deregister_by_name",
        statement: "Deregistration addresses the worker's name and leaves out the incarnation.",
        law: S21,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "beat_by_name",
        statement: "A beat addresses the worker's name and leaves out the incarnation, so an old \
            process keeps itself alive.",
        law: S21,
        also: &[S1p, S5],
        due: Due::Now,
    },
    Mutant {
        name: "unknown_commit_taken_for_failure",
        statement: "A submit whose commit has an unknown outcome is decided again under new \
            identities, without looking for the old ones.",
        law: S22,
        also: &[S11],
        due: Due::Now,
    },
    Mutant {
        name: "submit_key_checked_by_reading",
        statement: "A submit looks for its key and then inserts, without a unique key.",
        law: S22,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "abandoned_missing_from_terminal_set",
        statement: "The set of terminal statuses that a run folds in lacks abandoned.",
        law: S23,
        also: &[L4, L5, L14],
        due: Due::Now,
    },
    Mutant {
        name: "stats_not_refreshed_when_empty",
        statement: "An end that promotes nobody returns before it is counted in the queue's row.",
        law: S24,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "commit_torn_between_tables",
        statement: "A connection that is lost while it commits leaves the executions that were \
            written, and nothing of what was written with them.",
        law: S24,
        also: &[S4, S8, S14, S15, S16, S31],
        due: Due::Now,
    },
    Mutant {
        name: "leader_without_compare_and_set",
        statement: "Firing a schedule writes the row as it was when it was found due, without \
            comparing it with the one that is there.",
        law: S25,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "firing_without_its_key",
        statement: "What a schedule fires is submitted without the key of its due time.",
        law: S25,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "schedule_advanced_outside_the_commit",
        statement: "The commit that submits what a schedule fires does not move the schedule on.",
        law: S25,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "retry_after_cancel",
        statement: "A retriable failure goes to backoff without looking whether a cancel was \
            requested.",
        law: S27,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "cancelled_waiter_is_promoted",
        statement: "Cancelling a waiter notes that it was asked for and leaves it in the line.",
        law: S27,
        also: &[S3, L13, L14],
        due: Due::Now,
    },
    Mutant {
        name: "rescue_ignores_the_cancel",
        statement: "An attempt lost with its worker is tried again without looking whether a \
            cancel was requested.",
        law: S27,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "start_ignores_the_cancel",
        statement: "An offer is accepted and started without looking whether a cancel was \
            requested.",
        law: S27,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "one_retry_too_many",
        statement: "The count of failures is compared with the number of retries as if it had not \
            been raised yet.",
        law: S28,
        also: &[L12],
        due: Due::Now,
    },
    Mutant {
        name: "delivery_counts_as_a_start",
        statement: "The budget is charged when a worker that was offered an execution is lost, \
            instead of when it has started.",
        law: S28,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "transport_read_from_config",
        statement: "A change of status writes the transport that is configured now into the row.",
        law: S26,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "newcomers_not_counted",
        statement: "Whether a line may become too long is asked of those who have come so far, and not \
            of those who come with this transaction.",
        law: S29,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "queue_length_not_checked",
        statement: "Admission never compares the number of waiters with the maximum length.",
        law: S29,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "retention_goes_by_age_alone",
        statement: "Retention lets go of whatever ended long enough ago, an ended child of an open \
            run too.",
        law: S29,
        also: &[S15, S16, S24, S31],
        due: Due::Now,
    },
    Mutant {
        name: "journal_records_another_time",
        statement: "The time written to the journal is read when the commit is made, instead of \
            being the one that the decision was given.",
        law: S30,
        also: &[],
        due: Due::Now,
    },
    Mutant {
        name: "run_closed_by_item_status",
        statement: "A run that is over is closed when its items have been asked to stop, whether \
            or not their ends were folded in.",
        law: S31,
        also: &[L5, L14],
        due: Due::Now,
    },
    Mutant {
        name: "run_ends_with_open_items",
        statement: "A run ends when all its items have been created, and does not wait for those \
            under way.",
        law: S31,
        also: &[S7, S16, L5],
        due: Due::Now,
    },
];
