//! Liveness: once nothing goes wrong any more, nothing may stand still for longer than its bound.
//!
//! A grievance is something that must not last. Each has the law that it would break and how long
//! it may last; the watch looks again and again, and complains about one that has lasted too long.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::catalogue::LawId;
use steadfast_core::execution::Execution;
use steadfast_core::law::Violation;
use steadfast_core::settings::Settings;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::worker::WorkerState;
use steadfast_core::{Span, Status, Timestamp};

use crate::deployment::{Deployment, Fleet};
use crate::hang::PROBING;
use crate::sync::lock;
use crate::{Law, Node, SimTime, World};

/// What statements, retries after conflicts and the way of a message may add to any bound.
const SLACK: Span = Span::from_millis(1_500);

/// Something that must not last.
struct Grievance {
    law: LawId,
    /// Who suffers; the same as long as it lasts.
    of: String,
    patience: Span,
}

/// Looks at the rows now and then.
pub struct Watch {
    deployment: Deployment,
    since: BTreeMap<(LawId, String), SimTime>,
    from: SimTime,
    last_change: (usize, SimTime),
}

impl Watch {
    /// A watch that begins now.
    #[must_use]
    pub fn new(deployment: &Deployment) -> Self {
        Self {
            deployment: deployment.clone(),
            since: BTreeMap::new(),
            // Transactions of the dead may hold locks for a while yet.
            from: deployment.world().now().after(Duration::from_millis(2_500)),
            last_change: (0, deployment.world().now()),
        }
    }

    /// Looks once; answers with what has lasted too long.
    pub fn look(&mut self, world: &World) -> Option<Violation> {
        let (now, clock) = (world.now(), world.store_clock());
        let settings = world.settings();
        let up: Vec<Node> =
            self.deployment.workers().iter().copied().filter(|n| world.is_up(*n)).collect();
        let names: BTreeMap<String, Node> =
            up.iter().map(|node| (world.name_of(*node), *node)).collect();
        let fleet = self.deployment.fleet();
        let way = world.delay_max();
        let grievances =
            world.see_rows(|rows| grievances(rows, &settings, fleet, clock, &names, way));
        for law in WATCHED {
            lock(&world.0.record).judged(Law::Engine(*law), 1);
        }
        let mut still = BTreeMap::new();
        let mut worst = None;
        for Grievance { law, of, patience } in grievances {
            let key = (law, of);
            let since = self.since.get(&key).copied().unwrap_or(now).max(self.from);
            let lasted = Duration::from(now).saturating_sub(since.into());
            if lasted > Duration::from(patience) && worst.is_none() {
                let detail = format!("for {lasted:?}: {}", key.1);
                worst = Some(Violation::new(law, detail));
            }
            still.insert(key, since);
        }
        self.since = still;
        worst.or_else(|| self.look_for_progress(world, &settings))
    }

    /// L4: if nothing at all changes for as long as the longest single wait, nothing ever will.
    fn look_for_progress(&mut self, world: &World, settings: &Settings) -> Option<Violation> {
        let (commits, now) = (world.changes_of_executions(), world.now());
        if commits != self.last_change.0 {
            self.last_change = (commits, now);
        }
        let longest = settings.unschedulable_after.as_micros()
            + settings.offer_timeout.as_micros()
            + settings.run_margin.as_micros()
            + settings.slot_release_bound().as_micros()
            + 60_000_000;
        let lasted = Duration::from(now).saturating_sub(self.last_change.1.into());
        let stuck = lasted > Duration::from_micros(longest);
        stuck.then(|| {
            let open: Vec<String> = world.see_rows(|rows| {
                let open = rows.executions.iter().filter(|e| !e.status.is_terminal());
                open.take(5).map(|e| format!("{} is {}", e.id, e.status)).collect()
            });
            let open = open.join(", ");
            Violation::new(LawId::L4, format!("nothing has happened for {lasted:?}; {open}"))
        })
    }
}

/// The laws that a look judges.
const WATCHED: &[LawId] = &[
    LawId::L1,
    LawId::L2,
    LawId::L3,
    LawId::L4,
    LawId::L5,
    LawId::L7,
    LawId::L8,
    LawId::L10,
    LawId::L13,
];

