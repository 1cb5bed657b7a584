//! What a car does, driven by hand: every test gives inputs at chosen times and looks at the outputs.

use super::*;
use crate::core::changes::{Action, Verdict};
use crate::core::id::{EntryId, TrackId};
use crate::core::io::{Plan, RequestId, ServerCommand, ServerEvent, Source, TrackEvent};
use crate::core::playlist::Track;
use crate::core::request::{Addition, Command, Done, Reach, Refusal};

const SECOND: i64 = 1_000_000;

pub(super) struct Bench {
    pub(super) car: Car,
    pub(super) now: MonoTime,
    request: u64,
    pub(super) plan: Plan,
    pub(super) clock: Option<ClockMap>,
    /// Whether changes become durable by themselves.
    disk: bool,
    pub(super) seen: Vec<Output>,
}

pub(super) fn start() -> Start {
    Start {
        identity: Identity {
            device: DeviceId::new("me").unwrap(),
            user: UserId::new("ann").unwrap(),
            name: "Ann's car".into(),
            version: "test".into(),
        },
        convoy: None,
        has_server: false,
        saved: None,
        pending: Vec::new(),
        same_boot: false,
    }
}

pub(super) fn track(name: &str, seconds: i64) -> Track {
    Track {
        id: TrackId::new(name).unwrap(),
        title: name.into(),
        artist: String::new(),
        album: String::new(),
        duration_us: Some(seconds * SECOND),
        url: Some(format!("https://example.org/{name}.mp3")),
        extra: serde_json::Map::new(),
    }
}

impl Bench {
    pub(super) fn new(start: Start) -> Self {
        let now = MonoTime(1_000 * SECOND);
        let mut bench = Self {
            car: Car::new(start, now),
            now,
            request: 0,
            plan: Plan::default(),
            clock: None,
            disk: true,
            seen: Vec::new(),
        };
        bench.drain();
        bench
    }

    pub(super) fn give(&mut self, input: Input) {
        self.car.handle(input, self.now);
        self.drain();
    }

    pub(super) fn server(&mut self, event: ServerEvent) {
        self.give(Input::Server(event));
    }

    fn drain(&mut self) {
        while let Some(output) = self.car.poll_output() {
            match &output {
                Output::Store(change) if self.disk => {
                    let id = change.id.clone();
                    self.car.handle(Input::Stored(id), self.now);
                }
                Output::Audio(AudioCommand::Plan(plan)) => self.plan = plan.clone(),
                Output::Audio(AudioCommand::Clock(map)) => self.clock = *map,
                Output::Resolve(track) => {
                    let event = TrackEvent::Ready {
                        track: track.id.clone(),
                        source: Source { path: format!("/{}", track.id), growing: None },
                        duration_us: track.duration_us,
                        gain_db: None,
                    };
                    self.car.handle(Input::Track(event), self.now);
                }
                _ => {}
            }
            self.seen.push(output);
        }
    }

    pub(super) fn wait(&mut self, us: i64) {
        let end = self.now + us;
        while let Some(wake) = self.car.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.give(Input::Wake);
        }
        self.now = end;
        self.give(Input::Wake);
    }

    pub(super) fn command(&mut self, command: Command) -> RequestId {
        self.request += 1;
        let request = RequestId(self.request);
        self.give(Input::Command { request, command });
        request
    }

    pub(super) fn reply(&self, request: RequestId) -> Option<&Result<Done, Refusal>> {
        self.seen.iter().find_map(|output| match output {
            Output::Reply { request: r, result } if *r == request => Some(result),
            _ => None,
        })
    }

    fn reach(&self, request: RequestId) -> Option<Reach> {
        self.reply(request).and_then(|result| result.as_ref().ok()).map(|done| done.reach)
    }

    pub(super) fn sent(&self) -> Vec<&ServerCommand> {
        self.seen.iter().filter_map(|o| if let Output::Server(command) = o { Some(command) } else { None }).collect()
    }

    fn changes_sent(&self) -> Vec<&Change> {
        let change = |command| if let &ServerCommand::Change(ref change) = command { Some(&**change) } else { None };
        self.sent().into_iter().filter_map(change).collect()
    }

    /// Joins a convoy on a server whose clock runs `ahead_us` ahead of ours.
    fn join(&mut self, snapshot: Snapshot, ahead_us: i64) {
        self.server(ServerEvent::Up { dialect: Dialect::Jamz });
        self.server(ServerEvent::Joined { snapshot: Box::new(snapshot), members: Vec::new() });
        for _ in 0..PROBES_FAST {
            self.probe(ahead_us);
            self.wait(PROBE_FAST_US);
        }
    }

    fn probe(&mut self, ahead_us: i64) {
        let at = ConvoyTime(self.now.0 - 500 + ahead_us);
        self.server(ServerEvent::Probed {
            sent: self.now - 1_000,
            received: self.now,
            server_received: at,
            server_sent: at,
            lead_us: 150_000,
        });
    }

    fn ack_all(&mut self, verdict: &Verdict) {
        let ids: Vec<_> = self.changes_sent().into_iter().map(|change| change.id.clone()).collect();
        for change in ids {
            self.server(ServerEvent::Acked { change, verdict: verdict.clone() });
        }
    }

    pub(super) fn add(&mut self, tracks: &[Track]) -> RequestId {
        let tracks = tracks.iter().map(|track| Addition::Known(Box::new(track.clone()))).collect();
        self.command(Command::QueueAdd { tracks, index: None })
    }

    fn queue(&self) -> Vec<String> {
        self.car.queue().map(|(_, track)| track.title.clone()).collect()
    }

    pub(super) fn status(&self) -> crate::core::status::Status {
        self.car.status(self.now)
    }
}

