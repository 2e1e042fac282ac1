//! The verbs that speak to a running engine.

use serde_json::json;

use crate::signals::address;
use crate::support::{Place, core_pack};
use rustix::process::Signal;

#[test]
fn client_verbs_go_through_the_api() {
    let place = Place::new();
    let arguments = ["dev", "--pack", &core_pack(), "--listen", "127.0.0.1:0"];
    let mut dev = place.steadfast(&arguments).start();
    let url = address(&dev.until("steadfast listens on http://"));
    let ask = |arguments: &[&str]| place.steadfast(arguments).env("STEADFAST_API_URL", &url).run();
    let run = ["execution", "run", "core.echo", "-p", "message=hi", "--wait", "-o", "json"];
    let first = ask(&run).code(0).json();
    assert_eq!(
        (&first["status"], &first["result"]),
        (&json!("completed"), &json!({"message": "hi"}))
    );
    let id = first["id"].to_string();
    assert_eq!(ask(&["execution", "get", &id, "-o", "json"]).code(0).json(), first);
    ask(&["execution", "get", &format!("ex-{id}")]).code(0).shows("completed");
    let again = ask(&["execution", "retry", &id, "--wait", "-o", "json"]).code(0).json();
    assert_eq!(again["retry_of"], first["id"]);
    let failed = ask(&["execution", "run", "core.fail", "--wait"]).code(1);
    failed.says("ended as failed: exit code 1").shows("failed");
    let list = ask(&["execution", "list", "--status", "failed", "-o", "json"]).code(0).json();
    let failed = list["items"][0]["id"].to_string();
    ask(&["execution", "logs", &failed]).code(0).shows("==> stderr <==\nfailed on purpose\n");
    ask(&["explain", &id]).code(0).shows("is over: completed");

    ask(&["queue", "set-limit", "core.echo", "2"]).code(0).shows("limit   2");
    let stats = ask(&["queue", "stats", "core.echo", "-o", "json"]).code(0).json();
    assert_eq!((&stats["max_concurrent"], &stats["total_completed"]), (&json!(2), &json!(2)));
    ask(&["queue", "pause", "core.echo"]).code(0).shows("paused  true");
    let waiting = ask(&["execution", "run", "core.echo", "-o", "json"]).code(0).json();
    let waiting = waiting["id"].to_string();
    ask(&["explain", &waiting]).code(0).shows("paused");
    ask(&["execution", "cancel", &waiting]).code(0).shows("cancelled");
    ask(&["queue", "resume", "core.echo"]).code(0).shows("paused  false");
    ask(&["queue", "list"]).code(0).shows("core.sleep");
    ask(&["worker", "list"]).code(0).shows("local");
    ask(&["worker", "cordon", "local"]).code(0).shows("true");
    ask(&["doctor"]).code(0).shows("is ready");

    let create = ["schedule", "create", "tick", "core.echo", "--every", "1", "-p", "message=hi"];
    ask(&create).code(0).shows("next_due_at");
    ask(&["schedule", "list"]).code(0).shows("core.echo");
    ask(&["schedule", "pause", "tick"]).code(0).shows("paused");
    ask(&["schedule", "resume", "tick"]).code(0).shows("active");
    let shown = ask(&["schedule", "show", "tick", "-o", "json"]).code(0).json();
    assert_eq!((&shown["interval_seconds"], &shown["missed"]), (&json!(1), &json!("once")));
    ask(&["schedule", "delete", "tick"]).code(0).shows("removed");
    let never = ["schedule", "create", "x", "core.echo", "--cron", "0 0 30 2 *"];
    ask(&never).code(2).says("never due");
    ask(&["schedule", "show", "tick"]).code(2).says("there is no schedule `tick`");
    ask(&["schedule", "create", "x", "core.echo"]).code(2).says("--cron");

    // What the server refuses is bad input.
    ask(&["execution", "get", "99999"]).code(2).says("there is no execution 99999");
    ask(&["execution", "run", "core.ecko"]).code(2).says("there is no action `core.ecko`");
    ask(&["execution", "run", "core.sleep", "-p", "seconds=long"]).code(2).says("`seconds`");
    ask(&["execution", "list", "--status", "done"]).code(2).says("`done` is not a status");
    ask(&["worker", "drain", "nobody"]).code(2).says("`nobody`");
    dev.signal(Signal::TERM);
    dev.wait().code(143);
}

#[test]
fn a_server_that_is_not_there_is_exit_code_3() {
    let place = Place::new();
    let verbs: [&[&str]; 4] =
        [&["execution", "list"], &["queue", "list"], &["worker", "list"], &["explain", "1"]];
    for verb in verbs {
        let start = place.steadfast(verb).env("STEADFAST_API_URL", "http://127.0.0.1:1");
        let ended = start.run().code(3).shows_nothing();
        ended.says("the API at http://127.0.0.1:1 cannot be reached");
    }
    let secure = place.run(&["--api-url", "ftp://x", "worker", "list"]).code(2);
    secure.says("must begin with http://, not be `ftp://x`");
}

#[test]
fn tokens_are_asked_for() {
    let place = Place::new();
    // printf %s open-sesame | sha256sum
    let hash = "d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7";
    let config = format!("api:\n  tokens: [{{name: ci, role: admin, sha256: {hash}}}]\n");
    place.write("steadfast.yaml", config);
    let mut dev = place.steadfast(&["dev", "--listen", "127.0.0.1:0"]).start();
    let url = address(&dev.until("steadfast listens on http://"));
    let list = ["execution", "list", "--api-url", &url];
    place.run(&list).code(2).says("set STEADFAST_API_TOKEN to a valid token");
    place.steadfast(&list).env("STEADFAST_API_TOKEN", "open-sesame").run().code(0);
    dev.signal(Signal::INT);
    dev.wait().code(130);
}
