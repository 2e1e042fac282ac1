//! Whatever is wrong with a request, the answer says so and nothing happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, header};
use futures_util::stream;
use serde_json::json;
use steadfast_runtime::api::ApiOptions;

use crate::house::{House, json_request, request};

const EXECUTIONS: &str = "/api/v1/executions";

#[tokio::test]
async fn bodies_that_are_not_a_submission() {
    let house = House::new().await;
    let deep = |levels: usize, open: &str, close: &str| {
        let nested = format!("{}{}", open.repeat(levels), close.repeat(levels));
        format!("{{\"action_ref\":\"test.echo\",\"parameters\":{{\"x\":{nested}}}}}")
    };
    let rows: [(&str, String, u16, &str); 22] = [
        ("nothing", String::new(), 400, "malformed-json"),
        ("no JSON", "action_ref=test.echo".into(), 400, "malformed-json"),
        ("half of it", "{\"action_ref\": \"test.ec".into(), 400, "malformed-json"),
        ("a trailing comma", "{\"action_ref\":\"test.echo\",}".into(), 400, "malformed-json"),
        ("two values", "{\"action_ref\":\"test.echo\"} {}".into(), 400, "malformed-json"),
        ("a bare NUL", "{\"action_ref\":\"a\0b\"}".into(), 400, "malformed-json"),
        ("not a number", "{\"action_ref\":NaN}".into(), 400, "malformed-json"),
        ("a deep list", deep(50_000, "[", "]"), 400, "malformed-json"),
        ("a deep mapping", deep(50_000, "{\"a\":[", "]}"), 400, "malformed-json"),
        ("a list", "[]".into(), 422, "invalid-body"),
        ("null", "null".into(), 422, "invalid-body"),
        ("no action", "{}".into(), 422, "invalid-body"),
        ("an action of another type", "{\"action_ref\":7}".into(), 422, "invalid-body"),
        ("an unknown field", "{\"action_ref\":\"test.echo\",\"x\":1}".into(), 422, "invalid-body"),
        (
            "a field twice",
            "{\"action_ref\":\"test.echo\",\"action_ref\":\"test.add\"}".into(),
            422,
            "invalid-body",
        ),
        (
            "an empty key",
            "{\"action_ref\":\"test.echo\",\"idempotency_key\":\"\"}".into(),
            422,
            "invalid-body",
        ),
        (
            "a key with a NUL",
            "{\"action_ref\":\"test.echo\",\"idempotency_key\":\"a\\u0000\"}".into(),
            422,
            "invalid-body",
        ),
        (
            "a long key",
            format!("{{\"action_ref\":\"test.echo\",\"idempotency_key\":\"{}\"}}", "k".repeat(256)),
            422,
            "invalid-body",
        ),
        ("an unknown action", "{\"action_ref\":\"no.such\"}".into(), 404, "unknown-action"),
        ("an action with a NUL", "{\"action_ref\":\"a\\u0000\"}".into(), 404, "unknown-action"),
        ("an action without a name", "{\"action_ref\":\"\"}".into(), 404, "unknown-action"),
        ("a disabled action", "{\"action_ref\":\"test.off\"}".into(), 409, "action-disabled"),
    ];
    for (what, body, status, kind) in rows {
        let answer = house.send(json_request(Method::POST, EXECUTIONS, body)).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        answer.problem(status, kind);
    }
    let all = house.get(EXECUTIONS).await.ok(200);
    assert_eq!(all["items"], json!([]), "nothing was created");
    house.stop().await;
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let house = House::new().await;
    for (parameters, field) in [
        (json!({}), "parameters.a"),
        (json!({ "a": "two" }), "parameters.a"),
        (json!({ "a": 1, "b": 1.5 }), "parameters.b"),
        (json!({ "a": 1, "c": 1 }), "parameters.c"),
        (json!([1]), "parameters"),
        (json!("a"), "parameters"),
        (json!({ "a": 1, "password": "x\u{0}" }), "parameters.password"),
    ] {
        let problem = house.submit("test.add", parameters).await.problem(422, "invalid-parameters");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let nested = json!({ "list": [{ "deep": "a\u{0}b" }] });
    let problem = house.submit("test.echo", nested).await.problem(422, "invalid-parameters");
    assert_eq!(problem["errors"][0]["field"], "parameters.list[0].deep");
    let levels = |count: usize| (0..count).fold(json!(1), |inner, _| json!([inner]));
    house.submit("test.echo", json!({ "x": levels(63) })).await.ok(201);
    let deep = house.submit("test.echo", json!({ "x": levels(64) })).await;
    deep.problem(422, "invalid-parameters");
    let name = json!({ "a\u{0}b": 1 });
    house.submit("test.echo", name).await.problem(422, "invalid-parameters");
    let missing_key = house.submit("test.keyed", json!({})).await;
    missing_key.problem(422, "invalid-parameters");
    house.stop().await;
}

#[tokio::test]
async fn what_fits_comes_back_as_it_was() {
    let house = House::new().await;
    let rows = [
        json!({ "text": "ünï☃\u{1F980}\u{202e}\n\t\"\\</script>", "": {} }),
        json!({ "numbers": [0, -1, u64::MAX, i64::MIN, 1.5, 1e300], "null": null }),
        json!({ "sql": "'; DROP TABLE execution; --", "%s": "{{ 7 * 7 }}" }),
    ];
    for parameters in rows {
        let id = house.start("test.echo", parameters.clone()).await;
        let done = house.wait(id, &["completed"]).await;
        assert_eq!((&done["parameters"], &done["result"]), (&parameters, &parameters));
    }
    house.stop().await;
}

#[tokio::test]
async fn bodies_of_another_type_or_size() {
    let options = ApiOptions { max_body_bytes: 1000, ..ApiOptions::default() };
    let house = House::with(options, |_| {}).await;
    let body = "{\"action_ref\":\"test.echo\"}";
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""]
    {
        let mut request = request(Method::POST, EXECUTIONS, Body::from(body));
        if !kind.is_empty() {
            let kind = header::HeaderValue::from_static(kind);
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        house.send(request).await.problem(415, "unsupported-media-type");
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"] {
        let mut request = request(Method::POST, EXECUTIONS, Body::from(body));
        let kind = header::HeaderValue::from_static(kind);
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        house.send(request).await.ok(201);
    }
    // Declared too large, and found too large on the way.
    let large = "x".repeat(1001);
    let mut declared = json_request(Method::POST, EXECUTIONS, large.clone());
    declared.headers_mut().insert(header::CONTENT_LENGTH, 1001.into());
    house.send(declared).await.problem(413, "body-too-large");
    let pieces = stream::iter(
        large
            .into_bytes()
            .chunks(100)
            .map(Bytes::copy_from_slice)
            .map(Ok::<_, Infallible>)
            .collect::<Vec<_>>(),
    );
    let streamed = json_request(Method::POST, EXECUTIONS, Body::from_stream(pieces));
    house.send(streamed).await.problem(413, "body-too-large");
    house.stop().await;
}

#[tokio::test]
async fn bodies_that_never_come() {
    let options = ApiOptions { body_timeout: Duration::from_millis(50), ..ApiOptions::default() };
    let house = House::with(options, |_| {}).await;
    let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let answer = house.send(json_request(Method::POST, EXECUTIONS, body)).await;
    answer.problem(408, "body-timeout");
    house.stop().await;
}

#[tokio::test]
async fn paths_and_queries_that_say_nothing() {
    let house = House::new().await;
    let id = house.start("test.echo", json!({})).await;
    let rows = [
        ("/api/v1/executions/abc", 400, "invalid-request"),
        ("/api/v1/executions/-1", 400, "invalid-request"),
        ("/api/v1/executions/1.0", 400, "invalid-request"),
        ("/api/v1/executions/99999999999999999999999", 400, "invalid-request"),
        ("/api/v1/executions/%ff", 400, "invalid-request"),
        ("/api/v1/executions/%00", 400, "invalid-request"),
        ("/api/v1/executions/0", 404, "unknown-execution"),
        ("/api/v1/executions/424242", 404, "unknown-execution"),
        ("/api/v1/executions/18446744073709551615", 404, "unknown-execution"),
        ("/api/v1/executions/424242/tasks", 404, "unknown-execution"),
        ("/api/v1/executions/424242/explain", 404, "unknown-execution"),
        ("/api/v1/executions?status=done", 400, "invalid-request"),
        ("/api/v1/executions?status=Completed", 400, "invalid-request"),
        ("/api/v1/executions?limit=0", 400, "invalid-request"),
        ("/api/v1/executions?limit=-1", 400, "invalid-request"),
        ("/api/v1/executions?limit=ten", 400, "invalid-request"),
        ("/api/v1/executions?limit=4294967296", 400, "invalid-request"),
        ("/api/v1/executions?limit=1&limit=2", 400, "invalid-request"),
        ("/api/v1/executions?cursor=nonsense", 400, "invalid-request"),
        ("/api/v1/executions?parent=-5", 400, "invalid-request"),
        ("/api/v1/executions?parent=18446744073709551615", 400, "invalid-request"),
        ("/api/v1/executions?stauts=running", 400, "invalid-request"),
        ("/api/v1/executions/stream?id=x", 400, "invalid-request"),
        ("/api/v1/executions/stream?id=424242", 404, "unknown-execution"),
        ("/api/v1/schedules/none", 404, "unknown-schedule"),
        ("/api/v1/schedules?limit=0", 400, "invalid-request"),
        ("/api/v1/groups", 404, "not-found"),
        ("/api/v1/parked/7", 404, "unknown-parked"),
        ("/api/v1", 404, "not-found"),
        ("/api/v2/executions", 404, "not-found"),
        ("/", 404, "not-found"),
        ("/executions", 404, "not-found"),
        ("/api/v1/executions/", 404, "not-found"),
        ("//api/v1/executions", 404, "not-found"),
        ("/api/v1/../v1/executions", 404, "not-found"),
    ];
    for (path, status, kind) in rows {
        let answer = house.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        answer.problem(status, kind);
    }
    let tasks = format!("/api/v1/executions/{id}/tasks");
    for query in ["limit=0", "limit=-1", "cursor=x", "status=running"] {
        house.get(&format!("{tasks}?{query}")).await.problem(400, "invalid-request");
    }
    assert_eq!(house.get(&tasks).await.ok(200), json!({ "items": [], "next_cursor": null }));
    house.stop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered() {
    let options =
        ApiOptions { request_timeout: Duration::from_millis(50), ..ApiOptions::default() };
    let house = House::with(options, |_| {}).await;
    let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let answer = house.send(json_request(Method::POST, EXECUTIONS, body)).await;
    answer.problem(503, "request-timeout");
    house.stop().await;
}
