//! `docs/capabilities.md` has every row, and names only what is there: each test is a test, each
//! scenario a story that is told, each planted bug one that can be planted. What is not built is
//! said, and how much that is cannot change by accident.

use std::collections::BTreeMap;
use std::path::Path;

use steadfast_core::catalogue::Mutant;

/// The rows that there are: from 1 to so many in each group.
const GROUPS: &[(&str, usize)] = &[
    ("0", 19),
    ("1", 34),
    ("2", 15),
    ("3", 43),
    ("part", 35),
    ("message", 12),
    ("queue", 7),
    ("status", 8),
    ("setting", 20),
    ("table", 9),
    ("endpoint", 9),
    ("metric", 6),
];
/// How many rows nothing shows yet.
const LATER: usize = 19;
/// How many rows are shown, and say of a part that it is not.
const LATER_IN_PART: usize = 22;

const STORIES: &str = "scenarios/src/lib.rs";
const CLAUSES: &str = "tests/contract/store/mod.rs";
const NOT_YET: &str = "later:";
const NOT_HERE: &str = "elsewhere:";

/// What a file of the checkout says; nothing if it is not there.
type Read<'r> = &'r dyn Fn(&str) -> Option<String>;

#[derive(Debug)]
struct Row<'d> {
    id: &'d str,
    proofs: Vec<&'d str>,
    /// Why there is no proof, or not for all of it.
    later: Option<&'d str>,
    elsewhere: Option<&'d str>,
}

/// The rows of all tables, and what is no row although it looks like one.
fn rows(document: &str) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut rows, mut complaints) = (Vec::new(), Vec::new());
    for line in document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, what, shown] = cells[..] else {
            complaints.push(format!("not three cells: {line}"));
            continue;
        };
        if what.is_empty() {
            complaints.push(format!("{id} does not say what"));
        }
        let reason = |word| shown.split_once(word).map(|(_, reason): (_, &str)| reason.trim());
        let (later, elsewhere) = (reason(NOT_YET), reason(NOT_HERE));
        let named = shown.split(NOT_YET).next().and_then(|text| text.split(NOT_HERE).next());
        let proofs = named.unwrap_or_default().split('`').skip(1).step_by(2).collect();
        rows.push(Row { id, proofs, later, elsewhere });
    }
    (rows, complaints)
}

/// What is wrong with the document, in this checkout.
fn complaints(document: &str, read: Read<'_>) -> Vec<String> {
    let (rows, mut complaints) = rows(document);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows {
        *found.entry(row.id.to_owned()).or_default() += 1;
        let reasons = [row.later, row.elsewhere];
        if reasons.iter().flatten().any(|reason| reason.is_empty()) {
            complaints.push(format!("{} gives no reason", row.id));
        }
        if row.proofs.is_empty() && reasons.iter().all(Option::is_none) {
            complaints.push(format!("nothing shows {}", row.id));
        }
        let wrong = row.proofs.iter().filter_map(|proof| wrong_with(proof, read));
        complaints.extend(wrong.map(|wrong| format!("{}: {wrong}", row.id)));
    }
    for (group, count) in GROUPS {
        for number in 1..=*count {
            let id = format!("{group}.{number}");
            match found.remove(&id) {
                Some(1) => {}
                Some(times) => complaints.push(format!("{id} is there {times} times")),
                None => complaints.push(format!("{id} is missing")),
            }
        }
    }
    complaints.extend(found.keys().map(|id| format!("nobody knows {id}")));
    complaints
}

/// How many rows nothing shows, and how many say that a part of them is not shown.
fn later(document: &str) -> (usize, usize) {
    let (rows, _) = rows(document);
    let open = || rows.iter().filter(|row| row.later.is_some());
    let whole = open().filter(|row| row.proofs.is_empty()).count();
    (whole, open().count() - whole)
}

/// Why this shows nothing, if it does not.
fn wrong_with(proof: &str, read: Read<'_>) -> Option<String> {
    if let Some(name) = proof.strip_prefix("scenario:") {
        return (!is_told(name, read)).then(|| format!("there is no scenario {name}"));
    }
    if let Some(name) = proof.strip_prefix("mutant:") {
        let planted = Mutant::by_name(name).is_some_and(Mutant::is_due);
        return (!planted).then(|| format!("there is no bug {name} that can be planted"));
    }
    let Some((path, name)) = proof.split_once(".rs::") else {
        return Some(format!("`{proof}` is neither a test nor a scenario nor a planted bug"));
    };
    let path = format!("{path}.rs");
    let Some(text) = read(&path) else { return Some(format!("there is no {path}")) };
    let there = if path.starts_with("tests/contract/") {
        is_clause(&text, name, &read(CLAUSES).unwrap_or_default())
    } else {
        is_test(&text, name)
    };
    (!there).then(|| format!("{path} has no test {name}"))
}

