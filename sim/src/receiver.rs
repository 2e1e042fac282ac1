//! Whoever is told of ends: it writes down all that reaches it, and may refuse, be slow, or take
//! what it is told and lose the answer.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::Span;
use steadfast_core::catalogue::LawId;
use steadfast_core::effect::{Effect, EffectKey, EffectState, Verdict};
use steadfast_core::law::Violation;
use steadfast_services::port::Courier;

use crate::chance::{Site, Subject};
use crate::fault::Strike;
use crate::process::Process;
use crate::sync::lock;
use crate::{World, kinds};

/// What has reached the receivers: each effect with the token of the try.
#[derive(Debug, Default)]
pub(crate) struct Receivers {
    heard: BTreeSet<(EffectKey, u64)>,
}

/// The step that a passage belongs to, for whoever wants one to be struck.
pub(crate) const DELIVER: &str = "deliver effect";

/// How long a sender waits for an answer.
const PATIENCE: Span = Span::from_millis(1_000);

/// Tells receivers, as one process does it.
#[derive(Clone)]
pub struct SimCourier {
    me: Process,
}

impl SimCourier {
    /// For this process.
    #[must_use]
    pub const fn new(me: Process) -> Self {
        Self { me }
    }
}

impl Courier for SimCourier {
    async fn deliver(&self, effect: &Effect) -> Verdict {
        let me = &self.me;
        let subject = Subject::Execution(effect.key.execution);
        let about = effect.key.execution;
        let passage =
            me.pass_with(Site::Call, subject, &|step| step == DELIVER, &|e| e == about).await;
        let failed = |error: &str, lasting| {
            let (error, after) = (error.to_owned(), None);
            Verdict::Failed { error, lasting, after }
        };
        match passage.strike {
            Some(Strike::ReceiverFails) => return failed("answered 503", false),
            Some(Strike::ReceiverRefuses) => return failed("answered 404", true),
            Some(Strike::ReceiverIsSlow) => {
                let most = PATIENCE.as_micros() - 1_000;
                me.wait(Duration::from_micros(passage.entropy % most)).await;
                me.stay_dead().await;
            }
            _ => {}
        }
        me.world().receive(me, effect);
        if passage.strike == Some(Strike::ReceiverAnswerLost) {
            me.wait(PATIENCE.into()).await;
            me.stay_dead().await;
            return failed("no answer in time", false);
        }
        Verdict::Delivered
    }

    fn patience(&self) -> Span {
        PATIENCE
    }
}

impl World {
    /// A receiver hears of an end. S12: the ledger has granted this try, and no other under its
    /// token. S13: what is told is so.
    fn receive(&self, me: &Process, effect: &Effect) {
        let (key, token) = (&effect.key, effect.token().0);
        let (id, index) = (key.execution, effect.index);
        me.log(&kinds::TOLD, &[id.0, u64::from(index), token]);
        lock(&self.0.record).judged(LawId::S12.into(), 1);
        let granted = self.see_rows(|rows| rows.effects.get(key).map(|row| row.token().0));
        let is_granted = granted.is_some_and(|newest| token <= newest) || self.was_dropped(id);
        if !is_granted {
            let what =
                format!("effect {index} of {id} is told by {token}, granted was {granted:?}");
            self.violate(LawId::S12, what);
        }
        if !lock(&self.0.receivers).heard.insert((key.clone(), token)) {
            self.violate(LawId::S12, format!("effect {index} of {id} is told twice by {token}"));
        }
        let status = self.see_rows(|rows| rows.execution(id).map(|row| row.status));
        let told = effect.notice.status;
        if status.is_some_and(|status| status != told) {
            let what = format!("effect {index} of {id} tells {told}, and it is {status:?}");
            self.violate(LawId::S13, what);
        }
        self.cover("told");
    }

    /// How often a receiver has heard of an execution's end.
    #[must_use]
    pub fn times_told(&self, effect: &EffectKey) -> usize {
        lock(&self.0.receivers).heard.iter().filter(|(key, _)| key == effect).count()
    }

    /// S12: what is marked as delivered was heard by its receiver, in the try that is its last.
    pub(crate) fn judge_delivered(&self) -> Result<(), Violation> {
        let heard = lock(&self.0.receivers);
        let silent = self.see_rows(|rows| {
            let delivered = rows.effects.values().filter(|e| e.state == EffectState::Delivered);
            let told = |e: &&Effect| heard.heard.contains(&(e.key.clone(), e.token().0));
            let mut silent = delivered.filter(|effect| !told(effect));
            silent.next().map(|effect| (effect.key.execution, effect.index))
        });
        silent.map_or(Ok(()), |(id, index)| {
            let what = format!("effect {index} of {id} is delivered, and nobody heard it");
            Err(Violation::new(LawId::S12, what))
        })
    }
}
