//! Clients of a store, each with a transaction at most and one call under way.

use std::sync::Arc;
use std::time::Duration;

use steadfast_services::port::{Store, Transaction};
use tokio::sync::oneshot;

use super::doctor::Doctor;
use super::op::{Answer, Op};
use crate::stage::{spawn, timeout};

enum Seat<T> {
    Empty,
    Open(T),
    Busy(oneshot::Receiver<(Option<T>, Answer)>),
}

pub(crate) struct Clients<S: Store> {
    store: S,
    doctor: Arc<Doctor>,
    seats: Vec<Seat<S::Tx>>,
}

impl<S: Store<Tx: Transaction + 'static>> Clients<S> {
    pub(crate) fn new(store: S, doctor: Arc<Doctor>, count: usize) -> Self {
        Self { store, doctor, seats: (0..count).map(|_| Seat::Empty).collect() }
    }

    /// Makes a call for a client, who must not have another one under way.
    pub(crate) fn ask(&mut self, client: usize, op: Op) {
        let (answer, heard) = oneshot::channel();
        let seat = std::mem::replace(&mut self.seats[client], Seat::Busy(heard));
        let tx = if let Seat::Open(tx) = seat { Some(tx) } else { None };
        let (store, doctor) = (self.store.clone(), Arc::clone(&self.doctor));
        spawn(async move {
            // Nobody listens any more when the comparison has ended.
            let _ = answer.send(call(store, tx, op, &doctor).await);
        });
    }

    pub(crate) fn is_busy(&self, client: usize) -> bool {
        matches!(self.seats[client], Seat::Busy(_))
    }

    /// How many transactions there are.
    pub(crate) fn open(&self) -> usize {
        self.seats.iter().filter(|seat| !matches!(seat, Seat::Empty)).count()
    }

    /// The answer to a call, if it comes in time.
    pub(crate) async fn hear(&mut self, client: usize, patience: Duration) -> Option<Answer> {
        let Seat::Busy(heard) = &mut self.seats[client] else { return None };
        let (tx, answer) = timeout(patience, heard).await.ok()?.expect("a call ends in an answer");
        self.seats[client] = tx.map_or(Seat::Empty, Seat::Open);
        Some(answer)
    }
}

/// One call. A transaction that was refused something is rolled back.
async fn call<S: Store>(
    store: S,
    tx: Option<S::Tx>,
    op: Op,
    doctor: &Doctor,
) -> (Option<S::Tx>, Answer) {
    let done = || Answer::Said("done".into());
    let Some(mut tx) = tx else {
        return match store.begin("test").await {
            Ok(tx) => (Some(tx), done()),
            Err(error) => (None, Answer::refused(&error)),
        };
    };
    match op {
        Op::Commit => (None, Answer::of_commit(&tx.commit().await)),
        Op::Drop => (None, done()),
        op => {
            let answer = op.ask(&mut tx, doctor).await;
            let kept = (!answer.is_refusal()).then_some(tx);
            (kept, answer)
        }
    }
}
