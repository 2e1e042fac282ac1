//! Claims, guards, leaders and sweeps.

pub(crate) mod a_claim_whose_answer_is_lost;
pub(crate) mod a_due_time_fires_once;
pub(crate) mod alive_is_not_moving;
pub(crate) mod every_window;
pub(crate) mod long_after_the_end;
pub(crate) mod retries_meet_their_end;
pub(crate) mod two_sweepers;