fn in_convoy() -> Start {
    Start { convoy: ConvoyId::new("convoy").ok(), has_server: true, ..start() }
}

fn led_by(other: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let change = Change {
        id: crate::core::changes::ChangeId { device: DeviceId::new(other).unwrap(), sequence: 1 },
        hlc: Hlc { time_us: 1, count: 0 },
        term: crate::core::election::Term(0),
        user: None,
        action: Action::TakeControl,
        signature: None,
    };
    assert_eq!(snapshot.apply(&change), Verdict::Applied);
    snapshot
}

#[test]
fn a_car_that_is_in_no_convoy_is_a_player_of_its_own() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    let played = bench.command(Command::Play { entry: None });
    assert_eq!(bench.reach(played), Some(Reach::Convoy));
    let segments = &bench.plan.segments;
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[0].ends, Some(segments[1].starts));
    assert_eq!(segments[1].starts - segments[0].starts, 10 * SECOND);
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn tracks_follow_each_other_and_the_end_of_the_playlist_stops() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    bench.command(Command::Play { entry: None });
    bench.wait(11 * SECOND);
    let playing = bench.status().now_playing;
    assert_eq!((playing.track.unwrap().title.as_str(), playing.index), ("b", Some(1)));
    bench.wait(12 * SECOND);
    assert!(!bench.status().now_playing.playing);
    assert!(bench.plan.segments.is_empty());
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    assert_eq!(bench.status().now_playing.index, Some(0));
}

#[test]
fn a_control_is_durable_before_it_counts_or_leaves_the_car() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.disk = false;
    let added = bench.add(&[track("a", 10)]);
    assert!(bench.queue().is_empty() && bench.changes_sent().is_empty());
    let id = bench.car.own.next_id();
    let first = crate::core::changes::ChangeId { sequence: id.sequence - 1, ..id };
    bench.give(Input::Stored(first));
    assert_eq!(bench.queue(), ["a"]);
    assert_eq!(bench.changes_sent().len(), 1);
    assert_eq!(bench.reply(added), None);
    bench.ack_all(&Verdict::Applied);
    assert_eq!(bench.reach(added), Some(Reach::Convoy));
}

#[test]
fn a_full_disk_refuses_the_change_and_the_music_goes_on() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 60)]);
    bench.command(Command::Play { entry: None });
    bench.disk = false;
    let paused = bench.command(Command::Pause);
    let change = crate::core::changes::ChangeId { device: DeviceId::new("me").unwrap(), sequence: 3 };
    bench.give(Input::NotStored { change, problem: "the disk is full".into() });
    assert_eq!(bench.reply(paused), Some(&Err(Refusal::Failed("the disk is full".into()))));
    assert_eq!(bench.plan.segments.len(), 1);
    bench.wait(SECOND);
    assert!(bench.status().now_playing.playing);
}

#[test]
fn what_the_server_did_not_acknowledge_is_sent_again_after_the_link_returns() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 7 * SECOND);
    let added = bench.add(&[track("a", 10)]);
    bench.server(ServerEvent::Down { reason: "cut".into() });
    bench.wait(3 * SECOND);
    assert_eq!(bench.reach(added), Some(Reach::Local));
    assert_eq!(bench.status().changes.pending, 1);
    bench.join(Snapshot::default(), 7 * SECOND);
    assert_eq!(bench.changes_sent().len(), 2);
    assert_eq!(bench.queue(), ["a"]);
    bench.ack_all(&Verdict::Applied);
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn a_listener_is_denied_and_told_who_leads() {
    let mut bench = Bench::new(in_convoy());
    bench.join(led_by("other"), 0);
    let played = bench.command(Command::Pause);
    assert_eq!(bench.reach(played), Some(Reach::Convoy), "nothing plays, so nothing is to be paused");
    bench.add(&[track("a", 10)]);
    bench.ack_all(&Verdict::Applied);
    let played = bench.command(Command::Play { entry: None });
    assert!(matches!(bench.reply(played), Some(Err(Refusal::Denied(text))) if text.contains("other")));
    bench.command(Command::Take);
    bench.ack_all(&Verdict::Applied);
    let played = bench.command(Command::Play { entry: None });
    bench.ack_all(&Verdict::Applied);
    assert_eq!(bench.reach(played), Some(Reach::Convoy));
    assert!(bench.status().is_controller);
}

