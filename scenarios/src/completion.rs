//! How an execution's end is decided, written down and made known.

pub(crate) mod an_outage_is_no_verdict;
pub(crate) mod cancel_meets_the_end;
pub(crate) mod ends_without_a_worker;
pub(crate) mod every_end_moves_its_run_on;
pub(crate) mod one_report_ends_an_execution;
pub(crate) mod the_announcement_is_lost;
