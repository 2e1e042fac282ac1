//! The API on a real socket: bad clients, and the end of the server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use steadfast_runtime::api::{ApiOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::house::House;

struct Server {
    house: House,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(options: ApiOptions) -> Self {
        let house = House::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "a server runs beside its clients")]
        let task = tokio::spawn(serve(house.engine.clone(), listener, options, stop.clone()));
        Self { house, address, stop, task }
    }

    /// What the server says to these bytes until it closes the connection.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).await.expect("it listens");
        // A server that has seen enough reads no further.
        let _ = socket.write_all(bytes).await;
        read(&mut socket).await
    }

    async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.task);
        ended.await.expect("it ends soon").expect("no panic").expect("no error");
        self.house.stop().await;
    }
}

async fn read(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = socket.read_to_end(&mut answer);
    // A connection that is reset has said what it had to say.
    let _ = tokio::time::timeout(Duration::from_secs(10), reading).await.expect("it answers");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn it_answers_and_refuses_what_is_no_http() {
    let server = Server::start(ApiOptions::default()).await;
    let get = |path: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
    };
    let answer = server.say(get("/health/live", "").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    assert!(answer.contains("cache-control: no-store"), "{answer}");
    let body = "{\"action_ref\":\"test.echo\"}";
    let submit = format!(
        "POST /api/v1/executions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = server.say(submit.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

    let many = "X-A: b\r\n".repeat(200);
    let large = format!("X-A: {}\r\n", "b".repeat(500_000));
    let rows: [(&str, String, &[&str]); 7] = [
        ("no HTTP", "\x16\x03\x01hello\r\n\r\n".into(), &["400", ""]),
        ("no version", "GET /\r\n\r\n".into(), &["400"]),
        (
            "a strange method",
            "BREW / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".into(),
            &["404"],
        ),
        ("many headers", get("/health/live", &many), &["431"]),
        // The rest of what was sent may make the system drop the answer.
        ("a large header", get("/health/live", &large), &["431", ""]),
        (
            "two lengths",
            "POST /api/v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\
             Content-Length: 2\r\n\r\nab"
                .into(),
            &["400"],
        ),
        ("a foreign host", get("/health/live", "").replace("localhost", "a.example"), &["403"]),
    ];
    for (what, request, expected) in rows {
        let answer = server.say(request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(expected.contains(&status), "{what}: {answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let options =
        ApiOptions { header_timeout: Duration::from_millis(100), ..ApiOptions::default() };
    let server = Server::start(options).await;
    server.say(b"GET /health/live HTT").await;
    server.say(b"").await;
    server.end().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let server = Server::start(ApiOptions { max_connections: 1, ..ApiOptions::default() }).await;
    let mut first = TcpStream::connect(server.address).await.expect("it listens");
    let ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    first.write_all(ask).await.expect("it reads");
    let mut piece = [0; 16];
    first.read_exact(&mut piece).await.expect("it answers");
    let mut second = TcpStream::connect(server.address).await.expect("the backlog takes it");
    second.write_all(ask).await.expect("the system takes it");
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut piece));
    assert!(early.await.is_err(), "only one is served at a time");
    drop(first);
    let late = tokio::time::timeout(Duration::from_secs(5), second.read_exact(&mut piece));
    late.await.expect("its turn comes").expect("it answers");
    drop(second);
    server.end().await;
}

/// Lets this process have so many files open, as far as it may.
fn make_room_for_files(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(count, |most| most.min(count));
    if limit.current.is_some_and(|now| now < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("it may be raised up to the maximum");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_a_thousand_connections_is_answered_to_the_last() {
    make_room_for_files(4_096);
    let options = ApiOptions {
        max_connections: 256,
        header_timeout: Duration::from_secs(1),
        ..ApiOptions::default()
    };
    let server = Server::start(options).await;
    // These say nothing and hold on to most of the room there is.
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(server.address).await.expect("it listens"));
    }
    let body = json!({ "action_ref": "test.echo" }).to_string();
    let submit = format!(
        "POST /api/v1/executions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let look = String::from(
        "GET /api/v1/executions?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let request = if number % 10 == 0 { submit.clone() } else { look.clone() };
        let address = server.address;
        clients.spawn(async move {
            let mut socket = TcpStream::connect(address).await.expect("the backlog takes it");
            socket.write_all(request.as_bytes()).await.expect("it reads");
            let mut answer = Vec::new();
            let reading = socket.read_to_end(&mut answer);
            let patience = Duration::from_secs(60);
            tokio::time::timeout(patience, reading).await.expect("it answers").expect("whole");
            String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("none").to_owned()
        });
    }
    let statuses: Vec<String> = clients.join_all().await;
    let count = |status: &str| statuses.iter().filter(|seen| *seen == status).count();
    assert_eq!((count("200"), count("201")), (900, 100), "{statuses:?}");
    let all = server.house.get("/api/v1/executions?limit=500").await.ok(200);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(100), "each was submitted once");
    drop(silent);
    server.end().await;
}

#[tokio::test]
async fn a_stop_ends_streams_and_lets_requests_finish() {
    let server = Server::start(ApiOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let ask = "GET /api/v1/executions/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("it reads");
    let mut head = vec![0; 12];
    stream.read_exact(&mut head).await.expect("it answers");
    assert_eq!(head, b"HTTP/1.1 200");
    // The head of this one has arrived, its body has not.
    let mut slow = TcpStream::connect(server.address).await.expect("it listens");
    let body = json!({ "action_ref": "test.echo" }).to_string();
    let head = format!(
        "POST /api/v1/executions HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.expect("it reads");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    read(&mut stream).await;
    slow.write_all(body.as_bytes()).await.expect("it still reads");
    let answer = read(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn an_open_port_needs_tokens() {
    let house = House::new().await;
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port is free");
    let stop = CancellationToken::new();
    let served = serve(house.engine.clone(), listener, ApiOptions::default(), stop).await;
    let error = served.expect_err("it must not serve");
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("api.tokens"), "{error}");
    house.stop().await;
}
