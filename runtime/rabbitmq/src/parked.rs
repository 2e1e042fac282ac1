//! What was put aside, for an operator: looked at, handed in again, or given up.
//!
//! The queue itself is the record. Whoever looks takes what is there without acknowledging it and
//! puts it back; for so long a queue that only one connection can have keeps others from looking,
//! since they would see nothing. A message leaves only by an acknowledgement, after its replay was
//! confirmed or its discarding was asked for; so a crash at any moment leaves it parked, at the worst
//! beside its replay, which consumers of hints do not mind.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer, ErrorKind};
use sha2::{Digest, Sha256};
use steadfast_core::{Timestamp, WorkerId};
use steadfast_services::port::{Parked, StoreError};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::broker::RabbitBroker;
use crate::letter::{EXCHANGE_HEADER, KEY_HEADER, Letter, REASON_HEADER};
use crate::problem::Problem;
use crate::session::Fate;

/// How many messages are looked at; those behind are seen when these are gone.
const MOST: usize = 1_000;

/// How long the next message may take, once there are messages.
const NEXT: Duration = Duration::from_secs(2);

/// How long one waits for somebody else who looks.
const TURN: Duration = Duration::from_secs(10);

/// How long before one tries again.
const AGAIN: Duration = Duration::from_millis(50);

/// What shall become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes where it came from.
    Replay,
    /// It is gone.
    Discard,
}

/// Somebody who looks, alone.
struct Look<'b> {
    channel: Channel,
    consumer: Consumer,
    /// How many there were.
    expected: usize,
    /// How many are in these hands.
    held: usize,
    queue: String,
    _lock: Consumer,
    _alone: MutexGuard<'b, ()>,
}

impl<'b> Look<'b> {
    /// Begins to look, as soon as nobody else does, in this process or another.
    async fn begin(broker: &'b RabbitBroker) -> Result<Self, Problem> {
        let alone = broker.looking().lock().await;
        // A process that has just started may not have connected yet, and people can wait.
        let session = broker.session_soon().await?;
        let names = broker.names();
        let (lock, queue) = (names.name("parked.look"), names.name("parked"));
        let until = now() + TURN;
        let channel = loop {
            let channel = session.channel_to_ask().await?;
            let exclusive =
                QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::exclusive() };
            let none = FieldTable::default();
            match channel.queue_declare(lock.as_str().into(), exclusive, none).await {
                Ok(_) => break channel,
                Err(error) if is_locked(&error) && now() < until => sleep(AGAIN).await,
                Err(error) if is_locked(&error) => {
                    return Err(Problem::Late {
                        doing: "waiting for others who look",
                        within: TURN,
                    });
                }
                Err(error) => return Err(Problem::with(&format!("queue {lock}"), &error)),
            }
        };
        let problem = |error: lapin::Error| Problem::with(&format!("looking at {queue}"), &error);
        // With its consumer the queue goes, whatever ends the channel.
        let (tag, none) = (broker.new_id(), FieldTable::default());
        let holding =
            channel.basic_consume(lock.as_str().into(), tag.into(), Default::default(), none);
        let lock = holding.await.map_err(problem)?;
        let each = BasicQosOptions { global: false };
        channel.basic_qos(u16::try_from(MOST).unwrap_or(u16::MAX), each).await.map_err(problem)?;
        let expected = count(&channel, &queue).await?.min(MOST);
        let (tag, options) = (broker.new_id(), BasicConsumeOptions::default());
        let none = FieldTable::default();
        let consuming = channel.basic_consume(queue.as_str().into(), tag.into(), options, none);
        let consumer = consuming.await.map_err(problem)?;
        Ok(Self { channel, consumer, expected, held: 0, queue, _lock: lock, _alone: alone })
    }

    /// Everything that is there, the oldest first.
    async fn take(&mut self) -> Result<Vec<Delivery>, Problem> {
        let mut taken = Vec::with_capacity(self.expected);
        while taken.len() < self.expected {
            match timeout(NEXT, self.consumer.next()).await {
                Ok(Some(Ok(delivery))) => taken.push(delivery),
                Ok(Some(Err(error))) => return Err(Problem::with("looking at messages", &error)),
                Ok(None) => return Err(Problem::Lost(String::from("the consumer was cancelled"))),
                // Somebody has taken some by other means.
                Err(_) => break,
            }
            self.held = taken.len();
        }
        Ok(taken)
    }

    async fn ack(&mut self, delivery: &Delivery) -> Result<(), Problem> {
        let acked = self.channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default());
        acked.await.map_err(|error| Problem::with("settling a parked message", &error))?;
        self.held -= 1;
        Ok(())
    }

    /// Puts back what was not acknowledged, and lets others look once it is there again. If that
    /// cannot be told the broker finds out by itself.
    async fn end(self) {
        let putting = async {
            let (tag, cancel) = (self.consumer.tag(), BasicCancelOptions::default());
            self.channel.basic_cancel(tag, cancel).await?;
            // Everything that was delivered here and not acknowledged.
            let all = BasicNackOptions { multiple: true, requeue: true };
            self.channel.basic_nack(0, all).await?;
            while count(&self.channel, &self.queue).await.is_ok_and(|there| there < self.held) {
                sleep(AGAIN).await;
            }
            Ok::<(), lapin::Error>(())
        };
        let _put_back = timeout(NEXT, putting).await;
        let _told = timeout(NEXT, self.channel.close(200, "seen".into())).await;
    }
}

