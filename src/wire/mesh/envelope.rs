//! The envelope of all messages but beats: `{type, action, data, sequence, signature}`, the user's section 2.1.

use super::bounds::{
    ANCHORS_MAX, AUTHORS_MAX, CONTROL_BYTES_MAX, EMPTY_BYTES_MAX, LARGE_BYTES_MAX, LIST_BYTES_MAX, MEMBERS_MAX,
    MESSAGE_BYTES_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX, WANTED_MAX,
};
use super::change::{self, Body, Control, Edit, Playback, Said};
use super::{EncodeError, FrameError, at_most, depth, exact, exact_unsigned, read, write};
use crate::core::changes::{Action, ChangeId, Stamp, Verdict, Versions};
use crate::core::clock::ConvoyTime;
use crate::core::convoy::Snapshot;
use crate::core::id::DeviceId;
use crate::core::mesh::{HOPS_MAX, Hello, PeerMessage, SignedSignal};
use crate::core::playlist::{ENTRIES_MAX, Track};
use crate::core::status::Member;
use crate::core::ticket::{REVOKED_MAX, Revocations};
use crate::wire::server::track::cut;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The types of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    MusicControl,
    Playlist,
    Control,
    SyncState,
    Hello,
    Versions,
    Want,
    Members,
    Verdict,
    Signal,
    Revoked,
    Goodbye,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::MusicControl,
        Self::Playlist,
        Self::Control,
        Self::SyncState,
        Self::Hello,
        Self::Versions,
        Self::Want,
        Self::Members,
        Self::Verdict,
        Self::Signal,
        Self::Revoked,
        Self::Goodbye,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::MusicControl => "music-control",
            Self::Playlist => "playlist",
            Self::Control => "control",
            Self::SyncState => "sync-state",
            Self::Hello => "hello",
            Self::Versions => "versions",
            Self::Want => "want",
            Self::Members => "members",
            Self::Verdict => "verdict",
            Self::Signal => "signal",
            Self::Revoked => "revoked",
            Self::Goodbye => "goodbye",
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            Self::SyncState => MESSAGE_BYTES_MAX,
            Self::Versions | Self::Members | Self::Want => LIST_BYTES_MAX,
            Self::Signal | Self::Playlist => LARGE_BYTES_MAX,
            Self::MusicControl | Self::Control | Self::Hello | Self::Verdict | Self::Revoked => CONTROL_BYTES_MAX,
            Self::Goodbye => EMPTY_BYTES_MAX,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    #[serde(rename = "type", skip_deserializing)]
    kind: &'static str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    data: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// As much of an envelope as tells what is in it.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Empty {}

/// The user's section 3.2, with the whole state beside it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StateOut<'a> {
    track: Option<&'a Track>,
    position: Option<f64>,
    is_playing: bool,
    controller_id: Option<&'a DeviceId>,
    snapshot: &'a Snapshot,
}

#[derive(Deserialize)]
struct StateIn {
    snapshot: Box<Snapshot>,
}

#[derive(Serialize, Deserialize)]
struct Judged {
    change: ChangeId,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Serialize, Deserialize)]
struct Relayed {
    signal: Box<SignedSignal>,
    hops: usize,
}

#[derive(Serialize, Deserialize)]
struct Wanted {
    changes: Vec<ChangeId>,
}

#[derive(Serialize, Deserialize)]
struct Present {
    members: Vec<Member>,
}

