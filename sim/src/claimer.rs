//! A worker that wants the claim, again and again.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::{ClaimStore, NoAnswer, Node, Process, Stream, Taking, World, kinds};

/// Starts a node that takes the claim whenever it is free, works for as long as `work` allows,
/// and gives it back; a `work` longer than the lease loses the claim meanwhile.
pub fn claimer(
    world: &World,
    name: &'static str,
    claims: &ClaimStore,
    work: RangeInclusive<Duration>,
) -> Node {
    let claims = claims.clone();
    world.node(name, move |me| {
        let (claims, work) = (claims.clone(), work.clone());
        async move {
            let mut chance = me.world().stream(&format!("work.{name}.{}", me.incarnation()));
            // An error means that this life is over.
            while turn(&me, &claims, &work, &mut chance).await.is_ok() {}
        }
    })
}

/// One look at the claim, and what follows from it.
async fn turn(
    me: &Process,
    claims: &ClaimStore,
    work: &RangeInclusive<Duration>,
    chance: &mut Stream,
) -> Result<(), NoAnswer> {
    let held = claims.read(me).await?;
    if !held.is_free(me.world().now()) {
        me.wait(chance.duration(Duration::from_millis(1)..=Duration::from_millis(5))).await;
        return Ok(());
    }
    match claims.take(me, held.token).await? {
        Taking::Granted(token) => {
            me.log(&kinds::CLAIM_WON, &[token]);
            me.wait(chance.duration(work.clone())).await;
            claims.release(me, token).await
        }
        Taking::Refused => {
            me.world().cover("race_lost");
            me.log(&kinds::CLAIM_LOST, &[held.token]);
            Ok(())
        }
    }
}
