//! The broker within one process. It keeps nothing beyond the process: whatever was lost, a sweep
//! finds again.

mod mailbox;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::decision::{Message, Settle};
use steadfast_core::{Span, WorkerId};
use steadfast_services::port::{
    Broker, Committed, Delivery, Published, Receipt, StoreError, Subscription, Topic,
};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{debug, warn};

use mailbox::Mailbox;

/// How many hints wait for one consumer, or group of consumers, at the most.
const CAPACITY: usize = 10_000;

/// How many hints that were put aside are remembered.
const PARKED: usize = 1_000;

/// A hint that could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedHint {
    /// By which it is asked for, within this process.
    pub id: u64,
    /// What it said.
    pub message: Message,
    /// Why it was put aside.
    pub reason: String,
}

/// Carries hints between the tasks of this process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct InprocBroker {
    state: Arc<Mutex<State>>,
}

/// Whose mailbox it is: everybody's who consumes the topic, or one subscriber's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    Admit,
    Advance,
    Dispatch,
    /// Always empty: nothing that waits here expires.
    Dead,
    Worker(WorkerId),
    Own(u64),
}

impl Address {
    /// Where a hint goes that is not for everybody.
    fn of(message: &Message) -> Option<Self> {
        match message {
            Message::Admit(_) => Some(Self::Admit),
            Message::Advance(_) => Some(Self::Advance),
            Message::Offer { worker, .. } | Message::Stop { worker, .. } => {
                Some(Self::Worker(worker.clone()))
            }
            Message::Ready { transport, .. } if transport.pushes() => Some(Self::Dispatch),
            Message::Ready { .. } | Message::Ended { .. } => None,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    boxes: BTreeMap<Address, Mailbox>,
    /// The topics of the subscribers that have mailboxes of their own.
    broadcast: BTreeMap<u64, Topic>,
    next_number: u64,
    parked: VecDeque<ParkedHint>,
    lost: u64,
}

impl InprocBroker {
    /// A broker that nobody has subscribed to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many hints were dropped because their mailbox was full or nobody had one.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// The last hints that were put aside.
    #[must_use]
    pub fn parked(&self) -> Vec<ParkedHint> {
        self.lock().parked.iter().cloned().collect()
    }

    /// Takes a hint that was put aside out of there, and publishes it again if it shall be replayed.
    pub fn settle_parked(&self, id: u64, replay: bool) -> Option<ParkedHint> {
        let mut state = self.lock();
        let place = state.parked.iter().position(|hint| hint.id == id)?;
        let hint = state.parked.remove(place)?;
        if replay {
            state.publish(hint.message.clone());
        }
        Some(hint)
    }

    /// How many hints wait for a worker process; nothing if it does not listen.
    #[must_use]
    pub fn waiting_for(&self, worker: &WorkerId) -> Option<usize> {
        self.lock().boxes.get(&Address::Worker(worker.clone())).map(Mailbox::len)
    }

    /// Posts a hint to whoever consumes it in this process. Whether that was somebody whom it is for
    /// alone, so that nobody else need hear of it.
    pub fn post_here(&self, message: Message) -> bool {
        let mut state = self.lock();
        let Some(address) = Address::of(&message) else {
            state.spread(&message);
            return false;
        };
        match state.boxes.get_mut(&address).filter(|mailbox| mailbox.subscribers > 0) {
            Some(mailbox) => mailbox.post(message, CAPACITY),
            None => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave hints in a state that matters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn publish(&mut self, message: Message) {
        let Some(address) = Address::of(&message) else { return self.spread(&message) };
        match address {
            // These are published before their consumers have begun, and worth keeping until then.
            Address::Admit | Address::Advance | Address::Dispatch => {
                let mailbox = self.boxes.entry(address).or_default();
                self.lost += u64::from(!mailbox.post(message, CAPACITY));
            }
            address => match self.boxes.get_mut(&address) {
                Some(mailbox) => self.lost += u64::from(!mailbox.post(message, CAPACITY)),
                None => self.lost += 1,
            },
        }
    }

    fn spread(&mut self, message: &Message) {
        for (number, topic) in &self.broadcast {
            if topic.takes(message)
                && let Some(mailbox) = self.boxes.get_mut(&Address::Own(*number))
            {
                self.lost += u64::from(!mailbox.post(message.clone(), CAPACITY));
            }
        }
    }

    fn park(&mut self, message: Message, reason: String) {
        warn!(?message, reason, "a hint was put aside");
        if self.parked.len() == PARKED {
            self.parked.pop_front();
        }
        let id = self.number();
        self.parked.push_back(ParkedHint { id, message, reason });
    }
}

impl Broker for InprocBroker {
    type Subscription = InprocSubscription;

    async fn publish(
        &self,
        _after: &Committed,
        messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        let mut state = self.lock();
        messages.into_iter().for_each(|message| state.publish(message));
        Ok(Published::by_broker())
    }

    async fn subscribe(&self, topic: Topic) -> Result<InprocSubscription, StoreError> {
        let mut state = self.lock();
        let address = match &topic {
            Topic::Admit => Address::Admit,
            Topic::Advance => Address::Advance,
            Topic::Dispatch => Address::Dispatch,
            Topic::Dead => Address::Dead,
            Topic::Worker(worker) => Address::Worker(worker.clone()),
            Topic::Ready(_) | Topic::Ended => {
                let number = state.number();
                state.broadcast.insert(number, topic);
                Address::Own(number)
            }
        };
        let mailbox = state.boxes.entry(address.clone()).or_default();
        mailbox.subscribers += 1;
        let posted = Arc::clone(&mailbox.posted);
        drop(state);
        let broker = self.clone();
        Ok(InprocSubscription { broker, address, posted, unsettled: BTreeMap::new() })
    }
}

/// A consumer of one topic. What it has not settled when it is dropped comes again.
#[derive(Debug)]
pub struct InprocSubscription {
    broker: InprocBroker,
    address: Address,
    posted: Arc<Notify>,
    unsettled: BTreeMap<u64, Message>,
}

impl InprocSubscription {
    /// What is there, up to `max`; else when a delayed hint comes again.
    fn take(&mut self, max: usize) -> Result<Vec<Delivery>, Option<Instant>> {
        let mut state = self.broker.lock();
        let Some(mailbox) = state.boxes.get_mut(&self.address) else { return Err(None) };
        mailbox.return_due(now());
        let taken = mailbox.take(max);
        if taken.is_empty() {
            return Err(mailbox.next_return());
        }
        let mut deliveries = Vec::with_capacity(taken.len());
        for (message, redelivered) in taken {
            let tag = state.number();
            self.unsettled.insert(tag, message.clone());
            deliveries.push(Delivery { message, receipt: Receipt::by_broker(tag), redelivered });
        }
        Ok(deliveries)
    }
}

impl Subscription for InprocSubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, StoreError> {
        loop {
            // Nothing is awaited after it was taken, so a receive that is given up loses nothing.
            let next_return = match self.take(max.max(1)) {
                Ok(deliveries) => return Ok(deliveries),
                Err(next_return) => next_return,
            };
            match next_return {
                None => self.posted.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.posted.notified() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
            }
        }
    }

    async fn settle(&mut self, receipts: Vec<(Receipt, Settle)>) -> Result<(), StoreError> {
        let mut state = self.broker.lock();
        for (receipt, settle) in receipts {
            let Some(message) = self.unsettled.remove(&receipt.tag()) else {
                debug!(tag = receipt.tag(), "settled before");
                continue;
            };
            match settle {
                Settle::Ack => {}
                Settle::Delay(span) => {
                    let number = state.number();
                    if let Some(mailbox) = state.boxes.get_mut(&self.address) {
                        mailbox.delay(message, later(now(), span), number);
                    }
                }
                Settle::Park(reason) => state.park(message, reason),
            }
        }
        Ok(())
    }
}

impl Drop for InprocSubscription {
    fn drop(&mut self) {
        let mut state = self.broker.lock();
        if let Address::Own(number) = &self.address {
            state.broadcast.remove(number);
            state.boxes.remove(&self.address);
            return;
        }
        let Some(mailbox) = state.boxes.get_mut(&self.address) else { return };
        mailbox.put_back(std::mem::take(&mut self.unsettled).into_values());
        mailbox.subscribers -= 1;
        let idle = mailbox.subscribers == 0 && mailbox.is_empty();
        if idle && matches!(self.address, Address::Worker(_)) {
            state.boxes.remove(&self.address);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "when to look again is this process's own business")]
fn now() -> Instant {
    Instant::now()
}

/// A span beyond what tokio's clock can express is as good as a day: it is then delayed again.
fn later(now: Instant, span: Span) -> Instant {
    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
    now.checked_add(span.into()).unwrap_or(now + DAY)
}
