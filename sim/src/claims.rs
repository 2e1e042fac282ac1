//! A claim in a simulated store: one row, changed by compare-and-set.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::sync::lock;
use crate::{Mutant, Node, Process, SimTime, Stream, World, kinds};

/// The store did not answer, because whoever asked is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// What a reader sees of the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The last token that was granted, 0 at first.
    pub token: u64,
    /// Who has it, unless it was given back.
    pub by: Option<Node>,
    /// When it may be taken from its holder.
    pub expires_at: SimTime,
}

impl Held {
    /// Whether somebody may take it at `now`.
    #[must_use]
    pub fn is_free(&self, now: SimTime) -> bool {
        self.by.is_none() || self.expires_at <= now
    }
}

/// How a take ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// The claim is the taker's, under this token, until the lease ends.
    Granted(u64),
    /// It has moved on since it was read, or is not free.
    Refused,
}

/// The store. Each call is a request that travels, one atomic change, and a reply that travels;
/// whoever dies on the way may have changed the row and never know it. Clones are the same store.
#[derive(Clone)]
pub struct ClaimStore {
    world: World,
    lease: Duration,
    travel: RangeInclusive<Duration>,
    row: Arc<Mutex<Row>>,
}

struct Row {
    held: Held,
    latency: Stream,
}

impl ClaimStore {
    /// A store with a free claim that is leased for `lease`, a trip away as long as `travel`.
    #[must_use]
    pub fn new(world: &World, lease: Duration, travel: RangeInclusive<Duration>) -> Self {
        let held = Held { token: 0, by: None, expires_at: SimTime::default() };
        let latency = world.stream("latency.claims");
        let row = Arc::new(Mutex::new(Row { held, latency }));
        Self { world: world.clone(), lease, travel, row }
    }

    /// Who holds the claim, for the story's eyes: no trip, no fault.
    #[must_use]
    pub fn holder(&self) -> Option<Node> {
        lock(&self.row).held.by
    }

    /// Reads the claim.
    ///
    /// # Errors
    /// When the reader died on the way.
    pub async fn read(&self, by: &Process) -> Result<Held, NoAnswer> {
        self.trip(by).await?;
        let held = lock(&self.row).held;
        self.trip(by).await?;
        Ok(held)
    }

    /// Takes the claim, if it still carries the token `seen` and is free.
    ///
    /// # Errors
    /// When the taker died on the way; the claim may be its own all the same.
    pub async fn take(&self, by: &Process, seen: u64) -> Result<Taking, NoAnswer> {
        self.trip(by).await?;
        let taking = self.compare_and_take(by.node(), seen);
        self.trip(by).await?;
        Ok(taking)
    }

    /// Gives the claim back, if `token` is still the current one.
    ///
    /// # Errors
    /// When the holder died on the way; the claim may be free all the same.
    pub async fn release(&self, by: &Process, token: u64) -> Result<(), NoAnswer> {
        self.trip(by).await?;
        self.compare_and_free(by.node(), token);
        self.trip(by).await
    }

    fn compare_and_take(&self, by: Node, seen: u64) -> Taking {
        let now = self.world.now();
        let mut row = lock(&self.row);
        let current = row.held;
        let matches = current.token == seen && current.is_free(now);
        if !matches && !self.world.planted(&Mutant::BLIND_WRITE) {
            drop(row);
            self.world.log(by, &kinds::CLAIM_REFUSED, &[seen, current.token]);
            return Taking::Refused;
        }
        let token = seen + 1;
        row.held = Held { token, by: Some(by), expires_at: now.after(self.lease) };
        drop(row);
        if current.by.is_some() {
            self.world.cover("taken_over_after_the_lease");
        }
        self.world.log(by, &kinds::CLAIM_GRANTED, &[token, by.into()]);
        Taking::Granted(token)
    }

    fn compare_and_free(&self, by: Node, token: u64) {
        let mut row = lock(&self.row);
        let current = row.held.token;
        if current == token {
            row.held.by = None;
            drop(row);
            self.world.log(by, &kinds::CLAIM_FREED, &[token]);
        } else {
            drop(row);
            self.world.cover("late_release_refused");
            self.world.log(by, &kinds::RELEASE_REFUSED, &[token, current]);
        }
    }

    /// One way between a node and the store.
    async fn trip(&self, by: &Process) -> Result<(), NoAnswer> {
        let span = lock(&self.row).latency.duration(self.travel.clone());
        by.wait(span).await;
        if by.is_alive() { Ok(()) } else { Err(NoAnswer) }
    }
}
