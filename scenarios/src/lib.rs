//! Fault stories.
