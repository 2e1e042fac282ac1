//! What has to be known to use a broker.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};

use crate::problem::Problem;

/// Where the broker is and how it is used.
#[derive(Clone)]
pub struct Options {
    /// `amqp://user:password@host:port/vhost`. It holds a password, so it is never printed.
    pub url: String,
    /// What the names of all exchanges and queues begin with.
    pub namespace: String,
    /// How many unsettled messages a subscription may have at the most.
    pub prefetch: u16,
    /// How long a publish waits for its confirms.
    pub confirm_timeout: Duration,
    /// How long it may take to connect, or to begin to consume.
    pub connect_timeout: Duration,
    /// The first pause between two tries to connect; each further one is twice as long.
    pub reconnect_min: Duration,
    /// The longest pause between two tries to connect.
    pub reconnect_max: Duration,
    /// How long a message waits for its worker, in whole milliseconds, before it is a dead letter.
    pub worker_queue_ttl: Duration,
    /// Where dead letters go; `None` lets the broker drop them.
    pub dead_letter_exchange: Option<String>,
    /// How long a dead letter is kept, in whole milliseconds.
    pub dead_letter_ttl: Duration,
}

/// The longest time that the broker's arguments can express, in milliseconds.
const LONGEST_MS: u128 = u32::MAX as u128;

impl Options {
    /// The defaults, for the broker at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: String::from("steadfast"),
            prefetch: 512,
            confirm_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            reconnect_min: Duration::from_millis(200),
            reconnect_max: Duration::from_secs(10),
            worker_queue_ttl: Duration::from_millis(300_000),
            dead_letter_exchange: Some(String::from("steadfast.dlx")),
            dead_letter_ttl: Duration::from_millis(86_400_000),
        }
    }

    /// Names everything on the broker so that nobody else uses it: queues, exchanges, dead letters.
    pub fn keep_to(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.namespace);
        self.dead_letter_exchange = Some(format!("{namespace}.dlx"));
    }

    /// Checks all of it, and reads the address.
    pub(crate) fn check(&self) -> Result<AMQPUri, Problem> {
        let odd = |text: String| Err(Problem::Options(text));
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.namespace.is_empty()
            || self.namespace.len() > 64
            || !self.namespace.chars().all(fits)
        {
            return odd(format!(
                "the namespace {:?} must have 1 to 64 letters, digits, dots, dashes or underscores",
                self.namespace
            ));
        }
        if self.prefetch == 0 {
            return odd(String::from(
                "prefetch is 0, which means no bound at all; set it to 1 or more",
            ));
        }
        // A worker's queue is kept for twice as long as its messages.
        for (name, span, times) in [
            ("worker_queue_ttl_ms", self.worker_queue_ttl, 2),
            ("dead_letter.ttl_ms", self.dead_letter_ttl, 1),
        ] {
            let millis = span.as_millis();
            if millis == 0 || millis * times > LONGEST_MS {
                let most = LONGEST_MS / times;
                return odd(format!("{name} is {millis}; it must be from 1 to {most}"));
            }
        }
        if self.dead_letter_exchange.as_deref().is_some_and(|x| x.is_empty() || x.len() > 127) {
            return odd(String::from("dead_letter.exchange must have a name of 1 to 127 bytes"));
        }
        self.address()
    }

    fn address(&self) -> Result<AMQPUri, Problem> {
        // Not with what the parser says: it may quote the password.
        let mut uri = AMQPUri::from_str(&self.url).map_err(|_| {
            let form = "amqp://user:password@host:port/vhost";
            Problem::Options(format!("the address of the broker is not of the form {form}"))
        })?;
        if uri.scheme == AMQPScheme::AMQPS {
            let text =
                "amqps:// needs TLS, which is not built in; use amqp:// over a private network";
            return Err(Problem::Options(String::from(text)));
        }
        let millis = u64::try_from(self.connect_timeout.as_millis()).unwrap_or(u64::MAX);
        uri.query.connection_timeout.get_or_insert(millis);
        uri.query.heartbeat.get_or_insert(10);
        Ok(uri)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("namespace", &self.namespace)
            .field("prefetch", &self.prefetch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::new("amqp://u:secret@localhost:5672/%2f");
        change(&mut options);
        options.check().expect_err("it is not accepted").to_string()
    }

    #[test]
    fn what_is_odd_is_named_and_the_password_never_is() {
        let cases = [
            (complaint(|o| o.namespace = String::from("a b")), "namespace"),
            (complaint(|o| o.prefetch = 0), "prefetch"),
            (complaint(|o| o.worker_queue_ttl = Duration::from_micros(9)), "worker_queue_ttl_ms"),
            (complaint(|o| o.dead_letter_ttl = Duration::MAX), "dead_letter.ttl_ms"),
            (complaint(|o| o.dead_letter_exchange = Some(String::new())), "dead_letter.exchange"),
            (complaint(|o| o.url = String::from("amqps://u:secret@localhost/%2f")), "TLS"),
            (complaint(|o| o.url = String::from("http://u:secret@localhost")), "amqp://"),
        ];
        for (complaint, word) in cases {
            assert!(complaint.contains(word) && !complaint.contains("secret"), "{complaint}");
        }
        assert!(!format!("{:?}", Options::new("amqp://u:secret@h")).contains("secret"));
    }

    #[test]
    fn the_defaults_are_accepted_and_beat() {
        let uri =
            Options::new("amqp://guest:guest@localhost:5672/%2f").check().expect("it is fine");
        assert_eq!((uri.vhost.as_str(), uri.query.heartbeat), ("/", Some(10)));
    }
}
