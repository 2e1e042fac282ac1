//! The safety laws: what never happens, at no step of no run.

use super::law::{Kind, Law, LawId, Scope};

/// S1 to S31, in the order of [`LawId`].
pub(super) const SAFETY: &[Law] = &[
    Law {
        id: LawId::S1,
        code: "S1",
        name: "holders_never_exceed_the_limit",
        statement: "For each queue key, no commit raises the number of holding tickets above the \
            limit in force. After a limit is lowered, those who already held may exceed it, and \
            every release brings the number down until it fits.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "Two deployments run against a host that was promised one at a time.",
        mutants: &[
            "counter_instead_of_rows",
            "promote_without_capacity_check",
            "paused_queue_admits",
            "operator_limit_ignored",
            "occupancy_counted_before_the_lock",
            "occupancy_of_an_old_look",
        ],
        failures: &["F1", "F12", "F16", "F17", "F33", "F42"],
    },
    Law {
        id: LawId::S1p,
        code: "S1p",
        name: "live_processes_never_exceed_the_limit",
        statement: "For each queue key, the processes that really run never outnumber the bound of \
            S1, provided that clocks drift less than the stated bound and a kill takes effect. \
            Where either is not given, the overlap is counted and reported instead.",
        kind: Kind::Safety,
        scope: Scope::World,
        why: "The books show one holder while a worker that nobody can reach still works on a \
            second copy.",
        mutants: &[
            "disowned_attempts_run_on",
            "witness_speaks_too_soon",
            "lease_loss_ignored_by_worker",
            "fence_after_the_lease",
            "superseded_worker_runs_on",
            "stop_only_heard_from_hints",
        ],
        failures: &["F40"],
    },
    Law {
        id: LawId::S2,
        code: "S2",
        name: "promotion_follows_admission_order",
        statement: "No execution of a queue key becomes a holder while another with a lower order \
            number still waits, neither cancelled nor expired. Starts may overtake one another; \
            promotions may not.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "The newest request goes out first, and an unlucky one starves behind those that came \
            after it.",
        mutants: &["promote_newest_first", "line_read_newest_first", "horizon_ignored"],
        failures: &["F12", "F14"],
    },
    Law {
        id: LawId::S3,
        code: "S3",
        name: "every_slot_has_a_live_owner",
        statement: "A holding ticket names an execution that was promoted and is in a status that \
            holds a slot. The commit that makes an execution terminal deletes its ticket, and \
            releasing one execution changes no other execution's ticket.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A slot without an owner narrows the queue for good; a slot freed on somebody else's \
            behalf lets one too many in.",
        mutants: &["release_by_queue_key"],
        failures: &["F1", "F13", "F15", "F16", "F27", "F43"],
    },
    Law {
        id: LawId::S4,
        code: "S4",
        name: "one_execution_has_one_ticket",
        statement: "An execution has at most one ticket, and an admission repeated by redelivery, \
            replay or restart returns that ticket with its order number unchanged.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A restart sends people to the back of the line, or one request stands in it twice.",
        mutants: &["readmission_takes_a_new_number", "place_given_out_twice"],
        failures: &["F12", "F14"],
    },
    Law {
        id: LawId::S5,
        code: "S5",
        name: "one_attempt_is_effective",
        statement: "At most one attempt of an execution is accepted or running under a current \
            token. Every write taken from an attempt carries the newest token; a write with an \
            older one is refused as fenced.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "Two workers each believe that the job is theirs, and what they write is mixed.",
        mutants: &[
            "report_accepted_with_any_token",
            "token_reused_after_a_loss",
            "start_without_compare_and_set",
        ],
        failures: &["F30", "F33", "F40", "F49"],
    },
    Law {
        id: LawId::S6,
        code: "S6",
        name: "terminal_is_final",
        statement: "Once an execution is terminal, its status, its result and its end time never \
            change.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A job reported as failed turns into a success after its owner has already acted on \
            the failure.",
        mutants: &["late_report_overwrites_terminal"],
        failures: &["F2", "F3", "F30", "F33", "F40", "F43", "F48", "F50", "F62"],
    },
    Law {
        id: LawId::S7,
        code: "S7",
        name: "every_change_is_a_legal_edge",
        statement: "Every change of status is an edge of its machine's transition table. An input \
            without an edge from the present state leaves that state as it was and is counted with \
            its reason.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "An unexpected message brings a finished job back to life, or moves a row to a state \
            that nothing knows how to leave.",
        mutants: &["stale_status_is_applied"],
        failures: &["F3"],
    },
    Law {
        id: LawId::S8,
        code: "S8",
        name: "the_result_belongs_to_the_deciding_report",
        statement: "The result of a terminal execution was produced by the attempt whose report \
            made it terminal, or by the sweep that ended it and gave the reason.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "The status tells of one attempt and the result of another.",
        mutants: &[
            "result_taken_from_a_fenced_report",
            "engine_end_leaves_no_reason",
            "result_of_a_failed_attempt_is_kept",
        ],
        failures: &["F2", "F40"],
    },
    Law {
        id: LawId::S9,
        code: "S9",
        name: "a_message_has_one_holder",
        statement: "A claimed message has exactly one token. Renewing, acknowledging or refusing \
            it with any other token changes nothing and tells the caller so.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A slow consumer acknowledges the work that another has just begun, and then nobody \
            is answerable for it.",
        mutants: &["ack_without_token", "renew_without_token"],
        failures: &["F47"],
    },
    Law {
        id: LawId::S10,
        code: "S10",
        name: "a_message_is_enqueued_once",
        statement: "At most one live message exists per (kind, execution, generation, index).",
        kind: Kind::Safety,
        scope: Scope::Snapshot,
        why: "A send whose answer was lost is sent again, and the step behind it runs twice.",
        mutants: &["send_without_unique_key"],
        failures: &["F53"],
    },
    Law {
        id: LawId::S11,
        code: "S11",
        name: "nothing_accepted_is_lost",
        statement: "Every non-terminal execution has at least one live handle: a message, a valid \
            lease, a pending timer, a waiting ticket, an open barrier or an unsent outbox row. A \
            committed message is still there, or done, or parked with a reason.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A job stays unfinished for ever, and nothing in the system will ever look at it \
            again.",
        mutants: &[
            "give_back_arms_no_timer",
            "offer_without_deadline",
            "delay_not_armed",
            "unknown_commit_taken_for_success",
            "conflict_taken_for_done",
            "publish_outside_the_transaction",
            "skip_and_ack_when_busy",
            "dead_letter_unroutable",
            "poison_is_dropped",
        ],
        failures: &["F5", "F22", "F32", "F36", "F37", "F44", "F46", "F55", "F58", "F59", "F64"],
    },
    Law {
        id: LawId::S12,
        code: "S12",
        name: "an_effect_settles_once",
        statement: "An effect key (execution, generation, kind, target) exists once, has at most \
            one valid sender at a time and is marked delivered at most once. The receiver may see \
            a repeated try, always under the same idempotency key.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "A customer is billed twice, or notified again at every redelivery.",
        mutants: &[
            "completed_only_guard",
            "guard_fails_open",
            "effect_settled_with_any_token",
            "effect_settled_without_sending",
        ],
        failures: &["F47", "F50", "F51", "F52"],
    },
    Law {
        id: LawId::S13,
        code: "S13",
        name: "effects_agree_with_the_outcome",
        statement: "The effects planned for a run follow from its final status and generation \
            alone. A run that did not complete plans no success effect, and a superseded attempt \
            or generation plans nothing and writes no status.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A failed run is billed, or a failure notice is followed by a receipt.",
        mutants: &["effects_planned_at_first_report"],
        failures: &["F48", "F51"],
    },
    Law {
        id: LawId::S14,
        code: "S14",
        name: "a_successor_exists_once",
        statement: "Per (run, task, occurrence) there is at most one task instance, and per (run, \
            task, occurrence, item) at most one execution. Retries are further attempts of that \
            execution.",
        kind: Kind::Safety,
        scope: Scope::Snapshot,
        why: "The step after a fan-out runs twice: two deployments, two e-mails.",
        mutants: &["occurrence_not_counted", "successor_without_unique_key"],
        failures: &["F4", "F20", "F21"],
    },
    Law {
        id: LawId::S15,
        code: "S15",
        name: "a_list_expands_in_full",
        statement: "A task instance that has expanded has exactly the items 0 to n-1 of the \
            evaluated list, none missing and none extra. The attempts of an item are numbered \
            without repetition and stay within its budget.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "The last items of a list are never processed, while the run reports success.",
        mutants: &["expansion_split_over_commits"],
        failures: &["F23", "F27"],
    },
    Law {
        id: LawId::S16,
        code: "S16",
        name: "progress_is_never_lost",
        statement: "The finished items and tasks of a run and its variables equal the fold, in \
            commit order, of the completions in the log. What is finished only grows.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "Two branches end together, one overwrites the other, and the join behind them waits \
            for ever.",
        mutants: &["progress_as_a_rewritten_list", "completion_counted_again"],
        failures: &["F24"],
    },
    Law {
        id: LawId::S17,
        code: "S17",
        name: "a_fan_out_is_whole_and_keeps_its_window",
        statement: "The items of a task that hold a place in its window never outnumber the task's \
            concurrency. The members and messages of a barrier are committed all together or not \
            at all.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A list limited to three calls at a time makes five, or half of a batch is sent and \
            the rest is never heard of.",
        mutants: &["window_counts_started_items_only"],
        failures: &["F25", "F57"],
    },
    Law {
        id: LawId::S18,
        code: "S18",
        name: "a_barrier_fires_once_with_every_member",
        statement: "Per (run, generation) the continuation is inserted at most once, and at that \
            moment each index from 0 to N-1 has exactly one terminal member of that generation. \
            The payload lists the results by index.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "The aggregate counts one batch twice, misses another, and looks correct.",
        mutants: &["countdown_barrier_with_reset"],
        failures: &["F54", "F56", "F63"],
    },
    Law {
        id: LawId::S19,
        code: "S19",
        name: "a_draining_worker_takes_no_work",
        statement: "From the commit that marks an incarnation as draining, it accepts no attempt; \
            from the commit that marks it as gone, no renewal and no report of it is taken. As long \
            as one is marked as unhealthy, it claims nothing.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A rolling update kills jobs that began after the shutdown had started.",
        mutants: &[
            "drain_keeps_claiming",
            "draining_worker_accepts",
            "unhealthy_worker_keeps_getting_work",
        ],
        failures: &["F31"],
    },
    Law {
        id: LawId::S20,
        code: "S20",
        name: "no_sweep_fails_healthy_work",
        statement: "No sweep or timeout ends an execution or loses an attempt whose lease is valid \
            at the deciding clock, fails a waiter before its queue timeout, or touches a \
            generation newer than the one it observed.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "Work that is merely slow, or waiting its turn, is declared dead.",
        mutants: &[
            "sweep_trusts_an_old_look",
            "sweep_by_age_alone",
            "probe_failure_taken_for_death",
            "busy_workers_count_as_none",
            "burial_without_compare_and_set",
        ],
        failures: &["F35", "F42", "F60"],
    },
    Law {
        id: LawId::S21,
        code: "S21",
        name: "a_worker_name_has_one_incarnation",
        statement: "At most one incarnation per worker name is live, and a beat or a \
            deregistration by an older incarnation changes nothing.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "The old process of a restarted worker shuts down late and takes the new one out of \
            service.",
        mutants: &["witness_speaks_by_name", "deregister_by_name", "beat_by_name"],
        failures: &["F38"],
    },
    Law {
        id: LawId::S22,
        code: "S22",
        name: "one_submit_gives_one_outcome",
        statement: "An accepted submit key gives one execution however often it is sent, and each \
            execution enters the terminal set at most once.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "A client that repeats a request after a lost answer starts the job twice, or is told \
            two different endings.",
        mutants: &["unknown_commit_taken_for_failure", "submit_key_checked_by_reading"],
        failures: &["F15", "F33", "F62"],
    },
    Law {
        id: LawId::S23,
        code: "S23",
        name: "every_word_is_in_the_vocabulary",
        statement: "Every status, reason and kind, on the wire and in the store, parses into the \
            one closed enum. One function decides what is terminal, and every query that asks uses \
            the same set.",
        kind: Kind::Safety,
        scope: Scope::Snapshot,
        why: "One component writes a word that another does not know, and the row falls out of \
            every query.",
        mutants: &["abandoned_missing_from_terminal_set"],
        failures: &["F7", "F11", "F26", "F41"],
    },
    Law {
        id: LawId::S24,
        code: "S24",
        name: "reported_numbers_match_the_rows",
        statement: "Each exported number equals what counting the rows gives at the version of its \
            snapshot, and each gauge carries its age.",
        kind: Kind::Safety,
        scope: Scope::Snapshot,
        why: "The dashboard shows load that is not there, or calm while nothing moves.",
        mutants: &["stats_not_refreshed_when_empty", "commit_torn_between_tables"],
        failures: &["F18", "F65"],
    },
    Law {
        id: LawId::S25,
        code: "S25",
        name: "a_timer_fires_once",
        statement: "Per (schedule, due time) there is at most one firing, and per (execution, \
            timer kind, attempt) at most one action taken. No row is written under a leader epoch \
            older than the row's own.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "The nightly job runs twice because two leaders overlapped for a second.",
        mutants: &[
            "leader_without_compare_and_set",
            "firing_without_its_key",
            "schedule_advanced_outside_the_commit",
        ],
        failures: &["F60"],
    },
    Law {
        id: LawId::S26,
        code: "S26",
        name: "an_execution_keeps_its_transport",
        statement: "The transport of an execution never changes, and whoever carries it on after a \
            change runs it once. Once a drain has finished, no non-terminal execution is pinned to \
            the drained transport.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A change of broker strands what was in flight, or runs it on both sides.",
        mutants: &["transport_read_from_config"],
        failures: &["F61"],
    },
    Law {
        id: LawId::S27,
        code: "S27",
        name: "an_accepted_cancel_holds",
        statement: "An execution cancelled while it has no live attempt never runs. Cancelled \
            while it has one, it starts no further attempt, and it ends as cancelled or with the \
            outcome of a report ordered before the acknowledgement of the cancel.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "A cancelled job starts all the same, or is retried after it was stopped.",
        mutants: &[
            "retry_after_cancel",
            "cancelled_waiter_is_promoted",
            "rescue_ignores_the_cancel",
            "start_ignores_the_cancel",
        ],
        failures: &["F43"],
    },
    Law {
        id: LawId::S28,
        code: "S28",
        name: "retries_stay_within_the_budget",
        statement: "An execution starts no more attempts than its budgets for failed and for lost \
            attempts allow. A delivery that started nothing costs nothing, and a message is parked \
            as poison only when its starts exceed the maximum.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "A job runs more often than its author allowed, or a healthy message is given up \
            because machines were moved under it.",
        mutants: &["one_retry_too_many", "delivery_counts_as_a_start"],
        failures: &["F27", "F59"],
    },
    Law {
        id: LawId::S29,
        code: "S29",
        name: "growth_is_bounded",
        statement: "No queue key has more waiters that could have been refused than its maximum \
            length. Parked messages, sent outbox rows, tombstones and ended executions go when \
            their retention ends, and nothing goes that a live row still refers to.",
        kind: Kind::Safety,
        scope: Scope::Transition,
        why: "The store fills until it stops, or a clean-up removes the very record that kept a \
            duplicate out.",
        mutants: &[
            "newcomers_not_counted",
            "queue_length_not_checked",
            "retention_goes_by_age_alone",
            "retention_ignores_references",
        ],
        failures: &["F50"],
    },
    Law {
        id: LawId::S30,
        code: "S30",
        name: "the_core_is_deterministic",
        statement: "The same state, input and time give the same decision. Replaying the log from \
            its start reproduces the state, hash for hash.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "A failure cannot be replayed, so it cannot be explained.",
        mutants: &["journal_records_another_time"],
        failures: &["F13"],
    },
    Law {
        id: LawId::S31,
        code: "S31",
        name: "a_run_ends_only_when_nothing_is_open",
        statement: "Unless it is cancelled, a run becomes terminal only when every item completion \
            in the log has been folded in, every transition of every finished task has been \
            evaluated, and every successor that they named exists.",
        kind: Kind::Safety,
        scope: Scope::Log,
        why: "A workflow reports success although one of its branches never ran.",
        mutants: &["run_closed_by_item_status", "run_ends_with_open_items"],
        failures: &["F66", "F67"],
    },
];
