//! What stories say, beside the verbs that every world has: strikes at chosen moments, children of
//! runs, the last act, and what is expected after it.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::catalogue::LawId;
use steadfast_core::execution::{Cause, Execution};
use steadfast_core::{ExecutionId, Status};
use steadfast_services::port::Counter;

use crate::chance::{Occasion, Site};
use crate::deployment::Deployment;
use crate::fault::Strike;
use crate::law::WorldLaw;
use crate::sync::lock;
use crate::{Event, Node, World, kinds};

/// A transaction of this step that begins.
#[must_use]
pub const fn begin(step: &'static str) -> Occasion {
    Occasion::at(Site::Begin).during(step)
}

/// A statement of this step that reads: nothing is decided yet.
#[must_use]
pub const fn load(step: &'static str) -> Occasion {
    Occasion::at(Site::Load).during(step)
}

/// A statement of this step that writes: it is decided, and not committed.
#[must_use]
pub const fn write(step: &'static str) -> Occasion {
    Occasion::at(Site::Write).during(step)
}

/// The answer to the broker about messages of this topic: everything is done, and it may not know.
#[must_use]
pub const fn settle(topic: &'static str) -> Occasion {
    Occasion::at(Site::Settle).during(topic)
}

/// A commit in this step.
#[must_use]
pub const fn commit(step: &'static str) -> Occasion {
    Occasion::at(Site::Commit).during(step)
}

/// A publish of a message of this topic: what was decided is committed, and nobody was told.
#[must_use]
pub const fn publish(topic: &'static str) -> Occasion {
    Occasion::at(Site::Publish).during(topic)
}

/// A call of whoever is told of an end.
#[must_use]
pub const fn call() -> Occasion {
    Occasion::at(Site::Call)
}

/// A message of this topic on its way.
#[must_use]
pub const fn delivery(topic: &'static str) -> Occasion {
    Occasion::at(Site::Deliver).during(topic)
}

impl World {
    /// At the next such passage, this happens: once, whatever else is drawn.
    ///
    /// # Panics
    /// If such a thing cannot happen at such a place.
    pub fn at_the_next(&self, occasion: Occasion, strike: Strike) {
        lock(&self.0.chance).order(occasion, strike);
    }

    /// Lets a time pass that the seed draws, up to `most`.
    pub async fn wait_up_to(&self, most: Duration, name: &'static str) {
        let nth = lock(&self.0.chance).next_moment(name);
        let span = self.stream(&format!("{name}.{nth}")).duration(Duration::ZERO..=most);
        self.drew(name, span);
        self.wait(span).await;
    }

    /// Lets a node stand still. What runs on it stands still with it, and nobody can promise
    /// anything of that.
    pub fn stand_still(&self, node: Node) {
        self.excuse_actions(node);
        self.pause(node);
    }

    /// How often something happened that this recognises.
    pub fn count_events(&self, which: impl Fn(&Event) -> bool) -> usize {
        lock(&self.0.record).log.events().iter().filter(|event| which(event)).count()
    }

    /// How often services have counted this.
    #[must_use]
    pub fn counted(&self, counter: Counter) -> u64 {
        lock(&self.0.record).counted(counter)
    }

    /// What the story expects at its end.
    pub fn expect_that(&self, what: &str, is_so: bool) {
        if !is_so {
            self.violate(WorldLaw::AsTold, format!("it is not so that {what}"));
        }
    }

    /// The execution at a place in a run, once it is there: of a task's newest visit, and of one
    /// item if it has items.
    pub async fn child(&self, run: ExecutionId, task: &str, item: Option<u32>) -> ExecutionId {
        let mut waited = Duration::ZERO;
        loop {
            let found = self.see_rows(|rows| {
                let here = |e: &&Execution| {
                    e.place.as_ref().is_some_and(|place| {
                        place.task.run == run
                            && place.task.task.as_str() == task
                            && (item.is_none() || place.index == item)
                    })
                };
                let found = rows.executions.iter().filter(here).max_by_key(|e| e.id);
                found.map(|execution| execution.id)
            });
            if let Some(id) = found {
                return id;
            }
            if waited > Duration::from_secs(60) {
                self.violate(WorldLaw::ComesToPass, format!("{run} never starts `{task}`"));
                std::future::pending::<()>().await;
            }
            self.wait(Duration::from_millis(5)).await;
            waited += Duration::from_millis(5);
        }
    }

    /// The executions of a task, over all visits and items.
    #[must_use]
    pub fn executions_of(&self, run: ExecutionId, task: &str) -> Vec<Execution> {
        self.see_rows(|rows| {
            let here = |e: &&Execution| {
                let place = e.place.as_ref();
                place.is_some_and(|p| p.task.run == run && p.task.task.as_str() == task)
            };
            rows.executions.iter().filter(here).cloned().collect()
        })
    }

