//! The exchanges and queues: what they are called, how they are made, and whether they are there.
//!
//! | name | made as | holds |
//! |---|---|---|
//! | `hints` | direct exchange | everything published, by exact key |
//! | `admit`, `advance`, `dispatch` | quorum queues | work, each message for one of the consumers |
//! | `worker.NAME.INCARNATION` | quorum queue, TTL, dead letters | what is said to one worker process |
//! | `own.ID` | exclusive queue | broadcasts for one subscriber: `ready.RUNTIME`, `ended` |
//! | the dead-letter exchange, `dead` | fanout exchange, quorum queue | what no worker took in time |
//! | `delay`, `delay.MILLISECONDS` | headers exchange, quorum queues | what comes again later |
//! | `parked` | quorum queue | what cannot be read or carried out |
//!
//! The exchange is direct and not topic, so that no name of a worker or runtime is ever taken for a
//! pattern. The dead-letter exchange is a fanout, so that no routing key can miss its queue.

use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, Error, ExchangeKind};
use steadfast_core::WorkerId;
use steadfast_core::decision::Message;

use crate::options::Options;
use crate::problem::Problem;
use crate::session;

/// How many hints wait in a queue at the most; the oldest make room. The store knows what they
/// said.
const LENGTH_MAX: i64 = 100_000;

/// How many messages that were put aside are kept.
const PARKED_MAX: i64 = 1_000_000;

/// How long a delay queue is kept after the last message for it has left.
const DELAY_SPARE_MS: u64 = 60_000;

/// The header that says how long a message is put off, in milliseconds.
pub(crate) const DELAY_HEADER: &str = "steadfast-delay";

/// How long a message to ourselves may take, in an inspection.
const ROUND_TRIP: Duration = Duration::from_secs(2);

/// How long closing a connection may take before it is dropped.
const GOODBYE: Duration = Duration::from_millis(500);

/// The longest name that the protocol can carry, in bytes.
const NAME_MAX: usize = 255;

/// Something that the broker has, by declaration.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Exchange { name: String, kind: ExchangeKind },
    Queue { name: String, options: QueueDeclareOptions, arguments: FieldTable, bound: Vec<Binding> },
}

/// Which messages of an exchange come to a queue.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    exchange: String,
    key: String,
    arguments: FieldTable,
}

/// How much is in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Messages that wait.
    pub messages: u32,
    /// Consumers.
    pub consumers: u32,
}

/// One exchange or queue, as the broker has it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is, with its name.
    pub what: String,
    /// What is in it; nothing is in an exchange.
    pub found: Result<Found, Problem>,
}

/// The names within a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    namespace: String,
    dead_letter_exchange: Option<String>,
    worker_ttl_ms: i64,
    dead_ttl_ms: i64,
}

impl Names {
    pub(crate) fn new(options: &Options) -> Self {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self {
            namespace: options.namespace.clone(),
            dead_letter_exchange: options.dead_letter_exchange.clone(),
            worker_ttl_ms: millis(options.worker_queue_ttl),
            dead_ttl_ms: millis(options.dead_letter_ttl),
        }
    }

    /// A name of this namespace.
    pub(crate) fn name(&self, end: &str) -> String {
        format!("{}.{end}", self.namespace)
    }

    /// Everything that is there for all, in the order in which it must be declared.
    pub(crate) fn shared(&self) -> Vec<Item> {
        let exchange = |name: String, kind| Item::Exchange { name, kind };
        let mut items = vec![
            exchange(self.name("hints"), ExchangeKind::Direct),
            exchange(self.name("delay"), ExchangeKind::Headers),
            self.work("admit"),
            self.work("advance"),
            self.work("dispatch"),
            self.parked(),
        ];
        if let Some(dead) = &self.dead_letter_exchange {
            items.push(exchange(dead.clone(), ExchangeKind::Fanout));
        }
        items.push(self.dead());
        items
    }

    /// A queue of work, shared by its consumers.
    pub(crate) fn work(&self, topic: &str) -> Item {
        let bound = vec![self.hints(topic.to_owned())];
        let arguments = quorum([("x-max-length", LENGTH_MAX)]);
        durable(self.name(topic), arguments, bound)
    }

    /// The queue of one worker process. It outlives its consumer for as long as its messages may
    /// wait, and a little longer, so that they become dead letters and are not deleted with it.
    pub(crate) fn worker(&self, worker: &WorkerId) -> Item {
        let key = worker_key(worker);
        let mut arguments = quorum([
            ("x-max-length", LENGTH_MAX),
            ("x-message-ttl", self.worker_ttl_ms),
            ("x-expires", 2 * self.worker_ttl_ms),
        ]);
        if let Some(dead) = &self.dead_letter_exchange {
            arguments.insert("x-dead-letter-exchange".into(), text(dead));
        }
        durable(self.name(&key), arguments, vec![self.hints(key)])
    }

