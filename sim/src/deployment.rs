//! A deployment: executors, workers and API nodes, each a process that the real assembly starts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use steadfast_core::effect::{EffectInput, EffectKind, Target, Trigger, Wish};
use steadfast_core::execution::Idempotency;
use steadfast_core::schedule::{Plan, ScheduleName};
use steadfast_core::submit::Submission;
use steadfast_core::worker::WorkerInput;
use steadfast_core::{ActionRef, ExecutionId, Span, Transport, WorkerName};
use steadfast_services::assembly::{Doors, open_doors, start_executor};
use steadfast_services::port::{PROBE_LABEL, Runner};
use steadfast_services::service::control::{self, QueueChange};
use steadfast_services::service::effects::{self, Place};
use steadfast_services::service::heartbeat::Introduction;
use steadfast_services::service::work::{Progress, StopSignals, WorkerConfig, work};
use steadfast_services::service::{retention, schedule};
use tokio_util::sync::CancellationToken;

use crate::actions::SimRunner;
use crate::env::{SimEnv, Terms};
use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::library::Library;
use crate::process::Process;
use crate::sync::lock;
use crate::{Node, World, kinds};

/// How long a client waits for an answer before it takes it for lost.
const CLIENT_PATIENCE: Duration = Duration::from_secs(8);

/// How many processes of each sort there are, and what they are like.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Nodes that decide.
    pub executors: u32,
    /// Nodes that run actions.
    pub workers: u32,
    /// Nodes that take submissions.
    pub apis: u32,
    /// How many attempts a worker runs at once.
    pub capacity: u32,
    /// How often a worker renews its lease.
    pub renew_interval: Span,
    /// How often a worker looks for work without a hint.
    pub poll_interval: Span,
    /// How long a stopping worker lets its work finish.
    pub shutdown_timeout: Span,
    /// Whether each worker has a witness beside it.
    pub witnesses: bool,
    /// What all are configured with.
    pub terms: Terms,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            executors: 2,
            workers: 2,
            apis: 1,
            capacity: 4,
            renew_interval: Span::from_secs(1),
            poll_interval: Span::from_secs(1),
            shutdown_timeout: Span::from_secs(5),
            witnesses: false,
            terms: Terms {
                settings: steadfast_core::settings::Settings::DEFAULT,
                transport: steadfast_core::Transport::Embedded,
                batch_size: 16,
            },
        }
    }
}

/// What an operator does; its number is what the log has of it.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Cancel,
    ChangeQueues,
    Cordon,
    Drain,
    Retain,
    Schedule,
    Effect,
}

/// A running deployment. Clones are the same.
#[derive(Clone)]
pub struct Deployment(Arc<Inner>);

struct Inner {
    world: World,
    library: Arc<Library>,
    fleet: Fleet,
    executors: Vec<Node>,
    workers: Vec<Node>,
    apis: Vec<Node>,
    posts: Arc<Posts>,
    ledger: Ledger,
}

/// Where requests for the API nodes and signals for the workers are left.
#[derive(Default)]
struct Posts {
    apis: Mutex<BTreeMap<Node, (Process, SimEnv, Doors)>>,
    workers: Mutex<BTreeMap<Node, StopSignals>>,
    /// How processes that start from now on carry work, if not as the fleet says.
    transport: Mutex<Option<Transport>>,
    /// How nodes are configured that are to be unlike the others.
    unlike: Mutex<BTreeMap<Node, Terms>>,
}

impl Posts {
    /// What a process that starts now is configured with.
    fn terms(&self, node: Node, fleet: &Fleet) -> Terms {
        let transport = lock(&self.transport).unwrap_or(fleet.terms.transport);
        let terms = lock(&self.unlike).get(&node).copied().unwrap_or(fleet.terms);
        Terms { transport, ..terms }
    }
}

