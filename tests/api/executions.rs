//! Submitting, finding, cancelling and repeating executions.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};
use steadfast_runtime::api::ApiOptions;

use crate::house::{Answer, House, json_request, request};

const FIELDS: [&str; 12] = [
    "id",
    "action_ref",
    "status",
    "parameters",
    "result",
    "error",
    "parent_id",
    "retry_of",
    "attempts",
    "created_at",
    "started_at",
    "ended_at",
];

#[tokio::test]
async fn an_execution_runs_to_its_end_and_shows_what_the_contract_says() {
    let house = House::new().await;
    let answer = house.submit("test.add", json!({ "a": 2, "password": "hunter2" })).await;
    let created = answer.ok(201);
    let id = created["id"].as_u64().expect("an integer");
    assert_eq!(answer.headers[header::LOCATION], format!("/api/v1/executions/{id}"));
    let done = house.wait(id, &["completed"]).await;
    let names: BTreeSet<&str> =
        done.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(FIELDS));
    let parameters = json!({ "a": 2, "b": 1, "password": "[redacted]" });
    assert_eq!(done["parameters"], parameters, "defaults are filled in, secrets are not shown");
    assert_eq!((&done["result"], &done["error"]), (&json!(3), &Value::Null));
    assert_eq!((&done["attempts"], &done["retry_of"]), (&json!(1), &Value::Null));
    for moment in ["created_at", "started_at", "ended_at"] {
        let text = done[moment].as_str().expect("a moment");
        assert!(text.starts_with("20") && text.ends_with('Z') && text.contains('T'), "{text}");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_default_secret_is_as_secret_as_a_given_one() {
    let house = House::new().await;
    let id = house.start("test.add", json!({ "a": 2 })).await;
    assert_eq!(house.execution(id).await["parameters"]["password"], "[redacted]");
    let action = house.get("/api/v1/actions/test.add").await.ok(200);
    assert_eq!(action["parameters"]["properties"]["password"]["default"], "[redacted]");
    let list = house.get("/api/v1/executions").await;
    assert!(!list.text().contains("swordfish"), "{}", list.text());
    house.stop().await;
}

#[tokio::test]
async fn a_key_finds_the_first_execution() {
    let house = House::new().await;
    let submit = |key: &str, a: i64| json!({ "action_ref": "test.add", "parameters": { "a": a }, "idempotency_key": key });
    let path = "/api/v1/executions";
    let first = house.post_json(path, &submit("k", 1)).await.ok(201);
    assert_eq!(house.post_json(path, &submit("k", 1)).await.ok(200)["id"], first["id"]);
    // What the default is anyway makes no other body.
    let spelled = json!({
        "action_ref": "test.add", "parameters": { "b": 1, "a": 1 }, "idempotency_key": "k"
    });
    assert_eq!(house.post_json(path, &spelled).await.ok(200)["id"], first["id"]);
    house.post_json(path, &submit("k", 2)).await.problem(409, "idempotency-key-reused");
    let other_action = json!({ "action_ref": "test.echo", "idempotency_key": "k" });
    house.post_json(path, &other_action).await.problem(409, "idempotency-key-reused");

    let with_header = |header: &str, body: Value| {
        let mut request = json_request(Method::POST, path, body.to_string());
        request.headers_mut().insert("Idempotency-Key", header.parse().expect("a header"));
        request
    };
    let plain = json!({ "action_ref": "test.add", "parameters": { "a": 1 } });
    assert_eq!(house.send(with_header("k", plain)).await.ok(200)["id"], first["id"]);
    assert_eq!(house.send(with_header("k", submit("k", 1))).await.ok(200)["id"], first["id"]);
    house.send(with_header("l", submit("k", 1))).await.problem(422, "invalid-body");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_submissions_with_one_key_one_execution_comes() {
    let house = House::new().await;
    let body = json!({ "action_ref": "test.echo", "idempotency_key": "once" });
    let answers: Vec<Answer> = futures_util::future::join_all(
        (0..64).map(|_| async { house.post_json("/api/v1/executions", &body).await }),
    )
    .await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)));
    let ids: BTreeSet<u64> =
        answers.iter().map(|answer| answer.json()["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), 1);
    let all = house.get("/api/v1/executions?action_ref=test.echo").await.ok(200);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    house.stop().await;
}

#[tokio::test]
async fn a_listing_is_filtered_and_paged_newest_first() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for a in 0..5 {
        ids.push(house.start("test.add", json!({ "a": a })).await);
    }
    let held = house.start("test.free", json!({})).await;
    for id in &ids {
        house.wait(*id, &["completed"]).await;
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = String::from("/api/v1/executions?action_ref=test.add&limit=2");
    let mut pages = 0;
    loop {
        let page = house.get(&path).await.ok(200);
        pages += 1;
        let items = page["items"].as_array().expect("items");
        seen.extend(items.iter().filter_map(|item| item["id"].as_u64()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/executions?action_ref=test.add&limit=2&cursor={cursor}");
    }
    assert_eq!((seen, pages), (ids.clone(), 3));

    let count = async |query: &str| {
        let page = house.get(&format!("/api/v1/executions?{query}")).await.ok(200);
        page["items"].as_array().map(Vec::len).expect("items")
    };
    assert_eq!(count("status=completed").await, 5);
    house.wait(held, &["running"]).await;
    assert_eq!(count("status=running,completed").await, 6);
    assert_eq!(count("status=scheduled").await, 0);
    assert_eq!(count("status=running&action_ref=test.add").await, 0);
    assert_eq!(count("parent=1").await, 0);
    assert_eq!(count("limit=100000").await, 6);
    assert_eq!(count("action_ref=no.such").await, 0);
    house.stop().await;
}

#[tokio::test]
async fn a_cancelled_execution_stops_and_asking_again_changes_nothing() {
    let house = House::new().await;
    let running = house.start("test.hold", json!({})).await;
    house.wait(running, &["running"]).await;
    let waiting = house.start("test.hold", json!({})).await;
    let cancel = async |id: u64| house.post(&format!("/api/v1/executions/{id}/cancel")).await;
    assert_eq!(cancel(waiting).await.ok(200)["status"], "cancelled");
    assert_eq!(cancel(running).await.ok(200)["id"], running);
    cancel(running).await.ok(200);
    let over = house.wait(running, &["cancelled"]).await;
    assert!(over["error"].as_str().is_some(), "{over}");
    cancel(running).await.ok(200);
    let done = house.start("test.echo", json!({})).await;
    house.wait(done, &["completed"]).await;
    cancel(done).await.problem(409, "illegal-state");
    cancel(999_999).await.problem(404, "unknown-execution");
    house.stop().await;
}

#[tokio::test]
async fn a_retry_is_a_new_execution() {
    let house = House::new().await;
    let failed = house.start("test.fail", json!({ "x": 1 })).await;
    let first = house.wait(failed, &["failed"]).await;
    assert_eq!(first["error"], "it broke: {\"x\":1}");
    let retry = async |id: u64| house.post(&format!("/api/v1/executions/{id}/retry")).await;
    let second = retry(failed).await.ok(201);
    assert_eq!(second["retry_of"], failed);
    assert_eq!(second["parameters"], json!({ "x": 1 }));
    assert_ne!(second["id"], failed);
    assert_eq!(house.execution(failed).await, first, "what is over stays as it is");
    let running = house.start("test.hold", json!({})).await;
    retry(running).await.problem(409, "illegal-state");
    retry(999_999).await.problem(404, "unknown-execution");
    house.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_execution_and_nothing_else() {
    let house = House::new().await;
    let id = house.start("test.panic", json!({})).await;
    let failed = house.wait(id, &["failed"]).await;
    let error = failed["error"].as_str().expect("a reason");
    assert!(error.contains("the handler panicked"), "{error}");
    assert_eq!(failed["attempts"], 1);
    let next = house.start("test.echo", json!({})).await;
    house.wait(next, &["completed"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_creates_nothing() {
    let house = House::with(ApiOptions::default(), |options| {
        options.settings.max_queue_length = 1;
    })
    .await;
    house.start("test.hold", json!({})).await;
    house.start("test.hold", json!({})).await;
    let refused = house.submit("test.hold", json!({})).await;
    refused.problem(429, "queue-full");
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    let all = house.get("/api/v1/executions").await.ok(200);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    house.stop().await;
}

#[tokio::test]
async fn output_is_shown_by_stream_and_attempt() {
    let house = House::new().await;
    let id = house.start("core.echo", json!({ "message": "heard" })).await;
    house.wait(id, &["completed"]).await;
    let logs = async |query: &str| house.get(&format!("/api/v1/executions/{id}/logs{query}")).await;
    let newest = logs("").await;
    assert_eq!(newest.status, 200);
    assert!(newest.text().contains("heard"), "{newest:?}");
    assert_eq!(newest.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(newest.headers["steadfast-attempt"], "1");
    assert_eq!(logs("?stream=stdout&attempt=1").await.body, newest.body);
    assert_eq!(logs("?stream=stderr").await.status, 200);
    logs("?attempt=2").await.problem(404, "unknown-attempt");
    logs("?attempt=0").await.problem(404, "unknown-attempt");
    logs("?stream=stdin").await.problem(400, "invalid-request");
    logs("?attempt=-1").await.problem(400, "invalid-request");
    house.get("/api/v1/executions/999/logs").await.problem(404, "unknown-execution");
    let silent = house.start("test.echo", json!({})).await;
    let nothing = house.get(&format!("/api/v1/executions/{silent}/logs")).await;
    assert_eq!((nothing.status, nothing.text()), (200, ""));
    house.stop().await;
}

#[tokio::test]
async fn a_head_is_a_get_without_a_body() {
    let house = House::new().await;
    let id = house.start("test.echo", json!({})).await;
    let path = format!("/api/v1/executions/{id}");
    let answer = house.send(request(Method::HEAD, &path, Body::empty())).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    house.stop().await;
}
