//! A worker that beats and does not move: its disk takes nothing more of what an action says, so what
//! it has does not end. Executors ask it, and give it nothing new until it moves again.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::deployment::{Deployment, get};
use crate::support::{Running, eventually};

/// More than a pipe holds.
const SAID: usize = 400_000;

/// What the processes of these tests are asked.
const INTERVAL: &str = "1";
/// How long something may take.
const STALENESS: u64 = 3;

fn processes(deployment: &Deployment, arguments: &[&str]) -> Running {
    let start = deployment.steadfast(arguments);
    start
        .env("STEADFAST__WORKER__PROBE_INTERVAL", INTERVAL)
        .env("STEADFAST__WORKER__PROBE_STALENESS", STALENESS.to_string())
        .env("STEADFAST__WORKER__PROBE_LISTEN", "127.0.0.1:0")
        .env("STEADFAST__EXECUTOR__PROBE_LISTEN", "127.0.0.1:0")
        .start()
}

fn worker(deployment: &Deployment, name: &str) -> Running {
    let data = deployment.place().path(name);
    let data = data.to_str().expect("text");
    let arguments = ["worker", "--name", name, "--pack", "pack", "--capacity", "4", "--data", data];
    let mut worker = processes(deployment, &arguments);
    worker.until("is up");
    worker
}

/// A log that takes as much as a pipe does, and then nothing until somebody reads it.
fn stuck_log(deployment: &Deployment, worker: &str, execution: u64) -> File {
    let shard = format!("{:02x}", execution % 256);
    let directory: PathBuf =
        deployment.place().path(worker).join("logs").join(shard).join(execution.to_string());
    fs::create_dir_all(&directory).expect("there is room");
    let path = directory.join("1.stdout");
    assert!(Command::new("mkfifo").arg(&path).status().expect("it runs").success());
    // Both ends, so that nobody waits for the other to open it.
    OpenOptions::new().read(true).write(true).open(path).expect("it opens")
}

#[test]
fn a_worker_that_beats_and_hangs_gets_nothing_new_until_it_moves() {
    let deployment = Deployment::new();
    let script = format!("head -c {SAID} /dev/zero | tr '\\0' x\n");
    deployment.place().action("loud", "", &script);
    let serve = ["serve", "--pack", "pack", "--listen", "127.0.0.1:0"];
    let mut server = processes(&deployment, &serve);
    let seen = server.until("steadfast listens on ");
    let (_, rest) = seen.split_once("steadfast listens on ").expect("it was just seen");
    deployment.place().write("url", rest.split_whitespace().next().expect("an address"));
    let mut ada = worker(&deployment, "ada");
    let at = deployment.probe_address("ada");
    assert_eq!(get(&at, "/health/worker").expect("it answers").0, 200);

    deployment.api("worker", &["cordon", "ada"]);
    let loud = deployment.submit("t.loud");
    let mut log = stuck_log(&deployment, "ada", loud);
    deployment.api("worker", &["cordon", "ada", "--undo"]);
    #[expect(clippy::disallowed_methods, reason = "a real process hangs for a real time")]
    let begun = Instant::now();
    eventually("a worker that is seen to hang", || deployment.row_of("ada")["healthy"] == false);
    #[expect(clippy::disallowed_methods, reason = "a real process hangs for a real time")]
    let took = begun.elapsed();
    println!("seen to hang after {took:?}");
    assert!(took > Duration::from_secs(STALENESS), "it had its time: {took:?}");
    assert!(took < Duration::from_secs(STALENESS + 10), "staleness, interval, patience: {took:?}");
    assert_eq!(deployment.row_of("ada")["state"], "active", "it beats");

    let (code, said) = get(&at, "/health/worker").expect("it answers");
    assert_eq!(code, 503);
    assert!(said.contains("keeping its output") && said.contains("\"ada\""), "{said}");
    assert_eq!(get(&at, "/health/ready").expect("it answers").0, 503);
    assert_eq!(get(&at, "/health/live").expect("it answers").0, 200, "it need not be restarted");
    let metrics = deployment.get("/metrics").1;
    assert!(metrics.contains("steadfast_worker_healthy{worker=\"ada\"} 0"), "{metrics}");

    let waits = deployment.submit("t.step");
    eventually("an explanation", || {
        let why = deployment.api("explain", &[&waits.to_string()]).to_string();
        why.contains("`ada` is unhealthy: it beats and does not move")
    });
    assert_eq!(deployment.begun(), [], "it was given nothing new");
    let bob = worker(&deployment, "bob");
    eventually("work that goes elsewhere", || deployment.begun() == [(waits, 1)]);

    let mut left = SAID;
    let mut piece = vec![0; 1 << 16];
    while left > 0 {
        left -= log.read(&mut piece).expect("it is read").min(left);
    }
    eventually("a worker that moves again", || deployment.row_of("ada")["healthy"] == true);
    bob.signal(Signal::TERM);
    bob.wait().code(143);
    let again = deployment.submit("t.step");
    eventually("work for it", || deployment.begun() == [(waits, 1), (again, 1)]);
    deployment.until_all_are("completed", 3);
    let loud = deployment.api("execution", &["get", &loud.to_string()]);
    assert_eq!(loud["attempts"], 1, "nothing was taken from it: {loud}");
    ada.signal(Signal::TERM);
    ada.until("stopping");
}

#[test]
fn a_worker_and_an_executor_say_how_they_are() {
    let deployment = Deployment::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address_in_use = taken.local_addr().expect("it has one").to_string();
    for (arguments, key) in [
        (&["executor", "--pack", "pack"][..], "EXECUTOR"),
        (&["worker", "--name", "ada", "--pack", "pack"][..], "WORKER"),
    ] {
        let variable = format!("STEADFAST__{key}__PROBE_LISTEN");
        let refused = deployment.steadfast(arguments).env(&variable, &address_in_use).run();
        let sentence = format!("{address_in_use} is in use by another program");
        refused.code(4).says(&sentence).says(&format!("{}.probe_listen", key.to_lowercase()));
        let open = deployment.steadfast(arguments).env(&variable, "0.0.0.0:0").run();
        open.code(2).says("api.tokens");
    }
    drop(taken);

    let mut executor = deployment
        .steadfast(&["executor", "--pack", "pack"])
        .env("STEADFAST__EXECUTOR__PROBE_LISTEN", &address_in_use)
        .start();
    executor.until("executor is up");
    let _ada = worker(&deployment, "ada");
    let _server = deployment.serve();
    for at in [address_in_use, deployment.probe_address("ada")] {
        for path in ["/health/live", "/health/ready", "/health/detailed"] {
            let (code, body) = get(&at, path).expect("it answers");
            assert_eq!(code, 200, "{path} of {at}: {body}");
        }
        let (code, metrics) = get(&at, "/metrics").expect("it answers");
        assert_eq!(code, 200);
        assert!(metrics.contains("steadfast_worker_healthy{worker=\"ada\"} 1"), "{metrics}");
        let (code, _) = get(&at, "/api/v1/executions").expect("it answers");
        assert_eq!(code, 404, "it has no API");
    }
}
