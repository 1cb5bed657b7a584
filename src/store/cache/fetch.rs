//! One track on its way here: an attempt goes on where the last one broke off, and hashes what it gets.

use super::part::{Part, Unkept};
use super::response::{self, Answer};
use super::{Index, Kept, Patience, kind};
use crate::core::id::TrackId;
use crate::core::io::{Growing, Input, Source, TrackEvent};
use crate::core::playlist::Track;
use crate::store::StoreError;
use crate::store::probe::{self, Problem};
use reqwest::header::{ACCEPT, IF_RANGE, RANGE};
use reqwest::{Client, Response, redirect};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OnceCell, mpsc};

/// So much of a file is enough to begin to play it.
const READY_BYTES: u64 = 256 << 10;
const REDIRECTS_MAX: usize = 5;

/// Why an attempt did not end with a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// It may succeed later.
    Later(String),
    /// The server has another version now, and all begins anew.
    Changed,
    /// Room has to be made first.
    DiskFull(String),
    /// It never will.
    Never(String),
}

/// How far it has come, for people.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub bytes: AtomicU64,
    /// 0 is unknown.
    pub bytes_total: AtomicU64,
}

/// What all fetches share.
pub(super) struct Means {
    /// Made for the first fetch: the system's authorities take memory, and many a drive fetches nothing.
    client: OnceCell<Client>,
    patience: Patience,
    pub index: Arc<Mutex<Index>>,
    pub file_bytes_max: u64,
}

impl Means {
    pub(super) fn new(patience: Patience, index: Arc<Mutex<Index>>, file_bytes_max: u64) -> Self {
        Self { client: OnceCell::new(), patience, index, file_bytes_max }
    }

    async fn client(&self) -> Result<&Client, Setback> {
        let patience = self.patience.clone();
        let make = || async move {
            let made = tokio::task::spawn_blocking(move || client(&patience)).await;
            made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        self.client.get_or_try_init(make).await.map_err(Setback::Later)
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that waits no longer than it should, and goes nowhere but to web servers.
fn client(patience: &Patience) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("jamz/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience.connect)
        .read_timeout(patience.read)
        .redirect(redirect::Policy::custom(|attempt| match attempt.url().scheme() {
            "http" | "https" if attempt.previous().len() <= REDIRECTS_MAX => attempt.follow(),
            "http" | "https" => attempt.error("it sends us from address to address without end"),
            _ => attempt.error("it sends us to an address that is none of the web"),
        }))
        .build()
}

/// The news that playing can begin, kept for whoever asks later.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<Option<TrackEvent>>);

impl Ready {
    pub(super) fn get(&self) -> Option<TrackEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, event: Option<TrackEvent>) -> Option<TrackEvent> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), event)
    }
}

pub(super) struct Fetch {
    pub track: Track,
    pub url: String,
    pub progress: Arc<Progress>,
    pub ready: Arc<Ready>,
    pub events: mpsc::Sender<Input>,
}

impl Fetch {
    /// Tries once.
    pub(super) async fn attempt(&self, means: &Means) -> Result<Kept, Setback> {
        let begun = means.index().begun(&self.url).map_err(|error| Setback::Later(error.to_string()))?;
        let mut part = Part::open(&begun.path).await.map_err(unkept)?;
        self.progress.bytes.store(part.bytes, Ordering::Relaxed);
        let resumes = part.bytes > 0 && begun.validator.is_some();
        let mut request =
            means.client().await?.get(&self.url).header(ACCEPT, "audio/*, application/octet-stream, */*;q=0.1");
        if let Some(validator) = begun.validator.as_deref().filter(|_| resumes) {
            request = request.header(RANGE, format!("bytes={}-", part.bytes)).header(IF_RANGE, validator);
        }
        let response = request.send().await.map_err(|error| setback(&error))?;
        match response::read(response.status(), response.headers(), part.bytes, means.file_bytes_max) {
            Answer::Body { from, total } => {
                let validator = response::validator(response.headers());
                // Not worth failing for: it only costs a resumption.
                let _ = means.index().note(&self.url, validator.as_deref(), total);
                self.receive(means, &mut part, response, from, total).await?;
            }
            Answer::Complete => {}
            Answer::Restart => return Err(self.restart(means)),
            Answer::Later(problem) => return Err(Setback::Later(problem)),
            Answer::Never(problem) => return Err(Setback::Never(problem)),
        }
        self.finish(means, part).await
    }

    /// Throws away what is here.
    pub(super) fn discard(&self, means: &Means) {
        if let Err(error) = means.index().abandon(&self.url) {
            tracing::warn!(%error, "a part stays in the cache's index");
        }
    }

    fn restart(&self, means: &Means) -> Setback {
        self.discard(means);
        self.progress.bytes.store(0, Ordering::Relaxed);
        Setback::Changed
    }

