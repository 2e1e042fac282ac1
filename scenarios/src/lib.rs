//! Fault stories: who suffers, what must hold, and a seed that shows it.
//!
//! One file per story. A story uses the [`World`] and the words of the domain; it never sleeps
//! for luck but waits for a fact or lets a named span pass, and it ends in an expectation.
//! [`SCENARIOS`] is the table of contents.

mod claim;
mod completion;
pub mod coverage;
mod effect;
mod fanout;
mod hunt;
mod library;
mod meta;
mod prelude;
mod probe;
mod queue;
mod seeds;
mod shrink;
mod stage;
mod swarm;
mod sweep;
mod timeline;
mod transport;
mod worker;
mod workflow;

use std::future::Future;
use std::pin::Pin;

use steadfast_sim::{Outcome, Settings, World, run_seed};

pub use hunt::{GROUNDS, Hunt, SHARP, ground_of, hunt};
pub use library::library;
pub use meta::{BACKWARDS, Difference, PASS, TELL, compare, pass};
pub use seeds::{SEEDS_VARIABLE, Seeds, parse_seed};
pub use shrink::{Budget, Shrunk, Size, Unshrinkable, shrink};
pub use sweep::{Broken, Tally, jobs_by_default, sweep, sweep_and_tell};
pub use timeline::timeline;

/// A story in the act of being told. It stays on the thread of its seed.
pub type Telling = Pin<Box<dyn Future<Output = ()>>>;

/// A fault story.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name, in `[a-z0-9_]+`.
    pub name: &'static str,
    /// Who suffers, and what must hold.
    pub story: &'static str,
    /// The points that it hopes to reach; each must be reached by some seed of the usual range,
    /// or the story no longer tells what it says.
    pub covers: &'static [&'static str],
    /// Tells it.
    pub tell: fn(World) -> Telling,
}

impl Scenario {
    /// Tells the story in the world of `seed`.
    #[must_use]
    pub fn run(&self, seed: u64, settings: &Settings) -> Outcome {
        run_seed(seed, settings, self.tell)
    }

    /// The scenario called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}

/// Every story.
pub static SCENARIOS: &[Scenario] = &[
    swarm::SCENARIO,
    completion::an_outage_is_no_verdict::SCENARIO,
    completion::cancel_meets_the_end::SCENARIO,
    completion::ends_without_a_worker::SCENARIO,
    completion::every_end_moves_its_run_on::SCENARIO,
    completion::one_report_ends_an_execution::SCENARIO,
    completion::the_announcement_is_lost::SCENARIO,
    queue::a_burst_meets_a_short_line::SCENARIO,
    queue::a_full_action_stalls_nobody::SCENARIO,
    queue::a_line_outlives_its_engine::SCENARIO,
    queue::a_retry_gives_its_slot_back::SCENARIO,
    queue::a_slot_by_every_path::SCENARIO,
    queue::cancel_at_every_status::SCENARIO,
    queue::limits_change_under_load::SCENARIO,
    queue::submit_in_doubt::SCENARIO,
    queue::the_last_one_out::SCENARIO,
    queue::those_who_wait_are_left_alone::SCENARIO,
    queue::timeout_meets_promotion::SCENARIO,
    workflow::a_lap_is_a_new_visit::SCENARIO,
    workflow::a_leaf_does_not_close_its_run::SCENARIO,
    workflow::a_successor_that_nobody_was_told_of::SCENARIO,
    workflow::a_window_through_crashes::SCENARIO,
    workflow::branches_that_meet_at_once::SCENARIO,
    workflow::items_that_end_at_once::SCENARIO,
    workflow::retention_meets_an_open_run::SCENARIO,
    workflow::runs_in_runs::SCENARIO,
    worker::a_beat_that_comes_late::SCENARIO,
    worker::a_witness_speaks::SCENARIO,
    worker::a_witness_speaks_late::SCENARIO,
    worker::a_worker_that_beats_and_hangs::SCENARIO,
    worker::clocks_apart::SCENARIO,
    worker::cut_off_beyond_its_lease::SCENARIO,
    worker::drain_meets_new_work::SCENARIO,
    worker::killed_in_the_middle::SCENARIO,
    worker::offers_that_nobody_reads::SCENARIO,
    worker::stands_still_beyond_its_lease::SCENARIO,
    worker::two_processes_of_one_name::SCENARIO,
    worker::work_goes_where_there_is_room::SCENARIO,
    worker::work_that_does_not_stop::SCENARIO,
    transport::a_store_that_goes_away::SCENARIO,
    transport::hints_that_never_come::SCENARIO,
    transport::poison_is_named::SCENARIO,
    transport::receipts_of_a_dead_channel::SCENARIO,
    transport::the_transport_changes::SCENARIO,
    claim::a_claim_whose_answer_is_lost::SCENARIO,
    claim::a_due_time_fires_once::SCENARIO,
    claim::alive_is_not_moving::SCENARIO,
    claim::every_window::SCENARIO,
    claim::long_after_the_end::SCENARIO,
    claim::retries_meet_their_end::SCENARIO,
    claim::two_sweepers::SCENARIO,
    fanout::a_list_expands_whole::SCENARIO,
    effect::a_sender_that_comes_back::SCENARIO,
    effect::an_end_is_told_as_it_is::SCENARIO,
    effect::given_up_and_tried_again::SCENARIO,
    effect::the_sender_dies_before_it_settles::SCENARIO,
    probe::a_cancelled_run_stops_its_children::SCENARIO,
    probe::a_delay_is_kept::SCENARIO,
    probe::a_late_beat_is_enough::SCENARIO,
    probe::a_line_beyond_what_is_seen::SCENARIO,
    probe::a_name_that_comes_back::SCENARIO,
    probe::a_stop_that_is_not_heard::SCENARIO,
    probe::an_offer_meets_an_order_to_drain::SCENARIO,
    probe::answers_that_are_lost::SCENARIO,
    probe::equal_workers_have_equal_shares::SCENARIO,
    probe::one_key_at_two_doors::SCENARIO,
    probe::runs_that_begin_again::SCENARIO,
    probe::the_first_to_look_may_not_have_it::SCENARIO,
    probe::the_old_one_takes_its_leave::SCENARIO,
    probe::waiting_has_an_end::SCENARIO,
    probe::what_was_taken_away_stops::SCENARIO,
];
