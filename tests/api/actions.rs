//! Actions, their queues, and workers.

use serde_json::{Value, json};

use crate::house::House;

const STATS: [&str; 9] = [
    "action_id",
    "action_ref",
    "active_count",
    "last_updated",
    "max_concurrent",
    "oldest_enqueued_at",
    "queue_length",
    "total_completed",
    "total_enqueued",
];

async fn stats(house: &House, action: &str) -> Value {
    house.get(&format!("/api/v1/actions/{action}/queue-stats")).await.ok(200)
}

#[tokio::test]
async fn an_action_that_never_ran_has_zeros() {
    let house = House::new().await;
    let stats = stats(&house, "test.hold").await;
    let names: Vec<&String> = stats.as_object().expect("an object").keys().collect();
    let mut names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, STATS);
    for name in ["queue_length", "active_count", "total_enqueued", "total_completed"] {
        assert_eq!(stats[name], 0, "{name}");
    }
    assert_eq!((&stats["action_ref"], &stats["max_concurrent"]), (&json!("test.hold"), &json!(1)));
    assert!(stats["action_id"].is_u64());
    assert!(stats["oldest_enqueued_at"].is_null() && stats["last_updated"].is_null());
    house.get("/api/v1/actions/no.such/queue-stats").await.problem(404, "unknown-action");
    house.stop().await;
}

#[tokio::test]
async fn queue_stats_follow_the_work() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(house.start("test.hold", json!({})).await);
    }
    house.wait(ids[0], &["running"]).await;
    let during = stats(&house, "test.hold").await;
    assert_eq!((&during["active_count"], &during["queue_length"]), (&json!(1), &json!(2)));
    assert_eq!((&during["total_enqueued"], &during["total_completed"]), (&json!(3), &json!(0)));
    let oldest = house.execution(ids[1]).await["created_at"].clone();
    assert_eq!(during["oldest_enqueued_at"], oldest);
    house.gate.add_permits(3);
    for id in ids {
        house.wait(id, &["completed"]).await;
    }
    let after = stats(&house, "test.hold").await;
    assert_eq!((&after["active_count"], &after["queue_length"]), (&json!(0), &json!(0)));
    assert_eq!((&after["total_enqueued"], &after["total_completed"]), (&json!(3), &json!(3)));
    assert!(after["oldest_enqueued_at"].is_null() && after["last_updated"].is_string());
    house.stop().await;
}

#[tokio::test]
async fn the_queues_of_a_key_are_added_up() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for host in ["a", "a", "a", "b"] {
        ids.push(house.start("test.keyed", json!({ "host": host })).await);
    }
    for id in [ids[0], ids[1], ids[3]] {
        house.wait(id, &["running"]).await;
    }
    let expected = |limit: Value| json!([3, 1, limit, 4]);
    let row = |stats: Value| {
        json!([
            stats["active_count"],
            stats["queue_length"],
            stats["max_concurrent"],
            stats["total_enqueued"]
        ])
    };
    assert_eq!(row(stats(&house, "test.keyed").await), expected(json!(4)));
    // The queue that holds an operator's wish for all keys is none of them.
    house.put_json("/api/v1/actions/test.keyed/concurrency", &json!({ "limit": 1 })).await.ok(200);
    assert_eq!(row(stats(&house, "test.keyed").await), expected(json!(2)));
    house.stop().await;
}

#[tokio::test]
async fn a_limit_is_changed_lifted_and_checked() {
    let house = House::new().await;
    let path = "/api/v1/actions/test.hold/concurrency";
    let first = house.start("test.hold", json!({})).await;
    let second = house.start("test.hold", json!({})).await;
    house.wait(first, &["running"]).await;
    assert_eq!(house.execution(second).await["status"], "queued");
    let action = house.put_json(path, &json!({ "limit": 2 })).await.ok(200);
    assert_eq!((&action["ref"], &action["concurrency_limit"]), (&json!("test.hold"), &json!(2)));
    house.wait(second, &["running"]).await;
    assert_eq!(stats(&house, "test.hold").await["max_concurrent"], 2);
    let third = house.start("test.hold", json!({})).await;
    assert_eq!(house.execution(third).await["status"], "queued");
    assert!(
        house.put_json(path, &json!({ "limit": null })).await.ok(200)["concurrency_limit"]
            .is_null()
    );
    house.wait(third, &["running"]).await;
    assert!(stats(&house, "test.hold").await["max_concurrent"].is_null());
    let bad_limits = [
        json!({ "limit": 0 }),
        json!({ "limit": -1 }),
        json!({ "limit": 1.5 }),
        json!({ "limit": "2" }),
        json!({ "limit": 4_294_967_296_u64 }),
        json!({}),
        json!({ "limit": 2, "more": 1 }),
        json!([]),
        json!(2),
    ];
    for bad in bad_limits {
        let problem = house.put_json(path, &bad).await.problem(422, "invalid-body");
        assert!(problem["errors"][0]["field"].is_string(), "{problem}");
    }
    let unknown = "/api/v1/actions/no.such/concurrency";
    house.put_json(unknown, &json!({ "limit": 2 })).await.problem(404, "unknown-action");
    house.stop().await;
}