#[test]
fn what_a_listener_plays_alone_is_superseded_on_return_and_shown() {
    let mut bench = Bench::new(in_convoy());
    let mut snapshot = led_by("other");
    bench.join(snapshot.clone(), 0);
    bench.add(&[track("a", 100)]);
    bench.ack_all(&Verdict::Applied);
    for change in bench.changes_sent() {
        snapshot.apply(change);
    }
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    let played = bench.command(Command::Play { entry: None });
    assert_eq!(bench.reach(played), Some(Reach::Local));
    assert_eq!(bench.plan.segments.len(), 1);
    bench.join(snapshot, 0);
    assert!(bench.plan.segments.is_empty());
    assert!(bench.seen.iter().any(|output| matches!(output, Output::Notice(Notice::Superseded { .. }))));
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn what_the_server_overrules_is_undone_by_its_whole_state() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let added = bench.add(&[track("a", 10)]);
    let before = bench.sent().len();
    bench.ack_all(&Verdict::Refused { reason: "the playlist is full".into() });
    assert!(matches!(bench.reply(added), Some(Err(Refusal::Denied(_)))));
    let asked = bench.sent().into_iter().skip(before).any(|command| matches!(command, ServerCommand::Join { .. }));
    assert!(asked);
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    assert!(bench.queue().is_empty());
}

#[test]
fn a_car_is_silent_until_it_knows_the_convoys_time_and_commands_wait_for_it() {
    let mut bench = Bench::new(in_convoy());
    assert_eq!(bench.clock, None);
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz });
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    bench.add(&[track("a", 10)]);
    assert!(bench.changes_sent().is_empty() && bench.clock.is_none());
    for _ in 0..PROBES_ENOUGH {
        bench.probe(50 * SECOND);
        bench.wait(PROBE_FAST_US);
    }
    let error = bench.clock.unwrap().convoy(bench.now) - ConvoyTime(bench.now.0 + 50 * SECOND);
    assert!(error.abs() < 1_000, "{error} us");
    assert_eq!(bench.changes_sent().len(), 1);
}

#[test]
fn a_server_that_never_answers_does_not_keep_a_car_silent() {
    let mut bench = Bench::new(in_convoy());
    bench.add(&[track("a", 10)]);
    bench.command(Command::Play { entry: None });
    bench.wait(AWAIT_US + 1);
    assert!(bench.clock.is_some());
    assert_eq!(bench.plan.segments.len(), 1);
}

#[test]
fn after_a_crash_the_car_plays_on_in_time_before_it_has_any_link() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 9 * SECOND);
    bench.add(&[track("a", 1_000)]);
    bench.command(Command::Play { entry: None });
    bench.wait(20 * SECOND);
    let saved = bench
        .seen
        .iter()
        .rev()
        .find_map(|o| if let Output::Remember(saved) = o { Some((**saved).clone()) } else { None })
        .unwrap();
    let position_us = bench.status().now_playing.position_us;
    let again = Start { saved: Some(saved), same_boot: true, ..in_convoy() };
    let mut restarted = Bench::new(again);
    restarted.now = bench.now;
    restarted.give(Input::Wake);
    assert!((restarted.status().now_playing.position_us - position_us).abs() < 1_000);
    assert!(restarted.clock.is_some());
    let id = restarted.car.own.next_id();
    assert!(id.sequence > 2, "sequence numbers are never used twice");
}

#[test]
fn after_a_reboot_the_music_resumes_where_it_was() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 1_000)]);
    bench.command(Command::Play { entry: None });
    bench.wait(40 * SECOND);
    let position_us = bench.status().now_playing.position_us;
    let saved = Some(bench.car.saved(bench.now));
    let mut rebooted = Bench::new(Start { saved, ..start() });
    rebooted.wait(SECOND);
    let resumed_us = rebooted.status().now_playing.position_us;
    assert!((resumed_us - position_us - SECOND).abs() < 1_000, "{resumed_us} after {position_us}");
}

