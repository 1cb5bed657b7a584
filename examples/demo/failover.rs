//! How long a control takes that is given at the very moment when the road changes: a network is cut or comes back, the
//! server or a car is gone.

use super::convoy::Convoy;
use super::drive::now_s;
use anyhow::Result;
use jamz::api::client::Client;
use jamz::core::changes::ChangeId;
use serde::Serialize;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(10);
/// Controls that may have been given since; more when somebody does a great deal else meanwhile.
const HISTORY: u32 = 16;
const HISTORY_MAX: u32 = 4_096;

/// From the change of the road to the moment when a control given then is applied in every car that is on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failover {
    /// What changed, as a script says it.
    pub by: String,
    /// The tier before.
    pub from: String,
    /// The tier after.
    pub to: String,
    /// Infinite (`null` in JSON) when it is not applied everywhere in the end.
    pub ms: f64,
}

impl Failover {
    /// Whether cars that could not reach each other can again, which takes new links.
    pub fn is_reunion(&self) -> bool {
        self.from == "offline"
    }
}

/// Reads every car's history on connections of its own, so that a control can be given meanwhile.
pub struct Watch {
    cars: Vec<Watched>,
    /// Some cars were away, and may be given the state.
    reunites: bool,
}

struct Watched {
    client: Client,
    /// So much of the history is read the next time.
    history: u32,
    /// Since when each change counts there.
    applied_s: BTreeMap<String, f64>,
    /// How many changes its state is made of, since when. Who was away is given the state, and not each change.
    count: u64,
    counted_s: f64,
}

impl Watch {
    /// Of all cars that are on, `except` one that is about to be off.
    ///
    /// # Errors
    /// When a car does not answer.
    pub async fn begin(convoy: &Convoy, except: Option<usize>) -> Result<Self> {
        let reunites = !convoy.is_together();
        let mut watched = Vec::new();
        for car in convoy.cars.iter().filter(|car| car.is_on() && Some(car.number) != except) {
            let client = car.another_client().await?;
            let (history, applied_s) = (HISTORY, BTreeMap::new());
            watched.push(Watched { client, history, applied_s, count: 0, counted_s: now_s() });
        }
        Ok(Self { cars: watched, reunites })
    }

    /// Waits until the changes that are `given` meanwhile count in every car; by the monotonic clock, none when that
    /// takes longer than `wait_s`.
    ///
    /// # Errors
    /// When a car does not answer.
    pub async fn applied_everywhere(mut self, given: &OnceCell<Vec<ChangeId>>, wait_s: f64) -> Result<Option<f64>> {
        let give_up_s = now_s() + wait_s;
        while now_s() < give_up_s {
            let begun_s = now_s();
            for watched in &mut self.cars {
                let lacks = given.get().is_none_or(|ids| watched.since_s(ids).is_none());
                // What the car that made them is given by the others grows its count, too.
                if lacks || self.reunites {
                    watched.look(self.reunites).await?;
                }
            }
            match given.get() {
                Some(ids) if ids.is_empty() => return Ok(None),
                Some(ids) => {
                    if let Some(applied_s) = self.since_s(ids) {
                        return Ok(Some(applied_s));
                    }
                }
                None => {}
            }
            // The cars have to do more than to answer.
            tokio::time::sleep(POLL.max(Duration::from_secs_f64(now_s() - begun_s))).await;
        }
        Ok(None)
    }

    /// Since when these changes count everywhere.
    fn since_s(&self, ids: &[ChangeId]) -> Option<f64> {
        // Whose state is made of as many changes as that of the car that made these knows them as well.
        let count =
            self.cars.iter().filter(|watched| watched.since_s(ids).is_some()).map(|watched| watched.count).max()?;
        let since_s = |watched: &Watched| {
            let by_state = (self.reunites && watched.count == count).then_some(watched.counted_s);
            watched.since_s(ids).or(by_state)
        };
        let times_s: Option<Vec<f64>> = self.cars.iter().map(since_s).collect();
        times_s?.into_iter().reduce(f64::max)
    }
}

impl Watched {
    async fn look(&mut self, counts: bool) -> Result<()> {
        let history = self.client.history(self.history).await?;
        self.history = (2 * self.history).min(HISTORY_MAX);
        let seen_s = now_s();
        // Its author has it as pending until an authority has said yes; it counts there all the same.
        for entry in history.into_iter().filter(|entry| matches!(entry.state.as_str(), "applied" | "pending")) {
            self.applied_s.entry(entry.id).or_insert(seen_s);
        }
        if counts {
            let count = self.client.status().await?.changes.applied;
            if count != self.count {
                (self.count, self.counted_s) = (count, now_s());
            }
        }
        Ok(())
    }

    /// Since when all of them count here.
    fn since_s(&self, ids: &[ChangeId]) -> Option<f64> {
        let times_s: Option<Vec<f64>> = ids.iter().map(|id| self.applied_s.get(&id.to_string()).copied()).collect();
        times_s?.into_iter().reduce(f64::max)
    }
}
