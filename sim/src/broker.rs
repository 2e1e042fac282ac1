//! The simulated message broker: queues, channels, receipts, and everything that happens to
//! messages on the way.

mod queue;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::decision::Message;
use steadfast_core::{ExecutionId, WorkerId};
use steadfast_services::port::Topic;
use tokio::sync::Notify;

use crate::chance::{Chance, Passer, Site, Subject};
use crate::fault::{Fault, Strike};
use crate::plan::BrokerPlan;
use crate::sync::lock;
use crate::{Node, SimTime, World, kinds};

pub use session::{SimBroker, SimSubscription};

use queue::{Entry, Queue};

/// The topics of messages, by number.
pub(crate) const TOPICS: &[&str] = &["ready", "offer", "stop", "admit", "advance", "ended"];

/// Which topic a message is of, and what it is about.
pub(crate) fn topic_of(message: &Message) -> (u64, u64) {
    match message {
        Message::Ready { .. } => (0, 0),
        Message::Offer { execution, .. } => (1, execution.0),
        Message::Stop { execution, .. } => (2, execution.0),
        Message::Admit(_) => (3, 0),
        Message::Advance(execution) => (4, execution.0),
        Message::Ended { execution, .. } => (5, execution.0),
    }
}

/// The topic of a message.
pub(crate) fn topic_name(message: &Message) -> &'static str {
    TOPICS[usize::try_from(topic_of(message).0).unwrap_or(0)]
}

/// Which queue: one for all consumers of a topic, one for a worker, or a subscriber's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    Admit,
    Advance,
    Dispatch,
    Dead,
    Worker(WorkerId),
    Own(u64),
}

impl Address {
    /// The topic of the messages in it; where there are two, the one that asks for work.
    const fn topic(&self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Advance => "advance",
            Self::Worker(_) | Self::Dead => "offer",
            Self::Dispatch | Self::Own(_) => "ready",
        }
    }

    /// Whether it is declared once for all, and not by one consumer for itself.
    const fn is_shared(&self) -> bool {
        matches!(self, Self::Admit | Self::Advance | Self::Dispatch | Self::Dead)
    }
}

/// A consumer's channel.
#[derive(Debug)]
struct Channel {
    client: Node,
    life: u64,
    address: Address,
    is_open: bool,
    unsettled: BTreeMap<u64, Entry>,
    /// Closed: wake whoever waits on it.
    changed: Arc<Notify>,
}

impl Channel {
    /// Whether its consumer has had a delivery for longer than the broker is patient.
    fn sits_on_something(&self, plan: &BrokerPlan, now: SimTime) -> bool {
        plan.consumer_timeout_ms.is_some_and(|ms| {
            let patience = Duration::from_millis(ms);
            self.unsettled.values().any(|entry| entry.since.after(patience) < now)
        })
    }
}

/// Everything that the broker has.
#[derive(Debug, Default)]
pub(crate) struct State {
    queues: BTreeMap<Address, Queue>,
    /// The topics of the subscribers that have queues of their own.
    broadcast: BTreeMap<u64, Topic>,
    channels: BTreeMap<u64, Channel>,
    next_number: u64,
    is_down: bool,
    /// Whether it takes nothing from publishers.
    is_blocked: bool,
    plan: BrokerPlan,
    /// How many messages became dead letters.
    dead_letters: usize,
}

