//! The production backend as a client sees it: its events read, our commands written.

use super::track;
use crate::core::backend::{BackendAction, BackendCommand, BackendEvent, Dated};
use crate::core::id::{ConvoyId, DeviceId, IdError, TrackId, UserId};
use crate::core::playlist::{ENTRIES_MAX, Track};
use crate::core::status::{Member, MemberKind};
use serde_json::{Map, Value, json};

/// Longest socket id that is believed, in bytes.
const SOCKET_ID_BYTES_MAX: usize = 128;
/// The event in which a car says that it is here, and the key of that in its `offer`: a browser finds no description.
const PRESENT: &str = "webrtc-offer";
const PRESENT_KEY: &str = "jamz-car";

/// Why an event of the backend cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("`{event}` carries no object")]
    NoObject { event: String },
    #[error("`{event}` has no usable `{field}`")]
    Field { event: String, field: &'static str },
    #[error("`{event}` lists {count} tracks; at most {ENTRIES_MAX} are taken")]
    TooMany { event: String, count: usize },
    #[error("`{event}` has an impossible name in `{field}`: {problem}")]
    Id { event: String, field: &'static str, problem: IdError },
}

/// The session that a connection has joined: every event of a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub convoy: ConvoyId,
    pub user: UserId,
}

/// Longest name of a car, in bytes; the rest is cut.
const CAR_NAME_BYTES_MAX: usize = 256;

/// Reads an event by its name and first argument; none when it is of no concern to a car. `music-change-track` is none:
/// it says for older clients, and without whether the music plays, what `music-session-state` or `music-track-change`
/// says beside it.
///
/// # Errors
/// [`BackendError`] when it concerns a car and makes no sense.
pub fn parse(event: &str, payload: Option<&Value>) -> Result<Option<BackendEvent>, BackendError> {
    let action = match event {
        "music-play" => Some(BackendAction::Play),
        "music-pause" => Some(BackendAction::Pause),
        "music-seek" => Some(BackendAction::Seek),
        PRESENT => return Ok(payload.and_then(present)),
        "music-session-state"
        | "music-track-change"
        | "music-position-sync"
        | "music-controller-changed"
        | "playlist-update"
        | "user-joined-music" => None,
        _ => return Ok(None),
    };
    let fields = payload.and_then(Value::as_object).ok_or_else(|| BackendError::NoObject { event: event.into() })?;
    let fields = Fields { event, fields };
    let parsed = match (action, event) {
        (Some(action), _) => BackendEvent::Control {
            action,
            track: fields.track("track"),
            track_id: fields.track_id()?,
            dated: fields.dated("position", action != BackendAction::Pause)?,
        },
        (None, "music-session-state") => BackendEvent::Session {
            playlist: fields.tracks("playlist", false)?,
            current: fields.track("currently_playing"),
            controller: fields.socket_id("controller_id"),
            playing: fields.flag("is_playing"),
            dated: fields.dated("position", false)?,
        },
        (None, "music-track-change") => BackendEvent::TrackChanged {
            track: fields.track("track").ok_or_else(|| fields.missing("track"))?,
            autoplay: fields.flag("autoPlay"),
            dated: fields.dated("position", false)?,
        },
        (None, "music-position-sync") => {
            BackendEvent::PositionSync { track_id: fields.track_id()?, dated: fields.dated("position", true)? }
        }
        (None, "music-controller-changed") => {
            BackendEvent::Controller { socket_id: fields.socket_id("controllerId"), user_id: fields.user_id()? }
        }
        (None, "playlist-update") => BackendEvent::Playlist { tracks: fields.tracks("playlist", true)? },
        (None, _) => BackendEvent::UserJoined {
            socket_id: fields.socket_id("socketId").ok_or_else(|| fields.missing("socketId"))?,
            user_id: fields.user_id()?,
        },
    };
    Ok(Some(parsed))
}