    /// Playing can begin; said once for each file.
    async fn announce(&self, path: &Path, bytes_total: Option<u64>) {
        let event = TrackEvent::Ready {
            track: self.track.id.clone(),
            source: Source { path: path.to_string_lossy().into_owned(), growing: Some(Growing { bytes_total }) },
            duration_us: self.track.duration_us,
            gain_db: None,
        };
        if self.ready.replace(Some(event.clone())).is_none() {
            // The core is gone only when all is.
            let _ = self.events.send(Input::Track(event)).await;
        }
    }

    /// Takes the body in; a server without ranges sends again what is here, and then it must be the same.
    async fn receive(
        &self,
        means: &Means,
        part: &mut Part,
        mut response: Response,
        from: u64,
        total: Option<u64>,
    ) -> Result<(), Setback> {
        let content_type = response.headers().get("content-type").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut again = (from < part.bytes).then(|| (blake3::Hasher::new(), part.bytes - from));
        let mut announced = false;
        self.progress.bytes_total.store(total.unwrap_or(0), Ordering::Relaxed);
        loop {
            self.progress.bytes.store(part.bytes, Ordering::Relaxed);
            if !announced && part.bytes >= READY_BYTES && again.is_none() {
                kind::extension(part.head(), content_type.as_deref()).map_err(Setback::Never)?;
                self.announce(&part.path, total).await;
                announced = true;
            }
            let Some(mut chunk) = response.chunk().await.map_err(|error| setback(&error))? else { break };
            if let Some((hasher, left)) = &mut again {
                let known = chunk.split_to(chunk.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                hasher.update(&known);
                *left -= known.len() as u64;
                if *left == 0 {
                    if hasher.finalize() != part.hash() {
                        return Err(self.restart(means));
                    }
                    again = None;
                }
            }
            if part.bytes.saturating_add(chunk.len() as u64) > means.file_bytes_max {
                return Err(Setback::Never(response::too_large(means.file_bytes_max)));
            }
            part.append(&chunk).await.map_err(unkept)?;
            if part.head().len() >= kind::HEAD_BYTES {
                kind::extension(part.head(), content_type.as_deref()).map_err(Setback::Never)?;
            }
        }
        match total {
            Some(total) if total != part.bytes => Err(Setback::Later("the server broke off".into())),
            _ if again.is_some() => Err(self.restart(means)),
            _ => kind::extension(part.head(), content_type.as_deref()).map(drop).map_err(Setback::Never),
        }
    }

    /// Checks that it is music, and the right piece; then it has its final place.
    async fn finish(&self, means: &Means, part: Part) -> Result<Kept, Setback> {
        part.sync().await.map_err(unkept)?;
        let hash = TrackId::new(part.hash().to_hex().as_str()).map_err(|error| Setback::Never(error.to_string()))?;
        if is_hash(&self.track.id) && hash != self.track.id {
            return Err(Setback::Never("the address gives another recording than the one that was chosen".into()));
        }
        // Its head told its kind before; a server's word for it is not needed any more.
        let extension = kind::extension(part.head(), Some("audio/mpeg")).map_err(Setback::Never)?;
        let index = Arc::clone(&means.index);
        let track = self.track.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let path = part.path.clone();
            let probed = probe::guarded(&AtomicBool::new(false), move |watch| probe::probe(&path, watch))?;
            let index = index.lock().unwrap_or_else(PoisonError::into_inner);
            Ok::<_, Problem>(index.keep(&track, &hash, &part.path, extension, &probed))
        });
        match kept.await {
            Ok(Ok(Ok(kept))) => Ok(kept),
            Ok(Ok(Err(error @ StoreError::Io { .. }))) => Err(Setback::Later(error.to_string())),
            Ok(Ok(Err(error))) => Err(Setback::DiskFull(error.to_string())),
            Ok(Err(problem)) => Err(Setback::Never(problem.to_string())),
            Err(error) => Err(Setback::Later(error.to_string())),
        }
    }
}

/// Whether an id is the hash of a file, which says exactly what is wanted.
fn is_hash(id: &TrackId) -> bool {
    id.as_str().len() == 64 && id.as_str().bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn unkept(error: Unkept) -> Setback {
    match error {
        Unkept::DiskFull(problem) => Setback::DiskFull(problem),
        Unkept::Failed(problem) => Setback::Later(problem),
    }
}

/// What went wrong on the way, without the address: it may hold a secret.
fn setback(error: &reqwest::Error) -> Setback {
    if error.is_builder() {
        return Setback::Never("its address is no web address".into());
    }
    if error.is_redirect() {
        let reason = std::error::Error::source(error).map_or_else(String::new, ToString::to_string);
        return Setback::Never(format!("the server redirects badly: {reason}"));
    }
    Setback::Later(
        match error {
            error if error.is_connect() => "the server cannot be reached",
            error if error.is_timeout() => "the server does not answer in time",
            _ => "the connection broke",
        }
        .into(),
    )
}
