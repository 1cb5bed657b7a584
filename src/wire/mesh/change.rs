//! A change in the form of the user's section 2.1: seconds, track ids, who controls; and all that its signature covers.
//!
//! `timestamp`, `controllerId` and `track` follow from the rest. They are for whoever reads only that section, and are
//! not read back: what counts is what is signed.

use super::bounds::{POSITION_S_MAX, SIGNATURE_BYTES_MAX, TRACK_BYTES_MAX};
use super::{EncodeError, FrameError, exact, exact_unsigned};
use crate::core::changes::{Action, Change, ChangeId, Hlc};
use crate::core::clock::ConvoyTime;
use crate::core::election::Term;
use crate::core::id::{DeviceId, EntryId, TrackId, UserId};
use crate::core::mesh::HOPS_MAX;
use crate::core::order::OrderKey;
use crate::core::playlist::Track;
use crate::core::ticket::Ticket;
use crate::core::timeline::Anchor;
use crate::wire::server::track;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `data` of `music-control`: a control of playback, with the anchor that it leads to.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Playback {
    /// Seconds of the track.
    position: f64,
    track_id: Option<TrackId>,
    #[serde(skip_deserializing)]
    track: Option<Value>,
    #[serde(skip_deserializing)]
    controller_id: Option<DeviceId>,
    entry: Option<EntryId>,
    /// The convoy time, in microseconds, from which it holds.
    at: ConvoyTime,
    playing: bool,
    #[serde(flatten)]
    made: Made,
}

/// `data` of `playlist`: an edit of one entry.
#[derive(Serialize, Deserialize)]
pub(super) struct Edit {
    entry: EntryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    track: Option<Track>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<OrderKey>,
    #[serde(flatten)]
    made: Made,
}

/// `data` of `control`: who is the DJ.
#[derive(Serialize, Deserialize)]
pub(super) struct Control {
    #[serde(flatten)]
    made: Made,
}

/// What every change has.
#[derive(Serialize, Deserialize)]
struct Made {
    /// Milliseconds of convoy time.
    #[serde(skip_deserializing)]
    timestamp: i64,
    /// The user, where one is known.
    from: Option<UserId>,
    device: DeviceId,
    hlc: Hlc,
    term: Term,
    /// Links that it has crossed.
    #[serde(default)]
    hops: usize,
    /// The author's, with which he may be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<Box<Ticket>>,
}

/// The three forms of a change.
pub(super) enum Body {
    Playback(Playback),
    Edit(Box<Edit>),
    Control(Control),
}

/// Writes a change.
///
/// # Errors
/// [`EncodeError::Range`] when its position cannot be told in seconds to the microsecond.
pub(super) fn body(
    change: &Change,
    track: Option<&Track>,
    ticket: Option<&Ticket>,
    hops: usize,
) -> Result<Body, EncodeError> {
    let made = Made {
        timestamp: change.hlc.time_us.div_euclid(1_000),
        from: change.user.clone(),
        device: change.id.device.clone(),
        hlc: change.hlc,
        term: change.term,
        hops,
        ticket: ticket.cloned().map(Box::new),
    };
    let edit = |entry: &EntryId, track: Option<&Track>, order: Option<&OrderKey>, made| {
        Body::Edit(Box::new(Edit { entry: entry.clone(), track: track.cloned(), order: order.cloned(), made }))
    };
    Ok(match &change.action {
        Action::Play { anchor }
        | Action::Pause { anchor }
        | Action::Seek { anchor }
        | Action::ChangeTrack { anchor } => Body::Playback(Playback {
            position: seconds(anchor.position_us)?,
            track_id: anchor.track.clone(),
            track: anchor.track.as_ref().map(|id| told(track.filter(|track| track.id == *id), id)),
            controller_id: Some(change.id.device.clone()),
            entry: anchor.entry.clone(),
            at: anchor.at,
            playing: anchor.playing,
            made,
        }),
        Action::Add { entry, track, order } => edit(entry, Some(track), Some(order), made),
        Action::Move { entry, order } => edit(entry, None, Some(order), made),
        Action::Remove { entry } => edit(entry, None, None, made),
        Action::TakeControl | Action::ReleaseControl => Body::Control(Control { made }),
    })
}

