//! Offers the API on a bus, and offers it again when the bus went away and came back.

use super::call::{Call, Queue};
use super::car::Car;
use super::error::ApiError;
use super::publish::Publisher;
use super::{BUS_NAME, bus, mpris};
use crate::core::clock::Monotonic;
use crate::core::io::Notice;
use crate::core::status::Status;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use zbus::fdo::{self, RequestNameFlags};
use zbus::{Address, Connection};

/// A bus that takes longer than this to answer is as good as none.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Waits between attempts to come back to a bus that went away: the first, and the longest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Where to offer the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `system`, `session`, or a D-Bus address.
    pub bus: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { bus: "system".into() }
    }
}

impl Config {
    /// Checks all that can be checked without a bus.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn check(&self) -> Result<(), ConfigError> {
        let is_known = matches!(self.bus.as_str(), "system" | "session");
        if is_known || Address::try_from(self.bus.as_str()).is_ok() {
            Ok(())
        } else {
            Err(ConfigError(self.bus.clone()))
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bus is {0:?}; write \"system\", \"session\", or a D-Bus address such as \"unix:path=/run/dbus/bus\"")]
pub struct ConfigError(String);

/// What joins the API to the loop that runs the core.
pub struct Ports {
    /// Every request, once. At most 64 are under way; who comes on top of them is told "busy".
    pub calls: mpsc::Sender<Call>,
    /// The newest snapshot; `Status::taken_us` is read with `clock`.
    pub status: watch::Receiver<Arc<Status>>,
    /// The newest playlist. Set it before the status that has its revision.
    pub queue: watch::Receiver<Arc<Queue>>,
    pub notices: broadcast::Receiver<Notice>,
    pub clock: Arc<dyn Monotonic>,
}

/// The API while it is offered; dropping it takes it off the bus.
#[derive(Debug)]
pub struct Api {
    task: JoinHandle<()>,
}

impl Api {
    /// Ends when the API does: because the daemon closed its side of the ports.
    pub async fn closed(&mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes the names on the bus and answers there until dropped. A bus that goes away later does not stop the music: the
/// API comes back with the bus by itself.
///
/// # Errors
/// [`ApiError`] when there is no such bus now, the names are taken, or the bus's policy forbids them.
pub async fn serve(config: Config, ports: Ports) -> Result<Api, ApiError> {
    let Ports { calls, status, queue, notices, clock } = ports;
    let car = Car::new(calls, status.clone(), queue.clone(), clock);
    let (connection, publisher) = offer(&config.bus, &car).await?;
    let mut feeds = Feeds { status, queue, notices };
    let task = tokio::spawn(async move {
        let mut offered = Some((connection, publisher));
        while let Some((connection, publisher)) = offered {
            if feeds.follow(&connection, publisher).await == Ended::Daemon {
                return;
            }
            tracing::warn!(bus = config.bus, "the bus went away; the music goes on, the API waits for the bus");
            drop(connection);
            offered = return_to(&config.bus, &car, &mut feeds).await;
        }
    });
    Ok(Api { task })
}

/// Why an offer ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Bus,
    Daemon,
}

/// What the daemon tells.
struct Feeds {
    status: watch::Receiver<Arc<Status>>,
    queue: watch::Receiver<Arc<Queue>>,
    notices: broadcast::Receiver<Notice>,
}

impl Feeds {
    /// Tells the bus what happens until one of both is gone.
    async fn follow(&mut self, connection: &Connection, mut publisher: Publisher) -> Ended {
        loop {
            // In this order: a notice comes after the properties that belong to it.
            let told = tokio::select! {
                biased;
                () = connection.closed() => return Ended::Bus,
                changed = self.status.changed() => match changed {
                    Ok(()) => publisher.publish().await,
                    Err(_) => return Ended::Daemon,
                },
                changed = self.queue.changed() => match changed {
                    Ok(()) => publisher.publish().await,
                    Err(_) => return Ended::Daemon,
                },
                notice = self.notices.recv() => match notice {
                    Ok(notice) => publisher.notify(&notice).await,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        tracing::warn!(missed, "the bus was too slow for some notices; the status has what they led \
                            to");
                        Ok(())
                    }
                    Err(broadcast::error::RecvError::Closed) => return Ended::Daemon,
                },
            };
            match told {
                Ok(()) => {}
                Err(error) if connection.is_closed() || bus::is_unreachable(&error) => return Ended::Bus,
                Err(error) => tracing::error!(%error, "a change could not be told to the bus"),
            }
        }
    }
}

/// Tries without end to offer the API again; none when the daemon has ended meanwhile.
async fn return_to(name: &str, car: &Car, feeds: &mut Feeds) -> Option<(Connection, Publisher)> {
    let mut wait = RETRY_MIN;
    loop {
        tokio::time::sleep(wait).await;
        // Nobody is there to hear them; what they led to is in the status.
        feeds.notices = feeds.notices.resubscribe();
        if feeds.status.has_changed().is_err() {
            return None;
        }
        match offer(name, car).await {
            Ok(offered) => {
                tracing::info!(bus = name, "the bus is back, and so is the API");
                return Some(offered);
            }
            Err(error) => tracing::debug!(%error, wait_ms = wait.as_millis(), "the API is not back yet"),
        }
        wait = (wait * 2).min(RETRY_MAX);
    }
}

/// Connects, puts the objects there, and then takes the names, so that whoever finds a name finds the objects too.
async fn offer(name: &str, car: &Car) -> Result<(Connection, Publisher), ApiError> {
    let connection = bus::builder(name).method_timeout(ANSWER_MAX).build().await.map_err(|error| {
        let (bus, problem) = (name.to_owned(), error.to_string());
        if bus::is_unreachable(&error) {
            ApiError::Unreachable { bus, problem }
        } else {
            ApiError::Bus { bus, problem }
        }
    })?;
    let failed = |error: zbus::Error| ApiError::Bus { bus: name.to_owned(), problem: error.to_string() };
    let publisher = Publisher::new(&connection, car).await.map_err(failed)?;
    for well_known in [BUS_NAME, mpris::BUS_NAME] {
        connection.request_name_with_flags(well_known, RequestNameFlags::DO_NOT_QUEUE).await.map_err(|error| {
            let bus = name.to_owned();
            match error {
                zbus::Error::NameTaken => ApiError::NameTaken { bus, name: well_known },
                zbus::Error::FDO(fdo) if matches!(*fdo, fdo::Error::AccessDenied(_)) => {
                    ApiError::NotAllowed { bus, name: well_known }
                }
                other => failed(other),
            }
        })?;
    }
    Ok((connection, publisher))
}
