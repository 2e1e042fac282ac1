//! The verbs that speak to a running engine through its API.

mod http;
mod show;
mod submit;

use std::time::Duration;

use serde_json::{Value, json};

use super::Setting;
use super::arguments::{
    Drain, Effects, Execution, Id, Limit, Parked, Queue, Schedule, Stream, Worker, WorkerVerb,
};
use super::failure::{Code, Failure};
use super::setup;
use super::signals::Signals;
use crate::output::show as print;
use http::{Client, segment};

pub(crate) use http::Client as ApiClient;

/// `execution`.
pub(crate) fn execution(verb: Execution, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || match verb {
        Execution::Run { action, parameters, wait, idempotency_key, webhook, webhook_on } => {
            let parameters = submit::parameters(&client, &action, &parameters)?;
            let mut body = json!({ "action_ref": action, "parameters": parameters });
            if let Some(key) = idempotency_key {
                body["idempotency_key"] = Value::from(key);
            }
            if !webhook.is_empty() {
                let effect = |url| json!({ "kind": "webhook", "target": url, "on": webhook_on });
                body["effects"] = webhook.into_iter().map(effect).collect();
            }
            submit::finish(&client, client.post("executions", Some(&body))?, wait, format)
        }
        Execution::Retry { id, wait } => {
            let answer = client.post(&format!("executions/{}/retry", id.0), None)?;
            submit::finish(&client, answer, wait, format)
        }
        Execution::Get { id } => {
            let value = client.get(&format!("executions/{}", id.0))?;
            done(&format.render(&value, || show::execution(&value)))
        }
        Execution::Cancel { id } => {
            let value = client.post(&format!("executions/{}/cancel", id.0), None)?;
            done(&format.render(&value, || show::execution(&value)))
        }
        Execution::List { status, action, parent, limit, cursor } => {
            let mut query = vec![("limit", limit.to_string())];
            if !status.is_empty() {
                query.push(("status", status.join(",")));
            }
            query.extend(action.map(|action| ("action_ref", action)));
            query.extend(parent.map(|Id(parent)| ("parent", parent.to_string())));
            query.extend(cursor.map(|cursor| ("cursor", cursor)));
            let value = client.get(&http::with_query("executions", &query))?;
            done(&format.render(&value, || show::executions(&value)))
        }
        Execution::Logs { id, stream } => logs(&client, id, stream),
    })
}

fn logs(client: &Client, Id(id): Id, stream: Option<Stream>) -> Result<Code, Failure> {
    let path = |stream: Stream| format!("executions/{id}/logs?stream={}", stream.name());
    if let Some(stream) = stream {
        client.copy(&path(stream), None)?;
        return Ok(Code::Done);
    }
    // Headings, as when several files are shown, because both may have something to say.
    client.copy(&path(Stream::Stdout), None)?;
    client.copy(&path(Stream::Stderr), Some("==> stderr <==\n"))?;
    Ok(Code::Done)
}

/// `queue`.
pub(crate) fn queue(verb: Queue, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let changed = |action: String, path: &str| -> Result<Code, Failure> {
            let path = format!("actions/{}/{path}", segment(&action));
            let value = client.post(&path, None)?;
            done(&format.render(&value, || show::action(&value)))
        };
        match verb {
            Queue::List => {
                let value = Value::Array(all_queues(&client)?);
                done(&format.render(&value, || show::queues(&value)))
            }
            Queue::Stats { action } => {
                let value = client.get(&format!("actions/{}/queue-stats", segment(&action)))?;
                let list = Value::Array(vec![value.clone()]);
                done(&format.render(&value, || show::queues(&list)))
            }
            Queue::SetLimit { action, limit: Limit(limit) } => {
                let path = format!("actions/{}/concurrency", segment(&action));
                let value = client.put(&path, &json!({ "limit": limit }))?;
                done(&format.render(&value, || show::action(&value)))
            }
            Queue::Pause { action } => changed(action, "pause"),
            Queue::Resume { action } => changed(action, "resume"),
        }
    })
}

/// The numbers of every action's queues.
fn all_queues(client: &Client) -> Result<Vec<Value>, Failure> {
    let actions = client.get("actions")?;
    let mut queues = Vec::new();
    for action in show::items(&actions) {
        let Some(name) = action.get("ref").and_then(Value::as_str) else { continue };
        queues.push(client.get(&format!("actions/{}/queue-stats", segment(name)))?);
    }
    Ok(queues)
}

/// `worker`, apart from being one.
pub(crate) fn worker(worker: Worker, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let tell = |name: String, what: &str| -> Result<Code, Failure> {
            let value = client.post(&format!("workers/{}/{what}", segment(&name)), None)?;
            let list = Value::Array(vec![value.clone()]);
            done(&format.render(&value, || show::workers(&list)))
        };
        match worker.verb {
            Some(WorkerVerb::List) | None => {
                let value = client.get("workers")?;
                done(&format.render(&value, || show::workers(&value)))
            }
            Some(WorkerVerb::Drain { name }) => tell(name, "drain"),
            Some(WorkerVerb::Cordon { name, undo: false }) => tell(name, "cordon"),
            Some(WorkerVerb::Cordon { name, undo: true }) => tell(name, "uncordon"),
        }
    })
}

