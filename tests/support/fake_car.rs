//! A car without a core: it obeys every command in the simplest way, and records it, so that the API can be tested by
//! itself.

use jamz::api::{Answer, Api, ApiError, Call, Config, Ports, Queue, QueueEntry, Request, serve};
use jamz::core::changes::ChangeId;
use jamz::core::clock::Monotonic;
use jamz::core::code::Code;
use jamz::core::id::{ConvoyId, ConvoyName, DeviceId, EntryId, TrackId};
use jamz::core::io::Notice;
use jamz::core::playlist::Track;
use jamz::core::request::{
    Addition, Command, Done, Gathering, HistoryEntry, InvitationLink, LibraryProblem, LibraryTrack, Measured,
    OutputInfo, Query, Reach, Refusal,
};
use jamz::core::roadside::Invitation;
use jamz::core::status::{ActiveSync, Connection, Member, MemberKind, PeerState, SocketState, Status};
use jamz::host::MonotonicClock;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, watch};

/// What the car is and does; tests change it as they need.
pub(crate) struct Inside {
    pub(crate) status: Status,
    pub(crate) queue: Queue,
    pub(crate) commands: Vec<Command>,
    pub(crate) reach: Reach,
    /// Answers every command with this.
    pub(crate) refusal: Option<Refusal>,
    /// Answers nothing.
    pub(crate) deaf: bool,
    pub(crate) library: Vec<LibraryTrack>,
    pub(crate) problems: Vec<LibraryProblem>,
    sequence: u64,
}

/// Handles to a running fake.
pub(crate) struct FakeCar {
    pub(crate) inside: Arc<Mutex<Inside>>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) api: Api,
    status: watch::Sender<Arc<Status>>,
    queue: watch::Sender<Arc<Queue>>,
}

impl FakeCar {
    pub(crate) async fn start(bus: &str) -> Self {
        Self::try_start(bus).await.unwrap()
    }

    pub(crate) async fn try_start(bus: &str) -> Result<Self, ApiError> {
        let inside = Inside {
            status: parked(),
            queue: Queue::default(),
            commands: Vec::new(),
            reach: Reach::Convoy,
            refusal: None,
            deaf: false,
            library: vec![library_track("aabbccdd", "Ode to Joy"), library_track("aabbccee", "Für Elise")],
            problems: Vec::new(),
            sequence: 0,
        };
        let inside = Arc::new(Mutex::new(inside));
        let (calls, requests) = mpsc::channel(8);
        let (status, status_seen) = watch::channel(Arc::new(parked()));
        let (queue, queue_seen) = watch::channel(Arc::new(Queue::default()));
        let (notices, notices_seen) = broadcast::channel(64);
        let ports = Ports {
            calls,
            status: status_seen,
            queue: queue_seen,
            notices: notices_seen,
            clock: Arc::new(MonotonicClock),
        };
        let api = serve(Config { bus: bus.to_owned() }, ports).await?;
        tokio::spawn(answer(inside.clone(), requests, status.clone(), queue.clone()));
        Ok(Self { inside, notices, api, status, queue })
    }

    /// Changes the car, and shows it.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Inside)) {
        let mut inside = self.inside.lock().unwrap();
        change(&mut inside);
        show(&mut inside, &self.status, &self.queue);
    }

    /// The commands it has got so far.
    pub(crate) fn commands(&self) -> Vec<Command> {
        self.inside.lock().unwrap().commands.clone()
    }

    /// Puts tracks with these titles into the playlist, each three minutes long.
    pub(crate) fn fill(&self, titles: &[&str]) {
        self.change(|inside| {
            for title in titles {
                push(inside, Addition::Url(format!("https://example.org/{title}.mp3")), None);
                (*title).clone_into(&mut inside.queue.entries.last_mut().unwrap().track.title);
            }
        });
    }
}

pub(crate) fn library_track(id: &str, title: &str) -> LibraryTrack {
    LibraryTrack {
        id: TrackId::new(format!("{id:0<64}")).unwrap(),
        title: title.into(),
        artist: "Ludwig van Beethoven".into(),
        album: "Best of".into(),
        duration_us: Some(215_000_000),
        path: format!("/music/{title}.flac"),
    }
}

