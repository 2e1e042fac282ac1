//! `run`: one workflow file or action, to its end, in this process.

mod progress;
mod report;
mod target;
mod ticket;

use std::path::Path;
use std::time::Duration;

use steadfast_runtime::core::submit::Submitted;
use steadfast_runtime::core::{ExecutionId, Prepared, Span, Status};
use steadfast_runtime::packs::{Catalog, prepare};
use steadfast_runtime::{Data, Engine, Options};
use steadfast_services::port::{ExecutionView, Query, StoreError};

use super::Setting;
use super::arguments::Run;
use super::failure::{Code, Failure};
use super::setup;
use super::signals::Signals;
use crate::output::deliver;
use progress::Progress;
use report::Report;
use target::Target;
use ticket::Ticket;

pub(crate) use target::{split, whole};

/// How long an execution may look for a worker. There is only the one in this process, so who is
/// not found soon never will be.
const PATIENCE: Span = Span::from_secs(2);
/// How often the progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How long the engine may take to stop, apart from the time that processes get to end.
const GOODBYE: Duration = Duration::from_secs(10);
/// The same when the store is of no use any more.
const STORE_IS_GONE: Duration = Duration::from_secs(1);

/// Everything that is known before the engine starts.
struct Plan<'a> {
    setting: &'a Setting,
    target: Target,
    prepared: Prepared,
    data: Option<&'a Path>,
}

/// Runs what `asked` says.
pub(crate) fn run(asked: Run, setting: &Setting) -> Result<Code, Failure> {
    let catalog = setup::load_catalog(&setting.config, &asked.pack)?;
    let target = Target::find(&asked.target, &catalog)?;
    let parameters = target::parameters(&asked.parameters, &target.definition)?;
    let mut options = setting.config.options();
    // A result that nobody has seen yet is kept, however long ago it came.
    options.retention = None;
    options.settings.unschedulable_after = PATIENCE;
    // An operator's limit on what waits protects a server; here everything that waits was asked for.
    options.settings.max_queue_length = u64::MAX >> 1;
    if let Some(directory) = &asked.data {
        options.data = Data::Directory(directory.clone());
    }
    let prepared = prepare(&target.definition, parameters, &options.defaults)
        .map_err(|error| Failure::usage(error.to_string()))?;
    for warning in target.missing_interpreters(&catalog) {
        eprintln!("steadfast: {warning}; it will fail");
    }
    let plan = Plan { setting, target, prepared, data: asked.data.as_deref() };
    let executor = setup::executor()?;
    let ended = executor.block_on(plan.carry_out(options, catalog));
    // After a second signal something may still be running; its guardian ends it.
    executor.shutdown_background();
    ended
}

/// How far a run came.
enum Came {
    /// It ended.
    ToItsEnd(Box<ExecutionView>),
    /// A signal came first.
    ToASignal(Code),
}

