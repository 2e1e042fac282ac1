//! Bugs are planted one at a time, and random worlds must notice each by a law that it breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use steadfast_core::catalogue::{LawId, Mutant};
use steadfast_core::execution::Ending;

use super::plan::{Step, step};
use super::{Manner, heal, manner, world};

/// How many worlds a bug may survive.
const WORLDS: u32 = 60;

/// The bugs that decisions alone can have and that no world of this size overlooks for long. The
/// others need time, processes or messages.
const NOTICED: &[&str] = &[
    "counter_instead_of_rows",
    "promote_without_capacity_check",
    "paused_queue_admits",
    "operator_limit_ignored",
    "promote_newest_first",
    "release_by_queue_key",
    "readmission_takes_a_new_number",
    "place_given_out_twice",
    "report_accepted_with_any_token",
    "token_reused_after_a_loss",
    "late_report_overwrites_terminal",
    "stale_status_is_applied",
    "result_taken_from_a_fenced_report",
    "engine_end_leaves_no_reason",
    "result_of_a_failed_attempt_is_kept",
    "give_back_arms_no_timer",
    "offer_without_deadline",
    "delay_not_armed",
    "occurrence_not_counted",
    "expansion_split_over_commits",
    "progress_as_a_rewritten_list",
    "completion_counted_again",
    "window_counts_started_items_only",
    "drain_keeps_claiming",
    "sweep_by_age_alone",
    "busy_workers_count_as_none",
    "beat_by_name",
    "stats_not_refreshed_when_empty",
    "cancelled_waiter_is_promoted",
    "rescue_ignores_the_cancel",
    "start_ignores_the_cancel",
    "one_retry_too_many",
    "delivery_counts_as_a_start",
    "queue_length_not_checked",
    "run_ends_with_open_items",
    "promote_one_on_raise",
    "retry_returns_before_release",
    "cancel_skips_promotion",
    "failed_attempt_read_as_terminal",
    "join_not_rechecked",
    "retry_resets_its_count",
    "cancel_grace_not_armed",
    "lease_left_at_the_end",
];

type Story = (Manner, Vec<Step>, Ending);

fn story() -> impl Strategy<Value = Story> {
    let ending = prop::sample::select(std::vec![Ending::Succeeded, Ending::Failed]);
    (manner(), vec(step(), 1..120), ending)
}

/// The law that a world with a planted bug breaks first, if it breaks one.
fn broken_by(name: &'static str, (manner, steps, ending): Story) -> Option<LawId> {
    let mut world = world(&manner);
    world.planted = Some(name);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        steps.iter().for_each(|step| step.take(&mut world));
        heal::converge(&mut world, ending);
    }));
    let panic = lived.err()?;
    // A violation begins with the code of its law; other panics are no verdict.
    LawId::from_code(panic.downcast_ref::<String>()?.split(' ').next()?)
}

#[test]
fn every_bug_that_decisions_can_have_is_noticed() {
    for name in NOTICED {
        let mutant = Mutant::by_name(name).expect("the catalogue knows it");
        assert!(mutant.is_due(), "{name} cannot be planted yet");
        let mut worlds = TestRunner::deterministic();
        let noticed = (0..WORLDS).any(|_| {
            let story = story().new_tree(&mut worlds).expect("any story will do").current();
            broken_by(name, story).is_some_and(|law| mutant.is_caught_by(law))
        });
        assert!(noticed, "{name} survived {WORLDS} worlds");
    }
}
