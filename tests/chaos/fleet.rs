//! A deployment of real processes on real servers, and everything that can be done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use steadfast_servers::{PgBouncer, Postgres, RabbitServer, Stop, free_port};

use crate::audit;
use crate::deeds;
use crate::support::{Place, Running, Start, now};

/// The actions: their name, their limit in the beginning, how long they take, and whether their
/// first attempt fails.
const ACTIONS: &[(&str, Option<usize>, &str, bool)] = &[
    ("quick", None, "0.02", false),
    ("pair", Some(2), "0.3", false),
    ("alone", Some(1), "0.15", false),
    ("long", Some(3), "2.5", false),
    ("flaky", Some(2), "0.05", true),
];

/// The widest limit that any of them is ever given.
pub(crate) const WIDEST: usize = 3;

const FLOW: &str = "ref: t.flow\nlabel: Flow\nversion: 1.0.0\ntasks:\n  \
    - { name: each, action: t.pair, with_items: [1, 2, 3, 4, 5], concurrency: 3, \
        next: [{ do: [left, right] }] }\n  \
    - { name: left, action: t.quick, next: [{ do: [last] }] }\n  \
    - { name: right, action: t.alone, next: [{ do: [last] }] }\n  \
    - { name: last, action: t.flaky, join: all }\n";

/// What is submitted, in turn.
const WORK: &[&str] =
    &["quick", "pair", "alone", "quick", "long", "flaky", "pair", "quick", "flow", "alone"];

/// What carries the hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    Rabbit,
    /// The database does.
    None,
}

/// The processes of a deployment, by their names.
pub(crate) struct Fleet {
    place: Place,
    processes: BTreeMap<String, Running>,
    pooler: PgBouncer,
    pub(crate) database: Postgres,
    /// None while it is being restarted.
    broker: Option<RabbitServer>,
    restarting: Option<JoinHandle<RabbitServer>>,
    /// None if the database is the broker.
    broker_url: Option<String>,
    api: u16,
    submitted: u64,
    /// What has not been accepted yet: its key and its action.
    waiting: Vec<(String, &'static str)>,
    accepted: BTreeSet<u64>,
    /// The processes of workers that stood still for a while.
    pub(crate) frozen: BTreeSet<i32>,
}

impl Fleet {
    pub(crate) fn start(broker: Broker) -> Self {
        let database = Postgres::start(&[]).unwrap_or_else(|failure| panic!("{failure}"));
        database.create_database("steadfast").expect("it can be made");
        // Connections are taken from idle clients all the time.
        let reaping = [
            ("server_idle_timeout", "1"),
            ("server_lifetime", "5"),
            // Otherwise it refuses everybody for 15 s once it has found the server away.
            ("server_login_retry", "1"),
        ];
        let pooler = PgBouncer::start(&database, &reaping).unwrap_or_else(|f| panic!("{f}"));
        let start = || RabbitServer::start().unwrap_or_else(|failure| panic!("{failure}"));
        let broker = (broker == Broker::Rabbit).then(start);
        let place = Place::new();
        for (name, limit, takes, fails) in ACTIONS {
            let limit = limit.map_or(String::new(), |n| format!("concurrency_limit: {n}\n"));
            let retry = if *fails { "retry: { count: 1 }\n" } else { "" };
            let head = format!("ref: t.{name}\nrunner_type: python\nentry_point: {name}.py\n");
            place.write(&format!("pack/actions/{name}.yaml"), head + &limit + retry);
            let script = deeds::script(name, takes, *fails);
            place.write(&format!("pack/actions/{name}.py"), script);
        }
        place.write("pack/workflows/flow.yaml", FLOW);
        let api = free_port().expect("a port");
        let mut fleet = Self {
            place,
            processes: BTreeMap::new(),
            pooler,
            database,
            broker_url: broker.as_ref().map(RabbitServer::url),
            broker,
            restarting: None,
            api,
            submitted: 0,
            waiting: Vec::new(),
            accepted: BTreeSet::new(),
            frozen: BTreeSet::new(),
        };
        let direct = fleet.database.url("steadfast");
        fleet.steadfast(&["migrate"]).env("DATABASE_URL", direct).run().code(0);
        fleet.database.execute("steadfast", audit::NOTE_EVERYTHING).expect("it is noted");
        for name in ["server", "executor", "ada", "bob", "cyd"] {
            fleet.launch(name);
        }
        for (name, process) in &mut fleet.processes {
            process.until(if name == "server" { "steadfast listens on" } else { "is up" });
        }
        fleet
    }

