//! Nodes, and their lives.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::task::NodeId;

use crate::sync::lock;
use crate::{Fault, Kind, Node, World, kinds};

/// What is known of each node.
pub(crate) type Lives = BTreeMap<Node, Life>;

pub(crate) struct Life {
    /// madsim's own name for the node; none while it is being built.
    id: Option<NodeId>,
    incarnation: u64,
    up: bool,
}

/// One life of one node: what its code holds to act in the world.
///
/// After a kill, destructors of the old life still run, and code up to its next await too. What
/// they ask of the world is refused, because their incarnation is over.
#[derive(Clone)]
pub struct Process {
    world: World,
    node: Node,
    incarnation: u64,
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

    /// Which life of the node this is, from 1.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Whether this life is not over.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let lives = lock(&self.world.0.lives);
        lives.get(&self.node).is_some_and(|life| life.up && life.incarnation == self.incarnation)
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
}

impl World {
    /// Starts a node that runs `program`, now and after each restart.
    pub fn node<P, F>(&self, name: &str, program: P) -> Node
    where
        P: Fn(Process) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let node = lock(&self.0.record).log.introduce(name);
        lock(&self.0.lives).insert(node, Life { id: None, incarnation: 1, up: true });
        self.log(node, &kinds::STARTED, &[1]);
        let world = self.clone();
        // The closure must hold no madsim handle: madsim would then own itself and never be freed.
        let id = Handle::current()
            .create_node()
            .name(name)
            .init(move || program(world.process(node)))
            .build()
            .id();
        lock(&self.0.lives).entry(node).and_modify(|life| life.id = Some(id));
        node
    }

    /// Kills a node: at once, and without a word.
    ///
    /// # Panics
    /// When it is not up.
    pub fn kill(&self, node: Node) {
        let (id, ended) = {
            let mut lives = lock(&self.0.lives);
            let life = lives.get_mut(&node).expect("a story kills nodes that it started");
            assert!(life.up, "a story kills a node only when it is up");
            let ended = life.incarnation;
            // Before the kill, so that its destructors already find their life over.
            life.up = false;
            life.incarnation += 1;
            (life.id.expect("a started node is built"), ended)
        };
        self.change(|record, now| record.strike(now, Fault::Kill, node));
        self.log(node, &kinds::KILLED, &[ended]);
        Handle::current().kill(id);
    }

    /// Starts a killed node again, with nothing in its memory.
    ///
    /// # Panics
    /// When it is up.
    pub fn restart(&self, node: Node) {
        let (id, incarnation) = {
            let mut lives = lock(&self.0.lives);
            let life = lives.get_mut(&node).expect("a story restarts nodes that it started");
            assert!(!life.up, "a story restarts a node only when it was killed");
            life.up = true;
            (life.id.expect("a started node is built"), life.incarnation)
        };
        self.change(|record, now| record.strike(now, Fault::Restart, node));
        self.log(node, &kinds::RESTARTED, &[incarnation]);
        Handle::current().restart(id);
    }

    /// Kills whatever is still up and lets it fall apart; answers how many processes are left
    /// all the same. Nothing of this is recorded. Without it madsim keeps every task for ever.
    pub(crate) async fn tear_down(&self) -> usize {
        let ids: Vec<NodeId> = lock(&self.0.lives)
            .values_mut()
            .filter_map(|life| {
                life.up = false;
                life.id
            })
            .collect();
        for id in ids {
            Handle::current().kill(id);
        }
        self.wait(Duration::from_millis(1)).await;
        Arc::strong_count(&self.0.breath) - 1
    }

    /// The current life of `node`.
    fn process(&self, node: Node) -> Process {
        let incarnation = lock(&self.0.lives).get(&node).map_or(0, |life| life.incarnation);
        let (world, breath) = (self.clone(), Arc::clone(&self.0.breath));
        Process { world, node, incarnation, _breath: breath }
    }
}
