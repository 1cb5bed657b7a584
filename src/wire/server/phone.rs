//! The production backend's clients as a server sees them: their events read, its events written.

use super::track;
use crate::core::authority::{PhoneNews, PhoneRequest};
use crate::core::backend::{BackendAction, BackendEvent, Dated};
use crate::core::id::{ConvoyId, TrackId, UserId};
use crate::core::playlist::{ENTRIES_MAX, Track};
use serde_json::{Map, Value, json};

/// What a phone says.
#[derive(Debug, Clone, PartialEq)]
pub enum PhoneEvent {
    JoinMusic {
        convoy: ConvoyId,
        user: Option<UserId>,
    },
    Music {
        convoy: ConvoyId,
        request: PhoneRequest,
    },
    JoinAudio {
        convoy: ConvoyId,
        user: Option<UserId>,
        name: String,
    },
    LeaveAudio {
        convoy: ConvoyId,
    },
    /// Goes to the others in the session as it is, with the sender's socket id.
    Relay {
        convoy: ConvoyId,
        relay: Relay,
        payload: Map<String, Value>,
    },
    JoinGroup {
        group: ConvoyId,
    },
    LeaveGroup {
        group: ConvoyId,
    },
    Location {
        group: ConvoyId,
        payload: Map<String, Value>,
    },
}

/// What is passed on unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    MusicSync,
    Offer,
    Answer,
    Candidate,
    Ready,
}

impl Relay {
    /// The event's name, the same in both directions.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Self::MusicSync => "music-sync",
            Self::Offer => "webrtc-offer",
            Self::Answer => "webrtc-answer",
            Self::Candidate => "webrtc-candidate",
            Self::Ready => "webrtc-ready",
        }
    }
}

/// Longest display name, in bytes; what is longer is cut.
const NAME_BYTES_MAX: usize = 256;

/// Reads an event of a phone; none when it is no event of that dialect, or names no session, which the backend ignores
/// too.
#[must_use]
pub fn parse(event: &str, payload: Value) -> Option<PhoneEvent> {
    match event {
        "join-group" => return Some(PhoneEvent::JoinGroup { group: group(&payload)? }),
        "leave-group" => return Some(PhoneEvent::LeaveGroup { group: group(&payload)? }),
        _ => {}
    }
    let Value::Object(fields) = payload else { return None };
    if event == "location-update" {
        return Some(PhoneEvent::Location { group: id(fields.get("groupId")?)?, payload: fields });
    }
    let convoy = id(fields.get("sessionId")?)?;
    let relay = |relay, payload| Some(PhoneEvent::Relay { convoy: convoy.clone(), relay, payload });
    let user = fields.get("userId").and_then(text).and_then(|user| UserId::new(user).ok());
    match event {
        "join-music-session" => Some(PhoneEvent::JoinMusic { convoy, user }),
        "join-audio-session" => {
            let name = fields.get("display_name").and_then(Value::as_str).unwrap_or_default();
            Some(PhoneEvent::JoinAudio { convoy, user, name: track::cut(name, NAME_BYTES_MAX).to_owned() })
        }
        "leave-audio-session" => Some(PhoneEvent::LeaveAudio { convoy }),
        "music-sync" => relay(Relay::MusicSync, fields),
        "webrtc-offer" => relay(Relay::Offer, fields),
        "webrtc-answer" => relay(Relay::Answer, fields),
        "webrtc-candidate" => relay(Relay::Candidate, fields),
        "webrtc-ready" => relay(Relay::Ready, fields),
        _ => Some(PhoneEvent::Music { convoy, request: request(event, &fields)? }),
    }
}

