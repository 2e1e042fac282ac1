//! What is said about workflow files: each rule with the whole message and its line.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use steadfast_packs::{Catalog, Sources, read_standalone};

use common::{cases, fixtures};

fn catalog() -> Catalog {
    let sources = Sources { search: Vec::new(), packs: vec![fixtures().join("demo")] };
    let (catalog, problems) = Catalog::load(&sources);
    assert_eq!(problems, []);
    catalog
}

/// Everything that is said about the file, without its name.
fn said(text: &[u8]) -> Vec<String> {
    let read = read_standalone(Path::new("w.yaml"), text, &catalog());
    let refused = read.is_err();
    let problems = match read {
        Ok((_, problems)) | Err(problems) => problems,
    };
    assert_eq!(refused, problems.iter().any(|problem| problem.is_error()));
    let lines = problems.iter().map(ToString::to_string);
    lines.map(|line| line.trim_start_matches("w.yaml:").trim_start().to_string()).collect()
}

#[test]
fn every_rule_says_what_is_wrong_and_where() {
    for case in cases("workflow.txt") {
        assert_eq!(said(case.file.as_bytes()), case.says, "{}\n{}", case.title, case.file);
    }
}

#[test]
fn a_small_file_cannot_become_a_huge_one() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let list = format!("*a{}, ", n - 1).repeat(10);
        writeln!(bomb, "a{n}: &a{n} [{list}]").expect("a string");
    }
    assert_eq!(said(bomb.as_bytes()), ["6: more than 200000 nodes, aliases expanded"]);
    let deep = "[".repeat(80);
    assert_eq!(said(deep.as_bytes()), ["1: nested more than 64 levels deep"]);
    let deeper = "[".repeat(100_000);
    assert_eq!(said(deeper.as_bytes()), ["1: this is not YAML: recursion limit exceeded"]);
    let large = format!("x: {}\n", "y".repeat(5 << 20));
    assert_eq!(said(large.as_bytes()), ["the file is larger than 4 MiB"]);
    assert_eq!(said(b"a: 1\nb: \xff\n"), ["2: the file is not UTF-8 text; save it as UTF-8"]);
}

/// Wide files must not cost the square of their size.
#[test]
fn a_wide_file_is_read_in_good_time() {
    let mut wide = String::from("vars:\n");
    for n in 0..40_000 {
        writeln!(wide, "  v{n}: {n}").expect("a string");
    }
    wide.push_str("tasks:\n- {name: t0, action: demo.noop}\n");
    for n in 1..8_000 {
        writeln!(wide, "- {{name: t{n}, action: demo.noop, next: [{{do: t{n}}}], join: 1}}")
            .expect("a string");
    }
    let found = said(wide.as_bytes());
    assert_eq!(found.len(), 7_999);
    assert!(found[0].contains("is never reached"), "{}", found[0]);
}
