//! Settings that must keep an order.

use super::layers::Layers;
use super::value::seconds;

/// `times` times one setting must be less than, or at most, another.
struct Order {
    times: u32,
    smaller: &'static str,
    may_be_equal: bool,
    larger: &'static str,
    why: &'static str,
}

const ORDERS: &[Order] = &[
    Order {
        times: 3,
        smaller: "worker.lease_renew_interval",
        may_be_equal: true,
        larger: "worker.lease_seconds",
        why: "a worker must be able to miss two renewals without losing its work",
    },
    Order {
        times: 1,
        smaller: "worker.shutdown_timeout",
        may_be_equal: false,
        larger: "worker.shutdown_grace",
        why: "the service manager must not kill a worker that is still stopping",
    },
    Order {
        times: 1,
        smaller: "worker.probe_interval",
        may_be_equal: false,
        larger: "worker.probe_staleness",
        why: "a worker must have the chance to answer before it counts as silent",
    },
];

/// One sentence for each order that is violated, with both keys, values and places.
pub(crate) fn violations(layers: &Layers) -> Vec<String> {
    ORDERS.iter().filter_map(|order| order.violation(layers)).collect()
}

impl Order {
    fn violation(&self, layers: &Layers) -> Option<String> {
        let (smaller, larger) = (layers.get(self.smaller)?, layers.get(self.larger)?);
        let (less, more) = (seconds(&smaller.value)?, seconds(&larger.value)?);
        let scaled = less * f64::from(self.times);
        if scaled < more || (self.may_be_equal && scaled <= more) {
            return None;
        }
        let factor = if self.times == 1 { String::new() } else { format!("{} * ", self.times) };
        let relation = if self.may_be_equal { "at most" } else { "less than" };
        Some(format!(
            "{factor}{} ({less} s, {}) must be {relation} {} ({more} s, {}): {}",
            self.smaller, smaller.source, self.larger, larger.source, self.why
        ))
    }
}
