//! Who a car is, and what it starts from.

use crate::core::changes::Change;
use crate::core::id::{ConvoyId, DeviceId, UserId};
use crate::core::io::Saved;
use crate::core::mesh::MeshSettings;
use crate::core::signature::DeviceKey;

/// Who this car is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The device's own key; its device id follows from it.
    pub key: DeviceKey,
    pub user: UserId,
    /// As people call the car.
    pub name: String,
    pub version: String,
}

impl Identity {
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        self.key.device()
    }
}

/// What the car starts from.
#[derive(Debug, Clone)]
pub struct Start {
    pub identity: Identity,
    /// The convoy that the configuration names, if it does.
    pub convoy: Option<ConvoyId>,
    /// Whether a server is configured: then the car waits a little for it before it plays alone.
    pub has_server: bool,
    /// The way there is over a satellite, whatever it looks like.
    pub satellite: bool,
    pub mesh: MeshSettings,
    pub saved: Option<Saved>,
    /// Changes that count and that `saved` may lack, in order.
    pub tail: Vec<Change>,
    /// Own changes that no authority has acknowledged, in order.
    pub pending: Vec<Change>,
    /// The changes of late that count, of whomever, in order: other members may lack them.
    pub recent: Vec<Change>,
    /// The last sequence number that an own change ever had.
    pub sequence: u64,
    /// Whether the machine has not rebooted since `saved`: then its clock still holds.
    pub same_boot: bool,
}
