//! Requests to the API.

use std::io::{Read, Write};
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::cli::failure::Failure;
use crate::config::Config;

/// Where every address of the API begins.
const PREFIX: &str = "/api/v1";
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the API may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is taken, logs apart.
const ANSWER_MAX: u64 = 64 << 20;

/// The API of a running engine.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

impl Client {
    /// The API that the configuration names.
    ///
    /// # Errors
    /// If the address is none.
    pub(crate) fn new(config: &Config) -> Result<Self, Failure> {
        let listen = format!("http://{}", config.api.listen);
        let url = config.api.url.as_deref().unwrap_or(&listen);
        if !url.starts_with("http://") {
            return Err(Failure::usage(format!(
                "the API's address must begin with http://, not be `{url}`; set it with --api-url \
                 or STEADFAST_API_URL"
            )));
        }
        let base = url.trim_end_matches('/').trim_end_matches(PREFIX).to_owned();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .build()
            .new_agent();
        Ok(Self { agent, base, token: config.api.token.clone() })
    }

    /// Where the API is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Reads.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.get(self.url(path));
        self.json(self.authorized(request).call())
    }

    /// Asks for something to be done.
    pub(crate) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.authorized(self.agent.post(self.url(path)));
        self.json(match body {
            Some(body) => request.send_json(body),
            None => request.send_empty(),
        })
    }

    /// Sets something.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.authorized(self.agent.put(self.url(path))).send_json(body))
    }

    /// Removes something.
    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.delete(self.url(path));
        self.json(self.authorized(request).call())
    }

    /// Copies an answer to standard output as it comes, below `heading` if there is any.
    pub(crate) fn copy(&self, path: &str, heading: Option<&str>) -> Result<(), Failure> {
        let request = self.agent.get(self.url(path));
        let answer = self.accepted(self.authorized(request).call())?;
        let mut body = answer.into_body().into_reader();
        let mut stdout = std::io::stdout().lock();
        let mut piece = vec![0; 64 * 1024];
        let mut heading = heading;
        loop {
            let read = body.read(&mut piece).map_err(|error| {
                Failure::unreachable(format!("the API at {} broke off: {error}", self.base))
            })?;
            if read == 0 {
                break;
            }
            let heading = heading.take().unwrap_or_default();
            let mut write = || {
                stdout.write_all(heading.as_bytes())?;
                stdout.write_all(&piece[..read])
            };
            match write() {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(|error| Failure::cannot_write(&error))?,
            }
        }
        stdout.flush().map_err(|error| Failure::cannot_write(&error))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{PREFIX}/{path}", self.base)
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn json(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, Failure> {
        let mut answer = self.accepted(answer)?;
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        let text = text.map_err(|error| self.trouble(&error))?;
        serde_json::from_slice(&text).map_err(|error| {
            Failure::unreachable(format!(
                "what answers at {} is no steadfast API ({error}); check --api-url",
                self.base
            ))
        })
    }

    /// The answer, if it is a good one.
    fn accepted(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, Failure> {
        let mut answer = answer.map_err(|error| self.trouble(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        let problem: Value = serde_json::from_slice(&text.unwrap_or_default()).unwrap_or_default();
        let says = problem.get("detail").or_else(|| problem.get("title")).and_then(Value::as_str);
        let says = says.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given"));
        Err(match status.as_u16() {
            401 => Failure::usage(format!("{says}; set STEADFAST_API_TOKEN to a valid token")),
            400..=499 => Failure::usage(says.to_owned()),
            code => {
                Failure::unreachable(format!("the API at {} failed ({code}): {says}", self.base))
            }
        })
    }

    fn trouble(&self, error: &ureq::Error) -> Failure {
        let base = &self.base;
        if matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_)) {
            return Failure::usage(format!("`{base}` is no address of an API: {error}"));
        }
        Failure::unreachable(format!(
            "the API at {base} cannot be reached ({error}); start `steadfast dev`, or say where it \
             is with --api-url or STEADFAST_API_URL"
        ))
    }
}

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    encode(name)
}

/// A path with a query.
pub(crate) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    format!("{path}?{}", pairs.join("&"))
}

/// Percent-encodes everything but what never needs it.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_an_address() {
        assert_eq!(segment("core.echo"), "core.echo");
        assert_eq!(segment("a/b?c d\u{e9}"), "a%2Fb%3Fc%20d%C3%A9");
        assert_eq!(with_query("x", &[("a", "b&c".into()), ("d", "1".into())]), "x?a=b%26c&d=1");
    }
}
