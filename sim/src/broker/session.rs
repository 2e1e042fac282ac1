//! The client's side of a connection to the broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::decision::{Message, Settle};
use steadfast_core::{ExecutionId, Span};
use steadfast_services::port::{
    Broker, Committed, Delivery, Published, Receipt, StoreError, Subscription, Topic,
};
use tokio::sync::Notify;

use super::queue::Entry;
use super::{Address, Channel, topic_name, topic_of};
use crate::chance::{Site, Subject};
use crate::fault::Strike;
use crate::kinds;
use crate::process::{Peer, Process};
use crate::sync::lock;

/// How long a client waits for an answer before it gives up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The broker as one process sees it.
#[derive(Clone)]
pub struct SimBroker {
    me: Process,
}

impl SimBroker {
    /// For this process.
    #[must_use]
    pub fn new(me: Process) -> Self {
        Self { me }
    }

    fn is_blocked(&self) -> bool {
        lock(&self.me.world().0.broker).is_blocked
    }

    fn is_down(&self) -> bool {
        lock(&self.me.world().0.broker).is_down
    }
}

fn unavailable(what: &str) -> StoreError {
    StoreError::Unavailable(what.into())
}

/// What tells messages apart: their topics, and whom they are about.
fn told_apart(
    messages: &[Message],
) -> (impl Fn(&str) -> bool + Sync + '_, impl Fn(ExecutionId) -> bool + Sync + '_) {
    let does = |topic: &str| messages.iter().any(|m| topic_name(m) == topic);
    let is_about = |id: ExecutionId| messages.iter().any(|m| topic_of(m).1 == id.0);
    (does, is_about)
}

async fn no_answer(me: &Process) -> StoreError {
    me.wait(ANSWER_TIMEOUT).await;
    me.stay_dead().await;
    unavailable("no answer from the broker")
}

impl Broker for SimBroker {
    type Subscription = SimSubscription;

    async fn publish(
        &self,
        _after: &Committed,
        messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        let me = &self.me;
        me.world().keep_promises(me.node(), &messages);
        let subject = Subject::Step(me.name(), "publish");
        let passage = {
            let (does, is_about) = told_apart(&messages);
            me.pass_with(Site::Publish, subject, &does, &is_about).await
        };
        if passage.strike == Some(Strike::PublishFails) || self.is_down() {
            return Err(unavailable("the broker refuses"));
        }
        if me.is_cut_from(Peer::Broker) || self.is_blocked() {
            return Err(no_answer(me).await);
        }
        if passage.strike == Some(Strike::PublishedInPart) {
            let taken = messages.len() / 2;
            me.world().distribute(me.node(), messages.into_iter().take(taken).collect());
            return Err(unavailable("the connection was lost while publishing"));
        }
        me.world().distribute(me.node(), messages);
        if passage.strike == Some(Strike::ConfirmLost) {
            return Err(unavailable("the confirm was lost"));
        }
        Ok(Published::by_broker())
    }

    async fn subscribe(&self, topic: Topic) -> Result<SimSubscription, StoreError> {
        let me = &self.me;
        let passage = me.pass(Site::Subscribe, Subject::Step(me.name(), "subscribe")).await;
        if passage.strike == Some(Strike::SubscribeFails) || self.is_down() {
            return Err(unavailable("the broker refuses"));
        }
        if me.is_cut_from(Peer::Broker) {
            return Err(no_answer(me).await);
        }
        let mut state = lock(&me.world().0.broker);
        let number = state.number();
        let address = match &topic {
            Topic::Admit => Address::Admit,
            Topic::Advance => Address::Advance,
            Topic::Dispatch => Address::Dispatch,
            Topic::Dead => Address::Dead,
            Topic::Worker(worker) => Address::Worker(worker.clone()),
            Topic::Ready(_) | Topic::Ended => {
                state.broadcast.insert(number, topic);
                Address::Own(number)
            }
        };
        let posted = Arc::clone(&state.queues.entry(address.clone()).or_default().posted);
        let changed = Arc::new(Notify::new());
        let channel = Channel {
            client: me.node(),
            life: me.incarnation(),
            address: address.clone(),
            is_open: true,
            unsettled: BTreeMap::new(),
            changed: Arc::clone(&changed),
        };
        state.channels.insert(number, channel);
        drop(state);
        Ok(SimSubscription { me: me.clone(), number, address, posted, changed })
    }
}

/// A consumer of one topic, on a channel of its own.
pub struct SimSubscription {
    me: Process,
    number: u64,
    address: Address,
    posted: Arc<Notify>,
    changed: Arc<Notify>,
}

/// Why nothing could be taken.
enum Nothing {
    Closed,
    Until(Option<Duration>),
}