    fn steadfast(&self, arguments: &[&str]) -> Start {
        let start = self.place.steadfast(arguments);
        let start = match &self.broker_url {
            Some(url) => start.env("STEADFAST__TRANSPORT", "rabbitmq").env("AMQP_URL", url),
            // Notifications go around the pooler.
            None => start
                .env("STEADFAST__TRANSPORT", "postgres")
                .env("STEADFAST__DATABASE__DIRECT_URL", self.database.url("steadfast")),
        };
        start
            .env("STEADFAST__EXECUTOR__MAX_LOST_ATTEMPTS", "1000")
            .env("DATABASE_URL", self.pooler.url("steadfast"))
    }

    /// Whether there is a broker beside the database.
    pub(crate) const fn has_broker(&self) -> bool {
        self.broker_url.is_some()
    }

    /// The names of the workers.
    pub(crate) const WORKERS: [&str; 3] = ["ada", "bob", "cyd"];

    /// Starts a process under its name, unless it runs.
    pub(crate) fn launch(&mut self, name: &str) {
        if self.processes.contains_key(name) {
            return;
        }
        let listen = format!("127.0.0.1:{}", self.api);
        let started = match name {
            "server" => self.steadfast(&["serve", "--pack", "pack", "--listen", &listen]),
            "executor" => self.steadfast(&["executor", "--pack", "pack"]),
            _ => self.steadfast(&["worker", "--name", name, "--pack", "pack", "--capacity", "4"]),
        };
        self.processes.insert(name.to_owned(), started.start());
    }

    /// Kills a process, without a word.
    pub(crate) fn kill(&mut self, name: &str) {
        if let Some(process) = self.processes.remove(name) {
            process.signal(Signal::KILL);
        }
    }

    /// Kills the witness of a worker.
    pub(crate) fn kill_witness(&self, name: &str) {
        let witness = self.processes.get(name).and_then(|worker| find_witness(worker.pid()));
        if let Some(witness) = witness {
            // It may have ended meanwhile, which is as good.
            let _ = kill_process(witness, Signal::KILL);
        }
    }

    /// Lets a worker stand still.
    pub(crate) fn freeze(&mut self, name: &str) {
        if let Some(worker) = self.processes.get(name) {
            self.frozen.insert(worker.pid().as_raw_nonzero().get());
            worker.signal(Signal::STOP);
        }
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, name: &str) {
        if let Some(worker) = self.processes.get(name) {
            worker.signal(Signal::CONT);
        }
    }

    /// Lets the database crash and come back; the pooler's connections go with it.
    pub(crate) fn crash_database(&mut self) {
        self.database.stop(Stop::Immediate).expect("it stops");
        self.database.start_again().expect("it starts");
    }

    /// Restarts the broker, which takes many seconds, while everything else goes on.
    pub(crate) fn restart_broker(&mut self) {
        self.await_broker(false);
        let Some(mut broker) = self.broker.take() else { return };
        #[expect(clippy::disallowed_methods, reason = "a real broker is waited for")]
        let restarting = std::thread::spawn(move || {
            broker.restart().expect("it comes back");
            broker
        });
        self.restarting = Some(restarting);
    }

    /// Takes the broker back from a restart that is over, or in any case.
    pub(crate) fn await_broker(&mut self, in_any_case: bool) {
        if self.restarting.as_ref().is_some_and(|thread| in_any_case || thread.is_finished())
            && let Some(thread) = self.restarting.take()
        {
            self.broker = Some(thread.join().expect("it came back"));
        }
    }

    /// Lets the broker close every connection.
    pub(crate) fn close_connections(&mut self) {
        self.await_broker(false);
        let Some(broker) = &self.broker else { return };
        if let Err(error) = broker.rabbitmqctl(&["close_all_connections", "chaos"]) {
            println!("  ({error})");
        }
    }

    /// Sets the limit of an action, if the API is there.
    pub(crate) fn set_limit(&self, action: &str, limit: usize) {
        let path = format!("/actions/t.{action}/concurrency");
        let _ = self.ask("PUT", &path, Some(json!({ "limit": limit })));
    }

    /// Submits one more execution, and again what was not accepted before.
    pub(crate) fn submit(&mut self) {
        let nth = self.submitted;
        self.submitted += 1;
        let action = WORK[usize::try_from(nth).expect("a small number") % WORK.len()];
        self.waiting.push((format!("chaos-{nth}"), action));
        self.submit_waiting();
    }

