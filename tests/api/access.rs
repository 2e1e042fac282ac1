//! Tokens, roles, and what holds without them.

use axum::body::Body;
use axum::http::{HeaderValue, Method, header};
use steadfast_runtime::api::{ApiOptions, Role, Token};

use crate::house::{House, request};

/// SHA-256 of `look` and of `act`.
const LOOK: &str = "3c01eba119e00d79c82b6f65d70bc5f1044d568618bf41377e6d1432023fc2b8";
const ACT: &str = "f83f07be16e270186d35b876916c461995ebc3af5b1798f898c33285a1847dbc";

fn guarded() -> ApiOptions {
    let tokens = vec![
        Token::new("lookout", Role::Viewer, LOOK).expect("a hash"),
        Token::new("hand", Role::Operator, ACT).expect("a hash"),
    ];
    ApiOptions { tokens, ..ApiOptions::default() }
}

async fn ask(house: &House, method: Method, path: &str, authorization: &[&str]) -> (u16, String) {
    let mut request = request(method, path, Body::empty());
    for value in authorization {
        let value = HeaderValue::from_str(value).expect("a header");
        request.headers_mut().append(header::AUTHORIZATION, value);
    }
    let answer = house.send(request).await;
    let kind = match answer.status {
        401 => {
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"steadfast\"");
            answer.problem(401, "unauthorized")
        }
        403 => answer.problem(403, "forbidden"),
        _ => serde_json::Value::Null,
    };
    (answer.status, kind.to_string())
}

#[tokio::test]
async fn a_token_is_needed_known_and_sufficient() {
    let house = House::with(guarded(), |_| {}).await;
    let (get, post) = (Method::GET, Method::POST);
    let list = "/api/v1/executions";
    let pause = "/api/v1/actions/test.echo/pause";
    let rows: [(&Method, &str, &[&str], u16); 20] = [
        (&get, list, &[], 401),
        (&get, list, &["Bearer look"], 200),
        (&get, list, &["bearer look"], 200),
        (&get, list, &["Bearer act"], 200),
        (&get, list, &["Bearer Look"], 401),
        (&get, list, &["Bearer "], 401),
        (&get, list, &["Bearer"], 401),
        (&get, list, &["Basic look"], 401),
        (&get, list, &["look"], 401),
        (&get, list, &[&format!("Bearer {LOOK}")], 401),
        (&get, list, &["Bearer look", "Bearer act"], 401),
        (&post, pause, &[], 401),
        (&post, pause, &["Bearer look"], 403),
        (&post, pause, &["Bearer act"], 200),
        (&get, "/health/live", &[], 200),
        (&get, "/api/v1/health/ready", &[], 200),
        (&get, "/api/v1/openapi.json", &[], 200),
        (&get, "/metrics", &[], 401),
        (&get, "/health/detailed", &["Bearer look"], 200),
        (&get, "/no/such/path", &[], 401),
    ];
    for (method, path, authorization, status) in rows {
        let (found, problem) = ask(&house, method.clone(), path, authorization).await;
        assert_eq!(found, status, "{method} {path} {authorization:?}: {problem}");
        assert!(!problem.contains(LOOK), "{problem}");
    }
    house.stop().await;
}

#[tokio::test]
async fn every_route_but_a_few_is_closed() {
    let house = House::with(guarded(), |_| {}).await;
    let document = house.get("/api/v1/openapi.json").await.ok(200);
    let mut open = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let real = path.replace("{id}", "1").replace("{ref}", "test.echo").replace("{name}", "x");
        for method in item.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let (status, _) = ask(&house, method.clone(), &real, &[]).await;
            if status != 401 {
                open.push(path.as_str());
            }
            if method != Method::GET {
                let (status, _) = ask(&house, method.clone(), &real, &["Bearer look"]).await;
                assert_eq!(status, 403, "{method} {path}");
            }
        }
    }
    open.sort_unstable();
    let known = [
        "/api/v1/health/live",
        "/api/v1/health/ready",
        "/api/v1/openapi.json",
        "/health/live",
        "/health/ready",
    ];
    assert_eq!(open, known);
    house.stop().await;
}

#[tokio::test]
async fn without_tokens_only_this_machine_may_ask() {
    let house = House::new().await;
    let rows = [
        ("host", "localhost:8080", true),
        ("host", "127.0.0.1", true),
        ("host", "[::1]:8080", true),
        ("host", "engine.example:8080", false),
        ("host", "localhost.example", false),
        ("origin", "http://localhost:3000", true),
        ("origin", "http://127.0.0.1:8080", true),
        ("origin", "https://evil.example", false),
        ("origin", "null", false),
    ];
    for (name, value, allowed) in rows {
        let mut request = request(Method::POST, "/api/v1/actions/test.echo/pause", Body::empty());
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        let answer = house.send(request).await;
        if allowed {
            answer.ok(200);
        } else {
            answer.problem(403, "foreign-origin");
        }
    }
    house.stop().await;
}