fn request(event: &str, fields: &Map<String, Value>) -> Option<PhoneRequest> {
    let dated = dated(fields);
    let track = || fields.get("track").and_then(track::parse);
    match event {
        "music-control" => {
            let playing = fields.get("isPlaying").and_then(Value::as_bool);
            let control = |action| Some(PhoneRequest::Control { action, track: track(), playing, dated });
            match fields.get("action").and_then(Value::as_str)? {
                "play" => control(BackendAction::Play),
                "pause" => control(BackendAction::Pause),
                "seek" => control(BackendAction::Seek),
                "next" => Some(PhoneRequest::Skip { forward: true, track: track() }),
                "previous" => Some(PhoneRequest::Skip { forward: false, track: track() }),
                _ => None,
            }
        }
        "music-track-change" => Some(PhoneRequest::TrackChange {
            track: track()?,
            autoplay: fields.get("autoPlay").and_then(Value::as_bool).unwrap_or(true),
            dated: dated.unwrap_or(Dated { position_us: 0, unix_ms: None }),
        }),
        "music-position-sync" => {
            let track_id = fields.get("trackId").and_then(text).and_then(|id| TrackId::new(id).ok());
            Some(PhoneRequest::PositionSync { track_id, dated: dated? })
        }
        "music-take-control" => Some(PhoneRequest::TakeControl),
        "music-release-control" => Some(PhoneRequest::ReleaseControl),
        "playlist-update" => {
            let playlist = fields.get("playlist").and_then(Value::as_array)?;
            Some(PhoneRequest::Playlist {
                tracks: playlist.iter().take(ENTRIES_MAX).filter_map(track::parse).collect(),
            })
        }
        _ => None,
    }
}

fn dated(fields: &Map<String, Value>) -> Option<Dated> {
    let position_us = fields.get("position").and_then(track::seconds_us)?.max(0);
    let unix_ms = fields.get("timestamp").and_then(Value::as_f64).filter(|ms| ms.abs() < 1e15).map(|ms| ms as i64);
    Some(Dated { position_us, unix_ms })
}

/// `join-group` carries the bare id; an object with it is understood too.
fn group(payload: &Value) -> Option<ConvoyId> {
    id(payload.get("groupId").unwrap_or(payload))
}