    /// Writes of executions that changed nothing but the version.
    fn redundant_writes(&self) -> usize {
        self.see_history(|history| {
            let changes = history.commits().iter().flat_map(|commit| &commit.executions);
            let redundant = changes.filter(|change| {
                let before = change.before.as_ref();
                before.is_some_and(|before| {
                    Execution { version: change.after.version, ..before.clone() } == change.after
                })
            });
            redundant.count()
        })
    }

    /// Executions whose end was published more than once.
    fn announced_twice(&self) -> Vec<ExecutionId> {
        let mut told: BTreeMap<u64, u32> = BTreeMap::new();
        for event in lock(&self.0.record).log.events() {
            if event.kind == &kinds::PUBLISHED && event.payload[1] == ENDED {
                *told.entry(event.payload[2]).or_default() += 1;
            }
        }
        told.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| ExecutionId(id)).collect()
    }
}

/// The topic of announcements, by number.
const ENDED: u64 = 5;

impl Deployment {
    /// The last act of a story: nothing goes wrong any more, all that was accepted ends in time and
    /// leaves no trace. No end was announced twice, and no row was written in vain.
    pub async fn come_to_rest(&self) {
        let world = self.world();
        world.second_act(self, self.ledger()).await;
        let twice = world.announced_twice();
        world.expect_that(&format!("each end is announced once; {twice:?}"), twice.is_empty());
        world.expect_that("no row was written in vain", world.redundant_writes() == 0);
    }

    /// L6: all workers are equal and there is work for more of them. None of them runs more than
    /// another by as much as one of them has room for.
    pub fn demand_equal_shares(&self) {
        let world = self.world();
        lock(&world.0.record).judged(LawId::L6.into(), 1);
        let began =
            |node: &Node| world.count_events(|e| e.node == *node && e.kind == &kinds::ACTION_BEGAN);
        let shares: Vec<usize> = self.workers().iter().map(began).collect();
        let (least, most) = (shares.iter().min().copied(), shares.iter().max().copied());
        let apart = most.unwrap_or(0) - least.unwrap_or(0);
        if apart >= self.fleet().capacity as usize {
            world.violate(LawId::L6, format!("equal workers have begun {shares:?}"));
        }
    }

    /// What is expected of an execution.
    #[must_use]
    pub fn expect(&self, run: ExecutionId) -> Expectation<'_> {
        Expectation { world: self.world(), run }
    }

    /// The worker with this place in the fleet, from 0.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn worker(&self, nth: usize) -> Node {
        self.workers()[nth]
    }

    /// The executor with this place in the fleet, from 0.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn executor(&self, nth: usize) -> Node {
        self.executors()[nth]
    }
}

/// What a story expects of one execution. Each word is judged where it is said.
#[derive(Clone, Copy)]
pub struct Expectation<'a> {
    world: &'a World,
    run: ExecutionId,
}

impl Expectation<'_> {
    fn so(self, what: &str, holds: impl FnOnce(&Execution) -> bool) -> Self {
        let row = self.world.see_rows(|rows| rows.execution(self.run).cloned());
        let run = self.run;
        match row {
            None => self.world.violate(WorldLaw::AsTold, format!("there is no {run}")),
            Some(row) if !holds(&row) => {
                let (status, attempt, cause) = (row.status, row.attempt, row.cause);
                let found = format!("{run} is {status} after {attempt}, cause {cause:?}");
                self.world.violate(WorldLaw::AsTold, format!("{found}, and not {what}"));
            }
            Some(_) => {}
        }
        self
    }

    /// It has completed.
    pub fn completed(self) -> Self {
        self.ended_as(Status::Completed)
    }

    /// It has ended so.
    pub fn ended_as(self, status: Status) -> Self {
        self.so(status.as_str(), |row| row.status == status)
    }

    /// The engine ended it, for this reason.
    pub fn because(self, cause: Cause) -> Self {
        self.so(&format!("{cause:?}"), |row| row.cause == Some(cause))
    }

    /// It took so many attempts, lost ones too.
    pub fn attempts(self, count: u32) -> Self {
        self.so(&format!("after {count} attempts"), |row| row.attempt.0 == count)
    }

    /// Its process began so often.
    pub fn begun(self, count: usize) -> Self {
        let began = self.world.count_events(|event| {
            event.kind == &kinds::ACTION_BEGAN && event.payload[0] == self.run.0
        });
        self.so(&format!("begun {count} times but {began}"), |_| began == count)
    }
}