/// Whether `text` has a function of this name that is run as a test.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let after = line.split_once("fn ").and_then(|(_, rest)| rest.strip_prefix(name));
        after.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let Some(at) = lines.iter().position(|line| is_it(line)) else { return false };
    // What stands above it, up to whatever comes before.
    let above = lines[..at].iter().rev();
    let mut above =
        above.take_while(|line| !line.is_empty() && **line != "}" && !line.ends_with('{'));
    above.any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// Whether a contract has a clause of this name, and asks for it.
fn is_clause(text: &str, name: &str, listed: &str) -> bool {
    let whole = |text: &str| {
        text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| *word == name)
            .count()
    };
    let there = ["<", "("].iter().any(|open| text.contains(&format!("async fn {name}{open}")));
    there && whole(text) + whole(listed) >= 2
}

/// Whether a scenario of this name is in the table of contents and in a file of its own.
fn is_told(name: &str, read: Read<'_>) -> bool {
    let contents = read(STORIES).unwrap_or_default();
    let mut entries = contents.lines().filter_map(|line| line.trim().strip_suffix("::SCENARIO,"));
    let Some(entry) = entries.find(|entry| entry.rsplit("::").next() == Some(name)) else {
        return false;
    };
    let file = format!("scenarios/src/{}.rs", entry.replace("::", "/"));
    read(&file).is_some_and(|text| text.contains(&format!("name: \"{name}\"")))
}

fn from_checkout(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent");
    std::fs::read_to_string(root.join(path)).ok()
}

fn document() -> String {
    from_checkout("docs/capabilities.md").expect("docs/capabilities.md can be read")
}

#[test]
fn every_capability_has_a_proof_that_exists_or_says_that_it_comes_later() {
    let document = document();
    let complaints = complaints(&document, &from_checkout);
    assert!(complaints.is_empty(), "docs/capabilities.md:\n  {}\n", complaints.join("\n  "));
    assert_eq!(
        later(&document),
        (LATER, LATER_IN_PART),
        "what is not shown has become more or less: say so here on purpose"
    );
}

/// One complaint about the document after this change.
#[track_caller]
fn falls(from: &str, to: &str, complaint: &str) {
    let document = document();
    assert!(document.contains(from), "there is nothing to doctor: {from}");
    let all = complaints(&document.replacen(from, to, 1), &from_checkout);
    assert!(all.iter().any(|one| one.contains(complaint)), "no `{complaint}` among {all:?}");
}

#[test]
fn a_doctored_table_is_seen() {
    falls("| 0.2 |", "|0.2|", "0.2 is missing");
    falls("| 0.2 |", "| 0.3 |", "0.3 is there 2 times");
    falls("| 3.43 |", "| 3.44 |", "nobody knows 3.44");
    falls("| part.1 |", "| part.1 | more |", "not three cells");
    falls(
        "::a_report_counts_once`",
        "::a_report_counts_twice`",
        "has no test a_report_counts_twice",
    );
    falls("core/src/claim/tests.rs::", "core/src/claims.rs::", "there is no core/src/claims.rs");
    // A function that is there, and no test.
    falls("::a_report_counts_once`", "::succession`", "has no test succession");
    falls("`scenario:every_window`", "`scenario:every_door`", "no scenario every_door");
    // A bug that waits for what is not built.
    falls(
        "`mutant:release_by_queue_key`",
        "`mutant:ack_without_token`",
        "no bug ack_without_token",
    );
    falls("later: inquiries |", "later: |", "gives no reason");
    falls("later: inquiries |", "|", "nothing shows");
    let more = document().replacen("later: inquiries |", "elsewhere: inquiries |", 1);
    assert_eq!(later(&more), (LATER - 1, LATER_IN_PART));
}

#[test]
fn a_proof_that_is_not_run_any_more_is_seen() {
    let without = |file: &'static str, from: &'static str| {
        move |path: &str| {
            let text = from_checkout(path)?;
            Some(if path == file { text.replace(from, "") } else { text })
        }
    };
    let all = |read: Read<'_>| complaints(&document(), read).join("; ");
    let quiet = without("core/src/claim/tests.rs", "#[test]");
    assert!(all(&quiet).contains("has no test a_report_counts_once"));
    let untold = without(STORIES, "claim::every_window::SCENARIO,");
    assert!(all(&untold).contains("no scenario every_window"));
    let unlisted = without(CLAUSES, "writes::unique_keys_refuse_the_second,");
    assert!(all(&unlisted).contains("has no test unique_keys_refuse_the_second"));
}
