//! Fan-out and effects.

pub(crate) mod a_list_expands_whole;
