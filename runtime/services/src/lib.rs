//! The ports, and the services that drive the core through them. No adapter lives here.
//!
//! A service takes inputs in batches, lets [`drive`] load, decide, commit and publish, and hands
//! the answers back. None of them keeps anything that could not be thrown away: what is true is in
//! the store.

pub mod alarm;
pub mod assembly;
pub mod batcher;
pub mod calendar;
pub mod drive;
pub mod journal;
pub mod port;
mod recent;
pub mod service;
mod sweepers;
