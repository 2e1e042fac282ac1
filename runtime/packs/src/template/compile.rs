//! Text as a compiled template, once.

use std::collections::BTreeSet;
use std::io;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, Expression};
use serde_json::Value as Json;

use steadfast_core::TaskName;
use steadfast_core::workflow::References;

use super::functions::environment;
use super::scope::World;
use super::{convert, explain, filters};

/// A template may render to this many bytes.
const MAX_OUTPUT: usize = 16 << 20;

/// A template, ready to be evaluated any number of times.
pub(crate) enum Compiled {
    /// No template at all: stands for itself.
    Literal,
    /// One expression, which keeps the type of its value.
    Expression(Expression<'static, 'static>),
    /// Text with expressions in it, in an environment of its own that holds it under no name.
    Text(Box<Environment<'static>>),
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Literal => "Literal",
            Self::Expression(_) => "Expression",
            Self::Text(_) => "Text",
        })
    }
}

/// A template that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// What is wrong.
    pub(crate) message: String,
    /// In which line of the text, from 0.
    pub(crate) line: u32,
}

impl SyntaxError {
    fn new(error: &Error) -> Self {
        let line = error.line().map_or(0, |line| line.saturating_sub(1));
        let message = error.detail().map_or_else(|| error.to_string(), ToString::to_string);
        Self { message, line: u32::try_from(line).unwrap_or(0) }
    }
}

/// Whether `text` is more than plain text.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The one expression that `text` consists of, without its braces.
fn inside_braces(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside);
    Some(inside.strip_suffix(['-', '+']).unwrap_or(inside))
}

impl Compiled {
    /// Compiles a text in which `{{ }}` marks expressions.
    pub(crate) fn template(text: &str) -> Result<Self, SyntaxError> {
        if !is_template(text) {
            return Ok(Self::Literal);
        }
        if let Some(inside) = inside_braces(text)
            && let Ok(expression) = environment().compile_expression_owned(inside.to_string())
        {
            filters::check(text, false)?;
            return Ok(Self::Expression(expression));
        }
        let mut own = environment().clone();
        match own.add_template_owned("", text.to_string()) {
            Ok(()) => filters::check(text, false).map(|()| Self::Text(Box::new(own))),
            Err(error) => Err(SyntaxError::new(&error)),
        }
    }

    /// Compiles a condition: an expression with or without braces.
    pub(crate) fn condition(text: &str) -> Result<Self, SyntaxError> {
        let inside = inside_braces(text).unwrap_or(text);
        match environment().compile_expression_owned(inside.to_string()) {
            Ok(expression) => filters::check(inside, true).map(|()| Self::Expression(expression)),
            // It may still be text around an expression or a statement.
            Err(error) if is_template(text) => match Self::template(text) {
                Ok(compiled @ Self::Text(_)) => Ok(compiled),
                _ => Err(SyntaxError::new(&error)),
            },
            Err(error) => Err(SyntaxError::new(&error)),
        }
    }

    /// Evaluates it in the scope that is entered; `text` is what it was compiled from.
    pub(super) fn render(&self, text: &str) -> Result<Json, String> {
        let explained = |error: Error| explain::error(self, &error);
        match self {
            Self::Literal => Ok(Json::from(text)),
            Self::Expression(expression) => {
                let value = expression.eval(Value::from_object(World));
                value.and_then(|value| convert::to_json(&value)).map_err(explained)
            }
            Self::Text(own) => Self::render_text(own).map(Json::from).map_err(explained),
        }
    }

    /// Whether it holds, in the scope that is entered.
    pub(super) fn holds(&self) -> Result<bool, String> {
        let explained = |error: Error| explain::error(self, &error);
        match self {
            Self::Literal => Ok(true),
            Self::Expression(expression) => {
                let value = expression.eval(Value::from_object(World)).map_err(explained)?;
                if value.is_undefined() {
                    return Err(explained(Error::from(ErrorKind::UndefinedError)));
                }
                Ok(value.is_true())
            }
            Self::Text(own) => {
                let text = Self::render_text(own).map_err(explained)?;
                let said = text.trim().to_ascii_lowercase();
                Ok(!matches!(said.as_str(), "" | "false" | "0" | "null" | "none"))
            }
        }
    }

    fn render_text(own: &Environment<'static>) -> Result<String, Error> {
        let mut output = Bounded(Vec::new());
        let template = own.get_template("")?;
        template.render_captured_to(Value::from_object(World), &mut output)?;
        String::from_utf8(output.0).map_err(|_| Error::from(ErrorKind::BadSerialization))
    }

    /// The names that it reads, each with as much of its path as is written out.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let names = match self {
            Self::Literal => return BTreeSet::new(),
            Self::Expression(expression) => expression.undeclared_variables(true),
            Self::Text(own) => match own.get_template("") {
                Ok(template) => template.undeclared_variables(true),
                Err(_) => return BTreeSet::new(),
            },
        };
        names.into_iter().collect()
    }

    /// What it reads beyond parameters and variables.
    pub(crate) fn references(&self) -> References {
        let mut references = References::default();
        for name in self.names() {
            let mut parts = name.split('.');
            match (parts.next(), parts.next()) {
                (Some("task" | "tasks"), Some(task)) => {
                    references.tasks.insert(TaskName::from(task));
                }
                (Some("task" | "tasks"), None) => references.any_task = true,
                (Some("result"), _) => references.result = true,
                _ => {}
            }
        }
        references
    }
}

/// Adds what `more` reads.
pub(crate) fn join(references: &mut References, more: References) {
    references.tasks.extend(more.tasks);
    references.any_task |= more.any_task;
    references.result |= more.result;
}

/// Output that stops growing at a bound.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("the text is longer than 16 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
