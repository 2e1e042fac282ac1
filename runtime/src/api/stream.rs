//! Events as they happen, for as long as the client listens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use steadfast_core::decision::Message;
use steadfast_core::{ExecutionId, Status};
use steadfast_services::port::{Broker, Env, Settle, Subscription, Topic};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::extract::{Params, check_id};
use super::problem::{Problem, ProblemBody, ProblemKind};
use crate::engine::{AnySubscription, Engine, EngineError};

/// How often a followed execution is looked at when no hint comes.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How often a comment keeps an idle connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many hints are taken at once.
const BATCH: usize = 256;

/// What to listen to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParams {
    /// Follow this execution: a `status` event whenever it is seen in another status, and the
    /// stream closes after its `ended` event. Without it, `ended` events of all executions.
    id: Option<u64>,
}

/// The data of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusEvent {
    /// The execution.
    id: u64,
    /// Where it is in its life.
    #[schema(value_type = String, example = "completed")]
    status: Status,
}

/// Server-sent events, named `status` and `ended`. An event tells that something happened, and may
/// be missed when the connection breaks: what is true is in the executions.
#[utoipa::path(
    get,
    path = "/executions/stream",
    tag = "executions",
    params(StreamParams),
    responses(
        (status = 200, description = "Events until the client or the server ends the stream",
            body = StatusEvent, content_type = "text/event-stream"),
        (status = 404, description = "No such execution", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stream(
    State(state): State<ApiState>,
    Params(params): Params<StreamParams>,
) -> Result<Response, Problem> {
    let permit = Arc::clone(state.streams()).try_acquire_owned().map_err(|_| {
        let detail = format!("{} streams are open already", state.options().max_streams);
        Problem::new(ProblemKind::TooManyStreams, detail)
    })?;
    let engine = state.engine().clone();
    // Listening begins before anything is looked at, so that nothing falls in between.
    let ended = engine.env().broker().subscribe(Topic::Ended).await;
    let follows = params.id.map(|id| check_id("id", id)).transpose()?;
    if let Some(id) = follows {
        engine.find(id).await?;
    }
    // One execution can be looked at again and again; of all of them only the broker tells.
    let ended = match (ended, follows) {
        (Ok(ended), _) => Some(ended),
        (Err(_), Some(_)) => None,
        (Err(error), None) => return Err(error.into()),
    };
    let feed = Feed {
        engine,
        ended,
        follows,
        seen: None,
        pending: VecDeque::new(),
        closing: state.closing().clone(),
        _permit: permit,
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<Event, Infallible>(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One client's stream.
struct Feed {
    engine: Engine,
    /// Who tells of endings, while there is anybody.
    ended: Option<AnySubscription>,
    follows: Option<ExecutionId>,
    /// The last status that the client was told of the execution that it follows.
    seen: Option<Status>,
    pending: VecDeque<Event>,
    closing: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// The next event; nothing when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            let (closing, engine) = (self.closing.clone(), self.engine.clone());
            let more = async {
                match self.follows {
                    Some(id) => self.follow(id).await,
                    None => self.listen().await,
                }
            };
            let more = tokio::select! {
                biased;
                () = closing.cancelled() => return None,
                () = engine.stopped() => return None,
                more = more => more,
            };
            if !matches!(more, Ok(true)) {
                return None;
            }
        }
    }

    /// Waits for executions that end. Whether there may be more.
    async fn listen(&mut self) -> Result<bool, EngineError> {
        let endings = self.take().await?;
        self.pending.extend(endings.into_iter().map(|(id, status)| event("ended", id, status)));
        Ok(true)
    }

    /// Waits until the execution is in another status. Whether there may be more.
    async fn follow(&mut self, id: ExecutionId) -> Result<bool, EngineError> {
        if self.seen.is_some_and(Status::is_terminal) {
            return Ok(false);
        }
        loop {
            let status = self.engine.find(id).await?.execution.status;
            if self.seen != Some(status) {
                self.seen = Some(status);
                let name = if status.is_terminal() { "ended" } else { "status" };
                self.pending.push_back(event(name, id, status));
                return Ok(true);
            }
            // A hint about another execution is a reason to look at this one no earlier.
            let mine = async {
                loop {
                    if self.take().await?.iter().any(|(ended, _)| *ended == id) {
                        return Ok::<(), EngineError>(());
                    }
                }
            };
            tokio::select! {
                biased;
                heard = mine => if heard.is_err() {
                    // The broker is gone; looking goes on without it.
                    self.ended = None;
                },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn take(&mut self) -> Result<Vec<(ExecutionId, Status)>, EngineError> {
        let Some(ended) = &mut self.ended else { return std::future::pending().await };
        let deliveries = match ended.receive(BATCH).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                debug!(%error, "an event stream subscribes again");
                self.ended = None;
                self.ended = Some(self.engine.env().broker().subscribe(Topic::Ended).await?);
                return Ok(Vec::new());
            }
        };
        let mut endings = Vec::with_capacity(deliveries.len());
        let mut receipts = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            if let Message::Ended { execution, status } = delivery.message {
                endings.push((execution, status));
            }
            receipts.push((delivery.receipt, Settle::Ack));
        }
        ended.settle(receipts).await?;
        Ok(endings)
    }
}

fn event(name: &str, id: ExecutionId, status: Status) -> Event {
    let data = StatusEvent { id: id.0, status };
    // Two plain fields always become JSON.
    Event::default().event(name).data(serde_json::to_string(&data).unwrap_or_default())
}
