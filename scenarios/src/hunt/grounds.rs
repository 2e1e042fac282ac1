//! Where each planted bug shows: in the swarm, unless a sharper scenario is named here.

use crate::Scenario;

/// Where a bug is hunted that nothing is said about.
const SWARM: &str = "swarm";

/// The bugs for which the swarm takes too many seeds, and where they show sooner.
pub const GROUNDS: &[(&str, &str)] = &[
    ("disowned_attempts_run_on", "what_was_taken_away_stops"),
    ("superseded_worker_runs_on", "what_was_taken_away_stops"),
    ("lease_loss_ignored_by_worker", "cut_off_beyond_its_lease"),
    ("fence_after_the_lease", "cut_off_beyond_its_lease"),
    ("stop_only_heard_from_hints", "a_stop_that_is_not_heard"),
    ("horizon_ignored", "a_line_beyond_what_is_seen"),
    ("delay_not_armed", "a_delay_is_kept"),
    ("drain_keeps_claiming", "drain_meets_new_work"),
    ("sweep_trusts_an_old_look", "a_name_that_comes_back"),
    ("unknown_commit_taken_for_failure", "answers_that_are_lost"),
    ("draining_worker_accepts", "an_offer_meets_an_order_to_drain"),
    ("busy_workers_count_as_none", "those_who_wait_are_left_alone"),
    ("witness_speaks_too_soon", "a_witness_speaks"),
    ("witness_speaks_by_name", "a_witness_speaks_late"),
    ("deregister_by_name", "the_old_one_takes_its_leave"),
    ("beat_by_name", "two_processes_of_one_name"),
    ("submit_key_checked_by_reading", "one_key_at_two_doors"),
    ("abandoned_missing_from_terminal_set", "every_end_moves_its_run_on"),
    ("queue_length_not_checked", "ends_without_a_worker"),
    ("transport_read_from_config", "the_transport_changes"),
    ("newcomers_not_counted", "a_burst_meets_a_short_line"),
    ("retention_goes_by_age_alone", "retention_meets_an_open_run"),
    ("run_closed_by_item_status", "runs_that_begin_again"),
    ("queue_timeout_not_armed", "waiting_has_an_end"),
    ("failed_attempt_read_as_terminal", "runs_that_begin_again"),
    ("children_query_lacks_abandoned", "every_end_moves_its_run_on"),
    ("other_transports_work_is_left", "the_transport_changes"),
    ("dispatch_to_the_first_worker", "equal_workers_have_equal_shares"),
    ("beat_does_not_restore_active", "a_late_beat_is_enough"),
    ("unhealthy_worker_keeps_getting_work", "a_worker_that_beats_and_hangs"),
    ("probe_failure_taken_for_death", "a_worker_that_beats_and_hangs"),
    ("cancel_does_not_reach_children", "a_cancelled_run_stops_its_children"),
    ("firing_without_its_key", "a_due_time_fires_once"),
    ("schedule_advanced_outside_the_commit", "a_due_time_fires_once"),
    ("leader_without_compare_and_set", "a_due_time_fires_once"),
    ("effect_settled_with_any_token", "a_sender_that_comes_back"),
    ("silent_senders_are_waited_for", "the_sender_dies_before_it_settles"),
];

/// One quick catch for each law that can be broken today.
pub const SHARP: &[&str] = &[
    "promote_without_capacity_check",
    "stop_only_heard_from_hints",
    "line_read_newest_first",
    "release_by_queue_key",
    "readmission_takes_a_new_number",
    "token_reused_after_a_loss",
    "late_report_overwrites_terminal",
    "stale_status_is_applied",
    "engine_end_leaves_no_reason",
    "delay_not_armed",
    "occurrence_not_counted",
    "expansion_split_over_commits",
    "completion_counted_again",
    "window_counts_started_items_only",
    "draining_worker_accepts",
    "busy_workers_count_as_none",
    "deregister_by_name",
    "submit_key_checked_by_reading",
    "abandoned_missing_from_terminal_set",
    "stats_not_refreshed_when_empty",
    "leader_without_compare_and_set",
    "rescue_ignores_the_cancel",
    "one_retry_too_many",
    "queue_length_not_checked",
    "journal_records_another_time",
    "run_closed_by_item_status",
    "queue_timeout_not_armed",
    "promotion_without_dispatch",
    "retry_returns_before_release",
    "claim_answer_lost_is_forgotten",
    "join_not_rechecked",
    "dispatch_to_the_first_worker",
    "beat_does_not_restore_active",
    "orphans_not_swept",
    "one_retry_too_few",
    "cancel_does_not_reach_children",
    "lease_left_at_the_end",
    "completed_only_guard",
    "effects_planned_at_first_report",
    "silent_senders_are_waited_for",
    "transport_read_from_config",
];

/// The scenario in which a planted bug is hunted.
///
/// # Panics
/// If the table names a scenario that there is not; a test looks.
#[must_use]
pub fn ground_of(mutant: &str) -> &'static Scenario {
    let named = GROUNDS.iter().find(|(name, _)| *name == mutant);
    let name = named.map_or(SWARM, |(_, scenario)| scenario);
    Scenario::named(name).unwrap_or_else(|| panic!("no scenario is called {name}"))
}
