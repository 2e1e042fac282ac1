//! What is written down about a run, one small value at a time.

use std::fmt;

use steadfast_core::{ExecutionId, Status};

use crate::SimTime;
use crate::broker::TOPICS;
use crate::database::STATEMENTS;
use crate::fault::STRIKES;

/// How many numbers an event can carry.
pub const PAYLOAD_WORDS: usize = 3;

/// A sort of event: its name, and the names of the numbers that it carries.
#[derive(Debug)]
pub struct Kind {
    /// In the past tense, in `snake_case`.
    pub name: &'static str,
    /// What the words of the payload mean, in order; at most [`PAYLOAD_WORDS`].
    pub fields: &'static [&'static str],
}

impl Kind {
    /// A kind named `name` that carries `fields`.
    ///
    /// # Panics
    /// At compile time, when there are more fields than an event can carry.
    #[must_use]
    pub const fn new(name: &'static str, fields: &'static [&'static str]) -> Self {
        assert!(fields.len() <= PAYLOAD_WORDS);
        Self { name, fields }
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

/// Who an event is about: a number given in order of appearance. 0 is the world itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(pub u16);

impl Node {
    /// The world itself: what the story does, and what nobody in particular did.
    pub const WORLD: Self = Self(0);
}

impl From<Node> for u64 {
    fn from(node: Node) -> Self {
        Self::from(node.0)
    }
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log, from 0.
    pub index: u64,
    /// When.
    pub at: SimTime,
    /// Who.
    pub node: Node,
    /// What.
    pub kind: &'static Kind,
    /// The particulars, as `kind.fields` names them; unused words are 0.
    pub payload: [u64; PAYLOAD_WORDS],
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.name)?;
        for (field, word) in self.kind.fields.iter().zip(self.payload) {
            match word_for(field, word) {
                Some(text) => write!(f, " {text}")?,
                None => write!(f, " {field}={word}")?,
            }
        }
        Ok(())
    }
}

/// What a number stands for, where it stands for something.
fn word_for(field: &str, word: u64) -> Option<String> {
    match field {
        "execution" => return Some(ExecutionId(word).to_string()),
        "about" if word != 0 => return Some(format!("about {}", ExecutionId(word))),
        "tx" => return Some(format!("tx-{word}")),
        "holder" => return Some(format!("held by tx-{word}")),
        "message" => return Some(format!("msg-{word}")),
        _ => {}
    }
    let at = usize::try_from(word).ok()?;
    word_table(field).get(at).map(ToString::to_string)
}

/// The fields whose numbers stand for words.
pub const WORD_FIELDS: &[&str] =
    &["status", "step", "statement", "topic", "strike", "worker_state", "peer", "how"];

/// The words that the numbers in a field stand for, by number.
#[must_use]
pub fn word_table(field: &str) -> Vec<&'static str> {
    match field {
        "status" => Status::ALL.iter().map(|status| status.as_str()).collect(),
        "step" => kinds::STEPS.to_vec(),
        "statement" => STATEMENTS.to_vec(),
        "topic" => TOPICS.to_vec(),
        "strike" => STRIKES.iter().map(|strike| strike.name()).collect(),
        "worker_state" => vec!["active", "suspect", "dead", "draining", "gone"],
        "peer" => vec!["from the store", "from the broker"],
        "how" => vec!["ack", "delay", "park"],
        _ => Vec::new(),
    }
}

/// The kinds that the simulator itself writes.
pub mod kinds {
    use super::Kind;

    /// A node was started for the first time.
    pub static STARTED: Kind = Kind::new("started", &["incarnation"]);
    /// A node was killed; what it held in memory is gone.
    pub static KILLED: Kind = Kind::new("killed", &["incarnation"]);
    /// A killed node was started again under its old name.
    pub static RESTARTED: Kind = Kind::new("restarted", &["incarnation"]);
    /// A process ended by itself.
    pub static EXITED: Kind = Kind::new("exited", &["incarnation"]);
    /// A node stands still.
    pub static PAUSED: Kind = Kind::new("paused", &[]);
    /// A paused node goes on.
    pub static RESUMED: Kind = Kind::new("resumed", &[]);
    /// A node cannot reach a peer.
    pub static CUT: Kind = Kind::new("cut", &["peer"]);
    /// A node reaches everything again.
    pub static HEALED: Kind = Kind::new("healed", &[]);
    /// A worker beats and does nothing else.
    pub static HANGS: Kind = Kind::new("hangs", &[]);
    /// A worker that hung moves again.
    pub static MOVES: Kind = Kind::new("moves", &[]);
    /// A node's clock was set ahead, or behind.
    pub static CLOCK_SET: Kind = Kind::new("clock_set", &["micros", "behind"]);
    /// A fault struck at a port.
    pub static STRUCK: Kind = Kind::new("struck", &["strike"]);

