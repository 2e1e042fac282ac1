//! The process beside a worker, on the same host: it sees the worker's end, and says so once the
//! actions are dead too. It may die first; then its worker starts another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::WorkerId;
use steadfast_services::service::witness::bear_witness;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::chores::Chore;
use crate::env::{SimEnv, Terms};
use crate::fault::Fault;
use crate::library::Library;
use crate::physical::GUARDIAN;
use crate::sync::lock;
use crate::{Node, World};

/// How long a worker needs to start another witness.
const ANOTHER: Duration = Duration::from_millis(50);

/// The workers that have a witness.
#[derive(Debug, Default)]
pub(crate) struct Pairs(BTreeMap<Node, Pair>);

#[derive(Debug)]
struct Pair {
    witness: Node,
    /// The worker process that the witness speaks for; none when there is nothing to be said.
    serving: Option<WorkerId>,
    /// The witness's end of the pipe.
    pipe: Option<UnboundedSender<WorkerId>>,
}

impl World {
    /// Starts a witness beside a worker's node.
    pub(crate) fn start_witness(
        &self,
        worker: Node,
        terms: impl Fn() -> Terms + Send + Sync + 'static,
        library: &Arc<Library>,
    ) {
        if lock(&self.0.pairs).0.is_empty() {
            let world = self.clone();
            let hang_up = move || lock(&world.0.pairs).0.clear();
            lock(&self.0.last_acts).push(Box::new(hang_up));
        }
        let name = format!("{}-witness", self.name_of(worker));
        let library = Arc::clone(library);
        let witness = self.node(&name, move |me| {
            let env = SimEnv::new(me.clone(), terms(), Arc::clone(&library));
            let stream = format!("witness.{}.{}", me.name(), me.incarnation());
            let mut chance = me.world().stream(&stream);
            let mut ends = me.world().hold_pipe(worker);
            async move {
                while let Some(dead) = ends.recv().await {
                    // Now and then its host has other things to do.
                    let most = if chance.per_mille(250) { 2_000 } else { 60 };
                    let span = Duration::from_millis(GUARDIAN + chance.below(most));
                    bear_witness(&env, &dead, me.wait(span)).await;
                }
                std::future::pending::<()>().await;
            }
        });
        let pair = &mut lock(&self.0.pairs).0;
        pair.entry(worker).and_modify(|pair| pair.witness = witness).or_insert(Pair {
            witness,
            serving: None,
            pipe: None,
        });
    }

    /// The witness of a worker that starts now listens.
    fn hold_pipe(&self, worker: Node) -> UnboundedReceiver<WorkerId> {
        let (pipe, ends) = unbounded_channel();
        let pairs = &mut lock(&self.0.pairs).0;
        let unknown = Pair { witness: Node::WORLD, serving: None, pipe: None };
        pairs.entry(worker).or_insert(unknown).pipe = Some(pipe);
        ends
    }

    /// A worker tells its witness which process it is, or that it has left in good order.
    pub(crate) fn tell_witness(&self, worker: Node, serving: Option<WorkerId>) {
        if let Some(pair) = lock(&self.0.pairs).0.get_mut(&worker) {
            pair.serving = serving;
        }
    }

    /// A worker's process has ended, and the system has closed its end of the pipe; a witness that
    /// is up, or stands still, has its own end yet.
    pub(crate) fn witness_hears_the_end(&self, worker: Node) {
        let Some((witness, dead)) = self.end_of_pair(worker) else { return };
        if !self.is_down(witness)
            && let Some(dead) = dead
            && let Some(pipe) =
                lock(&self.0.pairs).0.get(&worker).and_then(|pair| pair.pipe.clone())
        {
            // A witness that dies at this moment hears nothing.
            let _ = pipe.send(dead);
        }
    }

    fn end_of_pair(&self, worker: Node) -> Option<(Node, Option<WorkerId>)> {
        let pairs = &mut lock(&self.0.pairs).0;
        pairs.get_mut(&worker).map(|pair| (pair.witness, pair.serving.take()))
    }

    /// The witness of a worker, if it has one.
    #[must_use]
    pub fn witness_of(&self, worker: Node) -> Option<Node> {
        lock(&self.0.pairs).0.get(&worker).map(|pair| pair.witness)
    }

    /// A life has ended: the process beside it notices, or goes with it.
    pub(crate) fn pair_loses(&self, node: Node, fault: Fault) {
        match (self.witness_of(node), fault) {
            (Some(witness), Fault::LoseHost) => self.lose_host(witness),
            (Some(_), _) => self.witness_hears_the_end(node),
            (None, _) => {
                let pairs = lock(&self.0.pairs);
                let worker = pairs.0.iter().find(|(_, pair)| pair.witness == node);
                let worker = worker.map(|(worker, _)| *worker);
                drop(pairs);
                if worker.is_some_and(|worker| !self.is_down(worker)) {
                    self.ask(Chore::Restart { node, epoch: self.epoch(node), after: ANOTHER });
                }
            }
        }
    }
}
