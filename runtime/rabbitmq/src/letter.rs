//! A message on its way to the broker, whatever it says.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use steadfast_core::Timestamp;
use steadfast_core::decision::Message;

use crate::envelope::{self, CONTENT_TYPE};
use crate::parked::origin;
use crate::topology::{DELAY_HEADER, Names, fits, key_of};

/// The header of a message that somebody may have had before, although the broker calls it new.
pub(crate) const AGAIN_HEADER: &str = "steadfast-again";

/// What says why a message was put aside.
pub(crate) const REASON_HEADER: &str = "steadfast-reason";
/// The exchange that it came from.
pub(crate) const EXCHANGE_HEADER: &str = "steadfast-exchange";
/// Its routing key there.
pub(crate) const KEY_HEADER: &str = "steadfast-routing-key";
/// The headers that it had.
const HEADERS_HEADER: &str = "steadfast-headers";

/// That it had more headers than can be kept.
const HEADERS_LEFT_OUT_HEADER: &str = "steadfast-headers-left-out";

/// All headers of a message have to fit into one frame of 128 KiB. A publish that breaks this costs
/// the connection, and the message would come back to break the next one.
const REASON_MAX: usize = 2_000;
const HEADERS_MAX: usize = 64 * 1024;

/// A message for one exchange.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) exchange: String,
    pub(crate) key: String,
    /// Whether the broker shall say so when no queue takes it.
    pub(crate) mandatory: bool,
    /// Unique within what is sent together.
    pub(crate) id: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
    /// How many hints it carries.
    pub(crate) carries: usize,
}

/// A message as it was delivered.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// By which the broker knows the delivery, on its channel.
    pub(crate) tag: u64,
    pub(crate) exchange: String,
    pub(crate) key: String,
    pub(crate) redelivered: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

impl From<lapin::message::Delivery> for Raw {
    fn from(delivery: lapin::message::Delivery) -> Self {
        let again = delivery.properties.headers().as_ref().is_some_and(|headers| {
            headers.inner().get(AGAIN_HEADER) == Some(&AMQPValue::Boolean(true))
        });
        Self {
            tag: delivery.delivery_tag,
            exchange: delivery.exchange.into(),
            key: delivery.routing_key.into(),
            redelivered: delivery.redelivered || again,
            properties: delivery.properties,
            body: delivery.data,
        }
    }
}

impl Raw {
    /// One of the hints that it carries, as a message of its own that is settled with the others.
    pub(crate) fn only(&self, id: &str, at: Timestamp, message: Message) -> Self {
        let body = envelope::encode(id, at, vec![message]);
        let properties = self.properties.clone().with_message_id(id.into());
        Self { properties, body, ..self.clone() }
    }
}

impl Letter {
    /// Hints that have the same key, all of them from one commit; `None` if their address is longer
    /// than the protocol can carry.
    pub(crate) fn hints(
        names: &Names,
        id: &str,
        at: Timestamp,
        messages: Vec<Message>,
    ) -> Option<Self> {
        let first = messages.first()?;
        let key = key_of(first);
        if !fits(&key) {
            return None;
        }
        // A broadcast is for those who listen now: no news if nobody does, and no need to keep it.
        let broadcast = is_broadcast(first);
        let kind = envelope::kind(first);
        let alike = messages.iter().all(|message| envelope::kind(message) == kind);
        let properties = BasicProperties::default()
            .with_content_type(CONTENT_TYPE.into())
            .with_type(if alike { kind } else { "several" }.into())
            .with_message_id(id.into())
            .with_timestamp(at.as_micros() / 1_000_000)
            .with_delivery_mode(if broadcast { 1 } else { 2 })
            .with_app_id("steadfast".into());
        let exchange = names.name("hints");
        let carries = messages.len();
        let body = envelope::encode(id, at, messages);
        let id = id.into();
        Some(Self { exchange, key, mandatory: !broadcast, id, properties, body, carries })
    }

    /// The same message, to come back to `queue` after `millis`.
    pub(crate) fn later(names: &Names, raw: &Raw, queue: &str, millis: u64, id: String) -> Self {
        let mut headers = FieldTable::default();
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        headers.insert(DELAY_HEADER.into(), AMQPValue::LongLongInt(millis));
        headers.insert(AGAIN_HEADER.into(), AMQPValue::Boolean(true));
        Self::again(names.name("delay"), queue.to_owned(), raw, headers, id)
    }

