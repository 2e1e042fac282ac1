//! Probe: asks workers whether they move. Who beats and hangs is given nothing new until it moves
//! again; what it has stays its own, since only its lease says whether it lives. Any number of
//! processes may ask.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use steadfast_core::sweep::{self, Heard};
use steadfast_core::unit::Unit;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_core::{Span, Timestamp, WorkerId, WorkerName};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::drive::{self, Again, Step, drive};
use crate::port::{Answer, Env, Load, PROBE_LABEL, Probing, StoreError, Transaction};

/// How many workers are asked at once: those that do not answer must not keep the others waiting.
const LANES: usize = 32;

/// The longest that one answer is waited for.
const PATIENCE: Span = Span::from_secs(2);

/// Starts asking. It goes on until `stop` is cancelled.
pub(crate) fn start<E: Env>(env: &E, stop: &CancellationToken) {
    let (inner, stop) = (env.clone(), stop.clone());
    env.spawn("probe", async move {
        let mut prober = Prober::default();
        while !stop.is_cancelled() {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = inner.sleep(inner.probing().interval) => {}
            }
            if let Err(error) = prober.round(&inner).await {
                warn!(%error, "workers were not asked whether they move; they are in the next round");
            }
        }
    });
}

/// What this process has heard. Another one, or a new one, needs none of it.
#[derive(Debug, Default)]
struct Prober {
    /// When each worker last answered here. Silence is held against nobody who never did: a wrong
    /// address, or a wall between the two, looks the same, and must not stop a whole fleet. Nor twice
    /// against anybody: what another process heard since may be true.
    answered: BTreeMap<WorkerId, Timestamp>,
}

impl Prober {
    async fn round<E: Env>(&mut self, env: &E) -> Result<(), StoreError> {
        let workers = drive(env, &mut FindProbed::default()).await?;
        self.answered.retain(|id, _| workers.iter().any(|probed| probed.worker == *id));
        let Probing { interval, staleness } = env.probing();
        let answers = ask_all(env, &workers, interval.min(PATIENCE)).await;
        let now = env.now();
        let mut heard = Vec::new();
        for (probed, answer) in workers.iter().zip(answers) {
            let moves = self.weigh(&probed.worker, answer, now, staleness);
            if let Some(moves) = moves.filter(|moves| *moves != probed.healthy) {
                heard.push(Heard { worker: probed.worker.clone(), moves });
            }
        }
        if heard.is_empty() {
            return Ok(());
        }
        for Heard { worker, moves } in drive(env, &mut Heed { heard }).await? {
            if moves {
                info!(%worker, "it moves again, and is given work");
            } else {
                warn!(%worker, "it beats and does not move: it is given nothing new until it does");
            }
        }
        Ok(())
    }

    /// What an answer says of a worker; `None` if it says nothing.
    fn weigh(
        &mut self,
        worker: &WorkerId,
        answer: Answer,
        now: Timestamp,
        staleness: Span,
    ) -> Option<bool> {
        match answer {
            Answer::Moves(who) if who == *worker => {
                self.answered.insert(worker.clone(), now);
                Some(true)
            }
            Answer::Hangs(who, why) if who == *worker => {
                self.answered.insert(worker.clone(), now);
                tracing::debug!(%worker, why, "it hangs");
                Some(false)
            }
            // Somebody else is at the address: that is no word of this one.
            Answer::Moves(_) | Answer::Hangs(..) | Answer::Silence => {
                let last = *self.answered.get(worker)?;
                if now.since(last) <= staleness {
                    return None;
                }
                self.answered.remove(worker);
                Some(false)
            }
        }
    }
}

