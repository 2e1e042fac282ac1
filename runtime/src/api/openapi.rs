//! The routes, and the document that is made of them: what is registered is described, because
//! there is no other way to register it.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, PathItem};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::ProblemBody;
use super::{
    ApiState, actions, effects, executions, health, inspect, parked, schedules, stream, transports,
    workers,
};

/// Where the API is.
pub(crate) const PREFIX: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Steadfast",
        description = "A workflow and queue engine that dispatches each piece of work once and \
                       never leaves a slot stuck. Every error is an RFC 9457 problem.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&Bearer),
    security(("bearer" = [])),
)]
struct Frame;

/// Tokens, if any are configured.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token of the configuration, with the role viewer (looks), operator (acts) or \
                 admin; not needed while no tokens are configured",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let open: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::new("bearer", open)]);
    }
}

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    let api = OpenApiRouter::new()
        .routes(routes!(executions::submit, executions::list))
        .routes(routes!(stream::stream))
        .routes(routes!(executions::get))
        .routes(routes!(executions::cancel))
        .routes(routes!(executions::retry))
        .routes(routes!(inspect::tasks))
        .routes(routes!(inspect::logs))
        .routes(routes!(inspect::explain))
        .routes(routes!(actions::list))
        .routes(routes!(actions::get))
        .routes(routes!(actions::queue_stats))
        .routes(routes!(actions::set_limit))
        .routes(routes!(actions::pause))
        .routes(routes!(actions::resume))
        .routes(routes!(workers::list))
        .routes(routes!(workers::drain))
        .routes(routes!(workers::cordon))
        .routes(routes!(workers::uncordon))
        .routes(routes!(schedules::create, schedules::list))
        .routes(routes!(schedules::get, schedules::remove))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(effects::list))
        .routes(routes!(effects::retry))
        .routes(routes!(effects::discard))
        .routes(routes!(transports::list))
        .routes(routes!(parked::list))
        .routes(routes!(parked::get))
        .routes(routes!(parked::replay))
        .routes(routes!(parked::discard))
        .routes(routes!(document))
        .merge(watched());
    // Probes and scrapers look for these at the root.
    OpenApiRouter::with_openapi(Frame::openapi()).nest(PREFIX, api).merge(watched())
}

/// What probes and scrapers ask for.
pub(crate) fn watched() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::detailed))
        .routes(routes!(health::metrics))
}

/// What a process answers that has no API.
pub(crate) fn probed() -> OpenApiRouter<ApiState> {
    watched().routes(routes!(health::worker))
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "health",
    responses((status = 200, description = "This document", body = Object)),
    security(())
)]
pub(crate) async fn document(State(state): State<ApiState>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], state.document().to_owned()).into_response()
}

/// Gives every operation a name of its own, although some are served at two paths and handlers of
/// different modules are called alike.
pub(crate) fn finish(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
        }
    }
    document
}

fn operations(
    item: &mut PathItem,
) -> impl Iterator<Item = (&'static str, &mut utoipa::openapi::path::Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Such as `post_executions_id_cancel`.
fn operation_id(method: &str, path: &str) -> String {
    let (prefix, path) = match path.strip_prefix(PREFIX) {
        Some(path) => (method.to_owned(), path),
        None => (format!("root_{method}"), path),
    };
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(prefix, |id, word| id + "_" + word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let (_, document) = routes().split_for_parts();
        let mut document = finish(document);
        let mut names = Vec::new();
        for item in document.paths.paths.values_mut() {
            names.extend(operations(item).filter_map(|(_, o)| o.operation_id.clone()));
        }
        assert!(names.contains(&String::from("post_executions_id_cancel")), "{names:?}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
