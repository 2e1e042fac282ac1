//! How a hint looks on the wire: JSON with a version, so that two releases can run side by side.

use serde::{Deserialize, Serialize};
use steadfast_core::Timestamp;
use steadfast_core::decision::Message;

/// The version with one message.
pub(crate) const VERSION: u32 = 1;

/// The version with several messages for one address.
pub(crate) const SEVERAL: u32 = 2;

/// How many messages go into one envelope at the most. The body stays far below the size of a frame.
pub(crate) const MOST: usize = 256;

/// What the body of a message is said to be.
pub(crate) const CONTENT_TYPE: &str = "application/json";

/// A hint as it travels. Fields that a later version adds are passed over; a change that older
/// programs must not pass over raises the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of the format.
    pub version: u32,
    /// Unique among all messages of all processes.
    pub id: String,
    /// The store's clock at the commit that gave rise to it, in microseconds since the epoch.
    pub at: Timestamp,
    /// What it says.
    pub message: Message,
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It says that its body is something else than JSON.
    #[error("the content type is {0:?}, not {CONTENT_TYPE}")]
    ContentType(String),
    /// The body is not an envelope at all.
    #[error("the body is not an envelope: {0}")]
    Garbage(String),
    /// The body is an envelope of another version.
    #[error("envelope version {0} is not known; this program reads {VERSION} and {SEVERAL}")]
    Version(u64),
    /// The envelope is fine, and what it carries is not.
    #[error("the message in the envelope cannot be understood: {0}")]
    Message(String),
}

/// Several hints that travel together, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Several {
    version: u32,
    id: String,
    at: Timestamp,
    messages: Vec<Message>,
}

/// The body of a message that says all of `messages`. A single one is written as older programs read
/// it.
///
/// # Panics
///
/// Never: an envelope has nothing that JSON cannot express.
pub(crate) fn encode(id: &str, at: Timestamp, mut messages: Vec<Message>) -> Vec<u8> {
    let id = id.to_owned();
    match messages.len() {
        1 => Envelope::new(id, at, messages.remove(0)).encode(),
        _ => serde_json::to_vec(&Several { version: SEVERAL, id, at, messages })
            .expect("an envelope is plain data"),
    }
}

/// Reads the body of a message, of either version.
///
/// # Errors
///
/// [`Unreadable`], saying what is wrong with it.
pub(crate) fn decode(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<(Timestamp, Vec<Message>), Unreadable> {
    match Envelope::decode(content_type, body) {
        Ok(envelope) => Ok((envelope.at, vec![envelope.message])),
        Err(Unreadable::Version(version)) if version == u64::from(SEVERAL) => {
            let read: Result<Several, _> = serde_json::from_slice(body);
            let several = read.map_err(|error| Unreadable::Message(error.to_string()))?;
            if several.messages.is_empty() {
                return Err(Unreadable::Message(String::from("it has no messages")));
            }
            Ok((several.at, several.messages))
        }
        Err(other) => Err(other),
    }
}

/// Of an unknown envelope, only this may be relied on.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Envelope {
    /// A hint of the current version.
    pub(crate) fn new(id: String, at: Timestamp, message: Message) -> Self {
        Self { version: VERSION, id, at, message }
    }

    /// The body of the message.
    ///
    /// # Panics
    ///
    /// Never: an envelope has nothing that JSON cannot express.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an envelope is plain data")
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], saying what is wrong with it.
    pub fn decode(content_type: Option<&str>, body: &[u8]) -> Result<Self, Unreadable> {
        if let Some(other) = content_type.filter(|given| *given != CONTENT_TYPE) {
            return Err(Unreadable::ContentType(other.to_owned()));
        }
        let versioned: Versioned =
            serde_json::from_slice(body).map_err(|error| Unreadable::Garbage(error.to_string()))?;
        if versioned.version != u64::from(VERSION) {
            return Err(Unreadable::Version(versioned.version));
        }
        serde_json::from_slice(body).map_err(|error| Unreadable::Message(error.to_string()))
    }
}

