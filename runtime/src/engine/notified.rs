//! The broker of a deployment without RabbitMQ: hints stay in this process where somebody here
//! consumes them, and go to the others by the database's notifications. The work itself needs no
//! message: workers claim the executions' rows. See decision 018.

use std::collections::BTreeSet;
use std::sync::Arc;

use steadfast_core::decision::Message;
use steadfast_embedded::{InprocBroker, InprocSubscription};
use steadfast_postgres::Wire;
use steadfast_services::port::{Broker, Committed, Published, StoreError, Topic};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::debug;

use super::notices::{messages, texts};

/// How many commits' hints wait to be said; what comes on top is lost, and a sweep finds its work.
const BACKLOG: usize = 1_024;

/// How many hints are said at once.
const AT_ONCE: usize = 4_096;

/// Carries hints between the processes that share a database.
#[derive(Clone)]
pub(crate) struct Notified {
    local: InprocBroker,
    wire: Option<Arc<Line>>,
}

/// The way to the others.
struct Line {
    /// Tells this process's notices from the others'.
    name: String,
    to_say: mpsc::Sender<Vec<Message>>,
    tasks: [AbortHandle; 2],
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Notified {
    /// A broker of which `name` is no other's. Without a wire the others are not told of anything:
    /// workers come by themselves, and sweeps find the rest. Must be called within a tokio runtime.
    pub(crate) fn start(name: String, wire: Option<Wire>) -> Self {
        let local = InprocBroker::new();
        let wire = wire.map(|wire| {
            let (to_say, said) = mpsc::channel(BACKLOG);
            let hearing = hear(name.clone(), wire.hear(), local.clone());
            #[expect(clippy::disallowed_methods, reason = "what is heard is of this process alone")]
            let hearing = tokio::spawn(hearing).abort_handle();
            let speaking = speak(name.clone(), said, wire);
            #[expect(clippy::disallowed_methods, reason = "a hint may be lost with its process")]
            let speaking = tokio::spawn(speaking).abort_handle();
            Arc::new(Line { name, to_say, tasks: [hearing, speaking] })
        });
        Self { local, wire }
    }

    /// Whether the others are told of anything.
    pub(crate) const fn has_wire(&self) -> bool {
        self.wire.is_some()
    }

    /// What this process has.
    pub(crate) fn local(&self) -> &InprocBroker {
        &self.local
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Broker for Notified {
    type Subscription = InprocSubscription;

    async fn publish(&self, _: &Committed, said: Vec<Message>) -> Result<Published, StoreError> {
        let others: Vec<Message> =
            said.into_iter().filter(|message| !self.local.post_here(message.clone())).collect();
        if let Some(line) = self.wire.as_ref().filter(|_| !others.is_empty())
            && line.to_say.try_send(others).is_err()
        {
            return Err(StoreError::Unavailable(String::from("the database takes no more hints")));
        }
        Ok(Published::by_broker())
    }

    async fn subscribe(&self, topic: Topic) -> Result<InprocSubscription, StoreError> {
        self.local.subscribe(topic).await
    }
}

/// Says to the others what there is to be said, as much at once as waits.
async fn speak(name: String, mut said: mpsc::Receiver<Vec<Message>>, wire: Wire) {
    let mut waiting = Vec::new();
    while said.recv_many(&mut waiting, AT_ONCE).await > 0 {
        // Said twice it would be done twice, in vain.
        let all: BTreeSet<Message> = waiting.drain(..).flatten().collect();
        let all: Vec<Message> = all.into_iter().collect();
        if let Err(error) = wire.say_all(&texts(&name, &all)).await {
            debug!(%error, count = all.len(), "hints were lost; a sweep finds their work");
        }
    }
}

/// Hands on what the others say.
async fn hear(name: String, mut heard: Receiver<Arc<str>>, local: InprocBroker) {
    loop {
        match heard.recv().await {
            Ok(text) => {
                let (from, said) = messages(&text);
                if from != name {
                    said.for_each(|message| {
                        local.post_here(message);
                    });
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
