//! A store with a fault of its own, to see that the comparison finds it.

use std::sync::atomic::{AtomicU32, Ordering};

use steadfast_services::port::Load;

use super::op::Rows;

/// What is wrong with a store.
#[derive(Debug, Default)]
pub(crate) struct Doctor {
    ailment: Option<Ailment>,
    /// How often it could have shown.
    occasions: AtomicU32,
}

/// A fault of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// Of the third batch of changed executions the last row is not written.
    LosesAnUpdate,
    /// Rows that have an order come in another one.
    ForgetsTheOrder,
}

impl Doctor {
    pub(crate) fn with(ailment: Ailment) -> Self {
        Self { ailment: Some(ailment), occasions: AtomicU32::new(0) }
    }

    /// The rows that a store with this fault finds.
    pub(crate) fn treat<T>(&self, found: Load<Vec<T>>) -> Load<Vec<T>> {
        if self.ailment != Some(Ailment::ForgetsTheOrder) {
            return found;
        }
        found.map(|mut rows| {
            rows.reverse();
            rows
        })
    }

    /// The rows that a store with this fault writes.
    pub(crate) fn thin(&self, rows: &Rows) -> Rows {
        let mut rows = rows.clone();
        if self.ailment == Some(Ailment::LosesAnUpdate)
            && let Rows::Executions(all) = &mut rows
            && self.occasions.fetch_add(1, Ordering::Relaxed) == 2
        {
            all.pop();
        }
        rows
    }
}
