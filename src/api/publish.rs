//! Tells the bus what changed: property changes as the snapshots change, notices as signals.

use super::car::Car;
use super::interface::Quiet;
use super::interface::convoy::{Convoy, ConvoySignals};
use super::interface::diagnostics::Diagnostics;
use super::interface::library::Library;
use super::interface::player::{Player, PlayerSignals};
use super::interface::queue::Queue;
use super::mpris::player::{Player as MprisPlayer, PlayerSignals as _};
use super::mpris::root::Root;
use super::{PATH, mpris};
use crate::core::io::Notice;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use zbus::object_server::InterfaceRef;
use zbus::{Connection, OwnedVariant, Variant, fdo};

/// One interface and the property values that the bus was last told.
struct Shown<I> {
    interface: InterfaceRef<I>,
    values: BTreeMap<String, OwnedVariant>,
}

impl<I: Quiet> Shown<I> {
    async fn new(connection: &Connection, path: &'static str, interface: I) -> zbus::Result<Self> {
        connection.object_server().at(path, interface).await?;
        let interface = connection.object_server().interface::<_, I>(path).await?;
        let mut shown = Self { interface, values: BTreeMap::new() };
        shown.values = shown.read().await?;
        Ok(shown)
    }

    /// Signals what differs from the last time, in one signal.
    async fn publish(&mut self) -> zbus::Result<()> {
        let values = self.read().await?;
        let is_new = |name: &str, value: &OwnedVariant| {
            !I::QUIET.contains(&name) && self.values.get(name).is_none_or(|old| old != value)
        };
        let mut changed: HashMap<&str, Variant<'_>> = HashMap::new();
        for (name, value) in values.iter().filter(|(name, value)| is_new(name, value)) {
            changed.insert(name, Variant::try_from(value)?);
        }
        if !changed.is_empty() {
            let emitter = self.interface.signal_emitter();
            fdo::Properties::properties_changed(emitter, I::name(), changed, Cow::Borrowed(&[])).await?;
        }
        self.values = values;
        Ok(())
    }

    async fn read(&self) -> zbus::Result<BTreeMap<String, OwnedVariant>> {
        let emitter = self.interface.signal_emitter();
        let connection = emitter.connection();
        let interface = self.interface.get().await;
        let values = interface.get_all(connection.object_server(), connection, None, emitter).await?;
        Ok(values.into_iter().collect())
    }
}

/// All interfaces of one connection.
pub(super) struct Publisher {
    convoy: Shown<Convoy>,
    player: Shown<Player>,
    queue: Shown<Queue>,
    library: Shown<Library>,
    diagnostics: Shown<Diagnostics>,
    mpris_player: Shown<MprisPlayer>,
}

impl Publisher {
    /// Puts the objects on the connection.
    pub(super) async fn new(connection: &Connection, car: &Car) -> zbus::Result<Self> {
        connection.object_server().at(mpris::PATH, Root).await?;
        Ok(Self {
            convoy: Shown::new(connection, PATH, Convoy::new(car.clone())).await?,
            player: Shown::new(connection, PATH, Player::new(car.clone())).await?,
            queue: Shown::new(connection, PATH, Queue::new(car.clone())).await?,
            library: Shown::new(connection, PATH, Library::new(car.clone())).await?,
            diagnostics: Shown::new(connection, PATH, Diagnostics::new(car.clone())).await?,
            mpris_player: Shown::new(connection, mpris::PATH, MprisPlayer::new(car.clone())).await?,
        })
    }

    /// Signals the properties that have changed since the last time.
    pub(super) async fn publish(&mut self) -> zbus::Result<()> {
        self.convoy.publish().await?;
        self.player.publish().await?;
        self.queue.publish().await?;
        self.library.publish().await?;
        self.diagnostics.publish().await?;
        self.mpris_player.publish().await
    }

    pub(super) async fn notify(&self, notice: &Notice) -> zbus::Result<()> {
        let text = |text: &str| Variant::from(text.to_owned());
        let (kind, details) = match notice {
            Notice::Seeked { position_us } => {
                self.player.interface.seeked(*position_us).await?;
                return self.mpris_player.interface.seeked(*position_us).await;
            }
            Notice::BackOnline => ("back-online", BTreeMap::new()),
            Notice::MeshMode => ("mesh-mode", BTreeMap::new()),
            Notice::OfflineMode { reason } => ("offline-mode", BTreeMap::from([("reason", text(reason))])),
            Notice::TrackSkipped { track, problem } => {
                ("track-skipped", BTreeMap::from([("track", text(track)), ("problem", text(problem))]))
            }
            Notice::CodeBurnt => {
                let advice = "the code was guessed wrong too often; `jamzctl found` names a new one";
                ("code-burnt", BTreeMap::from([("advice", text(advice))]))
            }
            Notice::Superseded { change, reason } => {
                let change = change.to_string();
                ("superseded", BTreeMap::from([("change", text(&change)), ("reason", text(reason))]))
            }
            Notice::Muted { member, reason } => {
                ("muted", BTreeMap::from([("member", text(member)), ("reason", text(reason))]))
            }
        };
        self.convoy.interface.notice(kind, details).await
    }
}
