//! Health and metrics.

use axum::http::header;
use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn health_is_json_at_both_places() {
    let house = House::new().await;
    let first = house.start("test.echo", json!({})).await;
    house.wait(first, &["completed"]).await;
    for prefix in ["", "/api/v1"] {
        let live = house.get(&format!("{prefix}/health/live")).await.ok(200);
        assert_eq!(live, json!({ "status": "ok" }));
        let ready = house.get(&format!("{prefix}/health/ready")).await.ok(200);
        assert_eq!(ready["status"], "ok");
        let detailed = house.get(&format!("{prefix}/health/detailed")).await.ok(200);
        assert_eq!(detailed["executions"]["completed"], 1);
        assert_eq!(detailed["workers"], json!({ "active": 1 }));
        assert!(detailed["version"].is_string());
    }
    house.stop().await;
}

#[tokio::test]
async fn an_engine_that_has_stopped_lives_and_is_not_ready() {
    let house = House::new().await;
    let id = house.start("test.echo", json!({})).await;
    house.wait(id, &["completed"]).await;
    house.engine.shutdown(true).await;
    assert_eq!(house.get("/health/live").await.status, 200);
    let ready = house.get("/health/ready").await.ok(503);
    assert_eq!(ready["status"], "unavailable");
    assert_eq!(ready["checks"][0]["ok"], false);
    house.get("/health/detailed").await.ok(503);
    house.get("/api/v1/executions").await.problem(503, "store-unavailable");
    let submit = house.submit("test.echo", json!({})).await;
    assert_eq!(submit.status, 503, "{submit:?}");
    assert_eq!(house.get("/metrics").await.status, 200);
}

/// The metrics as name, labels and value.
fn samples(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

#[tokio::test]
async fn metrics_count_and_measure() {
    let house = House::new().await;
    let done = house.start("test.echo", json!({})).await;
    let failed = house.start("test.fail", json!({})).await;
    house.wait(done, &["completed"]).await;
    house.wait(failed, &["failed"]).await;
    let running = house.start("test.hold", json!({})).await;
    house.wait(running, &["running"]).await;
    house.start("test.hold", json!({})).await;
    let answer = house.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let kind = answer.headers[header::CONTENT_TYPE].to_str().expect("text");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = samples(text);
    let value = |name: &str| {
        let mut found = samples.iter().filter(|(sample, _)| sample == name);
        let (one, more) = (found.next(), found.next());
        assert!(more.is_none(), "{name} twice");
        one.unwrap_or_else(|| panic!("no {name} in {text}")).1
    };
    assert_eq!(value("steadfast_attempts_total{outcome=\"succeeded\"}"), 1.0);
    assert_eq!(value("steadfast_attempts_total{outcome=\"failed\"}"), 1.0);
    assert_eq!(value("steadfast_queue_depth{action=\"test.hold\"}"), 1.0);
    assert_eq!(value("steadfast_slots_in_use{action=\"test.hold\"}"), 1.0);
    assert_eq!(value("steadfast_slots_limit{action=\"test.hold\"}"), 1.0);
    assert!(value("steadfast_oldest_waiting_seconds{action=\"test.hold\"}") >= 0.0);
    assert!(value("steadfast_worker_heartbeat_age_seconds{worker=\"local\"}") < 60.0);
    assert!(value("steadfast_messages_published_total{type=\"hint\"}") > 0.0);
    for zero in ["parked_messages", "fenced_writes_total", "duplicate_completions_ignored_total"] {
        assert_eq!(value(&format!("steadfast_{zero}")), 0.0);
    }
    let families: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(families.contains(&"steadfast_attempts counter"), "{families:?}");
    assert!(families.contains(&"steadfast_gauge_age_seconds gauge"), "{families:?}");
    // Read once, shown twice: the second scrape is within the second.
    assert!(house.get("/api/v1/metrics").await.text().contains("steadfast_gauge_age_seconds{"));
    house.stop().await;
}
