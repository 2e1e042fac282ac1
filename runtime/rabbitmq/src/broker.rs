//! The port: publishing, and beginning to consume.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::decision::Message;
use steadfast_services::port::{Broker, Committed, Published, StoreError, Topic};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};

use crate::backoff::any_number;
use crate::envelope;
use crate::letter::{Letter, is_shared};
use crate::link::Link;
use crate::options::Options;
use crate::problem::Problem;
use crate::session::{Fate, Session};
use crate::subscription::RabbitSubscription;
use crate::topology::{Item, Names, key_of};

/// Carries hints between processes, by RabbitMQ. Clones share the connections, which are closed
/// when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct RabbitBroker {
    shared: Arc<Shared>,
    _stop: Arc<DropGuard>,
}

/// What a broker and its subscriptions have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) names: Names,
    pub(crate) link: Link,
    pub(crate) counters: Counters,
    ids: Ids,
    /// Who looks at parked messages, one at a time.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) unroutable: AtomicU64,
    pub(crate) parked: AtomicU64,
    pub(crate) delayed: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// What has happened since the broker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Messages that the broker took.
    pub published: u64,
    /// Messages that nobody was there for, broadcasts aside.
    pub unroutable: u64,
    /// Messages that were put aside.
    pub parked: u64,
    /// Messages that were put off.
    pub delayed: u64,
}

/// Names that no other process gives.
#[derive(Debug)]
struct Ids {
    process: u64,
    next: AtomicU64,
}

impl Shared {
    /// A name that was never given before.
    pub(crate) fn new_id(&self) -> String {
        format!("{:016x}-{}", self.ids.process, self.ids.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl RabbitBroker {
    /// Starts to connect, and does not wait for it: until there is a connection everything is
    /// unavailable. A broker that is down or refuses is tried again for ever, ever more slowly.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Problem::Options`] if the options cannot work.
    pub fn start(options: Options) -> Result<Self, Problem> {
        options.check()?;
        let stop = CancellationToken::new();
        let names = Names::new(&options);
        let link = Link::start(options.clone(), names.clone(), stop.clone());
        let ids = Ids { process: any_number(), next: AtomicU64::new(1) };
        let (counters, looking) = Default::default();
        let shared = Shared { options, names, link, counters, ids, looking };
        Ok(Self { shared: Arc::new(shared), _stop: Arc::new(stop.drop_guard()) })
    }

    /// Starts to connect, and waits until everything is declared.
    ///
    /// # Errors
    ///
    /// Why there is no connection after [`Options::connect_timeout`]; nothing is tried any more then.
    pub async fn connect(options: Options) -> Result<Self, Problem> {
        let patience = options.connect_timeout;
        let broker = Self::start(options)?;
        broker.shared.link.session_within(patience).await?;
        Ok(broker)
    }

    /// Whether the broker can be used now, or why not.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn ready(&self) -> Result<(), Problem> {
        let session = self.shared.link.session()?;
        if session.is_blocked() {
            return Err(Problem::Blocked(String::from("it is short of memory or disk")));
        }
        Ok(())
    }

    /// What has happened so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            published: read(&counters.published),
            unroutable: read(&counters.unroutable),
            parked: read(&counters.parked),
            delayed: read(&counters.delayed),
        }
    }

    pub(crate) fn session(&self) -> Result<Arc<Session>, Problem> {
        self.shared.link.session()
    }

    pub(crate) async fn session_soon(&self) -> Result<Arc<Session>, Problem> {
        self.shared.link.session_within(self.shared.options.connect_timeout).await
    }

    pub(crate) fn names(&self) -> &Names {
        &self.shared.names
    }

    pub(crate) fn looking(&self) -> &tokio::sync::Mutex<()> {
        &self.shared.looking
    }

    pub(crate) fn new_id(&self) -> String {
        self.shared.new_id()
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self) -> std::time::Duration {
        self.shared.options.confirm_timeout
    }

    /// The queue of a topic.
    fn item(&self, topic: &Topic) -> Item {
        let names = &self.shared.names;
        match topic {
            Topic::Admit => names.work("admit"),
            Topic::Advance => names.work("advance"),
            Topic::Dispatch => names.work("dispatch"),
            Topic::Dead => names.dead(),
            Topic::Worker(worker) => names.worker(worker),
            Topic::Ready(runtimes) => {
                let keys = runtimes.iter().map(|runtime| format!("ready.{runtime}")).collect();
                names.own(&self.shared.new_id(), keys)
            }
            Topic::Ended => names.own(&self.shared.new_id(), vec![String::from("ended")]),
        }
    }

    /// What a commit gave rise to. What has one receiver goes in one letter, since a letter costs the
    /// broker far more than what is in it; work that receivers share goes message by message.
    fn letters(&self, after: &Committed, messages: Vec<Message>) -> Vec<Letter> {
        let mut addressed: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for message in messages {
            addressed.entry(key_of(&message)).or_default().push(message);
        }
        let mut letters = Vec::with_capacity(addressed.len());
        for (key, messages) in addressed {
            let is_shared = messages.first().is_some_and(is_shared);
            for some in messages.chunks(if is_shared { 1 } else { envelope::MOST }) {
                let id = self.shared.new_id();
                match Letter::hints(&self.shared.names, &id, after.at(), some.to_vec()) {
                    Some(letter) => letters.push(letter),
                    // Nobody can listen under such a name either.
                    None => {
                        Counters::add(&self.shared.counters.unroutable, some.len());
                        warn!(key, "a name is too long for the broker");
                    }
                }
            }
        }
        letters
    }
}

impl Broker for RabbitBroker {
    type Subscription = RabbitSubscription;

    /// Published is what the broker has confirmed, message by message.
    ///
    /// A message to a worker whose queue is not there counts as published: nobody listens, nobody
    /// with this identity ever will, and to publish it again would not help; its offer runs out. A
    /// message of work whose queue is not there was not taken: the queue is declared again, and the
    /// caller hears that hints were lost.
    async fn publish(
        &self,
        after: &Committed,
        messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        let letters = self.letters(after, messages);
        if letters.is_empty() {
            return Ok(Published::by_broker());
        }
        let session = self.shared.link.session()?;
        let fates = session.send(&letters, self.shared.options.confirm_timeout).await?;
        let (mut refused, mut missing, mut nobody) = (0, 0, 0);
        for (letter, fate) in letters.iter().zip(&fates) {
            match fate {
                Fate::Taken => {}
                Fate::Refused => refused += letter.carries,
                Fate::Returned if letter.key.starts_with("worker.") => {
                    debug!(key = letter.key, "nobody listens");
                    nobody += letter.carries;
                }
                Fate::Returned => missing += letter.carries,
            }
        }
        let counters = &self.shared.counters;
        let all: usize = letters.iter().map(|letter| letter.carries).sum();
        Counters::add(&counters.published, all - refused - missing - nobody);
        Counters::add(&counters.unroutable, missing + nobody);
        if refused + missing == 0 {
            return Ok(Published::by_broker());
        }
        let why = if refused > 0 {
            "it could not keep them"
        } else {
            session.doubted.notify_one();
            "their queue was missing; it is declared again"
        };
        Err(Problem::Refused { refused: refused + missing, all, why }.into())
    }

    async fn subscribe(&self, topic: Topic) -> Result<RabbitSubscription, StoreError> {
        Ok(RabbitSubscription::open(Arc::clone(&self.shared), self.item(&topic)).await?)
    }
}
