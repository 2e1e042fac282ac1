//! Both dialects in which parameters are declared, read into one form.

use serde_json::Value;

use super::check::check_shape;
use super::{Field, JsonType, Schema, Shape};
use crate::fields::{Fields, describe};
use crate::problem::{Findings, suggestion};
use crate::yaml::{Data, Node};

const FIELD_KEYS: &[&str] = &[
    "type",
    "required",
    "default",
    "enum",
    "secret",
    "description",
    "label",
    "title",
    "examples",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "min",
    "max",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "items",
    "properties",
    "additionalProperties",
];
const SCHEMA_KEYS: &[&str] =
    &["$schema", "type", "properties", "required", "additionalProperties", "description", "title"];

/// Reads `parameters`, `output` or a configuration's schema: flat (`name: {type, ...}`) or JSON
/// Schema (`type: object`, `properties`). `what` names one member: `parameter`.
pub(crate) fn read_schema(node: &Node, what: &str, findings: &mut Findings) -> Schema {
    if !is_json_schema(node) {
        return read_flat(node, what, findings);
    }
    let whole = format!("the {what} schema");
    let Some(fields) = Fields::of(node, whole, SCHEMA_KEYS, findings) else {
        return Schema::default();
    };
    read_object(&fields, what, findings)
}

/// `type: object` at the top can only be JSON Schema; without it, `properties` is one unless it
/// looks like the declaration of a parameter of that name.
fn is_json_schema(node: &Node) -> bool {
    match node.member("type") {
        Some(kind) => kind.as_text() == Some("object"),
        None => match node.member("properties").map(|node| &node.data) {
            Some(Data::Map(members)) => {
                members.iter().all(|(_, node)| matches!(node.data, Data::Map(_)))
            }
            _ => false,
        },
    }
}

fn read_flat(node: &Node, what: &str, findings: &mut Findings) -> Schema {
    let Data::Map(members) = &node.data else {
        let found = describe(node);
        let message =
            format!("{what}s must be a mapping such as `name: {{type: string}}`, not {found}");
        findings.error(node.at, message);
        return Schema::default();
    };
    let fields = members.iter().map(|(key, node)| read_field(&key.name, node, what, findings));
    Schema { fields: fields.collect(), closed: false }
}

/// The members of an object in JSON Schema.
fn read_object(object: &Fields<'_>, what: &str, findings: &mut Findings) -> Schema {
    let mut schema = Schema::default();
    match object.node("properties").map(|node| (node, &node.data)) {
        None => {}
        Some((_, Data::Map(members))) => {
            for (key, node) in members {
                schema.fields.push(read_field(&key.name, node, what, findings));
            }
        }
        Some((node, _)) => object.wrong("properties", node, "a mapping", findings),
    }
    if let Some(node) = object.node("required") {
        read_required(object, node, &mut schema, findings);
    }
    match object.node("additionalProperties").map(|node| (node, &node.data)) {
        None => {}
        Some((_, Data::Bool(open))) => schema.closed = !open,
        Some((node, _)) => {
            let message = "`additionalProperties` other than `true` or `false` has no effect";
            findings.warning(node.at, message);
        }
    }
    schema
}

fn read_required(object: &Fields<'_>, node: &Node, schema: &mut Schema, findings: &mut Findings) {
    let Data::List(names) = &node.data else {
        object.wrong("required", node, "a list of names", findings);
        return;
    };
    for node in names {
        let name = node.as_text().unwrap_or_default();
        if let Some(field) = schema.fields.iter_mut().find(|field| field.name == name) {
            field.required = true;
            continue;
        }
        let hint = suggestion(name, schema.fields.iter().map(|field| field.name.as_str()));
        let found = describe(node);
        let message = format!("`required` names {found}, which is not declared{hint}");
        findings.error(node.at, message);
    }
}

fn read_field(name: &str, node: &Node, what: &str, findings: &mut Findings) -> Field {
    let mut field = Field { name: name.to_string(), ..Field::default() };
    if node.is_null() {
        return field;
    }
    let label = format!("{what} `{name}`");
    let Some(fields) = Fields::of(node, label, FIELD_KEYS, findings) else { return field };
    // An object's own list of required members is read with the object.
    if !matches!(fields.node("required").map(|node| &node.data), Some(Data::List(_))) {
        field.required = fields.flag("required", findings).unwrap_or(false);
    }
    field.secret = fields.flag("secret", findings).unwrap_or(false);
    field.description = fields.words("description", findings);
    field.shape = read_shape(&fields, findings);
    // `default: null` says that there is none.
    if let Some(node) = fields.node("default") {
        let default = node.to_json();
        match check_shape(&field.shape, &default) {
            Some(what) => findings.error(node.at, format!("default of {} {what}", fields.what())),
            None => field.default = Some(default),
        }
    }
    field
}