/// Writes a message for `music-control`, or for `content` when it is longer than a frame. A beat has a form of its own,
/// [`super::encode_beat`].
///
/// # Errors
/// [`EncodeError`] when it is longer than its type may be, or says what JSON cannot.
pub fn encode(message: &PeerMessage) -> Result<String, EncodeError> {
    match message {
        PeerMessage::Beat(beat) => super::encode_beat(beat),
        PeerMessage::Change { change, track, ticket, hops } => {
            let (sequence, signature) = (Some(change.id.sequence), change.signature.clone());
            let action = Some(change.action.name().to_owned());
            match change::body(change, track.as_deref(), ticket.as_deref(), *hops)? {
                Body::Playback(data) => seal(Kind::MusicControl, action, data, sequence, signature),
                Body::Edit(data) => seal(Kind::Playlist, action, data, sequence, signature),
                Body::Control(data) => seal(Kind::Control, action, data, sequence, signature),
            }
        }
        PeerMessage::Hello(hello) => plain(Kind::Hello, hello),
        PeerMessage::Verdict { change, verdict } => {
            plain(Kind::Verdict, Judged { change: change.clone(), verdict: verdict.clone() })
        }
        PeerMessage::Versions(versions) => plain(Kind::Versions, versions),
        PeerMessage::Want(changes) => plain(Kind::Want, Wanted { changes: changes.clone() }),
        PeerMessage::State(snapshot) => plain(Kind::SyncState, state(snapshot)),
        PeerMessage::Members(members) => plain(Kind::Members, Present { members: members.clone() }),
        PeerMessage::Signal { signal, .. } if exact_unsigned("", signal.signal.attempt.0).is_err() => {
            Err(EncodeError::Range { what: "an attempt" })
        }
        PeerMessage::Signal { signal, hops } => plain(Kind::Signal, Relayed { signal: signal.clone(), hops: *hops }),
        PeerMessage::Revoked(list) => plain(Kind::Revoked, list),
        PeerMessage::Goodbye => plain(Kind::Goodbye, Empty {}),
    }
}

fn plain(kind: Kind, data: impl Serialize) -> Result<String, EncodeError> {
    seal(kind, None, data, None, None)
}

fn seal(
    kind: Kind,
    action: Option<String>,
    data: impl Serialize,
    sequence: Option<u64>,
    signature: Option<String>,
) -> Result<String, EncodeError> {
    let text = write(&Envelope { kind: kind.name(), action, data, sequence, signature })?;
    if text.len() > kind.bytes_max() {
        return Err(EncodeError::TooLong { kind: kind.name(), bytes: text.len(), bytes_max: kind.bytes_max() });
    }
    Ok(text)
}

fn state(snapshot: &Snapshot) -> StateOut<'_> {
    let anchor = snapshot.timeline.last().map(|stamped| &stamped.anchor);
    let entry = anchor.and_then(|anchor| anchor.entry.as_ref());
    StateOut {
        track: entry.and_then(|entry| snapshot.playlist.track(entry)),
        position: anchor.and_then(|anchor| change::seconds(anchor.position_us).ok()),
        is_playing: anchor.is_some_and(|anchor| anchor.playing),
        controller_id: snapshot.controller.as_ref(),
        snapshot,
    }
}

/// Reads what came over `music-control`, or in chunks over `content`.
///
/// # Errors
/// [`FrameError`] when it is no message within its bounds.
pub fn decode(bytes: &[u8]) -> Result<PeerMessage, FrameError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLong { kind: "message", bytes: bytes.len(), bytes_max: MESSAGE_BYTES_MAX });
    }
    depth::check(bytes)?;
    let name = read::<Head>(bytes)?.kind;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(FrameError::UnknownType)?;
    if bytes.len() > kind.bytes_max() {
        return Err(FrameError::TooLong { kind: kind.name(), bytes: bytes.len(), bytes_max: kind.bytes_max() });
    }
    match kind {
        Kind::MusicControl => changed(bytes, Playback::action),
        Kind::Playlist => changed(bytes, Edit::action),
        Kind::Control => changed(bytes, Control::action),
        Kind::SyncState => Ok(PeerMessage::State(checked_state(data::<StateIn>(bytes)?.snapshot)?)),
        Kind::Hello => Ok(PeerMessage::Hello(named(data(bytes)?))),
        Kind::Versions => checked_versions(data(bytes)?).map(PeerMessage::Versions),
        Kind::Want => {
            let Wanted { changes } = data(bytes)?;
            at_most("changes wanted", changes.len(), WANTED_MAX)?;
            Ok(PeerMessage::Want(changes))
        }
        Kind::Members => checked_members(data::<Present>(bytes)?.members).map(PeerMessage::Members),
        Kind::Verdict => data(bytes).map(judged),
        Kind::Signal => {
            let Relayed { signal, hops } = data(bytes)?;
            at_most("hops", hops, HOPS_MAX)?;
            exact_unsigned("an attempt", signal.signal.attempt.0)?;
            Ok(PeerMessage::Signal { signal, hops })
        }
        Kind::Revoked => {
            let list: Box<Revocations> = data(bytes)?;
            at_most("users", list.users.len(), REVOKED_MAX)?;
            exact_unsigned("a list's number", list.number)?;
            Ok(PeerMessage::Revoked(list))
        }
        Kind::Goodbye => data::<Empty>(bytes).map(|_| PeerMessage::Goodbye),
    }
}

