//! The services, one verb each.

pub mod admit;
pub mod advance;
pub mod claim;
pub mod complete;
pub mod control;
pub mod dispatch;
pub mod drain;
pub mod heartbeat;
pub mod submit;
pub mod sweep;
pub mod work;
