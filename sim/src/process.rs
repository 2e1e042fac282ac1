//! Nodes, and their lives.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::task::NodeId;
use serde::{Deserialize, Serialize};
use steadfast_core::catalogue::LawId;
use steadfast_core::{ExecutionId, Timestamp};

use crate::chance::{Passage, Passer, Site, Subject};
use crate::chores::Chore;
use crate::fault::{Fault, Strike};
use crate::sync::lock;
use crate::watched::Watched;
use crate::{Kind, Node, SimTime, World, kinds};

/// What is known of each node.
pub(crate) type Lives = BTreeMap<Node, Life>;

pub(crate) struct Life {
    /// madsim's own name for the node; none while it is being built.
    id: Option<NodeId>,
    incarnation: u64,
    state: State,
    /// When it last went on after a pause.
    resumed_at: Option<SimTime>,
    /// Raised with every change of its links and its state, so that a chore meant for an earlier
    /// situation is recognised.
    pub(crate) epoch: u64,
    alive: Arc<AtomicBool>,
    pub(crate) host: Arc<Host>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Paused,
    Down,
}

/// What outlives a node's process: its name, its links and its clock.
#[derive(Debug)]
pub(crate) struct Host {
    name: String,
    store_is_cut: AtomicBool,
    broker_is_cut: AtomicBool,
    /// Microseconds by which its clock is ahead.
    clock_ahead: AtomicI64,
}

/// How long the database lets a transaction idle, and everybody wait for its locks.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(2);

/// Something that a node talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// The database.
    Store,
    /// The message broker.
    Broker,
}

impl Host {
    pub(crate) fn is_cut(&self, peer: Peer) -> bool {
        self.link(peer).load(Ordering::Relaxed)
    }

    fn link(&self, peer: Peer) -> &AtomicBool {
        match peer {
            Peer::Store => &self.store_is_cut,
            Peer::Broker => &self.broker_is_cut,
        }
    }
}

/// One life of one node: what its code holds to act in the world.
///
/// After a kill, destructors of the old life still run, and code up to its next await too. What
/// they ask of the world is refused, because their life is over.
#[derive(Clone)]
pub struct Process {
    world: World,
    node: Node,
    incarnation: u64,
    alive: Arc<AtomicBool>,
    host: Arc<Host>,
    _breath: Arc<()>,
}

impl Process {
    /// The world it lives in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The node whose life this is.
    #[must_use]
    pub fn node(&self) -> Node {
        self.node
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// Which life of the node this is, from 1.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Whether this life is not over.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Whether it cannot reach `peer`.
    #[must_use]
    pub fn is_cut_from(&self, peer: Peer) -> bool {
        self.host.is_cut(peer)
    }

    /// This host's clock.
    #[must_use]
    pub fn clock(&self) -> Timestamp {
        let ahead = self.host.clock_ahead.load(Ordering::Relaxed);
        let micros = self.world.epoch_micros().saturating_add_signed(ahead);
        Timestamp::from_micros(micros)
    }

    /// Writes an event in the name of the node. The dead say nothing.
    pub fn log(&self, kind: &'static Kind, words: &[u64]) {
        if self.is_alive() {
            self.world.log(self.node, kind, words);
        }
    }

    /// Lets time pass.
    pub async fn wait(&self, span: Duration) {
        self.world.wait(span).await;
    }

    /// Passes a site: whatever is to happen there happens, or is returned to be carried out by the
    /// port. The dead never return from it.
    pub(crate) async fn pass(&self, site: Site, subject: Subject<'_>) -> Passage {
        let does = |wanted: &str| matches!(subject, Subject::Step(_, step) if step == wanted);
        self.pass_with(site, subject, &does, &|_| false).await
    }

    /// Passes a site with something that can be told apart: a step, or messages, and executions.
    pub(crate) async fn pass_with(
        &self,
        site: Site,
        subject: Subject<'_>,
        does: &(dyn Fn(&str) -> bool + Sync),
        is_about: &(dyn Fn(ExecutionId) -> bool + Sync),
    ) -> Passage {
        self.stay_dead().await;
        let passage = {
            let by = Passer { node: self.node, does, is_about };
            lock(&self.world.0.chance).pass(site, subject, &by)
        };
        if let Some(strike) = passage.strike {
            self.world.strike(self.node, strike, does);
        }
        if passage.strike == Some(Strike::Crash) {
            self.world.crash(self, passage.entropy);
            std::future::pending::<()>().await;
        }
        if passage.delay.is_zero() {
            madsim::task::yield_now().await;
        } else {
            self.world.wait(passage.delay).await;
        }
        self.stay_dead().await;
        passage
    }

    /// Returns if this life is not over, and never otherwise.
    pub(crate) async fn stay_dead(&self) {
        if !self.is_alive() {
            std::future::pending::<()>().await;
        }
    }
}

impl World {
    /// Starts a node that runs `program`, now and after each restart.
    pub fn node<P, F>(&self, name: &str, program: P) -> Node
    where
        P: Fn(Process) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let node = lock(&self.0.record).log.introduce(name);
        let host = Host {
            name: name.into(),
            store_is_cut: AtomicBool::new(false),
            broker_is_cut: AtomicBool::new(false),
            clock_ahead: AtomicI64::new(0),
        };
        let life = Life {
            id: None,
            incarnation: 1,
            state: State::Up,
            resumed_at: None,
            epoch: 0,
            alive: Arc::new(AtomicBool::new(true)),
            host: Arc::new(host),
        };
        lock(&self.0.lives).insert(node, life);
        self.log(node, &kinds::STARTED, &[1]);
        let world = self.clone();
        // The closure must hold no madsim handle: madsim would then own itself and never be freed.
        let id = Handle::current()
            .create_node()
            .name(name)
            .init(move || Watched::new(&world, node, program(world.process(node))))
            .build()
            .id();
        lock(&self.0.lives).entry(node).and_modify(|life| life.id = Some(id));
        node
    }