/// Asks all of them, some at a time; the answers in the same order.
async fn ask_all<E: Env>(env: &E, workers: &[Probed], patience: Span) -> Vec<Answer> {
    let mut answers = vec![Answer::Silence; workers.len()];
    let addresses = workers.iter().map(|probed| probed.address.clone()).enumerate();
    let left: Arc<Mutex<VecDeque<(usize, String)>>> = Arc::new(Mutex::new(addresses.collect()));
    let (told, mut hear) = mpsc::unbounded_channel();
    for _ in 0..workers.len().min(LANES) {
        let (inner, left, told) = (env.clone(), Arc::clone(&left), told.clone());
        env.spawn("ask workers", async move {
            let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some((nth, address)) = next() {
                let answer = inner.probe(&address, patience).await;
                // Whoever asked may have stopped.
                let _gone = told.send((nth, answer));
            }
        });
    }
    drop(told);
    while let Some((nth, answer)) = hear.recv().await {
        answers[nth] = answer;
    }
    answers
}

/// A worker that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probed {
    worker: WorkerId,
    address: String,
    healthy: bool,
}

impl Probed {
    /// Who is stopping gets nothing anyway, and who is over is not there.
    fn of(worker: &Worker) -> Option<Self> {
        let serves = matches!(worker.state, WorkerState::Active | WorkerState::Suspect);
        let address = worker.labels.get(PROBE_LABEL).filter(|_| serves)?.clone();
        Some(Self { worker: worker.id(), address, healthy: worker.healthy })
    }
}

/// Finds those that can be asked.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct FindProbed {
    found: Vec<Probed>,
}

impl Step for FindProbed {
    type Output = Vec<Probed>;

    const NAME: &'static str = "find probed";

    async fn load<T: Transaction>(&mut self, tx: &mut T, _: &mut Unit) -> Load<()> {
        self.found = tx.workers(None).await?.iter().filter_map(Probed::of).collect();
        Ok(())
    }

    fn decide(&mut self, _: &mut Unit) -> Result<Self::Output, Again> {
        Ok(std::mem::take(&mut self.found))
    }
}

/// Marks workers as what they were heard to be.
#[derive(Serialize, Deserialize)]
pub(crate) struct Heed {
    heard: Vec<Heard>,
}

impl Step for Heed {
    type Output = Vec<Heard>;

    const NAME: &'static str = "heed probes";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let names: Vec<WorkerName> = self.heard.iter().map(|h| h.worker.name.clone()).collect();
        drive::named_workers(tx, unit, &names).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(sweep::heed_probes(unit, &self.heard))
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::Incarnation;

    use super::*;

    const STALE: Span = Span::from_secs(15);

    fn id(name: &str) -> WorkerId {
        WorkerId { name: WorkerName::new(name), incarnation: Incarnation(1) }
    }

    fn weigh(prober: &mut Prober, answer: Answer, secs: u64) -> Option<bool> {
        prober.weigh(&id("ada"), answer, Timestamp::from_micros(secs * 1_000_000), STALE)
    }

    #[test]
    fn a_worker_is_believed_and_silence_counts_once_it_has_lasted() {
        let prober = &mut Prober::default();
        assert_eq!(weigh(prober, Answer::Moves(id("ada")), 100), Some(true));
        assert_eq!(weigh(prober, Answer::Hangs(id("ada"), String::new()), 101), Some(false));
        assert_eq!(weigh(prober, Answer::Silence, 116), None);
        assert_eq!(weigh(prober, Answer::Silence, 117), Some(false));
        assert_eq!(weigh(prober, Answer::Silence, 900), None, "once is enough");
        assert_eq!(weigh(prober, Answer::Moves(id("ada")), 901), Some(true));
        assert_eq!(weigh(prober, Answer::Silence, 917), Some(false));
    }

    #[test]
    fn an_address_that_never_answered_is_held_against_nobody() {
        let prober = &mut Prober::default();
        assert_eq!(weigh(prober, Answer::Silence, 100), None);
        assert_eq!(weigh(prober, Answer::Silence, 1_000), None);
    }

    #[test]
    fn another_at_the_address_says_nothing_of_this_one() {
        let prober = &mut Prober::default();
        assert_eq!(weigh(prober, Answer::Hangs(id("bob"), String::new()), 100), None);
        assert_eq!(weigh(prober, Answer::Moves(id("ada")), 101), Some(true));
        assert_eq!(weigh(prober, Answer::Moves(id("bob")), 117), Some(false));
    }
}
