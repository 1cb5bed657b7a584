//! The typed client of the API: what `jamzctl` and the demo use.

mod error;
mod events;

pub use error::ClientError;
pub use events::{Event, Events};

use super::bus;
use super::call::Queue;
use super::error::Error;
use super::interface::convoy::ConvoyProxy;
use super::interface::diagnostics::{DiagnosticsProxy, HISTORY_MAX};
use super::interface::library::{FOUND_MAX, LibraryProxy};
use super::interface::player::PlayerProxy;
use super::interface::queue::{ADD_MAX, QueueProxy};
use crate::core::changes::ChangeId;
use crate::core::code::Code;
use crate::core::id::{ConvoyId, ConvoyName, DeviceId, EntryId};
use crate::core::request::{
    Addition, Done, HistoryEntry, InvitationLink, LibraryProblem, LibraryTrack, Measured, OutputInfo, Reach,
};
use crate::core::roadside::Invitation;
use crate::core::status::Status;
use crate::core::ticket::Role;
use std::time::Duration;
use zbus::Connection;
use zbus::proxy::CacheProperties;

/// Longer than the daemon takes to say that it has no answer.
const ANSWER_MAX: Duration = Duration::from_secs(25);
/// Times that a list is read anew because it changed while it was read.
const REREADS_MAX: usize = 8;
/// Entries asked for at once.
const PAGE: u64 = 500;

/// A connection to one head unit.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Connection,
    convoy: ConvoyProxy<'static>,
    player: PlayerProxy<'static>,
    queue: QueueProxy<'static>,
    library: LibraryProxy<'static>,
    diagnostics: DiagnosticsProxy<'static>,
}

impl Client {
    /// Connects to the head unit on `bus`: `system`, `session`, or a D-Bus address.
    ///
    /// # Errors
    /// [`ClientError::NoBus`] when there is no such bus. Whether a head unit is there shows at the first call.
    pub async fn connect(bus: &str) -> Result<Self, ClientError> {
        let connection = bus::builder(bus).method_timeout(ANSWER_MAX).build().await;
        let connection =
            connection.map_err(|error| ClientError::NoBus { bus: bus.to_owned(), problem: error.to_string() })?;
        let at = &connection;
        let no = CacheProperties::No;
        Ok(Self {
            convoy: ConvoyProxy::builder(at).cache_properties(no).build().await.map_err(Error::from)?,
            player: PlayerProxy::builder(at).cache_properties(no).build().await.map_err(Error::from)?,
            queue: QueueProxy::builder(at).cache_properties(no).build().await.map_err(Error::from)?,
            library: LibraryProxy::builder(at).cache_properties(no).build().await.map_err(Error::from)?,
            diagnostics: DiagnosticsProxy::builder(at).cache_properties(no).build().await.map_err(Error::from)?,
            connection,
        })
    }

    /// Everything at once, as of this moment.
    ///
    /// # Errors
    /// [`ClientError`], as every method of this client.
    pub async fn status(&self) -> Result<Status, ClientError> {
        let json = self.diagnostics.status().await?;
        serde_json::from_str(&json).map_err(|error| ClientError::Protocol(format!("its status is unreadable: {error}")))
    }

