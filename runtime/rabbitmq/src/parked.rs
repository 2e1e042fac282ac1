//! What was put aside, for an operator: looked at, handed in again, or given up.
//!
//! The queue itself is the record. Whoever looks consumes it alone (an exclusive consumer), takes
//! what is there without acknowledging it and closes the channel, which puts everything back. A
//! message leaves the queue only by an acknowledgement, after its replay was confirmed or its
//! discarding was asked for; so a crash at any moment leaves it parked, at the worst beside its
//! replay, which consumers of hints do not mind.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer};
use sha2::{Digest, Sha256};
use steadfast_core::{Timestamp, WorkerId};
use steadfast_services::port::{Parked, StoreError};
use tokio::time::{Instant, sleep, timeout, timeout_at};
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

/// Somebody who looks, alone. Whatever is not acknowledged is put back when it is dropped.
struct Look {
    channel: Channel,
    consumer: Consumer,
    expected: usize,
}

impl Look {
    /// Begins to look, as soon as nobody else does.
    async fn begin(connection: &Connection, queue: &str, tag: String) -> Result<Self, Problem> {
        let until = now() + TURN;
        loop {
            match Self::try_begin(connection, queue, &tag).await {
                // The broker refuses a second exclusive consumer just as it refuses permission.
                Err(Problem::Permission { .. }) if now() < until => sleep(AGAIN).await,
                begun => return begun,
            }
        }
    }

    async fn try_begin(connection: &Connection, queue: &str, tag: &str) -> Result<Self, Problem> {
        let what = format!("looking at queue {queue}");
        let problem = |error: lapin::Error| Problem::with(&what, &error);
        let channel = connection.create_channel().await.map_err(problem)?;
        let most = BasicQosOptions { global: false };
        let prefetch = u16::try_from(MOST).unwrap_or(u16::MAX);
        channel.basic_qos(prefetch, most).await.map_err(problem)?;
        // Counted before any of them is in this consumer's hands.
        let expected = count(&channel, queue).await?;
        let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
        let none = FieldTable::default();
        let consuming = channel.basic_consume(queue.into(), tag.into(), options, none);
        let consumer = consuming.await.map_err(problem)?;
        Ok(Self { channel, consumer, expected: expected.min(MOST) })
    }

    /// Everything that is there, the oldest first.
    async fn take(&mut self) -> Result<Vec<Delivery>, Problem> {
        let mut taken = Vec::with_capacity(self.expected);
        while taken.len() < self.expected {
            match timeout_at(now() + NEXT, self.consumer.next()).await {
                Ok(Some(Ok(delivery))) => taken.push(delivery),
                Ok(Some(Err(error))) => return Err(Problem::with("looking at messages", &error)),
                Ok(None) => return Err(Problem::Lost(String::from("the consumer was cancelled"))),
                // Somebody else has some of them; they are seen the next time.
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Puts back what was not acknowledged.
    async fn end(self) {
        // A channel that cannot be closed is closed, and the broker puts back what it held.
        let _closed = timeout(NEXT, self.channel.close(200, "seen".into())).await;
    }
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
        let mut look = self.look().await?;
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
        let mut look = self.look().await?;
        let settled = self.settle_in(&mut look, id, verdict).await;
        look.end().await;
        Ok(settled?)
    }

    async fn look(&self) -> Result<Look, Problem> {
        let session = self.session()?;
        let queue = self.names().name("parked");
        Look::begin(&session.consuming, &queue, self.new_id()).await
    }

    async fn settle_in(
        &self,
        look: &mut Look,
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
            let acked = look.channel.basic_ack(copy.delivery_tag, BasicAckOptions::default());
            acked.await.map_err(|error| Problem::with("settling a parked message", &error))?;
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
