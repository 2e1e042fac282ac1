//! What workflow files become: whole graphs compared with golden ones, and older keys with the
//! new ones that they stand for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use steadfast_core::workflow::{EvaluateError, Evaluator, Graph, Scope, TaskResult};
use steadfast_core::{ActionRef, ExecutionId, Status, TaskName, Timestamp, Work};
use steadfast_packs::{Catalog, Definition, PolicyDefaults, Sources, Templates, read_standalone};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/packs")
}

fn catalog() -> Catalog {
    let (catalog, problems) =
        Catalog::load(&Sources { search: vec![fixtures()], packs: Vec::new() });
    assert_eq!(problems, []);
    catalog
}

fn templates(workflow: &Definition, catalog: &Catalog) -> Templates {
    let lookup = |hash: &_| catalog.by_hash(hash).map(Arc::clone);
    Templates::new(workflow, lookup, PolicyDefaults::default()).expect("well-formed")
}

fn graph_of(text: &str) -> Graph {
    let read = read_standalone(Path::new("w.yaml"), text.as_bytes(), &catalog());
    let (definition, _) = read.unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
    definition.workflow().expect("a workflow").graph.clone()
}

#[test]
fn the_graphs_of_the_demonstration_are_as_before() {
    let catalog = catalog();
    for name in ["demo.deploy", "demo.legacy"] {
        let definition = catalog.get(&ActionRef::new(name)).expect("it is in the pack");
        let mut found = serde_json::to_value(&**definition).expect("JSON");
        // The hashes of actions change with every word of their descriptions.
        let actions = found["kind"]["workflow"]["actions"].as_object_mut().expect("actions");
        actions.values_mut().for_each(|hash| *hash = Value::from("pinned"));
        let golden = fixtures().join(format!("golden/{name}.json"));
        let text = std::fs::read_to_string(&golden).unwrap_or_default();
        let expected: Value = serde_json::from_str(&text).unwrap_or_default();
        let shown = serde_json::to_string_pretty(&found).expect("JSON");
        assert_eq!(found, expected, "{}:\n{shown}", golden.display());
    }
}

#[test]
fn what_is_pinned_is_found_by_its_hash() {
    let catalog = catalog();
    let workflows = catalog.definitions().filter_map(|definition| definition.workflow());
    let mut seen = 0;
    for workflow in workflows {
        for (action, hash) in &workflow.actions {
            assert_eq!(catalog.by_hash(hash).map(|d| d.action.clone()), Some(action.clone()));
            seen += 1;
        }
    }
    assert!(seen > 6, "{seen}");
    let names: Vec<&str> = catalog.iter().map(|definition| definition.action.as_str()).collect();
    assert_eq!(
        names,
        ["demo.deploy", "demo.echo", "demo.legacy", "demo.noop", "demo.off", "demo.strict",]
    );
}

#[test]
fn definitions_survive_being_stored() {
    for definition in catalog().definitions() {
        let text = serde_json::to_string(&**definition).expect("JSON");
        let back: Definition = serde_json::from_str(&text).expect("a definition");
        assert_eq!(back, **definition);
        assert_eq!(back.hash(), definition.hash());
    }
}

#[test]
fn older_keys_stand_for_the_new_ones() {
    let rest = "- {name: b, action: demo.noop}\n- {name: c, action: demo.noop}\n";
    let first = "tasks:\n- name: a\n  action: demo.noop\n";
    let table = [
        (
            "  on_success: b\n  on_failure: c\n",
            "  next:\n  - {when: succeeded(), do: [b]}\n  - {when: failed(), do: [c]}\n",
        ),
        (
            "  on_timeout: [b, c]\n  on_complete: b\n",
            "  next:\n  - {do: b}\n  - {when: timed_out(), do: 'b, c'}\n",
        ),
        (
            "  publish: {x: 1}\n  on_success: b\n",
            "  next:\n  - {when: succeeded(), publish: [{x: 1}]}\n  - {when: succeeded(), do: b}\n",
        ),
        (
            "  publish: [x, {y: 2}]\n",
            "  next:\n  - {when: succeeded(), publish: {x: '{{ result() }}', y: 2}}\n",
        ),
        (
            "  decision:\n  - {when: '{{ vars.x }}', next: b}\n  - {when: vars.y, next: c}\n  \
             - default: c\n",
            "  next:\n  - {when: '{{ vars.x }}', do: b}\n  - {when: vars.y, do: c}\n  \
          - {when: 'not ((vars.x) or (vars.y))', do: c}\n",
        ),
        ("  decision:\n  - {next: b, default: true}\n", "  next:\n  - {do: b}\n"),
        (
            "  on_success:\n  - {when: '{{ vars.x }}', do: b}\n  - c\n",
            "  next:\n  - {when: succeeded() and (vars.x), do: b}\n  \
             - {when: succeeded(), do: c}\n",
        ),
        (
            "  on_complete:\n  - {when: vars.x, next: b, publish: {z: 1}}\n",
            "  next:\n  - {when: vars.x, do: b, publish: {z: 1}}\n",
        ),
        (
            "  with: {items: '{{ [1] }}', concurrency: 3}\n",
            "  with_items: '{{ [1] }}'\n  concurrency: 3\n",
        ),
        ("  next: {when: vars.x, do: b}\n", "  next:\n  - when: vars.x\n    do: b\n"),
        ("  type: action\n  retry: 3\n", "  retry: {count: 3}\n"),
    ];
    for (older, new) in table {
        let [older, new] = [older, new].map(|next| graph_of(&format!("{first}{next}{rest}")));
        assert_eq!(older, new);
    }
    let list = "tasks:\n- {name: a, action: demo.noop}\n- {name: b, action: demo.noop}\n";
    let mapping = "tasks:\n  a: {action: demo.noop}\n  b: {workflow: demo.noop, type: workflow}\n";
    assert_eq!(graph_of(list), graph_of(mapping));
    let merged = "vars: &v {a: 1, b: 2}\noutput_map: {<<: *v, b: 3}\n\
                  tasks: [{name: a, action: demo.noop}]\n";
    let output = graph_of(merged).output_map;
    assert_eq!(output, [("a".to_string(), json!(1)), ("b".to_string(), json!(3))]);
}