impl World {
    /// Starts a deployment.
    #[must_use]
    pub fn deploy(&self, fleet: Fleet, library: Arc<Library>) -> Deployment {
        self.set_settings(fleet.terms.settings);
        let posts = Arc::new(Posts::default());
        let to_clear = Arc::clone(&posts);
        lock(&self.0.last_acts).push(Box::new(move || lock(&to_clear.apis).clear()));
        let make = |count: u32, name: &str, start: &dyn Fn(&str) -> Node| -> Vec<Node> {
            (1..=count).map(|nth| start(&format!("{name}-{nth}"))).collect()
        };
        let executors = make(fleet.executors, "executor", &|name| {
            start_executor_node(self, name, &fleet, &library, &posts)
        });
        let workers = make(fleet.workers, "worker", &|name| {
            start_worker_node(self, name, &fleet, &library, &posts)
        });
        let apis =
            make(fleet.apis, "api", &|name| start_api_node(self, name, &fleet, &library, &posts));
        let world = self.clone();
        let ledger = Ledger::default();
        Deployment(Arc::new(Inner {
            world,
            library,
            fleet,
            executors,
            workers,
            apis,
            posts,
            ledger,
        }))
    }
}

fn start_executor_node(
    world: &World,
    name: &str,
    fleet: &Fleet,
    library: &Arc<Library>,
    posts: &Arc<Posts>,
) -> Node {
    let (fleet, library, posts) = (fleet.clone(), Arc::clone(library), Arc::clone(posts));
    world.node(name, move |me| {
        let env = SimEnv::new(me.clone(), posts.terms(me.node(), &fleet), Arc::clone(&library));
        async move {
            start_executor(&env, &CancellationToken::new());
            std::future::pending::<()>().await;
        }
    })
}

fn start_worker_node(
    world: &World,
    name: &str,
    fleet: &Fleet,
    library: &Arc<Library>,
    posts: &Arc<Posts>,
) -> Node {
    let has_witness = fleet.witnesses;
    let (fleet, library, posts) = (fleet.clone(), Arc::clone(library), Arc::clone(posts));
    let worker = WorkerName::new(name);
    let (beside, its_terms) = (Arc::clone(&library), (fleet.clone(), Arc::clone(&posts)));
    let node = world.node(name, move |me| {
        let env = SimEnv::new(me.clone(), posts.terms(me.node(), &fleet), Arc::clone(&library));
        let runner = SimRunner::new(me.clone(), Arc::clone(&library));
        let progress = Progress::default();
        me.answer_probes(progress.clone(), runner.starts());
        let config = WorkerConfig {
            progress,
            introduction: Introduction {
                name: worker.clone(),
                runtimes: runner.runtimes(),
                labels: [(PROBE_LABEL.to_owned(), me.probe_address())].into(),
                capacity: fleet.capacity,
            },
            renew_interval: fleet.renew_interval.min(env.lease_share()),
            poll_interval: fleet.poll_interval,
            shutdown_timeout: fleet.shutdown_timeout,
        };
        let signals = StopSignals::default();
        lock(&posts.workers).insert(me.node(), signals.clone());
        async move {
            work(env, runner, config, signals.clone()).await;
            if !signals.drain.is_cancelled() && !signals.now.is_cancelled() {
                me.world().demand_that_it_goes_on(&me);
            }
            me.world().exit(&me);
        }
    });
    if has_witness {
        world.start_witness(node, move || its_terms.1.terms(node, &its_terms.0), &beside);
    }
    node
}

fn start_api_node(
    world: &World,
    name: &str,
    fleet: &Fleet,
    library: &Arc<Library>,
    posts: &Arc<Posts>,
) -> Node {
    let (fleet, library, posts) = (fleet.clone(), Arc::clone(library), Arc::clone(posts));
    world.node(name, move |me| {
        let env = SimEnv::new(me.clone(), posts.terms(me.node(), &fleet), Arc::clone(&library));
        let posts = Arc::clone(&posts);
        async move {
            let doors = open_doors(&env);
            lock(&posts.apis).insert(me.node(), (me, env, doors));
            std::future::pending::<()>().await;
        }
    })
}

