//! Parameters on their way to the process.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::invocation::ParameterFormat;

/// Why parameters cannot be handed over.
#[derive(Debug, Error)]
pub(crate) enum ParameterError {
    #[error("the parameters are not an object, which this parameter_delivery or format needs")]
    NotAnObject,
    #[error(
        "the parameter `{0}` contains a NUL byte, which no environment variable can hold; \
         use parameter_delivery stdin or file"
    )]
    Nul(String),
    #[error("the parameters cannot be written as YAML: {0}")]
    Yaml(String),
}

/// The document for standard input or the file, with a newline at its end.
pub(crate) fn document(value: &Value, format: ParameterFormat) -> Result<String, ParameterError> {
    let mut text = match format {
        ParameterFormat::Json => value.to_string(),
        ParameterFormat::Yaml => serde_yaml_ng::to_string(value)
            .map_err(|error| ParameterError::Yaml(error.to_string()))?,
        ParameterFormat::Dotenv => dotenv(object(value)?),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The variables for delivery by environment.
pub(crate) fn variables(value: &Value) -> Result<Vec<(String, String)>, ParameterError> {
    let mut variables = Vec::new();
    for (name, value) in object(value)? {
        let text = scalar(value);
        if text.contains('\0') {
            return Err(ParameterError::Nul(name.clone()));
        }
        let suffix: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        variables.push((format!("STEADFAST_PARAM_{suffix}"), text.clone()));
        variables.push((format!("ATTUNE_ACTION_{suffix}"), text));
    }
    Ok(variables)
}

fn object(value: &Value) -> Result<&Map<String, Value>, ParameterError> {
    value.as_object().ok_or(ParameterError::NotAnObject)
}

fn dotenv(parameters: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        dotenv_lines(name, value, &mut text);
    }
    text
}

fn dotenv_lines(name: &str, value: &Value, text: &mut String) {
    if let Value::Object(nested) = value {
        for (key, value) in nested {
            dotenv_lines(&format!("{name}.{key}"), value, text);
        }
        return;
    }
    text.push_str(name);
    text.push_str("='");
    text.push_str(&scalar(value).replace('\'', r"'\''"));
    text.push_str("'\n");
}

/// A value as a shell sees it.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A parameter file, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ParameterFile {
    path: PathBuf,
}

impl ParameterFile {
    /// Writes `document` to a new file at `path` that only its owner can read.
    pub(crate) fn create(path: PathBuf, document: &str) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // From here on the file is removed, also when the disk is full.
        let this = Self { path };
        file.write_all(document.as_bytes())?;
        Ok(this)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ParameterFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "parameter file not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({"message": "it's", "count": 3, "on": true, "none": null,
               "list": [1, "a"], "deep": {"a": {"b": "x"}, "empty": {}}})
    }

    #[test]
    fn json_is_one_line_with_a_newline() {
        let text = document(&json!({"a": "x\ny", "b": [1]}), ParameterFormat::Json).unwrap();
        assert_eq!(text, "{\"a\":\"x\\ny\",\"b\":[1]}\n");
    }

    #[test]
    fn dotenv_quotes_for_a_shell_and_flattens_objects() {
        let text = document(&sample(), ParameterFormat::Dotenv).unwrap();
        assert_eq!(
            text,
            "count='3'\ndeep.a.b='x'\nlist='[1,\"a\"]'\nmessage='it'\\''s'\nnone=''\non='true'\n"
        );
    }

    #[test]
    fn yaml_reads_back_as_the_same_value() {
        let value = json!({"nul": "a\u{0}b", "no": "no", "n": "12", "s": "x: y #z\n- w", "e": "",
                           "f": 1.5, "o": {}, "l": [], "deep": [{"a": null}]});
        let text = document(&value, ParameterFormat::Yaml).unwrap();
        assert_eq!(serde_yaml_ng::from_str::<Value>(&text).unwrap(), value);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn variables_carry_both_prefixes() {
        let got = variables(&json!({"api-key.x": "v", "n": {"a": 1}})).unwrap();
        let want = [
            ("STEADFAST_PARAM_API_KEY_X", "v"),
            ("ATTUNE_ACTION_API_KEY_X", "v"),
            ("STEADFAST_PARAM_N", "{\"a\":1}"),
            ("ATTUNE_ACTION_N", "{\"a\":1}"),
        ];
        assert_eq!(got, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn nul_and_non_objects_are_refused_where_they_cannot_be_handed_over() {
        let error = variables(&json!({"a": "x\u{0}"})).unwrap_err().to_string();
        assert!(error.contains("`a`") && error.contains("NUL"), "{error}");
        assert!(variables(&json!([1])).is_err());
        assert!(document(&json!([1]), ParameterFormat::Dotenv).is_err());
        assert_eq!(document(&json!(null), ParameterFormat::Json).unwrap(), "null\n");
    }
}
