//! HOSTS: `jamz-server`, the authority of convoys while there is an internet.
//!
//! A connection's own task reads and bounds what a client says ([`connection`], [`events`]); one task owns all convoys
//! and decides in turn ([`switchboard`], [`convoys`]); nothing is told before it is durable ([`storage`]).

pub mod args;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod convoys;
mod events;
pub mod http;
pub mod limits;
pub mod metrics;
mod phones;
pub mod probe;
pub mod revoked;
pub mod rooms;
pub mod secret;
pub mod storage;
pub mod switchboard;
pub mod token;

use crate::core::clock::Monotonic;
use crate::host::{self, MonotonicClock};
use anyhow::{Context, Result};
use args::{Action, Arguments};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use cluster::{Cluster, InstanceId, Link};
use config::Config;
use connection::Entrance;
use convoys::Convoys;
use metrics::{Metrics, RedisState};
use revoked::Watch;
use secret::Absent;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use switchboard::{Inbound, Switchboard};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Closing takes no longer than this.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// A client that opens a connection and does not say who it is.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Does what the command line asks.
///
/// # Errors
/// What went wrong, in words for whoever runs the server.
pub fn main(arguments: &Arguments) -> Result<()> {
    let config = arguments.options.config()?;
    host::log::start(&config.log).context("`log`")?;
    match &arguments.action {
        Some(Action::Token(token)) => {
            writeln!(std::io::stdout(), "{}", token.issue(&config)?)?;
            Ok(())
        }
        Some(Action::Revoke(revoke)) => {
            revoke.note(&config)?;
            writeln!(std::io::stdout(), "noted; a running server acts on it within seconds")?;
            Ok(())
        }
        None if arguments.check_config => {
            writeln!(std::io::stdout(), "the configuration is good")?;
            Ok(())
        }
        None => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(config)),
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Why it could not start.
pub async fn run(config: Config) -> Result<()> {
    // First of all: whoever reads that it listens may ask it to end.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let state = secret::state_directory(&config)?;
    let keys = if config.open { None } else { Some(secret::keys(&config, &state, Absent::Make)?) };
    let clock: Arc<dyn Monotonic> = Arc::new(MonotonicClock);
    let metrics = Arc::new(Metrics::new(Arc::clone(&clock)));
    let issuer = secret::ticket_key(&config, &state)?;
    let shares = config.redis.is_some();
    let convoys = Convoys::new(Storage::open(&state)?, host::boot_id(), Arc::clone(&metrics), shares).issuing(issuer);
    let (inbox, asked) = mpsc::channel(limits::INBOX_MAX);
    let (stop, stopping) = watch::channel(false);
    let cluster = config.redis.as_deref().map(|url| join_cluster(url, &inbox, &metrics)).transpose()?;
    let switchboard = Switchboard::new(convoys, cluster, inbox.clone(), Arc::clone(&clock), Arc::clone(&metrics));
    let switchboard = tokio::spawn(switchboard.watching(Watch::new(&state)).run(asked, stopping));
    let entrance = Arc::new(Entrance {
        keys,
        phones_without_token: config.phones_without_token,
        inbox,
        clock,
        metrics: Arc::clone(&metrics),
    });
    let (layer, io) = socket_io(&config, entrance);
    await_redis(&metrics).await;
    let router = http::router(metrics).layer(layer).layer(axum::middleware::from_fn(from_any_page));

    let listener = TcpListener::bind(&config.listen).await.with_context(|| format!("`listen` {}", config.listen))?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| {
        // A control must not wait for the next one to fill a packet.
        let _ = stream.set_nodelay(true);
    });
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    std::io::stdout().flush()?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    if config.open {
        tracing::warn!("open: anyone who can reach this server may join any convoy");
    }
    let mut switchboard = switchboard;
    let serving = axum::serve(listener, router);
    tokio::select! {
        result = serving.into_future() => result?,
        ended = &mut switchboard => return ended.context("the task that owns the convoys ended"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let _ = tokio::time::timeout(CLOSE_WITHIN, io.close()).await;
    stop.send_replace(true);
    tokio::time::timeout(CLOSE_WITHIN, switchboard).await.context("storing the state took too long")??;
    Ok(())
}

fn join_cluster(url: &str, inbox: &mpsc::Sender<Inbound>, metrics: &Metrics) -> Result<Cluster> {
    let me = InstanceId(host::random_hex(8)?);
    metrics.set_redis(RedisState::Disconnected);
    let link = Link::open(url, me.clone(), inbox.clone()).context("`redis`")?;
    Ok(Cluster::new(link, me))
}

/// Gives Redis a moment, so that the first clients come to convoys as they are; without it, each goes on alone for now.
async fn await_redis(metrics: &Metrics) {
    for _ in 0..20 {
        if metrics.redis() != RedisState::Disconnected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn socket_io(config: &Config, entrance: Arc<Entrance>) -> (socketioxide::layer::SocketIoLayer, SocketIo) {
    let (layer, io) = SocketIo::builder()
        .ping_interval(config.ping_interval())
        .ping_timeout(config.ping_timeout())
        .connect_timeout(HANDSHAKE_WITHIN)
        .max_payload(limits::PAYLOAD_BYTES_MAX)
        .ws_max_message_size(limits::PAYLOAD_BYTES_MAX as usize)
        .ws_max_frame_size(limits::PAYLOAD_BYTES_MAX as usize)
        .max_buffer_size(limits::OUTBOX_MAX)
        .build_layer();
    let admit = move |socket: SocketRef, auth: TryData<Value>| {
        let admitted = entrance.admit(&socket, auth.0.ok().as_ref());
        std::future::ready(admitted)
    };
    let welcome = |socket: SocketRef| {
        connection::welcome(&socket);
        std::future::ready(())
    };
    io.ns("/", welcome.with(admit));
    (layer, io)
}

/// Lets web pages of any origin speak Socket.IO with the server, as who they are is proved by token and never by
/// cookie. Its figures and its page are nobody else's.
async fn from_any_page(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    if !request.uri().path().starts_with("/socket.io/") {
        return next.run(request).await;
    }
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    let any = header::HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, header::HeaderValue::from_static("GET, POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, any);
    }
    response
}
