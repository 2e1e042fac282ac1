use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::json;

use steadfast_core::workflow::{Task, TaskResult, Transition};
use steadfast_core::{ExecutionId, Status, TaskName, Timestamp};

use super::*;
use crate::definition::{Kind, WorkflowSpec};
use crate::schema::{Field, Schema};

/// A scope with something of everything in it.
struct World {
    parameters: Value,
    vars: BTreeMap<String, Value>,
    tasks: BTreeMap<TaskName, TaskResult>,
    finished: Option<TaskResult>,
    item: Option<Value>,
}

fn left(status: Status, result: Value) -> TaskResult {
    TaskResult { status, result: result.into(), error: None }
}

fn world() -> World {
    let build = left(Status::Completed, json!({"image": "app:7", "sizes": [1, 2, 3]}));
    let lint =
        TaskResult { error: Some("exit 2".to_string()), ..left(Status::Failed, Value::Null) };
    World {
        parameters: json!({
            "host": "db1", "count": 3, "ratio": 0.5, "flag": true, "none": null,
            "list": [10, 20, {"deep": ["x"]}], "big": u64::MAX, "map": {"a": 1, "b": 2},
        }),
        vars: BTreeMap::from([("stage".to_string(), json!("prod")), ("n".to_string(), json!(0))]),
        tasks: BTreeMap::from([("build".into(), build.clone()), ("lint".into(), lint)]),
        finished: Some(build),
        item: Some(json!({"name": "web", "ports": [80, 443]})),
    }
}

fn templates(graph: Graph) -> Templates {
    let config = json!({"url": "http://x", "retries": 2});
    let spec = WorkflowSpec { graph, actions: BTreeMap::new(), config };
    let mut workflow = Definition::new("demo.flow", Kind::Workflow(spec));
    let field = |name: &str| Field { name: name.to_string(), ..Field::default() };
    workflow.parameters = Schema { fields: vec![field("host"), field("optional")], closed: false };
    Templates::new(&workflow, |_| None, PolicyDefaults::default()).expect("well-formed")
}

