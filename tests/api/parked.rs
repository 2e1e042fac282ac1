//! Parked messages over HTTP, on the broker within a process.

use axum::body::Body;
use axum::http::{HeaderValue, Method, header};
use serde_json::json;
use steadfast_runtime::api::{ApiOptions, Role, Token};

use crate::house::{House, json_request, request};

/// The hash of `TOKEN`, as `printf %s TOKEN | sha256sum` makes it.
const OPERATOR: &str = "06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23";
const ADMIN: &str = "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918";

#[tokio::test]
async fn nothing_is_parked_and_what_is_not_there_is_not_found() {
    let house = House::new().await;
    let list = house.get("/api/v1/parked").await.ok(200);
    assert_eq!(list, json!({ "items": [] }));
    house.get("/api/v1/parked/7").await.problem(404, "unknown-parked");
    house.post("/api/v1/parked/7/replay").await.problem(404, "unknown-parked");
    let discard = "/api/v1/parked/7/discard";
    house.post_json(discard, &json!({ "reason": "old" })).await.problem(404, "unknown-parked");
    for body in [json!({}), json!({ "reason": " " }), json!({ "reason": 1 })] {
        house.post_json(discard, &body).await.problem(422, "invalid-body");
    }
    house.stop().await;
}

#[tokio::test]
async fn only_an_administrator_gives_messages_up() {
    let tokens = vec![
        Token::new("ops", Role::Operator, OPERATOR).expect("a hash"),
        Token::new("root", Role::Admin, ADMIN).expect("a hash"),
    ];
    let house = House::with(ApiOptions { tokens, ..ApiOptions::default() }, |_| {}).await;
    let bearer = |mut request: axum::http::Request<Body>, token: &'static str| {
        request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static(token));
        request
    };
    let discard = || json_request(Method::POST, "/api/v1/parked/7/discard", r#"{"reason":"x"}"#);
    house.send(discard()).await.problem(401, "unauthorized");
    house.send(bearer(discard(), "Bearer operator")).await.problem(403, "forbidden");
    house.send(bearer(discard(), "Bearer admin")).await.problem(404, "unknown-parked");
    let replay = request(Method::POST, "/api/v1/parked/7/replay", Body::empty());
    house.send(bearer(replay, "Bearer operator")).await.problem(404, "unknown-parked");
    house.stop().await;
}