    /// A transaction began.
    pub static BEGUN: Kind = Kind::new("begun", &["tx", "step"]);
    /// A statement has read.
    pub static LOADED: Kind = Kind::new("loaded", &["tx", "statement", "rows"]);
    /// A statement has written.
    pub static WROTE: Kind = Kind::new("wrote", &["tx", "rows"]);
    /// A transaction waits for a lock of another one.
    pub static WAITED: Kind = Kind::new("waits_for_lock", &["tx", "holder"]);
    /// A transaction was rolled back.
    pub static ROLLED_BACK: Kind = Kind::new("rolled_back", &["tx", "step"]);
    /// A transaction was committed.
    pub static COMMITTED: Kind = Kind::new("committed", &["tx", "step", "rows"]);

    /// An execution came into a status; in the lane of its worker, if it has one.
    pub static EXECUTION: Kind = Kind::new("execution", &["execution", "status", "attempt"]);
    /// What is known of a worker, and until when its lease is.
    pub static WORKER: Kind = Kind::new("worker", &["incarnation", "worker_state", "lease_until"]);
    /// How far a visit of a workflow task is.
    pub static VISIT: Kind = Kind::new("visit", &["execution", "ended", "total"]);

    /// A message was published.
    pub static PUBLISHED: Kind = Kind::new("published", &["message", "topic", "about"]);
    /// A message reached a consumer.
    pub static DELIVERED: Kind = Kind::new("delivered", &["message", "topic", "redelivered"]);
    /// A message went nowhere.
    pub static LOST: Kind = Kind::new("lost", &["message", "topic"]);
    /// A message came back to its publisher: the queue that it was for is not there.
    pub static RETURNED: Kind = Kind::new("returned", &["message", "topic"]);
    /// A delivery was settled.
    pub static SETTLED: Kind = Kind::new("settled", &["message", "how"]);

    /// An action's process began to run.
    pub static ACTION_BEGAN: Kind = Kind::new("action_began", &["execution", "attempt"]);
    /// An action's process is gone.
    pub static ACTION_ENDED: Kind = Kind::new("action_ended", &["execution", "attempt"]);
    /// A receiver outside was told of an end.
    pub static TOLD: Kind = Kind::new("told", &["execution", "index", "token"]);
    /// A client was told that its submission was accepted.
    pub static ACCEPTED: Kind = Kind::new("accepted", &["item", "execution"]);
    /// A client was told that its submission was not accepted.
    pub static REFUSED: Kind = Kind::new("refused", &["item"]);
    /// An operator did something.
    pub static OPERATED: Kind = Kind::new("operated", &["operation", "execution"]);
    /// All faults are over; what is left must come to rest.
    pub static SECOND_ACT: Kind = Kind::new("second_act", &[]);

    /// The steps of services, by number.
    pub const STEPS: &[&str] = &[
        "other",
        "submit",
        "admit",
        "claim",
        "accept",
        "complete",
        "advance",
        "sweep",
        "check workers",
        "find missed",
        "register",
        "heartbeat",
        "drain",
        "give up",
        "dispatch",
        "cancel",
        "change queues",
        "tell worker",
        "testify",
        "heed probes",
        "create schedule",
        "change schedule",
        "find schedules",
        "fire schedules",
        "take effects",
        "settle effect",
        "control effect",
    ];

    /// The number of a step.
    #[must_use]
    pub fn step(name: &str) -> u64 {
        STEPS.iter().position(|step| *step == name).unwrap_or(0) as u64
    }
}
