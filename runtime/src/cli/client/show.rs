//! What the API answers, for people.

use serde_json::Value;

use crate::output::{Table, yaml};

/// The elements of a list: a bare one, or a page with `items`.
pub(super) fn items(value: &Value) -> &[Value] {
    let list = value.as_array().or_else(|| value.get("items").and_then(Value::as_array));
    list.map_or(&[], Vec::as_slice)
}

/// A value in one cell.
fn cell(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            let words: Vec<String> = list.iter().map(word).collect();
            words.join(",")
        }
        Some(Value::Object(members)) => {
            let pairs: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}={}", word(value))).collect();
            if pairs.is_empty() { "-".to_owned() } else { pairs.join(",") }
        }
        Some(other) => other.to_string(),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(list: &[Value], columns: &[(&str, &str)]) -> String {
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let mut table = Table::new(&headings);
    for value in list {
        table.row(columns.iter().map(|(_, name)| cell(value, name)));
    }
    table.render()
}

/// One execution.
pub(super) fn execution(value: &Value) -> String {
    let mut head = Table::of_pairs();
    for name in
        ["id", "action_ref", "status", "attempts", "error", "parent_id", "retry_of", "schedule"]
    {
        let cell = cell(value, name);
        if cell != "-" {
            head.row([name.to_owned(), cell]);
        }
    }
    for name in ["created_at", "started_at", "ended_at"] {
        head.row([name.to_owned(), cell(value, name)]);
    }
    let mut text = head.render();
    for name in ["parameters", "result"] {
        let Some(part) = value.get(name).filter(|part| !part.is_null()) else { continue };
        text.push_str(&format!("\n{name}\n"));
        for line in yaml(part).lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// A page of executions.
pub(super) fn executions(value: &Value) -> String {
    let columns = [
        ("id", "id"),
        ("action", "action_ref"),
        ("status", "status"),
        ("attempts", "attempts"),
        ("parent", "parent_id"),
        ("created", "created_at"),
        ("ended", "ended_at"),
    ];
    let mut text = table(items(value), &columns);
    if let Some(cursor) = value.get("next_cursor").and_then(Value::as_str) {
        text.push_str(&format!("(more with --cursor {cursor})\n"));
    }
    text
}

/// One schedule.
pub(super) fn schedule(value: &Value) -> String {
    let mut table = Table::of_pairs();
    let names = [
        "name",
        "state",
        "cron",
        "timezone",
        "interval_seconds",
        "action_ref",
        "parameters",
        "missed",
        "next_due_at",
        "last_fired_for",
        "last_execution_id",
        "last_error",
        "created_at",
    ];
    for name in names {
        let cell = cell(value, name);
        if cell != "-" {
            table.row([name.to_owned(), cell]);
        }
    }
    table.render()
}

/// A page of schedules.
pub(super) fn schedules(value: &Value) -> String {
    let columns = [
        ("name", "name"),
        ("state", "state"),
        ("cron", "cron"),
        ("every", "interval_seconds"),
        ("action", "action_ref"),
        ("next due", "next_due_at"),
        ("last fired for", "last_fired_for"),
        ("last error", "last_error"),
    ];
    let mut text = table(items(value), &columns);
    if let Some(cursor) = value.get("next_cursor").and_then(Value::as_str) {
        text.push_str(&format!("(more with --cursor {cursor})\n"));
    }
    text
}

/// The numbers of queues.
pub(super) fn queues(value: &Value) -> String {
    let columns = [
        ("action", "action_ref"),
        ("waiting", "queue_length"),
        ("active", "active_count"),
        ("limit", "max_concurrent"),
        ("enqueued", "total_enqueued"),
        ("completed", "total_completed"),
        ("oldest", "oldest_enqueued_at"),
    ];
    table(items(value), &columns)
}

/// An action after a change to its queues.
pub(super) fn action(value: &Value) -> String {
    let limit = match value.get("concurrency_limit").and_then(Value::as_u64) {
        Some(limit) => limit.to_string(),
        None => "unlimited".to_owned(),
    };
    let mut table = Table::of_pairs();
    table.row(["action".to_owned(), cell(value, "ref")]);
    table.row(["limit".to_owned(), limit]);
    table.row(["paused".to_owned(), cell(value, "paused")]);
    table.render()
}

/// Workers.
pub(super) fn workers(value: &Value) -> String {
    let columns = [
        ("name", "name"),
        ("state", "state"),
        ("cordoned", "cordoned"),
        ("healthy", "healthy"),
        ("active", "active"),
        ("capacity", "capacity"),
        ("runtimes", "runtimes"),
        ("labels", "labels"),
        ("last beat", "last_beat"),
    ];
    table(items(value), &columns)
}

/// What the outside world is told.
pub(super) fn effects(value: &Value) -> String {
    let columns = [
        ("id", "id"),
        ("state", "state"),
        ("kind", "kind"),
        ("target", "target"),
        ("ended as", "execution_status"),
        ("attempts", "attempts"),
        ("due", "due_at"),
        ("error", "error"),
    ];
    let mut text = table(items(value), &columns);
    if let Some(cursor) = value.get("next_cursor").and_then(Value::as_str) {
        text.push_str(&format!("(more with --cursor {cursor})\n"));
    }
    text
}

/// A transport.
pub(super) fn transport(value: &Value) -> String {
    let mut table = Table::of_pairs();
    for name in ["name", "in_use", "executions"] {
        table.row([name.to_owned(), cell(value, name)]);
    }
    table.render()
}

/// Messages that were put aside.
pub(super) fn parked(value: &Value) -> String {
    let columns = [
        ("id", "id"),
        ("key", "routing_key"),
        ("made", "made_at"),
        ("bytes", "bytes"),
        ("reason", "reason"),
    ];
    table(items(value), &columns)
}

/// One of them.
pub(super) fn parked_message(value: &Value) -> String {
    let mut table = Table::of_pairs();
    for name in ["id", "reason", "exchange", "routing_key", "made_at", "content_type", "bytes"] {
        table.row([name.to_owned(), cell(value, name)]);
    }
    for name in ["body", "body_hex"] {
        if value.get(name).is_some() {
            table.row([name.to_owned(), cell(value, name)]);
        }
    }
    table.render()
}

/// What an execution waits for.
pub(super) fn explanation(value: &Value) -> String {
    let mut text = format!("{}\n", cell(value, "sentence"));
    if let Some(facts) = value.get("facts").and_then(Value::as_object) {
        let mut table = Table::of_pairs();
        table.row(["status".to_owned(), cell(value, "status")]);
        table.row(["kind".to_owned(), cell(value, "kind")]);
        for name in facts.keys() {
            table.row([name.clone(), facts.get(name).map(word).unwrap_or_default()]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}
