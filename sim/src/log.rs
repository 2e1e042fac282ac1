//! The full record of a run, in order.

use crate::hash::RollingHash;
use crate::{Digest, Event, Kind, Node, PAYLOAD_WORDS, SimTime};

/// Room for as many events as most runs write, so that the log need not move as it grows.
const USUAL: usize = 8_192;

/// Every event of a run, and their rolling hash.
#[derive(Debug, Clone)]
pub struct EventLog {
    events: Vec<Event>,
    names: Vec<String>,
    hash: RollingHash,
}

impl EventLog {
    /// An empty log that knows one node, the world.
    pub(crate) fn new() -> Self {
        Self {
            events: Vec::with_capacity(USUAL),
            names: vec!["world".into()],
            hash: RollingHash::new(),
        }
    }

    /// Gives the next node its number.
    pub(crate) fn introduce(&mut self, name: &str) -> Node {
        let number = u16::try_from(self.names.len()).expect("a world has fewer than 65536 nodes");
        self.names.push(name.into());
        Node(number)
    }

    /// Writes one event down and returns it.
    pub(crate) fn push(
        &mut self,
        at: SimTime,
        node: Node,
        kind: &'static Kind,
        words: &[u64],
    ) -> Event {
        debug_assert_eq!(words.len(), kind.fields.len(), "{} carries its fields", kind.name);
        let mut payload = [0; PAYLOAD_WORDS];
        payload.iter_mut().zip(words).for_each(|(slot, word)| *slot = *word);
        let event = Event { index: self.events.len() as u64, at, node, kind, payload };
        self.hash.add(&event);
        self.events.push(event);
        event
    }

    /// The events, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What a node is called.
    #[must_use]
    pub fn name(&self, node: Node) -> &str {
        self.names.get(usize::from(node.0)).map_or("?", String::as_str)
    }

    /// What all nodes are called, by number.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The hash of everything written so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.hash.digest()
    }
}
