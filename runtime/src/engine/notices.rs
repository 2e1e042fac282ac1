//! Hints as the texts of the database's notifications.

use steadfast_core::decision::Message;
use steadfast_postgres::LONGEST;

/// The messages as JSON, as many in one text as fit, each text begun with `head` and a line's end.
pub(super) fn texts(head: &str, messages: &[Message]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for message in messages {
        // A message is plain data.
        let Ok(json) = serde_json::to_string(message) else { continue };
        match texts.last_mut() {
            Some(text) if text.len() + json.len() < LONGEST => {
                text.push('\n');
                text.push_str(&json);
            }
            _ if head.len() + json.len() < LONGEST => texts.push(format!("{head}\n{json}")),
            _ => {}
        }
    }
    texts
}

/// What a text says, and its head.
pub(super) fn messages(text: &str) -> (&str, impl Iterator<Item = Message>) {
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    // A newer version may say what this one does not understand, and a hint may be lost.
    (head, rest.lines().filter_map(|line| serde_json::from_str(line).ok()))
}

#[cfg(test)]
mod tests {
    use steadfast_core::ExecutionId;

    use super::*;

    #[test]
    fn what_is_said_is_heard_however_much_it_is() {
        let all: Vec<Message> = (0..2_000).map(|id| Message::Advance(ExecutionId(id))).collect();
        let said = texts("me", &all);
        assert!(said.len() > 1 && said.iter().all(|text| text.len() <= LONGEST));
        assert!(said.iter().all(|text| messages(text).0 == "me"));
        let heard: Vec<Message> = said.iter().flat_map(|text| messages(text).1).collect();
        assert_eq!(heard, all);
        assert_eq!(messages("\n{\"news\":1}\n{\"advance\":7}").1.count(), 1);
        let endless = Message::Admit("q".repeat(10_000).as_str().into());
        assert_eq!(texts("", &[endless]), Vec::<String>::new());
    }
}