impl Deployment {
    /// The world that it is in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// What it was started with.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.0.fleet
    }

    /// The actions and workflows that it knows.
    #[must_use]
    pub fn library(&self) -> &Arc<Library> {
        &self.0.library
    }

    /// The nodes that decide.
    #[must_use]
    pub fn executors(&self) -> &[Node] {
        &self.0.executors
    }

    /// The nodes that run actions.
    #[must_use]
    pub fn workers(&self) -> &[Node] {
        &self.0.workers
    }

    /// The nodes that take submissions.
    #[must_use]
    pub fn apis(&self) -> &[Node] {
        &self.0.apis
    }

    /// What the story itself has submitted, and what it was told.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Starts one more process under the name of a worker.
    #[must_use]
    pub fn start_twin(&self, worker: Node) -> Node {
        let Inner { world, library, fleet, posts, .. } = &*self.0;
        start_worker_node(world, &world.name_of(worker), fleet, library, posts)
    }

    /// Processes that start from now on carry what is submitted in this way.
    pub fn change_transport(&self, transport: Transport) {
        *lock(&self.0.posts.transport) = Some(transport);
    }

    /// Starts a node again with a configuration unlike that of the others.
    pub fn reconfigure(&self, node: Node, batch_size: usize, sweep_interval: Span, half: bool) {
        let mut terms = self.0.fleet.terms;
        terms.batch_size = batch_size;
        terms.settings.sweep_interval = sweep_interval;
        if half {
            let micros = |span: Span| Span::from_micros(span.as_micros() / 2);
            terms.settings.lease = micros(terms.settings.lease);
            terms.settings.beat_overdue = micros(terms.settings.beat_overdue);
        }
        lock(&self.0.posts.unlike).insert(node, terms);
        self.world().kill(node);
        self.world().restart(node);
        self.world().strike_node(Fault::Reconfigure, node);
    }

    /// Asks a worker to finish what it has and to stop.
    pub fn drain(&self, worker: Node) {
        if let Some(signals) = lock(&self.0.posts.workers).get(&worker) {
            signals.drain.cancel();
            self.world().strike_node(Fault::Drain, worker);
        }
    }

    /// One try to submit, at whichever API node is up. `None` if none answers.
    pub async fn try_submit(
        &self,
        action: &str,
        parameters: Value,
        key: Option<&str>,
    ) -> Option<Result<ExecutionId, String>> {
        let (_, _, doors) = self.door()?;
        let answer = doors.submitter.send(self.submission(action, &parameters, key)).await.ok()?;
        Some(match answer {
            Ok(submitted) => Ok(submitted.id()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// One try to submit by a client that does not wait for ever.
    pub(crate) async fn submit_once(
        &self,
        action: &str,
        parameters: Value,
        key: Option<&str>,
    ) -> Option<Result<ExecutionId, String>> {
        let answer = self.try_submit(action, parameters, key);
        madsim::time::timeout(CLIENT_PATIENCE, answer).await.ok()?
    }

    fn submission(&self, action: &str, parameters: &Value, key: Option<&str>) -> Submission {
        let prepared = self.0.library.prepare(action, parameters.clone());
        let fingerprint = format!("{action} {parameters}");
        let idempotency = key.map(|key| Idempotency { key: key.to_owned(), fingerprint });
        let wishes = wishes_of(parameters["item"].as_u64());
        Submission { prepared, idempotency, retry_of: None, wishes }
    }

    /// Two clients submit with one key at once, each at an API node of its own. `None` for one that
    /// was not answered.
    pub async fn submit_at_two_doors(
        &self,
        key: &str,
        one: (&str, Value),
        other: (&str, Value),
    ) -> (Option<Result<ExecutionId, String>>, Option<Result<ExecutionId, String>>) {
        let doors: Vec<Doors> =
            lock(&self.0.posts.apis).values().map(|(_, _, doors)| doors.clone()).collect();
        let submit = async |doors: Option<&Doors>, (action, parameters): (&str, Value)| {
            let answer = doors?.submitter.send(self.submission(action, &parameters, Some(key)));
            let answer = madsim::time::timeout(CLIENT_PATIENCE, answer).await.ok()?.ok()?;
            Some(answer.map(|submitted| submitted.id()).map_err(|error| error.to_string()))
        };
        tokio::join!(submit(doors.first(), one), submit(doors.last(), other))
    }

    /// Submits until it is accepted, with a key of its own, and returns the execution.
    pub async fn enqueue(&self, action: &str, mut parameters: Value) -> ExecutionId {
        let nth = self.world().next_submission();
        let key = format!("story-{nth}");
        if let Value::Object(map) = &mut parameters {
            map.insert("item".into(), nth.into());
        }
        loop {
            self.0.ledger.note_story(nth);
            let answer = self.submit_once(action, parameters.clone(), Some(&key)).await;
            if let Some(Ok(id)) = answer {
                self.0.ledger.note_told(nth, id);
                self.world().log(Node::WORLD, &kinds::ACCEPTED, &[nth, id.0]);
                return id;
            }
            self.world().wait(Duration::from_millis(100)).await;
        }
    }

    /// Cancels an execution, at whichever API node is up. Whether somebody heard it.
    pub async fn cancel(&self, id: ExecutionId) -> bool {
        self.world().strike_node(Fault::Cancel, Node::WORLD);
        self.operate(Operation::Cancel, id.0, move |env| async move {
            control::cancel(&env, id).await.is_ok()
        })
        .await
    }

    /// Lets go of everything that ended longer ago than `keep`, by the service that executors run.
    /// Whether it was done.
    pub async fn retain(&self, keep: Duration) -> bool {
        self.world().strike_node(Fault::Retention, Node::WORLD);
        let keep = Span::from(keep);
        self.operate(Operation::Retain, 0, move |env| async move {
            retention::retain(&env, keep).await.is_ok()
        })
        .await
    }

    /// Creates a schedule. Whether it is there.
    pub async fn schedule(&self, name: &str, plan: Arc<Plan>) -> bool {
        let name = ScheduleName::new(name);
        self.operate(Operation::Schedule, 0, move |env| async move {
            matches!(schedule::create(&env, name, plan).await, Ok(Ok(_)))
        })
        .await
    }

    /// Tells a schedule something. Whether somebody heard it.
    pub async fn tell_schedule(&self, name: &str, order: schedule::Order) -> bool {
        let name = ScheduleName::new(name);
        self.operate(Operation::Schedule, 0, move |env| async move {
            schedule::tell(&env, name, order).await.is_ok()
        })
        .await
    }

    /// Creates a schedule as soon as an API node does it, and does not wait.
    pub fn ask_to_schedule(&self, name: &str, plan: Arc<Plan>) {
        let (deployment, name) = (self.clone(), name.to_owned());
        self.ask(async move { deployment.schedule(&name, plan).await });
    }

    /// Has an effect tried again or given up, by its place in the plan. Whether somebody heard it,
    /// whatever was answered.
    pub async fn control_effect(&self, of: ExecutionId, index: u32, input: EffectInput) -> bool {
        let place = Place { execution: of, index };
        let control = move |env| async move { effects::control(&env, place, input).await.is_ok() };
        self.operate(Operation::Effect, of.0, control).await
    }

    /// Cordons a worker, or takes that back, as soon as an API node does it, and does not wait.
    pub fn ask_to_cordon(&self, worker: &str, cordoned: bool) {
        let (deployment, worker) = (self.clone(), worker.to_owned());
        self.ask(async move { deployment.cordon(&worker, cordoned).await });
    }

    /// Cordons a worker, or takes that back. Whether somebody heard it.
    pub async fn cordon(&self, worker: &str, cordoned: bool) -> bool {
        self.world().strike_node(Fault::Cordon, Node::WORLD);
        self.tell_worker(Operation::Cordon, worker, WorkerInput::Cordon(cordoned)).await
    }

    /// An operator orders that a worker takes nothing new. Whether somebody heard it.
    pub async fn order_to_drain(&self, worker: Node) -> bool {
        self.world().strike_node(Fault::Drain, worker);
        let name = self.world().name_of(worker);
        self.tell_worker(Operation::Drain, &name, WorkerInput::AskToDrain).await
    }

    async fn tell_worker(&self, operation: Operation, worker: &str, input: WorkerInput) -> bool {
        let name = WorkerName::new(worker);
        let tell = move |env| async move { control::tell(&env, &name, input).await.is_ok() };
        self.operate(operation, 0, tell).await
    }

    /// Changes all queues of an action as soon as an API node does it, and does not wait.
    pub fn ask_to_change(&self, action: &str, change: QueueChange) {
        let (deployment, action) = (self.clone(), action.to_owned());
        self.ask(async move { deployment.change_queues(&action, change).await });
    }

    /// Lets an API node see to something, unless none was ever started.
    fn ask(&self, task: impl Future<Output = bool> + Send + 'static) {
        if let Some(handle) = self.0.apis.first().and_then(|api| self.world().handle_of(*api)) {
            handle.spawn(task);
        }
    }

    /// Changes all queues of an action. Whether somebody heard it.
    pub async fn change_queues(&self, action: &str, change: QueueChange) -> bool {
        let fault = match change {
            QueueChange::Pause(_) => Fault::PauseQueue,
            _ => Fault::ChangeLimit,
        };
        self.world().strike_node(fault, Node::WORLD);
        let action = ActionRef::new(action);
        let declared = self.0.library.definition(action.as_str()).and_then(|d| d.concurrency_limit);
        self.operate(Operation::ChangeQueues, 0, move |env| async move {
            control::change_queues(&env, &action, declared, change).await.is_ok()
        })
        .await
    }

    async fn operate<F, Fut>(&self, operation: Operation, about: u64, act: F) -> bool
    where
        F: FnOnce(SimEnv) -> Fut + Send + 'static,
        Fut: Future<Output = bool> + Send,
    {
        let Some((me, env, _)) = self.door() else { return false };
        self.world().log(me.node(), &kinds::OPERATED, &[operation as u64, about]);
        let handle = self.world().handle_of(me.node());
        let Some(handle) = handle else { return false };
        // It runs on the API node, and dies with it.
        let task = handle.spawn(async move { act(env).await });
        tokio::select! {
            biased;
            done = task => done.unwrap_or(false),
            () = crate::time::sleep(Duration::from_secs(30)) => false,
        }
    }

    /// An API node that is up.
    fn door(&self) -> Option<(Process, SimEnv, Doors)> {
        let apis = lock(&self.0.posts.apis);
        let mut up =
            apis.values().filter(|(me, _, _)| me.is_alive() && self.world().is_up(me.node()));
        up.next().cloned()
    }
}

/// Whom the end of a submission is told to: of one half of them nobody, of the others somebody in
/// any case, or one of two.
fn wishes_of(item: Option<u64>) -> Vec<Wish> {
    let wish = |trigger, target: &str| {
        let (kind, target) = (EffectKind::Webhook, Target::new(target));
        Wish { trigger, kind, target }
    };
    match item.map(|item| item % 4) {
        Some(0) => vec![wish(Trigger::Ended, "observer")],
        Some(1) => {
            vec![wish(Trigger::Completed, "receipts"), wish(Trigger::Unsuccessful, "pager")]
        }
        _ => Vec::new(),
    }
}
