//! `com.trafficjamz.HeadUnit1.Convoy`: who drives together, who leads, and over what they hear each other.

use super::Quiet;
use super::row::MemberRow;
use crate::api::call::{Answer, Request};
use crate::api::car::{Car, unexpected};
use crate::api::error::Error;
use crate::core::code::Code;
use crate::core::id::{ConvoyId, ConvoyName};
use crate::core::request::{Command, Gathering, InvitationLink};
use crate::core::roadside::Invitation;
use crate::core::ticket::Role;
use std::collections::BTreeMap;
use zbus::object_server::SignalEmitter;
use zbus::{Variant, interface};

pub(crate) struct Convoy {
    car: Car,
}

impl Convoy {
    pub(crate) fn new(car: Car) -> Self {
        Self { car }
    }
}

impl Quiet for Convoy {
    const QUIET: &'static [&'static str] = &["RoundTripUs"];
}

/// Every method that changes something returns how far the change has come ("convoy": the authority has it, or it
/// concerns this car alone; "local": it is durable here and is sent when a link returns) and the ids of the changes it
/// made.
#[interface(
    name = "com.trafficjamz.HeadUnit1.Convoy",
    proxy(
        default_service = "com.trafficjamz.HeadUnit1",
        default_path = "/com/trafficjamz/HeadUnit1",
        visibility = "pub(crate)"
    )
)]
impl Convoy {
    /// Joins a convoy, leaving the one before.
    #[zbus(out_args("reach", "changes"))]
    async fn join(&self, convoy: String) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Join { convoy: ConvoyId::new(convoy)? }).await
    }

    /// Founds a convoy on the roadside, with this name or (when empty) none in particular; or lets others into the
    /// founded convoy that this car is in already. Returns the convoy's id and name, and the code that others on this
    /// network join by within so many seconds; an older code is good no more.
    #[zbus(out_args("convoy", "name", "code", "valid_s"))]
    async fn found(&self, name: String) -> Result<(String, String, String, u32), Error> {
        let name = if name.is_empty() { None } else { Some(ConvoyName::new(name)?) };
        match self.car.ask(Request::Gathering(Gathering::Found { name })).await? {
            Answer::Invitation(Invitation { convoy, name, code, valid_s }) => {
                Ok((convoy.into(), name.into(), code.text(), valid_s))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Joins the convoy of a car on this network that has named this code: four words, leaving the one before. Takes
    /// some seconds.
    #[zbus(out_args("reach", "changes"))]
    async fn join_by_code(&self, code: String) -> Result<(String, Vec<String>), Error> {
        let code = Code::parse(&code).map_err(|error| Error::Invalid(error.to_string()))?;
        self.car.done(Request::Gathering(Gathering::Join { code })).await
    }

    /// Leaves the convoy, and forgets its secret if it was founded on the roadside.
    #[zbus(out_args("reach", "changes"))]
    async fn leave(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Leave).await
    }

    /// Takes control of playback: this car is the DJ's from now on.
    #[zbus(out_args("reach", "changes"))]
    async fn take(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Take).await
    }

    #[zbus(out_args("reach", "changes"))]
    async fn release(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Release).await
    }

    /// A link by which a phone's browser joins this convoy: whoever has it is let in until it expires (seconds since
    /// 1970; 0 where links do not expire, or nobody knows the time). The role is "dj" or "listener"; with an empty
    /// one, it is as much as this car may itself. Without a server, a link of a convoy that was founded on the roadside
    /// leads to this car, and is the first phone's that comes by it; then there is one by each further address.
    #[zbus(out_args("link", "others", "role", "expires_unix_s"))]
    async fn invite(&self, role: String) -> Result<(String, Vec<String>, String, u64), Error> {
        let wanted = match role.as_str() {
            "" => None,
            "dj" => Some(Role::Dj),
            "listener" => Some(Role::Listener),
            other => return Err(Error::Invalid(format!("{other:?} is no role of a guest; use dj or listener"))),
        };
        let InvitationLink { link, others, role, expires_unix_s } = self.car.invite(wanted).await?;
        Ok((link, others, role.as_str().into(), expires_unix_s.unwrap_or_default()))
    }

    /// The members, each with device, user, name, online, and kind ("car" or "phone"); whom this car does not hear for
    /// a time has muted, which says why, and muted_until_us, by this machine's monotonic clock, as well.
    #[zbus(out_args("members"))]
    fn who(&self) -> Vec<MemberRow> {
        self.members()
    }

    /// The convoy's id; empty while in none.
    #[zbus(property)]
    fn convoy(&self) -> String {
        self.car.status().convoy.clone().unwrap_or_default()
    }

    /// The device that may control playback; empty when nobody leads, and then anyone may.
    #[zbus(property)]
    fn controller(&self) -> String {
        self.car.status().controller.clone().unwrap_or_default()
    }

    /// Whether the controller is this car.
    #[zbus(property)]
    fn is_controller(&self) -> bool {
        self.car.status().is_controller
    }

    #[zbus(property)]
    fn members(&self) -> Vec<MemberRow> {
        MemberRow::of(&self.car.status())
    }

    /// Path to the server: "connected", "degraded", "disconnected".
    #[zbus(property, name = "SocketIO")]
    fn socket_io(&self) -> String {
        self.car.status().connection.socket_io.as_str().into()
    }

    /// Links to other members: "connecting", "connected", "failed", by device.
    #[zbus(property, name = "WebRTC")]
    fn web_rtc(&self) -> BTreeMap<String, String> {
        let status = self.car.status();
        status.connection.web_rtc.iter().map(|(peer, state)| (peer.clone(), state.as_str().into())).collect()
    }

    /// Which tier decides: "socket", "webrtc", "offline".
    #[zbus(property)]
    fn active_sync(&self) -> String {
        self.car.status().connection.active_sync.as_str().into()
    }

    /// Why that tier, in words.
    #[zbus(property)]
    fn reason(&self) -> String {
        self.car.status().connection.reason.clone()
    }

    /// Round trip to the server, in microseconds; -1 while it does not answer.
    #[zbus(property(emits_changed_signal = "false"))]
    fn round_trip_us(&self) -> i64 {
        self.car.status().connection.round_trip_us.unwrap_or(-1)
    }

    /// What the server speaks: "jamz" or "backend"; empty until it has shown it.
    #[zbus(property)]
    fn dialect(&self) -> String {
        self.car.status().connection.dialect.clone().unwrap_or_default()
    }

    /// Something that people may want to be told of at once: "back-online", "mesh-mode", "offline-mode" (reason),
    /// "track-skipped" (track, problem), "superseded" (change, reason), "code-burnt" (advice), "muted"
    /// (member, reason).
    #[zbus(signal)]
    pub(crate) async fn notice(
        emitter: &SignalEmitter<'_>,
        kind: &str,
        details: BTreeMap<&str, Variant<'_>>,
    ) -> zbus::Result<()>;
}
