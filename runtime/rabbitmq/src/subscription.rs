//! A consumer on a channel of its own.

mod errand;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery as Delivered;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use steadfast_core::Timestamp;
use steadfast_core::decision::{Message, Settle};
use steadfast_services::port::{Delivery, Receipt, StoreError, Subscription};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::acks::Outstanding;
use crate::broker::Shared;
use crate::envelope;
use crate::letter::Raw;
use crate::problem::Problem;
use crate::topology::Item;

use errand::{Errand, Errands};

/// Receipts are numbered within the process, not the channel: one from a channel that is gone means
/// nothing to any other, whatever delivery tags the broker gives out there.
static NEXT_RECEIPT: AtomicU64 = AtomicU64::new(1);

/// One hint of a message: settled by itself, and the message with the last of them.
#[derive(Debug)]
struct Part {
    raw: Arc<Raw>,
    /// What it says, if the message says more than this.
    only: Option<(Timestamp, Message)>,
}

/// A consumer of one queue. When it is dropped its channel closes, and the broker lets everything
/// that it has not settled come again.
#[derive(Debug)]
pub struct RabbitSubscription {
    shared: Arc<Shared>,
    channel: Channel,
    consumer: Consumer,
    queue: String,
    /// Delivered by the broker, not yet read.
    pending: VecDeque<Raw>,
    /// Read, not yet returned.
    parts: VecDeque<(Message, Part)>,
    /// Returned, not yet settled.
    unsettled: BTreeMap<u64, Part>,
    /// What is to be done about deliveries, and when.
    errands: Errands,
    /// What the broker waits to hear of.
    outstanding: Outstanding,
    /// Why nothing will come any more.
    ended: Option<Problem>,
}

impl RabbitSubscription {
    /// Declares a queue and begins to consume it.
    pub(crate) async fn open(shared: Arc<Shared>, item: Item) -> Result<Self, Problem> {
        let within = shared.options.connect_timeout;
        let session = shared.link.session_within(within).await?;
        let queue = item.name().to_owned();
        let opening = async {
            let what = format!("consuming queue {queue}");
            let problem = |error: lapin::Error| Problem::with(&what, &error);
            let channel = session.consuming.create_channel().await.map_err(problem)?;
            item.declare(&channel).await?;
            let one_consumer = BasicQosOptions { global: false };
            let prefetch = shared.options.prefetch;
            channel.basic_qos(prefetch, one_consumer).await.map_err(problem)?;
            let (tag, none) = (shared.new_id().into(), FieldTable::default());
            let options = BasicConsumeOptions::default();
            let consuming = channel.basic_consume(queue.as_str().into(), tag, options, none);
            let consumer = consuming.await.map_err(problem)?;
            Ok((channel, consumer))
        };
        let late = Problem::Late { doing: "beginning to consume", within };
        let opened = tokio::time::timeout(within, opening).await;
        let (channel, consumer) = opened.unwrap_or(Err(late))?;
        Ok(Self {
            shared,
            channel,
            consumer,
            queue,
            pending: VecDeque::new(),
            parts: VecDeque::new(),
            unsettled: BTreeMap::new(),
            errands: Errands::default(),
            outstanding: Outstanding::default(),
            ended: None,
        })
    }

    /// Takes note of what the consumer said.
    fn note(&mut self, said: Option<Result<Delivered, lapin::Error>>) {
        match said {
            Some(Ok(delivered)) => {
                self.outstanding.add(delivered.delivery_tag);
                self.pending.push_back(delivered.into());
            }
            Some(Err(error)) => {
                let what = format!("consuming queue {}", self.queue);
                self.ended.get_or_insert_with(|| Problem::with(&what, &error));
            }
            None => {
                let text = format!("the consumer of queue {} was cancelled", self.queue);
                self.ended.get_or_insert(Problem::Lost(text));
            }
        }
    }

    /// Takes what has arrived, without waiting.
    fn collect(&mut self, max: usize) {
        while self.pending.len() < max
            && self.ended.is_none()
            && let Some(said) = self.consumer.next().now_or_never()
        {
            self.note(said);
        }
    }

