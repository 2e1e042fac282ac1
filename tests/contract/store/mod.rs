//! What a store promises, one function for each clause, whatever it keeps its rows in.

pub(crate) mod effects;
pub(crate) mod isolation;
pub(crate) mod loads;
pub(crate) mod queries;
pub(crate) mod random;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod schedules;
pub(crate) mod writes;

use steadfast_services::port::{Query, Store};

/// A store that can be looked into as well.
pub(crate) trait Full: Store + Query {}

impl<S: Store + Query> Full for S {}

/// A test for each clause. `$fresh` makes an empty store, and something that is kept until the
/// test is over; or `$perform`, after `stage`, gives a clause a store of a simulated world.
macro_rules! store_contract {
    ($fresh:path) => {
        $crate::store::store_contract! { tokio $fresh }
    };
    ($kind:ident $fresh:path) => {
        $crate::store::store_contract! { $kind $fresh:
            loads::an_empty_store_answers_everything_with_nothing,
            loads::identities_are_given_once,
            loads::workers_are_found_by_name_and_the_gone_are_left_out_of_the_rest,
            loads::queues_their_occupancy_and_their_lines,
            loads::ready_executions_come_oldest_first_and_by_runtime,
            loads::children_that_ended_and_children_that_live,
            loads::runs_that_can_be_advanced,
            loads::due_executions_come_earliest_first,
            loads::attempts_of_workers_that_are_dead_gone_superseded_or_unknown_are_orphans,
            loads::submissions_are_found_by_key,
            loads::visits_their_results_and_their_items,
            writes::a_stale_update_conflicts_and_nothing_of_the_transaction_stays,
            writes::updates_of_every_table_check_the_version,
            writes::unique_keys_refuse_the_second,
            writes::impossible_rows_are_refused_for_good,
            writes::batches_of_every_length_are_written_and_read_whole,
            writes::payloads_come_back_whatever_is_in_them,
            writes::a_dropped_transaction_leaves_nothing_and_the_next_one_begins,
            writes::a_transaction_that_is_given_up_at_any_await_leaves_nothing_or_all,
            writes::many_writers_at_once_lose_nothing,
            queries::listings_hold_what_is_asked_for_newest_first,
            queries::an_execution_comes_with_what_belongs_to_it,
            queries::tasks_and_runs,
            queries::queues_workers_and_counts,
            queries::definitions_and_notes,
            schedules::schedules_come_back_and_are_found_by_name_and_by_due_time,
            schedules::a_name_is_taken_once_and_a_change_names_its_version,
            schedules::a_schedule_moves_on_with_what_it_fires_or_not_at_all,
            retention::retention_takes_what_is_over_for_long_and_nothing_else,
            queries::readers_see_only_what_is_committed_and_do_not_wait,
            isolation::a_transaction_sees_what_it_has_written_and_nobody_else_does,
            isolation::the_clock_never_goes_back_and_dates_what_was_decided_last,
            isolation::who_reads_a_locked_row_to_change_it_loses_no_change,
            isolation::who_waits_for_a_lock_sees_what_its_holder_did,
            isolation::many_who_claim_at_once_never_share_a_row,
            isolation::identities_are_given_to_one_of_many,
            effects::effects_are_found_when_due_and_settled_by_version,
            effects::wishes_stay_with_their_execution,
            effects::effects_are_listed_by_execution_and_state,
            effects::due_effects_are_taken_by_one,
            effects::effects_go_with_their_execution,
        }
    };
    (stage $perform:path: $($part:ident::$clause:ident,)*) => {$(
        #[test]
        fn $clause() {
            $perform($crate::store::$part::$clause);
        }
    )*};
    (tokio $fresh:path: $($part:ident::$clause:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $clause() {
            let (store, _keep) = $fresh().await;
            $crate::store::$part::$clause(store).await;
        }
    )*};
}
pub(crate) use store_contract;
