//! S14 to S17, S31 and L5: each step of a workflow once, whole, in its window, and none forgotten.

use alloc::format;
use alloc::vec::Vec;

use super::{Change, Verdict, View, demand};
use crate::catalogue::LawId::{L5, S14, S15, S16, S17, S31};
use crate::decision::ItemPage;
use crate::execution::Execution;
use crate::status::Status;
use crate::workflow::{Visit, VisitState};

/// S14: one execution for each place, and each place belongs to a counted visit.
pub(super) fn unique(view: &View<'_>) -> Verdict {
    let rows = view.rows();
    for execution in view.executions() {
        let Some(place) = &execution.place else { continue };
        let mut at_it = rows.executions.all_at(place);
        let alone = at_it.all(|other| other.id == execution.id);
        demand(S14, alone, || format!("{place} exists twice"))?;
        demand(S14, rows.visits.contains_key(&place.task), || {
            format!("{} is at {place}, which was never visited", execution.id)
        })?;
    }
    for key in view.visits().map(|visit| &visit.key) {
        let run = rows.runs.get(&key.run);
        let visits = run.and_then(|run| run.visits.get(&key.task)).copied().unwrap_or(0);
        demand(S14, key.occurrence < visits, || format!("{key} was not counted by its run"))?;
    }
    Ok(())
}

/// S15: the executions of a visit are the first of its list, all of it once it has completed, and
/// its list is stored whole.
pub(super) fn expanded(view: &View<'_>) -> Verdict {
    for visit in view.visits() {
        let key = &visit.key;
        let places: Vec<Option<u32>> = view
            .rows()
            .executions
            .items(key)
            .map(|execution| execution.place.as_ref().and_then(|place| place.index))
            .collect();
        let expected = (0..visit.created).map(|index| visit.listed.then_some(index));
        let exact = places.iter().copied().eq(expected);
        demand(S15, exact, || format!("{key}: {} created, at {places:?}", visit.created))?;
        let completed = visit.status == Some(Status::Completed);
        demand(S15, !completed || visit.is_done(), || {
            format!("{key} completed with {} of {}", visit.ended, visit.total)
        })?;
        let whole = visit.elements.div_ceil(visit.batch_size.max(1)) == visit.total;
        let cut_short = visit.error.is_some() || visit.status == Some(Status::Cancelled);
        demand(S15, !visit.listed || whole || cut_short, || {
            format!("{key}: {} for {} elements", visit.total, visit.elements)
        })?;
        let sizes: Vec<usize> = view.rows().pages_of(key).map(|(_, items)| items.len()).collect();
        let (size, elements) = (ItemPage::SIZE as usize, visit.elements as usize);
        let stored = sizes.iter().sum::<usize>() == elements
            && sizes.iter().rev().skip(1).all(|len| *len == size)
            && view.rows().pages_of(key).map(|(page, _)| page).eq(0..sizes.len() as u32);
        demand(S15, stored, || format!("{key}: {elements} elements in pages of {sizes:?}"))?;
    }
    Ok(())
}

/// S16: what a visit counts is what was folded into it.
pub(super) fn counted(view: &View<'_>) -> Verdict {
    for visit in view.visits() {
        let (mut ended, mut failed, mut timed_out) = (0, 0, 0);
        for item in view.rows().executions.items(&visit.key).filter(|item| item.folded) {
            ended += 1;
            failed += u32::from(item.status != Status::Completed);
            timed_out += u32::from(item.status == Status::TimedOut);
        }
        let counts = (visit.ended, visit.failed, visit.timed_out);
        demand(S16, counts == (ended, failed, timed_out), || {
            let folded = (ended, failed, timed_out);
            format!("{}: {folded:?} were folded in and {counts:?} counted", visit.key)
        })?;
    }
    Ok(())
}

