//! Founding a convoy on the roadside, letting others in, and being let in: what of it takes a disk or a network.

use super::door::{Door, Offer};
use super::keys::Keys;
use super::{Chance, kept, newcomer};
use crate::core::clock::Monotonic;
use crate::core::code::{CHANCE_BYTES, Code};
use crate::core::id::{ConvoyId, ConvoyName};
use crate::core::mesh::LanEvent;
use crate::core::request::Refusal;
use crate::core::roadside::{Invitation, Roadside};
use crate::core::signature::DeviceKey;
use crate::core::ticket::WallTime;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// Longest wait for being let in, within what a caller of the API waits.
const JOIN_WITHIN: Duration = Duration::from_secs(16);
/// What a convoy is called that nobody gave a name.
const NAME: &str = "convoy";

/// Does what people want of it, one at a time; clones are the same.
#[derive(Clone)]
pub struct Founding {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) folder: PathBuf,
    pub(super) code_valid_s: u32,
    pub(super) key: DeviceKey,
    pub(super) keys: Arc<Keys>,
    pub(super) chance: Chance,
    pub(super) clock: Arc<dyn Monotonic>,
    pub(super) events: mpsc::Sender<LanEvent>,
    pub(super) door: Mutex<Option<Door>>,
}

impl std::fmt::Debug for Founding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Founding")
    }
}

impl Founding {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The convoy that this car founded or was let into, and is in.
    #[must_use]
    pub fn kept(&self) -> Option<Roadside> {
        self.inner.keys.kept()
    }

    /// Founds a convoy when the car is in none, and names a new code for it; an older code is good no more.
    ///
    /// # Errors
    /// [`Refusal`] when the car is in another convoy, or when the disk or the network cannot be used.
    pub async fn found(
        &self,
        current: Option<ConvoyId>,
        name: Option<ConvoyName>,
        wall: WallTime,
    ) -> Result<Invitation, Refusal> {
        let inner = &self.inner;
        let mut door = inner.door.lock().await;
        let roadside = self.of(current, name, wall)?;
        if !roadside.ticket.may_vouch() {
            let problem = "too many cars stand between this one and the one that founded the convoy";
            return Err(Refusal::Denied(format!("{problem}; have a car that was in it earlier name the code")));
        }
        if inner.keys.kept().as_ref() != Some(&roadside) {
            self.keep(Some(roadside.clone())).await?;
        }
        *door = None;
        let chance = random(inner.chance)?;
        let code = Code::from_chance(std::array::from_fn::<u8, CHANCE_BYTES, _>(|n| {
            chance.get(n).copied().unwrap_or_default()
        }));
        let offer = Offer {
            code: code.clone(),
            roadside: roadside.clone(),
            key: inner.key.clone(),
            valid: Duration::from_secs(inner.code_valid_s.into()),
            clock: inner.clock.clone(),
            events: inner.events.clone(),
        };
        let opened = Door::open(offer).await;
        *door = Some(opened.map_err(|error| {
            Refusal::Failed(format!("nobody can be let in, as this machine's network cannot be used: {error}"))
        })?);
        tracing::info!("newcomers are let in by a code for a while");
        let Roadside { convoy, name, .. } = roadside;
        Ok(Invitation { convoy, name, code, valid_s: inner.code_valid_s })
    }

    /// Which convoy others are to be let into.
    fn of(&self, current: Option<ConvoyId>, name: Option<ConvoyName>, wall: WallTime) -> Result<Roadside, Refusal> {
        let kept = self.inner.keys.kept().filter(|kept| current.as_ref().is_none_or(|current| kept.convoy == *current));
        match (current, kept) {
            (Some(_), Some(kept)) if name.as_ref().is_none_or(|name| *name == kept.name) => Ok(kept),
            (Some(current), _) => Err(Refusal::Invalid(format!(
                "this car is in the convoy {current}; `jamzctl leave` it before you found another"
            ))),
            (None, _) => {
                let name = match name {
                    Some(name) => name,
                    None => ConvoyName::new(NAME).map_err(|error| Refusal::Failed(error.to_string()))?,
                };
                let chances = (random(self.inner.chance)?, random(self.inner.chance)?);
                Roadside::found(name, &self.inner.key, wall, chances)
                    .map_err(|error| Refusal::Failed(error.to_string()))
            }
        }
    }

    /// Has a car on this network let this one in; into which convoy.
    ///
    /// # Errors
    /// [`Refusal`] saying what to check.
    pub async fn join(&self, code: &Code) -> Result<Roadside, Refusal> {
        let mut door = self.inner.door.lock().await;
        let joined = tokio::time::timeout(JOIN_WITHIN, newcomer::join(code, &self.inner.key)).await;
        let roadside = joined.unwrap_or_else(|_| Err(newcomer::NotIn::Failed("it took too long".into())))?;
        if self.inner.keys.kept().as_ref() != Some(&roadside) {
            *door = None;
            self.keep(Some(roadside.clone())).await?;
        }
        Ok(roadside)
    }

    /// Forgets what is kept, unless it is this convoy's; its code is good no more.
    ///
    /// # Errors
    /// [`Refusal::Failed`] when the disk does not take that.
    pub async fn forget_all_but(&self, convoy: Option<&ConvoyId>) -> Result<(), Refusal> {
        let mut door = self.inner.door.lock().await;
        if self.inner.keys.kept().is_some_and(|kept| Some(&kept.convoy) != convoy) {
            *door = None;
            self.keep(None).await?;
        }
        Ok(())
    }

    /// The code is good no more, as the car ends.
    pub(super) fn close(&self) {
        // Who holds it is being let in somewhere else, and has no door.
        if let Ok(mut door) = self.inner.door.try_lock() {
            *door = None;
        }
    }

    async fn keep(&self, roadside: Option<Roadside>) -> Result<(), Refusal> {
        let (folder, to_write) = (self.inner.folder.clone(), roadside.clone());
        let written = tokio::task::spawn_blocking(move || match &to_write {
            Some(roadside) => kept::write(&folder, roadside),
            None => kept::forget(&folder),
        });
        let written = written.await.map_err(|error| error.to_string());
        written.and_then(|written| written.map_err(|error| error.to_string())).map_err(|problem| {
            Refusal::Failed(format!("the convoy's secret cannot be kept on this disk: {problem}"))
        })?;
        self.inner.keys.keep(roadside);
        Ok(())
    }
}

fn random(chance: Chance) -> Result<[u8; 32], Refusal> {
    chance().map_err(|error| Refusal::Failed(format!("the kernel gives no randomness: {error}")))
}
