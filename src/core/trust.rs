//! Who may do what: only the controller's playback changes count, and only those do anything whose role allows it.

use super::changes::{Action, Change, Stamp};
use super::id::{ConvoyId, DeviceId};
use super::ticket::{Role, Tickets, WallTime};
use super::timeline::{Anchor, Stamped};
use serde::{Deserialize, Serialize};

/// Whether `device` may do `action` while `controller` leads (nobody: then anyone may, and leads from then on).
#[must_use]
pub fn may(device: &DeviceId, action: &Action, controller: Option<&DeviceId>) -> bool {
    match action {
        Action::Play { .. } | Action::Pause { .. } | Action::Seek { .. } | Action::ChangeTrack { .. } => {
            controller.is_none_or(|c| c == device)
        }
        Action::ReleaseControl => controller == Some(device),
        Action::TakeControl | Action::Add { .. } | Action::Remove { .. } | Action::Move { .. } => true,
    }
}

/// Whether a role allows an action.
///
/// # Errors
/// Why not, in words for whoever tried.
pub fn role_allows(role: Role, action: &Action) -> Result<(), String> {
    let forbidden = match (role, action) {
        (Role::Owner | Role::Dj, _) | (Role::Listener, Action::ReleaseControl) => return Ok(()),
        (Role::Listener, Action::TakeControl) => "take control",
        (Role::Listener, Action::Add { .. } | Action::Remove { .. } | Action::Move { .. }) => "edit the playlist",
        (
            Role::Listener,
            Action::Play { .. } | Action::Pause { .. } | Action::Seek { .. } | Action::ChangeTrack { .. },
        ) => "control playback",
    };
    Err(format!("a listener may not {forbidden}; ask whoever runs the convoy for a token with `--role dj`"))
}

/// Whether what `author` does may count in this convoy, by the ticket that is known of it. Where no issuer is known,
/// whoever is let in by other means is as good as any.
///
/// # Errors
/// Why it may not, in words for people.
pub fn admit(
    tickets: &Tickets,
    author: &DeviceId,
    action: &Action,
    convoy: &ConvoyId,
    wall: WallTime,
) -> Result<(), String> {
    if !tickets.has_issuer() {
        return Ok(());
    }
    let ticket =
        tickets.of(author).ok_or("its author has shown no ticket of this convoy; it has to reach the server")?;
    let standing = tickets.standing(ticket, author, convoy, wall);
    if standing.admits() { role_allows(ticket.role, action) } else { Err(standing.to_string()) }
}

/// Whether a change names as its author's user whom his ticket does, if he is somebody's guest.
///
/// # Errors
/// That it does not, in words for people.
pub fn check_user(tickets: &Tickets, change: &Change) -> Result<(), String> {
    let guest = tickets.of_guest(&change.id.device);
    if guest.is_some_and(|guest| change.user.as_ref().is_some_and(|user| *user != guest.user)) {
        return Err("its author is a guest, and names another user than his ticket does".into());
    }
    Ok(())
}

/// What was lately done to control and playback, by the time it was done: whether a change counts depends on who had
/// control at the change's own time, however late it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deeds {
    /// Who led before the first deed that is kept.
    before: Option<DeviceId>,
    /// He had not taken control: he played while nobody led.
    #[serde(default)]
    by_playing: bool,
    /// Up to when deeds are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Stamp>,
    /// By ascending stamp.
    kept: Vec<(Stamp, Deed)>,
}

/// Something that was done to control or playback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Deed {
    Take,
    Release,
    /// Who plays while nobody has taken control, leads.
    Anchor(Anchor),
}

/// Deeds that are kept; of older ones it is known only who led in the end.
const DEEDS_MAX: usize = 32;

