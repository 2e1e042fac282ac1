//! Telling the outside world by HTTP.
//!
//! A try is one POST, bounded in time. Redirects are not followed, no proxy is asked, and the
//! answer's body is not read. Secret parameters stay out of the error. Addresses that belong to no public network are refused where they
//! are resolved and connected to, so that a name which resolves to one of them now and to another
//! later makes no difference.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use sha2::Sha256;
use steadfast_core::Span;
use steadfast_core::effect::{Effect, EffectKind, Verdict};
use tracing::warn;

use crate::effects::{EffectOptions, address_problem, is_public};

/// Tells receivers by HTTP.
#[derive(Clone)]
pub(crate) struct HttpCourier(Arc<Inner>);

struct Inner {
    client: Result<Client, String>,
    options: EffectOptions,
}

impl HttpCourier {
    /// A courier as it is configured. That nothing can be sent is said with each try.
    pub(crate) fn new(options: EffectOptions) -> Self {
        let client = client(&options).map_err(|error| {
            warn!(%error, "effects cannot be delivered by this process");
            format!("this process cannot send anything: {error}")
        });
        Self(Arc::new(Inner { client, options }))
    }

    /// One try. `error` is what is told of why the execution did not succeed.
    pub(crate) async fn deliver(&self, effect: &Effect, error: Option<String>) -> Verdict {
        match effect.key.kind {
            EffectKind::Webhook => self.post(effect, error).await,
            kind => failed(format!("this version delivers no {kind}"), true),
        }
    }

    /// How long one try takes at the most.
    pub(crate) fn patience(&self) -> Span {
        // The client ends a try at its timeout; what is around it takes next to nothing.
        self.0.options.timeout.into()
    }

    async fn post(&self, effect: &Effect, error: Option<String>) -> Verdict {
        let Inner { client, options } = &*self.0;
        let client = match client {
            Ok(client) => client,
            Err(error) => return failed(error.clone(), false),
        };
        let target = effect.key.target.as_str();
        if let Some(problem) = address_problem(target, options.allow_private_addresses) {
            return failed(problem, true);
        }
        let Ok(url) = Url::parse(target) else { return failed("not an address".into(), true) };
        let body = match serde_json::to_vec(&Told::of(effect, error)) {
            Ok(body) => body,
            Err(error) => return failed(error.to_string(), true),
        };
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", effect.key.idempotency_key())
            .header("Steadfast-Attempt", effect.sends.to_string());
        if let Some(secret) = &options.signing_secret {
            request = request.header("Steadfast-Signature", signature(secret, now(), &body));
        }
        match request.body(body).send().await {
            Ok(answer) => judge(&answer),
            Err(error) => failed(sentence(&error), is_refused(&error)),
        }
    }
}

/// What a receiver is told: neither parameters nor results.
#[derive(Serialize)]
struct Told<'a> {
    execution_id: u64,
    action_ref: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    attempts: u32,
    ended_at: String,
}

impl<'a> Told<'a> {
    fn of(effect: &'a Effect, error: Option<String>) -> Self {
        let notice = &effect.notice;
        Self {
            execution_id: effect.key.execution.0,
            action_ref: notice.action.as_str(),
            status: notice.status.as_str(),
            error,
            attempts: notice.attempt.0,
            ended_at: crate::api::rfc3339(notice.ended_at),
        }
    }
}

fn failed(error: String, lasting: bool) -> Verdict {
    Verdict::Failed { error, lasting, after: None }
}

/// What an answer means. Its body is dropped with it, unread.
fn judge(answer: &Response) -> Verdict {
    let status = answer.status();
    if status.is_success() {
        return Verdict::Delivered;
    }
    if status.is_redirection() {
        return failed(format!("answered {status}: redirects are not followed"), true);
    }
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    let lasting = status.is_client_error() && !again.contains(&status);
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked.and_then(|text| retry_after(text, now()));
    Verdict::Failed { error: format!("answered {status}"), lasting, after }
}

/// Seconds, or a date as HTTP writes it.
fn retry_after(text: &str, now: Duration) -> Option<Span> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Span::from_secs(seconds.min(u64::from(u32::MAX))));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    let at = Duration::from_secs(u64::try_from(date.timestamp()).ok()?);
    Some(at.saturating_sub(now).into())
}

/// When it was signed and the HMAC-SHA256 of `TIME.BODY`, so that what is recorded cannot be sent
/// again for ever.
fn signature(secret: &str, now: Duration, body: &[u8]) -> String {
    let seconds = now.as_secs();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key may have any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let code = mac.finalize().into_bytes();
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

fn now() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "receivers go by the calendar")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What went wrong, without the address: it may hold a secret.
fn sentence(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return String::from("no answer in time");
    }
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        // The innermost says what happened.
        text = source.to_string();
        next = source.source();
    }
    if text.is_empty() { String::from("the request could not be sent") } else { text }
}

fn is_refused(error: &reqwest::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if source.is::<Private>() {
            return true;
        }
        next = source.source();
    }
    false
}

fn client(options: &EffectOptions) -> Result<Client, String> {
    let resolver = Arc::new(Resolver { private: options.allow_private_addresses });
    Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("steadfast/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.timeout)
        .timeout(options.timeout)
        .pool_max_idle_per_host(2)
        .pool_idle_timeout(Duration::from_secs(30))
        .dns_resolver(resolver)
        .build()
        .map_err(|error| error.to_string())
}

/// The certificates that this system trusts.
fn tls() -> Result<rustls::ClientConfig, String> {
    static WARNED: Once = Once::new();
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        WARNED.call_once(|| warn!("this system trusts no certificates: https is not delivered to"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Resolves names by the system, and hands out only what may be connected to. The client connects
/// to what this answered and asks nobody else.
struct Resolver {
    private: bool,
}

/// A name that leads to no public address.
#[derive(Debug, thiserror::Error)]
#[error(
    "its name leads to {0}, which is no public address; `effects.allow_private_addresses` allows it"
)]
struct Private(IpAddr);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One that is not public makes the name suspicious as a whole.
            if let Some(hidden) = found.iter().find(|found| !private && !is_public(found.ip())) {
                return Err(Private(hidden.ip()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_say_how_long_they_want_to_be_left_alone() {
        let now = Duration::from_secs(1_445_412_470);
        assert_eq!(retry_after(" 120 ", now), Some(Span::from_secs(120)));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(retry_after(date, now), Some(Span::from_secs(10)));
        assert_eq!(retry_after(date, Duration::from_secs(2_000_000_000)), Some(Span::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert!(retry_after("99999999999999999999", now).is_none());
        assert!(retry_after("18446744073709551615", now) < Some(Span::from_secs(1 << 33)));
    }

    #[test]
    fn a_signature_is_that_of_the_time_and_the_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        let signed = signature("secret", Duration::from_secs(1_700_000_000), b"{}");
        let (time, code) = signed.split_once(",v1=").expect("both parts");
        let known = "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
        assert_eq!((time, code), ("t=1700000000", known));
        assert_ne!(signature("other", Duration::from_secs(1_700_000_000), b"{}"), signed);
        assert_ne!(signature("secret", Duration::from_secs(1_700_000_001), b"{}"), signed);
        assert_ne!(signature("secret", Duration::from_secs(1_700_000_000), b"[]"), signed);
    }
}
