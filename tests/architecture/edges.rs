//! Who may use whom.

use cargo_metadata::{Dependency, Package};

/// The edges between our packages, and there are no others. A new one needs a decision record.
const ALLOWED: &[(&str, &[&str])] = &[
    ("steadfast-core", &[]),
    ("steadfast-packs", &["steadfast-core"]),
    ("steadfast-services", &["steadfast-core", "steadfast-packs"]),
    ("steadfast-runner", &[]),
    ("steadfast-embedded", &["steadfast-core", "steadfast-services"]),
    ("steadfast-postgres", &["steadfast-core", "steadfast-services"]),
    ("steadfast-rabbitmq", &["steadfast-core", "steadfast-services"]),
    (
        "steadfast-runtime",
        &[
            "steadfast-core",
            "steadfast-embedded",
            "steadfast-packs",
            "steadfast-postgres",
            "steadfast-rabbitmq",
            "steadfast-runner",
            "steadfast-services",
        ],
    ),
    ("steadfast-sim", &["steadfast-core", "steadfast-packs", "steadfast-services"]),
    (
        "steadfast-scenarios",
        &["steadfast-sim", "steadfast-core", "steadfast-services", "steadfast-packs"],
    ),
    ("steadfast-example-scenarios", &["steadfast-sim", "steadfast-packs"]),
];
/// These look at everything, so nothing may look at them.
const SEE_ALL: &[&str] = &["steadfast-tests", "steadfast-benches"];
/// What core may use of the world, its tests aside; all of it works without std.
const CORE_MAY_USE: &[&str] = &["serde", "serde_json", "thiserror"];

/// One package's wish to use another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: String,
    to: String,
    is_for_tests: bool,
}

impl Edge {
    pub(crate) fn new(from: &Package, to: &Dependency) -> Self {
        let is_for_tests = to.kind == cargo_metadata::DependencyKind::Development;
        Self { from: from.name.to_string(), to: to.name.clone(), is_for_tests }
    }
}

/// Edges between our packages that nobody allowed. A test's edge is an edge like any other.
pub(crate) fn without_leave(declared: &[Edge]) -> Vec<String> {
    let ours = declared.iter().filter(|edge| edge.to.starts_with("steadfast-"));
    ours.filter(|edge| !is_allowed(edge))
        .map(|edge| format!("{} may not use {}", edge.from, edge.to))
        .collect()
}

fn is_allowed(edge: &Edge) -> bool {
    let listed = ALLOWED.iter().find(|(from, _)| *from == edge.from);
    listed.is_some_and(|(_, to)| to.contains(&edge.to.as_str()))
        || SEE_ALL.contains(&edge.from.as_str()) && !SEE_ALL.contains(&edge.to.as_str())
}

/// What core uses of the world without being allowed to.
pub(crate) fn foreign_to_core(declared: &[Edge]) -> Vec<String> {
    let of_core = declared.iter().filter(|edge| edge.from == "steadfast-core");
    of_core
        .filter(|edge| !edge.is_for_tests && !CORE_MAY_USE.contains(&edge.to.as_str()))
        .map(|edge| format!("core may not use {}", edge.to))
        .collect()
}

/// Who names madsim besides the simulator.
pub(crate) fn madsim_outside_the_simulator(declared: &[Edge]) -> Vec<String> {
    let of_madsim = declared.iter().filter(|edge| edge.to.starts_with("madsim"));
    of_madsim
        .filter(|edge| edge.from != "steadfast-sim")
        .map(|edge| format!("{} may not use {}", edge.from, edge.to))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> Edge {
        Edge { from: from.into(), to: to.into(), is_for_tests: false }
    }

    #[test]
    fn a_new_edge_is_seen() {
        for (from, to) in [
            ("steadfast-core", "steadfast-packs"),
            ("steadfast-services", "steadfast-runtime"),
            ("steadfast-sim", "steadfast-runtime"),
            ("steadfast-runtime", "steadfast-sim"),
            ("steadfast-scenarios", "steadfast-tests"),
            ("steadfast-tests", "steadfast-benches"),
            ("steadfast-nobody", "steadfast-core"),
            ("steadfast-core", "steadfast-nobody"),
        ] {
            assert_eq!(without_leave(&[edge(from, to)]).len(), 1, "{from} -> {to}");
        }
        let for_tests = Edge { is_for_tests: true, ..edge("steadfast-core", "steadfast-sim") };
        assert_eq!(without_leave(&[for_tests]).len(), 1);
    }

    #[test]
    fn the_known_edges_pass() {
        let known = [
            edge("steadfast-scenarios", "steadfast-sim"),
            edge("steadfast-tests", "steadfast-runtime"),
            edge("steadfast-runtime", "anyhow"),
        ];
        assert_eq!(without_leave(&known), Vec::<String>::new());
    }

    #[test]
    fn a_foreign_crate_in_core_is_seen() {
        assert_eq!(foreign_to_core(&[edge("steadfast-core", "chrono")]).len(), 1);
        assert_eq!(foreign_to_core(&[edge("steadfast-core", "serde")]).len(), 0);
        let for_tests = Edge { is_for_tests: true, ..edge("steadfast-core", "proptest") };
        assert_eq!(foreign_to_core(&[for_tests]).len(), 0);
    }

    #[test]
    fn madsim_elsewhere_is_seen() {
        let (there, here) =
            (edge("steadfast-sim", "madsim"), edge("steadfast-services", "madsim-tokio"));
        assert_eq!(madsim_outside_the_simulator(&[there, here]).len(), 1);
    }
}
