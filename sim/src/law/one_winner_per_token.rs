//! Each token is granted exactly once, and nobody else is told that it won it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, Law, laws};
use crate::{Event, Node, kinds};

/// Watches [`laws::ONE_WINNER_PER_TOKEN`].
///
/// A grant is what the store did; a win is what a worker was told. A worker that dies between
/// the two never learns of its grant, so a grant without a win is in order; a win without a
/// grant, or a second of either, is not.
#[derive(Debug, Default)]
pub struct OneWinnerPerToken {
    granted: BTreeMap<u64, u64>,
    won: BTreeSet<u64>,
    highest: u64,
}

impl OneWinnerPerToken {
    fn grant(&mut self, token: u64, to: u64) -> Result<(), String> {
        if let Some(first) = self.granted.insert(token, to) {
            return Err(format!("token {token} was granted to node {first}, then to node {to}"));
        }
        if token != self.highest + 1 {
            return Err(format!("token {token} was granted after token {}", self.highest));
        }
        self.highest = token;
        Ok(())
    }

    fn win(&mut self, token: u64, by: Node) -> Result<(), String> {
        let by = u64::from(by);
        match self.granted.get(&token) {
            Some(to) if *to != by => {
                Err(format!("node {by} won token {token}, which was granted to node {to}"))
            }
            None => Err(format!("node {by} won token {token}, which was never granted")),
            Some(_) if !self.won.insert(token) => {
                Err(format!("node {by} won token {token} a second time"))
            }
            Some(_) => Ok(()),
        }
    }
}

impl Checker for OneWinnerPerToken {
    fn law(&self) -> &'static Law {
        &laws::ONE_WINNER_PER_TOKEN
    }

    fn step(&mut self, event: &Event) -> Result<(), String> {
        let [first, second, _] = event.payload;
        if *event.kind == kinds::CLAIM_GRANTED {
            self.grant(first, second)
        } else if *event.kind == kinds::CLAIM_WON {
            self.win(first, event.node)
        } else {
            Ok(())
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.granted.is_empty() { Err("no token was ever granted".into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimTime;

    fn granted(token: u64, to: u16) -> Event {
        let payload = [token, to.into(), 0];
        Event {
            index: 0,
            at: SimTime::default(),
            node: Node(to),
            kind: &kinds::CLAIM_GRANTED,
            payload,
        }
    }

    fn won(token: u64, by: u16) -> Event {
        let kind = &kinds::CLAIM_WON;
        Event { kind, payload: [token, 0, 0], ..granted(token, by) }
    }

    fn judge(events: &[Event]) -> Result<(), String> {
        let mut checker = OneWinnerPerToken::default();
        events.iter().try_for_each(|event| checker.step(event))?;
        checker.end()
    }

    #[test]
    fn allowed() {
        assert_eq!(judge(&[granted(1, 1), won(1, 1), granted(2, 2), won(2, 2)]), Ok(()));
        assert_eq!(judge(&[granted(1, 1), granted(2, 2), won(2, 2)]), Ok(()), "w-1 died untold");
        assert_eq!(judge(&[granted(1, 1), granted(2, 2), won(1, 1)]), Ok(()), "told late");
    }

    #[test]
    fn refused() {
        let cases: [(&str, &[Event]); 6] = [
            ("granted twice", &[granted(1, 1), granted(1, 2)]),
            ("a gap", &[granted(1, 1), granted(3, 2)]),
            ("won by another", &[granted(1, 1), won(1, 2)]),
            ("won out of nothing", &[granted(1, 1), won(2, 1)]),
            ("won twice", &[granted(1, 1), won(1, 1), won(1, 1)]),
            ("nothing happened", &[]),
        ];
        for (case, events) in cases {
            assert!(judge(events).is_err(), "{case}");
        }
    }
}
