//! Tasks that run once for each element of a list.

use super::*;
use crate::workflow::{Task, Transition};
use fixtures::{items, retries};

fn each(template: &str, batch_size: u32, concurrency: u32) -> Task {
    Task {
        with_items: items(template, batch_size, concurrency),
        input: json!({ "item": "$item", "index": "$index" }),
        ..task("each", "a.free")
    }
}

fn created(flow: &Flow) -> usize {
    flow.store.executions.children(flow.run).count()
}

#[test]
fn a_window_moves_over_the_list_and_elements_come_in_batches() {
    // elements  batch  window   executions   first created   element of the last
    let table = [
        (5, 1, 2, 5, 2, json!(4)),
        (5, 1, 9, 5, 5, json!(4)),
        (5, 2, 1, 3, 1, json!([4])),
        (6, 3, 2, 2, 2, json!([3, 4, 5])),
        (1, 7, 1, 1, 1, json!([0])),
    ];
    for (elements, batch, window, total, first, last) in table {
        let list = format!("range:{elements}");
        let mut flow = Flow::begin(graph(vec![each(&list, batch, window)]));
        assert_eq!(created(&flow), first, "{elements} {batch} {window}");
        for index in 0..total {
            flow.succeed(&[&format!("each[{index}]")]);
            assert_eq!(created(&flow), total.min(first + index + 1));
        }
        assert_eq!(flow.status(), Status::Completed);
        let id = flow.at(&format!("each[{}]", total - 1));
        assert_eq!(flow.store.parameters[&id], json!({ "item": last, "index": total - 1 }));
    }
}

#[test]
fn results_come_in_item_order_whatever_the_order_of_their_ends() {
    let graph = Graph {
        output_map: vec![("all".into(), json!("$task.each"))],
        ..graph(vec![each("range:3", 1, 3)])
    };
    let mut flow = Flow::begin(graph);
    flow.succeed(&["each[2]", "each[0]", "each[1]"]);
    let expected = json!({ "all": ["each[0]", "each[1]", "each[2]"] });
    assert_eq!(flow.store.results[&flow.run].result, expected);
}

#[test]
fn an_empty_list_succeeds_with_nothing() {
    let mut empty = each("range:0", 1, 1);
    empty.next = vec![then("succeeded", &["after"])];
    let graph = Graph {
        output_map: vec![("all".into(), json!("$task.each"))],
        ..graph(vec![empty, task("after", "a.free")])
    };
    let mut flow = Flow::begin(graph);
    flow.succeed(&["after"]);
    assert_eq!(flow.store.results[&flow.run].result, json!({ "all": [] }));
}

#[test]
fn what_is_no_list_fails_the_task() {
    // items       error
    let table = [
        ("word", "task `each` failed: with_items is a string, not a list"),
        ("fail", "task `each` failed: with_items: it was told to fail"),
    ];
    for (list, error) in table {
        let flow = Flow::begin(graph(vec![each(list, 1, 1)]));
        assert_eq!((flow.status(), flow.error()), (Status::Failed, error));
    }
}

#[test]
fn one_failed_item_fails_the_task_after_all_have_run() {
    let mut list = each("range:3", 1, 1);
    list.next = vec![then("failed", &["sorry"])];
    let mut flow = Flow::begin(graph(vec![list, task("sorry", "a.free")]));
    flow.end("each[0]", Ending::Failed);
    assert_eq!(flow.show(), "each[0]:failed each[1]");
    flow.succeed(&["each[1]", "each[2]", "sorry"]);
    assert_eq!(flow.status(), Status::Completed);
    let mut flow = Flow::begin(graph(vec![each("range:2", 1, 2)]));
    flow.end("each[1]", Ending::Failed);
    flow.succeed(&["each[0]"]);
    assert_eq!(flow.error(), "task `each` failed: item 1: it broke");
}

