//! What the outside world is told: real deliveries to a real, tiny server, and what operators see
//! of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_runtime::api::ApiOptions;
use steadfast_runtime::core::effect::Trigger;
use steadfast_runtime::core::{RetryPolicy, Span};
use steadfast_runtime::{Options, Webhook};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::house::House;

/// One request as it arrived.
#[derive(Clone, Debug)]
struct Heard {
    head: String,
    body: Value,
}

impl Heard {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A server that gives its answers one after the other, the last one again and again. An empty
/// answer is none.
struct Receiver {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    #[expect(clippy::disallowed_methods, reason = "a server in a test")]
    async fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/hook?key=s3cret", listener.local_addr().expect("it has one"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let known = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let Some(request) = read(&mut stream).await else { continue };
                let nth = {
                    let mut known = known.lock().expect("nobody panics");
                    known.push(request);
                    known.len().min(answers.len()) - 1
                };
                let answer = &answers[nth];
                if answer.is_empty() {
                    held.push(stream);
                    continue;
                }
                let text =
                    format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        Self { url, heard, task }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody panics").clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Heard> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let heard = Heard { head: head.replace("\r\n", "\n"), body: Value::Null };
        let length: usize = heard.header("content-length")?.parse().ok()?;
        if body.len() >= length {
            return Some(Heard { body: serde_json::from_str(body).ok()?, ..heard });
        }
    }
}

/// Tries soon and often, and may tell this machine.
fn quick(options: &mut Options) {
    options.effects.allow_private_addresses = true;
    options.effects.timeout = Duration::from_millis(400);
    options.settings.effect_lease = Span::from_secs(10);
    options.settings.effect_retry =
        RetryPolicy { count: 2, delay: Span::from_millis(30), ..RetryPolicy::default() };
}

async fn house() -> House {
    House::with(ApiOptions::default(), quick).await
}

async fn submit(house: &House, action: &str, parameters: Value, url: &str, on: &str) -> u64 {
    let effects = json!([{ "kind": "webhook", "target": url, "on": on }]);
    let body = json!({ "action_ref": action, "parameters": parameters, "effects": effects });
    let answer = house.post_json("/api/v1/executions", &body).await;
    answer.ok(201)["id"].as_u64().expect("an id is a number")
}