#[test]
fn a_list_runs_one_by_one_unless_it_says_otherwise() {
    let window = |more: &str| {
        let list = "tasks:\n- name: a\n  action: demo.noop\n  with_items: '{{ [1, 2] }}'\n";
        let mut graph = graph_of(&format!("{list}{more}"));
        let list = graph.tasks.remove(0).with_items.expect("it has a list");
        (list.concurrency, list.batch_size)
    };
    assert_eq!(window(""), (1, 1));
    assert_eq!(window("  concurrency: 4\n"), (4, 1));
    assert_eq!(window("  batch_size: 2\n"), (1, 2));
}

#[test]
fn scalars_are_what_yaml_1_2_says() {
    let text = "vars: {a: 0755, b: 0x1f, c: 1e3, d: yes, e: ~, f: !!str 5,\n  \
                g: 18446744073709551615, h: -1, i: 1_000, j: 2026-11-21,\n  \
                k: +5, l: .5, m: 'null', n: True, o: 0o17, p: 1.}\n\
                tasks: [{name: a, action: demo.noop}]\n";
    let vars: Value = graph_of(text).vars.into_iter().collect();
    let expected = json!({"a": "0755", "b": 31, "c": 1000.0, "d": "yes", "e": null, "f": "5",
        "g": u64::MAX, "h": -1, "i": "1_000", "j": "2026-11-21", "k": 5, "l": 0.5, "m": "null",
        "n": true, "o": 15, "p": 1.0});
    assert_eq!(vars, expected);
}

#[test]
fn a_parallel_task_leads_to_those_inside_and_waits_for_them() {
    let graph = graph_of(
        "tasks:\n- name: start\n  action: demo.noop\n  on_success: p\n\
         - name: p\n  type: parallel\n  tasks:\n  - {name: x, action: demo.noop}\n  \
         - name: q\n    type: parallel\n    tasks:\n    - {name: y, action: demo.noop}\n    \
           - {name: z, action: demo.noop}\n  on_success: p\n",
    );
    let go = |name: &str| -> Vec<String> {
        let task = graph.task(&name.into()).expect("a task");
        task.next.iter().flat_map(|next| &next.go).map(ToString::to_string).collect()
    };
    assert_eq!(go("start"), ["x", "y", "z"]);
    assert_eq!((go("x"), go("y"), go("z")), (vec!["p".into()], vec!["q".into()], vec!["q".into()]));
    assert_eq!(go("q"), ["p"]);
    assert_eq!(go("p"), ["x", "y", "z"]);
    let p = graph.task(&"p".into()).expect("a task");
    assert_eq!(p.input["results"], json!({"x": "{{ task.x.result }}", "q": "{{ task.q.result }}"}));
}

