//! What is submitted again and again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;

const PATH: &str = "/api/v1/schedules";

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

fn nightly() -> Value {
    json!({
        "name": "nightly", "cron": "30 4 * * mon-fri", "timezone": "Europe/Berlin",
        "action_ref": "test.echo", "parameters": { "deep": [1, 2] }, "missed": "all",
    })
}

#[tokio::test]
async fn a_schedule_is_created_found_paused_resumed_and_removed() {
    let house = House::new().await;
    let created = house.post_json(PATH, &nightly()).await;
    assert_eq!(created.headers["location"], "/api/v1/schedules/nightly");
    let created = created.ok(201);
    for field in ["name", "cron", "timezone", "action_ref", "parameters", "missed"] {
        assert_eq!(created[field], nightly()[field], "{field}");
    }
    assert_eq!(created["state"], "active");
    assert!(created["next_due_at"].as_str().expect("a time").ends_with("30:00.000000Z"));
    assert!(created["last_fired_for"].is_null() && created["interval_seconds"].is_null());
    assert_eq!(house.post_json(PATH, &nightly()).await.ok(200), created);
    for (field, value) in [("cron", json!("@daily")), ("enabled", json!(false))] {
        let other = with(nightly(), field, value);
        house.post_json(PATH, &other).await.problem(409, "schedule-exists");
    }
    assert_eq!(house.get(&format!("{PATH}/nightly")).await.ok(200), created);

    let paused = house.post(&format!("{PATH}/nightly/pause")).await.ok(200);
    assert_eq!((&paused["state"], &paused["next_due_at"]), (&json!("paused"), &Value::Null));
    assert_eq!(house.post(&format!("{PATH}/nightly/pause")).await.ok(200), paused);
    // As it was asked for, whatever became of it.
    assert_eq!(house.post_json(PATH, &nightly()).await.ok(200), paused);
    let resumed = house.post(&format!("{PATH}/nightly/resume")).await.ok(200);
    assert_eq!(resumed["next_due_at"], created["next_due_at"]);
    assert_eq!(house.delete(&format!("{PATH}/nightly")).await.ok(200)["state"], "removed");
    for (method, path) in [("get", ""), ("delete", ""), ("post", "/pause"), ("post", "/resume")] {
        let path = format!("{PATH}/nightly{path}");
        let answer = match method {
            "get" => house.get(&path).await,
            "delete" => house.delete(&path).await,
            _ => house.post(&path).await,
        };
        answer.problem(404, "unknown-schedule");
    }
    let other = json!({ "name": "nightly", "cron": "@daily", "action_ref": "test.echo" });
    let again = house.post_json(PATH, &other).await.ok(201);
    assert_eq!((&again["cron"], &again["timezone"]), (&json!("@daily"), &json!("UTC")));
    assert_eq!((&again["missed"], &again["parameters"]), (&json!("once"), &json!({})));
    house.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_field_that_is_wrong() {
    let house = House::new().await;
    let bad = [
        ("cron", json!("60 * * * *"), "the minute `60`"),
        ("cron", json!("0 25 * * *"), "the hour `25`"),
        ("cron", json!("0 0 30 2 *"), "never due"),
        ("cron", json!("* * * *"), "has 4 fields"),
        ("cron", json!("@reboot"), "@reboot"),
        ("cron", json!("x".repeat(300)), "longer than 255"),
        ("timezone", json!("Mars/Olympus"), "Mars/Olympus"),
        ("name", json!("a/b"), "letters, digits"),
        ("name", json!(""), "letters, digits"),
        ("name", json!("x".repeat(129)), "at most 128"),
        ("missed", json!("twice"), "unknown variant"),
        ("interval_seconds", json!(60), "beside `cron`"),
        ("interval_seconds", json!(-1), "integer `-1`"),
    ];
    for (field, value, says) in bad {
        let body = with(nightly(), field, value.clone());
        let problem = house.post_json(PATH, &body).await.problem(422, "invalid-body");
        assert_eq!(problem["errors"][0]["field"], field, "{value}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{value}: {problem}");
    }
    let interval = |seconds: u32| json!({ "name": "i", "interval_seconds": seconds, "action_ref": "test.echo" });
    let none = json!({ "name": "i", "action_ref": "test.echo" });
    for (body, field) in [
        (interval(0), "interval_seconds"),
        (none, "cron"),
        (with(interval(5), "timezone", json!("UTC")), "timezone"),
    ] {
        let problem = house.post_json(PATH, &body).await.problem(422, "invalid-body");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let unknown = with(interval(5), "action_ref", json!("no.such"));
    house.post_json(PATH, &unknown).await.problem(404, "unknown-action");
    let off = with(interval(5), "action_ref", json!("test.off"));
    house.post_json(PATH, &off).await.problem(409, "action-disabled");
    let misfit = with(interval(5), "action_ref", json!("test.add"));
    house.post_json(PATH, &misfit).await.problem(422, "invalid-parameters");
    assert_eq!(house.get(PATH).await.ok(200)["items"], json!([]));
    house.stop().await;
}

#[tokio::test]
async fn schedules_are_listed_by_name_page_by_page() {
    let house = House::new().await;
    for name in ["c", "a", "b.2", "b-1", "d"] {
        let body = json!({
            "name": name, "interval_seconds": 3600, "action_ref": "test.echo", "enabled": false,
        });
        assert_eq!(house.post_json(PATH, &body).await.ok(201)["state"], "paused");
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("{PATH}?limit=2{cursor}")).await.ok(200);
        let items = page["items"].as_array().expect("items");
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b-1", "b.2", "c", "d"]);
    house.get(&format!("{PATH}?limit=0")).await.problem(400, "invalid-request");
    house.get(&format!("{PATH}?cursor=x")).await.problem(400, "invalid-request");
    house.stop().await;
}

#[tokio::test]
async fn a_schedule_each_second_fires_once_for_each_of_them() {
    let house = House::new().await;
    let body = json!({
        "name": "tick", "interval_seconds": 1, "action_ref": "test.echo",
        "parameters": { "n": 7 },
    });
    house.post_json(PATH, &body).await.ok(201);
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    house.delete(&format!("{PATH}/tick")).await.ok(200);
    let all = house.get("/api/v1/executions?action_ref=test.echo").await.ok(200);
    let all = all["items"].as_array().expect("items");
    assert!((2..=4).contains(&all.len()), "{all:?}");
    for execution in all {
        let shown = (&execution["schedule"], &execution["parameters"]);
        assert_eq!(shown, (&json!("tick"), &json!({ "n": 7 })));
    }
    // Nobody may take a due time before its schedule does.
    let body = json!({ "action_ref": "test.echo", "idempotency_key": "schedule/tick/1" });
    let problem = house.post_json("/api/v1/executions", &body).await.problem(422, "invalid-body");
    assert_eq!(problem["errors"][0]["field"], "idempotency_key");
    house.stop().await;
}
