//! What clients asked for and what they were told: the truth that the engine is held to from
//! outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_core::ExecutionId;
use steadfast_core::catalogue::LawId;

use crate::deployment::Deployment;
use crate::plan::Item;
use crate::sync::lock;
use crate::{World, kinds};

/// The clients' own books. Clones are the same.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    items: BTreeMap<u64, Entry>,
    open: usize,
}

#[derive(Default)]
struct Entry {
    keyed: bool,
    /// How often it was sent.
    tries: u64,
    /// Which executions the client was told of.
    told: BTreeSet<ExecutionId>,
}

impl Ledger {
    /// Starts a client for each item of a workload.
    pub fn open(&self, deployment: &Deployment, workload: &[Item]) {
        lock(&self.0).open = workload.len();
        let (ledger, deployment) = (self.clone(), deployment.clone());
        let items: Arc<[Item]> = workload.into();
        let world = deployment.world().clone();
        world.node("clients", move |_| {
            for nth in 0..items.len() {
                let (ledger, deployment, items) =
                    (ledger.clone(), deployment.clone(), Arc::clone(&items));
                madsim::task::spawn(async move {
                    ledger.submit(&deployment, nth as u64, &items[nth]).await;
                });
            }
            std::future::pending()
        });
    }

    async fn submit(&self, deployment: &Deployment, nth: u64, item: &Item) {
        let world = deployment.world();
        world.wait(Duration::from_millis(item.at_ms)).await;
        let key = item.keyed.then(|| format!("item-{nth}"));
        let mut parameters = item.parameters.clone();
        if let Value::Object(map) = &mut parameters {
            map.insert("item".into(), json!(nth));
        }
        let mut accepted = None;
        loop {
            self.note_try(nth, item.keyed);
            let parameters = parameters.clone();
            let answer = deployment.submit_once(&item.action, parameters, key.as_deref()).await;
            if let Some(Ok(id)) = answer {
                world.log(crate::Node::WORLD, &kinds::ACCEPTED, &[nth, id.0]);
                self.note_told(nth, id);
                accepted = Some(id);
            }
            // Without a key a client that knows nothing must not ask again.
            if accepted.is_some() || !item.keyed {
                break;
            }
            world.wait(Duration::from_millis(500)).await;
        }
        if accepted.is_none() {
            world.log(crate::Node::WORLD, &kinds::REFUSED, &[nth]);
        }
        if let (Some(id), Some(after)) = (accepted, item.cancel_after_ms) {
            world.wait(Duration::from_millis(after)).await;
            deployment.cancel(id).await;
        }
        lock(&self.0).open -= 1;
    }

    /// A story submits something with a key of its own, until it is told of an execution.
    pub(crate) fn note_story(&self, item: u64) {
        self.note_try(item, true);
    }

    /// A client was told that its submission is this execution.
    pub(crate) fn note_told(&self, item: u64, id: ExecutionId) {
        lock(&self.0).items.entry(item).or_default().told.insert(id);
    }

    fn note_try(&self, nth: u64, keyed: bool) {
        let mut books = lock(&self.0);
        let entry = books.items.entry(nth).or_default();
        (entry.keyed, entry.tries) = (keyed, entry.tries + 1);
    }

    /// Whether every client has done what it wanted.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        lock(&self.0).open == 0
    }

    /// S22: each accepted submission is exactly one execution, and nothing else was created.
    pub fn judge(&self, world: &World) {
        let books = lock(&self.0);
        let mut created: BTreeMap<u64, BTreeSet<ExecutionId>> = BTreeMap::new();
        world.see_rows(|rows| {
            for execution in rows.executions.iter().filter(|e| e.place.is_none()) {
                let item = rows.parameters.get(&execution.id).and_then(|p| p["item"].as_u64());
                if let Some(item) = item {
                    created.entry(item).or_default().insert(execution.id);
                }
            }
        });
        for (item, entry) in &books.items {
            let made = created.remove(item).unwrap_or_default();
            let most = if entry.keyed { 1 } else { entry.tries as usize };
            if made.len() > most {
                world.violate(LawId::S22, format!("item {item} was submitted and became {made:?}"));
            }
            if entry.told.len() > 1 {
                let told = &entry.told;
                world.violate(LawId::S22, format!("item {item} was answered with {told:?}"));
            }
            let lost = |id: &&ExecutionId| !made.contains(id) && !world.was_dropped(**id);
            if let Some(lost) = entry.told.iter().find(lost) {
                world.violate(
                    LawId::S22,
                    format!("item {item} was accepted as {lost}, which is not there"),
                );
            }
        }
        if let Some((item, made)) = created.into_iter().next() {
            world.violate(
                LawId::S22,
                format!("nobody submitted item {item}, and there is {made:?}"),
            );
        }
    }
}