/// Renders the input of a gathering task for members that ended like this, and then its result.
fn gathered(lint: Status, unit: Status) -> Result<Value, EvaluateError> {
    let catalog = catalog();
    let legacy = catalog.get(&ActionRef::new("demo.legacy")).expect("it is in the pack");
    let graph = &legacy.workflow().expect("a workflow").graph;
    let outer = templates(legacy, &catalog);
    let left = |status| TaskResult { status, result: json!({"said": "x"}).into(), error: None };
    let tasks: BTreeMap<TaskName, TaskResult> =
        BTreeMap::from([("lint".into(), left(lint)), ("unit-tests".into(), left(unit))]);
    let vars = BTreeMap::new();
    let mut scope = Scope {
        parameters: &Value::Null,
        vars: &vars,
        tasks: &tasks,
        finished: None,
        item: None,
        run: ExecutionId(1),
        now: Timestamp::ZERO,
    };
    let task = graph.task(&"checks".into()).expect("a task");
    let prepared = outer.prepare(&task.action, outer.render(&task.input, &scope)?)?;
    assert_eq!(prepared.work, Work::Workflow);
    let gather = catalog.by_hash(&prepared.definition).expect("known by its hash");
    let inner = templates(gather, &catalog);
    scope.parameters = &prepared.parameters;
    inner.render(&gather.workflow().expect("a workflow").graph.output_map[0].1, &scope)
}

#[test]
fn gathering_fails_if_a_member_failed() {
    let said = json!({"lint": {"said": "x"}, "unit-tests": {"said": "x"}});
    assert_eq!(gathered(Status::Completed, Status::Completed), Ok(said));
    let failed = gathered(Status::Failed, Status::TimedOut).expect_err("failed").0;
    assert_eq!(failed, "lint, unit-tests did not succeed");
    let failed = gathered(Status::Completed, Status::Abandoned).expect_err("failed").0;
    assert_eq!(failed, "unit-tests did not succeed");
}

/// Lines that workflow files are made of, to be put together at random.
fn any_line() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "tasks:",
        "- name: a",
        "  action: demo.echo",
        "  input:",
        "    message: '{{ x }}'",
        "  next:",
        "  - do: a",
        "  join: all",
        "vars: &v {a: 1}",
        "  <<: *v",
        "type: parallel",
        "  retry: {count: 1}",
        "\t- x",
        "? [a]",
        ": b",
        "  with_items: [1",
        "]",
        "--- !tag",
        "  decision: [{default: a}]",
        "  | ",
        "ref: a.b",
        "parameters: {type: object, properties: {x: {}}}",
        "  on_success: [a, {when: b}]",
        "concurrency_key: '{{'",
        "output_map: {x: \"{{ task.a.result }}\"}",
        "!!int x",
        "&a [*a]",
        "'",
    ]);
    (words, 0..3_usize).prop_map(|(word, indent)| format!("{}{word}\n", "  ".repeat(indent)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_standalone(Path::new("w.yaml"), &bytes, &Catalog::new());
    }

    #[test]
    fn no_file_is_too_strange(lines in prop::collection::vec(any_line(), 0..24)) {
        let text = lines.concat();
        let read = read_standalone(Path::new("w.yaml"), text.as_bytes(), &Catalog::new());
        match read {
            Ok((definition, _)) => {
                let text = serde_json::to_string(&definition).expect("JSON");
                let back: Definition = serde_json::from_str(&text).expect("back");
                prop_assert_eq!(back, definition);
            }
            Err(problems) => prop_assert!(problems.iter().any(|problem| problem.is_error())),
        }
    }

    #[test]
    fn a_graph_in_json_is_yaml_and_reads_back(
        edges in prop::collection::vec((0..6_usize, 1..7_usize), 0..12),
        items in prop::collection::vec(any::<Option<u8>>(), 7),
    ) {
        let mut tasks: Vec<Value> = Vec::new();
        for (index, items) in items.iter().enumerate() {
            let next: Vec<Value> = edges.iter().filter(|(from, _)| *from == index)
                .map(|(_, to)| json!({"when": "succeeded()", "do": [format!("t{to}")]})).collect();
            let mut task = json!({"name": format!("t{index}"), "action": "x.y", "next": next});
            if let Some(items) = items {
                task["with_items"] = json!([items]);
                task["concurrency"] = json!(u32::from(*items) + 1);
            }
            tasks.push(task);
        }
        let mut catalog = Catalog::new();
        catalog.register_handler(Definition::handler("x.y")).expect("the first");
        let text = json!({"tasks": tasks, "vars": {"v": "{{ 1 }}"}}).to_string();
        let read = read_standalone(Path::new("w.yaml"), text.as_bytes(), &catalog);
        let (definition, _) = read.expect("t0 has no predecessor");
        let graph = &definition.workflow().expect("a workflow").graph;
        let stored = serde_json::to_value(graph).expect("JSON");
        let back: Graph = serde_json::from_value(stored).expect("back");
        prop_assert_eq!(&back, graph);
        for (index, items) in items.iter().enumerate() {
            prop_assert_eq!(graph.tasks[index].with_items.is_some(), items.is_some());
            let go = graph.tasks[index].next.iter().flat_map(|next| &next.go);
            let expected: Vec<TaskName> = edges.iter().filter(|(from, _)| *from == index)
                .map(|(_, to)| TaskName::from(format!("t{to}"))).collect();
            prop_assert_eq!(go.cloned().collect::<Vec<_>>(), expected);
        }
    }
}
