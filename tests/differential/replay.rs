//! A recorded history on another store, and where the two differ.

use std::sync::Arc;
use std::time::Duration;

use steadfast_services::port::{Store, Transaction};

use super::clients::Clients;
use super::doctor::Doctor;
use super::op::{Answer, Op};
use super::{History, Step};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long to wait for what must not come yet.
const MOMENT: Duration = Duration::from_millis(4);

/// Where two stores differ.
#[derive(Debug)]
pub(crate) struct Difference(pub(crate) String);

fn differ<T>(
    history: &History,
    at: usize,
    what: &str,
    other: &Option<Answer>,
) -> Result<T, Difference> {
    let step = &history.steps[at];
    let is_about = |other: &&Step| other.client == step.client;
    let before: Vec<&Op> =
        history.steps[..at].iter().rev().filter(is_about).take(4).map(|step| &step.op).collect();
    Err(Difference(format!(
        "seed {}, {} clients, call {at}: {what}\n  of client {}: {:?}\n  simulated: {:?}, {:?}\n  \
         other:     {other:?}\n  its calls before: {before:?}",
        history.seed, history.clients, step.client, step.op, step.answer, step.released
    )))
}

/// The same calls in the same order, for a store that lets writers in side by side. `settled` waits
/// until the store knows of so many transactions and no more, `waiting` until so many calls wait for a
/// lock: what has only not been answered yet has not looked at the rows yet either.
pub(crate) async fn step_by_step<S: Store<Tx: Transaction + 'static>>(
    store: S,
    history: &History,
    doctor: Arc<Doctor>,
    settled: impl AsyncFn(usize),
    waiting: impl AsyncFn(usize),
) -> Result<(), Difference> {
    let mut clients = Clients::new(store, doctor, history.clients);
    for (at, step) in history.steps.iter().enumerate() {
        clients.ask(step.client, step.op.clone());
        let patience = if step.answer.is_some() { PATIENCE } else { MOMENT };
        let answer = clients.hear(step.client, patience).await;
        if answer != step.answer {
            return differ(history, at, "answered differently", &answer);
        }
        if answer.is_none() {
            waiting((0..history.clients).filter(|client| clients.is_busy(*client)).count()).await;
        }
        let is_over = matches!(step.op, Op::Drop)
            || answer.as_ref().is_some_and(Answer::is_refusal)
            || step.released.values().any(Answer::is_refusal);
        for (other, expected) in &step.released {
            let answer = clients.hear(*other, PATIENCE).await;
            if answer.as_ref() != Some(expected) {
                return differ(
                    history,
                    at,
                    &format!("client {other} went on differently"),
                    &answer,
                );
            }
        }
        for other in 0..history.clients {
            if other != step.client
                && let Some(answer) = clients.hear(other, Duration::ZERO).await
            {
                let what = format!("client {other} no longer had to wait");
                return differ(history, at, &what, &Some(answer));
            }
        }
        if is_over {
            settled(clients.open()).await;
        }
    }
    Ok(())
}

/// Whole transactions in the order in which they ended, for a store that lets writers in one by
/// one. With one client nothing is reordered, and every answer has to be the same.
pub(crate) async fn one_by_one<S: Store<Tx: Transaction + 'static>>(
    store: S,
    history: &History,
    doctor: Arc<Doctor>,
) -> Result<(), Difference> {
    let mut clients = Clients::new(store, doctor, 1);
    let last = history.steps.iter().rposition(|step| matches!(step.op, Op::Begin));
    let mut begun: Vec<Vec<(usize, Op, Answer)>> = vec![Vec::new(); history.clients];
    let mut waiting: Vec<Option<(usize, Op)>> = vec![None; history.clients];
    for (at, step) in history.steps.iter().enumerate() {
        let mut ended = Vec::new();
        let mut note = |client: usize, (at, op): (usize, Op), answer: &Answer| {
            let is_over = matches!(op, Op::Commit | Op::Drop) || answer.is_refusal();
            begun[client].push((at, op, answer.clone()));
            if is_over {
                ended.push(std::mem::take(&mut begun[client]));
            }
        };
        match &step.answer {
            Some(answer) => note(step.client, (at, step.op.clone()), answer),
            None => waiting[step.client] = Some((at, step.op.clone())),
        }
        for (client, answer) in &step.released {
            note(*client, waiting[*client].take().expect("it waited"), answer);
        }
        for (at, op, expected) in ended.into_iter().flatten() {
            let is_alone = history.clients == 1 || last.is_some_and(|last| at >= last);
            if !is_alone && !op.survives_reordering() {
                continue;
            }
            // What follows a refusal has nobody to ask.
            clients.ask(0, op);
            let answer = clients.hear(0, PATIENCE).await;
            if answer.as_ref() != Some(&expected) {
                return differ(history, at, "answered differently, one by one", &answer);
            }
        }
    }
    Ok(())
}
