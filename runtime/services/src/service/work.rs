//! Work: one worker's life. It registers, claims what it has room for, runs it, reports, renews its
//! lease, and stops its work itself when it cannot renew: nobody else may have to guess.

mod attempts;
mod lease;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steadfast_core::claim::{AcceptRefusal, Assignment};
use steadfast_core::completion::Report;
use steadfast_core::decision::Message;
use steadfast_core::worker::WorkerRefusal;
use steadfast_core::{ExecutionId, FencingToken, Runtime, Span, WorkerId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::complete::{self, Completer};
use super::heartbeat::{self, Introduction};
use super::{claim, drain};
use crate::port::{
    Broker, Delivery, Ended, Env, Held, Measure, Receipt, Runner, Settle, StoreError, Subscription,
    Topic, is_planted,
};
use attempts::Attempts;
use lease::Lease;
pub use progress::{Condition, Progress};

/// How a worker behaves.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// What it registers with.
    pub introduction: Introduction,
    /// How often it renews its lease.
    pub renew_interval: Span,
    /// How often it looks for work that no hint told it of.
    pub poll_interval: Span,
    /// How long it lets its work finish when it is asked to stop.
    pub shutdown_timeout: Span,
    /// Where it writes down whether it moves.
    pub progress: Progress,
}

/// Tells a worker to stop.
#[derive(Clone, Debug, Default)]
pub struct StopSignals {
    /// Take nothing new, finish what is under way, then return.
    pub drain: CancellationToken,
    /// Stop what is under way as well.
    pub now: CancellationToken,
}

/// Lives a worker's life until it is told to stop and has stopped.
pub async fn work<E: Env, R: Runner>(env: E, runner: R, config: WorkerConfig, stop: StopSignals) {
    let mut former: Option<WorkerId> = None;
    while !stop.drain.is_cancelled() && !stop.now.is_cancelled() {
        let introduction = config.introduction.clone();
        let asked = env.now();
        let registered = match &former {
            None => heartbeat::register(&env, introduction).await.map(Ok),
            Some(former) => heartbeat::register_again(&env, introduction, former).await,
        };
        let id = match registered {
            Ok(Ok(id)) => id,
            Ok(Err(refusal)) => {
                error!(%refusal, "somebody else works under this worker's name; stopping");
                return;
            }
            Err(error) => {
                warn!(%error, "cannot register; trying again");
                // It may have registered all the same, and would be in its own way.
                former = None;
                pause(&env, Span::from_secs(1), &stop).await;
                continue;
            }
        };
        info!(worker = %id, "registered");
        let runtimes = config.introduction.runtimes.clone();
        runner.serves(&id);
        config.progress.is_now(Some(id.clone()));
        let worker = Worker {
            completer: complete::start(&env, id.clone(), runtimes.clone()),
            stop: stop.clone(),
            runtimes,
            attempts: Attempts::new(config.introduction.capacity),
            freed: Arc::new(Notify::new()),
            lease: Lease::asked_for_at(&env, asked),
            env: env.clone(),
            runner: runner.clone(),
            config: config.clone(),
            id: id.clone(),
        };
        former = Some(id);
        let lived = worker.live(&stop).await;
        config.progress.is_now(None);
        match lived {
            Lived::Stopped => return,
            Lived::Superseded => {
                error!("another process has registered under this worker's name; stopping");
                return;
            }
            Lived::Lost if is_planted(&env, "lost_worker_does_not_return") => return,
            Lived::Lost => warn!("the lease was lost; registering as a new worker"),
        }
    }
}

async fn pause<E: Env>(env: &E, span: Span, stop: &StopSignals) {
    tokio::select! {
        biased;
        () = stop.now.cancelled() => {}
        () = stop.drain.cancelled() => {}
        () = env.sleep(span) => {}
    }
}

/// How one registration ended.
enum Lived {
    Stopped,
    Superseded,
    Lost,
}

#[derive(Clone)]
struct Worker<E, R> {
    env: E,
    runner: R,
    completer: Completer,
    config: WorkerConfig,
    stop: StopSignals,
    runtimes: BTreeSet<Runtime>,
    attempts: Attempts,
    freed: Arc<Notify>,
    lease: Lease,
    id: WorkerId,
}