/// Writes a command: the event's name and its only argument.
#[must_use]
pub fn format(command: &BackendCommand, session: &Session) -> (&'static str, Value) {
    let convoy = session.convoy.as_str();
    let user = session.user.as_str();
    match command {
        // The backend's groups are none of a car's business; its session stands for both.
        BackendCommand::JoinSession { convoy, user } => (
            "join-music-session",
            json!({"sessionId": convoy.as_str(), "groupId": convoy.as_str(), "userId": user.as_str()}),
        ),
        // A music session is an audio session's room, and has no event of its own to leave it.
        BackendCommand::LeaveSession { convoy } => ("leave-audio-session", json!({"sessionId": convoy.as_str()})),
        BackendCommand::Control { action, track, playing, dated } => (
            "music-control",
            json!({
                "sessionId": convoy,
                "action": action_name(*action),
                "position": track::seconds(dated.position_us),
                "trackId": track.as_ref().map(|t| t.id.as_str()),
                "track": track.as_ref().map(track::format),
                "isPlaying": playing,
                "timestamp": dated.unix_ms,
            }),
        ),
        BackendCommand::TrackChange { track, autoplay, dated } => (
            "music-track-change",
            json!({
                "sessionId": convoy,
                "track": track::format(track),
                "autoPlay": autoplay,
                "position": track::seconds(dated.position_us),
                "userId": user,
                "timestamp": dated.unix_ms,
            }),
        ),
        BackendCommand::PositionSync { track_id, dated } => (
            "music-position-sync",
            json!({
                "sessionId": convoy,
                "position": track::seconds(dated.position_us),
                "timestamp": dated.unix_ms,
                "trackId": track_id.as_str(),
            }),
        ),
        BackendCommand::TakeControl => ("music-take-control", json!({"sessionId": convoy, "userId": user})),
        BackendCommand::ReleaseControl => ("music-release-control", json!({"sessionId": convoy})),
        BackendCommand::Playlist { tracks } => (
            "playlist-update",
            json!({"sessionId": convoy, "playlist": tracks.iter().map(track::format).collect::<Vec<_>>()}),
        ),
        BackendCommand::Present { member: Member { device, user, name, .. }, ask } => {
            let here = json!({ "device": device, "user": user, "name": name, "ask": ask });
            (PRESENT, json!({ "sessionId": convoy, "offer": { PRESENT_KEY: here }, "userId": user }))
        }
    }
}

/// A car inside a `webrtc-offer`; none when a browser made it.
fn present(payload: &Value) -> Option<BackendEvent> {
    let here = payload.get("offer")?.get(PRESENT_KEY)?;
    let text = |field: &str| here.get(field).and_then(Value::as_str);
    let (device, user) = (DeviceId::new(text("device")?).ok()?, UserId::new(text("user")?).ok()?);
    let member = Member {
        device: device.to_string(),
        user: user.to_string(),
        name: track::cut(text("name")?, CAR_NAME_BYTES_MAX).to_owned(),
        online: true,
        kind: MemberKind::Car,
        tier: None,
    };
    Some(BackendEvent::Present { member, ask: here.get("ask").and_then(Value::as_bool).unwrap_or_default() })
}

fn action_name(action: BackendAction) -> &'static str {
    match action {
        BackendAction::Play => "play",
        BackendAction::Pause => "pause",
        BackendAction::Seek => "seek",
    }
}

