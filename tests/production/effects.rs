//! Telling the outside world when whoever tells it is killed in the middle.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::deployment::Deployment;
use crate::support::eventually;

/// Hands out each request with its connection, unanswered.
#[expect(clippy::disallowed_methods, reason = "it ends with the test's process")]
fn listen() -> (String, Receiver<(String, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/hook", listener.local_addr().expect("it has one"));
    let (heard, hear) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut piece = [0; 8192];
            let mut text = String::new();
            // The body is one line of JSON.
            while !text.ends_with('}') {
                let Ok(read @ 1..) = stream.read(&mut piece) else { break };
                text.push_str(&String::from_utf8_lossy(&piece[..read]));
            }
            if heard.send((text, stream)).is_err() {
                return;
            }
        }
    });
    (url, hear)
}

fn key(request: &str) -> &str {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
    found.unwrap_or_else(|| panic!("no key in {request}")).1
}

/// The executor is killed after the receiver has heard of the end and before it could answer. The
/// next one tells it again under the same key, once the first one's time is over.
#[test]
fn a_killed_sender_is_followed_by_another_under_the_same_key() {
    let deployment = Deployment::new();
    let (url, hear) = listen();
    let server = deployment.serve_telling(&url);
    let _worker = deployment.worker("ada");
    let execution = deployment.submit("t.step");
    let patience = Duration::from_secs(60);
    let (first, stream) = hear.recv_timeout(patience).expect("the receiver is told");
    server.signal(Signal::KILL);
    drop(stream);

    let _next = deployment.serve_telling(&url);
    let (second, mut stream) = hear.recv_timeout(patience).expect("the receiver is told again");
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).expect("it listens");
    assert_eq!(key(&first), key(&second));
    let id = execution.to_string();
    let list = || deployment.api("effects", &["list", "--execution", &id])["items"].clone();
    eventually("the delivery", || list()[0]["state"] == json!("delivered"));
    let effects = list();
    assert_eq!(effects.as_array().map(Vec::len), Some(1), "{effects}");
    assert_eq!((&effects[0]["attempts"], &effects[0]["failures"]), (&json!(2), &json!(1)));
    let quiet = hear.recv_timeout(Duration::from_secs(2));
    assert!(quiet.is_err(), "told three times");
}
