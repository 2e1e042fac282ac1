//! From drafts to definitions: each name once, each workflow after the actions that it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steadfast_core::ActionRef;

use super::Catalog;
use super::draft::Draft;
use crate::definition::Definition;
use crate::problem::Problem;
use crate::workflow::{GATHER, Resolution, gather, link};

impl Catalog {
    pub(super) fn add_drafts(&mut self, drafts: Vec<Draft>, problems: &mut Vec<Problem>) {
        let mut broken = BTreeSet::new();
        let mut workflows = BTreeMap::new();
        for mut draft in drafts {
            let Some(action) = draft.definition.as_ref().map(|found| found.action.clone()) else {
                problems.extend(draft.into_problems());
                continue;
            };
            if let Some(other) = self.origins.get(&action) {
                let message = format!("`{action}` is defined in {other} as well");
                draft.findings.error(draft.at, message);
                problems.extend(draft.into_problems());
                continue;
            }
            self.origins.insert(action.clone(), draft.file.clone());
            if draft.graph.is_some() {
                workflows.insert(action, draft);
            } else {
                self.add_plain(draft, &mut broken, problems);
            }
        }
        self.add_workflows(workflows, &mut broken, problems);
    }

    fn add_plain(
        &mut self,
        mut draft: Draft,
        broken: &mut BTreeSet<ActionRef>,
        problems: &mut Vec<Problem>,
    ) {
        let good = !draft.has_errors();
        if let Some(definition) = draft.definition.take() {
            if good {
                self.insert(definition, draft.file.clone());
            } else {
                broken.insert(definition.action.clone());
            }
        }
        problems.extend(draft.into_problems());
    }

    /// Links workflows in an order in which each comes after those that it runs.
    fn add_workflows(
        &mut self,
        mut open: BTreeMap<ActionRef, Draft>,
        broken: &mut BTreeSet<ActionRef>,
        problems: &mut Vec<Problem>,
    ) {
        let mut waits: BTreeMap<ActionRef, BTreeSet<ActionRef>> = BTreeMap::new();
        for (action, draft) in &open {
            let runs = draft.graph.iter().flat_map(|(file, _)| &file.graph.tasks);
            let runs = runs.map(|task| task.action.clone()).filter(|run| open.contains_key(run));
            waits.insert(action.clone(), runs.collect());
        }
        loop {
            let ready = waits.iter().find(|(_, runs)| runs.iter().all(|r| !open.contains_key(r)));
            let Some(action) = ready.map(|(action, _)| action.clone()) else { break };
            waits.remove(&action);
            if let Some(draft) = open.remove(&action) {
                self.add_workflow(draft, broken, problems);
            }
        }
        // What is left runs itself, or runs something that does.
        let cycles: BTreeMap<ActionRef, Vec<ActionRef>> = waits
            .keys()
            .filter_map(|action| Some((action.clone(), cycle_through(action, &waits)?)))
            .collect();
        broken.extend(open.keys().cloned());
        for (action, mut draft) in open {
            if let Some(cycle) = cycles.get(&action) {
                report_cycle(&mut draft, cycle);
            }
            let in_cycle =
                |other: &ActionRef| cycles.contains_key(&action) && cycles.contains_key(other);
            let first = |other: &ActionRef| {
                let broken = broken.contains(other).then_some(Resolution::Broken);
                if in_cycle(other) { Some(Resolution::Reported) } else { broken }
            };
            self.link_draft(&mut draft, first);
            problems.extend(draft.into_problems());
        }
    }

    fn add_workflow(
        &mut self,
        mut draft: Draft,
        broken: &mut BTreeSet<ActionRef>,
        problems: &mut Vec<Problem>,
    ) {
        let linked = self
            .link_draft(&mut draft, |action| broken.contains(action).then_some(Resolution::Broken));
        if let Some(definition) = linked {
            self.insert(definition, draft.file.clone());
        } else if let Some(definition) = &draft.definition {
            broken.insert(definition.action.clone());
        }
        problems.extend(draft.into_problems());
    }

    /// The workflow of `draft`, if nothing is wrong with it. `first` is asked about an action
    /// before the catalog is.
    pub(super) fn link_draft(
        &self,
        draft: &mut Draft,
        first: impl Fn(&ActionRef) -> Option<Resolution>,
    ) -> Option<Definition> {
        let definition = draft.definition.clone()?;
        let (file, findings) = draft.graph.as_mut()?;
        let resolve = |action: &ActionRef| first(action).unwrap_or_else(|| self.resolve(action));
        let linked = link(file.clone(), definition, draft.config.clone(), &resolve, findings);
        (!draft.has_errors()).then_some(linked)
    }

    fn resolve(&self, action: &ActionRef) -> Resolution {
        if let Some(definition) = self.actions.get(action) {
            return Resolution::Known(Arc::clone(definition));
        }
        if action.as_str() == GATHER {
            return Resolution::Known(Arc::new(gather().clone()));
        }
        Resolution::Unknown(self.actions.keys().map(ToString::to_string).collect())
    }
}

fn report_cycle(draft: &mut Draft, cycle: &[ActionRef]) {
    let limit = draft.definition.as_ref().and_then(|found| found.concurrency_limit);
    let Some((file, findings)) = draft.graph.as_mut() else { return };
    let next = cycle.get(1).or(cycle.first());
    let Some((task, at)) = next.and_then(|next| file.runs(next)) else { return };
    let mut names: Vec<&str> = cycle.iter().map(ActionRef::as_str).collect();
    names.extend(names.first().copied());
    let way = names.join(" -> ");
    let slots = match limit {
        Some(limit) => format!("; with concurrency_limit {limit} it would wait for its own slot"),
        None => String::new(),
    };
    findings.error(at, format!("task `{task}` makes the workflow run itself: {way}{slots}"));
}

/// The shortest way from `start` back to itself.
fn cycle_through(
    start: &ActionRef,
    runs: &BTreeMap<ActionRef, BTreeSet<ActionRef>>,
) -> Option<Vec<ActionRef>> {
    let mut ways = std::collections::VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in runs.get(way.last()?).into_iter().flatten() {
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push_back(longer);
            }
        }
    }
    None
}