    /// Hands out what can be read, up to `max`; what cannot is to be put aside.
    fn hand_out(&mut self, max: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(max.min(self.parts.len() + self.pending.len()));
        while deliveries.len() < max {
            if let Some((message, part)) = self.parts.pop_front() {
                let number = NEXT_RECEIPT.fetch_add(1, Ordering::Relaxed);
                let (receipt, redelivered) = (Receipt::by_broker(number), part.raw.redelivered);
                deliveries.push(Delivery { message, receipt, redelivered });
                self.unsettled.insert(number, part);
                continue;
            }
            let Some(raw) = self.pending.pop_front() else { break };
            self.read(raw);
        }
        deliveries
    }

    /// Takes a message apart.
    fn read(&mut self, raw: Raw) {
        let content_type = raw.properties.content_type().as_ref().map(|t| t.as_str());
        match envelope::decode(content_type, &raw.body) {
            Ok((at, messages)) => {
                self.outstanding.split(raw.tag, messages.len());
                let is_one_of_many = messages.len() > 1;
                let raw = Arc::new(raw);
                self.parts.extend(messages.into_iter().map(|message| {
                    let only = is_one_of_many.then(|| (at, message.clone()));
                    (message, Part { raw: Arc::clone(&raw), only })
                }));
            }
            Err(reason) => self.errands.add(now(), Errand::Park(raw, reason.to_string())),
        }
    }

    /// A part as a message of its own.
    fn alone(&self, part: Part) -> Raw {
        match part.only {
            Some((at, message)) => part.raw.only(&self.shared.new_id(), at, message),
            None => Arc::unwrap_or_clone(part.raw),
        }
    }

    /// Why nothing can be settled or received any more.
    fn check(&mut self) -> Result<(), Problem> {
        if self.ended.is_none() && !self.channel.status().connected() {
            let text = format!("the channel that consumes queue {} is closed", self.queue);
            self.ended = Some(Problem::Lost(text));
        }
        match &self.ended {
            Some(problem) => Err(problem.clone()),
            None => Ok(()),
        }
    }

    /// Tells the broker that deliveries are done.
    async fn ack(&mut self, tags: Vec<u64>) -> Result<(), Problem> {
        let acks = self.outstanding.done(tags);
        let frames = acks
            .into_iter()
            .map(|ack| self.channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple }));
        let sent = tokio::time::timeout(self.shared.options.confirm_timeout, try_join_all(frames));
        let problem = match sent.await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => Problem::with(&format!("settling in queue {}", self.queue), &error),
            Err(_) => {
                Problem::Late { doing: "settling", within: self.shared.options.confirm_timeout }
            }
        };
        Err(self.ended.get_or_insert(problem).clone())
    }
}

impl Subscription for RabbitSubscription {
    /// Nothing that was taken from the broker is held by a local variable while something is
    /// awaited, so a receive that is given up loses nothing.
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, StoreError> {
        let max = max.max(1);
        loop {
            self.collect(max);
            self.check()?;
            for raw in self.errands.take_returning(now()) {
                self.pending.push_front(raw);
            }
            let deliveries = self.hand_out(max);
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            self.run_errands().await?;
            let next = self.errands.next();
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let said = tokio::select! {
                biased;
                said = self.consumer.next() => Some(said),
                () = due => None,
            };
            if let Some(said) = said {
                self.note(said);
            }
        }
    }

    /// After an error the caller has to subscribe again; what was not settled comes again then.
    async fn settle(&mut self, receipts: Vec<(Receipt, Settle)>) -> Result<(), StoreError> {
        self.check()?;
        let mut done = Vec::new();
        for (receipt, settle) in receipts {
            let Some(part) = self.unsettled.remove(&receipt.tag()) else {
                debug!(tag = receipt.tag(), "settled before, or not here");
                continue;
            };
            match settle {
                Settle::Ack => done.push(part.raw.tag),
                Settle::Delay(span) => {
                    let raw = self.alone(part);
                    self.errands.add(now(), Errand::PutOff(raw, span));
                }
                Settle::Park(reason) => {
                    let raw = self.alone(part);
                    self.errands.add(now(), Errand::Park(raw, reason));
                }
            }
        }
        self.ack(done).await?;
        Ok(self.run_errands().await?)
    }
}

#[expect(clippy::disallowed_methods, reason = "when to look again is this process's own business")]
fn now() -> Instant {
    Instant::now()
}
