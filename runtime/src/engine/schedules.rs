//! Schedules: what an engine submits again and again.

use std::sync::Arc;

use steadfast_core::schedule::{Plan, Schedule, ScheduleName};
use steadfast_services::port::Query;
use steadfast_services::service::schedule::{self, Order, Taken};

use super::{Engine, EngineError};

impl Engine {
    /// Creates a schedule. The same one again is found and left as it is; whether it is new.
    ///
    /// # Errors
    /// If its action is unknown or its parameters do not fit, it would never be due, there is
    /// another one of this name, or the store cannot be reached.
    pub async fn create_schedule(
        &self,
        name: &str,
        plan: Plan,
    ) -> Result<(Schedule, bool), EngineError> {
        self.prepare(plan.action.as_str(), plan.parameters.clone())?;
        let created = schedule::create(self.env(), ScheduleName::new(name), Arc::new(plan)).await?;
        created.map_err(|taken| match taken {
            Taken::Different => EngineError::ScheduleExists(name.to_owned()),
            Taken::Impossible(problem) => EngineError::Timing(problem),
        })
    }

    /// Pauses, resumes or removes a schedule. What is due while it is paused is left out.
    ///
    /// # Errors
    /// If there is none, it is in no state for that, or the store cannot be reached.
    pub async fn tell_schedule(&self, name: &str, order: Order) -> Result<Schedule, EngineError> {
        let answer = schedule::tell(self.env(), ScheduleName::new(name), order).await?;
        Ok(answer.ok_or_else(|| EngineError::UnknownSchedule(name.to_owned()))??)
    }

    /// A schedule.
    ///
    /// # Errors
    /// If there is none, or the store cannot be read.
    pub async fn find_schedule(&self, name: &str) -> Result<Schedule, EngineError> {
        let found = self.query().schedule(&ScheduleName::new(name)).await?;
        found.ok_or_else(|| EngineError::UnknownSchedule(name.to_owned()))
    }
}