/// What became of a message on its way into one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrives,
    Lost,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The queues that a message goes to.
    fn route(&mut self, message: &Message) -> Vec<Address> {
        match message {
            // Declared by whoever publishes, so they are there before their consumers are.
            Message::Admit(_) => vec![Address::Admit],
            Message::Advance(_) => vec![Address::Advance],
            Message::Ready { transport, .. } if transport.pushes() => vec![Address::Dispatch],
            Message::Offer { worker, .. } | Message::Stop { worker, .. } => {
                let address = Address::Worker(worker.clone());
                let known = self.queues.contains_key(&address);
                known.then_some(address).into_iter().collect()
            }
            Message::Ready { .. } | Message::Ended { .. } => {
                let takes = |(_, topic): &(&u64, &Topic)| topic.takes(message);
                self.broadcast.iter().filter(takes).map(|(n, _)| Address::Own(*n)).collect()
            }
        }
    }

    /// Puts a message on its way into a queue.
    fn send(
        &mut self,
        chance: &mut Chance,
        now: SimTime,
        address: &Address,
        (id, message): (u64, &Message),
    ) -> (Fate, Option<Strike>) {
        let (topic, about) = (topic_name(message), topic_of(message).1);
        let does = |wanted: &str| wanted == topic;
        let is_about = |id: ExecutionId| about == id.0;
        let by = Passer { node: Node::WORLD, does: &does, is_about: &is_about };
        let passage = chance.pass(Site::Deliver, Subject::Step("broker", topic), &by);
        let late = Duration::from_micros(200_000 + passage.entropy % 3_000_000);
        let copies = match passage.strike {
            Some(Strike::MessageLost) => return (Fate::Lost, passage.strike),
            Some(Strike::MessageDoubled) => 2,
            _ => 1,
        };
        let extra = if passage.strike == Some(Strike::MessageLate) { late } else { Duration::ZERO };
        let due = now.after(passage.delay).after(extra);
        let queue = self.queues.entry(address.clone()).or_default();
        for _ in 0..copies {
            let message = match passage.strike {
                Some(Strike::MessageGarbled) => garbled(message),
                _ => message.clone(),
            };
            queue.post(Entry { id, message, due, since: now, redelivered: false });
        }
        let dead = queue.bury(&self.plan, now);
        self.keep_dead(address, dead, now);
        if passage.strike == Some(Strike::ChannelCloses) {
            self.close_channels(|channel| channel.address == *address);
        }
        (Fate::Arrives, passage.strike)
    }

    /// What was said to a worker and is dead now goes to whoever looks after the dead; the rest is
    /// gone.
    fn keep_dead(&mut self, from: &Address, dead: Vec<Entry>, now: SimTime) {
        self.dead_letters += dead.len();
        if !matches!(from, Address::Worker(_)) {
            return;
        }
        let queue = self.queues.entry(Address::Dead).or_default();
        for entry in dead {
            queue.post(Entry { due: now, since: now, ..entry });
        }
    }

    /// Closes channels: what was delivered on them comes again, and their receipts are void.
    fn close_channels(&mut self, which: impl Fn(&Channel) -> bool) {
        let open = self.channels.iter().filter(|(_, channel)| which(channel));
        let numbers: Vec<u64> = open.map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.close_channel(number));
    }

    fn close_channel(&mut self, number: u64) {
        if let Some(channel) = self.channels.get_mut(&number)
            && std::mem::take(&mut channel.is_open)
        {
            channel.changed.notify_one();
            let unsettled = std::mem::take(&mut channel.unsettled);
            if let Some(queue) = self.queues.get_mut(&channel.address) {
                queue.put_back(unsettled.into_values());
            }
        }
    }

    /// Forgets a channel, and the queue that nobody else can use.
    fn forget(&mut self, number: u64) {
        self.close_channel(number);
        let Some(channel) = self.channels.remove(&number) else { return };
        let is_shared = self.channels.values().any(|other| other.address == channel.address);
        match channel.address {
            Address::Own(own) => {
                self.broadcast.remove(&own);
                self.queues.remove(&channel.address);
            }
            // It is deleted with its last consumer: nobody else will ever have this identity.
            Address::Worker(_) if !is_shared => drop(self.queues.remove(&channel.address)),
            _ => {}
        }
    }
}

/// The same sort of message, about something that nobody knows.
fn garbled(message: &Message) -> Message {
    const NOBODY: ExecutionId = ExecutionId(u64::MAX / 2);
    match message.clone() {
        Message::Ready { transport, .. } => Message::Ready { runtime: "nobody".into(), transport },
        Message::Offer { worker, token, .. } => Message::Offer { worker, execution: NOBODY, token },
        Message::Stop { worker, token, .. } => Message::Stop { worker, execution: NOBODY, token },
        Message::Admit(_) => Message::Admit("nobody.knows".into()),
        Message::Advance(_) => Message::Advance(NOBODY),
        Message::Ended { status, .. } => Message::Ended { execution: NOBODY, status },
    }
}

