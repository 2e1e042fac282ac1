//! A workflow through the API to its end.

use serde_json::{Value, json};

use crate::house::House;

#[tokio::test]
async fn a_workflow_of_handlers_runs_to_its_end() {
    let house = House::new().await;
    let id = house.start("flow.fan", json!({ "numbers": [1, 2, 3] })).await;
    let done = house.wait(id, &["completed", "failed"]).await;
    assert_eq!((&done["result"], &done["error"]), (&json!({ "total": 12 }), &Value::Null));
    let tasks = house.get(&format!("/api/v1/executions/{id}/tasks")).await.ok(200);
    let rows: Vec<Value> = tasks["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|t| json!([t["name"], t["occurrence"], t["item_index"], t["status"], t["attempts"]]))
        .collect();
    let expected = [
        json!(["double", 0, 0, "completed", 1]),
        json!(["double", 0, 1, "completed", 1]),
        json!(["double", 0, 2, "completed", 1]),
        json!(["total", 0, null, "completed", 1]),
    ];
    assert_eq!(rows, expected);
    for task in tasks["items"].as_array().expect("items") {
        let child = house.execution(task["execution_id"].as_u64().expect("an id")).await;
        assert_eq!((&child["parent_id"], &child["action_ref"]), (&json!(id), &task["action_ref"]));
    }
    let children = house.get(&format!("/api/v1/executions?parent={id}")).await.ok(200);
    assert_eq!(children["items"].as_array().map(Vec::len), Some(4));
    house.stop().await;
}

#[tokio::test]
async fn tasks_come_in_pages() {
    let house = House::new().await;
    let numbers: Vec<u32> = (0..7).collect();
    let id = house.start("flow.fan", json!({ "numbers": numbers })).await;
    house.wait(id, &["completed"]).await;
    let mut names = Vec::new();
    let mut query = String::from("limit=3");
    loop {
        let page = house.get(&format!("/api/v1/executions/{id}/tasks?{query}")).await.ok(200);
        let items = page["items"].as_array().expect("items");
        names.extend(items.iter().map(|task| (task["name"].clone(), task["item_index"].clone())));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    let mut expected: Vec<(Value, Value)> = (0..7).map(|i| (json!("double"), json!(i))).collect();
    expected.push((json!("total"), Value::Null));
    assert_eq!(names, expected);
    house.stop().await;
}

#[tokio::test]
async fn a_cancelled_workflow_takes_its_tasks_along() {
    let house = House::new().await;
    let id = house.start("flow.meet", json!({})).await;
    house.explained(id, "waiting_for_join").await;
    house.post(&format!("/api/v1/executions/{id}/cancel")).await.ok(200);
    house.wait(id, &["cancelled"]).await;
    let tasks = house.get(&format!("/api/v1/executions/{id}/tasks")).await.ok(200);
    for task in tasks["items"].as_array().expect("items") {
        assert!(matches!(task["status"].as_str(), Some("completed" | "cancelled")), "{task}");
    }
    house.stop().await;
}