fn id(value: &Value) -> Option<ConvoyId> {
    text(value).and_then(|id| ConvoyId::new(id).ok())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Writes what a phone is told: events and their payloads, in order.
#[must_use]
pub fn format(news: &PhoneNews, convoy: &ConvoyId) -> Vec<(&'static str, Value)> {
    let from = news.from.as_deref().unwrap_or("server");
    let timestamp = news.unix_ms;
    match &news.event {
        BackendEvent::Session { .. } => session(news),
        BackendEvent::Control { action, track, track_id, dated } => {
            let event = match action {
                BackendAction::Play => "music-play",
                BackendAction::Pause => "music-pause",
                BackendAction::Seek => "music-seek",
            };
            let payload = json!({
                "position": position(dated), "trackId": track_id, "track": track.as_ref().map(track::format),
                "isPlaying": news.playing, "from": from, "timestamp": timestamp,
            });
            vec![(event, payload)]
        }
        BackendEvent::TrackChanged { track, autoplay, dated } => vec![(
            "music-track-change",
            json!({
                "track": track::format(track), "autoPlay": autoplay, "position": position(dated),
                "from": from, "timestamp": timestamp,
            }),
        )],
        BackendEvent::PositionSync { track_id, dated } => vec![(
            "music-position-sync",
            json!({
                "sessionId": convoy, "position": position(dated), "trackId": track_id,
                "from": from, "timestamp": timestamp,
            }),
        )],
        BackendEvent::Controller { socket_id, user_id } => {
            vec![controller(socket_id.as_deref(), user_id.as_ref(), timestamp)]
        }
        BackendEvent::Playlist { tracks } => vec![playlist(tracks, from, timestamp)],
        // Cars tell each other, and no authority tells it.
        BackendEvent::Present { .. } => Vec::new(),
        BackendEvent::UserJoined { socket_id, user_id } => {
            vec![("user-joined-music", json!({ "socketId": socket_id, "userId": user_id, "sessionId": convoy }))]
        }
    }
}

/// The whole session for a newcomer, then again in the events that older clients know.
fn session(news: &PhoneNews) -> Vec<(&'static str, Value)> {
    let BackendEvent::Session { playlist: tracks, current, controller: leader, playing, dated } = &news.event else {
        return vec![];
    };
    let timestamp = news.unix_ms;
    let update = playlist(tracks, "server", timestamp);
    let state = json!({
        "playlist": update.1.get("playlist"), "currently_playing": current.as_ref().map(track::format),
        "controller_id": leader, "is_playing": playing, "position": position(dated),
        "from": "server", "timestamp": timestamp,
    });
    let change = current.as_ref().map(|track| {
        let payload = json!({
            "track": track::format(track), "autoPlay": false, "position": position(dated), "from": "server",
        });
        ("music-change-track", payload)
    });
    let leads = controller(leader.as_deref(), None, timestamp);
    [("music-session-state", state), update].into_iter().chain(change).chain([leads]).collect()
}

fn playlist(tracks: &[Track], from: &str, timestamp: i64) -> (&'static str, Value) {
    let playlist: Vec<Value> = tracks.iter().map(track::format).collect();
    ("playlist-update", json!({ "playlist": playlist, "from": from, "timestamp": timestamp }))
}

fn controller(socket_id: Option<&str>, user_id: Option<&UserId>, timestamp: i64) -> (&'static str, Value) {
    let payload = json!({ "controllerId": socket_id, "userId": user_id, "from": "server", "timestamp": timestamp });
    ("music-controller-changed", payload)
}

fn position(dated: &Dated) -> f64 {
    track::seconds(dated.position_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_session_or_is_nonsense_is_dropped() {
        for (event, payload) in [
            ("music-control", json!({ "action": "play" })),
            ("music-control", json!({ "sessionId": "s", "action": "explode" })),
            ("music-control", json!({ "sessionId": {}, "action": "play" })),
            ("music-track-change", json!({ "sessionId": "s", "track": 7 })),
            ("music-position-sync", json!({ "sessionId": "s", "position": "soon" })),
            ("playlist-update", json!({ "sessionId": "s", "playlist": "all" })),
            ("join-music-session", json!(["s"])),
            ("join-group", json!(null)),
            ("unheard-of", json!({ "sessionId": "s" })),
        ] {
            assert_eq!(parse(event, payload), None, "{event}");
        }
    }

    #[test]
    fn a_control_is_read_with_seconds_and_milliseconds() {
        let payload =
            json!({ "sessionId": "s", "action": "seek", "position": 1.5, "timestamp": 5.0, "isPlaying": true });
        let Some(PhoneEvent::Music { request, .. }) = parse("music-control", payload) else { panic!() };
        let dated = Some(Dated { position_us: 1_500_000, unix_ms: Some(5) });
        assert_eq!(
            request,
            PhoneRequest::Control { action: BackendAction::Seek, track: None, playing: Some(true), dated }
        );
    }

    #[test]
    fn a_session_is_told_in_the_new_way_and_the_old() {
        let event = BackendEvent::Session {
            playlist: vec![],
            current: track::parse(&json!({ "id": "t" })),
            controller: Some("sock".into()),
            playing: true,
            dated: Dated { position_us: 2_000_000, unix_ms: Some(9) },
        };
        let news = PhoneNews { event, from: None, playing: true, unix_ms: 9 };
        let told = format(&news, &ConvoyId::new("s").unwrap());
        let names: Vec<_> = told.iter().map(|(event, _)| *event).collect();
        assert_eq!(names, ["music-session-state", "playlist-update", "music-change-track", "music-controller-changed"]);
        assert_eq!(told[0].1["position"], 2.0);
        assert_eq!(told[0].1["controller_id"], "sock");
    }
}
