//! Telling the outside world of ends: who is told, and which addresses may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use reqwest::Url;
use steadfast_core::ActionRef;
use steadfast_core::effect::{EffectKind, Target, Trigger, Wish};

/// How the outside world is told.
#[derive(Clone)]
pub struct EffectOptions {
    /// Who is told of every execution that a client submits, or of some.
    pub webhooks: Vec<Webhook>,
    /// With what deliveries are signed, if they are.
    pub signing_secret: Option<String>,
    /// Whether addresses that belong to no public network may be told.
    pub allow_private_addresses: bool,
    /// How long one try may take.
    pub timeout: Duration,
}

impl Default for EffectOptions {
    fn default() -> Self {
        Self {
            webhooks: Vec::new(),
            signing_secret: None,
            allow_private_addresses: false,
            timeout: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for EffectOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses and the secret are nobody's business.
        let webhooks = self.webhooks.len();
        f.debug_struct("EffectOptions").field("webhooks", &webhooks).finish_non_exhaustive()
    }
}

/// Somebody who is told of executions by configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// Of which ends.
    pub on: Trigger,
    /// Of which actions: names, or beginnings that end in `*`; none = of all.
    pub actions: Vec<String>,
}

impl Webhook {
    fn is_about(&self, action: &ActionRef) -> bool {
        let action = action.as_str();
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => action.starts_with(beginning),
            None => action == pattern,
        };
        self.actions.is_empty() || self.actions.iter().any(fits)
    }
}

/// The longest address.
pub const LONGEST_URL: usize = 2_000;

/// How many effects one submission may ask for.
pub const MOST_EFFECTS: usize = 16;

/// An effect that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("effects[{index}].{field}: {message}")]
pub struct EffectProblem {
    /// Which of the submission's, from 0.
    pub index: usize,
    /// What of it: `kind` or `target`.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

impl EffectOptions {
    /// Checks what a submission asks for, and adds what is configured for its action.
    ///
    /// # Errors
    /// With the first effect that could not be delivered.
    pub(crate) fn wishes(
        &self,
        action: &ActionRef,
        asked: Vec<Wish>,
    ) -> Result<Vec<Wish>, EffectProblem> {
        if asked.len() > MOST_EFFECTS {
            let message = format!("a submission may ask for {MOST_EFFECTS} effects at the most");
            return Err(EffectProblem { index: MOST_EFFECTS, field: "target", message });
        }
        for (index, wish) in asked.iter().enumerate() {
            let problem = |field, message| EffectProblem { index, field, message };
            if wish.kind != EffectKind::Webhook {
                let message = format!("`{}` is not delivered; `webhook` is", wish.kind);
                return Err(problem("kind", message));
            }
            let url = wish.target.as_str();
            if let Some(message) = address_problem(url, self.allow_private_addresses) {
                return Err(problem("target", message));
            }
        }
        let mut wishes = asked;
        for wish in self.configured(action) {
            if !wishes.contains(&wish) {
                wishes.push(wish);
            }
        }
        Ok(wishes)
    }

    /// What a submission itself had asked for, so that it can be asked for again.
    pub(crate) fn without_configured(&self, action: &ActionRef, wishes: Vec<Wish>) -> Vec<Wish> {
        let configured: Vec<Wish> = self.configured(action).collect();
        wishes.into_iter().filter(|wish| !configured.contains(wish)).collect()
    }

