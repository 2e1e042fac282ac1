//! What is said about workflow files: each rule with the whole message and its line.

use std::path::Path;

use steadfast_packs::{Catalog, Definition, Sources, read_standalone};

fn catalog() -> Catalog {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/packs/demo");
    let (catalog, problems) = Catalog::load(&Sources { search: Vec::new(), packs: vec![packs] });
    assert_eq!(problems, []);
    catalog
}

fn read(text: &str) -> (Option<Definition>, Vec<String>) {
    let read = read_standalone(Path::new("w.yaml"), text.as_bytes(), &catalog());
    let (definition, problems) = match read {
        Ok((definition, problems)) => (Some(definition), problems),
        Err(problems) => (None, problems),
    };
    assert_eq!(definition.is_none(), problems.iter().any(|problem| problem.is_error()), "{text}");
    (definition, problems.iter().map(ToString::to_string).collect())
}

/// Checks rows of a file and everything that is said about it, without `w.yaml:`.
fn check(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        let (_, found) = read(text);
        let found: Vec<&str> =
            found.iter().map(|line| line.strip_prefix("w.yaml:").unwrap_or(line)).collect();
        assert_eq!(found, *expected, "{text}");
    }
}

#[test]
fn what_is_not_a_file_of_one_mapping() {
    check(&[
        ("", &[" the file is empty"]),
        ("# nothing but a comment\n", &[" the file is empty"]),
        (
            "tasks: [",
            &["2: this is not YAML: while parsing a node, did not find expected node content"],
        ),
        ("just text", &["1: the workflow must be a mapping, not text"]),
        ("tasks:\n\t- name: a\n", &["2: a tab cannot indent YAML; use spaces"]),
        ("version: 1\n", &["1: the workflow has no tasks; it needs at least one"]),
        (
            "tasks: []\n",
            &["1: `tasks` of the workflow must be a list with at least one task, not a list"],
        ),
        (
            "tasks: {a: {action: demo.noop}}\n---\nb: 1\n",
            &["2: a second document begins here; a file holds one"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  action: demo.echo\n",
            &["4: `action` is here a second time; the first is in line 3"],
        ),
        (
            "vars: {x: .inf}\ntasks: [{name: a, action: demo.noop}]\n",
            &["1: `.inf` cannot be written in JSON; use a finite number"],
        ),
        (
            "vars: {x: !env HOME}\ntasks: [{name: a, action: demo.noop}]\n",
            &["1: the tag `!env` has no meaning here; remove it"],
        ),
        (
            "vars: &v {x: *v}\ntasks: [{name: a, action: demo.noop}]\n",
            &["1: this alias stands inside the node that it repeats"],
        ),
        ("? [a, b]\n: 1\n", &["1: a key must be a plain word, not a list or a mapping"]),
    ]);
}

#[test]
fn keys_that_are_not_known_are_warned_of() {
    check(&[
        (
            "tasks:\n- name: a\n  action: demo.noop\n  tymeout: 5\nouput_map: {}\n",
            &[
                "4: warning: unknown key `tymeout` in task `a` has no effect; did you mean `timeout`?",
                "5: warning: unknown key `ouput_map` in the workflow has no effect; \
             did you mean `output_map`?",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  next:\n  - wen: x\n    do: [a]\n",
            &[
                "1: no task can start: another task leads to each; a run begins with the tasks that \
             nothing leads to",
                "5: warning: unknown key `wen` in a transition of task `a` has no effect; \
             did you mean `when`?",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  retry: {count: 1, on_error: x}\n",
            &["4: warning: unknown key `on_error` in `retry` of task `a` has no effect"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  concurrency: 2\n",
            &["4: warning: `concurrency` of task `a` has no effect without `with_items`"],
        ),
    ]);
}

#[test]
fn tasks_and_what_they_lead_to() {
    check(&[
        (
            "tasks:\n- action: demo.noop\n- name: 'a/b'\n  action: demo.noop\n- name: c\n",
            &[
                "2: a task needs a `name`",
                "3: `a/b` cannot name a task; use letters, digits and `_`",
                "5: task `c` needs an `action`",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n- name: a\n  action: demo.noop\n",
            &["4: a second task is named `a`; the first is in line 2"],
        ),
        (
            "tasks:\n- name: build\n  action: demo.noop\n  next:\n  - do:\n    - biuld\n    - x\n",
            &[
                "6: task `build` leads to `biuld`, which is not a task; did you mean `build`?",
                "7: task `build` leads to `x`, which is not a task",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n- name: b\n  action: demo.noop\n  next: [{do: c}]\n\
          - name: c\n  action: demo.noop\n  next: [{do: b}]\n",
            &[
                "4: warning: task `b` is never reached: only tasks that are never reached lead to it",
                "7: warning: task `c` is never reached: only tasks that are never reached lead to it",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  next: [{do: b}]\n- name: b\n  action: demo.noop\n  join: 2\n",
            &["7: task `b` joins 2 tasks, but only 1 lead to it; it could never start"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  join: all\n",
            &["4: warning: `join` of task `a` has no effect: no task leads to it"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  join: some\n- name: b\n  action: demo.noop\n  join: 0\n",
            &[
                "4: `join` of task `a` must be `all` or a number of tasks, not `some`",
                "7: `join` of task `b` must be a whole number of at least 1, not 0",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  next: [{do: [b, b]}]\n- name: b\n  action: demo.noop\n",
            &["4: warning: `do` of task `a` names `b` twice"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  next: b\n- name: b\n  action: demo.noop\n",
            &[
                "4: `next` of task `a` must be a list of transitions such as `- do: [other]`, not text",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  when: x\n  on_success: b\n  next: []\n\
          - name: b\n  action: demo.noop\n  iterate_cache: {}\n",
            &[
                "4: `when` of task `a` is not supported; put the condition on the transitions that \
             lead to the task",
                "5: warning: `on_success` of task `a` has no effect beside `next`",
                "9: `iterate_cache` of task `b` is not supported; use `with_items` with a list",
            ],
        ),
    ]);
}

#[test]
fn numbers_within_their_bounds() {
    check(&[
        (
            "tasks:\n- name: a\n  action: demo.noop\n  with_items: '{{ [1] }}'\n  concurrency: 0\n  batch_size: 0\n",
            &[
                "5: `concurrency` of task `a` must be a whole number of at least 1, not 0",
                "6: `batch_size` of task `a` must be a whole number of at least 1, not 0",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  with_items: [1]\n  concurrency: -3\n  batch_size: two\n",
            &[
                "5: `concurrency` of task `a` must be a whole number of at least 1, not -3",
                "6: `batch_size` of task `a` must be a whole number of at least 1, not `two`",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  delay: -1\n  timeout: 0\n- name: b\n  action: demo.noop\n  \
          delay: soon\n  timeout: '{{ 5 }}'\n",
            &[
                "4: `delay` of task `a` must be a number of seconds, at least 0, not -1",
                "5: `timeout` of task `a` must be a number of seconds, more than 0, not 0",
                "8: `delay` of task `b` must be a number of seconds, at least 0, not `soon`",
                "9: `timeout` of task `b` must be a number of seconds, more than 0, not `{{ 5 }}`",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  retry:\n    count: -1\n    delay: x\n    \
          backoff: exponental\n    jitter: 2\n    max_delay: -5\n",
            &[
                "5: `count` of `retry` of task `a` must be a whole number of at least 0, not -1",
                "6: `delay` of `retry` of task `a` must be a number of seconds, at least 0, not `x`",
                "7: `backoff` of `retry` of task `a` must be one of constant, linear, exponential, not \
             `exponental`; did you mean `exponential`?",
                "8: `jitter` of `retry` of task `a` must be a number from 0 to 1, not 2",
                "9: `max_delay` of `retry` of task `a` must be a number of seconds, at least 0, not -5",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  retry: {delay: 1}\n",
            &["4: `retry` of task `a` needs `count`"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  with_items: hosts\n",
            &["4: `with_items` of task `a` must be a list or a template for one, not `hosts`"],
        ),
        (
            "max_task_visits: 0\ncancellation_policy: kill\ntasks: [{name: a, action: demo.noop}]\n",
            &[
                "1: `max_task_visits` of the workflow must be a whole number of at least 1, not 0",
                "2: `cancellation_policy` of the workflow must be one of allow_finish, cancel_running, \
             not `kill`",
            ],
        ),
    ]);
}

#[test]
fn inputs_fit_the_action() {
    check(&[
        (
            "tasks:\n- name: a\n  action: demo.ecko\n",
            &["3: task `a` runs `demo.ecko`, which is not known; did you mean `demo.echo`?"],
        ),
        (
            "tasks:\n- name: a\n  action: '{{ parameters.which }}'\n",
            &["3: `action` of task `a` cannot be a template"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.echo\n",
            &["2: task `a` must give `message` to `demo.echo`, which requires it"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.echo\n  input:\n    message: 5\n    level: loud\n    \
          mesage: x\n    times: 0\n",
            &[
                "5: task `a`, input of `demo.echo`: parameter `message` must be a string, not an \
             integer (5)",
                "6: task `a`, input of `demo.echo`: parameter `level` must be one of \"info\", \"warn\", \
             not \"loud\"",
                "7: warning: task `a` gives `mesage` to `demo.echo`, which has no such parameter; \
             did you mean `message`?",
                "8: task `a`, input of `demo.echo`: parameter `times` must be at least 1, not 0",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.echo\n  input: {message: '{{ 5 }}', times: '{{ 1 }}0'}\n",
            &["4: task `a`, input of `demo.echo`: parameter `times` must be integer, and this is \
             always string"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.strict\n  input: {name: x, nmae: y}\n",
            &["4: task `a` gives `nmae` to `demo.strict`, which has no such parameter; \
             did you mean `name`?"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.off\n",
            &["3: warning: task `a` runs `demo.off`, which is disabled"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.echo\n  input: [message]\n",
            &["4: `input` of task `a` must be a mapping, not a list"],
        ),
        (
            "ref: my.flow\ntasks:\n- name: a\n  action: my.flow\n",
            &["4: task `a` makes the workflow run itself: my.flow -> my.flow"],
        ),
        (
            "ref: my flow\ntasks: [{name: a, action: demo.noop}]\n",
            &["1: `my flow` is not a ref; write `pack.name` in letters, digits, `_` and `-`"],
        ),
    ]);
}

#[test]
fn templates_are_read_before_anything_runs() {
    check(&[
        (
            "tasks:\n- name: a\n  action: demo.echo\n  input:\n    message: |\n      fine\n      {{ 1 + }}\n",
            &["7: template of `message`: unexpected end of variable block"],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  next:\n  - when: succeeded( and\n    publish: [{x: '{{ y'}]\n",
            &[
                "5: template of `when`: unexpected end of input, expected `,`",
                "6: template of `x`: unexpected end of input, expected end of variable block",
            ],
        ),
        (
            "parameters: {host: {type: string}}\nvars: {n: 1}\ntasks:\n- name: a\n  action: demo.echo\n  \
          input: {message: '{{ parameters.hots }} {{ workflow.m }} {{ task.b.result }} {{ itm }} {{ item }}'}\n  \
          next: [{when: 'succeded()', publish: {m: '{{ item }}'}}]\noutput_map: {r: '{{ result() }}'}\n",
            &[
                "6: warning: template of `message`: `item` is known only in the input of a task with \
             `with_items`",
                "6: warning: template of `message`: `itm` is not defined; did you mean `item`?",
                "6: warning: template of `message`: there is no parameter `hots`; did you mean `host`?",
                "6: warning: template of `message`: there is no task `b`",
                "7: warning: template of `when`: `succeded` is not defined; did you mean `succeeded`?",
                "7: warning: template of `m`: `item` is known only in the input of a task with \
             `with_items`",
                "8: warning: template of `r`: `result()` is known only in `next`",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.echo\n  input: {message: '<% ctx().x %>'}\n",
            &["4: warning: `message`: `<% %>` is not evaluated; write `{{ }}`"],
        ),
    ]);
}

#[test]
fn older_keys_are_checked_like_the_new_ones() {
    check(&[
        (
            "tasks:\n- name: a\n  action: demo.noop\n  on_success: b\n  on_failure: [c]\n  on_timeout: 5\n",
            &[
                "4: task `a` leads to `b`, which is not a task",
                "5: task `a` leads to `c`, which is not a task",
                "6: `on_timeout` of task `a` must name a task, or be a list of names, not a number",
            ],
        ),
        (
            "tasks:\n- name: a\n  action: demo.noop\n  decision:\n  - when: 'true'\n  - default: z\n",
            &[
                "5: a branch of task `a` leads nowhere; it needs `next`",
                "6: task `a` leads to `z`, which is not a task",
            ],
        ),
        (
            "tasks:\n- name: p\n  type: parallel\n  retry: 3\n  tasks:\n  - name: a\n    action: demo.noop\n    on_success: p\n",
            &[
                "4: `retry` of task `p` has no meaning with `type: parallel`; put it on a task inside",
                "8: `on_success` of task `a` has no meaning inside `type: parallel`; put it on `p`",
            ],
        ),
        (
            "tasks:\n- name: p\n  type: parallel\n- name: q\n  type: paralel\n  action: demo.noop\n",
            &[
                "2: task `p` needs `tasks` with at least one task",
                "5: `type` of task `q` must be one of action, parallel, workflow, not `paralel`; \
             did you mean `parallel`?",
            ],
        ),
    ]);
}

#[test]
fn a_small_file_cannot_become_a_huge_one() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let before = n - 1;
        let list = format!("*a{before}, ").repeat(10);
        bomb.push_str(&format!("a{n}: &a{n} [{list}]\n"));
    }
    let (_, found) = read(&bomb);
    assert_eq!(found, ["w.yaml:6: more than 200000 nodes, aliases expanded"]);
    let (_, found) = read(&"[".repeat(80));
    assert_eq!(found, ["w.yaml:1: nested more than 64 levels deep"]);
    let (_, found) = read(&format!("x: {}\n", "y".repeat(5 << 20)));
    assert_eq!(found, ["w.yaml: the file is larger than 4 MiB"]);
    let read = read_standalone(Path::new("w.yaml"), b"a: 1\nb: \xff\n", &catalog());
    let found = read.expect_err("not text");
    assert_eq!(found[0].to_string(), "w.yaml:2: the file is not UTF-8 text; save it as UTF-8");
}
