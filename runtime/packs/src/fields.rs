//! Reading the members of a mapping: what is not known is reported, and so is what is of the
//! wrong kind.

use serde_json::Value;

use steadfast_core::{Backoff, RetryPolicy, Span};

use crate::problem::{Findings, Position, suggestion};
use crate::yaml::{Data, Node};

/// Visual metadata of Attune's workflow builder; it means nothing to an engine.
const CHART: &str = "__chart_meta__";

/// A mapping whose keys are known.
pub(crate) struct Fields<'n> {
    /// What the mapping is, for messages: `task \`build\``.
    what: String,
    pub(crate) at: Position,
    node: &'n Node,
}

impl<'n> Fields<'n> {
    /// Looks at `node` as a mapping with the keys `known`, and warns of all others.
    pub(crate) fn of(
        node: &'n Node,
        what: impl Into<String>,
        known: &[&str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let what = what.into();
        let Data::Map(members) = &node.data else {
            findings.error(node.at, format!("{what} must be a mapping, not {}", node.kind()));
            return None;
        };
        for (key, _) in members {
            let name = key.name.as_str();
            if !known.contains(&name) && name != CHART {
                let hint = suggestion(name, known.iter().copied());
                let message = format!("unknown key `{name}` in {what} has no effect{hint}");
                findings.warning(key.at, message);
            }
        }
        Some(Self { what, at: node.at, node })
    }

    /// What the mapping is, for messages.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The node under `name`; a key without a value counts as absent.
    pub(crate) fn node(&self, name: &str) -> Option<&'n Node> {
        self.node.member(name).filter(|node| !node.is_null())
    }

    /// Where the key `name` is, or the mapping if it is not there.
    pub(crate) fn key_position(&self, name: &str) -> Position {
        let Data::Map(members) = &self.node.data else { return self.at };
        members.iter().find(|(key, _)| key.name == name).map_or(self.at, |(key, _)| key.at)
    }

    /// The text under `name`.
    pub(crate) fn text(&self, name: &str, findings: &mut Findings) -> Option<&'n str> {
        let node = self.node(name)?;
        let text = node.as_text();
        if text.is_none() {
            self.wrong(name, node, "text", findings);
        }
        text
    }

    /// The text under `name`, where a number or `true` is as good as text.
    pub(crate) fn words(&self, name: &str, findings: &mut Findings) -> Option<String> {
        let node = self.node(name)?;
        match &node.data {
            Data::Text(text) => Some(text.clone()),
            Data::Number(_) | Data::Bool(_) => Some(node.to_json().to_string()),
            _ => {
                self.wrong(name, node, "text", findings);
                None
            }
        }
    }

    /// `true` or `false` under `name`.
    pub(crate) fn flag(&self, name: &str, findings: &mut Findings) -> Option<bool> {
        let node = self.node(name)?;
        if let Data::Bool(flag) = node.data {
            return Some(flag);
        }
        self.wrong(name, node, "`true` or `false`", findings);
        None
    }

    /// A whole number of at least `least` under `name`.
    pub(crate) fn whole(&self, name: &str, least: u32, findings: &mut Findings) -> Option<u32> {
        let node = self.node(name)?;
        let number = match &node.data {
            Data::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        let number = number.filter(|number| *number >= least);
        if number.is_none() {
            self.wrong(name, node, &format!("a whole number of at least {least}"), findings);
        }
        number
    }

    /// A number of seconds under `name`; `positive` refuses zero.
    pub(crate) fn seconds(
        &self,
        name: &str,
        positive: bool,
        findings: &mut Findings,
    ) -> Option<Span> {
        let node = self.node(name)?;
        let span = seconds(node).filter(|span| !positive || !span.is_zero());
        if span.is_none() {
            let bound = if positive { "more than 0" } else { "at least 0" };
            self.wrong(name, node, &format!("a number of seconds, {bound}"), findings);
        }
        span
    }

    /// One of `words` under `name`.
    pub(crate) fn word(
        &self,
        name: &str,
        words: &[&str],
        findings: &mut Findings,
    ) -> Option<&'n str> {
        let node = self.node(name)?;
        let word = node.as_text().filter(|word| words.contains(word));
        if word.is_none() {
            let hint = node.as_text().map(|text| suggestion(text, words.iter().copied()));
            let wanted = format!("one of {}", words.join(", "));
            self.wrong_with(name, node, &wanted, &hint.unwrap_or_default(), findings);
        }
        word
    }

    /// A list of words under `name`, of which a single one may stand alone.
    pub(crate) fn word_list(&self, name: &str, findings: &mut Findings) -> Vec<String> {
        let Some(node) = self.node(name) else { return Vec::new() };
        let words = match &node.data {
            Data::Text(word) => Some(vec![word.clone()]),
            Data::List(nodes) => nodes.iter().map(|n| n.as_text().map(str::to_string)).collect(),
            _ => None,
        };
        words.unwrap_or_else(|| {
            self.wrong(name, node, "a list of words", findings);
            Vec::new()
        })
    }

    /// Reports that the value under `name` is not what it must be.
    pub(crate) fn wrong(&self, name: &str, node: &Node, wanted: &str, findings: &mut Findings) {
        self.wrong_with(name, node, wanted, "", findings);
    }

    fn wrong_with(
        &self,
        name: &str,
        node: &Node,
        wanted: &str,
        hint: &str,
        findings: &mut Findings,
    ) {
        let found = describe(node);
        let what = &self.what;
        findings.error(node.at, format!("`{name}` of {what} must be {wanted}, not {found}{hint}"));
    }
}

