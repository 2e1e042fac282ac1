//! Timeouts, cancels and callers that lose interest.

mod support;

use std::time::Duration;

use serde_json::json;
use steadfast_runner::{Invocation, Outcome};
use support::{Pack, is_alive, state, succeeded, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn start(pack: &Pack, invocation: Invocation) -> (JoinHandle<Outcome>, CancellationToken) {
    support::start(pack.runner(), invocation)
}

fn limited(pack: &Pack, millis: u64) -> Invocation {
    Invocation { timeout: Some(Duration::from_millis(millis)), ..pack.invocation() }
}

fn timed_out(outcome: Outcome) -> String {
    match outcome {
        Outcome::TimedOut { error } => error,
        other => panic!("not a timeout: {other:?}"),
    }
}

#[tokio::test]
async fn a_timeout_ends_the_whole_group_with_sigterm() {
    let pack = Pack::new("echo slow >&2; sleep 1000 & echo $! >child; echo $$ >leader; wait");
    let error = timed_out(pack.run(limited(&pack, 300)).await);
    assert_eq!(error, "timed out after 300ms; it ended on SIGTERM; stderr: slow");
    assert_eq!(state(pack.pid("leader").await), None, "the leader is collected");
    assert!(!is_alive(pack.pid("child").await));
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let pack = Pack::new("trap '' TERM; echo $$ >leader; while :; do sleep 0.1; done");
    let error = timed_out(pack.run(limited(&pack, 1000)).await);
    assert!(error.contains("ignored SIGTERM for 400ms and was killed"), "{error}");
    assert!(!is_alive(pack.pid("leader").await));
}

#[tokio::test]
async fn a_handler_for_sigterm_gets_its_time_also_in_a_child() {
    // The shell dies of SIGTERM at once; its child, the worker proper, cleans up first.
    let pack = Pack::new(
        "(trap 'sleep 0.2; echo cleaned; exit' TERM; echo $BASHPID >child; \
          while :; do sleep 0.01; done) & wait",
    );
    let (action, cancel) = start(&pack, pack.invocation());
    let child = pack.pid("child").await;
    cancel.cancel();
    assert_eq!(action.await.unwrap(), Outcome::Cancelled);
    assert!(!is_alive(child));
    assert_eq!(pack.log(steadfast_runner::LogStream::Stdout), "cleaned\n");
}

#[tokio::test]
async fn what_left_the_group_is_found_when_the_action_is_stopped() {
    let pack = Pack::new("setsid sh -c 'echo $$ >escaped; exec sleep 1000' & wait");
    let (action, cancel) = start(&pack, pack.invocation());
    let escaped = pack.pid("escaped").await;
    cancel.cancel();
    assert_eq!(action.await.unwrap(), Outcome::Cancelled);
    assert!(!is_alive(escaped));
}

#[tokio::test]
async fn a_stopped_process_can_be_stopped() {
    let pack = Pack::new("echo $$ >leader; kill -STOP $$; sleep 1000");
    let (action, cancel) = start(&pack, pack.invocation());
    let leader = pack.pid("leader").await;
    until("it has stopped itself", || state(leader) == Some('T')).await;
    cancel.cancel();
    assert_eq!(action.await.unwrap(), Outcome::Cancelled);
    assert_eq!(state(leader), None);
}

#[tokio::test]
async fn a_cancel_before_the_start_starts_nothing() {
    let pack = Pack::new("echo $$ >leader");
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = pack.runner().run(pack.invocation(), cancel).await;
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(!pack.path().join("leader").exists());
}

#[tokio::test]
async fn a_cancel_after_the_end_changes_nothing() {
    let pack = Pack::new("echo done");
    let (action, cancel) = start(&pack, pack.invocation());
    let outcome = action.await.unwrap();
    cancel.cancel();
    assert_eq!(succeeded(outcome), json!("done"));
}

#[tokio::test]
async fn a_timeout_of_nothing_is_a_timeout() {
    let pack = Pack::new("sleep 1000");
    timed_out(pack.run(limited(&pack, 0)).await);
}

#[tokio::test]
async fn a_dropped_run_kills_its_process() {
    let pack = Pack::new("trap '' TERM; sleep 1000 & echo $! >child; echo $$ >leader; wait");
    let (action, _) = start(&pack, pack.invocation());
    let (leader, child) = (pack.pid("leader").await, pack.pid("child").await);
    action.abort();
    until("the leader is collected", || state(leader).is_none()).await;
    until("the child is dead", || !is_alive(child)).await;
}

#[tokio::test]
async fn a_chatty_process_is_stopped_all_the_same() {
    let pack = Pack::new("exec yes");
    timed_out(pack.run(limited(&pack, 200)).await);
}