    fn configured(&self, action: &ActionRef) -> impl Iterator<Item = Wish> {
        let concerned = self.webhooks.iter().filter(|webhook| webhook.is_about(action));
        concerned.map(|webhook| Wish {
            trigger: webhook.on,
            kind: EffectKind::Webhook,
            target: Target::new(&webhook.url),
        })
    }
}

/// Why nothing can be delivered to this address; `None` if it can be tried. A name is looked up
/// when it is connected to.
#[must_use]
pub fn address_problem(url: &str, allow_private: bool) -> Option<String> {
    let is_private = |address: IpAddr| !allow_private && !is_public(address);
    if url.len() > LONGEST_URL {
        return Some(format!("is longer than {LONGEST_URL} bytes"));
    }
    let parsed = match Url::parse(url) {
        Ok(parsed) => parsed,
        Err(error) => return Some(format!("is not an address: {error}")),
    };
    if !matches!(parsed.scheme(), "http" | "https") {
        return Some(format!("must begin with https:// or http://, not {}:", parsed.scheme()));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Some(String::from("must not hold a user or a password"));
    }
    let literal = match parsed.host() {
        None => return Some(String::from("names no host")),
        Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(url::Host::Domain(_)) => None,
    };
    literal.filter(|address| is_private(*address)).map(|address| {
        format!("{address} is no public address; `effects.allow_private_addresses` allows it")
    })
}

/// As much of an address as may be shown: whose it is.
#[must_use]
pub fn shown_address(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else { return String::from("...") };
    let rest = parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some();
    let origin = parsed.origin().ascii_serialization();
    format!("{origin}/{}", if rest { "..." } else { "" })
}

/// Whether an address can be somebody's on the internet. An IPv6 address that stands for an IPv4
/// address is what that is.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast();
    let reserved = match (a, b, c) {
        // This network; carriers' own; protocol assignments; measurements; what is left over.
        (0, ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _) | (240..=255, ..) => true,
        // Relays from IPv6, which lead anywhere.
        (192, 88, 99) => true,
        _ => false,
    };
    !special && !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let last = || {
        let [g1, g2] = g.to_be_bytes();
        let [h1, h2] = h.to_be_bytes();
        is_public_v4(Ipv4Addr::new(g1, g2, h1, h2))
    };
    match (a, b, c, d, e, f) {
        // An IPv4 address, mapped or translated.
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => last(),
        // Only what is global unicast can be public, but for documentation and for tunnels.
        (0x2001, 0xdb8, ..) | (0x2001, 0, ..) | (0x2002, ..) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let public =
            ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"];
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ];
        for text in public {
            assert!(is_public(text.parse().expect("an address")), "{text}");
        }
        for text in private {
            assert!(!is_public(text.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_told_are_refused() {
        let problem = |url: &str| address_problem(url, false).unwrap_or_default();
        for fine in ["https://hooks.example/a?b=c", "http://1.1.1.1:8080/", "https://localhost/x"] {
            assert_eq!(problem(fine), "", "{fine}");
        }
        for (url, word) in [
            ("", "not an address"),
            ("hooks.example/x", "not an address"),
            ("ftp://hooks.example/", "must begin with https://"),
            ("file:///etc/passwd", "must begin with https://"),
            ("https://user:secret@hooks.example/", "password"),
            ("http://127.0.0.1/", "no public address"),
            ("http://2130706433/", "no public address"),
            ("http://0x7f.1/", "no public address"),
            ("http://[::1]/", "no public address"),
            ("http://[::ffff:10.0.0.1]/", "no public address"),
            ("http://169.254.169.254/latest", "no public address"),
        ] {
            assert!(problem(url).contains(word), "{url}: {}", problem(url));
        }
        assert!(
            problem(&format!("https://a.example/{}", "x".repeat(LONGEST_URL))).contains("longer")
        );
        assert_eq!(address_problem("http://127.0.0.1/", true), None);
    }

    #[test]
    fn of_an_address_only_the_host_is_shown() {
        let shown = shown_address("https://hooks.example:8443/services/T0/secret?key=1");
        assert_eq!(shown, "https://hooks.example:8443/...");
        assert_eq!(shown_address("http://hooks.example"), "http://hooks.example/");
    }

    #[test]
    fn what_is_configured_is_added_to_what_was_asked_for() {
        let hook = |url: &str, actions: &[&str]| Webhook {
            url: url.into(),
            on: Trigger::Unsuccessful,
            actions: actions.iter().map(ToString::to_string).collect(),
        };
        let options = EffectOptions {
            webhooks: vec![
                hook("https://all.example/", &[]),
                hook("https://ops.example/", &["ops.*", "core.ssh"]),
            ],
            ..EffectOptions::default()
        };
        let wishes = |action: &str, asked| {
            let found = options.wishes(&ActionRef::new(action), asked).expect("they are fine");
            found.iter().map(|wish| wish.target.to_string()).collect::<Vec<_>>()
        };
        let all = String::from("https://all.example/");
        assert_eq!(wishes("demo.echo", Vec::new()), std::slice::from_ref(&all));
        assert_eq!(wishes("ops.restart", Vec::new()).len(), 2);
        assert_eq!(wishes("core.ssh", Vec::new()).len(), 2);
        assert_eq!(wishes("core.ssh2", Vec::new()).len(), 1);
        let same = Wish {
            trigger: Trigger::Unsuccessful,
            kind: EffectKind::Webhook,
            target: Target::new(&all),
        };
        assert_eq!(wishes("demo.echo", vec![same.clone()]), [all]);
        let bill = Wish { kind: EffectKind::Billing, ..same.clone() };
        let refused = options.wishes(&ActionRef::new("a.b"), vec![same.clone(), bill]);
        let refused = refused.expect_err("nobody delivers bills");
        assert_eq!((refused.index, refused.field), (1, "kind"));
        let many = vec![same; MOST_EFFECTS + 1];
        assert!(options.wishes(&ActionRef::new("a.b"), many).is_err());
    }
}