impl SimSubscription {
    fn take(&self, max: usize) -> Result<Vec<Delivery>, Nothing> {
        let world = self.me.world();
        let now = world.now();
        let mut guard = lock(&world.0.broker);
        let state = &mut *guard;
        if !state.channels.get(&self.number).is_some_and(|channel| channel.is_open) {
            return Err(Nothing::Closed);
        }
        if state.channels.get(&self.number).is_some_and(|c| c.sits_on_something(&state.plan, now)) {
            state.close_channel(self.number);
            return Err(Nothing::Closed);
        }
        let Some(queue) = state.queues.get_mut(&self.address) else { return Err(Nothing::Closed) };
        // The dead do not die again; they wait for as long as it takes.
        let dead = match self.address {
            Address::Dead => Vec::new(),
            _ => queue.bury(&state.plan, now),
        };
        state.keep_dead(&self.address, dead, now);
        let Some(queue) = state.queues.get_mut(&self.address) else { return Err(Nothing::Closed) };
        // Behind a cut link messages stay where they are.
        if self.me.is_cut_from(Peer::Broker) {
            return Err(Nothing::Until(Some(Duration::from_millis(500))));
        }
        let unsettled = state.channels.get(&self.number).map_or(0, |c| c.unsettled.len());
        let bound = state.plan.prefetch.map_or(max, |most| most.saturating_sub(unsettled).min(max));
        if bound == 0 {
            // Until something is settled, and then this consumer asks again.
            return Err(Nothing::Until(None));
        }
        let taken = queue.take(bound, now);
        let is_bounded = bound < max && taken.len() == bound;
        if taken.is_empty() {
            let wait = queue.next_due().map(|due| Duration::from(due).saturating_sub(now.into()));
            return Err(Nothing::Until(wait));
        }
        let mut deliveries = Vec::with_capacity(taken.len());
        let mut log = Vec::with_capacity(taken.len());
        for entry in taken {
            let tag = state.number();
            let (topic, _) = topic_of(&entry.message);
            log.push([entry.id, topic, u64::from(entry.redelivered)]);
            deliveries.push(Delivery {
                message: entry.message.clone(),
                receipt: Receipt::by_broker(tag),
                redelivered: entry.redelivered,
            });
            let entry = Entry { since: now, ..entry };
            if let Some(channel) = state.channels.get_mut(&self.number) {
                channel.unsettled.insert(tag, entry);
            }
        }
        drop(guard);
        if is_bounded {
            world.cover("prefetch_bounds_a_batch");
        }
        for words in log {
            self.me.log(&kinds::DELIVERED, &words);
        }
        Ok(deliveries)
    }
}

impl Subscription for SimSubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, StoreError> {
        loop {
            self.me.stay_dead().await;
            // Nothing is awaited after it was taken, so a receive that is given up loses nothing.
            let wait = match self.take(max.max(1)) {
                Ok(deliveries) => return Ok(deliveries),
                Err(Nothing::Closed) => return Err(unavailable("the channel is closed")),
                Err(Nothing::Until(wait)) => wait,
            };
            let due = async {
                match wait {
                    Some(span) => crate::time::sleep(span).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = self.posted.notified() => {}
                () = due => {}
            }
        }
    }

    async fn settle(&mut self, receipts: Vec<(Receipt, Settle)>) -> Result<(), StoreError> {
        let me = &self.me;
        let subject = Subject::Step(me.name(), "settle");
        let topic = self.address.topic();
        let passage = me.pass_with(Site::Settle, subject, &|t| t == topic, &|_| false).await;
        match passage.strike {
            Some(Strike::ChannelCloses) => {
                lock(&me.world().0.broker).close_channel(self.number);
                return Err(unavailable("the channel was closed"));
            }
            // The client believes that it was heard, and the broker that the connection is gone.
            Some(Strike::SettleLost) => {
                lock(&me.world().0.broker).close_channel(self.number);
                return Ok(());
            }
            _ => {}
        }
        if me.is_cut_from(Peer::Broker) {
            return Err(no_answer(me).await);
        }
        let now = me.world().now();
        let mut settled = Vec::new();
        let mut state = lock(&me.world().0.broker);
        let Some(channel) = state.channels.get_mut(&self.number).filter(|c| c.is_open) else {
            return Err(unavailable("the channel is closed"));
        };
        let mut again = Vec::new();
        for (receipt, settle) in receipts {
            let Some(mut entry) = channel.unsettled.remove(&receipt.tag()) else { continue };
            settled.push([entry.id, how(&settle)]);
            entry.since = now;
            if let Settle::Delay(span) = settle {
                entry.due = now.after(Span::into(span));
                entry.redelivered = true;
                again.push(entry);
            }
        }
        let queue = state.queues.entry(self.address.clone()).or_default();
        again.into_iter().for_each(|entry| queue.post(entry));
        drop(state);
        for words in settled {
            me.log(&kinds::SETTLED, &words);
        }
        Ok(())
    }
}

const fn how(settle: &Settle) -> u64 {
    match settle {
        Settle::Ack => 0,
        Settle::Delay(_) => 1,
        Settle::Park(_) => 2,
    }
}

impl Drop for SimSubscription {
    /// Closes the channel, unless the process is dead: then the broker notices by itself.
    fn drop(&mut self) {
        if self.me.is_alive() {
            lock(&self.me.world().0.broker).forget(self.number);
        }
    }
}
