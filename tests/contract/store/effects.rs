//! Effects: found when they are due, taken by one, settled by whoever has them, listed, and gone
//! with their execution.

use steadfast_core::effect::{
    Effect, EffectInput, EffectKind, EffectState, GENERATION, Notice, Target, Trigger, Wish, plan,
};
use steadfast_core::{ExecutionId, FencingToken, RetryPolicy, Span, Status, Timestamp};
use steadfast_services::port::{Batch, EffectCursor, EffectFilter, Load, StoreError, Transaction};

use super::Full;
use super::rows::*;
use crate::stage::JoinSet;

fn wish(trigger: Trigger, target: &str) -> Wish {
    Wish { trigger, kind: EffectKind::Webhook, target: Target::new(target) }
}

/// What two receivers are told of an execution that ended at `ended`.
fn effects(id: u64, ended: u64) -> Vec<Effect> {
    let wishes = [wish(Trigger::Ended, "https://a.example/"), wish(Trigger::Completed, "b \u{e4}")];
    let execution = execution_in(id, Status::Completed);
    let mut notice = Notice::of(&execution);
    notice.take_error("it \"broke\"");
    let retry = RetryPolicy { count: 3, ..RetryPolicy::default() };
    plan((ExecutionId(id), GENERATION), &notice, &wishes, retry, at(ended))
}

fn told(effect: &Effect, input: &EffectInput, now: Timestamp) -> Effect {
    let mut after = effect.clone();
    after.handle(input, now).expect("it fits");
    after.version = after.version.next();
    after
}

