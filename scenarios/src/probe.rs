//! Probes: short stories aimed at one corner each, into which a random world comes too seldom. Each
//! is there for planted bugs that it catches, and holds without them.

pub(crate) mod a_cancelled_run_stops_its_children;
pub(crate) mod a_delay_is_kept;
pub(crate) mod a_late_beat_is_enough;
pub(crate) mod a_line_beyond_what_is_seen;
pub(crate) mod a_name_that_comes_back;
pub(crate) mod a_stop_that_is_not_heard;
pub(crate) mod an_offer_meets_an_order_to_drain;
pub(crate) mod answers_that_are_lost;
pub(crate) mod equal_workers_have_equal_shares;
pub(crate) mod one_key_at_two_doors;
pub(crate) mod runs_that_begin_again;
pub(crate) mod the_first_to_look_may_not_have_it;
pub(crate) mod the_old_one_takes_its_leave;
pub(crate) mod waiting_has_an_end;
pub(crate) mod what_was_taken_away_stops;
