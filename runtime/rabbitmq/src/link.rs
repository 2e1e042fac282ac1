//! Keeps a session with the broker: connects, watches, and connects again.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::Event;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::{Backoff, any_number};
use crate::options::Options;
use crate::problem::Problem;
use crate::session::Session;
use crate::topology::{self, Names};

/// How often a session is looked at although nothing was heard of it.
const LOOK: Duration = Duration::from_secs(1);

/// A session that lasted this long is no reason to wait before the next.
const LASTING: Duration = Duration::from_secs(5);

/// Whether there is a session.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// There is.
    Up(Arc<Session>),
    /// There is none, and why.
    Down(Problem),
}

/// The way to the session.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    state: watch::Receiver<State>,
}

impl Link {
    /// Starts to connect; it goes on until `stop` is cancelled.
    pub(crate) fn start(options: Options, names: Names, stop: CancellationToken) -> Self {
        let not_yet = Problem::Unreachable(String::from("no connection has been made yet"));
        let (sender, state) = watch::channel(State::Down(not_yet));
        let keep = keep(options, names, sender, stop);
        #[expect(clippy::disallowed_methods, reason = "connections are of this process alone")]
        drop(tokio::spawn(keep));
        Self { state }
    }

    /// The session.
    ///
    /// # Errors
    ///
    /// Why there is none now.
    pub(crate) fn session(&self) -> Result<Arc<Session>, Problem> {
        match &*self.state.borrow() {
            State::Up(session) => Ok(Arc::clone(session)),
            State::Down(problem) => Err(problem.clone()),
        }
    }

    /// The session, or the first that there is within `patience`.
    ///
    /// # Errors
    ///
    /// Why there is none by then.
    pub(crate) async fn session_within(&self, patience: Duration) -> Result<Arc<Session>, Problem> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, State::Up(_)));
        // Whether it came or not is read below.
        let _looked = timeout(patience, up).await;
        self.session()
    }
}

async fn keep(
    options: Options,
    names: Names,
    state: watch::Sender<State>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(options.reconnect_min, options.reconnect_max);
    loop {
        let doubted = Arc::new(Notify::new());
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            opened = Session::open(&options, &names, Arc::clone(&doubted)) => opened,
        };
        let problem = match opened {
            Ok(session) => {
                info!("connected to the broker");
                let session = Arc::new(session);
                state.send_replace(State::Up(Arc::clone(&session)));
                let lasted = tokio::time::sleep(LASTING);
                tokio::pin!(lasted);
                let ended = tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    problem = watch_over(&session, &options, &names) => Some(problem),
                };
                let closed = Problem::Lost(String::from("the broker was closed by this process"));
                state.send_replace(State::Down(ended.clone().unwrap_or(closed)));
                session.close().await;
                let Some(problem) = ended else { return };
                if lasted.now_or_never().is_some() {
                    backoff.reset();
                }
                problem
            }
            Err(problem) => {
                state.send_replace(State::Down(problem.clone()));
                problem
            }
        };
        let pause = backoff.pause(any_number());
        warn!(%problem, ?pause, "no connection to the broker; trying again");
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Watches a session until it is of no use any more, and says why.
async fn watch_over(session: &Session, options: &Options, names: &Names) -> Problem {
    let mut publishing = session.publishing.events_listener().boxed();
    let mut consuming = session.consuming.events_listener().boxed();
    let mut why = None;
    loop {
        if !session.is_alive() {
            return why.unwrap_or_else(|| Problem::Lost(String::from("the connection was lost")));
        }
        let event = tokio::select! {
            biased;
            Some(event) = publishing.next() => Some(event),
            Some(event) = consuming.next() => Some(event),
            () = session.doubted.notified() => {
                // Whoever uses what is still missing hears of it; the rest goes on.
                if let Err(problem) = declare_again(session, options, names).await {
                    warn!(%problem, "something cannot be declared again");
                }
                // Whoever doubts for ever shall not keep the broker busy.
                tokio::time::sleep(options.reconnect_min).await;
                None
            }
            () = tokio::time::sleep(LOOK) => None,
        };
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                warn!(reason, "the broker has blocked publishers; hints are lost until it is over");
            }
            Some(Event::ConnectionUnblocked) => info!("the broker takes messages again"),
            Some(Event::Error(error)) => {
                why = Some(Problem::Lost(format!("the connection was lost: {error}")));
            }
            _ => {}
        }
    }
}

/// Something that should be there may be missing: declares it all again.
async fn declare_again(session: &Session, options: &Options, names: &Names) -> Result<(), Problem> {
    let within = options.connect_timeout;
    let late = Problem::Late { doing: "declaring queues", within };
    timeout(within, topology::declare(&session.consuming, names)).await.unwrap_or(Err(late))
}