fn is_conflict<T: std::fmt::Debug>(result: &Load<T>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

pub(crate) async fn effects_are_found_when_due_and_settled_by_version<S: Full>(store: S) {
    let [later, soon] = <[Effect; 2]>::try_from(effects(1, 10)).expect("two");
    let soon = Effect { wake_at: Some(at(5)), ..soon };
    let all = [later.clone(), soon.clone()];
    apply(&store, &[Batch::InsertEffects(&all)]).await.unwrap();
    assert!(is_conflict(&apply(&store, &[Batch::InsertEffects(&all[..1])]).await));
    // Another address in the same place of the plan.
    let mut crowded = later.clone();
    crowded.key.target = Target::new("https://c.example/");
    assert!(is_conflict(&apply(&store, &[Batch::InsertEffects(&[crowded])]).await));

    let mut tx = store.begin("test").await.unwrap();
    assert_eq!(tx.due_effects(at(4), 10).await, Ok(Vec::new()));
    assert_eq!(tx.due_effects(at(5), 10).await, Ok(vec![soon.clone()]));
    assert_eq!(tx.due_effects(at(99), 10).await, Ok(vec![soon.clone(), later.clone()]));
    assert_eq!(tx.due_effects(at(99), 1).await, Ok(vec![soon.clone()]));
    let keys = [later.key.clone(), soon.key.clone(), later.key.clone()];
    let mut found = tx.effects(&keys).await.unwrap();
    found.sort_by_key(|effect| effect.index);
    assert_eq!(found, all);
    drop(tx);

    let sending = told(&soon, &EffectInput::Send(Span::from_secs(9)), at(6));
    apply(&store, &[Batch::UpdateEffects(std::slice::from_ref(&sending))]).await.unwrap();
    let stale = told(&soon, &EffectInput::Abandon("no".into()), at(6));
    assert!(is_conflict(&apply(&store, &[Batch::UpdateEffects(&[stale])]).await));
    let delivered = told(&sending, &EffectInput::Deliver(FencingToken(1)), at(7));
    apply(&store, &[Batch::UpdateEffects(std::slice::from_ref(&delivered))]).await.unwrap();
    let mut tx = store.begin("test").await.unwrap();
    assert_eq!(tx.due_effects(at(1 << 40), 10).await, Ok(vec![later]));
    assert_eq!(tx.effects(std::slice::from_ref(&delivered.key)).await, Ok(vec![delivered]));
}

pub(crate) async fn wishes_stay_with_their_execution<S: Full>(store: S) {
    let mut row = execution(1);
    row.wishes = vec![wish(Trigger::Unsuccessful, "https://a.example/"), wish(Trigger::Ended, "b")];
    let plain = execution(2);
    apply(&store, &[Batch::InsertExecutions(&[row.clone(), plain.clone()])]).await.unwrap();
    let over = next(row, |row| {
        row.status = Status::Cancelled;
        row.ended_at = Some(at(9));
    });
    apply(&store, &[Batch::UpdateExecutions(std::slice::from_ref(&over))]).await.unwrap();
    let mut tx = store.begin("test").await.unwrap();
    let ids = [ExecutionId(1), ExecutionId(2)];
    assert_eq!(tx.executions(&ids).await, Ok(vec![over, plain]));
}

pub(crate) async fn effects_are_listed_by_execution_and_state<S: Full>(store: S) {
    for id in 1..=3 {
        apply(&store, &[Batch::InsertEffects(&effects(id, id))]).await.unwrap();
    }
    let gone = told(&effects(2, 2)[1], &EffectInput::Abandon("enough".into()), at(9));
    apply(&store, &[Batch::UpdateEffects(std::slice::from_ref(&gone))]).await.unwrap();
    let list = async |filter: EffectFilter| {
        let found = store.effects(&filter).await.unwrap();
        found.iter().map(|e| (e.key.execution.0, e.index)).collect::<Vec<_>>()
    };
    let ten = || EffectFilter { limit: 10, ..EffectFilter::default() };
    let all = [(3, 0), (3, 1), (2, 0), (2, 1), (1, 0), (1, 1)];
    assert_eq!(list(ten()).await, all);
    assert_eq!(list(EffectFilter { limit: 3, ..ten() }).await, all[..3]);
    for (place, (execution, index)) in all.iter().enumerate() {
        let cursor = EffectCursor { execution: ExecutionId(*execution), index: *index };
        let rest = list(EffectFilter { cursor: Some(cursor), ..ten() }).await;
        assert_eq!(rest, all[place + 1..], "after {execution}.{index}");
    }
    let execution = Some(ExecutionId(2));
    assert_eq!(list(EffectFilter { execution, ..ten() }).await, [(2, 0), (2, 1)]);
    let state = Some(EffectState::GaveUp);
    assert_eq!(list(EffectFilter { state, ..ten() }).await, [(2, 1)]);
    let state = Some(EffectState::Planned);
    assert_eq!(list(EffectFilter { state, execution, ..ten() }).await, [(2, 0)]);
    assert_eq!(store.effects(&EffectFilter { execution, ..ten() }).await.unwrap()[1], gone);
    let open = store.open_effects().await.unwrap();
    assert_eq!(open, [(EffectKind::Webhook, EffectState::Planned, 5)]);
}

/// Whoever looks at once takes another effect, and takes what it is given.
pub(crate) async fn due_effects_are_taken_by_one<S: Full>(store: S) {
    for id in 1..=8 {
        apply(&store, &[Batch::InsertEffects(&effects(id, 1))]).await.unwrap();
    }
    let mut takers = JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        takers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let mut tx = store.begin("test").await.unwrap();
                let due = tx.due_effects(at(9), 3).await.unwrap();
                let lease = EffectInput::Send(Span::from_secs(9));
                let taken: Vec<Effect> = due.iter().map(|e| told(e, &lease, at(9))).collect();
                if taken.is_empty() {
                    return mine;
                }
                tx.apply(Batch::UpdateEffects(&taken)).await.unwrap();
                commit(tx).await;
                mine.extend(taken.into_iter().map(|effect| effect.key));
            }
        });
    }
    let mut all: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 16);
}

/// What is over goes with its execution, and what is still to be delivered stays until it is.
pub(crate) async fn effects_go_with_their_execution<S: Full>(store: S) {
    let mut tx = store.begin("test").await.unwrap();
    let now = tx.now().await.unwrap();
    commit(tx).await;
    let mut recent = execution_in(2, Status::Completed);
    recent.ended_at = Some(now);
    let rows = [execution_in(1, Status::Completed), recent];
    let discarded = |effect: &Effect| {
        let mut after = effect.clone();
        after.handle(&EffectInput::Abandon("enough".into()), at(9)).expect("it is open");
        after
    };
    let (one, two) = (effects(1, 1), effects(2, 1));
    let all = [discarded(&one[0]), one[1].clone(), discarded(&two[0]), two[1].clone()];
    apply(&store, &[Batch::InsertExecutions(&rows), Batch::InsertEffects(&all)]).await.unwrap();
    for _ in 0..20 {
        if !store.retain(Span::from_secs(3600)).await.expect("history is looked after").more {
            break;
        }
    }
    let filter = EffectFilter { limit: 10, ..EffectFilter::default() };
    let left = store.effects(&filter).await.unwrap();
    assert_eq!(left, [all[2].clone(), all[3].clone(), all[1].clone()]);
}