fn with_scope<R>(world: &World, see: impl FnOnce(&Templates, &Scope<'_>) -> R) -> R {
    static BARE: OnceLock<Templates> = OnceLock::new();
    let scope = Scope {
        parameters: &world.parameters,
        vars: &world.vars,
        tasks: &world.tasks,
        finished: world.finished.as_ref(),
        item: world.item.as_ref().map(|item| (item, 4)),
        run: ExecutionId(7),
        now: Timestamp::from_micros(1_795_262_400_000_001),
    };
    see(BARE.get_or_init(|| templates(Graph::default())), &scope)
}

fn render(world: &World, template: &str) -> Result<Value, String> {
    let template = Value::from(template);
    with_scope(world, |templates, scope| templates.render(&template, scope)).map_err(|e| e.0)
}

#[test]
fn a_pure_expression_keeps_its_type_and_mixed_text_is_text() {
    let table = [
        ("plain text", json!("plain text")),
        ("{{ parameters.host }}", json!("db1")),
        ("  {{- parameters.count -}}\n", json!(3)),
        ("{{ parameters.count }}!", json!("3!")),
        ("{{ parameters.count }}{{ parameters.count }}", json!("33")),
        ("{{ parameters.ratio }}", json!(0.5)),
        ("{{ parameters.flag }}", json!(true)),
        ("{{ parameters.none }}", json!(null)),
        ("{{ parameters.optional }}", json!(null)),
        ("{{ parameters.big }}", json!(u64::MAX)),
        ("{{ parameters.list }}", json!([10, 20, {"deep": ["x"]}])),
        ("{{ parameters.list[2].deep[0] }}", json!("x")),
        ("{{ parameters.list[-1]['deep'] }}", json!(["x"])),
        ("{{ parameters.list | length }}", json!(3)),
        ("{{ length(parameters.list) }}", json!(3)),
        ("{{ parameters.map | items | list }}", json!([["a", 1], ["b", 2]])),
        ("{{ [parameters.map, 1.0, none, null] }}", json!([{"a": 1, "b": 2}, 1.0, null, null])),
        ("{{ {'k': parameters.list} }}", json!({"k": [10, 20, {"deep": ["x"]}]})),
        ("list: {{ parameters.list }}", json!("list: [10,20,{\"deep\":[\"x\"]}]")),
        ("nothing: {{ parameters.none }}", json!("nothing: null")),
        ("{{ '}}' }}", json!("}}")),
        ("{{ workflow.stage }}", json!("prod")),
        ("{{ vars.stage ~ '-' ~ stage }}", json!("prod-prod")),
        ("{{ task.build.result.image }}", json!("app:7")),
        ("{{ task['build'].results.sizes | sum }}", json!(6)),
        ("{{ task.build.image }}", json!("app:7")),
        ("{{ task.lint.status }} {{ task.lint.error }}", json!("failed exit 2")),
        ("{{ config.url }}/{{ config.retries }}", json!("http://x/2")),
        ("{{ keystore }}", json!({})),
        ("{{ system.execution_id }}", json!(7)),
        ("{{ now() }}", json!("2026-11-21T12:00:00.000001Z")),
        ("{{ item.name }}:{{ index }}", json!("web:4")),
        ("{{ item }}", json!({"name": "web", "ports": [80, 443]})),
        ("{{ result().sizes }}", json!([1, 2, 3])),
        ("{{ parameters.missing | default('d') }}", json!("d")),
        ("{{ 'yes' if parameters.flag else 'no' }}", json!("yes")),
        ("{% for x in parameters.list[:2] %}{{ x }};{% endfor %}", json!("10;20;")),
        ("{{ parameters.list[:2] | map('string') | join('+') }}", json!("10+20")),
        ("{{ item.ports | select('>', 100) | list }}", json!([443])),
        ("{{ max(3, 9) + min([4, 2]) }}", json!(11)),
        ("{{ upper(split('a,b', ',')[1]) }}", json!("B")),
        ("{{ keys(parameters.map) }} {{ type_of(1) }}", json!("[\"a\",\"b\"] number")),
        ("{{ 10 // 4 }} {{ 10 / 4 }}", json!("2 2.5")),
        ("{{ 9007199254740993 + 1 }}", json!(9_007_199_254_740_994_i64)),
    ];
    let world = world();
    for (template, expected) in table {
        assert_eq!(render(&world, template), Ok(expected), "{template}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_said_by_name() {
    let table = [
        ("{{ parameters.hots }}", "`parameters.hots` is undefined; did you mean `host`?"),
        ("{{ parameters.map.a.b.c }}", "`parameters.map.a.b` is undefined"),
        ("to {{ workflow.stgae }}", "`workflow.stgae` is undefined; did you mean `stage`?"),
        ("{{ wokflow.stage }}", "`wokflow` is undefined; did you mean `workflow`?"),
        ("{{ task.deploy.result }}", "task `deploy` has not finished, or there is none"),
        ("{{ [parameters.absent] }}", "`parameters.absent` is undefined"),
        ("{{ parameters.count | nofilter }}", "there is no filter `nofilter`"),
        ("{{ nofunction() }}", "nofunction is unknown"),
        ("{{ 1 / 0 }}", "unable to calculate 1 / 0"),
        ("{{ fail('because') }}", "because"),
        ("{{ 1e308 * 10 }}", "inf is not a finite number"),
        ("{{ result }}", "cannot be written as JSON; a function is called with `()`"),
        ("{{ unclosed", "unexpected end of"),
        ("{{ 'a' * 999999999 }}", "repeated string is too large"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "the template takes too many steps",
        ),
        (
            "{% for a in range(9999) %}{{ 'abcdefgh' * 1000 }}{% endfor %}",
            "the text is longer than 16 MiB",
        ),
    ];
    let world = world();
    for (template, expected) in table {
        let error = render(&world, template).expect_err(template);
        assert!(error.contains(expected), "{template}: {error}");
    }
    let world = World { item: None, finished: None, ..world };
    let error = render(&world, "{{ item }}").expect_err("no item");
    assert_eq!(error, "`item` is known only in the input of a task with `with_items`");
    let error = render(&world, "{{ result() }}").expect_err("no task");
    assert!(error.ends_with("are known only in `next`"), "{error}");
}

#[test]
fn a_member_of_the_input_is_named_in_the_error() {
    let input = json!({"outer": {"inner": "{{ parameters.absent }}"}});
    let error = with_scope(&world(), |templates, scope| templates.render(&input, scope));
    let expected = "`outer`: `inner`: `parameters.absent` is undefined";
    assert_eq!(error, Err(EvaluateError(expected.to_string())));
}

#[test]
fn conditions_hold_with_and_without_braces() {
    let completed = world();
    let failed = World { finished: Some(left(Status::Failed, Value::Null)), ..world() };
    let late = World { finished: Some(left(Status::TimedOut, Value::Null)), ..world() };
    let lost = World { finished: Some(left(Status::Abandoned, Value::Null)), ..world() };
    // condition                          completed failed late   lost
    let table = [
        ("succeeded()", [true, false, false, false]),
        ("{{ succeeded() }}", [true, false, false, false]),
        ("failed()", [false, true, false, true]),
        ("timed_out()", [false, false, true, false]),
        ("completed()", [true, true, true, true]),
        ("not succeeded() and parameters.count > 2", [false, true, true, true]),
        ("{{ parameters.list }}", [true, true, true, true]),
        ("parameters.none", [false, false, false, false]),
        ("{% if failed() %}yes{% endif %}", [false, true, false, true]),
    ];
    for (condition, expected) in table {
        let worlds = [&completed, &failed, &late, &lost];
        for (world, expected) in worlds.into_iter().zip(expected) {
            let holds = with_scope(world, |t, scope| t.condition(condition, scope));
            assert_eq!(holds, Ok(expected), "{condition} {:?}", world.finished);
        }
    }
    let error = with_scope(&completed, |t, scope| t.condition("{{ workflow.x }}", scope));
    assert_eq!(error, Err(EvaluateError("`workflow.x` is undefined".to_string())));
}

#[test]
fn references_name_every_task_that_is_read() {
    let table = [
        ("{{ task.a.result + tasks.b.status }}", vec!["a", "b"], false, false),
        ("{{ task['a'].result }}", vec![], true, false),
        ("x{% for t in task %}{{ t }}{% endfor %}", vec![], true, false),
        ("{{ result().x ~ task.c.result }}", vec!["c"], false, true),
        ("{{ parameters.task }} task.d", vec![], false, false),
    ];
    for (template, tasks, any_task, result) in table {
        let graph = Graph {
            output_map: vec![("out".to_string(), json!({"nested": [template]}))],
            ..Graph::default()
        };
        let tasks: BTreeSet<TaskName> = tasks.into_iter().map(TaskName::from).collect();
        let references = templates(graph.clone()).references(&graph.output_map[0].1);
        assert_eq!(references, References { tasks, any_task, result }, "{template}");
    }
    // A condition has no braces and is still looked into.
    let next = Transition { when: Some("task.a.result == 1".to_string()), ..Transition::default() };
    let task = Task {
        name: "b".into(),
        action: "x.y".into(),
        input: Value::Null,
        delay: Value::Null,
        retry: None,
        timeout: None,
        with_items: None,
        join: None,
        next: vec![next],
        worker_selector: BTreeMap::new(),
    };
    let all = templates(Graph { tasks: vec![task], ..Graph::default() });
    let references = all.references(&json!("task.a.result == 1"));
    assert_eq!(references.tasks, BTreeSet::from(["a".into()]));
    assert_eq!(all.references(&json!("{{ unknown }}")), References::everything());
}

#[test]
fn a_large_parameter_costs_an_item_nothing() {
    let list: Vec<Value> = (0..100_000).map(|n| json!({"host": format!("h{n}")})).collect();
    let world = World { parameters: json!({"list": list}), ..world() };
    let input = json!({"n": "{{ parameters.list | length }}", "it": "{{ parameters.list[index] }}",
        "text": "{{ item.name }} of {{ workflow.stage }}"});
    let graph = Graph { output_map: vec![("i".to_string(), input.clone())], ..Graph::default() };
    let templates = templates(graph);
    // Copying the list each time would take minutes.
    let rendered = with_scope(&world, |_, scope| {
        (0..20_000).try_fold(Value::Null, |_, _| templates.render(&input, scope))
    });
    let expected = json!({"n": 100_000, "it": {"host": "h4"}, "text": "web of prod"});
    assert_eq!(rendered, Ok(expected));
}

/// Any JSON value.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\u{e9}\u{1F600}]{0,12}".prop_map(Value::from),
        Just(json!("{{ not.evaluated }}")),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z ]{0,6}", inner, 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn a_pure_expression_returns_the_same_json(value in any_json()) {
        let mut world = world();
        world.parameters["any"] = value.clone();
        world.vars.insert("any".to_string(), value.clone());
        world.item = Some(value.clone());
        for template in ["{{ parameters.any }}", "{{ workflow.any }}", "{{item}}"] {
            prop_assert_eq!(render(&world, template), Ok(value.clone()));
        }
        let wrapped = render(&world, "{{ [item, {'k': item}] }}");
        prop_assert_eq!(wrapped, Ok(json!([value.clone(), {"k": value}])));
    }

    #[test]
    fn no_text_is_too_strange(text in "(\\{\\{|\\}\\}|\\{%|%\\}|[ -~\\n]){0,24}") {
        let _ = render(&world(), &text);
        let _ = with_scope(&world(), |templates, scope| templates.condition(&text, scope));
    }
}
