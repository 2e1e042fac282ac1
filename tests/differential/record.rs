//! A history on the simulated store: who asked for what, who had to wait, what was answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadfast_sim::{Process, Settings, SimStore, report, stage};

use super::clients::Clients;
use super::doctor::Doctor;
use super::draw::{Plan, last_look, window};
use super::op::{Answer, Op};
use crate::store::random::draw::Draw;

/// In simulated time: everything that can happen happens within it.
const MOMENT: Duration = Duration::from_millis(1);

/// A call, and what came of it at once.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) client: usize,
    pub(crate) op: Op,
    /// `None`: it has to wait.
    pub(crate) answer: Option<Answer>,
    /// Who no longer had to wait, and what they were answered.
    pub(crate) released: BTreeMap<usize, Answer>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) steps: Vec<Step>,
}

impl History {
    /// How many calls had to wait, and how many were refused.
    pub(crate) fn waits_and_refusals(&self) -> (usize, usize) {
        let waits = self.steps.iter().filter(|step| step.answer.is_none()).count();
        let answers = self.steps.iter().flat_map(|s| s.answer.iter().chain(s.released.values()));
        (waits, answers.filter(|answer| answer.is_refusal()).count())
    }
}

/// Draws a history of so many calls, with a bug of the catalogue if one is named.
pub(crate) fn record(
    seed: u64,
    clients: usize,
    calls: usize,
    bug: Option<&'static str>,
) -> History {
    let history = Arc::new(Mutex::new(History::default()));
    let written = Arc::clone(&history);
    let settings = Settings { planted: bug, ..Settings::default() };
    let outcome = stage::perform(seed, &settings, move |me| async move {
        let mut recorder = Recorder::new(me, seed, clients);
        while recorder.history.steps.len() < calls {
            recorder.step().await;
        }
        recorder.end().await;
        *written.lock().expect("nobody panicked") = recorder.history;
    });
    assert!(outcome.held(), "{}", report("differential", &outcome));
    std::mem::take(&mut *history.lock().expect("nobody panicked"))
}

/// Where a client is.
#[derive(Debug, Default)]
enum Stand {
    #[default]
    Outside,
    Loading(Plan),
    /// What is left to write, last first.
    Writing(Vec<Op>),
    /// It waits with this call.
    Waiting(Op, Box<Stand>),
}

struct Recorder {
    me: Process,
    draw: Draw,
    clients: Clients<SimStore>,
    stands: Vec<Stand>,
    history: History,
}

impl Recorder {
    fn new(me: Process, seed: u64, count: usize) -> Self {
        let clients = Clients::new(SimStore::new(me.clone()), Arc::new(Doctor::default()), count);
        let stands = (0..count).map(|_| Stand::default()).collect();
        let history = History { seed, clients: count, steps: Vec::new() };
        Self { me, draw: Draw::new(seed), clients, stands, history }
    }

    async fn step(&mut self) {
        let free: Vec<usize> =
            (0..self.stands.len()).filter(|client| !self.clients.is_busy(*client)).collect();
        assert!(!free.is_empty(), "all wait for each other");
        let client = self.draw.of(&free);
        let op = self.choose(client);
        self.call(client, op).await;
    }

    /// What a client does next. Several who wait go on in an order that only their store knows, so
    /// while one waits nobody does what may have to wait too.
    fn choose(&mut self, client: usize) -> Op {
        let base = window(self.history.steps.len());
        self.draw.set_base(base);
        let is_waiting = |stand: &Stand| matches!(stand, Stand::Waiting(..));
        let may_wait = !self.stands.iter().any(is_waiting);
        match &mut self.stands[client] {
            Stand::Outside => Op::Begin,
            Stand::Waiting(..) => unreachable!("it waits"),
            Stand::Loading(plan) => {
                while let Some(op) = plan.next() {
                    if may_wait || !op.locks() {
                        return op;
                    }
                }
                let (plan, draw) = (&*plan, &mut self.draw);
                let mut writes = self.me.world().see_rows(|rows| plan.writes(draw, rows, base));
                writes.reverse();
                self.stands[client] = Stand::Writing(writes);
                self.choose(client)
            }
            Stand::Writing(writes) => match writes.pop().filter(|_| may_wait) {
                Some(op) => op,
                None if self.draw.chance(85) => Op::Commit,
                None => Op::Drop,
            },
        }
    }

    async fn call(&mut self, client: usize, op: Op) {
        self.clients.ask(client, op.clone());
        let answer = self.clients.hear(client, MOMENT).await;
        let mut released = BTreeMap::new();
        for other in (0..self.stands.len()).filter(|other| *other != client) {
            if let Some(answer) = self.clients.hear(other, Duration::from_nanos(1)).await {
                let stand = std::mem::take(&mut self.stands[other]);
                let Stand::Waiting(op, before) = stand else { unreachable!("it waited") };
                self.stands[other] = self.after(&op, &answer, *before);
                released.insert(other, answer);
            }
        }
        let before = std::mem::take(&mut self.stands[client]);
        self.stands[client] = match &answer {
            None => Stand::Waiting(op.clone(), Box::new(before)),
            Some(answer) => self.after(&op, answer, before),
        };
        self.history.steps.push(Step { client, op, answer, released });
    }

    /// Where a client is when it has been answered.
    fn after(&mut self, op: &Op, answer: &Answer, before: Stand) -> Stand {
        match op {
            _ if answer.is_refusal() => Stand::Outside,
            Op::Commit | Op::Drop => Stand::Outside,
            Op::Begin => {
                Stand::Loading(Plan::draw(&mut self.draw, window(self.history.steps.len())))
            }
            Op::Executions(_) | Op::Queues(_) => {
                let Stand::Loading(mut plan) = before else { return before };
                plan.keep_what_was_found(op, answer);
                Stand::Loading(plan)
            }
            _ => before,
        }
    }

    /// Lets everybody finish, and looks at everything.
    async fn end(&mut self) {
        while self.clients.open() > 0 {
            let free = (0..self.stands.len())
                .find(|c| !self.clients.is_busy(*c) && !matches!(self.stands[*c], Stand::Outside));
            self.call(free.expect("somebody holds what the others wait for"), Op::Commit).await;
        }
        self.call(0, Op::Begin).await;
        for op in last_look(self.history.steps.len()) {
            self.call(0, op).await;
        }
        self.call(0, Op::Commit).await;
    }
}