impl<E: Env, R: Runner> Worker<E, R> {
    async fn live(&self, stop: &StopSignals) -> Lived {
        let lived = tokio::select! {
            biased;
            () = stop.now.cancelled() => Lived::Stopped,
            () = stop.drain.cancelled() => Lived::Stopped,
            () = self.lease.run_out(&self.env) => Lived::Lost,
            lived = self.renew() => lived,
            () = self.listen() => Lived::Stopped,
            () = self.claim_all() => Lived::Stopped,
        };
        // It looks for nothing any more.
        self.config.progress.looks(None);
        match lived {
            Lived::Stopped => self.stop(stop).await,
            Lived::Superseded if is_planted(&self.env, "superseded_worker_runs_on") => {}
            Lived::Lost if is_planted(&self.env, "lease_loss_ignored_by_worker") => {}
            // Whoever has taken the attempts over relies on this worker not running them.
            Lived::Superseded | Lived::Lost => self.attempts.abandon_all(),
        }
        self.attempts.wait_until_idle().await;
        if matches!(lived, Lived::Stopped) {
            self.goodbye().await;
        }
        lived
    }

    /// Claims as much as there is room for, whenever there is room and a reason to look.
    async fn claim_all(&self) {
        let mut hints = Hints::new(&self.env, &self.runtimes);
        loop {
            let permits = self.attempts.free();
            let mut full = false;
            self.config.progress.looks(Some(self.env.now()));
            if permits > 0 {
                let question = self.attempts.ask();
                let _asking = self.begins("asking for work has taken");
                let taken = claim::claim(&self.env, &self.id, &self.runtimes, permits).await;
                match taken {
                    Ok(Ok(work)) => {
                        full = work.len() == permits as usize;
                        work.into_iter().for_each(|work| self.start(work));
                    }
                    // The next beat finds out what is to be done.
                    Ok(Err(refusal)) => debug!(%refusal, "may not claim"),
                    Err(error) => warn!(%error, "cannot claim"),
                }
                drop(question);
            }
            if full || permits == 0 {
                self.wait_for_room().await;
            } else {
                // A broker that does not answer is no hang: work is found without it, only later.
                self.config.progress.looks(None);
                hints.wait(&self.env, self.config.poll_interval).await;
            }
        }
    }

    /// Hears at once what the next beat would tell: that an attempt should stop, or that work was
    /// offered.
    async fn listen(&self) {
        let topic = Topic::Worker(self.id.clone());
        loop {
            let failed = match self.env.broker().subscribe(topic.clone()).await {
                Ok(mut subscription) => self.hear(&mut subscription).await,
                Err(error) => error,
            };
            warn!(%failed, "this worker hears nothing; its beats tell it later");
            self.env.sleep(self.config.poll_interval).await;
        }
    }

    async fn hear(&self, subscription: &mut impl Subscription) -> StoreError {
        loop {
            let deliveries = match subscription.receive(self.env.batch_size()).await {
                Ok(deliveries) => deliveries,
                Err(error) => return error,
            };
            let mut offers: BTreeMap<(ExecutionId, FencingToken), Receipt> = BTreeMap::new();
            let mut receipts = Vec::new();
            for Delivery { message, receipt, .. } in deliveries {
                match message {
                    Message::Offer { execution, token, .. }
                        if !self.attempts.knows(execution, token)
                            && !offers.contains_key(&(execution, token)) =>
                    {
                        offers.insert((execution, token), receipt);
                        continue;
                    }
                    Message::Stop { execution, token, .. } => self.attempts.stop(execution, token),
                    _ => {}
                }
                receipts.push((receipt, Settle::Ack));
            }
            receipts.extend(self.answer(offers).await);
            if let Err(error) = subscription.settle(receipts).await {
                return error;
            }
        }
    }

    /// Accepts as many offers as there is room for. The others come again, and so do those that
    /// could not be answered: two dispatchers that do not know of each other may offer too much.
    async fn answer(
        &self,
        offers: BTreeMap<(ExecutionId, FencingToken), Receipt>,
    ) -> Vec<(Receipt, Settle)> {
        let later = || Settle::Delay(self.config.poll_interval);
        let wanted = self.attempts.take_up(offers.keys().copied());
        let answered = self.accept(wanted.clone()).await;
        let settle = |(offer, receipt)| {
            let done = answered && wanted.contains(&offer);
            (receipt, if done { Settle::Ack } else { later() })
        };
        offers.into_iter().map(settle).collect()
    }