#[test]
fn a_seek_stays_within_the_track() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    let beyond = bench.command(Command::Seek { position_us: 101 * SECOND });
    assert!(matches!(bench.reply(beyond), Some(Err(Refusal::Invalid(text))) if text.contains("1:40")));
    bench.command(Command::SeekBy { offset_us: -50 * SECOND });
    bench.wait(SECOND);
    assert!(bench.status().now_playing.position_us < SECOND);
    bench.command(Command::Seek { position_us: 90 * SECOND });
    bench.wait(SECOND);
    let position_us = bench.status().now_playing.position_us;
    assert!((90 * SECOND..92 * SECOND).contains(&position_us), "{position_us}");
}

#[test]
fn next_and_previous_do_what_every_player_does() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100), track("b", 100)]);
    bench.command(Command::Play { entry: None });
    bench.command(Command::Next);
    bench.wait(5 * SECOND);
    assert_eq!(bench.status().now_playing.index, Some(1));
    bench.command(Command::Previous);
    bench.wait(SECOND);
    let playing = bench.status().now_playing;
    assert!(playing.index == Some(1) && playing.position_us < SECOND);
    bench.command(Command::Previous);
    bench.wait(SECOND);
    assert_eq!(bench.status().now_playing.index, Some(0));
    bench.command(Command::Next);
    bench.wait(SECOND);
    let last = bench.command(Command::Next);
    assert!(matches!(bench.reply(last), Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn pause_and_play_keep_the_place_to_the_microsecond() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.wait(7 * SECOND);
    bench.command(Command::Toggle);
    bench.wait(SECOND);
    let paused_us = bench.status().now_playing.position_us;
    bench.wait(60 * SECOND);
    assert_eq!(bench.status().now_playing.position_us, paused_us);
    bench.command(Command::Toggle);
    assert_eq!(bench.plan.segments[0].position_us, paused_us);
}

#[test]
fn additions_go_where_they_are_put_in_the_order_given() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 1), track("b", 1)]);
    let tracks = ["x", "y"].map(|name| Addition::Known(Box::new(track(name, 1)))).into();
    bench.command(Command::QueueAdd { tracks, index: Some(1) });
    assert_eq!(bench.queue(), ["a", "x", "y", "b"]);
    let entry = bench.car.queue().next().unwrap().0.clone();
    bench.command(Command::QueueMove { entry: entry.clone(), index: 2 });
    assert_eq!(bench.queue(), ["x", "y", "a", "b"]);
    bench.command(Command::QueueRemove { entry });
    assert_eq!(bench.queue(), ["x", "y", "b"]);
    let unknown = bench.command(Command::QueueRemove { entry: EntryId::new("nobody").unwrap() });
    assert!(matches!(bench.reply(unknown), Some(Err(Refusal::Invalid(_)))));
    bench.command(Command::QueueClear);
    assert!(bench.queue().is_empty());
}

#[test]
fn too_much_or_nonsense_is_refused_with_a_word_on_what_to_do() {
    let mut bench = Bench::new(start());
    for command in [
        Command::Play { entry: None },
        Command::Next,
        Command::Previous,
        Command::Seek { position_us: 5 },
        Command::Volume { level: f64::NAN },
        Command::Leave,
        Command::QueueAdd { tracks: vec![Addition::Url("ftp://x/y".into())], index: None },
        Command::QueueAdd { tracks: vec![Addition::Url("http://x".into()); 1_001], index: None },
    ] {
        let request = bench.command(command.clone());
        assert!(matches!(bench.reply(request), Some(Err(Refusal::Invalid(_)))), "{command:?}");
    }
    let long = format!("https://example.org/{}.mp3", "é".repeat(1_000));
    let added = bench.command(Command::QueueAdd { tracks: vec![Addition::Url(long)], index: None });
    assert!(matches!(bench.reply(added), Some(Ok(_))));
}

#[test]
fn a_track_that_is_missing_here_is_silence_in_time_and_said_so() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    let missing = TrackEvent::Missing { track: TrackId::new("a").unwrap(), problem: "gone".into() };
    bench.give(Input::Track(missing));
    bench.command(Command::Play { entry: None });
    assert_eq!(bench.plan.segments[0].source, None);
    assert!(bench.plan.segments[1].source.is_some());
    assert!(bench.seen.iter().any(|output| matches!(output, Output::Notice(Notice::TrackSkipped { .. }))));
}

#[test]
fn leaving_takes_the_music_and_the_playlist_of_the_convoy_away() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.command(Command::Leave);
    assert!(bench.plan.segments.is_empty() && bench.queue().is_empty());
    assert!(bench.sent().contains(&&ServerCommand::Leave));
    assert_eq!(bench.status().convoy, None);
}