    /// The same message, put aside for `reason`.
    pub(crate) fn parked(names: &Names, raw: &Raw, reason: &str, id: String) -> Self {
        let text = |text: &str| AMQPValue::LongString(text.into());
        let mut headers = FieldTable::default();
        let reason: String = reason.chars().take(REASON_MAX).collect();
        headers.insert(REASON_HEADER.into(), text(&reason));
        headers.insert(EXCHANGE_HEADER.into(), text(&raw.exchange));
        headers.insert(KEY_HEADER.into(), text(&raw.key));
        match raw.properties.headers() {
            Some(had) if is_short(had) => {
                headers.insert(HEADERS_HEADER.into(), AMQPValue::FieldTable(had.clone()));
            }
            Some(_) => {
                headers.insert(HEADERS_LEFT_OUT_HEADER.into(), AMQPValue::Boolean(true));
            }
            None => {}
        }
        // The default exchange knows each queue by its name.
        Self::again(String::new(), names.name("parked"), raw, headers, id)
    }

    /// A message that was put aside, as it was before, to where it came from.
    pub(crate) fn replayed(parked: &lapin::message::Delivery, id: String) -> Self {
        let (exchange, key) = origin(parked);
        let kept = parked.properties.headers().as_ref();
        let mut headers = FieldTable::default();
        if let Some(AMQPValue::FieldTable(had)) =
            kept.and_then(|kept| kept.inner().get(HEADERS_HEADER))
        {
            // What the broker put on says what happened to it before, and would count on.
            let theirs = had.inner().iter().filter(|(name, _)| !name.as_str().starts_with("x-"));
            for (name, value) in theirs {
                headers.insert(name.clone(), value.clone());
            }
        }
        let raw = Raw {
            tag: parked.delivery_tag,
            exchange: exchange.clone(),
            key: key.clone(),
            redelivered: true,
            properties: parked.properties.clone(),
            body: parked.data.clone(),
        };
        Self::again(exchange, key, &raw, headers, id)
    }

    /// Without the headers that the broker has put on: by them it would take a second delay for a
    /// message that goes in circles, and drop it.
    fn again(exchange: String, key: String, raw: &Raw, headers: FieldTable, id: String) -> Self {
        let had = &raw.properties;
        let id = had.message_id().clone().unwrap_or_else(|| id.into());
        // Not its expiration, which concerned its former queue, nor its user, whom the broker
        // would compare with ours.
        let mut properties = BasicProperties::default()
            .with_headers(headers)
            .with_message_id(id.clone())
            .with_delivery_mode(2);
        if let Some(it) = had.content_type() {
            properties = properties.with_content_type(it.clone());
        }
        if let Some(it) = had.content_encoding() {
            properties = properties.with_content_encoding(it.clone());
        }
        if let Some(it) = had.kind() {
            properties = properties.with_type(it.clone());
        }
        if let Some(it) = had.correlation_id() {
            properties = properties.with_correlation_id(it.clone());
        }
        if let Some(it) = had.app_id() {
            properties = properties.with_app_id(it.clone());
        }
        if let Some(it) = had.timestamp() {
            properties = properties.with_timestamp(*it);
        }
        Self { exchange, key, mandatory: true, id, properties, body: raw.body.clone(), carries: 1 }
    }
}

/// Whether headers may be kept with more of them. As JSON they are longer than on the wire.
fn is_short(headers: &FieldTable) -> bool {
    serde_json::to_vec(headers).is_ok_and(|json| json.len() <= HEADERS_MAX)
}

const fn is_broadcast(message: &Message) -> bool {
    match message {
        Message::Ready { transport, .. } => !transport.pushes(),
        Message::Ended { .. } => true,
        _ => false,
    }
}

/// Whether a message is for one of several receivers.
pub(crate) const fn is_shared(message: &Message) -> bool {
    match message {
        Message::Ready { transport, .. } => transport.pushes(),
        Message::Admit(_) | Message::Advance(_) => true,
        Message::Offer { .. } | Message::Stop { .. } | Message::Ended { .. } => false,
    }
}
