//! Carrying a plan out in two acts: first everything goes wrong, then nothing does any more and
//! all that was accepted must come to rest, in time and without a trace.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::Span;
use steadfast_core::Status;
use steadfast_core::catalogue::LawId;
use steadfast_core::execution::Execution;
use steadfast_core::law;
use steadfast_core::queue::{LimitOverride, Queue};
use steadfast_core::schedule::{Schedule, ScheduleState};
use steadfast_services::service::control::QueueChange;
use steadfast_services::service::schedule::Order;

use crate::deployment::Deployment;
use crate::law::WorldLaw;
use crate::ledger::Ledger;
use crate::liveness::Watch;
use crate::plan::{Disturb, Plan};
use crate::sync::lock;
use crate::{Library, Node, World, kinds};

/// How often liveness is looked at in the second act.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Something to do at a time.
enum Cue<'a> {
    Begin(usize),
    End,
    Strike(&'a Disturb),
    Mend(&'a Disturb),
}

impl World {
    /// Carries out a plan, both acts.
    ///
    /// A case that brings a plan of its own is performed instead.
    pub async fn perform(&self, plan: &Plan, library: Arc<Library>) {
        let of_the_case = self.0.case.as_ref().and_then(|case| case.plan.clone());
        let plan = of_the_case.as_ref().unwrap_or(plan);
        *lock(&self.0.performed) = Some(plan.clone());
        self.set_delay_max(Duration::from_micros(plan.fleet.delay_max_us));
        self.set_broker_plan(plan.fleet.broker);
        let deployment = self.deploy(plan.fleet.fleet(), library);
        let ledger = Ledger::default();
        ledger.open(&deployment, &plan.workload);
        for schedule in &plan.schedules {
            deployment.ask_to_schedule(&schedule.name, schedule.plan());
        }
        self.first_act(plan, &deployment).await;
        self.second_act(&deployment, &ledger).await;
    }

    async fn first_act(&self, plan: &Plan, deployment: &Deployment) {
        let mut cues: Vec<(Duration, Cue<'_>)> = Vec::new();
        let ms = Duration::from_millis;
        for (nth, storm) in plan.storms.iter().enumerate() {
            cues.push((ms(storm.from_ms), Cue::Begin(nth)));
            cues.push((ms(storm.until_ms), Cue::End));
        }
        for disturbance in &plan.disturbances {
            let (at, what) = (ms(disturbance.at_ms), &disturbance.what);
            cues.push((at, Cue::Strike(what)));
            if let Some(after) = what.mended_after() {
                cues.push((at + after, Cue::Mend(what)));
            }
        }
        cues.sort_by_key(|(at, _)| *at);
        let end = ms(plan.first_act_ms);
        let start = self.now();
        for (at, cue) in cues.into_iter().take_while(|(at, _)| *at <= end) {
            self.wait_until(start.after(at)).await;
            match cue {
                Cue::Begin(nth) => {
                    self.set_weather(plan.storms[nth].rates.iter().map(|(s, r)| (*s, *r)));
                }
                Cue::End => self.set_weather([]),
                Cue::Strike(what) => self.disturb(deployment, what),
                Cue::Mend(what) => self.mend(deployment, what),
            }
        }
        self.wait_until(start.after(end)).await;
    }

    async fn wait_until(&self, at: crate::SimTime) {
        let left = Duration::from(at).saturating_sub(self.now().into());
        if !left.is_zero() {
            self.wait(left).await;
        }
    }

    /// Does what a disturbance says. One that names a node which is not there does nothing.
    fn disturb(&self, deployment: &Deployment, what: &Disturb) {
        let node = |name: &str| self.named(name);
        match what {
            Disturb::Kill { node: name, .. } => node(name).into_iter().for_each(|n| self.kill(n)),
            Disturb::LoseHost { node: name, .. } => {
                node(name).into_iter().for_each(|n| self.lose_host(n));
            }
            Disturb::Pause { node: name, .. } => {
                if let Some(paused) = node(name) {
                    self.excuse_actions(paused);
                    self.pause(paused);
                }
            }
            Disturb::Cut { node: name, peer, .. } => {
                node(name).into_iter().for_each(|n| self.cut(n, *peer));
            }
            Disturb::Clock { node: name, ahead_us, .. } => {
                node(name).into_iter().for_each(|n| self.set_clock(n, *ahead_us));
            }
            Disturb::StoreClock { ahead_us } => self.set_store_clock(*ahead_us),
            Disturb::StoreRestart => self.restart_store(),
            Disturb::StoreDown { .. } => self.set_store_down(true),
            Disturb::BrokerRestart => self.restart_broker(),
            Disturb::BrokerDown { .. } => self.set_broker_down(true),
            Disturb::Limit { action, limit } => {
                let change = QueueChange::Limit(limit.map(LimitOverride::At));
                deployment.ask_to_change(action, change);
            }
            Disturb::PauseQueue { action, .. } => {
                deployment.ask_to_change(action, QueueChange::Pause(true));
            }
            Disturb::Cordon { node: name, .. } => deployment.ask_to_cordon(name, true),
            Disturb::Hang { node: name, goes_on_asking, .. } => {
                node(name).into_iter().for_each(|n| self.hang(n, *goes_on_asking));
            }
            Disturb::Reconfigure { node: name, batch_size, sweep_interval_ms, half_lease } => {
                if let Some(node) = node(name) {
                    let interval = Span::from_millis(*sweep_interval_ms);
                    deployment.reconfigure(node, *batch_size, interval, *half_lease);
                }
            }
            Disturb::Drain { node: name, .. } => {
                node(name).into_iter().for_each(|n| deployment.drain(n));
            }
        }
    }

    fn mend(&self, deployment: &Deployment, what: &Disturb) {
        let node = |name: &str| self.named(name);
        match what {
            Disturb::Kill { node: name, .. } | Disturb::LoseHost { node: name, .. } => {
                node(name).into_iter().for_each(|n| self.restart(n));
            }
            Disturb::Pause { node: name, .. } => {
                node(name).into_iter().for_each(|n| self.resume(n));
            }
            Disturb::Cut { node: name, .. } => node(name).into_iter().for_each(|n| self.heal(n)),
            Disturb::Clock { node: name, .. } => {
                node(name).into_iter().for_each(|n| self.set_clock(n, 0));
            }
            Disturb::StoreDown { .. } => self.set_store_down(false),
            Disturb::BrokerDown { .. } => self.set_broker_down(false),
            Disturb::Cordon { node: name, .. } => deployment.ask_to_cordon(name, false),
            Disturb::Hang { node: name, .. } => {
                node(name).into_iter().for_each(|n| self.unhang(n));
            }
            Disturb::PauseQueue { action, .. } => {
                deployment.ask_to_change(action, QueueChange::Pause(false));
            }
            Disturb::Drain { node: name, .. } => {
                if let Some(drained) = node(name) {
                    // A process that has drained has ended; one that has not is replaced.
                    self.kill(drained);
                    self.restart(drained);
                }
            }
            Disturb::StoreClock { .. }
            | Disturb::StoreRestart
            | Disturb::BrokerRestart
            | Disturb::Reconfigure { .. }
            | Disturb::Limit { .. } => {}
        }
    }

    /// Lets everything be as it should be.
    pub fn heal_all(&self) {
        self.set_weather([]);
        lock(&self.0.chance).stop();
        self.set_store_down(false);
        self.set_broker_down(false);
        self.set_publishers_blocked(false);
        for node in self.nodes() {
            self.resume(node);
            self.heal(node);
            self.unhang(node);
            self.set_clock(node, 0);
            self.restart(node);
        }
    }

    /// The second act: nothing goes wrong any more, and all that was accepted comes to rest.
    pub async fn second_act(&self, deployment: &Deployment, ledger: &Ledger) {
        self.heal_all();
        self.log(Node::WORLD, &kinds::SECOND_ACT, &[]);
        self.release_queues(deployment).await;
        self.release_workers(deployment).await;
        self.end_schedules(deployment).await;
        let mut watch = Watch::new(deployment);
        while !(ledger.is_settled() && self.see_rows(law::quiescent).is_ok()) {
            self.wait(LOOK_EVERY).await;
            // What operators asked for in the first act may be done as late as now.
            self.release_queues(deployment).await;
            self.release_workers(deployment).await;
            self.end_schedules(deployment).await;
            if let Some(violation) = watch.look(self) {
                self.violate(violation.law, violation.what);
                std::future::pending::<()>().await;
            }
        }
        self.demand_no_leak().await;
        self.judge_the_whole();
        ledger.judge(self);
    }

    /// Takes back what operators did, so that everything can end.
    async fn release_workers(&self, deployment: &Deployment) {
        let cordoned: Vec<String> = self.see_rows(|rows| {
            let cordoned = rows.workers.values().filter(|worker| worker.cordoned);
            cordoned.map(|worker| worker.name.to_string()).collect()
        });
        for worker in cordoned {
            while !deployment.cordon(&worker, false).await {
                self.wait(LOOK_EVERY).await;
            }
        }
    }

    /// Schedules that go on for ever would let nothing come to rest. What is due is fired first.
    async fn end_schedules(&self, deployment: &Deployment) {
        let active: Vec<Schedule> = self.see_rows(|rows| {
            let rows = rows.schedules.values();
            rows.filter(|row| row.state == ScheduleState::Active).cloned().collect()
        });
        for row in active {
            self.demand_that_it_fires(&row).await;
            while !deployment.tell_schedule(row.name.as_str(), Order::Remove).await {
                self.wait(LOOK_EVERY).await;
            }
        }
    }

    /// S25 says that nothing fires twice; this says that it fires: with nothing in its way, a
    /// schedule that is due is seen to within some sweeps.
    async fn demand_that_it_fires(&self, seen: &Schedule) {
        let late = self.settings().sweep_interval.times(4) + Span::from_secs(5);
        let until = self.store_clock().max(seen.due) + late;
        let moved = || {
            self.see_rows(|rows| rows.schedules.get(&seen.name).is_none_or(|r| r.due != seen.due))
        };
        let span = seen.due.since(self.store_clock());
        if span > Span::from_secs(60) {
            return;
        }
        while !moved() {
            if self.store_clock() > until {
                let what = format!("{} is due at {} and does not fire", seen.name, seen.due);
                self.violate(WorldLaw::ComesToPass, what);
                std::future::pending::<()>().await;
            }
            self.wait(LOOK_EVERY).await;
        }
    }

    /// Takes back what operators did, so that everything can end.
    async fn release_queues(&self, deployment: &Deployment) {
        let actions: std::collections::BTreeSet<String> = self.see_rows(|rows| {
            let touched = |queue: &&Queue| queue.paused || queue.operator_limit.is_some();
            rows.queues.values().filter(touched).map(|q| q.action.as_str().to_owned()).collect()
        });
        for action in actions {
            for change in [QueueChange::Pause(false), QueueChange::Limit(None)] {
                while !deployment.change_queues(&action, change).await {
                    self.wait(LOOK_EVERY).await;
                }
            }
        }
    }

    /// L14: when all is over, nothing is left: no unfinished row, no slot, no message, no action.
    async fn demand_no_leak(&self) {
        // Longer than servers take to notice that a client is gone, and than a slow world takes to
        // look at the hints that are left.
        for _ in 0..600 {
            if self.leaks().is_none() {
                return;
            }
            self.wait(LOOK_EVERY).await;
        }
        if let Some(leak) = self.leaks() {
            self.violate(LawId::L14, leak);
        }
    }

    fn leaks(&self) -> Option<String> {
        if let Err(violation) = self.see_rows(law::quiescent) {
            return Some(violation.to_string());
        }
        let (actions, messages) = (self.running_actions(), self.messages_left());
        if actions > 0 {
            return Some(format!("{actions} actions still run"));
        }
        (messages > 0)
            .then(|| format!("{messages} messages are left: {}", self.where_messages_are_left()))
    }

    /// The laws that only the whole history can tell.
    pub fn judge_the_whole(&self) {
        let verdict = self.see_history(law::check_history);
        let verdict = verdict.and_then(|()| self.judge_retries());
        let verdict = verdict.and_then(|()| self.judge_delivered());
        if let Err(violation) = verdict {
            self.violate(violation.law, violation.what);
        }
    }

    /// L12: what failed although nobody interfered has spent its whole budget, and no more.
    fn judge_retries(&self) -> law::Verdict {
        lock(&self.0.record).judged(LawId::L12.into(), 1);
        self.see_rows(|rows| {
            let failed = |e: &&Execution| {
                matches!(e.status, Status::Failed | Status::TimedOut)
                    && e.cause.is_none()
                    && !e.cancel_requested
                    && !e.is_workflow()
            };
            let exact = |e: &&Execution| e.failures == e.policy.retry.count + 1;
            match rows.executions.iter().filter(failed).find(|e| !exact(e)) {
                None => Ok(()),
                Some(Execution { id, failures, policy, .. }) => {
                    let budget = policy.retry.count + 1;
                    let what = format!("{id} gave up after {failures} failures, not {budget}");
                    Err(law::Violation::new(LawId::L12, what))
                }
            }
        })
    }
}
