//! Advance: move workflow runs forward, many in one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use steadfast_core::decision::Message;
use steadfast_core::execution::Execution;
use steadfast_core::unit::Unit;
use steadfast_core::workflow::{self, Facts, Need, Program, TaskResult, Visit, VisitState, abort};
use steadfast_core::{DefinitionHash, ExecutionId, QueueKey, Status, TaskKey, WorkerId, claim};

use super::HandleHints;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Delivery, Env, Load, Pointer, StoreError, Transaction, VisitResult, Workflow};
use crate::recent::Recent;

/// Advances runs, and remembers what it has read and what never changes: the parameters of a run,
/// and what finished tasks left. An expression in each of a thousand items may refer to it.
#[derive(Clone, Debug, Default)]
pub struct Advancer {
    parameters: Recent<ExecutionId, Arc<Value>>,
    results: Recent<TaskKey, TaskResult>,
}

impl HandleHints for Advancer {
    async fn handle<E: Env>(&self, env: &E, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let runs = deliveries.iter().filter_map(|delivery| match &delivery.message {
            Message::Advance(run) => Some(*run),
            _ => None,
        });
        let runs: BTreeSet<ExecutionId> = runs.collect();
        self.advance(env, runs.into_iter().collect()).await
    }
}

impl Advancer {
    /// Advances runs as far as they go.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn advance<E: Env>(&self, env: &E, runs: Vec<ExecutionId>) -> Result<(), StoreError> {
        drive(env, &mut Advance::new(env.clone(), self.clone(), runs)).await
    }
}

/// How many ended children of one run are folded in by one commit.
const CHILDREN: u32 = 256;

struct Advance<E> {
    env: E,
    advancer: Advancer,
    moves: Moves,
}

/// What is asked of the core.
#[derive(Serialize, Deserialize)]
pub(crate) struct Moves {
    runs: Vec<ExecutionId>,
    #[serde(skip)]
    programs: BTreeMap<DefinitionHash, Option<Arc<dyn Workflow>>>,
    facts: BTreeMap<ExecutionId, Facts>,
    /// What decisions asked for: results, pages and queues that are loaded from now on.
    results: BTreeSet<TaskKey>,
    pages: BTreeSet<(TaskKey, u32)>,
    queues: BTreeSet<QueueKey>,
    /// Who could be assigned the children that start at once, with their loads.
    takers: Option<Vec<(WorkerId, u32)>>,
}

impl<E: Env> Advance<E> {
    fn new(env: E, advancer: Advancer, runs: Vec<ExecutionId>) -> Self {
        let moves = Moves {
            runs,
            programs: BTreeMap::new(),
            facts: BTreeMap::new(),
            results: BTreeSet::new(),
            pages: BTreeSet::new(),
            queues: BTreeSet::new(),
            takers: None,
        };
        Self { env, advancer, moves }
    }

    async fn load_programs(&mut self, pointers: &[Pointer]) -> Load<()> {
        for pointer in pointers {
            if !self.moves.programs.contains_key(&pointer.definition) {
                let workflow = self.env.workflow(&pointer.definition).await?;
                self.moves.programs.insert(pointer.definition.clone(), workflow);
            }
        }
        Ok(())
    }

    /// The queues of the runs themselves, of the children that they may start, and of the children
    /// that are to be stopped.
    async fn lock_queues<T: Transaction>(
        &mut self,
        tx: &mut T,
        unit: &mut Unit,
        pointers: &[Pointer],
        to_stop: &[Pointer],
    ) -> Load<()> {
        let mut keys = self.moves.queues.clone();
        keys.extend(pointers.iter().chain(to_stop).map(|p| p.queue.clone()));
        for program in self.moves.programs.values().flatten() {
            let tasks = program.graph().tasks.iter();
            keys.extend(tasks.map(|task| QueueKey::of(&task.action, None)));
        }
        drive::queues(tx, unit, &keys, pointers.len() + to_stop.len()).await
    }

