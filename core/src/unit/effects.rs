//! What the outside world is told of an end: planned in the commit that writes the end.

use alloc::vec::Vec;

use super::Unit;
use crate::effect::{EffectKey, GENERATION, Notice, plan};
use crate::execution::Execution;
use crate::status::Status;

impl Unit {
    /// Plans what was wished for at this end, if it is one.
    pub(super) fn plan_effects(&mut self, before: &Execution, after: &Execution) {
        let mut notice = Notice::of(after);
        if before.status == Status::Running
            && after.status == Status::Backoff
            && self.is_planted("effects_planned_at_first_report")
        {
            notice.status = Status::Failed;
        }
        if self.is_planted("status_before_effects") {
            return;
        }
        let (run, retry) = ((after.id, GENERATION), self.settings.effect_retry);
        for effect in plan(run, &notice, &after.wishes, retry, self.now) {
            self.effects.insert(effect);
        }
    }

    /// Adds to new effects why their executions did not succeed: an outcome may be left after the
    /// status was told.
    pub(super) fn complete_notices(&mut self) {
        if self.results.is_empty() {
            return;
        }
        let planned = self.effects.iter().filter(|effect| effect.sends == 0);
        let keys: Vec<EffectKey> = planned
            .filter(|effect| self.results.contains_key(&effect.key.execution))
            .map(|effect| effect.key.clone())
            .collect();
        for key in keys {
            let left = self.results.get(&key.execution).and_then(|left| left.error.as_deref());
            if let (Some(error), Some(effect)) = (left, self.effects.edit(&key)) {
                effect.notice.take_error(error);
            }
        }
    }
}
