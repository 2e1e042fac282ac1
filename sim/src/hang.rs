//! Workers that beat and do not move, and how they are asked whether they do.
//!
//! What hangs is the task that asks for work, and the start of every action; the beats are a task of
//! their own, and go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadfast_core::{Span, Timestamp};
use steadfast_services::port::{Answer, Probing};
use steadfast_services::service::work::Progress;

use crate::chance::{Site, Subject};
use crate::fault::{Fault, Strike};
use crate::process::Process;
use crate::sync::lock;
use crate::{Node, World, kinds};

/// How workers are asked in every world.
pub(crate) const PROBING: Probing =
    Probing { interval: Span::from_secs(1), staleness: Span::from_secs(2) };

/// How often whoever hangs looks whether it still does.
const LOOK: Duration = Duration::from_millis(20);

/// Who hangs, and who answers for each worker.
#[derive(Debug, Default)]
pub(crate) struct Hangs {
    /// The life that hangs, by node: the next one does not. And whether it goes on asking for work.
    hung: BTreeMap<Node, (u64, bool)>,
    answering: BTreeMap<Node, Endpoint>,
}

/// What answers for a worker, as a task of its process that has nothing else to do.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) life: u64,
    pub(crate) progress: Progress,
    pub(crate) starts: Starts,
}

/// Since when each action has been starting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starts(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    since: BTreeMap<u64, Timestamp>,
    next: u64,
}

impl Starts {
    /// How long the oldest of them has been starting.
    pub(crate) fn oldest(&self, now: Timestamp) -> Span {
        let since = lock(&self.0).since.values().min().copied();
        since.map_or(Span::ZERO, |since| now.since(since))
    }
}

impl Process {
    /// Whether it hangs, in this.
    fn hangs(&self, to_start: bool) -> bool {
        let hung = lock(&self.world().0.hangs).hung.get(&self.node()).copied();
        hung.is_some_and(|(life, part)| life == self.incarnation() && (to_start || !part))
    }

    /// Returns once it does not hang: to start an action, or to ask for work.
    pub(crate) async fn move_on(&self, to_start: bool) {
        while self.hangs(to_start) {
            self.wait(LOOK).await;
        }
        self.stay_dead().await;
    }

    /// Starts an action, which takes for ever as long as the worker hangs; how long it took.
    pub(crate) async fn start_action(&self, starts: &Starts) -> Duration {
        let began = self.world().now();
        let number = {
            let inner = &mut *lock(&starts.0);
            inner.next += 1;
            inner.since.insert(inner.next, self.clock());
            inner.next
        };
        self.move_on(true).await;
        lock(&starts.0).since.remove(&number);
        Duration::from(self.world().now()).saturating_sub(began.into())
    }

    /// Answers at the address of its node from now on.
    pub(crate) fn answer_probes(&self, progress: Progress, starts: Starts) {
        let endpoint = Endpoint { life: self.incarnation(), progress, starts };
        lock(&self.world().0.hangs).answering.insert(self.node(), endpoint);
    }

    /// Where it can be asked.
    pub(crate) fn probe_address(&self) -> String {
        self.node().0.to_string()
    }

    /// Asks whoever is at `address`. The question may be lost, and the answer may be wrong.
    pub(crate) async fn probe(&self, address: &str, patience: Duration) -> Answer {
        let strike = self.pass(Site::Probe, Subject::Step(self.name(), "probe")).await.strike;
        let answer = address.parse().ok().and_then(|node| self.world().answer_of(Node(node)));
        match answer.filter(|_| strike != Some(Strike::ProbeLost)) {
            None => {
                self.wait(patience).await;
                Answer::Silence
            }
            Some(Answer::Moves(worker)) if strike == Some(Strike::ProbeLies) => {
                Answer::Hangs(worker, String::from("so it says"))
            }
            Some(answer) => answer,
        }
    }
}

impl World {
    /// What the process on a node says of itself, if it can say anything.
    fn answer_of(&self, node: Node) -> Option<Answer> {
        let endpoint = lock(&self.0.hangs).answering.get(&node).cloned()?;
        if !self.is_up(node) || self.life_of(node) != Some(endpoint.life) {
            return None;
        }
        let now = self.clock_of(node);
        let taken = endpoint.starts.oldest(now);
        let condition = endpoint.progress.judge(now, PROBING.staleness, taken);
        let worker = condition.worker?;
        Some(match condition.hangs {
            None => Answer::Moves(worker),
            Some(why) => Answer::Hangs(worker, why),
        })
    }

    /// Lets a worker hang while it goes on beating: it starts nothing, and asks for nothing unless it
    /// `goes_on_asking`.
    pub fn hang(&self, node: Node, goes_on_asking: bool) {
        if let Some(life) = self.life_of(node) {
            lock(&self.0.hangs).hung.insert(node, (life, goes_on_asking));
            self.strike_node(Fault::Hang, node);
            self.log(node, &kinds::HANGS, &[]);
        }
    }

    /// Lets a worker that hangs move again.
    pub fn unhang(&self, node: Node) {
        if lock(&self.0.hangs).hung.remove(&node).is_some() {
            self.strike_node(Fault::Unhang, node);
            self.log(node, &kinds::MOVES, &[]);
        }
    }
}
