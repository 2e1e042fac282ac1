//! YAML with the position of every node, and bounds on what a file may make us do.

mod mapping;
mod scalar;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};

use crate::problem::{Findings, Position};
use mapping::Mapping;

/// A file larger than this is refused.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Lists and mappings may be nested this deep.
const MAX_DEPTH: usize = 64;
/// A file may have this many nodes after its aliases are expanded.
const MAX_NODES: usize = 200_000;

/// A node of a YAML file and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) data: Data,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping's member.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) at: Position,
}

impl Node {
    /// What kind of thing it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "true or false",
            Data::Number(_) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The same as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(flag) => Value::Bool(*flag),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Data::Map(members) => {
                let members = members.iter().map(|(key, node)| (key.name.clone(), node.to_json()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// The member of that name, if it is a mapping that has it.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match &self.data {
            Data::Map(members) => {
                members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// Calls `see` with every text in it and where the text itself begins: below a `|` or `>`.
    pub(crate) fn each_text<'a>(&'a self, see: &mut impl FnMut(&'a str, Position)) {
        match &self.data {
            Data::Text(text) => see(text, self.at),
            Data::List(nodes) => nodes.iter().for_each(|node| node.each_text(see)),
            Data::Map(members) => members.iter().for_each(|(_, node)| node.each_text(see)),
            Data::Null | Data::Bool(_) | Data::Number(_) => {}
        }
    }
}

/// Reads the one document of a file. Whatever is wrong goes to `findings`, and that there is
/// nothing in the file is wrong too; `None` means that there is nothing to go on with.
pub(crate) fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Node> {
    let before = findings.errors();
    let root = parse_or_nothing(bytes, findings);
    if root.is_none() && findings.errors() == before {
        findings.error(Position::NOWHERE, "the file is empty");
    }
    root
}

/// The same for a file that may be empty.
pub(crate) fn parse_or_nothing(bytes: &[u8], findings: &mut Findings) -> Option<Node> {
    if bytes.len() > MAX_BYTES {
        let megabytes = MAX_BYTES >> 20;
        findings.error(Position::NOWHERE, format!("the file is larger than {megabytes} MiB"));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let at = Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 0 };
            findings.error(at, "the file is not UTF-8 text; save it as UTF-8");
            return None;
        }
    };
    Builder::new(findings).build(text)
}

/// Whether a tab stands where the indentation of that line is.
fn is_indented_with_tab(text: &str, at: Position) -> bool {
    let line = text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
    line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t')
}

/// What is being put together while events come in.
enum Frame {
    List { at: Position, anchor: usize, nodes: Vec<Node> },
    Map { at: Position, anchor: usize, members: Mapping, key: Option<Key> },
}

struct Builder<'f> {
    findings: &'f mut Findings,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

/// The reason to stop was reported.
struct Stop;

impl<'f> Builder<'f> {
    fn new(findings: &'f mut Findings) -> Self {
        let (stack, anchors) = (Vec::new(), BTreeMap::new());
        Self { findings, stack, anchors, nodes: 0, root: None }
    }

    fn build(mut self, text: &str) -> Option<Node> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(pair) => pair,
                Err(error) => {
                    let at = position(*error.marker());
                    let message = if is_indented_with_tab(text, at) {
                        "a tab cannot indent YAML; use spaces".to_string()
                    } else {
                        format!("this is not YAML: {}", error.info())
                    };
                    self.findings.error(at, message);
                    return None;
                }
            };
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
            }
            if documents > 1 {
                let at = position(span.start);
                self.findings.error(at, "a second document begins here; a file holds one");
                return None;
            }
            if self.take(&mut parser, event, span).is_err() {
                return None;
            }
        }
        self.root.take().filter(|root| !root.is_null())
    }

    fn take(
        &mut self,
        _: &mut Parser<'_, StrInput<'_>>,
        event: Event<'_>,
        span: Span,
    ) -> Result<(), Stop> {
        let at = position(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), at);
                self.add(node, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => {
                self.open(Frame::List { at, anchor, nodes: Vec::new() }, at)
            }
            Event::MappingStart(anchor, _) => {
                self.open(Frame::Map { at, anchor, members: Mapping::default(), key: None }, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Node {
        let data = match scalar::resolve(text, style, tag) {
            Ok(scalar::Scalar::Text) => Data::Text(text.to_string()),
            Ok(scalar::Scalar::Null) => Data::Null,
            Ok(scalar::Scalar::Bool(flag)) => Data::Bool(flag),
            Ok(scalar::Scalar::Number(number)) => Data::Number(number),
            Err(message) => {
                self.findings.error(at, message);
                Data::Text(text.to_string())
            }
        };
        Node { at, data }
    }

    fn open(&mut self, frame: Frame, at: Position) -> Result<(), Stop> {
        if self.stack.len() >= MAX_DEPTH {
            self.findings.error(at, format!("nested more than {MAX_DEPTH} levels deep"));
            return Err(Stop);
        }
        if matches!(self.stack.last(), Some(Frame::Map { key: None, .. })) {
            self.findings.error(at, "a key must be a plain word, not a list or a mapping");
            return Err(Stop);
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        match self.stack.pop() {
            Some(Frame::List { at, anchor, nodes }) => {
                self.add(Node { at, data: Data::List(nodes) }, anchor, 1)
            }
            Some(Frame::Map { at, anchor, members, .. }) => {
                self.add(Node { at, data: Data::Map(members.into_members()) }, anchor, 1)
            }
            None => Ok(()),
        }
    }

    /// An alias costs as much as what it repeats, so that a small file cannot become a huge one.
    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Stop> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.findings.error(at, "this alias stands inside the node that it repeats");
            return Err(Stop);
        };
        let (size, data) =
            (*size, if self.nodes + size > MAX_NODES { Data::Null } else { node.data.clone() });
        self.add(Node { at, data }, 0, size)
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Stop> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} nodes, aliases expanded");
            self.findings.error(node.at, message);
            return Err(Stop);
        }
        if anchor > 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
            // Keeping a copy is work too.
            self.nodes += size;
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { nodes, .. }) => nodes.push(node),
            Some(Frame::Map { key: key @ None, .. }) => match key_of(&node) {
                Some(name) => *key = Some(Key { name, at: node.at }),
                None => {
                    self.findings.error(node.at, format!("a key cannot be {}", node.kind()));
                    return Err(Stop);
                }
            },
            Some(Frame::Map { members, key, .. }) => {
                if let Some(key) = key.take() {
                    members.insert(key, node, self.findings);
                }
            }
        }
        Ok(())
    }
}

fn key_of(node: &Node) -> Option<String> {
    match &node.data {
        Data::Text(text) => Some(text.clone()),
        Data::Number(number) => Some(number.to_string()),
        Data::Bool(flag) => Some(flag.to_string()),
        Data::Null | Data::List(_) | Data::Map(_) => None,
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.data {
        Data::List(nodes) => nodes.iter().map(count).sum(),
        Data::Map(members) => members.iter().map(|(_, node)| 1 + count(node)).sum(),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => 0,
    }
}

fn position(mark: Marker) -> Position {
    let line = u32::try_from(mark.line()).unwrap_or(u32::MAX);
    Position { line, column: u32::try_from(mark.col() + 1).unwrap_or(u32::MAX) }
}