/// The track in the form of today's backend and its web client. A control has to fit into a frame: what a track says of
/// itself beyond that is left out.
fn told(track: Option<&Track>, id: &TrackId) -> Value {
    let id_only = || json!({ "id": id });
    let Some(track) = track else { return id_only() };
    let bare = Track { extra: serde_json::Map::new(), ..track.clone() };
    let forms = [track::format(track), track::format(&bare)];
    forms.into_iter().find(|form| form.to_string().len() <= TRACK_BYTES_MAX).unwrap_or_else(id_only)
}

impl Playback {
    pub(super) fn action(self, name: &str) -> Result<(Action, Said), FrameError> {
        let position_us = microseconds(self.position).ok_or(FrameError::Range { what: "a position" })?;
        exact("a control's time", self.at.0)?;
        let anchor =
            Anchor { entry: self.entry, track: self.track_id, position_us, at: self.at, playing: self.playing };
        let action = match name {
            "play" => Action::Play { anchor },
            "pause" => Action::Pause { anchor },
            "seek" => Action::Seek { anchor },
            "change-track" => Action::ChangeTrack { anchor },
            _ => return Err(FrameError::UnknownType),
        };
        Ok((action, Said(self.made)))
    }
}

impl Edit {
    pub(super) fn action(self, name: &str) -> Result<(Action, Said), FrameError> {
        let Self { entry, track, order, made } = self;
        let action = match (name, track, order) {
            ("add", Some(track), Some(order)) => {
                check_span("a track's length", track.duration_us.unwrap_or(0))?;
                Action::Add { entry, track, order }
            }
            ("move", None, Some(order)) => Action::Move { entry, order },
            ("remove", None, None) => Action::Remove { entry },
            _ => return Err(FrameError::UnknownType),
        };
        Ok((action, Said(made)))
    }
}

impl Control {
    pub(super) fn action(self, name: &str) -> Result<(Action, Said), FrameError> {
        let action = match name {
            "take-control" => Action::TakeControl,
            "release-control" => Action::ReleaseControl,
            _ => return Err(FrameError::UnknownType),
        };
        Ok((action, Said(self.made)))
    }
}

/// What was said around an action.
pub(super) struct Said(Made);

impl Said {
    /// The change, its author's ticket, and the links that it has crossed.
    ///
    /// # Errors
    /// [`FrameError::Range`] for a number that some peer could not hold.
    pub(super) fn change(
        self,
        action: Action,
        sequence: Option<u64>,
        signature: Option<String>,
    ) -> Result<(Change, Option<Box<Ticket>>, usize), FrameError> {
        let Self(Made { from, device, hlc, term, hops, ticket, .. }) = self;
        let sequence = sequence.filter(|sequence| *sequence > 0).ok_or(FrameError::Range { what: "a sequence" })?;
        exact_unsigned("a sequence", sequence)?;
        exact_unsigned("a term", term.0)?;
        exact("a change's time", hlc.time_us)?;
        if hops > HOPS_MAX {
            return Err(FrameError::Range { what: "the number of hops" });
        }
        let ticket_signature = ticket.as_ref().map(|ticket| &ticket.signature);
        if signature.iter().chain(ticket_signature).any(|signature| signature.len() > SIGNATURE_BYTES_MAX) {
            return Err(FrameError::Range { what: "a signature's length" });
        }
        let id = ChangeId { device, sequence };
        Ok((Change { id, hlc, term, user: from, action, signature }, ticket, hops))
    }
}

/// Microseconds as seconds.
///
/// # Errors
/// When they would not come back to the microsecond.
pub(super) fn seconds(us: i64) -> Result<f64, EncodeError> {
    let seconds = us as f64 / 1e6;
    if microseconds(seconds) == Some(us) { Ok(seconds) } else { Err(EncodeError::Range { what: "a position" }) }
}

/// # Errors
/// [`FrameError::Range`] when it is no stretch of a track, in microseconds: sums of it could overflow.
pub(super) fn check_span(what: &'static str, us: i64) -> Result<(), FrameError> {
    if us.unsigned_abs() as f64 <= POSITION_S_MAX * 1e6 { Ok(()) } else { Err(FrameError::Range { what }) }
}

fn microseconds(seconds: f64) -> Option<i64> {
    (seconds.abs() <= POSITION_S_MAX).then(|| (seconds * 1e6).round() as i64)
}
