//! The simulated database: rows, locks and transactions as Postgres has them at READ COMMITTED.
//!
//! A statement sees what was committed when it began. A row that it wants to lock and that somebody
//! else holds makes it wait; after the wait the row is looked at again as it is then. Updates name
//! the version that they expect, unique keys are locked like rows, and who waits in a circle is
//! told so. Connections can be dead, lost or slow, and the outcome of a commit can stay unknown.
//!
//! Not modelled: statements that see rows of an index in an order that a plan happens to give,
//! partial failure of a batch, and storage that loses what it has acknowledged.

mod commit;
mod find;
mod judge;
mod locks;
mod planted;
mod query;
mod session;
mod statement;

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::decision::Writes;
use steadfast_core::execution::Execution;
use steadfast_core::history::{History, Voices};
use steadfast_core::law::{self, Verdict};
use steadfast_core::settings::Settings;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::{DefinitionHash, ExecutionId, Span, Timestamp};

use crate::sync::lock;
use crate::{Node, World, fault::Fault};

pub use session::{SimStore, SimTransaction};
pub(crate) use statement::STATEMENTS;

use locks::{LockKey, Locks};

/// A transaction's number at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TxId(u64);

/// Everything that the server has in memory and on disk.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The bug that it has.
    planted: Option<&'static str>,
    rows: Snapshot,
    definitions: BTreeMap<DefinitionHash, String>,
    notes: BTreeMap<String, String>,
    /// Whether anything may be written that a store takes, and no law is asked.
    is_unjudged: bool,
    history: History,
    settings: Settings,
    locks: Locks,
    /// Boxed: they are large, and come and go all the time.
    transactions: BTreeMap<TxId, Box<Open>>,
    next_transaction: u64,
    next_id: u64,
    is_down: bool,
    /// What retention has let go of.
    dropped: BTreeSet<ExecutionId>,
    /// How many changes of executions were committed.
    changes: usize,
    /// Microseconds by which its clock is ahead.
    clock_ahead: i64,
}

/// A transaction that has begun, as the server knows it.
#[derive(Debug)]
struct Open {
    client: Node,
    /// Which life of the client began it.
    life: u64,
    /// When it last looked at the clock.
    decided: Timestamp,
    step: &'static str,
    locks: Vec<LockKey>,
    writes: Writes,
    voices: Voices,
    /// The rows as they were when it began, for a store that counts on them.
    old_look: Option<Snapshot>,
}

impl State {
    /// An empty store, sound but for this bug.
    pub(crate) fn with_bug(planted: Option<&'static str>) -> Self {
        Self { planted, ..Self::default() }
    }

    fn begin(&mut self, (client, life): (Node, u64), step: &'static str, began: Timestamp) -> TxId {
        self.next_transaction += 1;
        let id = TxId(self.next_transaction);
        let old_look = self.is_planted("occupancy_of_an_old_look").then(|| self.rows.clone());
        let open = Open {
            client,
            life,
            decided: began,
            step,
            locks: Vec::new(),
            writes: Writes::default(),
            voices: Voices::default(),
            old_look,
        };
        self.transactions.insert(id, Box::new(open));
        id
    }

    /// Forgets a transaction and everything it held.
    fn roll_back(&mut self, id: TxId) -> bool {
        self.end(id).is_some()
    }

    fn roll_back_all(&mut self, which: impl Fn(&Open) -> bool) {
        let ended = self.transactions.iter().filter(|(_, open)| which(open));
        let ids: Vec<TxId> = ended.map(|(id, _)| *id).collect();
        for id in ids {
            self.roll_back(id);
        }
    }

    /// Takes a transaction out and lets its locks go to those who wait.
    fn end(&mut self, id: TxId) -> Option<Box<Open>> {
        let mut open = self.transactions.remove(&id)?;
        self.locks.stop_waiting(id);
        for key in std::mem::take(&mut open.locks) {
            if let Some(next) = self.locks.pass_on(&key)
                && let Some(next) = self.transactions.get_mut(&next)
            {
                next.locks.push(key);
            }
        }
        Some(open)
    }

