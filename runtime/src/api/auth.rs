//! Who may do what: bearer tokens with roles, and what holds while there are none.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ApiState;
use super::problem::{Problem, ProblemKind};

/// What a token allows; each role may do everything that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Submits, cancels and retries work, and moves queues and workers.
    Operator,
    /// Does what cannot be taken back.
    Admin,
}

/// A token as the configuration has it: what is presented is never stored, only its hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawToken")]
pub struct Token {
    name: String,
    role: Role,
    sha256: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    name: String,
    role: Role,
    sha256: String,
}

/// The hash of a token is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sha256 of token `{name}` must be 64 hexadecimal digits; \
     make it with: printf %s TOKEN | sha256sum"
)]
pub struct BadTokenHash {
    /// The token's name.
    pub name: String,
}

impl TryFrom<RawToken> for Token {
    type Error = BadTokenHash;

    fn try_from(raw: RawToken) -> Result<Self, BadTokenHash> {
        Self::new(raw.name, raw.role, &raw.sha256)
    }
}

impl Token {
    /// A token whose SHA-256 is `sha256`, in hexadecimal digits.
    ///
    /// # Errors
    /// If it is not such a hash.
    pub fn new(name: impl Into<String>, role: Role, sha256: &str) -> Result<Self, BadTokenHash> {
        let name = name.into();
        match decode(sha256) {
            Some(sha256) => Ok(Self { name, role, sha256 }),
            None => Err(BadTokenHash { name }),
        }
    }

    /// Its name, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn decode(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.trim().as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

/// Anybody who reaches the port could do anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "api.listen is {address}, which other machines can reach, but api.tokens is empty: \
     configure a token, or listen on 127.0.0.1"
)]
pub struct OpenToAll {
    /// Where it would have listened.
    pub address: SocketAddr,
}

/// Whether the API may listen on `address`: without tokens, on the loopback interface only.
///
/// # Errors
/// If it may not.
pub fn check_listen(address: SocketAddr, tokens: &[Token]) -> Result<(), OpenToAll> {
    if tokens.is_empty() && !is_loopback(address.ip()) {
        return Err(OpenToAll { address });
    }
    Ok(())
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The role that a request needs; `None` if everybody may send it. Decided from the method and the
/// path alone, so that a route that is added later is closed unless it is listed here.
fn needed(method: &Method, path: &str) -> Option<Role> {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    match path {
        "/health/live" | "/health/ready" | "/health/worker" | "/openapi.json" => None,
        _ if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) => Some(Role::Viewer),
        // What is given up does not come back.
        _ if path.starts_with("/parked/") && path.ends_with("/discard") => Some(Role::Admin),
        _ => Some(Role::Operator),
    }
}

/// Lets a request through if its token's role suffices.
pub(crate) async fn authorize(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let tokens = &state.options().tokens;
    let verdict = if tokens.is_empty() {
        check_local(request.headers(), request.uri())
    } else {
        check_token(tokens, &request)
    };
    match verdict {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check_token(tokens: &[Token], request: &Request) -> Result<(), Problem> {
    let Some(needed) = needed(request.method(), request.uri().path()) else { return Ok(()) };
    let unauthorized = |detail| Err(Problem::new(ProblemKind::Unauthorized, detail));
    let Some(presented) = bearer(request.headers()) else {
        return unauthorized("send the header `Authorization: Bearer TOKEN`");
    };
    let Some(token) = find(tokens, presented) else {
        return unauthorized("this token is not known");
    };
    if token.role < needed {
        let (have, need) = (word(token.role), word(needed));
        let detail = format!("token `{}` has the role {have}; this needs {need}", token.name);
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    Ok(())
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    // Of two headers nobody knows which one counts.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares with every token, whichever matches, so that the time taken tells nothing.
fn find<'a>(tokens: &'a [Token], presented: &str) -> Option<&'a Token> {
    let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
    let mut found = None;
    for token in tokens {
        if bool::from(token.sha256.ct_eq(&hash)) {
            found = Some(token);
        }
    }
    found
}

/// Without tokens the loopback interface is all that protects the engine, and a web page that the
/// user has open can reach it too: by a name that it lets point here, or by a form that it sends.
fn check_local(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let foreign = |what: &str, value: &str| {
        let detail = format!(
            "no tokens are configured, so requests must come from this machine, but {what} is \
             `{value}`; configure api.tokens"
        );
        Err(Problem::new(ProblemKind::ForeignOrigin, detail))
    };
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    if let Some(host) = host.or_else(|| uri.authority().map(|authority| authority.as_str()))
        && !names_loopback(host)
    {
        return foreign("the host", host);
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        if !origin.split_once("://").is_some_and(|(_, host)| names_loopback(host)) {
            return foreign("the origin", origin);
        }
    }
    Ok(())
}

/// Whether `host`, with or without a port, can only be this machine.
fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        _ if host.parse::<IpAddr>().is_ok() => host,
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn without_tokens_only_loopback_is_listened_on() {
        let token = Token::new("t", Role::Viewer, HASH).unwrap();
        for (address, alone, guarded) in [
            ("127.0.0.1:80", true, true),
            ("127.9.9.9:80", true, true),
            ("[::1]:80", true, true),
            ("[::ffff:127.0.0.1]:80", true, true),
            ("0.0.0.0:80", false, true),
            ("[::]:80", false, true),
            ("192.168.1.7:80", false, true),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(check_listen(address, &[]).is_ok(), alone, "{address}");
            assert_eq!(
                check_listen(address, std::slice::from_ref(&token)).is_ok(),
                guarded,
                "{address}"
            );
        }
    }

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let tokens = [
            Token::new("other", Role::Admin, &"0".repeat(64)).unwrap(),
            Token::new("mine", Role::Viewer, &HASH.to_uppercase()).unwrap(),
        ];
        assert_eq!(find(&tokens, "secret").map(Token::name), Some("mine"));
        assert_eq!(find(&tokens, "Secret"), None);
        assert_eq!(find(&tokens, HASH), None);
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert!(Token::new("bad", Role::Viewer, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_that_are_this_machine() {
        for (host, local) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("::1", true),
            ("localhost.evil.example", false),
            ("evil.example:8080", false),
            ("192.168.1.7", false),
            ("", false),
            ("null", false),
        ] {
            assert_eq!(names_loopback(host), local, "{host}");
        }
    }

    #[test]
    fn what_is_not_listed_needs_a_role() {
        let rows = [
            (Method::GET, "/health/live", None),
            (Method::GET, "/api/v1/health/ready", None),
            (Method::GET, "/health/detailed", Some(Role::Viewer)),
            (Method::GET, "/metrics", Some(Role::Viewer)),
            (Method::HEAD, "/api/v1/executions", Some(Role::Viewer)),
            (Method::POST, "/api/v1/executions", Some(Role::Operator)),
            (Method::DELETE, "/anything", Some(Role::Operator)),
            (Method::POST, "/api/v1/parked/7/replay", Some(Role::Operator)),
            (Method::POST, "/api/v1/parked/7/discard", Some(Role::Admin)),
            (Method::GET, "/anything", Some(Role::Viewer)),
        ];
        for (method, path, role) in rows {
            assert_eq!(needed(&method, path), role, "{method} {path}");
        }
    }
}
