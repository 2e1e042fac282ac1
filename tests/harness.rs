//! The harness itself: what is left of private servers when the process that has them is killed.
#![expect(clippy::disallowed_methods, reason = "real processes end in real time")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The servers of one of each kind, and where they live.
fn start() -> (Child, Vec<PathBuf>, Vec<String>) {
    let mut command = Command::new(support::built("steadfast-servers"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("it was just made")).lines();
    let (mut homes, mut ports) = (Vec::new(), Vec::new());
    while homes.len() < 3 {
        let line = lines.next().expect("it says where they are").expect("it can be read");
        match line.strip_prefix("in ") {
            Some(home) => homes.push(PathBuf::from(home)),
            None => {
                let (_, rest) = line.split_once("127.0.0.1:").expect("an address");
                ports.push(rest.chars().take_while(char::is_ascii_digit).collect());
            }
        }
    }
    (child, homes, ports)
}

/// The processes that speak of one of these directories, or sit in it.
fn processes(homes: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("it can be read").flatten() {
        let place = entry.path();
        let told = fs::read(place.join("cmdline")).unwrap_or_default();
        let told = String::from_utf8_lossy(&told).replace('\0', " ");
        let lives = fs::read_link(place.join("cwd")).unwrap_or_default();
        let is_of =
            |home: &PathBuf| told.contains(&*home.to_string_lossy()) || lives.starts_with(home);
        if homes.iter().any(is_of) {
            found.push(told);
        }
    }
    found
}

fn is_listened_to(port: &str) -> bool {
    std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
}

/// Waits until nothing of the servers is left.
fn are_gone(homes: &[PathBuf], ports: &[String]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = processes(homes);
        let listened = ports.iter().filter(|port| is_listened_to(port)).count();
        let there = homes.iter().filter(|home| home.exists()).count();
        if left.is_empty() && listened == 0 && there == 0 {
            return;
        }
        let what = format!("{left:?}, {listened} ports, {there} directories");
        assert!(Instant::now() < deadline, "there is left: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn nothing_is_left_of_the_servers_of_a_process_that_is_killed() {
    let (mut child, homes, ports) = start();
    assert!(ports.iter().all(|port| is_listened_to(port)), "they run");
    assert!(processes(&homes).len() >= 4, "and are found: {:?}", processes(&homes));
    child.kill().expect("it is there");
    child.wait().expect("it has ended");
    are_gone(&homes, &ports);
}

#[test]
fn nothing_is_left_of_the_servers_of_a_process_that_ends() {
    let (mut child, homes, ports) = start();
    drop(child.stdin.take());
    assert!(child.wait().expect("it has ended").success());
    are_gone(&homes, &ports);
}