    /// Accepts what was taken up. Whether the offers were answered.
    async fn accept(&self, offers: Vec<(ExecutionId, FencingToken)>) -> bool {
        if offers.is_empty() {
            return true;
        }
        let question = self.attempts.ask();
        let _accepting = self.begins("accepting what was offered has taken");
        let answered = self.accept_all(offers.clone()).await;
        self.attempts.answered(&offers);
        drop(question);
        answered
    }

    async fn accept_all(&self, offers: Vec<(ExecutionId, FencingToken)>) -> bool {
        let answers = match claim::accept(&self.env, &self.id, offers.clone()).await {
            Ok(answers) => answers,
            Err(error) => {
                warn!(%error, "cannot accept offers");
                return false;
            }
        };
        let mut declined = Vec::new();
        for (offer, answer) in offers.into_iter().zip(answers) {
            match answer {
                Ok(work) => self.start(work),
                // An operator may have asked it to drain; the offer need not wait for its deadline.
                Err(AcceptRefusal::Worker(WorkerRefusal::Draining)) => declined.push(offer),
                Err(refusal) => debug!(%refusal, "an offer was void"),
            }
        }
        let given_back = drain::give_up(&self.env, declined).await;
        if let Err(error) = &given_back {
            warn!(%error, "cannot give offers back");
        }
        given_back.is_ok()
    }

    /// Notes that something begins that must not take long.
    fn begins(&self, what: &'static str) -> progress::Move {
        self.config.progress.begin(what, self.env.now())
    }

    async fn wait_for_room(&self) {
        self.config.progress.looks(None);
        while self.attempts.free() == 0 {
            self.freed.notified().await;
        }
    }

    /// Starts an attempt, and after it what the store gives in its place.
    fn start(&self, work: claim::Work) {
        let Some(stop) = self.begin(&work.0, None) else { return };
        let worker = self.clone();
        self.env.spawn("attempt", async move {
            let mut next = Some((work, stop));
            while let Some((work, stop)) = next {
                next = worker.carry_out(work, stop).await;
            }
            worker.freed.notify_one();
        });
    }

    /// Notes an attempt, in the place of one that has ended.
    fn begin(
        &self,
        assignment: &Assignment,
        former: Option<(ExecutionId, FencingToken)>,
    ) -> Option<CancellationToken> {
        let execution = assignment.execution;
        // The answer to a claim may come so late that the lease is over: then somebody else may
        // have the work already.
        if self.lease.has_run_out(&self.env) {
            warn!(%execution, "not started: the lease has run out");
            return None;
        }
        let stop = self.attempts.begin(execution, assignment.token, former);
        if stop.is_none() {
            warn!(%execution, "not started: this worker has given up its work");
        }
        stop
    }

    /// Runs an attempt to its end and reports it; what is to be run next, and what stops that.
    async fn carry_out(
        &self,
        (assignment, parameters): claim::Work,
        stop: CancellationToken,
    ) -> Option<(claim::Work, CancellationToken)> {
        let (execution, token) = (assignment.execution, assignment.token);
        let queue = assignment.queue.clone();
        let ended = self.runner.run(assignment, parameters, stop).await;
        let mut next = None;
        if self.attempts.is_abandoned(execution, token) {
            debug!(%execution, "an abandoned attempt has ended");
        } else {
            let Ended { ending, result, error } = ended;
            let report = Report { execution, token, queue, ending, result, error };
            let takes_more = !self.stop.drain.is_cancelled() && !self.stop.now.is_cancelled();
            let question = self.attempts.ask();
            let _reporting = self.begins("reporting an end has taken");
            let over = self.env.now();
            if let Ok(taken) = self.completer.send(complete::Ended { report, takes_more }).await {
                match taken.answer {
                    Ok(_) => self.env.measure(Measure::SlotRelease, self.env.now().since(over)),
                    Err(refusal) => info!(%execution, %refusal, "a report was not taken"),
                }
                next = taken.next.and_then(|work| {
                    let stop = self.begin(&work.0, Some((execution, token)))?;
                    Some((work, stop))
                });
            }
            drop(question);
        }
        self.attempts.end(execution, token);
        next
    }

