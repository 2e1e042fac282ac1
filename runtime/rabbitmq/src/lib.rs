//! The RabbitMQ broker: carries hints between processes.
//!
//! The store holds the truth, so this adapter may lose everything and cost nothing but time. What it
//! says, however, it says exactly: [`Published`](steadfast_services::port::Published) means that the
//! broker confirmed every message, a receipt settles nothing but the delivery that it was given for,
//! and a message that cannot be read is kept with its bytes and the reason.
//!
//! [`RabbitBroker`] keeps two connections, because a broker that is short of memory stops reading
//! from whoever publishes, and acknowledgements must get through even then. When one is lost, both
//! are opened anew, and subscriptions end with an error so that their owners subscribe again.

mod acks;
mod backoff;
mod broker;
mod delay;
mod envelope;
mod letter;
mod link;
mod options;
mod parked;
mod problem;
mod session;
mod subscription;
mod topology;

pub use broker::{Counted, RabbitBroker};
pub use envelope::{Envelope, Unreadable};
pub use options::Options;
pub use parked::Verdict;
pub use problem::Problem;
pub use subscription::RabbitSubscription;
pub use topology::{Found, Row, inspect, remove};