/// `schedule`.
pub(crate) fn schedule(verb: Schedule, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let one = |value: Value| done(&format.render(&value, || show::schedule(&value)));
        let tell = |name: &str, what: &str| {
            client.post(&format!("schedules/{}/{what}", segment(name)), None)
        };
        match verb {
            Schedule::Create {
                name,
                action,
                cron,
                every,
                timezone,
                missed,
                paused,
                parameters,
            } => {
                let parameters = submit::parameters(&client, &action, &parameters)?;
                let mut body = json!({
                    "name": name, "action_ref": action, "parameters": parameters,
                    "enabled": !paused,
                });
                let fields = [
                    ("cron", cron.map(Value::from)),
                    ("interval_seconds", every.map(Value::from)),
                    ("timezone", timezone.map(Value::from)),
                    ("missed", missed.map(|missed| Value::from(missed.name()))),
                ];
                for (field, value) in fields {
                    if let Some(value) = value {
                        body[field] = value;
                    }
                }
                one(client.post("schedules", Some(&body))?)
            }
            Schedule::List { limit, cursor } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(cursor.map(|cursor| ("cursor", cursor)));
                let value = client.get(&http::with_query("schedules", &query))?;
                done(&format.render(&value, || show::schedules(&value)))
            }
            Schedule::Show { name } => one(client.get(&format!("schedules/{}", segment(&name)))?),
            Schedule::Pause { name } => one(tell(&name, "pause")?),
            Schedule::Resume { name } => one(tell(&name, "resume")?),
            Schedule::Delete { name } => {
                one(client.delete(&format!("schedules/{}", segment(&name)))?)
            }
        }
    })
}

/// `effects`.
pub(crate) fn effects(verb: Effects, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let one = |value: Value| {
            let list = json!({ "items": [value.clone()] });
            done(&format.render(&value, || show::effects(&list)))
        };
        match verb {
            Effects::List { state, execution, limit, cursor } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(state.map(|state| ("state", state)));
                query.extend(execution.map(|Id(id)| ("execution", id.to_string())));
                query.extend(cursor.map(|cursor| ("cursor", cursor)));
                let value = client.get(&http::with_query("effects", &query))?;
                done(&format.render(&value, || show::effects(&value)))
            }
            Effects::Retry { id } => {
                one(client.post(&format!("effects/{}/retry", segment(&id)), None)?)
            }
            Effects::Discard { id, reason } => {
                let path = format!("effects/{}/discard", segment(&id));
                one(client.post(&path, Some(&json!({ "reason": reason })))?)
            }
        }
    })
}

/// How often is asked what is left.
const LOOK: Duration = Duration::from_millis(500);

/// `drain`.
pub(crate) fn drain(asked: Drain, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let name = asked.transport.name();
        let mut told = None;
        loop {
            let all = client.get("transports")?;
            let found = show::items(&all).iter().find(|item| item["name"] == name);
            let row = found.cloned().unwrap_or_default();
            let left = row["executions"].as_u64().ok_or_else(|| {
                Failure::environment("the API does not say what is left; it is of another version")
            })?;
            if left == 0 || asked.once {
                let ended = done(&format.render(&row, || show::transport(&row)))?;
                return Ok(if left == 0 { ended } else { Code::NotCompleted });
            }
            if row["in_use"] == true {
                return Err(Failure::usage(format!(
                    "new work is still submitted by {name}, so it would never be drained; give the \
                     processes another `transport` first, or ask --once"
                )));
            }
            if told.replace(left) != Some(left) {
                eprintln!("steadfast: {left} executions are left on {name}");
            }
            #[expect(clippy::disallowed_methods, reason = "a client waits in real time")]
            std::thread::sleep(LOOK);
        }
    })
}

/// `parked`.
pub(crate) fn parked(verb: Parked, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let one = |value: Value| done(&format.render(&value, || show::parked_message(&value)));
        match verb {
            Parked::List => {
                let value = client.get("parked")?;
                done(&format.render(&value, || show::parked(&value)))
            }
            Parked::Show { id } => one(client.get(&format!("parked/{}", segment(&id)))?),
            Parked::Replay { id } => {
                one(client.post(&format!("parked/{}/replay", segment(&id)), None)?)
            }
            Parked::Discard { id, reason } => {
                let path = format!("parked/{}/discard", segment(&id));
                one(client.post(&path, Some(&json!({ "reason": reason })))?)
            }
        }
    })
}

/// `explain`.
pub(crate) fn explain(Id(id): Id, setting: &Setting) -> Result<Code, Failure> {
    let client = Client::new(&setting.config)?;
    let format = setting.format;
    interruptible(move || {
        let value = client.get(&format!("executions/{id}/explain"))?;
        done(&format.render(&value, || show::explanation(&value)))
    })
}

fn done(text: &str) -> Result<Code, Failure> {
    print(text).map_err(|error| Failure::cannot_write(&error))?;
    Ok(Code::Done)
}

/// Does blocking work, and ends with the right exit code when a signal comes first.
fn interruptible(
    work: impl FnOnce() -> Result<Code, Failure> + Send + 'static,
) -> Result<Code, Failure> {
    let executor = setup::executor()?;
    let ended = executor.block_on(async {
        let mut signals = Signals::catch()?;
        let work = tokio::task::spawn_blocking(work);
        tokio::select! {
            biased;
            code = signals.next() => Ok(code),
            worked = work => worked.unwrap_or_else(|error| {
                Err(Failure::environment(format!("the command broke off: {error}")))
            }),
        }
    });
    executor.shutdown_background();
    ended
}
