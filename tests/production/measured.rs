//! Every metric of the interface exists, and each moves when what it speaks of happens: an engine in
//! this process on real servers, beside a worker process that is killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use steadfast_runtime::core::Span;
use steadfast_runtime::metrics::Metrics;
use steadfast_runtime::packs::{Catalog, Definition};
use steadfast_runtime::{
    Context, Engine, HandlerError, Options, Request, Roles, Servers, postgres, rabbitmq,
};
use steadfast_services::port::Query as _;
use tokio::sync::Semaphore;

use crate::deployment::Deployment;
use crate::witness::witness_of;

/// Everything that is shown: a metric with its labels, and its value.
struct Shown(BTreeMap<String, f64>);

impl Shown {
    async fn of(metrics: &Metrics, engine: &Engine) -> Self {
        let text = metrics.render(engine).await;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let value = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.trim_start_matches("steadfast_").to_owned(), value.parse().expect("a number"))
        };
        Self(lines.map(value).collect())
    }

    fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }
}

/// Looks again until the metric is more than `than`.
async fn rises(metrics: &Metrics, engine: &Engine, name: &str, than: f64) {
    let mut last = 0.0;
    for _ in 0..400 {
        last = Shown::of(metrics, engine).await.value(name);
        if last > than {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = metrics.render(engine).await;
    panic!("{name} stays at {last}, not more than {than}:\n{all}");
}

async fn submit(engine: &Engine, action: &str, parameters: Value) -> u64 {
    let request = Request { action: action.into(), parameters, ..Request::default() };
    engine.submit(request).await.expect("it is taken").id().0
}

async fn hold(context: Context, _: Value, gate: Arc<Semaphore>) -> Result<(), HandlerError> {
    tokio::select! {
        biased;
        permit = gate.acquire() => permit.expect("it stays").forget(),
        () = context.cancelled() => return Err(HandlerError::Failed("stopped".into())),
    }
    Ok(())
}

/// An engine with all roles on the deployment's servers; `short` deadlines of a few seconds.
async fn engine(deployment: &Deployment, gate: &Arc<Semaphore>) -> Engine {
    let message_queue = Some(rabbitmq::Options {
        worker_queue_ttl: Duration::from_secs(8),
        ..rabbitmq::Options::new(deployment.broker().url())
    });
    let database = postgres::Options { migrate: false, ..postgres::Options::default() };
    let database_url = deployment.database_url().to_owned();
    let mut options = Options {
        servers: Some(Servers { database_url, database, direct_url: None, message_queue }),
        roles: Roles { executor: true, worker: true },
        worker_name: String::from("here"),
        capacity: 8,
        ..Options::default()
    };
    options.settings.unschedulable_after = Span::from_secs(4);
    options.settings.sweep_interval = Span::from_millis(200);
    options.defaults.queue_timeout = Some(Span::from_secs(4));
    let mut limited = Definition::handler("m.hold");
    limited.concurrency_limit = Some(1);
    let mut brief = Definition::handler("m.brief");
    brief.timeout = Some(Span::from_millis(300));
    let mut nowhere = Catalog::default();
    nowhere.register_handler(Definition::handler("m.nowhere")).expect("it is the first");
    let free = || {
        let gate = Arc::clone(gate);
        move |context: Context, value: Value| hold(context, value, Arc::clone(&gate))
    };
    Engine::builder()
        .options(options)
        .catalog(nowhere)
        .pack(deployment.place().path("pack"))
        .handler("m.ok", async |_: Context, value: Value| Ok::<_, HandlerError>(value))
        .handler("m.fail", async |_: Context, _: Value| {
            Err::<(), _>(HandlerError::Failed("it broke".into()))
        })
        .handler_with(limited, free())
        .handler_with(brief, free())
        .handler("m.free", free())
        .start()
        .await
        .expect("it starts")
}

/// What is shown of everything, whether or not anything has happened yet.
const ALWAYS: &[&str] = &[
    "dispatch_latency_seconds_count",
    "slot_release_lag_seconds_count",
    "timeout_detection_seconds_count",
    "attempts_total{outcome=\"succeeded\"}",
    "execution_timeouts_total{kind=\"run\"}",
    "duplicate_completions_ignored_total",
    "fenced_writes_total",
    "rescues_total{reason=\"worker_lost\"}",
    "redundant_writes_skipped_total",
    "messages_published_total{type=\"hint\"}",
    "messages_redelivered_total",
    "parked_messages",
    "outbox_lag_seconds",
    "dead_letters_total",
    "law_violations_total{law=\"S6\"}",
    "gauge_age_seconds{gauge=\"queue_depth\"}",
    "worker_heartbeat_age_seconds{worker=\"here\"}",
];

#[test]
fn every_metric_is_there_and_moves() {
    let mut deployment = Deployment::new();
    let executor = tokio::runtime::Runtime::new().expect("threads");
    let gate = Arc::new(Semaphore::new(0));
    let metrics = Metrics::default();
    let engine = executor.block_on(engine(&deployment, &gate));
    executor.block_on(async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let shown = Shown::of(&metrics, &engine).await;
        for name in ALWAYS {
            assert!(shown.0.contains_key(*name), "{name} is missing in {:#?}", shown.0);
        }
        work(&metrics, &engine, &gate).await;
    });
    lose(&deployment, &executor, &metrics, &engine);
    behind_our_back(&deployment, &executor, &metrics, &engine, &gate);
    deployment.stop_the_database();
    // Messages whose work cannot be done come again.
    deployment.throw("steadfast.hints", "advance", &envelope(&json!({ "advance": 1 })));
    executor.block_on(async {
        rises(&metrics, &engine, "messages_redelivered_total", 0.0).await;
        rises(&metrics, &engine, "gauge_age_seconds{gauge=\"queue_depth\"}", 3.0).await;
    });
    deployment.start_the_database();
    executor.block_on(engine.shutdown(true));
}

/// What work does by itself.
async fn work(metrics: &Metrics, engine: &Engine, gate: &Semaphore) {
    submit(engine, "m.ok", json!({})).await;
    submit(engine, "m.fail", json!({})).await;
    submit(engine, "m.brief", json!({})).await;
    let free = submit(engine, "m.free", json!({})).await;
    submit(engine, "m.nowhere", json!({})).await;
    submit(engine, "m.hold", json!({})).await;
    rises(metrics, engine, "slots_in_use{action=\"m.hold\"}", 0.0).await;
    submit(engine, "m.hold", json!({})).await;
    for name in [
        "queue_depth{action=\"m.hold\"}",
        "oldest_waiting_seconds{action=\"m.hold\"}",
        "slots_limit{action=\"m.hold\"}",
    ] {
        rises(metrics, engine, name, 0.0).await;
    }
    engine.cancel(steadfast_runtime::core::ExecutionId(free)).await.expect("it can be cancelled");
    for name in [
        "attempts_total{outcome=\"succeeded\"}",
        "attempts_total{outcome=\"failed\"}",
        "attempts_total{outcome=\"timed_out\"}",
        "attempts_total{outcome=\"cancelled\"}",
        "execution_timeouts_total{kind=\"run\"}",
        "execution_timeouts_total{kind=\"queue\"}",
        "execution_timeouts_total{kind=\"unschedulable\"}",
        "timeout_detection_seconds_count",
        "dispatch_latency_seconds_count",
        "slot_release_lag_seconds_count",
        "messages_published_total{type=\"hint\"}",
        "outbox_lag_seconds",
        "queue_completed{action=\"m.hold\"}",
    ] {
        rises(metrics, engine, name, 0.0).await;
        if name.contains("queue\"}") {
            gate.add_permits(1);
        }
    }
}

/// A worker is killed, and messages lie in its queue.
fn lose(
    deployment: &Deployment,
    executor: &tokio::runtime::Runtime,
    metrics: &Metrics,
    engine: &Engine,
) {
    let arguments = ["worker", "--name", "ada", "--pack", "pack", "--capacity", "4"];
    let ttl = "STEADFAST__MESSAGE_QUEUE__WORKER_QUEUE_TTL_MS";
    let mut worker = deployment.steadfast(&arguments).env(ttl, "8000").start();
    worker.until("is up");
    executor.block_on(async {
        rises(metrics, engine, "worker_heartbeat_age_seconds{worker=\"ada\"}", 0.0).await;
        engine
            .tell_worker("here", steadfast_runtime::core::worker::WorkerInput::Cordon(true))
            .await
            .expect("it is told");
        submit(engine, "t.slow", json!({})).await;
    });
    deployment.until_begun(1);
    let workers = executor.block_on(engine.query().workers()).expect("they can be read");
    let ada = workers.iter().find(|(worker, _)| worker.name.as_str() == "ada");
    let incarnation = ada.expect("it has registered").0.incarnation.0;
    // With its witness, so that somebody has to find out.
    worker.signal(Signal::STOP);
    kill_process(witness_of(worker.pid()), Signal::KILL).expect("it is there");
    worker.signal(Signal::KILL);
    let key = format!("worker.ada.{incarnation}");
    let offer = json!({ "offer": {
        "worker": { "name": "ada", "incarnation": incarnation }, "execution": 1, "token": 1,
    }});
    for _ in 0..3 {
        deployment.throw("steadfast.hints", &key, &envelope(&offer));
    }
    executor.block_on(async {
        rises(metrics, engine, "worker_queue_depth{worker=\"ada\"}", 0.0).await;
        rises(metrics, engine, "dead_letters_total", 2.0).await;
        rises(metrics, engine, "attempts_total{outcome=\"lost\"}", 0.0).await;
        rises(metrics, engine, "rescues_total{reason=\"worker_lost\"}", 0.0).await;
        rises(metrics, engine, "worker_heartbeat_age_seconds{worker=\"ada\"}", 1.0).await;
        engine
            .tell_worker("here", steadfast_runtime::core::worker::WorkerInput::Cordon(false))
            .await
            .expect("it is told");
    });
}

/// What happens only if somebody meddles: rows are changed by hand, and bytes sent that nobody can
/// read.
fn behind_our_back(
    deployment: &Deployment,
    executor: &tokio::runtime::Runtime,
    metrics: &Metrics,
    engine: &Engine,
    gate: &Semaphore,
) {
    deployment.throw("steadfast.hints", "advance", b"garbage");
    let sql = |sql: &str| deployment.database().execute("steadfast", sql).expect("it is done");
    let running = |action: &str| {
        executor.block_on(async {
            let id = submit(engine, action, json!({})).await;
            rises(metrics, engine, &format!("slots_in_use{{action=\"{action}\"}}"), 0.0).await;
            id
        })
    };
    let running_now = |id: u64| {
        crate::support::eventually("it runs", || {
            sql(&format!("SELECT status FROM steadfast.execution WHERE id = {id}")).trim() == "5"
        });
    };
    // Somebody has begun a later attempt of it.
    let fenced = running("m.free");
    running_now(fenced);
    sql(&format!(
        "UPDATE steadfast.execution SET attempt = attempt + 3, version = version + 1 \
         WHERE id = {fenced}"
    ));
    gate.add_permits(1);
    executor.block_on(rises(metrics, engine, "fenced_writes_total", 0.0));
    // Somebody has ended it.
    let ended = running("m.hold");
    running_now(ended);
    sql(&format!(
        "UPDATE steadfast.execution SET status = 10, ended_at = created_at, wake_at = NULL, \
         version = version + 1 WHERE id = {ended}"
    ));
    gate.add_permits(1);
    executor.block_on(async {
        rises(metrics, engine, "duplicate_completions_ignored_total", 0.0).await;
        // A run that hears of a child's end, and can do nothing yet, stays as it is.
        submit(engine, "t.flow", json!({})).await;
        rises(metrics, engine, "redundant_writes_skipped_total", 0.0).await;
        rises(metrics, engine, "parked_messages", 0.0).await;
    });
    // What is over has failed more often than it was tried.
    sql(&format!("UPDATE steadfast.execution SET failures = 99 WHERE id = {ended}"));
    executor.block_on(rises(metrics, engine, "law_violations_total{law=\"S28\"}", 0.0));
}

/// A message as another process would send it.
fn envelope(message: &Value) -> Vec<u8> {
    json!({ "version": 1, "id": "by-hand", "at": 1, "message": message }).to_string().into_bytes()
}
