//! Asking another process over HTTP whether its worker moves.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::{Incarnation, WorkerId, WorkerName};
use steadfast_services::port::Answer;
use ureq::Agent;

/// Where a worker is asked.
pub(crate) const PATH: &str = "/health/worker";

/// The largest answer that is read.
const ANSWER_MAX: u64 = 64 << 10;

/// What a worker says of itself.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Words {
    /// The worker's name; none while it is not registered.
    pub(crate) worker: Option<String>,
    /// Which process of that name it is.
    pub(crate) incarnation: Option<u64>,
    /// Whether it moves.
    pub(crate) moves: bool,
    /// What does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

/// Asks. Nothing is kept between two questions, so that a connection that died meanwhile is no silence.
#[derive(Debug)]
pub(crate) struct Prober(Agent);

impl Default for Prober {
    fn default() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The addresses are those of a deployment's own processes.
            .proxy(None)
            .max_idle_connections(0);
        Self(config.build().new_agent())
    }
}

impl Prober {
    /// Asks whoever is at `address`.
    pub(crate) async fn ask(&self, address: &str, patience: Duration) -> Answer {
        if address.contains(['/', '@', '?', '#']) {
            return Answer::Silence;
        }
        let (agent, url) = (self.0.clone(), format!("http://{address}{PATH}"));
        let ask = move || {
            let request = agent.get(url).config().timeout_global(Some(patience)).build();
            let mut answer = request.call()?;
            answer.body_mut().with_config().limit(ANSWER_MAX).read_json::<Words>()
        };
        let said = tokio::time::timeout(patience, tokio::task::spawn_blocking(ask)).await;
        match said {
            Ok(Ok(Ok(words))) => understand(words),
            Ok(Ok(Err(error))) => {
                tracing::debug!(address, %error, "a worker did not say whether it moves");
                Answer::Silence
            }
            Ok(Err(_)) | Err(_) => Answer::Silence,
        }
    }
}

fn understand(words: Words) -> Answer {
    let Words { worker: Some(name), incarnation: Some(incarnation), moves, detail } = words else {
        return Answer::Silence;
    };
    let id = WorkerId { name: WorkerName::new(&name), incarnation: Incarnation(incarnation) };
    if moves { Answer::Moves(id) } else { Answer::Hangs(id, detail.unwrap_or_default()) }
}