    /// Renews the lease for as long as the store lets it.
    async fn renew(&self) -> Lived {
        loop {
            self.env.sleep(self.config.renew_interval).await;
            let asked = self.env.now();
            match heartbeat::beat(&self.env, &self.id).await {
                Ok(Ok(held)) => {
                    self.lease.renew(&self.env, asked);
                    self.reconcile(&held).await;
                }
                Ok(Err(WorkerRefusal::Superseded(_))) => return Lived::Superseded,
                Ok(Err(refusal)) => {
                    warn!(%refusal, "the lease cannot be renewed");
                    return Lived::Lost;
                }
                Err(error) => warn!(%error, "the lease was not renewed"),
            }
        }
    }

    /// Compares what the store thinks this worker has with what it has: stops what should be
    /// stopped, accepts what it was offered and not told of, and gives up what it knows nothing of
    /// (a claim whose answer was lost).
    async fn reconcile(&self, held: &[Held]) {
        let deaf = is_planted(&self.env, "stop_only_heard_from_hints");
        for attempt in held.iter().filter(|held| held.cancel_requested && !deaf) {
            self.attempts.stop(attempt.execution, attempt.token);
        }
        if !is_planted(&self.env, "disowned_attempts_run_on") {
            self.attempts.stop_disowned(held);
        }
        let offered = held.iter().filter(|held| held.offered);
        let offered = offered.map(|held| (held.execution, held.token));
        self.accept(self.attempts.take_up(offered)).await;
        let unknown = self.attempts.unknown_twice(held);
        if !unknown.is_empty() && !is_planted(&self.env, "claim_answer_lost_is_forgotten") {
            warn!(count = unknown.len(), "giving up attempts that this worker does not have");
            if let Err(error) = drain::give_up(&self.env, unknown).await {
                warn!(%error, "could not give up attempts");
            }
        }
    }

    async fn stop(&self, stop: &StopSignals) {
        info!(worker = %self.id, "draining");
        tokio::select! {
            biased;
            () = stop.now.cancelled() => {}
            () = self.lease.run_out(&self.env) => {}
            // A draining worker still has to keep its lease.
            _ = self.renew() => {}
            () = self.finish() => {}
        }
        self.attempts.abandon_all();
    }

    /// Says that it takes nothing new, and gives what is under way its time.
    async fn finish(&self) {
        if let Err(error) = drain::drain(&self.env, &self.id).await {
            warn!(%error, "could not announce that this worker is draining");
        }
        tokio::select! {
            biased;
            () = self.attempts.wait_until_idle() => {}
            () = self.env.sleep(self.config.shutdown_timeout) => {}
            () = self.claim_all(), if is_planted(&self.env, "drain_keeps_claiming") => {}
        }
    }

    async fn goodbye(&self) {
        match drain::leave(&self.env, &self.id).await {
            Ok(()) => self.runner.has_left(),
            Err(error) => warn!(%error, "could not say goodbye; the lease will end by itself"),
        }
    }
}

/// Listens for hints that there is work.
struct Hints<S> {
    subscription: Option<S>,
    topic: Topic,
}

impl<S: Subscription> Hints<S> {
    fn new<E: Env>(_: &E, runtimes: &BTreeSet<Runtime>) -> Self {
        Self { subscription: None, topic: Topic::Ready(runtimes.iter().cloned().collect()) }
    }

    /// Waits for a hint, or until it is time to look without one.
    async fn wait<E>(&mut self, env: &E, poll: Span)
    where
        E: Env,
        E::Broker: Broker<Subscription = S>,
    {
        let Some(subscription) = &mut self.subscription else {
            // Look once more after subscribing: a hint may have gone by before.
            match env.broker().subscribe(self.topic.clone()).await {
                Ok(subscription) => self.subscription = Some(subscription),
                Err(error) => {
                    warn!(%error, "cannot subscribe; polling");
                    env.sleep(poll).await;
                }
            }
            return;
        };
        tokio::select! {
            biased;
            received = subscription.receive(64) => match received {
                Ok(deliveries) => {
                    let receipts = deliveries.into_iter().map(|d| (d.receipt, Settle::Ack));
                    // A hint that comes again costs one look; a channel that does not answer is
                    // given up.
                    if subscription.settle(receipts.collect()).await.is_err() {
                        self.subscription = None;
                    }
                }
                Err(error) => {
                    warn!(%error, "hints are not received; polling");
                    self.subscription = None;
                    env.sleep(poll).await;
                }
            },
            () = env.sleep(poll) => {}
        }
    }
}