impl Deeds {
    /// Begins with what is known otherwise: who leads, and since when.
    pub(super) fn since(before: Option<DeviceId>, since: Option<Stamp>) -> Self {
        Self { before, by_playing: false, since, kept: Vec::new() }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The time of the last deed.
    pub(super) fn latest(&self) -> Option<&Stamp> {
        self.kept.last().map(|(stamp, _)| stamp)
    }

    /// Drops what cannot be and brings the rest in order. Whether there was anything to drop.
    pub(super) fn cleanse(&mut self, cannot_be: impl Fn(&Stamp) -> bool) -> bool {
        let before = self.kept.len();
        self.kept.retain(|(stamp, _)| !cannot_be(stamp));
        self.kept.sort_by(|(a, _), (b, _)| a.cmp(b));
        let surplus = self.kept.len().saturating_sub(DEEDS_MAX);
        self.kept.drain(..surplus);
        self.since.take_if(|since| cannot_be(since));
        self.kept.len() < before
    }

    /// Whether everything that was ever done is kept.
    pub(super) fn is_whole(&self) -> bool {
        self.since.is_none()
    }

    /// Who had control at `stamp`, or has it in the end.
    pub(super) fn led_at(&self, stamp: Option<&Stamp>) -> Led<'_> {
        let until = self.kept.iter().take_while(|(at, _)| stamp.is_none_or(|stamp| at < stamp));
        let before = Led { leader: self.before.as_ref(), since: self.since.as_ref(), by_playing: self.by_playing };
        until.fold(before, step)
    }

    /// Takes a deed in; false when it is from a time that is forgotten.
    pub(super) fn insert(&mut self, stamp: Stamp, deed: Deed) -> bool {
        let place = self.kept.partition_point(|(at, _)| *at <= stamp);
        if self.since.as_ref().is_some_and(|since| stamp <= *since) || (place == 0 && self.kept.len() >= DEEDS_MAX) {
            return false;
        }
        self.kept.insert(place, (stamp, deed));
        if self.kept.len() > DEEDS_MAX {
            let first = self.kept.remove(0);
            let led = Led { leader: self.before.as_ref(), since: None, by_playing: self.by_playing };
            let led = step(led, &first);
            (self.before, self.by_playing) = (led.leader.cloned(), led.by_playing);
            self.since = Some(first.0);
        }
        true
    }

    /// Whether an anchor that is kept was set while someone else had taken control. Of others nothing is known.
    pub(super) fn denies(&self, stamp: &Stamp) -> bool {
        let is_kept = self.kept.iter().any(|(at, deed)| at == stamp && matches!(deed, Deed::Anchor(_)));
        let led = self.led_at(Some(stamp));
        is_kept && !led.by_playing && led.leader.is_some_and(|leader| *leader != stamp.device)
    }

    /// The anchors that count, as they were set.
    pub(super) fn anchors(&self) -> impl Iterator<Item = Stamped> {
        self.kept.iter().filter(|(stamp, _)| !self.denies(stamp)).filter_map(|(stamp, deed)| match deed {
            Deed::Anchor(anchor) => Some(Stamped { stamp: stamp.clone(), anchor: anchor.clone() }),
            Deed::Take | Deed::Release => None,
        })
    }
}

/// Who leads, and since when.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Led<'a> {
    pub(super) leader: Option<&'a DeviceId>,
    pub(super) since: Option<&'a Stamp>,
    by_playing: bool,
}

/// Who leads after a deed. Of those who play while nobody has taken control, the last: who was away and played for
/// himself does not silence the others on his return.
fn step<'a>(led: Led<'a>, (stamp, deed): &'a (Stamp, Deed)) -> Led<'a> {
    let (device, since) = (Some(&stamp.device), Some(stamp));
    match deed {
        Deed::Take => Led { leader: device, since, by_playing: false },
        Deed::Anchor(_) if led.leader != device && (led.leader.is_none() || led.by_playing) => {
            Led { leader: device, since, by_playing: true }
        }
        Deed::Release if led.leader == device => Led { leader: None, since, by_playing: false },
        Deed::Release | Deed::Anchor(_) => led,
    }
}