    /// Lets go of what ended longer ago than `keep`; answers with how many those are, and whether
    /// they could go.
    fn retain(&mut self, keep: Span, right: u64) -> (u64, Verdict) {
        let before = self.clock(right).as_micros().saturating_sub(keep.as_micros());
        let before = Timestamp::from_micros(before);
        let gone = if self.is_planted("retention_goes_by_age_alone") {
            let old = |e: &&Execution| e.ended_at.is_some_and(|at| at < before);
            self.rows.executions.iter().filter(old).map(|execution| execution.id).collect()
        } else {
            self.rows.may_be_dropped(before)
        };
        let verdict = law::check_dropped(&self.rows, &gone);
        self.rows.drop_executions(&gone);
        let count = gone.len() as u64;
        self.dropped.extend(gone);
        (count, verdict)
    }

    /// Looks with the eyes of a transaction, which sees what it has written itself.
    fn as_seen_by<T>(&mut self, id: TxId, look: impl FnOnce(&mut Self) -> T) -> T {
        let own = self.transactions.get(&id).map(|open| &open.writes);
        let Some(own) = own.filter(|writes| !writes.is_empty()).cloned() else { return look(self) };
        let mut seen = self.rows.clone();
        let _ = seen.take_unchecked(own);
        let committed = std::mem::replace(&mut self.rows, seen);
        let found = look(self);
        self.rows = committed;
        found
    }

    fn clock(&self, right: u64) -> Timestamp {
        Timestamp::from_micros(right.saturating_add_signed(self.clock_ahead))
    }
}

/// What a story may do to the database, and see of it.
impl World {
    /// The rows as they are.
    pub fn see_rows<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&lock(&self.0.database).rows)
    }

    /// Everything that was committed.
    pub fn see_history<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&lock(&self.0.database).history)
    }

    /// From now on the rows are whatever somebody writes: nobody judges them by the laws, and
    /// nobody has to say what they make possible.
    pub(crate) fn leave_rows_unjudged(&self) {
        lock(&self.0.database).is_unjudged = true;
    }

    /// The store's clock.
    #[must_use]
    pub fn store_clock(&self) -> Timestamp {
        lock(&self.0.database).clock(self.epoch_micros())
    }

    /// The spans and bounds that the laws are judged with.
    pub fn set_settings(&self, settings: Settings) {
        lock(&self.0.database).settings = settings;
    }

    /// The spans and bounds that the laws are judged with.
    #[must_use]
    pub fn settings(&self) -> Settings {
        lock(&self.0.database).settings
    }

    /// Restarts the database: connections break, what was not committed is rolled back.
    pub fn restart_store(&self) {
        lock(&self.0.database).roll_back_all(|_| true);
        self.strike_node(Fault::StoreRestart, Node::WORLD);
    }

    /// Lets the database refuse everything, or work again.
    pub fn set_store_down(&self, down: bool) {
        if down {
            self.restart_store();
        }
        lock(&self.0.database).is_down = down;
        let fault = if down { Fault::StoreDown } else { Fault::StoreUp };
        self.strike_node(fault, Node::WORLD);
    }

    /// Sets how far the store's clock is ahead, in microseconds; it never goes back.
    pub fn set_store_clock(&self, ahead: i64) {
        let mut state = lock(&self.0.database);
        state.clock_ahead = state.clock_ahead.max(ahead);
        drop(state);
        self.strike_node(Fault::StoreClockJump, Node::WORLD);
    }

    /// The server notices that a life of a client, and every one before it, is over.
    pub(crate) fn lose_sessions(&self, client: Node, life: u64) {
        let lost = |open: &Open| open.client == client && open.life <= life;
        lock(&self.0.database).roll_back_all(lost);
    }

    /// The server notices that its client has given a transaction up.
    pub(crate) fn close_transaction(&self, id: TxId) {
        lock(&self.0.database).roll_back(id);
    }

    /// Whether retention has let go of an execution.
    #[must_use]
    pub fn was_dropped(&self, id: ExecutionId) -> bool {
        lock(&self.0.database).dropped.contains(&id)
    }

    /// A number that rises whenever an execution changes.
    #[must_use]
    pub fn changes_of_executions(&self) -> usize {
        lock(&self.0.database).changes
    }
}

/// How long a client waits for an answer before it gives up the connection.
const ANSWER_TIMEOUT: Span = Span::from_secs(2);
/// How long the server lets a statement run.
const STATEMENT_TIMEOUT: Span = Span::from_secs(3);
