//! Plain HTTP beside Socket.IO: the phones' page, `/healthz` for supervisors and `/metrics` for Prometheus.

use super::metrics::Metrics;
use crate::page::{self, File, GUARDS};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes.
pub fn router(metrics: Arc<Metrics>) -> Router {
    let health = {
        let metrics = Arc::clone(&metrics);
        move || std::future::ready(health(&metrics))
    };
    files().route("/healthz", get(health)).route("/metrics", get(move || std::future::ready(figures(&metrics))))
}

/// The phones' page.
fn files() -> Router {
    page::files().fold(Router::new(), |router, file| {
        let tag = file.tag();
        router.route(file.path, get(move |asked: HeaderMap| std::future::ready(answer(&asked, file, &tag))))
    })
}

fn answer(asked: &HeaderMap, file: File, tag: &str) -> Response {
    let is_known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let marks = [(header::CONTENT_TYPE, file.kind), (header::ETAG, tag)];
    if is_known {
        (StatusCode::NOT_MODIFIED, GUARDS, marks).into_response()
    } else {
        (GUARDS, marks, file.text).into_response()
    }
}

/// 200 while changes can be stored; 503 with the reason while they cannot. Redis may be away, and convoys go on.
fn health(metrics: &Metrics) -> Response {
    let problem = metrics.storage_problem();
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ok": problem.is_none(),
        "version": env!("CARGO_PKG_VERSION"),
        "connections": metrics.connections.get(),
        "convoys": metrics.convoys.get(),
        "members": metrics.members.get(),
        "storage": problem.as_deref().unwrap_or("ok"),
        "redis": metrics.redis().as_str(),
    });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn figures(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
