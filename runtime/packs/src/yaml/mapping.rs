//! A mapping while it is read: each key once, merged members where nothing else is written.

use std::collections::BTreeMap;

use super::{Data, Key, Node};
use crate::problem::{Findings, Position};

/// The members in the order of the file, and where each is.
#[derive(Default)]
pub(super) struct Mapping {
    members: Vec<(Key, Node)>,
    index: BTreeMap<String, usize>,
}

impl Mapping {
    pub(super) fn into_members(self) -> Vec<(Key, Node)> {
        self.members
    }

    pub(super) fn insert(&mut self, key: Key, node: Node, findings: &mut Findings) {
        if key.name == "<<" {
            self.merge(node, findings);
            return;
        }
        let index = self.index.get(&key.name).copied();
        match index.and_then(|index| self.members.get_mut(index)) {
            None => self.push(key, node),
            // What was merged in gives way to what is written out.
            Some((old, place)) if old.at == Position::NOWHERE => (*old, *place) = (key, node),
            Some((old, _)) => {
                let (name, line) = (&key.name, old.at.line);
                let message =
                    format!("`{name}` is here a second time; the first is in line {line}");
                findings.error(key.at, message);
            }
        }
    }

    /// `<<: *common`: the members of other mappings, where there are none of that name.
    fn merge(&mut self, node: Node, findings: &mut Findings) {
        let at = node.at;
        let sources = match node.data {
            Data::List(nodes) => nodes,
            data => vec![Node { at, data }],
        };
        for source in sources {
            let Data::Map(inherited) = source.data else {
                findings.error(source.at, format!("`<<` needs a mapping, not {}", source.kind()));
                continue;
            };
            for (key, node) in inherited {
                if !self.index.contains_key(&key.name) {
                    self.push(Key { name: key.name, at: Position::NOWHERE }, node);
                }
            }
        }
    }

    fn push(&mut self, key: Key, node: Node) {
        self.index.insert(key.name.clone(), self.members.len());
        self.members.push((key, node));
    }
}