/// What a story may do to the broker.
impl World {
    /// What the broker does with messages by itself, from now on.
    pub fn set_broker_plan(&self, plan: BrokerPlan) {
        lock(&self.0.broker).plan = plan;
    }

    /// How many messages became dead letters: they waited too long, or there were too many.
    #[must_use]
    pub fn dead_letters(&self) -> usize {
        lock(&self.0.broker).dead_letters
    }

    /// Restarts the broker: every channel closes, and what was not durable is forgotten.
    pub fn restart_broker(&self) {
        let mut state = lock(&self.0.broker);
        state.close_channels(|_| true);
        state.broadcast.clear();
        let durable = state.plan.durable;
        state.queues.retain(|address, _| durable && address.is_shared());
        drop(state);
        self.strike_node(Fault::BrokerRestart, Node::WORLD);
    }

    /// Lets the broker refuse everything, or work again.
    pub fn set_broker_down(&self, down: bool) {
        if down {
            self.restart_broker();
        }
        lock(&self.0.broker).is_down = down;
        let fault = if down { Fault::BrokerDown } else { Fault::BrokerUp };
        self.strike_node(fault, Node::WORLD);
    }

    /// Lets the broker be short of memory, or not: publishers hear nothing more, and whoever
    /// consumes notices nothing.
    pub fn set_publishers_blocked(&self, blocked: bool) {
        lock(&self.0.broker).is_blocked = blocked;
        let fault = if blocked { Fault::BrokerBlocks } else { Fault::BrokerUnblocks };
        self.strike_node(fault, Node::WORLD);
    }

    /// How many messages nobody has settled.
    #[must_use]
    pub fn messages_left(&self) -> usize {
        let state = lock(&self.0.broker);
        let queued: usize = state.queues.values().map(Queue::len).sum();
        queued + state.channels.values().map(|channel| channel.unsettled.len()).sum::<usize>()
    }

    /// Where messages are left that nobody has settled, for whoever reads the report.
    pub(crate) fn where_messages_are_left(&self) -> String {
        let state = lock(&self.0.broker);
        let queues = state.queues.iter().filter(|(_, queue)| queue.len() > 0);
        let queues = queues.map(|(address, queue)| format!("{address:?} {}", queue.len()));
        let channels = state.channels.values().filter(|channel| !channel.unsettled.is_empty());
        let channels = channels.map(|channel| {
            format!(
                "{:?} unsettled {} of {:?}",
                channel.address,
                channel.unsettled.len(),
                channel.client
            )
        });
        queues.chain(channels).collect::<Vec<_>>().join(", ")
    }

    /// The broker notices that a client is gone.
    pub(crate) fn lose_channels(&self, client: Node, life: u64) {
        let mut state = lock(&self.0.broker);
        let lost: Vec<u64> = state
            .channels
            .iter()
            .filter(|(_, c)| c.client == client && c.life <= life)
            .map(|(n, _)| *n)
            .collect();
        lost.into_iter().for_each(|number| state.forget(number));
    }

    /// Sends what was published into its queues.
    fn distribute(&self, from: Node, messages: Vec<Message>) {
        let now = self.now();
        for message in messages {
            let (topic, about) = topic_of(&message);
            let mut state = lock(&self.0.broker);
            let id = state.number();
            let addresses = state.route(&message);
            drop(state);
            self.log(from, &kinds::PUBLISHED, &[id, topic, about]);
            if addresses.is_empty() {
                // Published as mandatory, what is for one queue comes back; a broadcast never does.
                let is_broadcast = matches!(message, Message::Ready { .. } | Message::Ended { .. });
                let kind = if is_broadcast { &kinds::LOST } else { &kinds::RETURNED };
                self.log(Node::WORLD, kind, &[id, topic]);
            }
            for address in addresses {
                let (fate, strike) = {
                    let mut state = lock(&self.0.broker);
                    let mut chance = lock(&self.0.chance);
                    state.send(&mut chance, now, &address, (id, &message))
                };
                if let Some(strike) = strike {
                    let topic = topic_name(&message);
                    self.strike(Node::WORLD, strike, &|wanted| wanted == topic);
                }
                if fate == Fate::Lost {
                    self.log(Node::WORLD, &kinds::LOST, &[id, topic]);
                }
            }
        }
    }
}