    /// Submits what was not accepted yet. Whether anything still waits.
    pub(crate) fn submit_waiting(&mut self) -> bool {
        while let Some((key, action)) = self.waiting.first() {
            let body = json!({ "action_ref": format!("t.{action}"), "idempotency_key": key });
            let Some((status, answer)) = self.ask("POST", "/executions", Some(body)) else { break };
            match (status, answer["id"].as_u64()) {
                (200..=299, Some(id)) => {
                    assert!(self.accepted.insert(id), "S22: {key} was given {id} twice");
                    self.waiting.remove(0);
                }
                (500.., _) => break,
                _ => panic!("{key} was refused: {status} {answer}"),
            }
        }
        !self.waiting.is_empty()
    }

    /// The executions that were accepted.
    pub(crate) fn accepted(&self) -> &BTreeSet<u64> {
        &self.accepted
    }

    /// Asks for the reason of everything that is not over; how many reasons of each kind. `None` if
    /// the API does not answer.
    pub(crate) fn explain_all(&self) -> Option<BTreeMap<String, usize>> {
        let mut kinds = BTreeMap::new();
        let open = "requested,queued,ready,offered,accepted,running,backoff";
        let path = format!("/executions?limit=200&status={open}");
        let (200, page) = self.ask("GET", &path, None)? else { return None };
        for row in page["items"].as_array().expect("a list") {
            let id = row["id"].as_u64().expect("an id");
            let (status, answer) = self.ask("GET", &format!("/executions/{id}/explain"), None)?;
            if status >= 500 {
                return None;
            }
            assert_eq!(status, 200, "L11: no reason for {id}: {answer}");
            let kind = answer["kind"].as_str().unwrap_or_else(|| panic!("L11: {answer}"));
            let over = ["completed", "failed", "cancelled", "timed_out", "abandoned"];
            let is_over = answer["status"].as_str().is_some_and(|status| over.contains(&status));
            assert_eq!(kind == "over", is_over, "L11: {answer}");
            assert!(answer["sentence"].as_str().is_some_and(|s| !s.is_empty()), "L11: {answer}");
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        Some(kinds)
    }

    /// How many executions are not over.
    pub(crate) fn open(&self) -> u64 {
        let sql = "SELECT count(*) FROM steadfast.execution WHERE status < 7";
        let count = self.database.execute("steadfast", sql).expect("the database is there");
        count.trim().parse().expect("a number")
    }

    /// What the actions wrote.
    pub(crate) fn deeds(&self) -> String {
        fs::read_to_string(self.place.path("deeds")).unwrap_or_default()
    }

    /// What the processes that still run have logged, for whoever looks for what went wrong.
    pub(crate) fn logs(&self) -> Vec<std::path::PathBuf> {
        let names = (0..400).map(|n| self.place.path(&format!("stderr{n}")));
        names.filter(|path| path.exists()).collect()
    }

    fn ask(&self, verb: &str, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let address = (Ipv4Addr::LOCALHOST, self.api);
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let body = body.map_or(String::new(), |body| body.to_string());
        let request = format!(
            "{verb} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).ok()?))
    }
}

/// The limits that nothing may ever exceed.
pub(crate) fn widest_limits() -> BTreeMap<String, usize> {
    let limited = ACTIONS.iter().filter(|(_, limit, ..)| limit.is_some());
    limited.map(|(name, ..)| ((*name).to_owned(), WIDEST)).collect()
}

fn find_witness(worker: Pid) -> Option<Pid> {
    let worker = worker.as_raw_nonzero().get();
    let children = format!("/proc/{worker}/task/{worker}/children");
    let mut pids: Vec<i32> = Vec::new();
    if let Ok(text) = fs::read_to_string(children) {
        pids.extend(text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    // Children belong to the thread that started them.
    let tasks = fs::read_dir(format!("/proc/{worker}/task")).ok()?.filter_map(Result::ok);
    for task in tasks {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        pids.extend(text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    let is_witness = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|l| l.starts_with(b"action-witness"))
    };
    pids.into_iter().find(is_witness).and_then(Pid::from_raw)
}

/// Lets real time pass.
pub(crate) fn wait(span: Duration) {
    #[expect(clippy::disallowed_methods, reason = "real processes are given real time")]
    std::thread::sleep(span);
}

/// Seconds since a moment.
pub(crate) fn since(moment: std::time::Instant) -> Duration {
    now().duration_since(moment)
}
