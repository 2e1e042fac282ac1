//! What of a log is about one execution, transaction, message or node.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Event, EventLog, kinds};

/// What the number in a field of an event is the number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Execution,
    Transaction,
    Message,
}

const SORTS: &[(Sort, &str)] =
    &[(Sort::Execution, "ex-"), (Sort::Transaction, "tx-"), (Sort::Message, "msg-")];

fn sort_of(field: &str) -> Option<Sort> {
    match field {
        "execution" | "about" => Some(Sort::Execution),
        "tx" | "holder" => Some(Sort::Transaction),
        "message" => Some(Sort::Message),
        _ => None,
    }
}

/// Everything that an event names. Numbers begin at 1; 0 is nobody.
fn named(event: &Event) -> impl Iterator<Item = (Sort, u64)> {
    let words = event.kind.fields.iter().zip(event.payload);
    words.filter_map(|(field, word)| sort_of(field).map(|sort| (sort, word))).filter(|n| n.1 != 0)
}

/// The steps that are about `entity`: `ex-7`, `tx-12`, `msg-9`, or a node by its name. What is
/// about an execution includes its messages on their way, and the commits that changed it.
///
/// # Errors
/// If nothing is about it; says what there is.
pub fn about(log: &EventLog, entity: &str) -> Result<Vec<u64>, String> {
    let wanted = SORTS.iter().find_map(|(sort, prefix)| {
        let number = entity.strip_prefix(prefix)?.parse().ok()?;
        Some((*sort, number))
    });
    let found = match wanted {
        Some(wanted) => about_number(log, wanted),
        None => {
            let of_node = log.events().iter().filter(|event| log.name(event.node) == entity);
            of_node.map(|event| event.index).collect()
        }
    };
    if found.is_empty() { Err(complaint(log, entity)) } else { Ok(found.into_iter().collect()) }
}

fn about_number(log: &EventLog, wanted: (Sort, u64)) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut messages = BTreeSet::new();
    // The commit whose changes are being told, one by one.
    let mut commit = None;
    for event in log.events() {
        let is_change = [&kinds::EXECUTION, &kinds::WORKER, &kinds::VISIT].contains(&event.kind);
        if *event.kind == kinds::COMMITTED {
            commit = Some(event.index);
        } else if !is_change {
            commit = None;
        }
        let mut names = named(event);
        let is_on_its_way = |(sort, number)| sort == Sort::Message && messages.contains(&number);
        if names.any(|name| name == wanted || is_on_its_way(name)) {
            found.insert(event.index);
            found.extend(commit.filter(|_| wanted.0 == Sort::Execution));
            if *event.kind == kinds::PUBLISHED && wanted.0 == Sort::Execution {
                messages.insert(event.payload[0]);
            }
        }
    }
    found
}

fn complaint(log: &EventLog, entity: &str) -> String {
    let mut ranges: BTreeMap<Sort, (u64, u64)> = BTreeMap::new();
    for (sort, number) in log.events().iter().flat_map(named) {
        let (low, high) = ranges.entry(sort).or_insert((number, number));
        (*low, *high) = ((*low).min(number), (*high).max(number));
    }
    let numbered = SORTS.iter().filter_map(|(sort, prefix)| {
        let (low, high) = ranges.get(sort)?;
        Some(format!("{prefix}{low} to {prefix}{high}"))
    });
    let nodes: BTreeSet<_> = log.events().iter().map(|event| event.node).collect();
    let nodes: Vec<&str> = nodes.into_iter().map(|node| log.name(node)).collect();
    let there_is: Vec<String> =
        numbered.chain([format!("the nodes {}", nodes.join(", "))]).collect();
    let near = steadfast_packs::suggestion(entity, nodes);
    format!("nothing is about `{entity}`{near}; there are {}", there_is.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Node, SimTime};

    fn log() -> EventLog {
        let mut log = EventLog::new();
        let worker = log.introduce("worker-1");
        let mut at = |node, kind, words: &[u64]| {
            log.push(SimTime::default(), node, kind, words);
        };
        at(worker, &kinds::BEGUN, &[1, 1]); // 0
        at(worker, &kinds::COMMITTED, &[1, 1, 2]); // 1
        at(worker, &kinds::EXECUTION, &[6, 2, 1]); // 2
        at(worker, &kinds::EXECUTION, &[7, 2, 1]); // 3
        at(worker, &kinds::PUBLISHED, &[9, 1, 7]); // 4
        at(Node::WORLD, &kinds::DELIVERED, &[9, 1, 0]); // 5
        at(Node::WORLD, &kinds::OPERATED, &[1, 0]); // 6
        log
    }

    #[test]
    fn an_execution_has_its_commits_and_its_messages() {
        assert_eq!(about(&log(), "ex-7"), Ok(vec![1, 3, 4, 5]));
        assert_eq!(about(&log(), "ex-6"), Ok(vec![1, 2]));
    }

    #[test]
    fn the_others_have_what_names_them() {
        assert_eq!(about(&log(), "tx-1"), Ok(vec![0, 1]));
        assert_eq!(about(&log(), "msg-9"), Ok(vec![4, 5]));
        assert_eq!(about(&log(), "world"), Ok(vec![5, 6]));
    }

    #[test]
    fn a_filter_that_matches_nothing_says_what_there_is() {
        let what = about(&log(), "ex-0").unwrap_err();
        assert!(what.contains("ex-6 to ex-7, tx-1 to tx-1, msg-9 to msg-9"), "{what}");
        let what = about(&log(), "worker-l").unwrap_err();
        assert!(what.contains("did you mean `worker-1`?"), "{what}");
    }
}
