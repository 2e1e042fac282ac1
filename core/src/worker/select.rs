//! Which worker gets an execution.

use alloc::vec::Vec;

use super::{Worker, WorkerState};
use crate::definition::Work;
use crate::execution::Execution;

impl Worker {
    /// Whether it may be given anything new.
    #[must_use]
    pub fn takes_work(&self) -> bool {
        self.state == WorkerState::Active && !self.cordoned && self.healthy
    }

    /// Whether it is able to run `execution`, busy or not.
    #[must_use]
    pub fn can_run(&self, execution: &Execution) -> bool {
        let offers = match &execution.work {
            Work::Runtime(runtime) => self.runtimes.contains(runtime),
            Work::Workflow => false,
        };
        offers && execution.selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// Whether `execution` should rather run elsewhere, because an attempt failed here.
    #[must_use]
    pub fn is_excluded_from(&self, execution: &Execution) -> bool {
        execution.excluded.contains(&self.name)
    }
}

/// A worker and how many attempts it has.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The worker.
    pub worker: &'a Worker,
    /// Its live attempts.
    pub load: u32,
}

/// Whether any of `workers` takes work and can run `execution`, busy or not.
pub fn is_schedulable<'a>(
    execution: &Execution,
    workers: impl IntoIterator<Item = &'a Worker>,
) -> bool {
    workers.into_iter().any(|worker| worker.takes_work() && worker.can_run(execution))
}

/// Whether `worker` may take `execution`: it is able to, and no other that is able to would be
/// preferred because an earlier attempt failed on this one.
pub fn may_take<'a>(
    worker: &Worker,
    execution: &Execution,
    workers: impl IntoIterator<Item = &'a Worker>,
) -> bool {
    if !worker.takes_work() || !worker.can_run(execution) {
        return false;
    }
    let preferred = |other: &&Worker| {
        other.name != worker.name
            && other.takes_work()
            && other.can_run(execution)
            && !other.is_excluded_from(execution)
    };
    !worker.is_excluded_from(execution) || workers.into_iter().find(preferred).is_none()
}

/// The eligible worker with the smallest share of its capacity in use; equal shares go by name.
/// Workers on which an attempt failed come last. `None` if all are busy or none is able.
#[must_use]
pub fn choose<'a>(execution: &Execution, candidates: &[Candidate<'a>]) -> Option<&'a Worker> {
    let mut open: Vec<&Candidate<'a>> = candidates
        .iter()
        .filter(|c| c.worker.takes_work() && c.worker.can_run(execution))
        .filter(|c| c.load < c.worker.capacity)
        .collect();
    // load / capacity compared without division: a/b < c/d exactly when a*d < c*b.
    open.sort_by(|a, b| {
        let share_a = u64::from(a.load) * u64::from(b.worker.capacity);
        let share_b = u64::from(b.load) * u64::from(a.worker.capacity);
        let avoid = |c: &Candidate<'_>| c.worker.is_excluded_from(execution);
        (avoid(a), share_a, &a.worker.name).cmp(&(avoid(b), share_b, &b.worker.name))
    });
    open.first().map(|candidate| candidate.worker)
}