    /// What happens from now on.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn subscribe(&self) -> Result<Events, ClientError> {
        Events::new(&self.connection).await
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn play(&self, entry: Option<&EntryId>) -> Result<Done, ClientError> {
        done(self.player.play(entry.map(ToString::to_string).unwrap_or_default()).await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn pause(&self) -> Result<Done, ClientError> {
        done(self.player.pause().await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn toggle(&self) -> Result<Done, ClientError> {
        done(self.player.toggle().await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn seek(&self, position_us: i64) -> Result<Done, ClientError> {
        done(self.player.seek(position_us).await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn seek_by(&self, offset_us: i64) -> Result<Done, ClientError> {
        done(self.player.seek_by(offset_us).await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn next(&self) -> Result<Done, ClientError> {
        done(self.player.next().await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn previous(&self) -> Result<Done, ClientError> {
        done(self.player.previous().await?)
    }

    /// This car's loudness, 0 to 1.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn set_volume(&self, level: f64) -> Result<(), ClientError> {
        Ok(self.player.set_volume(level).await.map_err(Error::from)?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn duck(&self, on: bool) -> Result<Done, ClientError> {
        done(self.player.duck(on).await?)
    }

    /// Adds tracks at the place `index` counted from nought, or at the end. As many calls as it takes are made; the
    /// answer has the changes of all.
    ///
    /// # Errors
    /// As [`Self::status`]; tracks of earlier calls then stay in the list.
    pub async fn queue_add(&self, tracks: &[Addition], index: Option<usize>) -> Result<Done, ClientError> {
        let mut all = Done { changes: Vec::new(), reach: Reach::Convoy };
        let mut index = index.map_or(-1, |index| index as i64);
        for chunk in tracks.chunks(ADD_MAX) {
            let named = chunk.iter().map(|addition| match addition {
                Addition::Library(id) => ("library".to_owned(), id.to_string()),
                Addition::Known(track) => ("library".to_owned(), track.id.to_string()),
                Addition::Url(url) => ("url".to_owned(), url.clone()),
            });
            let added = done(self.queue.add(named.collect(), index).await?)?;
            all.changes.extend(added.changes);
            if added.reach == Reach::Local {
                all.reach = Reach::Local;
            }
            if index >= 0 {
                index += chunk.len() as i64;
            }
        }
        Ok(all)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn queue_remove(&self, entry: &EntryId) -> Result<Done, ClientError> {
        done(self.queue.remove(entry.to_string()).await?)
    }

    /// To the place `index`, counted from nought.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn queue_move(&self, entry: &EntryId, index: usize) -> Result<Done, ClientError> {
        done(self.queue.shift(entry.to_string(), index as u64).await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn queue_clear(&self) -> Result<Done, ClientError> {
        done(self.queue.clear().await?)
    }

    /// The whole playlist, read page by page.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn queue(&self) -> Result<Queue, ClientError> {
        let mut queue = Queue::default();
        let mut rereads = 0;
        loop {
            let (revision, total, page) =
                self.queue.list(queue.entries.len() as u64, PAGE).await.map_err(Error::from)?;
            if revision != queue.revision && !queue.entries.is_empty() {
                rereads += 1;
                if rereads > REREADS_MAX {
                    return Err(ClientError::Busy("the playlist changes too fast to be read; try again".into()));
                }
                queue = Queue::default();
                continue;
            }
            queue.revision = revision;
            let ended = page.is_empty();
            for row in page {
                queue.entries.push(row.try_into().map_err(|error| ClientError::Protocol(format!("{error}")))?);
            }
            if ended || queue.entries.len() as u64 >= total {
                return Ok(queue);
            }
        }
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn library_scan(&self) -> Result<(), ClientError> {
        Ok(self.library.scan().await?)
    }

    /// Up to `limit` (at most 1000) tracks that have all words of `text`, or whose id begins with it.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn library_search(&self, text: &str, limit: u32) -> Result<Vec<LibraryTrack>, ClientError> {
        let rows = self.library.search(text.to_owned(), limit.min(FOUND_MAX)).await?;
        let tracks = rows.into_iter().map(LibraryTrack::try_from).collect::<Result<_, _>>();
        tracks.map_err(|error| ClientError::Protocol(format!("{error}")))
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn library_problems(&self) -> Result<Vec<LibraryProblem>, ClientError> {
        let mut problems: Vec<LibraryProblem> = Vec::new();
        loop {
            let (total, page) = self.library.problems(problems.len() as u64, PAGE).await?;
            let ended = page.is_empty();
            problems.extend(page.into_iter().map(|(path, problem)| LibraryProblem { path, problem }));
            if ended || problems.len() as u64 >= total {
                return Ok(problems);
            }
        }
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn set_output_delay(&self, output: &str, delay_us: i64) -> Result<(), ClientError> {
        Ok(self.player.set_output_delay(output.to_owned(), delay_us).await?)
    }

    /// What the output in use is found to need by a microphone; the one that can hear it, where the name is empty.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn measure_output_delay(&self, microphone: &str) -> Result<Measured, ClientError> {
        let (output, delay_us, clarity) = self.player.measure_output_delay(microphone.to_owned()).await?;
        Ok(Measured { output, delay_us, clarity: clarity as f32 })
    }

    /// Plays chirps for a recording of two cars; they have ended so many microseconds from now.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn chirp(&self, is_reference: bool) -> Result<i64, ClientError> {
        Ok(self.player.chirp(is_reference).await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn outputs(&self) -> Result<Vec<OutputInfo>, ClientError> {
        Ok(self.diagnostics.outputs().await?.into_iter().map(OutputInfo::from).collect())
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn join(&self, convoy: &ConvoyId) -> Result<Done, ClientError> {
        done(self.convoy.join(convoy.to_string()).await?)
    }

    /// Founds a convoy on the roadside, or lets others into the founded one that this car is in.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn found(&self, name: Option<&ConvoyName>) -> Result<Invitation, ClientError> {
        let name = name.map(ToString::to_string).unwrap_or_default();
        let (convoy, name, code, valid_s) = self.convoy.found(name).await?;
        let unknown = |error: String| ClientError::Protocol(error);
        Ok(Invitation {
            convoy: ConvoyId::new(convoy).map_err(|error| unknown(error.to_string()))?,
            name: ConvoyName::new(name).map_err(|error| unknown(error.to_string()))?,
            code: Code::parse(&code).map_err(|error| unknown(error.to_string()))?,
            valid_s,
        })
    }

    /// Joins by the code that another car on this network has named.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn join_by_code(&self, code: &Code) -> Result<Done, ClientError> {
        done(self.convoy.join_by_code(code.text()).await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn leave(&self) -> Result<Done, ClientError> {
        done(self.convoy.leave().await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn take(&self) -> Result<Done, ClientError> {
        done(self.convoy.take().await?)
    }

    /// # Errors
    /// As [`Self::status`].
    pub async fn release(&self) -> Result<Done, ClientError> {
        done(self.convoy.release().await?)
    }

    /// A link by which a phone's browser joins.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn invite(&self, role: Option<Role>) -> Result<InvitationLink, ClientError> {
        let role = role.map_or_else(String::new, |role| role.as_str().to_owned());
        let (link, others, role, expires_unix_s) = self.convoy.invite(role).await?;
        let role = if role == Role::Listener.as_str() { Role::Listener } else { Role::Dj };
        Ok(InvitationLink { link, others, role, expires_unix_s: Some(expires_unix_s).filter(|s| *s > 0) })
    }

    /// The newest changes (at most 1000), the newest first.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn history(&self, limit: u32) -> Result<Vec<HistoryEntry>, ClientError> {
        let rows = self.diagnostics.history(limit.min(HISTORY_MAX)).await?;
        Ok(rows.into_iter().map(HistoryEntry::from).collect())
    }

    /// What this car did and no server or leader has yet (at most 1000), the oldest first.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn pending(&self, limit: u32) -> Result<Vec<HistoryEntry>, ClientError> {
        let rows = self.diagnostics.pending(limit.min(HISTORY_MAX)).await?;
        Ok(rows.into_iter().map(HistoryEntry::from).collect())
    }

    /// The configuration in force.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn config(&self) -> Result<serde_json::Value, ClientError> {
        let json = self.diagnostics.config().await?;
        serde_json::from_str(&json).map_err(|error| ClientError::Protocol(format!("its config is unreadable: {error}")))
    }
}

fn done((reach, changes): (String, Vec<String>)) -> Result<Done, ClientError> {
    let reach = match reach.as_str() {
        "convoy" => Reach::Convoy,
        "local" => Reach::Local,
        other => return Err(ClientError::Protocol(format!("{other} is no known reach"))),
    };
    let changes = changes.iter().map(|id| change_id(id)).collect::<Option<_>>();
    let changes = changes.ok_or_else(|| ClientError::Protocol("it names changes in an unknown way".into()))?;
    Ok(Done { changes, reach })
}

fn change_id(text: &str) -> Option<ChangeId> {
    let (device, sequence) = text.rsplit_once(':')?;
    Some(ChangeId { device: DeviceId::new(device).ok()?, sequence: sequence.parse().ok()? })
}
