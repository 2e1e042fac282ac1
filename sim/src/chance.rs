//! Chance by name. What is drawn at a point depends on the seed and on the point's name alone,
//! never on what was drawn before: taking one fault away moves no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::ExecutionId;

use crate::Node;
use crate::fault::{STRIKES, Strike};
use crate::stream::{scale, stir};

/// A place in the code at which the world can interfere: an await inside a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// A connection is taken from the pool and a transaction begins.
    Begin,
    /// A statement that reads, and may lock.
    Load,
    /// A statement that writes.
    Write,
    /// A commit.
    Commit,
    /// A publish, until its confirm.
    Publish,
    /// A message on its way to one consumer.
    Deliver,
    /// An answer to the broker about deliveries.
    Settle,
    /// A subscription.
    Subscribe,
    /// A question whether a worker moves.
    Probe,
    /// A receiver outside is called.
    Call,
}

impl Site {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Load => "load",
            Self::Write => "write",
            Self::Commit => "commit",
            Self::Publish => "publish",
            Self::Deliver => "delivery",
            Self::Settle => "settle",
            Self::Subscribe => "subscribe",
            Self::Probe => "probe",
            Self::Call => "call",
        }
    }
}

/// A passage that a story has something in mind for. What it does not name may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    site: Site,
    of: Option<Node>,
    step: Option<&'static str>,
    about: Option<ExecutionId>,
}

impl Occasion {
    /// Any passage through a site.
    #[must_use]
    pub const fn at(site: Site) -> Self {
        Self { site, of: None, step: None, about: None }
    }

    /// In this step of a service; at the broker, with a message of this topic.
    #[must_use]
    pub const fn during(mut self, step: &'static str) -> Self {
        self.step = Some(step);
        self
    }

    /// By this node.
    #[must_use]
    pub const fn of(mut self, node: Node) -> Self {
        self.of = Some(node);
        self
    }

    /// A commit that writes this execution, or a message about it.
    #[must_use]
    pub const fn about(mut self, execution: ExecutionId) -> Self {
        self.about = Some(execution);
        self
    }

    fn is_met_by(&self, site: Site, passer: &Passer<'_>) -> bool {
        self.site == site
            && self.of.is_none_or(|node| node == passer.node)
            && self.step.is_none_or(|step| (passer.does)(step))
            && self.about.is_none_or(|execution| (passer.is_about)(execution))
    }
}

/// Who passes a site, and what with.
#[derive(Clone, Copy)]
pub(crate) struct Passer<'a> {
    pub(crate) node: Node,
    /// Whether it is in this step, or has a message of this topic.
    pub(crate) does: &'a dyn Fn(&str) -> bool,
    /// Whether it writes, or speaks of, this execution.
    pub(crate) is_about: &'a dyn Fn(ExecutionId) -> bool,
}

/// Whose passage through a site it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// The execution that a commit is about.
    Execution(ExecutionId),
    /// A step of a node.
    Step(&'a str, &'a str),
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execution(id) => write!(f, "{id}"),
            Self::Step(node, step) => write!(f, "{node}/{step}"),
        }
    }
}

impl Subject<'_> {
    /// A number that stands for the text, the same whether computed from the parts or the whole.
    fn hash(self) -> u64 {
        match self {
            Self::Execution(id) => {
                let mut digits = [0; 20];
                let (mut rest, mut at) = (id.0, digits.len());
                loop {
                    at -= 1;
                    digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                    rest /= 10;
                    if rest == 0 {
                        break;
                    }
                }
                fnv(fnv(FNV_START, b"ex-"), &digits[at..])
            }
            Self::Step(node, step) => {
                fnv(fnv(fnv(FNV_START, node.as_bytes()), b"/"), step.as_bytes())
            }
        }
    }
}

/// A logical point of a run, for instance the third commit of `ex-7`. It means the same after a
/// change of the code that does not change what happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Point {
    /// Where.
    pub site: Site,
    /// Whose: an execution, or `node/step`.
    pub of: String,
    /// Which passage, from 1.
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match (self.nth % 10, self.nth % 100) {
            (1, last) if last != 11 => "st",
            (2, last) if last != 12 => "nd",
            (3, last) if last != 13 => "rd",
            _ => "th",
        };
        write!(f, "{}{end} {} of {}", self.nth, self.site.name(), self.of)
    }
}

/// A strike at a point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Struck {
    /// Where.
    pub point: Point,
    /// What.
    pub strike: Strike,
}

/// How often each strike happens, in thousandths of its opportunities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rates([u16; STRIKES.len()]);

impl Rates {
    pub(crate) const CALM: Self = Self([0; STRIKES.len()]);

    pub(crate) fn set(&mut self, strike: Strike, per_mille: u16) {
        self.0[strike as usize] = per_mille;
    }
}

/// What happens at a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) strike: Option<Strike>,
    /// How long it takes one way; zero is as fast as a scheduler.
    pub(crate) delay: Duration,
    /// Any number, of this point alone.
    pub(crate) entropy: u64,
}