#[test]
fn an_items_retry_runs_that_item_again_and_no_other() {
    let mut list = each("range:2", 1, 2);
    list.retry = Some(retries(1, Span::ZERO));
    let mut flow = Flow::begin(graph(vec![list]));
    flow.end("each[0]", Ending::Failed);
    let item = flow.at("each[0]");
    assert_eq!((flow.execution(item).status, created(&flow)), (Status::Ready, 2));
    flow.succeed(&["each[0]", "each[1]"]);
    assert_eq!((flow.status(), flow.execution(item).attempt.0), (Status::Completed, 2));
}

#[test]
fn an_element_that_cannot_be_prepared_ends_the_list_there() {
    let mut list = each("range:5", 1, 2);
    list.input = json!({ "bad": "$item" });
    list.next = vec![then("succeeded", &["wrong"]), then("failed", &["right"])];
    // Whether the task failed does not depend on whether its results are looked at.
    for publishes in [false, true] {
        let mut list = list.clone();
        if publishes {
            list.next[1].publish = vec![("seen".into(), json!("$result"))];
            list.next.insert(
                0,
                Transition {
                    publish: vec![("seen".into(), json!("$result"))],
                    ..then("always", &[])
                },
            );
        }
        let tasks = vec![list, task("wrong", "a.free"), task("right", "a.free")];
        let mut flow = Flow::begin(graph(tasks));
        flow.succeed(&["each[0]", "each[1]"]);
        assert_eq!(flow.show(), "each[0]:completed each[1]:completed right", "{publishes}");
    }
}

#[test]
fn a_long_list_is_read_page_by_page_and_made_block_by_block() {
    let mut flow =
        Flow::submitted(fixtures::toy().graph("f.main", graph(vec![each("range:1000", 1, 300)])));
    flow.judged = false;
    flow.block = 100;
    let mut made = Vec::new();
    while flow.advance().messages.contains(&Message::Advance(flow.run)) {
        made.push(created(&flow));
    }
    assert_eq!(made, [100, 200], "a block runs out, and the next message goes on");
    assert_eq!((created(&flow), flow.store.items.len()), (300, 4));
    flow.block = 1_000;
    let mut next = 0;
    while flow.status() == Status::Running {
        for index in next..created(&flow) {
            let id = flow.at_index(index as u32);
            flow.report(id, Ending::Succeeded, Value::Null).expect("it is under way");
        }
        next = created(&flow);
        flow.advance();
    }
    assert_eq!((created(&flow), flow.status()), (1_000, Status::Completed));
    let last = flow.at_index(999);
    assert_eq!(flow.store.parameters[&last], json!({ "item": 999, "index": 999 }));
    law::check_snapshot(&flow.store).expect("the laws hold");
}

#[test]
fn a_hundred_thousand_elements_cost_what_a_hundred_cost_each() {
    let mut flow = Flow::submitted(
        fixtures::toy().graph("f.main", graph(vec![each("range:100000", 1, 100_000)])),
    );
    flow.judged = false;
    let decision = flow.advance();
    assert_eq!(decision.writes.executions.inserted.len(), 100_000);
    assert_eq!(decision.writes.items.len(), 391);
    let (runs, visits) = (&decision.writes.runs, &decision.writes.visits);
    assert_eq!((runs.inserted.len(), visits.inserted.len()), (1, 1));
    let size = serde_json::to_string(&visits.inserted[0]).expect("a visit is JSON").len();
    assert!(size < 1_000, "the row of a visit does not grow with its list: {size}");
    // One that ends costs one row of itself and one of its visit, and reads no page.
    let id = flow.at_index(77_777);
    flow.report(id, Ending::Succeeded, Value::Null).expect("it is under way");
    let decision = flow.advance();
    let changed = decision.writes.executions.updated.len() + decision.writes.visits.updated.len();
    assert_eq!((changed, decision.writes.items.len()), (2, 0));
}

impl Flow {
    fn at_index(&self, index: u32) -> ExecutionId {
        let task = TaskKey { run: self.run, task: "each".into(), occurrence: 0 };
        self.store.executions.at(&ItemKey { task, index: Some(index) }).expect("it exists").id
    }
}