    /// How many identities the decision may need: the free places of windows, and what the tasks
    /// that may start now begin with. Too few costs another commit, too many leaves gaps.
    fn ids_needed(&self, unit: &Unit) -> u32 {
        let mut needed = 0u32;
        for id in &self.moves.runs {
            let Some(execution) = unit.execution(*id) else { continue };
            let Some(program) = self.moves.program(execution) else { continue };
            let graph = program.graph();
            let mine = |v: &&Visit| v.key.run == *id;
            let visits: Vec<&Visit> = unit.visits.iter().filter(mine).collect();
            let ended = unit.executions().filter(|e| e.parent() == Some(*id)).count() as u32;
            let blind = unit.is_planted("window_counts_started_items_only");
            let room = |v: &Visit| if blind { v.whole_window() } else { v.room() };
            needed += visits.iter().map(|v| room(v) + ended.min(v.total - v.created)).sum::<u32>();
            let first = execution.status == Status::Ready;
            if first || visits.iter().any(|v| v.ended + ended >= v.total) {
                let window = |t: &workflow::Task| {
                    t.with_items.as_ref().map_or(1, |with| with.concurrency.min(CHILDREN))
                };
                needed += if first {
                    graph.entries().into_iter().map(window).sum::<u32>()
                } else {
                    graph.tasks.iter().map(window).sum::<u32>()
                };
            }
        }
        needed.min(4096)
    }

    /// Loads what the decisions of the runs will look at beside the rows.
    async fn load_facts<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        self.moves.facts = self.moves.runs.iter().map(|run| (*run, Facts::default())).collect();
        self.load_parameters(tx).await?;
        let failed = |e: &&Execution| e.awaits_folding() && e.status != Status::Completed;
        let failed: Vec<(ExecutionId, Option<ExecutionId>)> =
            unit.executions().filter(failed).map(|e| (e.id, e.parent())).collect();
        if !failed.is_empty() {
            let ids: Vec<ExecutionId> = failed.iter().map(|(id, _)| *id).collect();
            let parents: BTreeMap<ExecutionId, Option<ExecutionId>> = failed.into_iter().collect();
            for (id, error) in tx.errors(&ids).await? {
                if let Some(Some(run)) = parents.get(&id) {
                    self.facts_of(*run).errors.insert(id, error);
                }
            }
        }
        self.load_pages(tx, unit).await?;
        self.load_results(tx).await
    }

    async fn load_parameters<T: Transaction>(&mut self, tx: &mut T) -> Load<()> {
        let mut wanted = Vec::new();
        for run in self.moves.runs.clone() {
            match self.advancer.parameters.recall(&run) {
                Some(parameters) => self.facts_of(run).parameters = parameters,
                None => wanted.push(run),
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        for (run, parameters) in tx.parameters(&wanted).await? {
            let parameters = Arc::new(parameters);
            self.advancer.parameters.remember(run, Arc::clone(&parameters));
            self.facts_of(run).parameters = parameters;
        }
        Ok(())
    }

    async fn load_pages<T: Transaction>(&mut self, tx: &mut T, unit: &Unit) -> Load<()> {
        let size = steadfast_core::decision::ItemPage::SIZE;
        let mut pages = self.moves.pages.clone();
        let filling =
            |v: &&Visit| v.listed && v.state == VisitState::Running && v.created < v.total;
        for visit in unit.visits.iter().filter(filling) {
            let first = visit.created * visit.batch_size;
            pages.insert((visit.key.clone(), first / size));
        }
        if pages.is_empty() {
            return Ok(());
        }
        let pages: Vec<(TaskKey, u32)> = pages.into_iter().collect();
        for page in tx.items(&pages).await? {
            let run = page.visit.run;
            self.facts_of(run).items.insert((page.visit, page.page), page.items);
        }
        Ok(())
    }

    async fn load_results<T: Transaction>(&mut self, tx: &mut T) -> Load<()> {
        if self.moves.results.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for key in self.moves.results.clone() {
            match self.advancer.results.recall(&key) {
                Some(result) => drop(self.facts_of(key.run).results.insert(key, result)),
                None => wanted.push(key),
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let mut rows: BTreeMap<TaskKey, Vec<VisitResult>> = BTreeMap::new();
        for row in tx.visit_results(&wanted).await? {
            rows.entry(row.visit.clone()).or_default().push(row);
        }
        for key in wanted {
            let result = gather(rows.remove(&key).unwrap_or_default());
            self.advancer.results.remember(key.clone(), result.clone());
            self.facts_of(key.run).results.insert(key, result);
        }
        Ok(())
    }

    fn facts_of(&mut self, run: ExecutionId) -> &mut Facts {
        self.moves.facts.entry(run).or_default()
    }
}

/// The result of a visit: its only execution's, or all of them in order of their place.
fn gather(rows: Vec<VisitResult>) -> TaskResult {
    let listed = rows.first().is_none_or(|row| row.index.is_some());
    let failed = rows.iter().find(|row| row.status != Status::Completed);
    let status = failed.map_or(Status::Completed, |row| row.status);
    let error = failed.and_then(|row| row.outcome.error.clone());
    let mut results = rows.into_iter().map(|row| row.outcome.result);
    let result = if listed {
        Value::Array(results.collect())
    } else {
        results.next().unwrap_or(Value::Null)
    };
    TaskResult { status, result: Arc::new(result), error }
}

/// The step's name.
pub(crate) const NAME: &str = "advance";

impl<E: Env> Step for Advance<E> {
    type Output = ();

    const NAME: &'static str = NAME;

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let pointers = tx.pointers(&self.moves.runs).await?;
        self.load_programs(&pointers).await?;
        let stopping: Vec<ExecutionId> =
            pointers.iter().filter(|p| p.stopping).map(|p| p.execution).collect();
        let to_stop = if stopping.is_empty() {
            Vec::new()
        } else {
            tx.find_live_children(&stopping, CHILDREN).await?
        };
        self.lock_queues(tx, unit, &pointers, &to_stop).await?;
        for run in tx.runs(&self.moves.runs).await? {
            unit.runs.load(run);
        }
        let mut ids = self.moves.runs.clone();
        ids.extend(to_stop.iter().map(|p| p.execution));
        ids.sort_unstable();
        for execution in tx.executions(&ids).await? {
            unit.load_execution(execution);
        }
        let ended = tx.ended_children(&self.moves.runs, CHILDREN).await?;
        let mut counts: BTreeMap<ExecutionId, usize> = BTreeMap::new();
        for child in ended {
            *counts.entry(child.parent().unwrap_or(child.id)).or_default() += 1;
            unit.load_execution(child);
        }
        for visit in tx.open_visits(&self.moves.runs).await? {
            unit.visits.load(visit);
        }
        let needed = self.ids_needed(unit);
        if needed > 0 {
            unit.give_ids(tx.allocate(needed).await?);
        }
        self.load_facts(tx, unit).await?;
        let full = CHILDREN as usize;
        for (run, facts) in &mut self.moves.facts {
            let alive = to_stop
                .iter()
                .filter(|p| unit.execution(p.execution).is_some_and(|e| e.parent() == Some(*run)));
            facts.more_children =
                counts.get(run).is_some_and(|count| *count >= full) || alive.count() >= full;
        }
        self.moves.takers = drive::takers(tx, unit).await?;
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        self.moves.decide(unit)
    }
}

impl<E> Serialize for Advance<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.moves.serialize(serializer)
    }
}

