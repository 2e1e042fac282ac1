//! A YAML file as a flat list of its members with their lines, for readers of other formats than
//! packs: the configuration is one.

use serde_json::Value;

use crate::problem::{Findings, Problem};
use crate::yaml::{Data, Node, parse_or_nothing};

/// One member of a mapping in a YAML file.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The names on the way to it, joined by dots.
    pub path: String,
    /// The line of its name, from 1.
    pub line: u32,
    /// Its value.
    pub value: Value,
}

/// Every member of the mapping in `bytes`, at any depth, an outer one before the inner ones.
///
/// # Errors
/// Every problem of the file `name`, if it cannot be read as a mapping.
pub fn read_members(name: &str, bytes: &[u8]) -> Result<Vec<Member>, Vec<Problem>> {
    let mut findings = Findings::new(name);
    let root = parse_or_nothing(bytes, &mut findings);
    let mut members = Vec::new();
    match &root {
        Some(node) if matches!(node.data, Data::Map(_)) => collect(node, "", &mut members),
        // A file of nothing but comments is an empty mapping.
        Some(node) => {
            findings.error(node.at, format!("the file must be a mapping, not {}", node.kind()));
        }
        None => {}
    }
    if findings.errors() > 0 { Err(findings.into_problems()) } else { Ok(members) }
}

fn collect(node: &Node, prefix: &str, members: &mut Vec<Member>) {
    let Data::Map(pairs) = &node.data else { return };
    for (key, value) in pairs {
        let name = &key.name;
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        members.push(Member { path: path.clone(), line: key.at.line, value: value.to_json() });
        collect(value, &path, members);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_with_their_lines() {
        let text = b"# a comment\na:\n  b: 1\n  c: [x]\nd: true\n";
        let members = read_members("x.yaml", text).unwrap();
        let seen: Vec<_> = members.iter().map(|m| (m.path.as_str(), m.line)).collect();
        assert_eq!(seen, [("a", 2), ("a.b", 3), ("a.c", 4), ("d", 5)]);
    }

    #[test]
    fn only_a_mapping_will_do() {
        assert_eq!(read_members("x.yaml", b""), Ok(Vec::new()));
        let problems = read_members("x.yaml", b"- a\n").unwrap_err();
        assert_eq!(problems[0].to_string(), "x.yaml:1: the file must be a mapping, not a list");
    }
}
