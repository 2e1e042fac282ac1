//! Server-sent events.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use steadfast_runtime::api::ApiOptions;
use tower::ServiceExt;

use crate::house::{House, request};

/// An open stream.
struct Events {
    body: Body,
    text: String,
}

impl Events {
    async fn open(house: &House, query: &str) -> Self {
        let path = format!("/api/v1/executions/stream{query}");
        let request = request(Method::GET, &path, Body::empty());
        let response = house.api.clone().oneshot(request).await.expect("a router never fails");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event's name and data; nothing at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let found = line("event: ").zip(line("data: ")).map(|(name, data)| {
                    (name.to_owned(), serde_json::from_str(data).expect("JSON"))
                });
                self.text = rest.to_owned();
                if found.is_some() {
                    return found;
                }
                continue;
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame());
            let frame = frame.await.expect("an event comes")?.expect("the stream holds");
            let bytes = frame.into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }
}

#[tokio::test]
async fn ended_executions_are_told() {
    let house = House::new().await;
    let mut events = Events::open(&house, "").await;
    let good = house.start("test.echo", json!({})).await;
    let event = events.next().await.expect("an event");
    assert_eq!(event, ("ended".into(), json!({ "id": good, "status": "completed" })));
    let bad = house.start("test.fail", json!({})).await;
    let event = events.next().await.expect("an event");
    assert_eq!(event, ("ended".into(), json!({ "id": bad, "status": "failed" })));
    house.stop().await;
}

#[tokio::test]
async fn one_execution_is_followed_to_its_end() {
    let house = House::new().await;
    let id = house.start("test.hold", json!({})).await;
    let mut events = Events::open(&house, &format!("?id={id}")).await;
    let mut seen = Vec::new();
    let mut released = false;
    while let Some((name, data)) = events.next().await {
        assert_eq!(data["id"], id);
        let status = data["status"].as_str().expect("a status").to_owned();
        if status == "running" && !released {
            released = true;
            house.gate.add_permits(1);
        }
        seen.push((name, status));
    }
    let pairs: Vec<(&str, &str)> = seen.iter().map(|(n, s)| (n.as_str(), s.as_str())).collect();
    assert!(pairs.ends_with(&[("status", "running"), ("ended", "completed")]), "{pairs:?}");
    // What is over already is told at once.
    let mut events = Events::open(&house, &format!("?id={id}")).await;
    assert_eq!(events.next().await.expect("an event").0, "ended");
    assert!(events.next().await.is_none());
    house.stop().await;
}

#[tokio::test]
async fn streams_are_counted() {
    let options = ApiOptions { max_streams: 1, ..ApiOptions::default() };
    let house = House::with(options, |_| {}).await;
    let first = Events::open(&house, "").await;
    house.get("/api/v1/executions/stream").await.problem(503, "too-many-streams");
    drop(first);
    Events::open(&house, "").await;
    house.stop().await;
}