#[tokio::test]
async fn a_paused_queue_lets_nobody_through() {
    let house = House::new().await;
    let paused = house.post("/api/v1/actions/test.echo/pause").await.ok(200);
    assert_eq!(paused["paused"], true);
    house.post("/api/v1/actions/test.echo/pause").await.ok(200);
    let id = house.start("test.echo", json!({})).await;
    house.explained(id, "queue_paused").await;
    assert_eq!(house.post("/api/v1/actions/test.echo/resume").await.ok(200)["paused"], false);
    house.wait(id, &["completed"]).await;
    for verb in ["pause", "resume"] {
        let path = format!("/api/v1/actions/no.such/{verb}");
        house.post(&path).await.problem(404, "unknown-action");
    }
    house.stop().await;
}

#[tokio::test]
async fn actions_are_listed_and_described() {
    let house = House::new().await;
    let list = house.get("/api/v1/actions").await.ok(200);
    let refs: Vec<&str> =
        list["items"].as_array().expect("items").iter().filter_map(|a| a["ref"].as_str()).collect();
    assert!(refs.is_sorted(), "{refs:?}");
    for known in ["core.echo", "flow.fan", "test.add"] {
        assert!(refs.contains(&known), "{refs:?}");
    }
    let kind = async |action: &str| {
        house.get(&format!("/api/v1/actions/{action}")).await.ok(200)["runner_type"].clone()
    };
    assert_eq!(kind("core.echo").await, "shell");
    assert_eq!(kind("flow.fan").await, "workflow");
    assert_eq!(kind("test.add").await, "handler");
    let add = house.get("/api/v1/actions/test.add").await.ok(200);
    assert_eq!(add["parameters"]["required"], json!(["a"]));
    assert_eq!(add["parameters"]["properties"]["a"]["type"], "integer");
    house.get("/api/v1/actions/no.such").await.problem(404, "unknown-action");
    house.get("/api/v1/actions/%00").await.problem(404, "unknown-action");
    house.get("/api/v1/actions/%ff").await.problem(400, "invalid-request");
    house.stop().await;
}

#[tokio::test]
async fn a_worker_is_cordoned_uncordoned_and_drained() {
    let house = House::new().await;
    // It registers in its own time.
    let first = house.start("test.echo", json!({})).await;
    house.wait(first, &["completed"]).await;
    let list = house.get("/api/v1/workers").await.ok(200);
    let worker = &list["items"][0];
    assert_eq!((&worker["name"], &worker["state"]), (&json!("local"), &json!("active")));
    assert_eq!((&worker["capacity"], &worker["active"]), (&json!(8), &json!(0)));
    assert!(worker["runtimes"].as_array().expect("a list").contains(&json!("shell")));
    let tell = async |verb: &str| house.post(&format!("/api/v1/workers/local/{verb}")).await;
    assert_eq!(tell("cordon").await.ok(200)["cordoned"], true);
    assert_eq!(tell("cordon").await.ok(200)["cordoned"], true);
    let id = house.start("test.echo", json!({})).await;
    let why = house.explained(id, "no_eligible_worker").await;
    assert!(why["sentence"].as_str().expect("text").contains("cordoned"), "{why}");
    assert_eq!(tell("uncordon").await.ok(200)["cordoned"], false);
    house.wait(id, &["completed"]).await;
    assert_eq!(tell("drain").await.ok(200)["state"], "draining");
    let last = house.start("test.echo", json!({})).await;
    house.explained(last, "no_eligible_worker").await;
    for verb in ["cordon", "uncordon", "drain"] {
        let path = format!("/api/v1/workers/nobody/{verb}");
        house.post(&path).await.problem(404, "unknown-worker");
    }
    house.stop().await;
}
