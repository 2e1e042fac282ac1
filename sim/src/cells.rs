//! Cells: which fault met which step, and which fault met an attempt in which status. A kind of
//! fault that never meets a step was not tried there, whatever the number of seeds.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use steadfast_core::Status;

use crate::broker::TOPICS;
use crate::chance::Site;
use crate::fault::{Fault, STRIKES, Strike};
use crate::kinds;
use crate::receiver::DELIVER;

/// What a fault can do to a node that has attempts.
const BLOWS: &[Fault] =
    &[Fault::Kill, Fault::LoseHost, Fault::Pause, Fault::CutStore, Fault::CutBroker];

/// What a worker's attempt can be doing then; the last is nothing.
const DOINGS: &[&str] = &["offered", "running", "nothing"];

type Table = BTreeMap<(&'static str, &'static str), &'static str>;

/// The names of all cells, made once.
fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::new();
        let mut add = |fault: &'static str, at: &'static str| {
            let name: &'static str = format!("{fault}@{at}").leak();
            table.insert((fault, at), name);
        };
        let meets = |site: Site, strike: &Strike| Strike::at(site).contains(strike);
        for strike in STRIKES {
            let in_store = [Site::Begin, Site::Load, Site::Write, Site::Commit];
            if in_store.iter().any(|site| meets(*site, strike)) {
                kinds::STEPS.iter().skip(1).for_each(|step| add(strike.name(), step));
            }
            let with_messages = [Site::Publish, Site::Deliver, Site::Settle];
            if with_messages.iter().any(|site| meets(*site, strike)) {
                TOPICS.iter().for_each(|topic| add(strike.name(), topic));
            }
            if meets(Site::Subscribe, strike) {
                add(strike.name(), SUBSCRIBE);
            }
            if meets(Site::Call, strike) {
                add(strike.name(), DELIVER);
            }
        }
        for blow in BLOWS {
            DOINGS.iter().for_each(|doing| add(blow.name(), doing));
        }
        table
    })
}

/// What a subscription does, whatever its topic.
const SUBSCRIBE: &str = "subscribe";

/// Every cell there is, by name.
#[must_use]
pub fn cells() -> Vec<&'static str> {
    table().values().copied().collect()
}

/// The cell of a strike on whoever `does` something.
pub(crate) fn of_strike(strike: Strike, does: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let known = kinds::STEPS.iter().skip(1).chain(TOPICS).copied().chain([SUBSCRIBE, DELIVER]);
    let at = known.into_iter().find(|step| does(step))?;
    table().get(&(strike.name(), at)).copied()
}

/// The cell of a blow to a node whose attempt is in this status; `None` if it has none.
pub(crate) fn of_blow(blow: Fault, status: Option<Status>) -> Option<&'static str> {
    let doing = match status {
        Some(Status::Offered | Status::Accepted) => "offered",
        Some(_) => "running",
        None => "nothing",
    };
    table().get(&(blow.name(), doing)).copied()
}
