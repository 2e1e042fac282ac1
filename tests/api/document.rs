//! The OpenAPI document and the routes are the same.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::Value;

use crate::house::{House, json_request, request};

/// Every route of the interface, as far as it is built.
const ROUTES: &[(&str, &str)] = &[
    ("/api/v1/actions", "get"),
    ("/api/v1/actions/{ref}", "get"),
    ("/api/v1/actions/{ref}/concurrency", "put"),
    ("/api/v1/actions/{ref}/pause", "post"),
    ("/api/v1/actions/{ref}/queue-stats", "get"),
    ("/api/v1/actions/{ref}/resume", "post"),
    ("/api/v1/effects", "get"),
    ("/api/v1/effects/{id}/discard", "post"),
    ("/api/v1/effects/{id}/retry", "post"),
    ("/api/v1/executions", "get"),
    ("/api/v1/executions", "post"),
    ("/api/v1/executions/stream", "get"),
    ("/api/v1/executions/{id}", "get"),
    ("/api/v1/executions/{id}/cancel", "post"),
    ("/api/v1/executions/{id}/explain", "get"),
    ("/api/v1/executions/{id}/logs", "get"),
    ("/api/v1/executions/{id}/retry", "post"),
    ("/api/v1/executions/{id}/tasks", "get"),
    ("/api/v1/health/detailed", "get"),
    ("/api/v1/health/live", "get"),
    ("/api/v1/health/ready", "get"),
    ("/api/v1/metrics", "get"),
    ("/api/v1/openapi.json", "get"),
    ("/api/v1/parked", "get"),
    ("/api/v1/parked/{id}", "get"),
    ("/api/v1/parked/{id}/discard", "post"),
    ("/api/v1/parked/{id}/replay", "post"),
    ("/api/v1/schedules", "get"),
    ("/api/v1/schedules", "post"),
    ("/api/v1/schedules/{name}", "delete"),
    ("/api/v1/schedules/{name}", "get"),
    ("/api/v1/schedules/{name}/pause", "post"),
    ("/api/v1/schedules/{name}/resume", "post"),
    ("/api/v1/transports", "get"),
    ("/api/v1/workers", "get"),
    ("/api/v1/workers/{name}/cordon", "post"),
    ("/api/v1/workers/{name}/drain", "post"),
    ("/api/v1/workers/{name}/uncordon", "post"),
    ("/health/detailed", "get"),
    ("/health/live", "get"),
    ("/health/ready", "get"),
    ("/metrics", "get"),
];

async fn described(house: &House) -> BTreeMap<String, BTreeSet<String>> {
    let document = house.get("/api/v1/openapi.json").await.ok(200);
    let paths = document["paths"].as_object().expect("paths").clone();
    let methods = |item: &Value| item.as_object().expect("methods").keys().cloned().collect();
    paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

fn real(path: &str) -> String {
    path.replace("{id}", "1").replace("{ref}", "test.echo").replace("{name}", "local")
}

#[tokio::test]
async fn the_document_describes_the_interface() {
    let house = House::new().await;
    let described = described(&house).await;
    let found: BTreeSet<(&str, &str)> = described
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(|m| (path.as_str(), m.as_str())))
        .collect();
    assert_eq!(found, ROUTES.iter().copied().collect());
    house.stop().await;
}

#[tokio::test]
async fn what_is_described_is_served_and_what_is_served_is_described() {
    let house = House::new().await;
    for (path, methods) in described(&house).await {
        for method in &methods {
            if path.ends_with("/stream") {
                continue;
            }
            let method: Method = method.to_uppercase().parse().expect("a method");
            let answer = house.send(json_request(method.clone(), &real(&path), "{}")).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            let is_problem = answer.status >= 400;
            let kind = if is_problem { answer.json()["type"].to_string() } else { String::new() };
            assert!(!kind.contains("problem:not-found"), "{method} {path}: {kind}");
        }
        // The server says itself which methods a path has.
        let answer = house.send(request(Method::OPTIONS, &real(&path), Body::empty())).await;
        answer.problem(405, "method-not-allowed");
        let allowed = answer.headers[header::ALLOW].to_str().expect("text").to_lowercase();
        let allowed: BTreeSet<String> =
            allowed.split(',').filter(|m| *m != "head").map(str::to_owned).collect();
        assert_eq!(allowed, methods, "{path}");
    }
    house.stop().await;
}

/// A path that was registered in another way would be missing from the document.
#[test]
fn routes_are_registered_with_their_description_only() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime/src/");
    let mut files: Vec<_> = std::fs::read_dir(format!("{root}api"))
        .expect("the directory is there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.push(format!("{root}api.rs").into());
    assert!(files.len() > 5, "read too little");
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "rs")) {
        let text = std::fs::read_to_string(file).expect("a file");
        let (text, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for way in [".route(", ".route_service(", ".nest_service(", "axum::routing"] {
            assert!(!text.contains(way), "{} uses {way}", file.display());
        }
    }
}

#[tokio::test]
async fn the_document_is_complete_in_itself() {
    let house = House::new().await;
    let document = house.get("/api/v1/openapi.json").await.ok(200);
    assert!(document["openapi"].as_str().expect("a version").starts_with("3."));
    let text = document.to_string();
    let mut rest = text.as_str();
    let mut references = 0;
    while let Some(start) = rest.find("\"#/") {
        rest = &rest[start + 2..];
        let end = rest.find('"').expect("a reference ends");
        assert!(document.pointer(&rest[..end]).is_some(), "{} leads nowhere", &rest[..end]);
        references += 1;
    }
    assert!(references > 20, "{references}");
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().expect("paths").values() {
        for operation in item.as_object().expect("methods").values() {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} twice");
            let summary = operation["summary"].as_str().expect("a summary");
            assert!(!summary.is_empty());
        }
    }
    let execution = &document["components"]["schemas"]["Execution"]["properties"];
    // Twelve that each has, and the schedule of one that was fired.
    assert_eq!(execution.as_object().map(serde_json::Map::len), Some(13));
    let problem = &document["components"]["schemas"]["Problem"]["properties"];
    assert!(problem["type"].is_object(), "{problem}");
    house.stop().await;
}
