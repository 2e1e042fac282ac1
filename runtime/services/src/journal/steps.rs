//! The steps by their names, so that a recorded question can be asked again.

use serde::de::DeserializeOwned;
use steadfast_core::DefinitionHash;
use steadfast_core::decision::Decision;
use steadfast_core::unit::Unit;

use super::check::Reader;
use crate::drive::Step;
use crate::port::Workflow;
use crate::service::{
    admit, advance, claim, complete, control, dead_letter, dispatch, drain, effects, heartbeat,
    probe, schedule, submit, sweep, witness,
};

/// Where pinned workflows are found.
pub(super) type Find<'a> = &'a dyn Fn(&DefinitionHash) -> Option<std::sync::Arc<dyn Workflow>>;

/// Reads the question of the step `name` and asks the core. `None` if there is no such step.
pub(super) fn ask(
    name: &str,
    reader: &mut Reader<'_>,
    unit: Unit,
    find: Find<'_>,
) -> Option<Result<Decision, String>> {
    macro_rules! steps {
        ($($step:ty),+ $(,)?) => {
            match name {
                advance::NAME => Some(advance(reader, unit, find)),
                $(<$step as Step>::NAME => Some(again::<$step>(reader, unit)),)+
                _ => None,
            }
        };
    }
    steps!(
        admit::Admit,
        claim::Accept,
        claim::Claim,
        complete::Complete,
        control::Cancel,
        control::ChangeQueues,
        control::Tell,
        dead_letter::TakeBack,
        dispatch::Dispatch,
        drain::Drain,
        drain::GiveUp,
        effects::Control,
        effects::Settle,
        effects::Take,
        heartbeat::Beat,
        heartbeat::Register,
        probe::FindProbed,
        probe::Heed,
        schedule::Change,
        schedule::Create,
        schedule::Find,
        schedule::Fire,
        submit::Submit,
        sweep::CheckWorkers,
        sweep::FindMissed,
        sweep::Handle,
        witness::Testify,
    )
}

fn again<S: Step + DeserializeOwned>(
    reader: &mut Reader<'_>,
    mut unit: Unit,
) -> Result<Decision, String> {
    let mut step: S = reader.next()?;
    match step.decide(&mut unit) {
        Ok(_) => Ok(unit.into_decision()),
        Err(again) => Err(format!("it asks for more: {again:?}")),
    }
}

fn advance(reader: &mut Reader<'_>, mut unit: Unit, find: Find<'_>) -> Result<Decision, String> {
    let mut moves: advance::Moves = reader.next()?;
    moves.find_programs(&unit, find);
    match moves.decide(&mut unit) {
        Ok(()) => Ok(unit.into_decision()),
        Err(again) => Err(format!("it asks for more: {again:?}")),
    }
}
