//! What can be told of rows that were looked at twice.

use super::*;

fn seen(before: &[Execution], now: &[Execution]) -> Vec<LawId> {
    let violations = check_seen(before, now, &Settings::DEFAULT);
    violations.into_iter().map(|violation| violation.law).collect()
}

#[test]
fn what_went_on_between_two_looks_breaks_no_law() {
    let before = [execution(1, Status::Queued), execution(2, Status::Running)];
    let mut after = [execution(1, Status::Running), execution(2, Status::Completed)];
    assert_eq!(seen(&[], &before), []);
    assert_eq!(seen(&before, &before), []);
    // Several attempts later.
    after[0].attempt = Attempt(before[0].attempt.0 + 3);
    after[0].failures = 2;
    after[0].policy.retry.count = 5;
    assert_eq!(seen(&before, &after), []);
}

#[test]
fn each_law_that_is_judged_can_be_seen_broken() {
    let over = execution(1, Status::Completed);
    let mut woken = over.clone();
    woken.wake_at = Some(LATER);
    assert_eq!(seen(&[], &[woken]), [LawId::S6]);
    let mut endless = over.clone();
    endless.ended_at = None;
    assert_eq!(seen(&[], &[endless]), [LawId::S23]);
    let mut spent = execution(1, Status::Queued);
    spent.failures = spent.policy.retry.count + 7;
    assert_eq!(seen(&[], &[spent]), [LawId::S28]);
    let back = execution(1, Status::Running);
    assert!(seen(std::slice::from_ref(&over), &[back]).contains(&LawId::S7));
    let mut younger = execution(1, Status::Running);
    younger.attempt = Attempt(3);
    let older = Execution { attempt: Attempt(2), ..younger.clone() };
    assert!(seen(&[younger], &[older]).contains(&LawId::S5));
    let all = [LawId::S5, LawId::S6, LawId::S7, LawId::S23, LawId::S28];
    assert_eq!(SEEN, all);
}