impl Plan<'_> {
    async fn carry_out(self, options: Options, catalog: Catalog) -> Result<Code, Failure> {
        let mut signals = Signals::catch()?;
        let starting = Engine::builder().options(options).catalog(catalog).start();
        let engine = tokio::select! {
            biased;
            code = signals.next() => return Ok(code),
            engine = starting => engine?,
        };
        let ended = self.on(&engine, &mut signals).await;
        // A store that takes nothing any more does not take a goodbye either.
        let patience = match &ended {
            Err(failure) if failure.code() == Code::Environment => STORE_IS_GONE,
            _ => GOODBYE + self.setting.config.worker.kill_grace,
        };
        let stop = tokio::time::timeout(patience, engine.shutdown(true));
        tokio::select! {
            biased;
            code = signals.next() => ended.and(Ok(code)),
            _ = stop => ended,
        }
    }

    async fn on(&self, engine: &Engine, signals: &mut Signals) -> Result<Code, Failure> {
        if self.target.file.is_some() {
            engine.add_definition((*self.target.definition).clone()).await?;
        }
        let (id, ticket) = self.submit(engine).await?;
        match self.follow(engine, id, signals).await? {
            Came::ToASignal(code) => {
                eprintln!("{}", self.how_to_go_on(id));
                Ok(code)
            }
            Came::ToItsEnd(view) => self.deliver(engine, *view, ticket).await,
        }
    }

    /// Submits, or finds what an earlier process submitted.
    async fn submit(&self, engine: &Engine) -> Result<(ExecutionId, Option<Ticket>), Failure> {
        let Some(directory) = self.data else {
            let submitted = engine.submit_prepared(self.prepared.clone(), None, None).await?;
            return Ok((submitted.id(), None));
        };
        let action = self.prepared.action.as_str();
        let ticket = Ticket::read(engine, action, &self.prepared.parameters).await;
        let ticket = ticket.map_err(|error| self.store_failure(&error))?;
        let unfinished = unfinished(engine).await.map_err(|error| self.store_failure(&error))?;
        let submitted =
            engine.submit_prepared(self.prepared.clone(), Some(ticket.key()), None).await?;
        let directory = directory.display();
        match submitted {
            Submitted::Created(_) if unfinished > 0 => {
                eprintln!("steadfast: other runs in {directory} are unfinished and go on as well");
            }
            Submitted::Created(_) => {}
            Submitted::Existing(id) => self.say_resumed(engine, id).await?,
        }
        Ok((submitted.id(), Some(ticket)))
    }

    async fn say_resumed(&self, engine: &Engine, id: ExecutionId) -> Result<(), Failure> {
        let view = engine.find(id).await?;
        let (number, directory) = (id.0, self.data.unwrap_or(Path::new("")).display());
        if view.execution.status.is_terminal() {
            eprintln!(
                "steadfast: resuming: execution {number} in {directory} had ended, and its result \
                 had not been written"
            );
        } else {
            let done = report::ended_tasks(engine, id).await?;
            eprintln!("steadfast: resuming execution {number} in {directory}, {done} tasks done");
        }
        if view.execution.definition != self.prepared.definition {
            let what = match &self.target.file {
                Some(file) => file.clone(),
                None => format!("`{}`", self.prepared.action),
            };
            eprintln!(
                "steadfast: {what} has changed since execution {number} was submitted; it goes on \
                 with the definition that it began with"
            );
        }
        Ok(())
    }

    /// Shows the progress until the end or a signal.
    async fn follow(
        &self,
        engine: &Engine,
        id: ExecutionId,
        signals: &mut Signals,
    ) -> Result<Came, Failure> {
        let view = engine.find(id).await?;
        let secrets = report::secrets_of(engine, &view).await?;
        let mut progress = Progress::new(id, secrets);
        let ended = engine.wait(id);
        tokio::pin!(ended);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let came = loop {
            tokio::select! {
                biased;
                code = signals.next() => break Came::ToASignal(code),
                view = &mut ended => break Came::ToItsEnd(Box::new(view?)),
                _ = tick.tick() => {
                    let looked = progress.look(engine).await;
                    looked.map_err(|error| self.store_failure(&error))?;
                }
            }
        };
        if let Came::ToItsEnd(_) = came {
            // What happened since the last look.
            let looked = progress.look(engine).await;
            looked.map_err(|error| self.store_failure(&error))?;
        }
        progress.close();
        Ok(came)
    }

    async fn deliver(
        &self,
        engine: &Engine,
        view: ExecutionView,
        ticket: Option<Ticket>,
    ) -> Result<Code, Failure> {
        let report = Report::gather(engine, view).await?;
        deliver(&report.render(self.setting.format))
            .map_err(|error| Failure::cannot_write(&error))?;
        if let Some(ticket) = ticket {
            let noted = ticket.delivered(engine).await;
            noted.map_err(|error| self.store_failure(&error))?;
        }
        if report.status == Status::Completed {
            return Ok(Code::Done);
        }
        let error = report.error.as_deref().unwrap_or("no reason was given");
        let (id, action, status) = (report.id, &report.action, report.status);
        Err(Failure::not_completed(format!("execution {id} ({action}) ended as {status}: {error}")))
    }

    fn how_to_go_on(&self, id: ExecutionId) -> String {
        let id = id.0;
        match self.data {
            Some(directory) => format!(
                "steadfast: execution {id} was stopped; the same command with --data {} goes on \
                 with it",
                directory.display()
            ),
            None => format!(
                "steadfast: execution {id} was stopped and its temporary data is removed; with \
                 --data DIR it could have gone on"
            ),
        }
    }

    fn store_failure(&self, error: &StoreError) -> Failure {
        let place = self.data.map_or_else(
            || "the temporary directory".to_owned(),
            |directory| directory.display().to_string(),
        );
        match error {
            StoreError::Full(reason) => Failure::environment(format!(
                "no space is left for {place}; make room and run the same command again ({reason})"
            )),
            other => Failure::environment(format!("the data in {place} cannot be used: {other}")),
        }
    }
}

/// How many executions are not over.
async fn unfinished(engine: &Engine) -> Result<u64, StoreError> {
    let counts = engine.query().count_by_status().await?;
    Ok(counts.into_iter().filter(|(status, _)| !status.is_terminal()).map(|(_, n)| n).sum())
}
