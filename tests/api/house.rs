//! An engine with an API in front of it, and a client.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use steadfast_runtime::api::{ApiOptions, router};
use steadfast_runtime::core::Span;
use steadfast_runtime::packs::{Definition, Field, JsonType, Schema, Shape};
use steadfast_runtime::{Context, Engine, HandlerError, Options};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// An engine, its API, and what its actions wait for.
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) api: Router,
    /// Each permit lets one `test.hold` or `test.free` end.
    pub(crate) gate: Arc<Semaphore>,
    _packs: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body, if the status is right.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// The body, if it is a problem of this type.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["type"], format!("urn:steadfast:problem:{kind}"), "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(!body["title"].as_str().unwrap().is_empty(), "{body}");
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{body}");
        body
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(ApiOptions::default(), |_| {}).await
    }

    pub(crate) async fn with(options: ApiOptions, change: impl FnOnce(&mut Options)) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let packs = tempfile::tempdir().expect("a directory can be made");
        write_pack(packs.path());
        let mut engine_options = Options { capacity: 8, ..Options::default() };
        engine_options.settings.sweep_interval = Span::from_millis(100);
        change(&mut engine_options);
        let hold = |gate: &Arc<Semaphore>| {
            let gate = Arc::clone(gate);
            move |context: Context, value: Value| hold(context, value, Arc::clone(&gate))
        };
        let mut limited = Definition::handler("test.hold");
        limited.concurrency_limit = Some(1);
        let mut keyed = Definition::handler("test.keyed");
        keyed.concurrency_limit = Some(2);
        keyed.concurrency_key = Some(String::from("{{ parameters.host }}"));
        let mut disabled = Definition::handler("test.off");
        disabled.enabled = false;
        let mut patient = Definition::handler("test.later");
        patient.retry.count = 1;
        patient.retry.delay = Span::from_secs(3600);
        let engine = Engine::builder()
            .options(engine_options)
            .handler_with(adding(), add)
            .handler("test.sum", sum)
            .handler("test.echo", echo)
            .handler("test.fail", fail)
            .handler_with(leaking(), fail)
            .handler("test.panic", panic)
            .handler_with(patient, fail)
            .handler_with(disabled, echo)
            .handler_with(limited, hold(&gate))
            .handler_with(keyed, hold(&gate))
            .handler("test.free", hold(&gate))
            .pack(packs.path())
            .pack(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/packs/core"))
            .start()
            .await
            .expect("the engine starts");
        let api = router(engine.clone(), options);
        Self { engine, api, gate, _packs: packs }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.api.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body ends").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, Body::empty())).await
    }

    /// Without a body.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(request(Method::POST, path, Body::empty())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, Body::empty())).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request(Method::POST, path, body.to_string())).await
    }

    pub(crate) async fn put_json(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request(Method::PUT, path, body.to_string())).await
    }

    pub(crate) async fn submit(&self, action: &str, parameters: Value) -> Answer {
        let body = json!({ "action_ref": action, "parameters": parameters });
        self.post_json("/api/v1/executions", &body).await
    }

    /// Submits and returns the id.
    pub(crate) async fn start(&self, action: &str, parameters: Value) -> u64 {
        let answer = self.submit(action, parameters).await;
        answer.ok(201)["id"].as_u64().expect("an id is a number")
    }

    pub(crate) async fn execution(&self, id: u64) -> Value {
        self.get(&format!("/api/v1/executions/{id}")).await.ok(200)
    }

    /// Waits until the execution is in one of `statuses`.
    pub(crate) async fn wait(&self, id: u64, statuses: &[&str]) -> Value {
        let found = async {
            loop {
                let execution = self.execution(id).await;
                if statuses.contains(&execution["status"].as_str().expect("a status is text")) {
                    return execution;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let patience = Duration::from_secs(20);
        tokio::time::timeout(patience, found).await.unwrap_or_else(|_| {
            panic!("execution {id} never was in one of {statuses:?}");
        })
    }

    /// Waits until the explanation is of this kind.
    pub(crate) async fn explained(&self, id: u64, kind: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..1000 {
            last = self.get(&format!("/api/v1/executions/{id}/explain")).await.ok(200);
            if last["kind"] == kind {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {kind} but {last}");
    }

    pub(crate) async fn stop(self) {
        self.engine.shutdown(true).await;
    }
}

pub(crate) fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body).expect("a request")
}

pub(crate) fn json_request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(method, path, body.into());
    let json = header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

/// Adds `b`, which is 1 unless given, to `a`; `password` is secret and of no use.
fn adding() -> Definition {
    let integer = || Shape { types: vec![JsonType::Integer], ..Shape::default() };
    let mut definition = Definition::handler("test.add");
    let field = |name: &str| Field { name: name.into(), shape: integer(), ..Field::default() };
    definition.parameters = Schema {
        fields: vec![
            Field { required: true, ..field("a") },
            Field { default: Some(json!(1)), ..field("b") },
            Field {
                secret: true,
                default: Some(json!("swordfish")),
                shape: Shape::default(),
                ..field("password")
            },
        ],
        closed: true,
    };
    definition
}

/// Fails with all that it was given, secrets too.
fn leaking() -> Definition {
    let mut definition = adding();
    definition.action = "test.leak".into();
    definition
}

async fn add(_: Context, value: Value) -> Result<i64, HandlerError> {
    let number = |name: &str| value[name].as_i64().expect("the schema says so");
    Ok(number("a") + number("b"))
}

async fn sum(_: Context, value: Value) -> Result<i64, HandlerError> {
    let numbers = value["numbers"].as_array().ok_or("no numbers")?;
    Ok(numbers.iter().filter_map(Value::as_i64).sum())
}

async fn echo(_: Context, value: Value) -> Result<Value, HandlerError> {
    Ok(value)
}

async fn fail(_: Context, value: Value) -> Result<(), HandlerError> {
    Err(HandlerError::Failed(format!("it broke: {value}")))
}

async fn panic(_: Context, value: Value) -> Result<(), HandlerError> {
    panic!("on purpose: {value}")
}

async fn hold(context: Context, value: Value, gate: Arc<Semaphore>) -> Result<Value, HandlerError> {
    tokio::select! {
        biased;
        () = context.cancelled() => Err(HandlerError::Failed("stopped".into())),
        permit = gate.acquire() => {
            permit.expect("the gate stays").forget();
            Ok(value)
        }
    }
}

/// A pack with workflows of the handlers above.
fn write_pack(directory: &Path) {
    let files = [
        ("pack.yaml", "ref: flow\nlabel: Flow\nversion: 1.0.0\n"),
        (
            "actions/fan.yaml",
            "ref: flow.fan\nlabel: Fan\nworkflow_file: workflows/fan.workflow.yaml\n\
             parameters:\n  numbers:\n    type: array\n    required: true\n",
        ),
        (
            "actions/workflows/fan.workflow.yaml",
            r#"
version: 1.0.0
tasks:
  - name: double
    action: test.add
    with_items: "{{ parameters.numbers }}"
    concurrency: 4
    input: { a: "{{ item }}", b: "{{ item }}" }
    next:
      - when: "{{ succeeded() }}"
        do: [total]
  - name: total
    action: test.sum
    input: { numbers: "{{ task.double.results }}" }
output_map:
  total: "{{ task.total.result }}"
"#,
        ),
        (
            "actions/meet.yaml",
            "ref: flow.meet\nlabel: Meet\nworkflow_file: workflows/meet.workflow.yaml\n",
        ),
        (
            "actions/workflows/meet.workflow.yaml",
            r#"
version: 1.0.0
tasks:
  - name: quick
    action: test.echo
    input: { x: 1 }
    next: [{ do: [meet] }]
  - name: slow
    action: test.free
    input: { x: 2 }
    next: [{ do: [meet] }]
  - name: meet
    action: test.echo
    join: all
    input: { x: 3 }
"#,
        ),
    ];
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
}