/// The object that an event carries. What JavaScript leaves out and what it sets to null is the same.
struct Fields<'a> {
    event: &'a str,
    fields: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn missing(&self, field: &'static str) -> BackendError {
        BackendError::Field { event: self.event.into(), field }
    }

    fn flag(&self, field: &str) -> bool {
        self.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    fn track(&self, field: &str) -> Option<Track> {
        self.get(field).and_then(track::parse)
    }

    /// A list of tracks; those without an id are left out, as nothing can name them.
    fn tracks(&self, field: &'static str, demanded: bool) -> Result<Vec<Track>, BackendError> {
        let Some(list) = self.get(field) else {
            return if demanded { Err(self.missing(field)) } else { Ok(Vec::new()) };
        };
        let list = list.as_array().ok_or_else(|| self.missing(field))?;
        if list.len() > ENTRIES_MAX {
            return Err(BackendError::TooMany { event: self.event.into(), count: list.len() });
        }
        Ok(list.iter().filter_map(track::parse).collect())
    }

    fn track_id(&self) -> Result<Option<TrackId>, BackendError> {
        self.name("trackId").map(TrackId::new).transpose().map_err(|problem| self.impossible("trackId", problem))
    }

    fn user_id(&self) -> Result<Option<UserId>, BackendError> {
        self.name("userId").map(UserId::new).transpose().map_err(|problem| self.impossible("userId", problem))
    }

    fn impossible(&self, field: &'static str, problem: IdError) -> BackendError {
        BackendError::Id { event: self.event.into(), field, problem }
    }

    /// A name that may be written as a number; an empty one is none.
    fn name(&self, field: &str) -> Option<String> {
        match self.get(field)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn socket_id(&self, field: &str) -> Option<String> {
        self.name(field).filter(|id| id.len() <= SOCKET_ID_BYTES_MAX)
    }

    /// A position and when it was so; without a position it is the track's start, unless one is demanded.
    fn dated(&self, field: &'static str, demanded: bool) -> Result<Dated, BackendError> {
        let position_us = match self.get(field) {
            Some(value) => track::seconds_us(value).filter(|us| *us >= 0).ok_or_else(|| self.missing(field))?,
            None if demanded => return Err(self.missing(field)),
            None => 0,
        };
        let unix_ms = self.get("timestamp").and_then(Value::as_f64).filter(|ms| ms.is_finite() && ms.abs() < 1e15);
        Ok(Dated { position_us, unix_ms: unix_ms.map(|ms| ms as i64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session { convoy: ConvoyId::new("c").unwrap(), user: UserId::new("u").unwrap() }
    }

    #[test]
    fn what_a_newcomer_is_told_is_read_whole() {
        let payload = json!({"playlist": [{"id": "a", "title": "A"}, {"title": "nameless"}, {"id": 7}],
            "currently_playing": {"id": "a"}, "controller_id": "sock", "is_playing": true, "position": 12.5,
            "from": "server", "timestamp": 1_700_000_000_123_i64});
        let Some(BackendEvent::Session { playlist, current, controller, playing, dated }) =
            parse("music-session-state", Some(&payload)).unwrap()
        else {
            panic!("no session");
        };
        assert_eq!(playlist.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["a", "7"]);
        assert_eq!((current.unwrap().id.as_str(), controller.as_deref(), playing), ("a", Some("sock"), true));
        assert_eq!(dated, Dated { position_us: 12_500_000, unix_ms: Some(1_700_000_000_123) });
    }

    #[test]
    fn a_car_that_is_there_is_read_and_a_browser_finds_no_description_in_it() {
        let device = "d".repeat(DeviceId::BYTES_MAX);
        let member = Member {
            device,
            user: "ann".into(),
            name: "Ä".repeat(200),
            online: true,
            kind: MemberKind::Car,
            tier: None,
        };
        let (name, payload) = format(&BackendCommand::Present { member: member.clone(), ask: true }, &session());
        assert!(payload["offer"]["type"].is_null() && payload["offer"]["sdp"].is_null(), "{payload}");
        let Ok(Some(BackendEvent::Present { member: read, ask: true })) = parse(name, Some(&payload)) else {
            panic!("no car in {payload}");
        };
        assert_eq!(read, Member { name: "Ä".repeat(128), ..member });
        let said = |here: Value| parse("webrtc-offer", Some(&json!({ "offer": { "jamz-car": here } })));
        for nonsense in [
            json!(7),
            json!({ "device": "d", "user": "ann" }),
            json!({ "device": "", "user": "ann", "name": "" }),
            json!({ "device": "d".repeat(DeviceId::BYTES_MAX + 1), "user": "ann", "name": "" }),
        ] {
            assert_eq!(said(nonsense), Ok(None));
        }
        assert_eq!(parse("webrtc-offer", Some(&json!({ "offer": { "type": "offer", "sdp": "v=0" } }))), Ok(None));
    }

    #[test]
    fn an_empty_session_and_a_released_control_are_ordinary() {
        let empty = json!({"playlist": null, "currently_playing": null, "controller_id": null, "position": null});
        assert!(matches!(
            parse("music-session-state", Some(&empty)),
            Ok(Some(BackendEvent::Session { current: None, controller: None, playing: false, .. }))
        ));
        let nobody = json!({"controllerId": null, "userId": null});
        assert_eq!(
            parse("music-controller-changed", Some(&nobody)),
            Ok(Some(BackendEvent::Controller { socket_id: None, user_id: None }))
        );
    }

    #[test]
    fn nonsense_is_refused_by_name_and_foreign_events_are_passed_over() {
        assert_eq!(parse("location", Some(&json!(1))), Ok(None));
        let for_older_clients = json!({"track": {"id": "a"}, "autoPlay": false, "position": 3});
        assert_eq!(parse("music-change-track", Some(&for_older_clients)), Ok(None));
        assert_eq!(parse("music-play", None), Err(BackendError::NoObject { event: "music-play".into() }));
        for position in [json!("x"), json!(-1), json!([]), json!(1e300)] {
            let problem = parse("music-seek", Some(&json!({"position": position}))).unwrap_err().to_string();
            assert_eq!(problem, "`music-seek` has no usable `position`");
        }
        let long = json!({"playlist": vec![json!({"id": "a"}); ENTRIES_MAX + 1]});
        assert!(matches!(parse("playlist-update", Some(&long)), Err(BackendError::TooMany { .. })));
        assert!(parse("playlist-update", Some(&json!({}))).is_err());
        assert!(parse("music-position-sync", Some(&json!({"position": 1, "trackId": "a\u{7}"}))).is_err());
        assert!(parse("music-track-change", Some(&json!({"track": "a"}))).is_err());
    }

    #[test]
    fn commands_have_the_fields_that_the_web_client_sends() {
        let track = track::parse(&json!({"id": "a", "title": "A", "albumArt": "x"})).unwrap();
        let dated = Dated { position_us: 1_500_000, unix_ms: Some(5) };
        let play =
            BackendCommand::Control { action: BackendAction::Play, track: Some(track.clone()), playing: true, dated };
        let (name, value) = format(&play, &session());
        assert_eq!(name, "music-control");
        assert_eq!(
            (value["action"].as_str(), value["position"].as_f64(), value["trackId"].as_str(), &value["isPlaying"]),
            (Some("play"), Some(1.5), Some("a"), &json!(true))
        );
        assert_eq!(value["track"]["albumArt"], "x");
        let (name, value) = format(&BackendCommand::Playlist { tracks: vec![track] }, &session());
        assert_eq!(
            (name, &value["sessionId"], &value["playlist"][0]["id"]),
            ("playlist-update", &json!("c"), &json!("a"))
        );
        let id = TrackId::new("a").unwrap();
        let (name, value) = format(&BackendCommand::PositionSync { track_id: id, dated }, &session());
        assert_eq!((name, &value["timestamp"]), ("music-position-sync", &json!(5)));
    }

    #[test]
    fn what_is_written_is_read_back_as_the_server_relays_it() {
        let track = track::parse(&json!({"id": "a"})).unwrap();
        let dated = Dated { position_us: 2_000_000, unix_ms: Some(9) };
        let (name, value) =
            format(&BackendCommand::TrackChange { track: track.clone(), autoplay: true, dated }, &session());
        let Some(BackendEvent::TrackChanged { track: read, autoplay: true, dated: at }) =
            parse(name, Some(&value)).unwrap()
        else {
            panic!("not read back");
        };
        assert_eq!((read.id, at), (track.id, dated));
    }
}