impl Moves {
    /// Takes the programs of the runs from `find`, where nobody has loaded them.
    pub(crate) fn find_programs(
        &mut self,
        unit: &Unit,
        find: impl Fn(&DefinitionHash) -> Option<Arc<dyn Workflow>>,
    ) {
        let definitions = self.runs.iter().filter_map(|run| unit.execution(*run));
        let definitions: BTreeSet<_> = definitions.map(|e| e.definition.clone()).collect();
        self.programs = definitions.into_iter().map(|hash| (hash.clone(), find(&hash))).collect();
    }

    pub(crate) fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        let mut again = None;
        for id in self.runs.clone() {
            let Some(execution) = unit.execution(id).filter(|e| e.is_workflow()) else { continue };
            let Some(workflow) = self.program(execution).cloned() else {
                abort(unit, id, "its workflow definition is missing or unreadable");
                continue;
            };
            let program = Program { graph: workflow.graph(), evaluator: workflow.evaluator() };
            let facts = self.facts.entry(id).or_default();
            if let Err(need) = workflow::advance(unit, id, program, facts) {
                let next = self.note(need);
                // Go on with the other runs, to learn at once all that they need.
                again = if again == Some(Again::FromTheStart) { again } else { Some(next) };
            }
        }
        if let (None, Some(loads)) = (again, self.takers.clone()) {
            claim::assign(unit, loads);
        }
        again.map_or(Ok(()), Err)
    }

    fn program(&self, execution: &Execution) -> Option<&Arc<dyn Workflow>> {
        self.programs.get(&execution.definition)?.as_ref()
    }

    fn note(&mut self, need: Need) -> Again {
        match need {
            Need::Results(keys) => self.results.extend(keys),
            Need::Items(visit, page) => drop(self.pages.insert((visit, page))),
            Need::Queues(keys) => {
                self.queues.extend(keys);
                return Again::FromTheStart;
            }
        }
        Again::Here
    }
}