/// The kind of a message, for people and for filters on the broker.
pub(crate) const fn kind(message: &Message) -> &'static str {
    match message {
        Message::Ready { .. } => "ready",
        Message::Offer { .. } => "offer",
        Message::Stop { .. } => "stop",
        Message::Admit(_) => "admit",
        Message::Advance(_) => "advance",
        Message::Ended { .. } => "ended",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use steadfast_core::{
        ExecutionId, FencingToken, Incarnation, Runtime, Status, Transport, WorkerId,
    };

    use super::*;

    fn worker() -> WorkerId {
        WorkerId { name: "w.1".into(), incarnation: Incarnation(3) }
    }

    #[test]
    fn the_wire_stays_as_it_is() {
        let (execution, token) = (ExecutionId(7), FencingToken(2));
        let ready = Message::Ready { runtime: "shell".into(), transport: Transport::Rabbitmq };
        let to = r#""worker":{"name":"w.1","incarnation":3},"execution":7,"token":2"#;
        let cases = [
            (ready, String::from(r#"{"ready":{"runtime":"shell","transport":"rabbitmq"}}"#)),
            (
                Message::Offer { worker: worker(), execution, token },
                format!(r#"{{"offer":{{{to}}}}}"#),
            ),
            (
                Message::Stop { worker: worker(), execution, token },
                format!(r#"{{"stop":{{{to}}}}}"#),
            ),
            (Message::Admit("demo.echo".into()), String::from(r#"{"admit":"demo.echo"}"#)),
            (Message::Advance(execution), String::from(r#"{"advance":7}"#)),
            (
                Message::Ended { execution, status: Status::TimedOut },
                String::from(r#"{"ended":{"execution":7,"status":"timed_out"}}"#),
            ),
        ];
        for (message, golden) in cases {
            assert!(golden.starts_with(&format!(r#"{{"{}""#, kind(&message))), "{golden}");
            let envelope = Envelope::new(String::from("a-1"), Timestamp::from_micros(5), message);
            let body = format!(r#"{{"version":1,"id":"a-1","at":5,"message":{golden}}}"#);
            assert_eq!(String::from_utf8(envelope.encode()).expect("text"), body);
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let read = |text: &str| Envelope::decode(None, text.as_bytes()).expect_err("unreadable");
        assert!(matches!(read(""), Unreadable::Garbage(_)));
        assert!(matches!(read("\u{0}\u{1}"), Unreadable::Garbage(_)));
        assert!(matches!(read(r#"{"id":"x"}"#), Unreadable::Garbage(_)));
        assert_eq!(read(r#"{"version":3,"news":[]}"#), Unreadable::Version(3));
        let kind = r#"{"version":1,"id":"x","at":0,"message":{"dance":1}}"#;
        assert!(matches!(read(kind), Unreadable::Message(text) if text.contains("dance")));
        let plain = Envelope::decode(Some("text/plain"), b"{}").expect_err("unreadable");
        assert_eq!(plain, Unreadable::ContentType(String::from("text/plain")));
    }

    #[test]
    fn several_messages_travel_together() {
        let messages = vec![Message::Advance(ExecutionId(4)), Message::Advance(ExecutionId(5))];
        let body = encode("a-1", Timestamp::from_micros(5), messages.clone());
        let golden = r#"{"version":2,"id":"a-1","at":5,"messages":[{"advance":4},{"advance":5}]}"#;
        assert_eq!(String::from_utf8(body.clone()).expect("text"), golden);
        let (at, read) = decode(Some(CONTENT_TYPE), &body).expect("it is read");
        assert_eq!((at, read), (Timestamp::from_micros(5), messages));
        let one = encode("a-1", Timestamp::from_micros(5), vec![Message::Advance(ExecutionId(4))]);
        assert_eq!(
            Envelope::decode(None, &one).expect("as ever").message,
            Message::Advance(ExecutionId(4))
        );
        for bad in [r#"{"version":2,"id":"x","at":0,"messages":[]}"#, r#"{"version":2}"#] {
            assert!(matches!(decode(None, bad.as_bytes()), Err(Unreadable::Message(_))), "{bad}");
        }
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let body = br#"{"version":1,"id":"x","at":0,"trace":"t","message":{"advance":4}}"#;
        let envelope = Envelope::decode(Some(CONTENT_TYPE), body).expect("it is read");
        assert_eq!(envelope.message, Message::Advance(ExecutionId(4)));
    }

    fn messages() -> impl Strategy<Value = Message> {
        let worker = (any::<String>(), any::<u64>())
            .prop_map(|(name, n)| WorkerId { name: name.into(), incarnation: Incarnation(n) });
        let attempt = (worker, any::<u64>(), any::<u64>());
        let statuses: Vec<Status> = Status::ALL.to_vec();
        prop_oneof![
            (any::<String>(), any::<bool>()).prop_map(|(runtime, pushes)| Message::Ready {
                runtime: Runtime::from(runtime),
                transport: if pushes { Transport::Rabbitmq } else { Transport::Embedded },
            }),
            attempt.clone().prop_map(|(worker, execution, token)| Message::Offer {
                worker,
                execution: ExecutionId(execution),
                token: FencingToken(token),
            }),
            attempt.prop_map(|(worker, execution, token)| Message::Stop {
                worker,
                execution: ExecutionId(execution),
                token: FencingToken(token),
            }),
            any::<String>().prop_map(|key| Message::Admit(key.into())),
            any::<u64>().prop_map(|id| Message::Advance(ExecutionId(id))),
            (any::<u64>(), proptest::sample::select(statuses))
                .prop_map(|(id, status)| { Message::Ended { execution: ExecutionId(id), status } }),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(id: String, at: u64, message in messages()) {
            let envelope = Envelope::new(id, Timestamp::from_micros(at), message);
            let read = Envelope::decode(Some(CONTENT_TYPE), &envelope.encode());
            prop_assert_eq!(read.expect("it is read"), envelope);
        }

        #[test]
        fn nothing_makes_the_reader_panic(body: Vec<u8>, cut in 0usize..80) {
            let whole = Envelope::new(String::new(), Timestamp::ZERO, Message::Advance(ExecutionId(1)));
            let encoded = whole.encode();
            let part = &encoded[..cut.min(encoded.len() - 1)];
            prop_assert!(Envelope::decode(None, part).is_err());
            let _either = Envelope::decode(None, &body);
        }
    }
}