/// In a convoy of three, leading it, with a bad road ahead.
fn parked() -> Status {
    let mut status = Status {
        version: "0.1.0".into(),
        device: "car-1".into(),
        name: "Bus 🚌".into(),
        convoy: Some("alps".into()),
        controller: Some("car-1".into()),
        is_controller: true,
        volume: 0.5,
        lead_us: 150_000,
        taken_us: MonotonicClock.now().0,
        ..Status::default()
    };
    status.connection = Connection {
        socket_io: SocketState::Connected,
        web_rtc: [("car-2".into(), PeerState::Connecting)].into(),
        active_sync: ActiveSync::Socket,
        reason: "the server answers within 42 ms".into(),
        round_trip_us: Some(42_000),
        dialect: Some("jamz".into()),
    };
    status.members = [("car-1", "ada", "Bus 🚌"), ("car-2", "bo", "道路"), ("phone-3", "cy", "Cy")]
        .map(|(device, user, name)| Member {
            device: device.into(),
            user: user.into(),
            name: name.into(),
            online: device != "phone-3",
            kind: if device.starts_with("car") { MemberKind::Car } else { MemberKind::Phone },
            tier: None,
        })
        .into();
    status.audio.output = "virtual".into();
    status.audio.rate_hz = Some(48_000);
    status
}

async fn answer(
    inside: Arc<Mutex<Inside>>,
    mut requests: mpsc::Receiver<Call>,
    status: watch::Sender<Arc<Status>>,
    queue: watch::Sender<Arc<Queue>>,
) {
    let mut unanswered = Vec::new();
    while let Some(Call { request, reply }) = requests.recv().await {
        let mut inside = inside.lock().unwrap();
        if inside.deaf {
            unanswered.push(reply);
            continue;
        }
        let result = match request {
            Request::Command(command) => obey(&mut inside, command),
            Request::Query(query) => Ok(look_up(&inside, query)),
            Request::Gathering(wish) => gather(&mut inside, wish),
            Request::Measurement { .. } => match &inside.refusal {
                Some(refusal) => Err(refusal.clone()),
                None => Ok(Answer::Measured(Measured { output: "virtual".into(), delay_us: 37_412, clarity: 0.75 })),
            },
        };
        show(&mut inside, &status, &queue);
        let _ = reply.send(result);
    }
}

/// Its convoy is always the same, and so is its code.
fn gather(inside: &mut Inside, wish: Gathering) -> Result<Answer, Refusal> {
    if let Some(refusal) = &inside.refusal {
        return Err(refusal.clone());
    }
    let convoy = ConvoyId::new("alps-0123456789").unwrap();
    let code = Code::parse("amber castle river twist").unwrap();
    match wish {
        Gathering::Found { name } => {
            let name = name.unwrap_or_else(|| ConvoyName::new("convoy").unwrap());
            Ok(Answer::Invitation(Invitation { convoy, name, code, valid_s: 600 }))
        }
        Gathering::Join { code: guess } if guess == code => obey(inside, Command::Join { convoy }),
        Gathering::Join { .. } => Err(Refusal::Denied("the code is wrong".into())),
    }
}

fn obey(inside: &mut Inside, command: Command) -> Result<Answer, Refusal> {
    inside.commands.push(command.clone());
    if let Some(refusal) = &inside.refusal {
        return Err(refusal.clone());
    }
    let now = &mut inside.status.now_playing;
    match command {
        Command::Play { entry } => {
            let wanted = entry.map(|entry| entry.to_string()).or(now.entry.clone());
            let entries = &inside.queue.entries;
            let index = entries.iter().position(|e| Some(e.id.as_str()) == wanted.as_deref()).unwrap_or(0);
            if let Some(entry) = entries.get(index) {
                now.playing = true;
                now.index = Some(index);
                now.entry = Some(entry.id.to_string());
                now.track = Some(entry.track.clone());
            }
        }
        Command::Pause => now.playing = false,
        Command::Toggle => now.playing = !now.playing,
        Command::Seek { position_us } => now.position_us = position_us,
        Command::SeekBy { offset_us } => now.position_us += offset_us,
        Command::Volume { level } => inside.status.volume = level,
        Command::Duck { on } => inside.status.ducked = on,
        Command::OutputDelay { delay_us, .. } => inside.status.audio.delay_us = delay_us,
        Command::Chirp { .. } => return Ok(Answer::Chirping { at: MonotonicClock.now() }),
        Command::QueueAdd { tracks, mut index } => {
            for addition in tracks {
                push(inside, addition, index);
                index = index.map(|index| index + 1);
            }
        }
        Command::QueueRemove { entry } => inside.queue.entries.retain(|e| e.id != entry),
        Command::QueueMove { entry, index } => {
            let from = inside.queue.entries.iter().position(|e| e.id == entry).unwrap();
            let moved = inside.queue.entries.remove(from);
            inside.queue.entries.insert(index, moved);
        }
        Command::QueueClear => inside.queue.entries.clear(),
        Command::Join { convoy } => inside.status.convoy = Some(convoy.to_string()),
        Command::Leave => inside.status.convoy = None,
        Command::Invite { role } => {
            let link = "https://convoy.example.org/#t=eyJhbGciOiJIUzI1NiJ9".to_owned() + &".c2ln".repeat(40);
            let (role, expires_unix_s) = (role.unwrap_or_default(), Some(1_800_000_000));
            return Ok(Answer::Link(InvitationLink { link, others: Vec::new(), role, expires_unix_s }));
        }
        Command::Take | Command::Release | Command::Next | Command::Previous => {}
    }
    inside.sequence += 1;
    let id = ChangeId { device: DeviceId::new("car-1").unwrap(), sequence: inside.sequence };
    Ok(Answer::Done(Done { changes: vec![id], reach: inside.reach }))
}