    /// A subscriber's own queue for broadcasts; it goes with its connection.
    pub(crate) fn own(&self, id: &str, keys: Vec<String>) -> Item {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(LENGTH_MAX));
        let options = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::exclusive() };
        let bound = keys.into_iter().map(|key| self.hints(key)).collect();
        Item::Queue { name: self.name(&format!("own.{id}")), options, arguments, bound }
    }

    /// Where messages wait for `millis`.
    pub(crate) fn delay(&self, millis: u64) -> Item {
        let after = i64::try_from(millis).unwrap_or(i64::MAX);
        let spare = i64::try_from(DELAY_SPARE_MS).unwrap_or(i64::MAX);
        let mut arguments = quorum([
            ("x-max-length", LENGTH_MAX),
            ("x-message-ttl", after),
            ("x-expires", after.saturating_add(spare)),
        ]);
        // The default exchange, which knows each queue by its name.
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        let mut wanted = FieldTable::default();
        wanted.insert("x-match".into(), text("all"));
        wanted.insert(DELAY_HEADER.into(), AMQPValue::LongLongInt(after));
        let bound =
            vec![Binding { exchange: self.name("delay"), key: String::new(), arguments: wanted }];
        durable(self.name(&format!("delay.{millis}")), arguments, bound)
    }

    /// Where messages are put that cannot be read or carried out. To look at them counts as a
    /// delivery, and from version 4 on the broker drops what was delivered too often.
    fn parked(&self) -> Item {
        let arguments =
            quorum([("x-max-length", PARKED_MAX), ("x-delivery-limit", i64::from(i32::MAX))]);
        durable(self.name("parked"), arguments, Vec::new())
    }

    /// Where what no worker took in time arrives; nothing does if the broker shall drop it.
    pub(crate) fn dead(&self) -> Item {
        let arguments = quorum([("x-max-length", LENGTH_MAX), ("x-message-ttl", self.dead_ttl_ms)]);
        let bound = self.dead_letter_exchange.iter().map(|exchange| Binding {
            exchange: exchange.clone(),
            key: String::new(),
            arguments: FieldTable::default(),
        });
        durable(self.name("dead"), arguments, bound.collect())
    }

    fn hints(&self, key: String) -> Binding {
        Binding { exchange: self.name("hints"), key, arguments: FieldTable::default() }
    }
}

/// A queue of several copies where the broker has several nodes.
fn quorum<const N: usize>(limits: [(&str, i64); N]) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    for (name, limit) in limits {
        arguments.insert(name.into(), AMQPValue::LongLongInt(limit));
    }
    arguments
}

fn durable(name: String, arguments: FieldTable, bound: Vec<Binding>) -> Item {
    Item::Queue { name, options: QueueDeclareOptions::durable(), arguments, bound }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// What a message is published under.
pub(crate) fn key_of(message: &Message) -> String {
    match message {
        Message::Admit(_) => String::from("admit"),
        Message::Advance(_) => String::from("advance"),
        Message::Ready { transport, .. } if transport.pushes() => String::from("dispatch"),
        Message::Ready { runtime, .. } => format!("ready.{runtime}"),
        Message::Offer { worker, .. } | Message::Stop { worker, .. } => worker_key(worker),
        Message::Ended { .. } => String::from("ended"),
    }
}

fn worker_key(worker: &WorkerId) -> String {
    format!("worker.{}.{}", worker.name, worker.incarnation.0)
}

/// Whether the protocol can carry a name.
pub(crate) fn fits(name: &str) -> bool {
    name.len() <= NAME_MAX
}

impl Item {
    /// What it is, for whoever reads an error.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Exchange { name, .. } => format!("exchange {name}"),
            Self::Queue { name, .. } => format!("queue {name}"),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Exchange { name, .. } | Self::Queue { name, .. } => name,
        }
    }

    /// Makes it, or checks that it is made this way. If it is not, the broker closes the channel.
    pub(crate) async fn declare(&self, channel: &Channel) -> Result<Found, Problem> {
        let keys = match self {
            Self::Exchange { .. } => &[][..],
            Self::Queue { bound, .. } => bound,
        };
        if let Some(long) = std::iter::once(self.name())
            .chain(keys.iter().map(|binding| binding.key.as_str()))
            .find(|name| !fits(name))
        {
            return Err(Problem::Options(format!("{long:?} is longer than {NAME_MAX} bytes")));
        }
        self.ask(channel).await.map_err(|error| Problem::with(&self.what(), &error))
    }

    async fn ask(&self, channel: &Channel) -> Result<Found, Error> {
        match self {
            Self::Exchange { name, kind } => {
                let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
                let (name, none) = (name.as_str().into(), FieldTable::default());
                channel.exchange_declare(name, kind.clone(), options, none).await?;
                Ok(Found::default())
            }
            Self::Queue { name, options, arguments, bound } => {
                let queue = channel
                    .queue_declare(name.as_str().into(), *options, arguments.clone())
                    .await?;
                for Binding { exchange, key, arguments } in bound {
                    let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
                    let options = QueueBindOptions::default();
                    let queue = name.as_str().into();
                    channel.queue_bind(queue, exchange, key, options, arguments.clone()).await?;
                }
                Ok(Found { messages: queue.message_count(), consumers: queue.consumer_count() })
            }
        }
    }
}