fn grievances(
    rows: &Snapshot,
    settings: &Settings,
    fleet: &Fleet,
    clock: Timestamp,
    up: &BTreeMap<String, Node>,
    way: Span,
) -> Vec<Grievance> {
    // Behind a backlog everything takes its turn: a transaction is about twenty ways long, and a
    // run needs a few of them, one after the other where they share a queue.
    let open = rows.executions.iter().filter(|e| !e.status.is_terminal()).count() as u64;
    let turn = 60 * way.as_micros() / (fleet.terms.batch_size as u64).clamp(1, 16);
    let backlog = Span::from_micros(open * turn);
    let swept = Span::from_micros(2 * settings.sweep_interval.as_micros()) + SLACK + backlog;
    let mut all = Vec::new();
    let mut add = |law, of: String, patience| all.push(Grievance { law, of, patience });
    for queue in rows.idle_queues() {
        add(LawId::L3, format!("{} has room, and somebody waits", queue.key), swept);
    }
    for execution in rows.executions.iter().filter(|e| !e.status.is_terminal()) {
        let (id, status) = (execution.id, execution.status);
        if execution.wake_at.is_some_and(|at| at <= clock) {
            let law = if status == Status::Queued { LawId::L1 } else { LawId::L4 };
            add(law, format!("{id} is {status}, and its time has come"), swept);
        }
        if status == Status::Queued
            && let Some(span) = execution.policy.queue_timeout
        {
            add(LawId::L1, format!("{id} waits longer than it may"), span + swept);
        }
        if execution.cancel_requested {
            let patience = settings.cancel_grace + settings.lease + settings.drift + swept;
            add(LawId::L13, format!("{id} was asked to stop, and is {status}"), patience);
        }
        if execution.is_workflow() {
            if rows.is_due(id) {
                add(LawId::L5, format!("the run of {id} could go on"), swept + swept);
            }
        } else {
            waits_for_a_worker(rows, fleet, up, execution, &mut add, swept);
        }
        let holder = execution.worker.as_ref().filter(|_| status.has_live_attempt());
        if let Some(holder) = holder {
            let row = rows.workers.get(&holder.name);
            let current = row.is_some_and(|w| w.incarnation == holder.incarnation && !w.is_over());
            if !current || !up.contains_key(holder.name.as_str()) {
                let patience = settings.slot_release_bound() + swept;
                add(LawId::L10, format!("{id} is {status} at {holder}, which is dead"), patience);
            }
        }
    }
    for effect in rows.effects.values().filter(|e| e.wake_at.is_some_and(|at| at <= clock)) {
        let (of, state) = (effect.key.execution, effect.state);
        let what = format!("effect {} of {of} is {state}, and its time has come", effect.index);
        add(LawId::L8, what, swept + SLACK);
    }
    for name in up.keys() {
        let row = rows.workers.get(&name.as_str().into());
        if row.is_some_and(|worker| worker.state == WorkerState::Active && !worker.healthy) {
            let patience = PROBING.interval.times(2) + PROBING.staleness + SLACK + backlog;
            add(LawId::L7, format!("{name} moves and is not believed"), patience);
        }
        if row.is_none_or(|worker| worker.state != WorkerState::Active) {
            let patience = settings.lease + settings.lease + settings.drift + SLACK + SLACK;
            let state = row.map(|worker| worker.state);
            add(LawId::L7, format!("{name} lives and serves nobody ({state:?})"), patience);
        }
    }
    all
}

/// L2: what has a slot gets a worker, if one has room for it.
fn waits_for_a_worker(
    rows: &Snapshot,
    fleet: &Fleet,
    up: &BTreeMap<String, Node>,
    execution: &Execution,
    add: &mut impl FnMut(LawId, String, Span),
    swept: Span,
) {
    if execution.status != Status::Ready {
        return;
    }
    let load = |name: &str| {
        let held = rows.executions.iter().filter(|e| {
            e.status.has_live_attempt()
                && e.worker.as_ref().is_some_and(|w| w.name.as_str() == name)
        });
        held.count()
    };
    let takes = |name: &&String| {
        let row = rows.workers.get(&name.as_str().into());
        let willing = row.is_some_and(steadfast_core::worker::Worker::takes_work);
        let shunned = execution.excluded.iter().any(|known| known.as_str() == name.as_str());
        willing && !shunned && load(name) < fleet.capacity as usize
    };
    if up.keys().any(|name| takes(&name)) {
        let patience = fleet.poll_interval + swept;
        add(LawId::L2, format!("{} is ready, and a worker has room", execution.id), patience);
    }
}
