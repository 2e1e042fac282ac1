//! Stories about the exclusive right to run.

pub(crate) mod race;