impl Item {
    async fn delete(&self, channel: &Channel) -> Result<(), Error> {
        match self {
            Self::Exchange { name, .. } => {
                let options = ExchangeDeleteOptions::default();
                channel.exchange_delete(name.as_str().into(), options).await
            }
            Self::Queue { name, .. } => {
                let options = QueueDeleteOptions::default();
                channel.queue_delete(name.as_str().into(), options).await.map(|_| ())
            }
        }
    }
}

/// Declares everything shared; the first that is refused ends it.
pub(crate) async fn declare(connection: &Connection, names: &Names) -> Result<(), Problem> {
    let channel = open(connection).await?;
    for item in names.shared() {
        item.declare(&channel).await?;
    }
    Ok(())
}

async fn open(connection: &Connection) -> Result<Channel, Problem> {
    connection.create_channel().await.map_err(|error| Problem::with("opening a channel", &error))
}

/// Sends a message to a queue of our own and takes it back, by the exchange of all hints: what may
/// be declared need not be allowed to be written and read, and a broker that is short of memory or
/// disk takes nothing, whatever it has declared.
async fn round_trip(connection: &Connection, names: &Names) -> Result<Found, Problem> {
    let problem = |error: Error| Problem::with("sending a message to ourselves", &error);
    let key = format!("doctor.{:016x}", crate::backoff::any_number());
    let channel = open(connection).await?;
    let item = names.own(&key, vec![key.clone()]);
    item.declare(&channel).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(problem)?;
    let (exchange, options) = (names.name("hints"), BasicPublishOptions::default());
    let properties = BasicProperties::default().with_delivery_mode(1);
    let (exchange, route) = (exchange.as_str().into(), key.as_str().into());
    let publishing =
        async { channel.basic_publish(exchange, route, options, b"{}", properties).await?.await };
    match tokio::time::timeout(ROUND_TRIP, publishing).await {
        Ok(confirmed) => confirmed.map_err(problem)?,
        Err(_) if connection.status().blocked() => {
            return Err(Problem::Blocked(String::from("it is short of memory or disk")));
        }
        Err(_) => return Err(Problem::Late { doing: "confirming a message", within: ROUND_TRIP }),
    };
    let queue = item.name().into();
    let taken =
        channel.basic_get(queue, BasicGetOptions { no_ack: true }).await.map_err(problem)?;
    match taken {
        Some(_) => Ok(Found::default()),
        None => Err(Problem::Lost(String::from("a message to ourselves did not arrive"))),
    }
}

/// Connects, declares everything that is shared, and says of each thing how it stands: for whoever
/// wants to know whether a broker can be used.
///
/// # Errors
///
/// [`Problem`] if the broker cannot be asked at all, within twice [`Options::connect_timeout`].
pub async fn inspect(options: &Options) -> Result<Vec<Row>, Problem> {
    let within = options.connect_timeout;
    let look = async {
        let connection = session::connect(options, "doctor").await?;
        let mut rows = Vec::new();
        let names = Names::new(options);
        for item in names.shared() {
            // Each on its own channel, since a refusal costs the channel.
            let channel = open(&connection).await?;
            rows.push(Row { what: item.what(), found: item.declare(&channel).await });
        }
        rows.push(Row {
            what: String::from("round trip"),
            found: round_trip(&connection, &names).await,
        });
        // A broker that is short of memory reads nothing more from who has published.
        let _closed = tokio::time::timeout(GOODBYE, connection.close(200, "done".into())).await;
        Ok(rows)
    };
    let late = Problem::Late { doing: "declaring exchanges and queues", within: 2 * within };
    tokio::time::timeout(2 * within, look).await.unwrap_or(Err(late))
}

/// Deletes everything that a namespace has for all, and the queues of these workers, with what is in
/// them. What is not there is passed over.
///
/// # Errors
///
/// [`Problem`] if the broker cannot be asked or refuses, within [`Options::connect_timeout`].
pub async fn remove(options: &Options, workers: &[WorkerId]) -> Result<(), Problem> {
    let within = options.connect_timeout;
    let work = async {
        let connection = session::connect(options, "remover").await?;
        let channel = open(&connection).await?;
        let names = Names::new(options);
        let workers = workers.iter().map(|worker| names.worker(worker));
        for item in names.shared().into_iter().chain(workers) {
            item.delete(&channel).await.map_err(|error| Problem::with(&item.what(), &error))?;
        }
        let _closed = connection.close(200, "done".into()).await;
        Ok(())
    };
    let late = Problem::Late { doing: "deleting exchanges and queues", within };
    tokio::time::timeout(within, work).await.unwrap_or(Err(late))
}
