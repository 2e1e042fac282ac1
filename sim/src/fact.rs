//! Facts that a story waits for: what happened, and by when it must have.

use std::fmt;
use std::time::Duration;

use steadfast_core::{ExecutionId, Status};

use crate::fault::Strike;
use crate::sync::lock;
use crate::{Event, Kind, Node, World, kinds};

/// How long a story waits for something, if it does not say.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that an event can show. Without more said, it counts from the beginning of the world.
pub struct Fact {
    what: String,
    within: Duration,
    from: usize,
    shows: Box<dyn Fn(&Event) -> bool + Send + Sync>,
}

impl Fact {
    /// A fact, in words, and the events that show it.
    #[must_use]
    pub fn new(
        what: impl Into<String>,
        shows: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { what: what.into(), within: PATIENCE, from: 0, shows: Box::new(shows) }
    }

    /// It must come to pass before this time is over.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Only what happens after this event counts.
    #[must_use]
    pub fn after(self, event: &Event) -> Self {
        Self { from: usize::try_from(event.index).map_or(usize::MAX, |index| index + 1), ..self }
    }

    /// Only what has not happened yet counts.
    #[must_use]
    pub fn from_now(self, world: &World) -> Self {
        Self { from: lock(&world.0.record).log.events().len(), ..self }
    }

    /// Only if this node did it, or it happened to this node.
    #[must_use]
    pub fn by(self, node: Node) -> Self {
        let shows = self.shows;
        Self { shows: Box::new(move |event| event.node == node && shows(event)), ..self }
    }

    pub(crate) const fn first(&self) -> usize {
        self.from
    }

    pub(crate) const fn deadline(&self) -> Duration {
        self.within
    }

    pub(crate) fn is_shown_by(&self, event: &Event) -> bool {
        (self.shows)(event)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not within {:?}: {}", self.within, self.what)
    }
}

impl Fact {
    fn of(kind: &'static Kind, run: ExecutionId, what: &str) -> Self {
        let shows = move |event: &Event| event.kind == kind && event.payload[0] == run.0;
        Self::new(format!("{run} {what}"), shows)
    }

    fn statuses(run: ExecutionId, what: &str, which: fn(Status) -> bool) -> Self {
        let shows = move |event: &Event| {
            let status = usize::try_from(event.payload[1]).ok().and_then(|at| Status::ALL.get(at));
            event.kind == &kinds::EXECUTION
                && event.payload[0] == run.0
                && status.is_some_and(|status| which(*status))
        };
        Self::new(format!("{run} {what}"), shows)
    }
}

/// The execution has come into this status. The event is in the lane of its worker, if it has one.
#[must_use]
pub fn is(run: ExecutionId, status: Status) -> Fact {
    let shows = move |event: &Event| {
        event.kind == &kinds::EXECUTION
            && event.payload[0] == run.0
            && event.payload[1] == status as u64
    };
    Fact::new(format!("{run} is {status}"), shows)
}

/// A worker has it: it is running, as rows have it. The event is in the worker's lane.
#[must_use]
pub fn claimed(run: ExecutionId) -> Fact {
    is(run, Status::Running)
}

/// It is over.
#[must_use]
pub fn ended(run: ExecutionId) -> Fact {
    Fact::statuses(run, "is over", Status::is_terminal)
}

/// Its process has begun to run.
#[must_use]
pub fn began(run: ExecutionId) -> Fact {
    Fact::of(&kinds::ACTION_BEGAN, run, "begins to work")
}

/// Its process is gone, whatever rows say.
#[must_use]
pub fn finished(run: ExecutionId) -> Fact {
    Fact::of(&kinds::ACTION_ENDED, run, "stops working")
}

/// A step of a service has been committed.
#[must_use]
pub fn committed(step: &'static str) -> Fact {
    let number = kinds::step(step);
    let shows = move |e: &Event| e.kind == &kinds::COMMITTED && e.payload[1] == number;
    Fact::new(format!("a commit of `{step}`"), shows)
}

/// A step of a service has begun a transaction.
#[must_use]
pub fn began_step(step: &'static str) -> Fact {
    let number = kinds::step(step);
    let shows = move |e: &Event| e.kind == &kinds::BEGUN && e.payload[1] == number;
    Fact::new(format!("`{step}` begins"), shows)
}

/// A strike has struck.
#[must_use]
pub fn struck(strike: Strike) -> Fact {
    let shows = move |e: &Event| e.kind == &kinds::STRUCK && e.payload[0] == strike as u64;
    Fact::new(format!("{} strikes", strike.name()), shows)
}

/// A node is up again.
#[must_use]
pub fn restarted(node: Node) -> Fact {
    Fact::new("a node is up again", |e| e.kind == &kinds::RESTARTED).by(node)
}

/// What is known of a worker has changed to this state: 0 active, 1 suspect, 2 dead, 3 draining,
/// 4 gone.
#[must_use]
pub fn worker_is(node: Node, state: steadfast_core::worker::WorkerState) -> Fact {
    let shows = move |e: &Event| e.kind == &kinds::WORKER && e.payload[1] == state as u64;
    Fact::new(format!("a worker is {state:?}"), shows).by(node)
}
