//! The parameters of an action, and the shape of its result, in one normalised form.

mod argument;
mod check;
mod read;
mod secret;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use argument::convert_argument;
pub use check::{ParameterProblem, validate};
pub use secret::{REDACTED, redact, secret_values};

pub(crate) use check::check_member;
pub(crate) use read::read_schema;

/// The members of an object: an action's parameters or one nested value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The members that are declared, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Whether a member that is not declared is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// One declared member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Whether it must be given when it has no default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Whether its value is never shown, logged or stored in the clear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its value must look like.
    #[serde(default, skip_serializing_if = "Shape::is_anything")]
    pub shape: Shape,
}

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonType {
    /// Text.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A mapping.
    Object,
    /// Nothing.
    Null,
}

/// What a value must look like. The default allows everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// The types that are allowed; none named = all.
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<JsonType>,
    /// The values that are allowed; none named = all.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// The smallest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The largest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Every allowed number is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive_minimum: Option<f64>,
    /// Every allowed number is smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive_maximum: Option<f64>,
    /// The fewest characters, elements or members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<u64>,
    /// The most characters, elements or members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// A regular expression that a text must contain a match of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What each element of a list must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Shape>>,
    /// The members of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Box<Schema>>,
}

impl JsonType {
    /// Every type with its word.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::String, "string"),
        (Self::Integer, "integer"),
        (Self::Number, "number"),
        (Self::Boolean, "boolean"),
        (Self::Array, "array"),
        (Self::Object, "object"),
        (Self::Null, "null"),
    ];

    /// The word for it in a schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
            Self::Null => "null",
        }
    }

    /// The narrowest type of `value`.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if is_whole(number) => Self::Integer,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    /// Whether `value` is of this type; an integer is a number too.
    #[must_use]
    pub fn admits(self, value: &Value) -> bool {
        let narrowest = Self::of(value);
        self == narrowest || (self == Self::Number && narrowest == Self::Integer)
    }
}

/// `1.0` is as whole as `1`, as JSON Schema has it.
fn is_whole(number: &serde_json::Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

impl Shape {
    /// Whether every value has it.
    #[must_use]
    pub fn is_anything(&self) -> bool {
        *self == Self::default()
    }
}

impl Schema {
    /// The declared member of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of the secret members.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|field| field.secret).map(|field| field.name.as_str())
    }

    /// The same as a JSON Schema document, for programs that read those.
    #[must_use]
    pub fn to_json_schema(&self) -> Value {
        let mut properties = Map::new();
        for field in &self.fields {
            properties.insert(field.name.clone(), field.to_json_schema());
        }
        let required: Vec<&str> =
            self.fields.iter().filter(|f| f.required).map(|f| f.name.as_str()).collect();
        let mut document = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            document["required"] = json!(required);
        }
        if self.closed {
            document["additionalProperties"] = Value::Bool(false);
        }
        document
    }
}

impl Field {
    fn to_json_schema(&self) -> Value {
        let mut document = self.shape.to_json_schema();
        if let Some(description) = &self.description {
            document["description"] = Value::from(description.as_str());
        }
        if let Some(default) = &self.default {
            document["default"] = default.clone();
        }
        if self.secret {
            document["secret"] = Value::Bool(true);
        }
        document
    }
}

impl Shape {
    fn to_json_schema(&self) -> Value {
        let mut document = match &self.members {
            Some(members) => members.to_json_schema(),
            None => json!({}),
        };
        match self.types.as_slice() {
            [] => {}
            [one] => document["type"] = json!(one),
            several => document["type"] = json!(several),
        }
        if !self.choices.is_empty() {
            document["enum"] = json!(self.choices);
        }
        for (name, bound) in [
            ("minimum", self.minimum),
            ("maximum", self.maximum),
            ("exclusiveMinimum", self.exclusive_minimum),
            ("exclusiveMaximum", self.exclusive_maximum),
        ] {
            if let Some(bound) = bound {
                document[name] = json!(bound);
            }
        }
        let (least, most) = match self.types.first() {
            Some(JsonType::Array) => ("minItems", "maxItems"),
            Some(JsonType::Object) => ("minProperties", "maxProperties"),
            _ => ("minLength", "maxLength"),
        };
        for (name, bound) in [(least, self.least), (most, self.most)] {
            if let Some(bound) = bound {
                document[name] = json!(bound);
            }
        }
        if let Some(pattern) = &self.pattern {
            document["pattern"] = json!(pattern);
        }
        if let Some(items) = &self.items {
            document["items"] = items.to_json_schema();
        }
        document
    }
}
