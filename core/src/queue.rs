//! Waiting lines: one for each queue key, with a limit, a pause switch and strict order.
//!
//! A slot is an execution's row in a slot-holding status, so how many are taken is always counted
//! and never kept. Places in line are given here, under the queue row's lock.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::id::{ActionRef, Order, QueueKey, Version};
use crate::time::Timestamp;

/// The row of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its identity.
    pub key: QueueKey,
    /// Rises with every write.
    pub version: Version,
    /// The action that it belongs to.
    pub action: ActionRef,
    /// The limit in the action's definition; `None` = unlimited.
    pub declared_limit: Option<u32>,
    /// A limit set by an operator; goes before the declared one.
    pub operator_limit: Option<LimitOverride>,
    /// While paused nothing is admitted; what holds a slot goes on.
    pub paused: bool,
    /// The next place in line, which is also how many were ever admitted or queued.
    pub next_order: Order,
    /// How many ended.
    pub completed: u64,
    /// When anything of this last changed.
    pub updated_at: Timestamp,
}

/// An operator's word on the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOverride {
    /// At most this many at once.
    At(u32),
    /// No limit, whatever the definition says.
    Unlimited,
}

/// What the rows of a queue add up to at the moment of loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupancy {
    /// How many executions hold a slot. Not counted (0) while the queue is unlimited.
    pub holding: u64,
    /// How many wait in line.
    pub waiting: u64,
    /// Waiters up to this place are loaded; `None` = all are.
    pub horizon: Option<Order>,
}

impl Queue {
    /// A queue that nothing has entered yet.
    #[must_use]
    pub fn new(key: QueueKey, declared_limit: Option<u32>, now: Timestamp) -> Self {
        Self {
            action: key.action(),
            key,
            version: Version(0),
            declared_limit,
            operator_limit: None,
            paused: false,
            next_order: Order(0),
            completed: 0,
            updated_at: now,
        }
    }

    /// The limit in force; `None` = unlimited.
    #[must_use]
    pub const fn limit(&self) -> Option<u32> {
        match self.operator_limit {
            Some(LimitOverride::At(limit)) => Some(limit),
            Some(LimitOverride::Unlimited) => None,
            None => self.declared_limit,
        }
    }

    /// Whether one more may hold a slot.
    #[must_use]
    pub fn has_room(&self, occupancy: &Occupancy) -> bool {
        !self.paused && self.limit().is_none_or(|limit| occupancy.holding < u64::from(limit))
    }

    /// Gives out the next place in line.
    pub fn take_order(&mut self, now: Timestamp) -> Order {
        let order = self.next_order;
        self.next_order = Order(order.0 + 1);
        self.updated_at = now;
        order
    }
}
