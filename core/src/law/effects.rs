//! S12 and S13: what the outside world is told, by whom, and what follows from an end.

use alloc::format;

use super::{Change, Verdict, View, demand};
use crate::catalogue::LawId::{S12, S13};
use crate::effect::{Effect, EffectState, GENERATION, laws};
use crate::execution::Execution;

/// S12: a key and a place in a plan are there once.
pub(super) fn unique(view: &View<'_>) -> Verdict {
    view.executions().try_for_each(|execution| laws::unique(view.rows().effects_of(execution.id)))
}

/// S13: exactly what was wished for at such an end is in the ledger, from the end on.
pub(super) fn planned(view: &View<'_>) -> Verdict {
    view.executions().try_for_each(|execution| agree(view, execution))
}

fn agree(view: &View<'_>, execution: &Execution) -> Verdict {
    let Execution { id, status, wishes, .. } = execution;
    let own = || view.rows().effects_of(*id);
    laws::agree(*status, GENERATION, own())?;
    laws::whole(*status, GENERATION, wishes, own())?;
    for effect in own() {
        let wished = wishes.iter().any(|wish| {
            (wish.kind, &wish.target, wish.trigger)
                == (effect.key.kind, &effect.key.target, effect.trigger)
        });
        demand(S13, wished, || format!("nobody wished for effect {} of {id}", effect.index))?;
        let told = effect.notice.status;
        demand(S13, told == *status, || {
            format!("effect {} of {id} tells {told}, and it is {status}", effect.index)
        })?;
    }
    Ok(())
}

/// S12: an effect has one sender at a time, whose word alone settles it, and is settled once.
pub(super) fn settled(change: &Change<'_>) -> Verdict {
    for row in &change.commit.effects {
        let Some(before) = &row.before else { continue };
        one_sender(change, before, &row.after)?;
        once(change, before, &row.after)?;
    }
    Ok(())
}

fn one_sender(change: &Change<'_>, before: &Effect, after: &Effect) -> Verdict {
    let (key, at) = (&before.key, change.commit.at);
    let sent = after.sends.checked_sub(before.sends);
    demand(S12, sent.is_some_and(|sent| sent <= 1), || {
        format!("effect {} of {} went back to an old token", before.index, key.execution)
    })?;
    let due = before.wake_at.is_some_and(|wake_at| wake_at <= at);
    demand(S12, sent != Some(1) || due, || {
        format!("effect {} of {} has a second sender", before.index, key.execution)
    })
}

fn once(change: &Change<'_>, before: &Effect, after: &Effect) -> Verdict {
    let about = || format!("effect {} of {}", before.index, before.key.execution);
    let (was, is) = (before.state, after.state);
    demand(S12, was != EffectState::Delivered, || format!("{} was delivered twice", about()))?;
    let revived = is == EffectState::Planned && after.failures == 0;
    demand(S12, was != EffectState::GaveUp || revived, || {
        format!("{} was given up and is {is}", about())
    })?;
    let Some(voices) = &change.commit.voices else { return Ok(()) };
    let word = voices.effects.get(&before.key);
    let held = was == EffectState::Sending && word == Some(&before.token());
    demand(S12, word.is_none() || held, || {
        format!("{} obeyed {word:?}, and {} is its token", about(), before.token())
    })?;
    demand(S12, is != EffectState::Delivered || held, || {
        format!("{} is delivered by nobody's word", about())
    })?;
    let taken_away = was == EffectState::Sending && is == EffectState::Planned && !held;
    let due = before.wake_at.is_some_and(|wake_at| wake_at <= change.commit.at);
    demand(S12, !taken_away || due, || format!("{} was taken from its sender", about()))
}
