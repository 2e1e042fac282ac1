//! Arguments written into a statement as literals.
//!
//! Every text stands in `E'..'`, in which quotes and backslashes are escaped whatever the session's
//! settings are, and every literal bears its type. A text has no NUL (see `text`), and the connection
//! speaks UTF-8, so no other byte means anything.

use std::fmt::Write;

use super::Value;

/// The statement with its arguments instead of their numbers. The statements are ours: a dollar
/// with digits behind it is an argument and nothing else.
pub(super) fn filled(sql: &str, values: &[Value]) -> String {
    let mut whole = String::with_capacity(sql.len() + 16 * values.len());
    let mut parts = sql.split('$');
    whole.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let value = number.parse::<usize>().ok().and_then(|n| values.get(n.wrapping_sub(1)));
        match value {
            Some(value) => put(&mut whole, value),
            // The server complains of it.
            None => whole.extend(["$", number]),
        }
        whole.push_str(rest);
    }
    whole
}

fn put(whole: &mut String, value: &Value) {
    match value {
        Value::Int(None) => whole.push_str("NULL::int8"),
        Value::Text(None) => whole.push_str("NULL::text"),
        Value::Flag(None) => whole.push_str("NULL::bool"),
        Value::Int(Some(number)) => {
            let _written = write!(whole, "'{number}'::int8");
        }
        Value::Flag(Some(flag)) => whole.push_str(if *flag { "true" } else { "false" }),
        Value::Text(Some(text)) => quote(whole, text, "text"),
        Value::Bytes(bytes) => {
            whole.push_str("E'\\\\x");
            bytes.iter().for_each(|byte| {
                let _written = write!(whole, "{byte:02x}");
            });
            whole.push_str("'::bytea");
        }
        Value::Ints(all) => {
            let all = list(all, |array, number| {
                let _written = write!(array, "{number}");
            });
            quote(whole, &all, "int8[]");
        }
        Value::Flags(all) => {
            let all = list(all, |array, flag| array.push(if *flag { 't' } else { 'f' }));
            quote(whole, &all, "bool[]");
        }
        Value::Texts(all) => quote(whole, &list(all, |array, text| element(array, text)), "text[]"),
    }
}

/// An array as PostgreSQL reads it.
fn list<T>(all: &[Option<T>], put: impl Fn(&mut String, &T)) -> String {
    let mut array = String::from("{");
    for (place, value) in all.iter().enumerate() {
        if place > 0 {
            array.push(',');
        }
        match value {
            Some(value) => put(&mut array, value),
            None => array.push_str("NULL"),
        }
    }
    array.push('}');
    array
}

/// A text within an array.
fn element(array: &mut String, text: &str) {
    array.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            array.push('\\');
        }
        array.push(character);
    }
    array.push('"');
}

fn quote(whole: &mut String, text: &str, kind: &str) {
    whole.push_str("E'");
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            whole.push(character);
        }
        whole.push(character);
    }
    let _written = write!(whole, "'::{kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_argument_ends_its_literal() {
        let text = |text: &str| Some(text.to_owned());
        let values = [
            Value::Int(Some(-5)),
            Value::Text(text("a'b\\'; --")),
            Value::Texts(vec![text("\"},'\\"), None, text("")]),
            Value::Ints(vec![Some(1), None]),
            Value::Flags(vec![Some(true)]),
        ];
        let sql = "SELECT $1, $2::text, ANY($3), $4, $5 LIMIT $1";
        let wanted = "SELECT '-5'::int8, E'a''b\\\\''; --'::text::text, \
                      ANY(E'{\"\\\\\"},''\\\\\\\\\",NULL,\"\"}'::text[]), \
                      E'{1,NULL}'::int8[], E'{t}'::bool[] LIMIT '-5'::int8";
        assert_eq!(filled(sql, &values), wanted);
    }

    #[test]
    fn numbers_of_two_digits_are_not_taken_for_one() {
        let values: Vec<Value> = (0..12).map(|n| Value::Int(Some(n))).collect();
        assert_eq!(filled("$12 $1", &values), "'11'::int8 '0'::int8");
    }
}