fn read_shape(fields: &Fields<'_>, findings: &mut Findings) -> Shape {
    let mut shape = Shape { types: read_types(fields, findings), ..Shape::default() };
    shape.minimum = number(fields, "minimum", findings).or(number(fields, "min", findings));
    shape.maximum = number(fields, "maximum", findings).or(number(fields, "max", findings));
    shape.exclusive_minimum = number(fields, "exclusiveMinimum", findings);
    shape.exclusive_maximum = number(fields, "exclusiveMaximum", findings);
    for (least, most) in
        [("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties")]
    {
        shape.least = shape.least.or(fields.whole(least, 0, findings).map(u64::from));
        shape.most = shape.most.or(fields.whole(most, 0, findings).map(u64::from));
    }
    if shape.minimum.zip(shape.maximum).is_some_and(|(least, most)| least > most)
        || shape.least.zip(shape.most).is_some_and(|(least, most)| least > most)
    {
        let message = format!("{} allows nothing: its minimum is above its maximum", fields.what());
        findings.error(fields.at, message);
    }
    shape.pattern = read_pattern(fields, findings);
    if let Some(node) = fields.node("items") {
        let label = format!("`items` of {}", fields.what());
        let items = Fields::of(node, label, FIELD_KEYS, findings);
        shape.items = items.map(|items| Box::new(read_shape(&items, findings)));
    }
    if fields.node("properties").is_some() || fields.node("additionalProperties").is_some() {
        shape.members = Some(Box::new(read_nested(fields, findings)));
    }
    shape.choices = read_choices(fields, &shape, findings);
    shape
}

/// The members of a nested object; its `required` may be a flag that concerns the object itself.
fn read_nested(fields: &Fields<'_>, findings: &mut Findings) -> Schema {
    let required_flag = matches!(fields.node("required").map(|n| &n.data), Some(Data::Bool(_)));
    if !required_flag {
        return read_object(fields, "member", findings);
    }
    let mut schema = Schema::default();
    if let Some(Data::Map(members)) = fields.node("properties").map(|node| &node.data) {
        let members = members.iter();
        schema.fields =
            members.map(|(key, n)| read_field(&key.name, n, "member", findings)).collect();
    }
    schema.closed = matches!(
        fields.node("additionalProperties").map(|node| &node.data),
        Some(Data::Bool(false))
    );
    schema
}

fn read_types(fields: &Fields<'_>, findings: &mut Findings) -> Vec<JsonType> {
    let mut types = Vec::new();
    for word in fields.word_list("type", findings) {
        match JsonType::ALL.iter().find(|(_, known)| *known == word) {
            Some((one, _)) => types.push(*one),
            // Attune's word for no restriction.
            None if word == "any" => return Vec::new(),
            None => {
                let known = JsonType::ALL.iter().map(|(_, word)| *word);
                let hint = suggestion(&word, known.clone());
                let known: Vec<&str> = known.collect();
                let (what, known) = (fields.what(), known.join(", "));
                let message =
                    format!("{what} has the unknown type `{word}`; types are {known}{hint}");
                findings.error(fields.key_position("type"), message);
            }
        }
    }
    types
}

fn read_pattern(fields: &Fields<'_>, findings: &mut Findings) -> Option<String> {
    let pattern = fields.text("pattern", findings)?;
    match regex_lite::Regex::new(pattern) {
        Ok(_) => Some(pattern.to_string()),
        Err(error) => {
            let message = format!("`pattern` of {}: {error}", fields.what());
            findings.error(fields.key_position("pattern"), message);
            None
        }
    }
}

fn read_choices(fields: &Fields<'_>, shape: &Shape, findings: &mut Findings) -> Vec<Value> {
    let Some(node) = fields.node("enum") else { return Vec::new() };
    let Data::List(nodes) = &node.data else {
        fields.wrong("enum", node, "a list of values", findings);
        return Vec::new();
    };
    if nodes.is_empty() {
        findings.error(node.at, format!("`enum` of {} allows nothing; remove it", fields.what()));
    }
    for node in nodes {
        if let Some(what) = check_shape(shape, &node.to_json()) {
            findings.error(node.at, format!("a value of `enum` of {} {what}", fields.what()));
        }
    }
    nodes.iter().map(Node::to_json).collect()
}

fn number(fields: &Fields<'_>, name: &str, findings: &mut Findings) -> Option<f64> {
    let node = fields.node(name)?;
    if let Data::Number(number) = &node.data {
        return number.as_f64();
    }
    fields.wrong(name, node, "a number", findings);
    None
}
