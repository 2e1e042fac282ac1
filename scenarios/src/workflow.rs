//! Successors, joins, lists of items and the end of a run.

pub(crate) mod a_lap_is_a_new_visit;
pub(crate) mod a_leaf_does_not_close_its_run;
pub(crate) mod a_successor_that_nobody_was_told_of;
pub(crate) mod a_window_through_crashes;
pub(crate) mod branches_that_meet_at_once;
pub(crate) mod items_that_end_at_once;
pub(crate) mod retention_meets_an_open_run;
pub(crate) mod runs_in_runs;