fn look_up(inside: &Inside, query: Query) -> Answer {
    match query {
        Query::LibraryScan => Answer::Started,
        Query::LibrarySearch { text, limit } => {
            let text = text.to_lowercase();
            let has = |track: &&LibraryTrack| {
                track.id.as_str().starts_with(&text) || track.title.to_lowercase().contains(&text)
            };
            Answer::Tracks(inside.library.iter().filter(has).take(limit as usize).cloned().collect())
        }
        Query::LibraryProblems => Answer::Problems(inside.problems.clone()),
        Query::Outputs => Answer::Outputs(vec![OutputInfo {
            name: "virtual".into(),
            description: "A sound card that is none".into(),
            active: true,
        }]),
        Query::History { limit, pending } => Answer::History(
            (0..u64::from(limit.min(3)))
                .map(|n| HistoryEntry {
                    id: format!("car-1:{n}"),
                    device: "car-1".into(),
                    user: None,
                    action: "play".into(),
                    subject: Some("Ode to Joy".into()),
                    convoy_time_us: 1,
                    recorded_unix_s: 1_700_000_000,
                    state: if pending { "pending" } else { "superseded" }.into(),
                    reason: Some("a newer change counts".into()),
                })
                .collect(),
        ),
        Query::Config => Answer::Config(serde_json::json!({"name": "Bus 🚌", "audio": {"output": "virtual"}})),
    }
}

fn push(inside: &mut Inside, addition: Addition, index: Option<usize>) {
    inside.sequence += 1;
    let track = match addition {
        Addition::Library(id) => {
            let known = inside.library.iter().find(|track| track.id == id);
            let title = known.map_or_else(String::new, |track| track.title.clone());
            track(id, title, None)
        }
        Addition::Known(track) => *track,
        Addition::Url(url) => track(TrackId::new(format!("url{}", inside.sequence)).unwrap(), String::new(), Some(url)),
    };
    let entry = QueueEntry { id: EntryId::new(format!("car-1:{}", inside.sequence)).unwrap(), track };
    let end = inside.queue.entries.len();
    inside.queue.entries.insert(index.unwrap_or(end).min(end), entry);
}

fn track(id: TrackId, title: String, url: Option<String>) -> Track {
    let artist = "Beethoven".into();
    Track {
        id,
        title,
        artist,
        album: String::new(),
        duration_us: Some(180_000_000),
        url,
        extra: serde_json::Map::new(),
    }
}

fn show(inside: &mut Inside, status: &watch::Sender<Arc<Status>>, queue: &watch::Sender<Arc<Queue>>) {
    let before = queue.borrow().clone();
    if before.entries != inside.queue.entries {
        inside.queue.revision = before.revision + 1;
        queue.send_replace(Arc::new(inside.queue.clone()));
    }
    inside.status.queue_revision = inside.queue.revision;
    inside.status.queue_length = inside.queue.entries.len();
    inside.status.taken_us = MonotonicClock.now().0;
    status.send_replace(Arc::new(inside.status.clone()));
}
