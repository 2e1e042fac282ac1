//! What is written down about a run, one small value at a time.

use std::fmt;

use crate::SimTime;

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
            write!(f, " {field}={word}")?;
        }
        Ok(())
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

    /// The store gave the claim to a node under a new token.
    pub static CLAIM_GRANTED: Kind = Kind::new("claim_granted", &["token", "to"]);
    /// The store refused a take because the claim had moved on since it was read.
    pub static CLAIM_REFUSED: Kind = Kind::new("claim_refused", &["seen", "current"]);
    /// The store gave the claim back to everyone.
    pub static CLAIM_FREED: Kind = Kind::new("claim_freed", &["token"]);
    /// The store refused a release under a token that is no longer the current one.
    pub static RELEASE_REFUSED: Kind = Kind::new("release_refused", &["presented", "current"]);
    /// A worker was told that the claim is its own.
    pub static CLAIM_WON: Kind = Kind::new("claim_won", &["token"]);
    /// A worker was told that somebody else was faster.
    pub static CLAIM_LOST: Kind = Kind::new("claim_lost", &["seen"]);
}
