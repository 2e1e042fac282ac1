//! Messages, receipts, dead letters and poison.

pub(crate) mod a_store_that_goes_away;
pub(crate) mod hints_that_never_come;
pub(crate) mod poison_is_named;
pub(crate) mod receipts_of_a_dead_channel;
pub(crate) mod the_transport_changes;