/// Decides at every point.
#[derive(Debug)]
pub(crate) struct Chance {
    seed: u64,
    script: Option<BTreeMap<(Site, u64, u32), Strike>>,
    /// What a script asked for.
    asked: Vec<Struck>,
    /// Whether a script says it all, so that nobody else has a say.
    is_scripted: bool,
    rates: Rates,
    delay_max: Duration,
    counts: BTreeMap<(Site, u64), u32>,
    struck: Vec<Struck>,
    /// What a story wants to happen, each once, whatever else is drawn.
    orders: Vec<(Occasion, Strike)>,
    /// How often a story has drawn each of its moments.
    moments: BTreeMap<&'static str, u32>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            script: None,
            asked: Vec::new(),
            is_scripted: false,
            rates: Rates::CALM,
            delay_max: Duration::ZERO,
            counts: BTreeMap::new(),
            struck: Vec::new(),
            orders: Vec::new(),
            moments: BTreeMap::new(),
        }
    }

    /// From now on exactly these strikes happen, and no others.
    pub(crate) fn follow(&mut self, script: &[Struck]) {
        let key = |struck: &Struck| {
            let of = fnv(FNV_START, struck.point.of.as_bytes());
            ((struck.point.site, of, struck.point.nth), struck.strike)
        };
        self.script = Some(script.iter().map(key).collect());
        self.asked = script.to_vec();
        self.is_scripted = true;
    }

    /// From now on nothing strikes.
    pub(crate) fn stop(&mut self) {
        self.script = Some(BTreeMap::new());
        self.orders.clear();
    }

    /// The next passage that is meant is struck, once.
    pub(crate) fn order(&mut self, occasion: Occasion, strike: Strike) {
        let fits = Strike::at(occasion.site).contains(&strike);
        assert!(fits, "{} cannot happen at a {}", strike.name(), occasion.site.name());
        self.orders.push((occasion, strike));
    }

    /// Which drawing of this moment it is, from 1.
    pub(crate) fn next_moment(&mut self, name: &'static str) -> u32 {
        let count = self.moments.entry(name).or_default();
        *count += 1;
        *count
    }

    fn carry_out(&mut self, site: Site, passer: &Passer<'_>) -> Option<Strike> {
        if self.is_scripted {
            return None;
        }
        let at = self.orders.iter().position(|(occasion, _)| occasion.is_met_by(site, passer))?;
        Some(self.orders.remove(at).1)
    }

    pub(crate) fn set_rates(&mut self, rates: Rates) {
        self.rates = rates;
    }

    pub(crate) const fn delay_max(&self) -> Duration {
        self.delay_max
    }

    pub(crate) fn set_delay_max(&mut self, delay_max: Duration) {
        self.delay_max = delay_max;
    }

    /// What has struck so far, in order.
    pub(crate) fn struck(&self) -> &[Struck] {
        &self.struck
    }

    /// The points that a script asked for and nobody passed.
    pub(crate) fn unmatched(&self) -> Vec<Point> {
        let struck: BTreeSet<&Point> = self.struck.iter().map(|struck| &struck.point).collect();
        let asked = self.asked.iter().map(|asked| &asked.point);
        asked.filter(|point| !struck.contains(point)).cloned().collect()
    }

    /// One passage.
    pub(crate) fn pass(&mut self, site: Site, subject: Subject<'_>, by: &Passer<'_>) -> Passage {
        let of = subject.hash();
        let nth = self.counts.entry((site, of)).or_default();
        *nth += 1;
        let nth = *nth;
        let entropy = mix(mix(mix(self.seed, site as u64), of), u64::from(nth));
        let drawn = match &self.script {
            Some(script) => script.get(&(site, of, nth)).copied(),
            None => self.draw(site, entropy),
        };
        let strike = self.carry_out(site, by).or(drawn);
        if let Some(strike) = strike {
            let point = Point { site, of: subject.to_string(), nth };
            self.struck.push(Struck { point, strike });
        }
        let width = u64::try_from(self.delay_max.as_micros()).unwrap_or(u64::MAX);
        let micros = scale(mix(entropy, LATENCY), width + 1);
        Passage { strike, delay: Duration::from_micros(micros), entropy }
    }

    fn draw(&self, site: Site, entropy: u64) -> Option<Strike> {
        let struck = |strike: &&Strike| {
            let rate = u64::from(self.rates.0[**strike as usize]);
            rate > 0 && scale(mix(entropy, **strike as u64), 1000) < rate
        };
        Strike::at(site).iter().find(struck).copied()
    }
}

/// Keeps the draws of latencies apart from those of strikes.
const LATENCY: u64 = 1 << 32;

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a (Fowler, Noll and Vo), continued.
const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Mixes two words into one.
const fn mix(one: u64, other: u64) -> u64 {
    stir(one.wrapping_add(other.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(1))
}
