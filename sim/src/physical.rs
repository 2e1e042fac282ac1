//! What really runs, whatever rows say: the processes of actions, on the hosts of workers.

use std::collections::BTreeMap;

use steadfast_core::catalogue::LawId;
use steadfast_core::claim::Assignment;
use steadfast_core::{Attempt, ExecutionId, QueueKey};

use crate::fault::Fault;
use crate::sync::lock;
use crate::{Node, SimTime, World, kinds};

type Key = (ExecutionId, Attempt);

/// The processes that run.
#[derive(Debug, Default)]
pub(crate) struct Physical {
    running: BTreeMap<Key, Process>,
}

#[derive(Debug)]
struct Process {
    node: Node,
    queue: QueueKey,
    /// When it is gone for sure, once its worker has died.
    ends_at: Option<SimTime>,
    /// It does not do what it is told, or its worker cannot tell it: nobody can promise anything.
    is_excused: bool,
}

/// How long the guardian of a dead worker needs to end its actions, in milliseconds.
pub(crate) const GUARDIAN: u64 = 80;

impl World {
    /// An action's process begins. S1p: it must not run beside one that it replaces, nor beside one
    /// whose slot it has been given.
    pub(crate) fn action_begins(&self, node: Node, assignment: &Assignment, is_excused: bool) {
        let now = self.now();
        let key = (assignment.execution, assignment.attempt);
        // What was begun before a pause and runs only now could not be held back by anybody.
        let is_excused = is_excused || self.has_just_resumed(node);
        let mut physical = lock(&self.0.physical);
        physical.running.retain(|_, process| process.ends_at.is_none_or(|at| now < at));
        let limited = self.see_rows(|rows| {
            rows.queues.get(&assignment.queue).is_some_and(|queue| queue.limit().is_some())
        });
        let rival = physical.running.iter().find(|((execution, attempt), process)| {
            let same = *execution == key.0 && *attempt != key.1;
            let slot = limited && process.queue == assignment.queue;
            let stray = || self.see_rows(|rows| is_stray(rows, *execution, *attempt));
            same || (slot && *execution != key.0 && stray())
        });
        let rival =
            rival.map(|(key, process)| (*key, process.node, process.is_excused || is_excused));
        let process = Process { node, queue: assignment.queue.clone(), ends_at: None, is_excused };
        physical.running.insert(key, process);
        drop(physical);
        lock(&self.0.record).judged(LawId::S1p.into(), 1);
        self.log(node, &kinds::ACTION_BEGAN, &[key.0.0, key.1.0.into()]);
        match rival {
            None => {}
            Some((_, _, true)) => self.cover("physical_overlap_excused"),
            Some(((execution, attempt), at, false)) => {
                let at = lock(&self.0.record).log.name(at).to_owned();
                let (id, mine) = key;
                self.violate(
                    LawId::S1p,
                    format!(
                        "{mine} of {id} began while {attempt} of {execution} still ran on {at}"
                    ),
                );
            }
        }
    }

    /// An action's process is gone.
    pub(crate) fn action_ends(&self, node: Node, execution: ExecutionId, attempt: Attempt) {
        lock(&self.0.physical).running.remove(&(execution, attempt));
        self.log(node, &kinds::ACTION_ENDED, &[execution.0, attempt.0.into()]);
    }

    /// The worker on a node is dead: its guardian ends its actions, or the host is gone with them.
    pub(crate) fn actions_lose_their_worker(&self, node: Node, fault: Fault) {
        let grace = if fault == Fault::LoseHost { 0 } else { GUARDIAN };
        let end = self.now().after(std::time::Duration::from_millis(grace));
        for process in lock(&self.0.physical).running.values_mut().filter(|p| p.node == node) {
            process.ends_at.get_or_insert(end);
        }
    }

    /// A worker starts on a node: its guardian lets it only when nothing of the former one is left.
    pub(crate) fn actions_are_gone(&self, node: Node) {
        let physical = &mut *lock(&self.0.physical);
        physical.running.retain(|_, process| process.node != node || process.ends_at.is_none());
    }

    /// From now on nothing is promised of what runs on a node: it stands still, and so does its
    /// worker, which can stop nothing then.
    pub(crate) fn excuse_actions(&self, node: Node) {
        for process in lock(&self.0.physical).running.values_mut().filter(|p| p.node == node) {
            process.is_excused = true;
        }
    }

    /// How many actions' processes run.
    #[must_use]
    pub fn running_actions(&self) -> usize {
        let now = self.now();
        let physical = lock(&self.0.physical);
        physical.running.values().filter(|p| p.ends_at.is_none_or(|at| now < at)).count()
    }
}

/// Whether rows say that this attempt is over, although it runs.
fn is_stray(
    rows: &steadfast_core::snapshot::Snapshot,
    execution: ExecutionId,
    attempt: Attempt,
) -> bool {
    rows.execution(execution)
        .is_none_or(|row| row.attempt != attempt || !row.status.has_live_attempt())
}