/// Whether another connection has a queue for itself.
fn is_locked(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(protocol) = error.kind() else { return false };
    *protocol.kind() == AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED)
}

async fn count(channel: &Channel, queue: &str) -> Result<usize, Problem> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
    let declared = declared.map_err(|error| Problem::with(&format!("queue {queue}"), &error))?;
    Ok(declared.message_count() as usize)
}

impl RabbitBroker {
    /// What is put aside, the oldest first; a thousand messages at the most.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn parked(&self) -> Result<Vec<Parked>, StoreError> {
        let mut look = Look::begin(self).await?;
        let taken = look.take().await;
        look.end().await;
        let mut all: Vec<Parked> = Vec::new();
        for parked in taken?.iter().map(parked) {
            // One that was put aside twice, because its first acknowledgement was lost, is one.
            if all.iter().all(|known| known.id != parked.id) {
                all.push(parked);
            }
        }
        Ok(all)
    }

    /// Hands a message in again, or gives it up. What became of it, or nothing if there is none of
    /// this identity. Copies that were put aside twice go with it.
    ///
    /// # Errors
    /// If the broker cannot be asked, or did not take the replay; then it is still parked.
    pub async fn settle_parked(
        &self,
        id: &str,
        verdict: Verdict,
    ) -> Result<Option<Parked>, StoreError> {
        let mut look = Look::begin(self).await?;
        let settled = self.settle_in(&mut look, id, verdict).await;
        look.end().await;
        Ok(settled?)
    }

    async fn settle_in(
        &self,
        look: &mut Look<'_>,
        id: &str,
        verdict: Verdict,
    ) -> Result<Option<Parked>, Problem> {
        let taken = look.take().await?;
        let copies: Vec<&Delivery> = taken.iter().filter(|it| identity(it) == id).collect();
        let Some(first) = copies.first() else { return Ok(None) };
        let message = parked(first);
        if verdict == Verdict::Replay {
            self.replay(first).await?;
        }
        for copy in copies {
            look.ack(copy).await?;
        }
        warn!(id, ?verdict, reason = message.reason, "a parked message was settled");
        Ok(Some(message))
    }

    /// Publishes it where it came from, and waits until it has arrived.
    async fn replay(&self, parked: &Delivery) -> Result<(), Problem> {
        let letter = Letter::replayed(parked, self.new_id());
        let to = format!("queue of {:?} at exchange {:?}", letter.key, letter.exchange);
        let fates = self.session()?.send(&[letter], self.patience()).await?;
        match fates.first() {
            Some(Fate::Taken) => Ok(()),
            _ => Err(Problem::Lost(format!("the {to} does not take it; it is still parked"))),
        }
    }

    /// How many messages are put aside.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn count_parked(&self) -> Result<u64, StoreError> {
        let queue = self.names().name("parked");
        Ok(self.counts(&[queue]).await?.first().copied().flatten().unwrap_or(0))
    }

    /// How many messages wait for each worker process; nothing for one that has no queue.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn waiting_for(&self, workers: &[WorkerId]) -> Result<Vec<Option<u64>>, StoreError> {
        let queues: Vec<String> =
            workers.iter().map(|worker| self.names().worker(worker).name().to_owned()).collect();
        Ok(self.counts(&queues).await?)
    }

    async fn counts(&self, queues: &[String]) -> Result<Vec<Option<u64>>, Problem> {
        let session = self.session()?;
        let within = self.patience();
        let counting = async {
            let mut counts = Vec::with_capacity(queues.len());
            let mut open: Option<Channel> = None;
            for queue in queues {
                let channel = match open.take() {
                    Some(channel) => channel,
                    None => session.channel_to_ask().await?,
                };
                // One that is missing costs the channel.
                match count(&channel, queue).await {
                    Ok(count) => {
                        counts.push(Some(count as u64));
                        open = Some(channel);
                    }
                    Err(_) if session.is_alive() => counts.push(None),
                    Err(problem) => return Err(problem),
                }
            }
            if let Some(channel) = open {
                let _closed = channel.close(200, "counted".into()).await;
            }
            Ok(counts)
        };
        let late = Problem::Late { doing: "counting messages", within };
        timeout(within, counting).await.unwrap_or(Err(late))
    }
}

/// The same for the same message, however often it is parked and whoever looks: made of where it
/// came from, what it is called there, and its bytes.
fn identity(delivery: &Delivery) -> String {
    let mut hash = Sha256::new();
    let name = delivery.properties.message_id().as_ref().map_or("", |id| id.as_str());
    let (exchange, key) = origin(delivery);
    for part in [name.as_bytes(), exchange.as_bytes(), key.as_bytes(), &delivery.data] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The exchange and the routing key that it was first published with.
pub(crate) fn origin(delivery: &Delivery) -> (String, String) {
    let read = |name| header(delivery, name).unwrap_or_default();
    (read(EXCHANGE_HEADER), read(KEY_HEADER))
}

fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn parked(delivery: &Delivery) -> Parked {
    let (exchange, key) = origin(delivery);
    let properties = &delivery.properties;
    Parked {
        id: identity(delivery),
        reason: header(delivery, REASON_HEADER).unwrap_or_default(),
        exchange,
        key,
        made_at: properties.timestamp().map(|at| Timestamp::from_micros(at * 1_000_000)),
        content_type: properties.content_type().as_ref().map(|it| it.as_str().to_owned()),
        body: delivery.data.clone(),
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to wait is this process's own business")]
fn now() -> Instant {
    Instant::now()
}