/// A short value as it is, a long one by its kind.
pub(crate) fn describe(node: &Node) -> String {
    match &node.data {
        Data::Text(text) if text.len() <= 40 => format!("`{text}`"),
        Data::Number(number) => number.to_string(),
        Data::Bool(flag) => flag.to_string(),
        _ => node.kind().to_string(),
    }
}

/// A number of seconds that is neither negative nor longer than a century.
pub(crate) fn seconds(node: &Node) -> Option<Span> {
    let Data::Number(number) = &node.data else { return None };
    let seconds = number.as_f64()?;
    (0.0..=3.2e9).contains(&seconds).then(|| Span::from_micros((seconds * 1e6).round() as u64))
}

const RETRY_KEYS: &[&str] = &["count", "delay", "backoff", "max_delay", "jitter"];

/// `retry: {count, delay, backoff, max_delay, jitter}`, or only the count.
pub(crate) fn read_retry(fields: &Fields<'_>, findings: &mut Findings) -> Option<RetryPolicy> {
    let node = fields.node("retry")?;
    if let Data::Number(_) = node.data {
        let count = fields.whole("retry", 0, findings)?;
        return Some(RetryPolicy { count, ..RetryPolicy::default() });
    }
    let what = format!("`retry` of {}", fields.what());
    let retry = Fields::of(node, what, RETRY_KEYS, findings)?;
    if retry.node("count").is_none() {
        findings.error(retry.at, format!("{} needs `count`", retry.what()));
    }
    let backoff = match retry.word("backoff", &["constant", "linear", "exponential"], findings) {
        Some("linear") => Backoff::Linear,
        Some("exponential") => Backoff::Exponential,
        _ => Backoff::Constant,
    };
    Some(RetryPolicy {
        count: retry.whole("count", 0, findings).unwrap_or(0),
        delay: retry.seconds("delay", false, findings).unwrap_or(Span::ZERO),
        backoff,
        max_delay: retry.seconds("max_delay", false, findings),
        jitter_permille: read_jitter(&retry, findings),
    })
}

fn read_jitter(retry: &Fields<'_>, findings: &mut Findings) -> u16 {
    let Some(node) = retry.node("jitter") else { return 0 };
    let fraction = match &node.data {
        Data::Number(number) => number.as_f64().filter(|number| (0.0..=1.0).contains(number)),
        _ => None,
    };
    match fraction {
        Some(fraction) => (fraction * 1000.0).round() as u16,
        None => {
            retry.wrong("jitter", node, "a number from 0 to 1", findings);
            0
        }
    }
}

/// Pairs in the order of the file: a mapping, or a list of mappings.
pub(crate) fn pairs<'n>(
    node: &'n Node,
    what: &str,
    findings: &mut Findings,
) -> Vec<(&'n str, &'n Node)> {
    let mut found = Vec::new();
    match &node.data {
        Data::Map(members) => {
            found.extend(members.iter().map(|(key, value)| (key.name.as_str(), value)));
        }
        Data::List(nodes) if nodes.iter().all(|n| matches!(n.data, Data::Map(_))) => {
            for node in nodes {
                found.extend(pairs(node, what, findings));
            }
        }
        _ => {
            let found = describe(node);
            let message = format!("{what} must be a mapping or a list of mappings, not {found}");
            findings.error(node.at, message);
        }
    }
    found
}

/// The same as JSON, with the names.
pub(crate) fn json_pairs(pairs: &[(&str, &Node)]) -> Vec<(String, Value)> {
    pairs.iter().map(|(name, node)| ((*name).to_string(), node.to_json())).collect()
}