    /// Whether a node's process runs and is not paused.
    #[must_use]
    pub fn is_up(&self, node: Node) -> bool {
        lock(&self.0.lives).get(&node).is_some_and(|life| life.state == State::Up)
    }

    /// Which life of a node is under way; none if it has no process.
    pub(crate) fn life_of(&self, node: Node) -> Option<u64> {
        let lives = lock(&self.0.lives);
        lives.get(&node).filter(|life| life.state != State::Down).map(|life| life.incarnation)
    }

    /// What the clock of a node shows.
    pub(crate) fn clock_of(&self, node: Node) -> Timestamp {
        let lives = lock(&self.0.lives);
        let ahead = lives.get(&node).map_or(0, |l| l.host.clock_ahead.load(Ordering::Relaxed));
        Timestamp::from_micros(self.epoch_micros().saturating_add_signed(ahead))
    }

    /// Whether a node has no process.
    pub(crate) fn is_down(&self, node: Node) -> bool {
        lock(&self.0.lives).get(&node).is_none_or(|life| life.state == State::Down)
    }

    /// The node of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Node> {
        let lives = lock(&self.0.lives);
        lives.iter().find(|(_, life)| life.host.name == name).map(|(node, _)| *node)
    }

    /// Kills a node's process: at once, and without a word. The system closes its connections.
    pub fn kill(&self, node: Node) {
        if let Some(life) = self.end_life(node, Fault::Kill) {
            self.lose_connections(node, life);
        }
    }

    /// Takes a node's host away: nobody closes its connections, so that those who hold something
    /// for it have to notice by themselves.
    pub fn lose_host(&self, node: Node) {
        if let Some(life) = self.end_life(node, Fault::LoseHost) {
            self.ask(Chore::Bury { node, life, after: IDLE_IN_TRANSACTION });
        }
    }

    /// Ends a life from within, at an await; the node comes back after a while.
    pub(crate) fn crash(&self, process: &Process, entropy: u64) {
        if process.is_alive() {
            let node = process.node;
            self.kill(node);
            let after = Duration::from_millis(200 + entropy % 2_000);
            self.ask(Chore::Restart { node, epoch: self.epoch(node), after });
        }
    }

    /// Ends the life that a node has, if it has one; answers which it was.
    fn end_life(&self, node: Node, fault: Fault) -> Option<u64> {
        let (id, ended) = {
            let mut lives = lock(&self.0.lives);
            let life = lives.get_mut(&node).filter(|life| life.state != State::Down)?;
            let ended = life.incarnation;
            // Before the kill, so that its destructors already find their life over.
            life.alive.store(false, Ordering::Relaxed);
            life.state = State::Down;
            life.epoch += 1;
            life.incarnation += 1;
            (life.id.expect("a started node is built"), ended)
        };
        self.strike_node(fault, node);
        self.log(node, &kinds::KILLED, &[ended]);
        self.actions_lose_their_worker(node, fault);
        self.pair_loses(node, fault);
        // A process cannot drop itself while it runs, so somebody else does.
        self.ask(Chore::Kill { node, id, epoch: self.epoch(node) });
        Some(ended)
    }

    /// A process has ended by itself.
    pub(crate) fn exit(&self, process: &Process) {
        let mut lives = lock(&self.0.lives);
        if let Some(life) = lives.get_mut(&process.node).filter(|_| process.is_alive()) {
            life.alive.store(false, Ordering::Relaxed);
            life.state = State::Down;
            life.epoch += 1;
            life.incarnation += 1;
            drop(lives);
            self.lose_connections(process.node, process.incarnation);
            self.log(process.node, &kinds::EXITED, &[process.incarnation]);
            self.witness_hears_the_end(process.node);
        }
    }

    /// L7: a worker that nobody told to stop ends only because another has its name.
    pub(crate) fn demand_that_it_goes_on(&self, process: &Process) {
        let lives = lock(&self.0.lives);
        let name = process.name();
        let other = |(node, life): (&Node, &Life)| {
            *node != process.node && life.host.name == name && life.state != State::Down
        };
        let superseded = lives.iter().any(other);
        drop(lives);
        if process.is_alive() && !superseded {
            self.violate(LawId::L7, format!("{name} has ended, and nobody told it to"));
        }
    }

    /// Starts a killed node again, with nothing in its memory.
    pub fn restart(&self, node: Node) {
        let (id, incarnation) = {
            let mut lives = lock(&self.0.lives);
            let Some(life) = lives.get_mut(&node).filter(|life| life.state == State::Down) else {
                return;
            };
            life.state = State::Up;
            life.epoch += 1;
            life.alive = Arc::new(AtomicBool::new(true));
            (life.id.expect("a started node is built"), life.incarnation)
        };
        self.strike_node(Fault::Restart, node);
        self.actions_are_gone(node);
        self.log(node, &kinds::RESTARTED, &[incarnation]);
        Handle::current().kill(id);
        Handle::current().restart(id);
        if let Some(witness) = self.witness_of(node) {
            self.restart(witness);
        }
    }

    /// Lets a node stand still while time goes on.
    pub fn pause(&self, node: Node) {
        if let Some(id) = self.change_state(node, State::Up, State::Paused) {
            self.strike_node(Fault::Pause, node);
            self.log(node, &kinds::PAUSED, &[]);
            Handle::current().pause(id);
            self.notice_later(node);
        }
    }

    /// Lets a paused node go on.
    pub fn resume(&self, node: Node) {
        if let Some(id) = self.change_state(node, State::Paused, State::Up) {
            self.strike_node(Fault::Resume, node);
            self.log(node, &kinds::RESUMED, &[]);
            let now = self.now();
            lock(&self.0.lives).entry(node).and_modify(|life| life.resumed_at = Some(now));
            Handle::current().resume(id);
        }
    }

    fn change_state(&self, node: Node, from: State, to: State) -> Option<NodeId> {
        let mut lives = lock(&self.0.lives);
        let life = lives.get_mut(&node).filter(|life| life.state == from)?;
        life.state = to;
        life.epoch += 1;
        life.id
    }

    /// Cuts a node off from a peer: nothing it sends arrives, and nobody tells it so.
    pub fn cut(&self, node: Node, peer: Peer) {
        self.set_link(node, peer, true);
        let fault = if peer == Peer::Store { Fault::CutStore } else { Fault::CutBroker };
        self.strike_node(fault, node);
        self.log(node, &kinds::CUT, &[u64::from(peer == Peer::Broker)]);
        self.notice_later(node);
    }

    /// Gives a node its links back.
    pub fn heal(&self, node: Node) {
        self.set_link(node, Peer::Store, false);
        self.set_link(node, Peer::Broker, false);
        self.strike_node(Fault::Heal, node);
        self.log(node, &kinds::HEALED, &[]);
    }

    fn set_link(&self, node: Node, peer: Peer, cut: bool) {
        if let Some(witness) = self.witness_of(node) {
            self.set_link(witness, peer, cut);
        }
        if let Some(life) = lock(&self.0.lives).get_mut(&node) {
            life.host.link(peer).store(cut, Ordering::Relaxed);
            life.epoch += 1;
        }
    }

    /// Sets how far a node's clock is ahead, or behind, in microseconds.
    pub fn set_clock(&self, node: Node, ahead: i64) {
        if let Some(life) = lock(&self.0.lives).get(&node) {
            life.host.clock_ahead.store(ahead, Ordering::Relaxed);
        }
        self.strike_node(Fault::ClockJump, node);
        self.log(node, &kinds::CLOCK_SET, &[ahead.unsigned_abs(), u64::from(ahead < 0)]);
    }

    /// Whether a node has gone on after a pause so lately that its services may not have noticed.
    pub(crate) fn has_just_resumed(&self, node: Node) -> bool {
        let resumed = lock(&self.0.lives).get(&node).and_then(|life| life.resumed_at);
        resumed.is_some_and(|at| self.now() < at.after(Duration::from_millis(10)))
    }

    /// Whether a node was paused or cut off and has not been healed, or is down.
    pub(crate) fn is_silent(&self, node: Node) -> bool {
        let lives = lock(&self.0.lives);
        let silent = |life: &Life| life.state != State::Up || life.host.is_cut(Peer::Store);
        lives.get(&node).is_some_and(silent)
    }

    pub(crate) fn epoch(&self, node: Node) -> u64 {
        lock(&self.0.lives).get(&node).map_or(0, |life| life.epoch)
    }

    /// Servers notice a silent client only after a while.
    fn notice_later(&self, node: Node) {
        let (life, epoch) = {
            let lives = lock(&self.0.lives);
            lives.get(&node).map_or((0, 0), |life| (life.incarnation, life.epoch))
        };
        self.ask(Chore::Notice { node, life, epoch, after: IDLE_IN_TRANSACTION });
    }

    /// madsim's handle of a node, to run something on it.
    pub(crate) fn handle_of(&self, node: Node) -> Option<NodeHandle> {
        let id = lock(&self.0.lives).get(&node)?.id?;
        Handle::current().get_node(id)
    }

    /// The nodes that there are.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        lock(&self.0.lives).keys().copied().collect()
    }

    /// Kills whatever is still up and lets it fall apart; answers how many processes are left
    /// all the same. Nothing of this is recorded. Without it madsim keeps every task for ever.
    pub(crate) async fn tear_down(&self) -> usize {
        let ids: Vec<NodeId> = lock(&self.0.lives)
            .values_mut()
            .filter_map(|life| {
                life.alive.store(false, Ordering::Relaxed);
                let paused = life.state == State::Paused;
                life.state = State::Down;
                if paused && let Some(id) = life.id {
                    // madsim would spin on the locks of a paused node.
                    Handle::current().resume(id);
                }
                life.id
            })
            .collect();
        for id in ids {
            Handle::current().kill(id);
        }
        self.end_chores();
        let last_acts = std::mem::take(&mut *lock(&self.0.last_acts));
        last_acts.into_iter().for_each(|act| act());
        self.wait(Duration::from_millis(1)).await;
        Arc::strong_count(&self.0.breath) - 1
    }

    /// The current life of `node`.
    fn process(&self, node: Node) -> Process {
        let lives = lock(&self.0.lives);
        let life = lives.get(&node).expect("a node is introduced before it runs");
        Process {
            world: self.clone(),
            node,
            incarnation: life.incarnation,
            alive: Arc::clone(&life.alive),
            host: Arc::clone(&life.host),
            _breath: Arc::clone(&self.0.breath),
        }
    }
}
