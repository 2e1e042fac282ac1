//! The life of an execution: one closed enum and one transition table. Everything that asks
//! "is this over", "does this hold a slot" or "may this become that" asks here.

use core::fmt;
use core::str::FromStr;

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

/// Where an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; not yet in its queue.
    Requested,
    /// Waiting for a slot.
    Queued,
    /// Holds a slot and waits for a worker.
    Ready,
    /// Assigned to a worker that has not answered yet.
    Offered,
    /// The worker has it and has not started.
    Accepted,
    /// Under way.
    Running,
    /// Waiting for its next attempt; its slot is given back, its place in line kept.
    Backoff,
    /// Over: succeeded.
    Completed,
    /// Over: failed.
    Failed,
    /// Over: its last attempt ran too long.
    TimedOut,
    /// Over: cancelled.
    Cancelled,
    /// Over: its worker was lost and it may not, or no longer, be tried again.
    Abandoned,
}

use Status::{
    Abandoned, Accepted, Backoff, Cancelled, Completed, Failed, Offered, Queued, Ready, Requested,
    Running, TimedOut,
};

/// One arrow of the life cycle: from, to, and the verb written on it.
pub type Edge = (Status, Status, &'static str);

/// Every change of status that is legal. There is no other.
pub const TRANSITIONS: &[Edge] = &[
    (Requested, Queued, "wait for a slot"),
    (Requested, Ready, "admit"),
    (Requested, Failed, "refuse"),
    (Requested, Cancelled, "cancel"),
    (Queued, Ready, "promote"),
    (Queued, Failed, "expire"),
    (Queued, Cancelled, "cancel"),
    (Ready, Offered, "offer"),
    (Ready, Running, "claim"),
    (Ready, Failed, "give up on finding a worker"),
    (Ready, Cancelled, "cancel"),
    (Offered, Accepted, "accept"),
    (Offered, Ready, "release or lose"),
    (Offered, Cancelled, "cancel"),
    (Accepted, Running, "start"),
    (Accepted, Ready, "release or lose"),
    (Accepted, Cancelled, "cancel"),
    (Running, Completed, "succeed"),
    (Running, Failed, "fail"),
    (Running, TimedOut, "time out"),
    (Running, Cancelled, "cancel"),
    (Running, Backoff, "fail, time out or lose, and retry"),
    (Running, Abandoned, "lose for good"),
    (Backoff, Queued, "retry"),
    (Backoff, Cancelled, "cancel"),
];

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 12] = [
        Requested, Queued, Ready, Offered, Accepted, Running, Backoff, Completed, Failed, TimedOut,
        Cancelled, Abandoned,
    ];

    /// The name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Requested => "requested",
            Queued => "queued",
            Ready => "ready",
            Offered => "offered",
            Accepted => "accepted",
            Running => "running",
            Backoff => "backoff",
            Completed => "completed",
            Failed => "failed",
            TimedOut => "timed_out",
            Cancelled => "cancelled",
            Abandoned => "abandoned",
        }
    }

    /// Whether it is over. What is over never changes again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Completed | Failed | TimedOut | Cancelled | Abandoned => true,
            Requested | Queued | Ready | Offered | Accepted | Running | Backoff => false,
        }
    }

    /// Whether it occupies one of its queue's slots. A slot is nothing but such a row, so it
    /// cannot outlive the execution, be freed twice or be freed by another.
    #[must_use]
    pub const fn holds_slot(self) -> bool {
        match self {
            Ready | Offered | Accepted | Running => true,
            Requested | Queued | Backoff | Completed | Failed | TimedOut | Cancelled
            | Abandoned => false,
        }
    }

    /// Whether a worker is responsible for it.
    #[must_use]
    pub const fn has_live_attempt(self) -> bool {
        match self {
            Offered | Accepted | Running => true,
            Requested | Queued | Ready | Backoff | Completed | Failed | TimedOut | Cancelled
            | Abandoned => false,
        }
    }

    /// Whether an execution may go from here to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        TRANSITIONS.iter().any(|(from, to, _)| *from == self && *to == next)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status")]
pub struct UnknownStatus(pub String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == word);
        known.ok_or_else(|| UnknownStatus(word.to_string()))
    }
}

/// The life cycle as a mermaid state diagram, for the documentation.
#[must_use]
pub fn diagram() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> requested: submit\n");
    for (from, to, verb) in TRANSITIONS {
        text.push_str("    ");
        text.push_str(from.as_str());
        text.push_str(" --> ");
        text.push_str(to.as_str());
        text.push_str(": ");
        text.push_str(verb);
        text.push('\n');
    }
    for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        text.push_str("    ");
        text.push_str(status.as_str());
        text.push_str(" --> [*]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_nothing_else_does() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            let json = serde_json::to_string(&status).expect("a status is JSON");
            assert_eq!(json, alloc::format!("\"{status}\""));
        }
        assert_eq!("Completed".parse::<Status>(), Err(UnknownStatus("Completed".into())));
    }

    #[test]
    fn nothing_leaves_a_terminal_status_and_everything_else_can_end() {
        for status in Status::ALL {
            let leaves = TRANSITIONS.iter().any(|(from, ..)| *from == status);
            assert_eq!(leaves, !status.is_terminal(), "{status}");
            assert!(status.is_terminal() || status.may_become(Cancelled), "{status}");
        }
    }

    #[test]
    fn a_live_attempt_holds_a_slot() {
        for status in Status::ALL {
            assert!(!status.has_live_attempt() || status.holds_slot(), "{status}");
            assert!(!status.is_terminal() || !status.holds_slot(), "{status}");
        }
    }

    #[test]
    fn every_status_is_reached_and_no_arrow_is_drawn_twice() {
        for status in Status::ALL {
            let reached = TRANSITIONS.iter().any(|(_, to, _)| *to == status);
            assert!(reached || status == Requested, "{status}");
            for to in Status::ALL {
                let arrows = TRANSITIONS.iter().filter(|e| (e.0, e.1) == (status, to)).count();
                assert!(arrows <= 1, "{status} -> {to}");
            }
        }
    }
}
