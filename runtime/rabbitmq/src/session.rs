//! What there is while the broker can be reached: a connection that publishes and one that
//! consumes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, runtime};
use tokio::sync::{Notify, Semaphore};

use crate::letter::Letter;
use crate::options::Options;
use crate::problem::Problem;
use crate::topology::{self, Names};

/// How many publishes may be under way, each on a channel of its own.
const PUBLISHERS: usize = 64;

/// How many messages are on their way before their confirms are waited for.
const WINDOW: usize = 1_000;

/// Two connections. A broker that is short of memory stops reading from those that publish, so what
/// must get through, like acknowledgements, goes by the other one.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) publishing: Connection,
    pub(crate) consuming: Connection,
    /// Channels in confirm mode that nobody uses now. Whoever publishes has one for itself: only
    /// then does it know which returns and confirms are its own.
    idle: Mutex<Vec<Channel>>,
    permits: Semaphore,
    /// Somebody found something missing: it shall be declared again.
    pub(crate) doubted: Arc<Notify>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every queue that wants it has it.
    Taken,
    /// No queue wants it.
    Returned,
    /// The broker could not keep it.
    Refused,
}

/// Opens one connection; `role` is told to the broker, for whoever looks at its list.
pub(crate) async fn connect(options: &Options, role: &str) -> Result<Connection, Problem> {
    let uri = options.check()?;
    let (user, vhost) = (uri.authority.userinfo.username.clone(), uri.vhost.clone());
    let name = format!("{} {role}", options.namespace);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = runtime::default_runtime().map_err(|e| Problem::Unreachable(e.to_string()))?;
    let connecting = Connection::connect_uri_with_runtime(uri, properties, runtime);
    let within = options.connect_timeout;
    match tokio::time::timeout(within, connecting).await {
        Ok(connected) => connected.map_err(|error| Problem::connecting(&user, &vhost, &error)),
        Err(_) => Err(Problem::Late { doing: "connecting", within }),
    }
}

impl Session {
    /// Connects and declares what is shared.
    pub(crate) async fn open(
        options: &Options,
        names: &Names,
        doubted: Arc<Notify>,
    ) -> Result<Self, Problem> {
        let consuming = connect(options, "consumers").await?;
        let within = options.connect_timeout;
        match tokio::time::timeout(within, topology::declare(&consuming, names)).await {
            Ok(declared) => declared?,
            Err(_) => return Err(Problem::Late { doing: "declaring queues", within }),
        }
        let publishing = connect(options, "publishers").await?;
        let (idle, permits) = (Mutex::default(), Semaphore::new(PUBLISHERS));
        Ok(Self { publishing, consuming, idle, permits, doubted })
    }

    /// Whether both connections are there.
    pub(crate) fn is_alive(&self) -> bool {
        self.publishing.status().connected() && self.consuming.status().connected()
    }

    /// Whether the broker refuses to read what is published.
    pub(crate) fn is_blocked(&self) -> bool {
        self.publishing.status().blocked()
    }

    /// Closes both connections; whatever is left of them then ends.
    pub(crate) async fn close(&self) {
        let (code, why) = (200, "bye");
        let both = futures_util::future::join(
            self.publishing.close(code, why.into()),
            self.consuming.close(code, why.into()),
        );
        // The broker forgets a connection by itself when it cannot be told.
        let _told = tokio::time::timeout(Duration::from_secs(1), both).await;
    }

    /// Sends messages and waits until the broker has confirmed or refused each, for `patience` at
    /// the most. After an error any of them may have arrived.
    pub(crate) async fn send(
        &self,
        letters: &[Letter],
        patience: Duration,
    ) -> Result<Vec<Fate>, Problem> {
        self.within(patience, async |channel| {
            let mut fates = Vec::with_capacity(letters.len());
            for some in letters.chunks(WINDOW) {
                fates.extend(publish(channel, some).await?);
            }
            Ok(fates)
        })
        .await
    }

    /// Does something on a channel of its own within `patience`. A channel that was given up half
    /// way is not used again: what comes on it then would be taken for somebody else's.
    pub(crate) async fn within<T>(
        &self,
        patience: Duration,
        work: impl AsyncFnOnce(&Channel) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let blocked = || Problem::Blocked(String::from("it is short of memory or disk"));
        if self.is_blocked() {
            return Err(blocked());
        }
        let all = async {
            let _permit = self.permits.acquire().await;
            let channel = self.channel().await?;
            let done = work(&channel).await?;
            self.keep(channel);
            Ok(done)
        };
        match tokio::time::timeout(patience, all).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(problem)) => {
                self.doubted.notify_one();
                Err(problem)
            }
            Err(_) if self.is_blocked() => Err(blocked()),
            Err(_) => Err(Problem::Late { doing: "publishing", within: patience }),
        }
    }

    /// A channel of its own for questions, on the connection that is never blocked.
    pub(crate) async fn channel_to_ask(&self) -> Result<Channel, Problem> {
        let opened = self.consuming.create_channel().await;
        opened.map_err(|error| Problem::with("opening a channel", &error))
    }

    async fn channel(&self) -> Result<Channel, Problem> {
        while let Some(channel) = self.lock().pop() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let opened = async {
            let channel = self.publishing.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        opened.await.map_err(|error| Problem::with("opening a channel", &error))
    }

    fn keep(&self, channel: Channel) {
        self.lock().push(channel);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes all, then waits for all. Nobody else uses the channel meanwhile.
async fn publish(channel: &Channel, letters: &[Letter]) -> Result<Vec<Fate>, Problem> {
    let mut confirms = Vec::with_capacity(letters.len());
    for letter in letters {
        let options = BasicPublishOptions { mandatory: letter.mandatory, immediate: false };
        let (exchange, key) = (letter.exchange.as_str().into(), letter.key.as_str().into());
        let properties = letter.properties.clone();
        let sent = channel.basic_publish(exchange, key, options, &letter.body, properties).await;
        confirms.push(sent.map_err(|error| lost(letter, &error))?);
    }
    let confirmed = try_join_all(confirms).await;
    let confirmed = confirmed.map_err(|error| match letters.first() {
        Some(letter) => lost(letter, &error),
        None => Problem::Lost(error.to_string()),
    })?;
    // The library hands a returned message out with whichever confirm comes next, so what counts is
    // what the message says, not where it was found.
    let refused: Vec<bool> = confirmed.iter().map(Confirmation::is_nack).collect();
    let returned: BTreeSet<ShortString> = confirmed
        .into_iter()
        .filter_map(Confirmation::take_message)
        .filter_map(|message| message.properties.message_id().clone())
        .collect();
    let fate = |(letter, refused): (&Letter, bool)| match refused {
        true => Fate::Refused,
        false if returned.contains(&letter.id) => Fate::Returned,
        false => Fate::Taken,
    };
    Ok(letters.iter().zip(refused).map(fate).collect())
}

fn lost(letter: &Letter, error: &lapin::Error) -> Problem {
    let to = match letter.exchange.as_str() {
        "" => format!("publishing to queue {}", letter.key),
        exchange => format!("publishing to exchange {exchange}"),
    };
    Problem::with(&to, error)
}
