//! Explanations of real executions.

use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn a_line_is_explained_with_place_limit_and_holders() {
    let house = House::new().await;
    let first = house.start("test.hold", json!({})).await;
    house.wait(first, &["running"]).await;
    let second = house.start("test.hold", json!({})).await;
    let third = house.start("test.hold", json!({})).await;
    let why = house.explained(third, "waiting_for_slot").await;
    let facts = &why["facts"];
    assert_eq!((&why["id"], &why["status"]), (&json!(third), &json!("queued")));
    assert_eq!((&facts["position"], &facts["limit"]), (&json!(2), &json!(1)));
    let holders = json!([{ "execution_id": first, "worker": "local" }]);
    assert_eq!(facts["holders"], holders);
    assert!(why["sentence"].as_str().expect("text").contains(&first.to_string()), "{why}");
    let ahead = house.explained(second, "waiting_for_slot").await;
    assert_eq!(ahead["facts"]["position"], 1);
    let running = house.explained(first, "running").await;
    assert_eq!(running["facts"]["worker"], "local");
    house.stop().await;
}

#[tokio::test]
async fn what_is_over_or_waits_for_its_next_attempt() {
    let house = House::new().await;
    let done = house.start("test.echo", json!({})).await;
    house.wait(done, &["completed"]).await;
    house.explained(done, "over").await;
    let later = house.start("test.later", json!({})).await;
    let why = house.explained(later, "backoff").await;
    assert_eq!(why["facts"]["attempt"], 2);
    assert!(why["facts"]["until"].is_string(), "{why}");
    house.stop().await;
}

#[tokio::test]
async fn a_join_names_what_is_missing() {
    let house = House::new().await;
    let id = house.start("flow.meet", json!({})).await;
    let why = house.explained(id, "waiting_for_join").await;
    let join = &why["facts"]["joins"][0];
    assert_eq!((&join["task"], &join["missing"]), (&json!("meet"), &json!(["slow"])));
    assert_eq!((&join["arrived"], &join["needed"]), (&json!(1), &json!(2)));
    assert!(why["sentence"].as_str().expect("text").contains("`slow`"), "{why}");
    house.gate.add_permits(1);
    house.wait(id, &["completed"]).await;
    house.stop().await;
}
