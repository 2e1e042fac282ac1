//! Messages that were put aside, as an operator meets them.

use serde_json::Value;

use crate::deployment::Deployment;
use crate::support::eventually;

fn parked(deployment: &Deployment) -> Vec<Value> {
    deployment.api("parked", &["list"])["items"].as_array().expect("a list").clone()
}

#[test]
fn what_nobody_can_read_is_shown_replayed_and_given_up_and_survives_everything() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    assert_eq!(parked(&deployment), Vec::<Value>::new());
    deployment.throw("steadfast.hints", "advance", b"no envelope");
    deployment.throw("steadfast.hints", "admit", b"\xff\x00");
    eventually("both", || parked(&deployment).len() == 2);
    let mut all = parked(&deployment);
    all.sort_by_key(|one| one["routing_key"].to_string());
    let (admit, advance) = (all[0].clone(), all[1].clone());
    assert_eq!(advance["exchange"], "steadfast.hints");
    assert!(advance["reason"].as_str().expect("text").contains("not an envelope"), "{advance}");
    assert!(advance.get("body").is_none(), "a list has no bodies");
    let id = |one: &Value| one["id"].as_str().expect("text").to_owned();
    let shown = deployment.api("parked", &["show", &id(&advance)]);
    assert_eq!(shown["body"], "no envelope");
    assert_eq!(deployment.api("parked", &["show", &id(&admit)])["body_hex"], "ff00");

    // Another process sees the same under the same name, after this one was killed.
    server.signal(rustix::process::Signal::KILL);
    drop(server);
    let _server = deployment.serve();
    eventually("both again", || parked(&deployment).len() == 2);
    assert_eq!(deployment.api("parked", &["show", &id(&advance)])["body"], "no envelope");

    // It still cannot be read.
    deployment.api("parked", &["replay", &id(&advance)]);
    eventually("it is parked again", || {
        parked(&deployment).iter().any(|one| id(one) == id(&advance))
    });
    let gone = ["discard", &id(&advance), "--reason", "it is garbage"];
    assert_eq!(deployment.api("parked", &gone)["body"], "no envelope");
    let left = parked(&deployment);
    assert_eq!(left.iter().map(id).collect::<Vec<_>>(), [id(&admit)]);
    let url = deployment.url();
    let again = ["parked", "replay", &id(&advance), "--api-url", &url];
    deployment.place().run(&again).code(2).says("no parked message has the id");
}