/// S16: what has arrived, ended or been visited stays so.
pub(super) fn grows(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        demand(S16, before.folded <= after.folded, || format!("{} was unfolded", after.id))?;
    }
    for visit in &change.commit.visits {
        let (Some(before), after) = (&visit.before, &visit.after) else { continue };
        let grown = before.created <= after.created
            && before.ended <= after.ended
            && before.failed <= after.failed
            && before.arrived.is_subset(&after.arrived);
        demand(S16, grown, || format!("{} went back", after.key))?;
    }
    for run in &change.commit.runs {
        let (Some(before), after) = (&run.before, &run.after) else { continue };
        let kept = before.visits.iter().all(|(task, n)| after.visits.get(task) >= Some(n));
        demand(S16, kept && before.attempt <= after.attempt, || {
            format!("the run of {} went back", after.execution)
        })?;
    }
    Ok(())
}

/// S17: no more executions of a visit are under way than its window lets through. What has ended
/// leaves the window when it is folded in.
pub(super) fn window(view: &View<'_>) -> Verdict {
    for visit in view.visits() {
        let under_way =
            view.rows().executions.items(&visit.key).filter(|item| !item.folded).count();
        demand(S17, under_way <= visit.concurrency as usize, || {
            format!("{}: {under_way} of at most {} under way", visit.key, visit.concurrency)
        })?;
    }
    Ok(())
}

/// L5: a visit that enough predecessors have reached is started in that very commit.
pub(super) fn joined(view: &View<'_>) -> Verdict {
    for visit in view.visits() {
        let reached = !visit.arrived.is_empty() && visit.arrived.len() >= visit.needed as usize;
        // Ended without a status: its run has ended and nothing had started it.
        let idle = visit.state == VisitState::Waiting || (is_over(visit) && visit.status.is_none());
        demand(L5, !(reached && idle), || {
            let (key, needed) = (&visit.key, visit.needed);
            format!("{key} was reached by {:?}, needs {needed} and never started", visit.arrived)
        })?;
    }
    Ok(())
}

/// S31: a run that ended by itself has nothing open, and neither has one that is closed.
pub(super) fn honest_end(change: &Change<'_>) -> Verdict {
    for run in &change.commit.runs {
        let id = run.after.execution;
        let mut children = change.after.executions.children(id);
        let open = children.find(|child| !child.folded || !child.status.is_terminal());
        demand(S31, run.after.open || open.is_none(), || {
            let child = open.map(|child| (child.id, child.status, child.folded));
            format!("the run of {id} was closed with {child:?} open")
        })?;
    }
    for (before, after) in change.moved().filter(|(_, after)| after.is_workflow()) {
        if before.status.is_terminal() || !after.status.is_terminal() {
            continue;
        }
        let id = after.id;
        // One that has failed by itself has waited for what it had started as well.
        let told = change.commit.runs.iter().any(|run| run.after.execution == id);
        let by_itself = told && after.cause.is_none() && !after.cancel_requested;
        if after.status == Status::Completed || (after.status == Status::Failed && by_itself) {
            let mut children = change.after.executions.children(id);
            let unheard = children.find(|child| is_unheard(change, child)).map(|child| child.id);
            demand(S31, unheard.is_none(), || {
                format!("{id} {} without hearing of {unheard:?}", after.status)
            })?;
        }
        if after.status != Status::Completed {
            continue;
        }
        let fault = change.after.runs.get(&id).and_then(|run| run.fault.as_ref());
        demand(S31, fault.is_none(), || format!("{id} completed in spite of {fault:?}"))?;
        let open = change.after.visits_of(id).find(|visit| !is_over(visit));
        demand(S31, open.is_none(), || {
            let visit = open.map(|visit| (&visit.key, visit.state));
            format!("{id} completed with {visit:?} open")
        })?;
    }
    Ok(())
}

fn is_over(visit: &Visit) -> bool {
    visit.state == VisitState::Ended
}

/// Whether a child of the present attempt was not folded in. Those of an attempt that was cut
/// short stand at visits that were cancelled.
fn is_unheard(change: &Change<'_>, child: &Execution) -> bool {
    let visit = child.place.as_ref().and_then(|place| change.after.visits.get(&place.task));
    let cancelled = visit.is_some_and(|visit| visit.status == Some(Status::Cancelled));
    !child.folded && !cancelled
}
