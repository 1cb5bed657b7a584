//! How long a control takes that is given at the very moment when a network is cut or comes back.

use super::convoy::Convoy;
use super::drive::now_s;
use anyhow::Result;
use jamz::api::client::Client;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(10);
const WAIT_S_MAX: f64 = 10.0;
/// Controls that may have been given a moment before.
const HISTORY: u32 = 16;

/// From the cut to the moment when a control given then is applied in every car that is on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failover {
    /// The tier before.
    pub from: String,
    /// The tier after.
    pub to: String,
    pub ms: f64,
}

/// Reads every car's history on connections of its own, so that a control can be given meanwhile.
pub struct Watch {
    clients: Vec<Client>,
    known: BTreeSet<String>,
}

impl Watch {
    /// # Errors
    /// When a car does not answer.
    pub async fn begin(convoy: &Convoy) -> Result<Self> {
        let mut watch = Self { clients: Vec::new(), known: BTreeSet::new() };
        for car in convoy.cars.iter().filter(|car| car.is_on()) {
            let client = car.another_client().await?;
            watch.known.extend(client.history(HISTORY).await?.into_iter().map(|entry| entry.id));
            watch.clients.push(client);
        }
        Ok(watch)
    }

    /// Waits until every car has one and the same new change; by the monotonic clock, none when that takes too long.
    ///
    /// # Errors
    /// When a car does not answer.
    pub async fn applied_everywhere(self) -> Result<Option<f64>> {
        let give_up_s = now_s() + WAIT_S_MAX;
        let mut waiting = self.clients;
        let mut new: Option<BTreeSet<String>> = None;
        while now_s() < give_up_s {
            let mut late = Vec::new();
            for client in waiting {
                let here: BTreeSet<String> = client
                    .history(HISTORY)
                    .await?
                    .into_iter()
                    // Its author has it as pending until an authority has said yes; it counts there all the same.
                    .filter(|entry| matches!(entry.state.as_str(), "applied" | "pending"))
                    .map(|entry| entry.id)
                    .filter(|id| !self.known.contains(id) && new.as_ref().is_none_or(|new| new.contains(id)))
                    .collect();
                if here.is_empty() {
                    late.push(client);
                } else {
                    new = Some(here);
                }
            }
            if late.is_empty() {
                return Ok(Some(now_s()));
            }
            waiting = late;
            tokio::time::sleep(POLL).await;
        }
        Ok(None)
    }
}