fn data<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    read::<Envelope<T>>(bytes).map(|envelope| envelope.data)
}

fn changed<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    action_of: impl FnOnce(T, &str) -> Result<(Action, Said), FrameError>,
) -> Result<PeerMessage, FrameError> {
    let envelope: Envelope<T> = read(bytes)?;
    let (action, said) = action_of(envelope.data, envelope.action.as_deref().unwrap_or_default())?;
    let (change, ticket, hops) = said.change(action, envelope.sequence, envelope.signature)?;
    Ok(PeerMessage::Change { change: Box::new(change), track: None, ticket, hops })
}

fn named(hello: Hello) -> Hello {
    let unix_s = hello.unix_s.filter(|unix_s| exact_unsigned("", *unix_s).is_ok());
    Hello { name: cut(&hello.name, NAME_BYTES_MAX).to_owned(), unix_s, ..hello }
}

fn checked_versions(versions: Versions) -> Result<Versions, FrameError> {
    check_versions(&versions)?;
    Ok(versions)
}

fn check_versions(versions: &Versions) -> Result<(), FrameError> {
    at_most("authors", versions.authors(), AUTHORS_MAX)?;
    exact_unsigned("a sequence", versions.highest()).map(drop)
}

fn checked_state(snapshot: Box<Snapshot>) -> Result<Box<Snapshot>, FrameError> {
    check_versions(&snapshot.versions)?;
    exact_unsigned("a term", snapshot.term.0)?;
    at_most("anchors", snapshot.timeline.from(ConvoyTime(i64::MIN)).count(), ANCHORS_MAX)?;
    for stamped in snapshot.timeline.from(ConvoyTime(i64::MIN)) {
        change::check_span("a position", stamped.anchor.position_us)?;
        exact("a control's time", stamped.anchor.at.0)?;
        check_stamp(&stamped.stamp)?;
    }
    snapshot.controlled.as_ref().map_or(Ok(()), check_stamp)?;
    at_most("entries", snapshot.playlist.len(), ENTRIES_MAX)?;
    for (_, track) in snapshot.playlist.entries() {
        change::check_span("a track's length", track.duration_us.unwrap_or(0))?;
    }
    Ok(snapshot)
}

fn check_stamp(stamp: &Stamp) -> Result<(), FrameError> {
    exact_unsigned("a term", stamp.term.0)?;
    exact("a change's time", stamp.hlc.time_us).map(drop)
}

fn checked_members(mut members: Vec<Member>) -> Result<Vec<Member>, FrameError> {
    at_most("members", members.len(), MEMBERS_MAX)?;
    for member in &mut members {
        at_most("bytes of an id", member.device.len().max(member.user.len()), NAME_BYTES_MAX)?;
        member.name = cut(&member.name, NAME_BYTES_MAX).to_owned();
    }
    Ok(members)
}

fn judged(Judged { change, mut verdict }: Judged) -> PeerMessage {
    if let Verdict::Superseded { reason } | Verdict::Refused { reason } = &mut verdict {
        *reason = cut(reason, REASON_BYTES_MAX).to_owned();
    }
    PeerMessage::Verdict { change, verdict }
}
