//! Admission, the line of waiters, slots, limits and cancellation.

pub(crate) mod a_burst_meets_a_short_line;
pub(crate) mod a_full_action_stalls_nobody;
pub(crate) mod a_line_outlives_its_engine;
pub(crate) mod a_retry_gives_its_slot_back;
pub(crate) mod a_slot_by_every_path;
pub(crate) mod cancel_at_every_status;
pub(crate) mod limits_change_under_load;
pub(crate) mod submit_in_doubt;
pub(crate) mod the_last_one_out;
pub(crate) mod those_who_wait_are_left_alone;
pub(crate) mod timeout_meets_promotion;
