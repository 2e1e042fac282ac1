//! The ports, and the services that drive the core through them. No adapter lives here.

pub mod port;
