//! What processes write is read wherever the API is, and after their worker is gone.

use rustix::process::Signal;

use crate::deployment::Deployment;
use crate::support::eventually;

fn logs(deployment: &Deployment, id: u64, stream: &str) -> String {
    let (status, body) = deployment.get(&format!("/api/v1/executions/{id}/logs?stream={stream}"));
    assert_eq!(status, 200, "{body}");
    unchunked(&body)
}

/// The body of an answer that came in chunks.
fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}

#[test]
fn logs_outlive_their_worker() {
    let deployment = Deployment::new();
    let place = deployment.place();
    place.action("talk", "", "echo out $STEADFAST_ATTEMPT; echo err >&2\n");
    place.action("slowly", "", "echo begun; sleep 60\n");
    place.action("flood", "", "head -c 3000000 /dev/zero | tr '\\0' x\n");
    let _server = deployment.serve();
    let worker = deployment.worker("ada");
    let talk = deployment.submit("t.talk");
    deployment.until_all_are("completed", 1);
    assert_eq!(logs(&deployment, talk, "stdout"), "out 1\n", "whole, as soon as it has ended");
    assert_eq!(logs(&deployment, talk, "stderr"), "err\n");

    let slowly = deployment.submit("t.slowly");
    eventually("a log while it runs", || logs(&deployment, slowly, "stdout") == "begun\n");
    worker.signal(Signal::KILL);
    drop(worker);
    assert_eq!(logs(&deployment, talk, "stdout"), "out 1\n");
    assert_eq!(logs(&deployment, slowly, "stdout"), "begun\n", "what it said is kept");
    deployment.api("execution", &["cancel", &slowly.to_string()]);

    let _other = deployment.worker("bob");
    let flood = deployment.submit("t.flood");
    eventually("the flood", || {
        deployment.api("execution", &["get", &flood.to_string()])["ended_at"].is_string()
    });
    let log = logs(&deployment, flood, "stdout");
    assert!(log.len() > 1 << 20 && log.len() < (1 << 20) + 200, "{}", log.len());
    assert!(log.ends_with("left on the disk of its worker]\n"), "{}", &log[log.len() - 200..]);
    let url = deployment.url();
    let shown = place.run(&["execution", "logs", &talk.to_string(), "--api-url", &url]);
    shown.code(0).shows("out 1\n==> stderr <==\nerr\n");
}
