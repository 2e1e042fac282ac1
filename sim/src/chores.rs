//! What has to be done later, or by somebody else: killing whoever runs right now, restarting the
//! dead, noticing the silent.

use std::sync::Arc;
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::task::NodeId;
use tokio::sync::mpsc;

use crate::database::TxId;
use crate::sync::lock;
use crate::{Node, Process, World};

/// One chore.
#[derive(Clone)]
pub(crate) enum Chore {
    /// Drops the tasks of a node whose life is over.
    Kill { node: Node, id: NodeId, epoch: u64 },
    /// Starts a node again, if nothing else has happened to it.
    Restart { node: Node, epoch: u64, after: Duration },
    /// Lets servers notice that a node is silent, if it still is.
    Notice { node: Node, life: u64, epoch: u64, after: Duration },
    /// Lets servers notice that a life is over, of which nobody told them.
    Bury { node: Node, life: u64, after: Duration },
    /// Lets the database notice that a client has given up a transaction: when it can be reached
    /// again, or after a while.
    CloseTransaction { id: TxId, client: Node },
    /// Lets a commit land whose client is gone.
    Land { id: TxId, me: Process, after: Duration },
}

/// Where chores are left, and the madsim node that does them.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    sender: Option<mpsc::UnboundedSender<Chore>>,
    node: Option<NodeId>,
}

impl World {
    /// Starts the node that does the chores. It is no part of the story.
    pub(crate) fn start_chores(&self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let world = self.clone();
        let node = Handle::current()
            .create_node()
            .name("chores")
            .init(move || {
                let (world, receiver) = (world.clone(), Arc::clone(&receiver));
                async move {
                    while let Some(chore) = receiver.lock().await.recv().await {
                        world.do_chore(chore);
                    }
                }
            })
            .build()
            .id();
        *lock(&self.0.chores) = Chores { sender: Some(sender), node: Some(node) };
    }

    pub(crate) fn end_chores(&self) {
        let Chores { sender, node } = std::mem::take(&mut *lock(&self.0.chores));
        drop(sender);
        if let Some(node) = node {
            Handle::current().kill(node);
        }
    }

    pub(crate) fn ask(&self, chore: Chore) {
        if let Some(sender) = &lock(&self.0.chores).sender {
            // The receiver is there as long as the sender.
            let _ = sender.send(chore);
        }
    }

    fn do_chore(&self, chore: Chore) {
        match chore {
            // One that has been started again was killed then.
            Chore::Kill { node, id, epoch } => {
                if self.epoch(node) == epoch {
                    Handle::current().kill(id);
                }
            }
            Chore::Restart { node, epoch, after } => {
                let world = self.clone();
                madsim::task::spawn(async move {
                    world.wait(after).await;
                    if world.epoch(node) == epoch {
                        world.restart(node);
                    }
                });
            }
            Chore::Notice { node, life, epoch, after } => {
                let world = self.clone();
                madsim::task::spawn(async move {
                    world.wait(after).await;
                    if world.epoch(node) == epoch && world.is_silent(node) {
                        world.lose_connections(node, life);
                    }
                });
            }
            Chore::Bury { node, life, after } => {
                let world = self.clone();
                madsim::task::spawn(async move {
                    world.wait(after).await;
                    world.lose_connections(node, life);
                });
            }
            Chore::Land { id, me, after } => {
                madsim::task::spawn(async move {
                    me.wait(after).await;
                    // Nobody is there to hear the answer.
                    let _ = me.world().commit(&me, id);
                });
            }
            Chore::CloseTransaction { id, client } => {
                let world = self.clone();
                madsim::task::spawn(async move {
                    for _ in 0..4 {
                        world.wait(Duration::from_millis(500)).await;
                        if !world.is_silent(client) {
                            break;
                        }
                    }
                    world.close_transaction(id);
                });
            }
        }
    }
}
