//! Standard output read as the declared format.

use serde_json::Value;
use thiserror::Error;

use crate::invocation::OutputFormat;

/// Why output is not a result. None of the messages quotes the output.
#[derive(Debug, Error)]
pub(crate) enum OutputError {
    #[error(
        "standard output is larger than max_result_bytes ({limit}); the log has it, the result \
         cannot: write less, or write it elsewhere and return where"
    )]
    TooLarge { limit: usize },
    #[error("standard output is not UTF-8 at byte {0}, as output_format {1} needs")]
    NotUtf8(usize, &'static str),
    #[error("standard output is not one JSON value, as output_format json needs: {0}")]
    Json(serde_json::Error),
    #[error("standard output is not JSON in line {line}, as output_format jsonl needs: {reason}")]
    Jsonl { line: usize, reason: String },
    #[error("standard output is not one YAML document, as output_format yaml needs: {0}")]
    Yaml(serde_yaml_ng::Error),
}

/// Reads `bytes` as `format`; a result beyond `limit` bytes is refused.
pub(crate) fn read(bytes: &[u8], format: OutputFormat, limit: usize) -> Result<Value, OutputError> {
    match format {
        OutputFormat::Text => Ok(text(bytes)),
        OutputFormat::Json => json(utf8(bytes, "json")?),
        OutputFormat::Jsonl => jsonl(utf8(bytes, "jsonl")?),
        OutputFormat::Yaml => yaml(utf8(bytes, "yaml")?, limit),
    }
}

fn text(bytes: &[u8]) -> Value {
    let bytes = match bytes {
        [kept @ .., b'\r', b'\n'] | [kept @ .., b'\n'] => kept,
        all => all,
    };
    Value::from(String::from_utf8_lossy(bytes))
}

fn utf8<'a>(bytes: &'a [u8], format: &'static str) -> Result<&'a str, OutputError> {
    std::str::from_utf8(bytes).map_err(|error| OutputError::NotUtf8(error.valid_up_to(), format))
}

fn json(text: &str) -> Result<Value, OutputError> {
    if text.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(OutputError::Json)
}

fn jsonl(text: &str) -> Result<Value, OutputError> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| OutputError::Jsonl {
                line: index + 1,
                reason: error.to_string().replace(" at line 1 column", " at column"),
            })
        })
        .collect::<Result<Vec<Value>, _>>()
        .map(Value::from)
}

fn yaml(text: &str, limit: usize) -> Result<Value, OutputError> {
    let value: Value = serde_yaml_ng::from_str(text).map_err(OutputError::Yaml)?;
    // Aliases let a short document stand for a long value.
    if text.contains('*') && value.to_string().len() > limit {
        return Err(OutputError::TooLarge { limit });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good(bytes: &[u8], format: OutputFormat) -> Value {
        read(bytes, format, 1 << 20).unwrap()
    }

    fn bad(bytes: &[u8], format: OutputFormat) -> String {
        read(bytes, format, 1 << 20).unwrap_err().to_string()
    }

    #[test]
    fn text_loses_one_newline_and_keeps_nul() {
        assert_eq!(good(b"", OutputFormat::Text), json!(""));
        assert_eq!(good(b"a\n\n", OutputFormat::Text), json!("a\n"));
        assert_eq!(good(b"a\r\n", OutputFormat::Text), json!("a"));
        assert_eq!(good(b"a\0b\xffc", OutputFormat::Text), json!("a\u{0}b\u{fffd}c"));
    }

    #[test]
    fn json_is_exactly_one_value() {
        assert_eq!(good(b" \n", OutputFormat::Json), Value::Null);
        assert_eq!(good(b"{\"a\":\n [1]}\n", OutputFormat::Json), json!({"a": [1]}));
        assert!(bad(b"1 2", OutputFormat::Json).contains("one JSON value"));
        assert!(bad(b"hello", OutputFormat::Json).contains("line 1"));
        assert!(bad(b"\"\xff\"", OutputFormat::Json).contains("not UTF-8 at byte 1"));
        let deep = "[".repeat(100_000);
        assert!(bad(deep.as_bytes(), OutputFormat::Json).contains("recursion"));
    }

    #[test]
    fn jsonl_names_the_bad_line() {
        assert_eq!(good(b"", OutputFormat::Jsonl), json!([]));
        assert_eq!(good(b"1\n\n{\"a\":2}\r\n", OutputFormat::Jsonl), json!([1, {"a": 2}]));
        let error = bad(b"1\n\nnope\n", OutputFormat::Jsonl);
        assert!(error.contains("line 3") && error.contains("column 2"), "{error}");
    }

    #[test]
    fn yaml_is_one_document_of_bounded_size() {
        assert_eq!(good(b"", OutputFormat::Yaml), Value::Null);
        assert_eq!(good(b"a: 1\nb: [x]\n", OutputFormat::Yaml), json!({"a": 1, "b": ["x"]}));
        assert!(bad(b"a: [", OutputFormat::Yaml).contains("YAML"));
        assert!(bad(b"a\n---\nb\n", OutputFormat::Yaml).contains("one YAML document"));
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let below = format!("*a{},", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        bad(bomb.as_bytes(), OutputFormat::Yaml);
        let small = format!("a: &a {}\nb: [{}]", "x".repeat(1000), "*a,".repeat(90));
        assert!(read(small.as_bytes(), OutputFormat::Yaml, 4096).is_err());
    }
}
