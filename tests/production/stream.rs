//! Events and readiness of an API process that is no executor.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::deployment::{Deployment, get};
use crate::support::{Running, eventually};

/// Opens an event stream; what comes is read by [`until`].
fn open(url: &str, query: &str) -> TcpStream {
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    let path = format!("/api/v1/executions/stream{query}");
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(ask.as_bytes()).expect("it reads");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it can be set");
    socket
}

fn until(socket: &mut TcpStream, wanted: &str) -> String {
    let mut seen = String::new();
    eventually(&format!("`{wanted}` on the stream"), || {
        let mut piece = [0; 4096];
        if let Ok(read) = socket.read(&mut piece) {
            seen.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        seen.contains(wanted)
    });
    seen
}

/// An API process that decides nothing.
fn api(deployment: &Deployment, port: &str) -> Running {
    let listen = format!("127.0.0.1:{port}");
    deployment.steadfast(&["api", "--pack", "pack", "--listen", &listen]).start()
}

#[test]
fn an_api_process_tells_of_what_others_have_done() {
    let mut deployment = Deployment::new();
    let mut executor = deployment.steadfast(&["executor", "--pack", "pack"]).start();
    executor.until("is up");
    let mut server = api(&deployment, "0");
    let seen = server.until("steadfast listens on ");
    let (_, rest) = seen.split_once("steadfast listens on ").expect("it was just seen");
    let url = rest.split_whitespace().next().expect("an address").to_owned();
    deployment.place().write("url", &url);
    let _worker = deployment.worker("ada");
    deployment.place().action("fail", "", "exit 3\n");

    let mut all = open(&url, "");
    until(&mut all, "200 OK");
    let step = deployment.submit("t.step");
    until(&mut all, &format!("event: ended\ndata: {{\"id\":{step},\"status\":\"completed\"}}"));
    let slow = deployment.submit("t.slow");
    let mut one = open(&url, &format!("?id={slow}"));
    until(&mut one, "\"running\"");
    // Without the broker one execution can still be followed, and all of them cannot.
    deployment.stop_the_broker();
    until(&mut one, "event: ended");
    let last = deployment.submit("t.slow");
    let mut one = open(&url, &format!("?id={last}"));
    let seen = until(&mut one, "event: ended");
    assert!(seen.contains("completed"), "{seen}");
    let (status, body) = deployment.get("/api/v1/executions/stream");
    assert_eq!(status, 503, "{body}");
    let (status, body) = deployment.get("/health/detailed");
    assert!(status == 503 && body.contains("message queue"), "{body}");
    assert_eq!(deployment.get("/health/ready").0, 200, "it can take work all the same");
    executor.signal(Signal::TERM);
    executor.wait().code(143);
}

#[test]
fn a_process_that_waits_for_its_database_lives_and_is_not_ready() {
    let mut deployment = Deployment::new();
    deployment.stop_the_database();
    let port = steadfast_servers::free_port().expect("one is free").to_string();
    let url = format!("http://127.0.0.1:{port}");
    let mut server = api(&deployment, &port);
    server.until("waiting for the database");
    let ask = |path: &str| get(&url, path).expect("it answers from the first moment on");
    assert_eq!(ask("/health/live").0, 200);
    assert_eq!(ask("/api/v1/health/live").0, 200);
    let (status, body) = ask("/health/ready");
    assert!(status == 503 && body.contains("waits for it"), "{status}: {body}");
    let (status, body) = ask("/api/v1/executions");
    assert!(status == 503 && body.contains("urn:steadfast:problem:store-unavailable"), "{body}");
    let client = ["execution", "list", "--api-url", &url];
    deployment.place().run(&client).code(3);
    deployment.start_the_database();
    server.until("steadfast listens on ");
    eventually("it is ready", || ask("/health/ready").0 == 200);
    assert_eq!(ask("/api/v1/executions").0, 200);
    // It goes away once more: the same port says so, and no process ends.
    deployment.stop_the_database();
    eventually("it is not ready", || ask("/health/ready").0 == 503);
    assert_eq!(ask("/health/live").0, 200);
    deployment.start_the_database();
    eventually("it is ready again", || ask("/health/ready").0 == 200);
    server.signal(Signal::TERM);
    server.wait().code(143);
}

#[test]
fn without_the_broker_hints_go_by_the_database_if_there_is_a_way_around_the_pooler() {
    let mut deployment = Deployment::new();
    let direct = deployment.database_url().to_owned();
    let listening = |command: crate::support::Start| {
        command.env("STEADFAST__DATABASE__DIRECT_URL", &direct).env("RUST_LOG", "info")
    };
    let serve = ["serve", "--pack", "pack", "--listen", "127.0.0.1:0"];
    let mut server = listening(deployment.steadfast(&serve)).start();
    let seen = server.until("steadfast listens on ");
    let (_, rest) = seen.split_once("steadfast listens on ").expect("it was just seen");
    let url = rest.split_whitespace().next().expect("an address").to_owned();
    deployment.place().write("url", &url);
    let worker = ["worker", "--name", "ada", "--pack", "pack", "--capacity", "4"];
    let mut worker = listening(deployment.steadfast(&worker)).start();
    worker.until("listening to the database");
    server.until("listening to the database");
    deployment.stop_the_broker();
    let mut all = None;
    eventually("the stream of all executions opens again", || {
        let mut socket = open(&url, "");
        let mut head = [0; 12];
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
        let is_open = socket.read_exact(&mut head).is_ok() && head.ends_with(b"200");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it can be set");
        all = is_open.then_some(socket);
        is_open
    });
    let mut all = all.expect("it is open");
    let step = deployment.submit("t.step");
    until(&mut all, &format!("{{\"id\":{step},\"status\":\"completed\"}}"));
    // Whoever listens is cut off: what is said meanwhile is lost, and later things are heard again.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    let ended = deployment.database().execute("steadfast", cut).expect("it is done");
    assert!(ended.lines().filter(|line| *line == "t").count() >= 2, "{ended}");
    let lost = deployment.submit("t.flow");
    eventually("it ends all the same", || {
        deployment.api("execution", &["get", &lost.to_string()])["status"] == "completed"
    });
    let mut seen = String::new();
    let mut last = String::new();
    eventually("an event is heard again", || {
        if last.is_empty() || !seen.contains(&last) {
            let id = deployment.submit("t.step");
            last = format!("\"id\":{id},");
        }
        let mut piece = [0; 4096];
        if let Ok(read) = all.read(&mut piece) {
            seen.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        seen.contains(&last)
    });
}