/// The effect of an execution, once it is over.
async fn told(house: &House, id: u64) -> Value {
    for _ in 0..1000 {
        let list = house.get(&format!("/api/v1/effects?execution={id}")).await.ok(200);
        let found = &list["items"][0];
        if ["delivered", "gave_up"].contains(&found["state"].as_str().unwrap_or_default()) {
            return found.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing came of the effect of {id}");
}

#[tokio::test]
async fn an_end_is_told_once_with_neither_parameters_nor_results() {
    let house = House::with(ApiOptions::default(), |options| {
        quick(options);
        options.effects.signing_secret = Some("whsec".into());
    })
    .await;
    let receiver = Receiver::answering(&["204 No Content"]).await;
    let id = submit(&house, "test.add", json!({ "a": 41 }), &receiver.url, "completed").await;
    let effect = told(&house, id).await;
    assert_eq!((&effect["state"], &effect["attempts"]), (&json!("delivered"), &json!(1)));
    assert_eq!(effect["id"], format!("{id}.0"));
    assert!(!effect.to_string().contains("s3cret"), "{effect}");
    let heard = receiver.heard();
    assert_eq!(heard.len(), 1);
    let heard = &heard[0];
    assert!(heard.head.starts_with("POST /hook?key=s3cret HTTP/1.1"), "{}", heard.head);
    let mut names: Vec<&String> = heard.body.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["action_ref", "attempts", "ended_at", "execution_id", "status"]);
    assert_eq!(heard.body["execution_id"], id);
    assert_eq!(heard.body["status"], "completed");
    let key = heard.header("idempotency-key").expect("it has a key");
    assert_eq!(key, format!("ex-{id}/gen-1/webhook/{}", receiver.url));
    let signature = heard.header("steadfast-signature").expect("it is signed");
    assert!(signature.starts_with("t=") && signature.contains(",v1="), "{signature}");
    house.stop().await;
}

#[tokio::test]
async fn what_failed_is_told_without_its_secrets() {
    let house = house().await;
    let receiver = Receiver::answering(&["200 OK"]).await;
    let parameters = json!({ "a": 1, "password": "hunter2" });
    let id = submit(&house, "test.leak", parameters, &receiver.url, "unsuccessful").await;
    told(&house, id).await;
    let body = receiver.heard()[0].body.clone();
    assert_eq!(body["status"], "failed");
    let error = body["error"].as_str().expect("it says why");
    assert!(error.contains("it broke") && !error.contains("hunter2"), "{error}");
    house.stop().await;
}

#[tokio::test]
async fn nobody_is_told_of_an_end_that_was_not_asked_for() {
    let house = house().await;
    let receiver = Receiver::answering(&["200 OK"]).await;
    let id = submit(&house, "test.fail", json!({}), &receiver.url, "completed").await;
    house.wait(id, &["failed"]).await;
    let list = house.get(&format!("/api/v1/effects?execution={id}")).await.ok(200);
    assert_eq!(list, json!({ "items": [], "next_cursor": null }));
    house.stop().await;
}

#[tokio::test]
async fn receivers_that_fail_are_told_again_under_the_same_key() {
    let house = house().await;
    let answers = ["503 Service Unavailable\r\nRetry-After: 1", "", "200 OK"];
    let receiver = Receiver::answering(&answers).await;
    let id = submit(&house, "test.echo", json!({}), &receiver.url, "ended").await;
    let effect = told(&house, id).await;
    assert_eq!((&effect["state"], &effect["attempts"]), (&json!("delivered"), &json!(3)));
    assert_eq!((&effect["failures"], &effect["error"]), (&json!(2), &Value::Null));
    let heard = receiver.heard();
    let keys: Vec<_> = heard.iter().map(|heard| heard.header("idempotency-key")).collect();
    assert_eq!(keys, [keys[0]; 3]);
    let tries: Vec<_> = heard.iter().filter_map(|h| h.header("steadfast-attempt")).collect();
    assert_eq!(tries, ["1", "2", "3"]);
    house.stop().await;
}

#[tokio::test]
async fn what_would_fail_again_is_given_up_at_once() {
    let house = house().await;
    let elsewhere = Receiver::answering(&["200 OK"]).await;
    let moved = format!("302 Found\r\nLocation: {}", elsewhere.url);
    for (answer, sentence) in [("404 Not Found", "answered 404"), (&moved, "redirects are not")] {
        let receiver = Receiver::answering(&[answer]).await;
        let id = submit(&house, "test.echo", json!({}), &receiver.url, "ended").await;
        let effect = told(&house, id).await;
        assert_eq!((&effect["state"], &effect["attempts"]), (&json!("gave_up"), &json!(1)));
        let error = effect["error"].as_str().expect("it says why");
        assert!(error.contains(sentence), "{error}");
        assert_eq!(receiver.heard().len(), 1);
    }
    assert_eq!(elsewhere.heard().len(), 0);
    house.stop().await;
}

#[tokio::test]
async fn receivers_that_never_answer_are_given_up_and_tried_again_on_demand() {
    let house = house().await;
    let receiver = Receiver::answering(&["500 Oops", "500 Oops", "", "200 OK"]).await;
    let id = submit(&house, "test.echo", json!({}), &receiver.url, "ended").await;
    let effect = told(&house, id).await;
    assert_eq!((&effect["state"], &effect["failures"]), (&json!("gave_up"), &json!(3)));
    assert_eq!(effect["error"], "no answer in time");
    let list = house.get("/api/v1/effects?state=gave_up").await.ok(200);
    assert_eq!(list["items"][0], effect);
    let metrics = house.get("/metrics").await;
    let line = r#"steadfast_effects_total{kind="webhook",outcome="gave_up"} 1"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
    assert!(metrics.text().contains(r#"steadfast_effects_pending{kind="webhook"} 0"#));

    let retried = house.post(&format!("/api/v1/effects/{id}.0/retry")).await.ok(200);
    assert_eq!(retried["failures"], 0);
    let effect = told(&house, id).await;
    assert_eq!((&effect["state"], &effect["attempts"]), (&json!("delivered"), &json!(4)));
    let again = house.post(&format!("/api/v1/effects/{id}.0/retry")).await;
    again.problem(409, "illegal-state");
    let discard = format!("/api/v1/effects/{id}.0/discard");
    house.post_json(&discard, &json!({ "reason": "x" })).await.problem(409, "illegal-state");
    house.stop().await;
}

#[tokio::test]
async fn an_operator_gives_an_effect_up() {
    let house = House::with(ApiOptions::default(), |options| {
        quick(options);
        options.settings.effect_retry.delay = Span::from_secs(3600);
    })
    .await;
    let receiver = Receiver::answering(&["503 Busy"]).await;
    let id = submit(&house, "test.echo", json!({}), &receiver.url, "ended").await;
    for _ in 0..500 {
        let list = house.get(&format!("/api/v1/effects?execution={id}")).await.ok(200);
        if list["items"][0]["failures"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let discard = format!("/api/v1/effects/{id}.0/discard");
    for body in [json!({}), json!({ "reason": " " })] {
        house.post_json(&discard, &body).await.problem(422, "invalid-body");
    }
    let effect = house.post_json(&discard, &json!({ "reason": "gone for good" })).await.ok(200);
    assert_eq!((&effect["state"], &effect["due_at"]), (&json!("gave_up"), &Value::Null));
    assert_eq!(effect["error"], "discarded: gone for good");
    for id in ["7", "7.0", "x.y", "-1.0", "01.0", "99999999999999999999.0"] {
        let retry = house.post(&format!("/api/v1/effects/{id}/retry")).await;
        retry.problem(404, "unknown-effect");
    }
    for query in ["state=sent", "limit=0", "limit=501", "cursor=e7", "colour=red"] {
        let answer = house.get(&format!("/api/v1/effects?{query}")).await;
        answer.problem(400, "invalid-request");
    }
    house.stop().await;
}

#[tokio::test]
async fn effects_that_cannot_be_delivered_are_refused_by_name() {
    let house = House::new().await;
    let submit = async |effects: Value| {
        let body = json!({ "action_ref": "test.echo", "parameters": {}, "effects": effects });
        house.post_json("/api/v1/executions", &body).await.problem(422, "invalid-body")
    };
    let fine = json!({ "kind": "webhook", "target": "https://hooks.example/" });
    for (effect, field) in [
        (json!({ "kind": "webhook", "target": "hooks.example" }), "effects[1].target"),
        (json!({ "kind": "webhook", "target": "ftp://hooks.example/" }), "effects[1].target"),
        (json!({ "kind": "webhook", "target": "http://127.0.0.1:1/" }), "effects[1].target"),
        (json!({ "kind": "webhook", "target": "http://[::1]/" }), "effects[1].target"),
        (json!({ "kind": "webhook", "target": "https://u:p@hooks.example/" }), "effects[1].target"),
        (json!({ "kind": "billing", "target": "acme" }), "effects[1].kind"),
        (json!({ "kind": "pigeon", "target": "acme" }), "effects[1].kind"),
        (
            json!({ "kind": "webhook", "target": "https://hooks.example/", "on": "sometimes" }),
            "effects[1].on",
        ),
    ] {
        let problem = submit(json!([fine, effect])).await;
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let many: Vec<&Value> = vec![&fine; 17];
    submit(json!(many)).await;
    let list = house.get("/api/v1/executions").await.ok(200);
    assert_eq!(list["items"], json!([]), "nothing was created");
    house.stop().await;
}

/// The name is fine and leads to this machine: that is seen when it is resolved, and only then.
#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
    let house = House::with(ApiOptions::default(), |options| {
        quick(options);
        options.effects.allow_private_addresses = false;
    })
    .await;
    let receiver = Receiver::answering(&["200 OK"]).await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    let id = submit(&house, "test.echo", json!({}), &url, "ended").await;
    let effect = told(&house, id).await;
    assert_eq!((&effect["state"], &effect["attempts"]), (&json!("gave_up"), &json!(1)));
    let error = effect["error"].as_str().expect("it says why");
    assert!(error.contains("no public address"), "{error}");
    assert_eq!(receiver.heard().len(), 0);
    house.stop().await;
}

#[tokio::test]
async fn those_who_are_configured_are_told_of_what_clients_submit_and_of_no_task() {
    let receiver = Receiver::answering(&["200 OK"]).await;
    let url = receiver.url.clone();
    let house = House::with(ApiOptions::default(), |options| {
        quick(options);
        let actions = vec!["flow.*".to_owned(), "test.add".to_owned()];
        options.effects.webhooks = vec![Webhook { url, on: Trigger::Ended, actions }];
    })
    .await;
    let echo = house.start("test.echo", json!({})).await;
    house.wait(echo, &["completed"]).await;
    let run = house.start("flow.fan", json!({ "numbers": [1, 2] })).await;
    house.wait(run, &["completed"]).await;
    told(&house, run).await;
    let heard = receiver.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].body["execution_id"], run);
    // One that is repeated tells its own end, once.
    let again = house.post(&format!("/api/v1/executions/{run}/retry")).await.ok(201);
    let again = again["id"].as_u64().expect("an id");
    told(&house, again).await;
    assert_eq!(receiver.heard().len(), 2);
    house.stop().await;
}
