//! `com.trafficjamz.HeadUnit1.Library`: the music on this car's disk, and what is on its way there.

use super::row::{FetchRow, LibraryRow};
use super::{Quiet, bounded};
use crate::api::call::Answer;
use crate::api::car::{Car, unexpected};
use crate::api::error::Error;
use crate::core::request::Query;
use zbus::interface;

/// Most tracks that one search finds.
pub(crate) const FOUND_MAX: u32 = 1_000;
/// Most problems that one call lists.
const PAGE_MAX: usize = 500;
const TEXT_BYTES_MAX: usize = 1_024;

pub(crate) struct Library {
    car: Car,
}

impl Library {
    pub(crate) fn new(car: Car) -> Self {
        Self { car }
    }
}

impl Quiet for Library {
    const QUIET: &'static [&'static str] = &["Scanned", "ScanTotal", "Fetching"];
}

#[interface(
    name = "com.trafficjamz.HeadUnit1.Library",
    proxy(
        default_service = "com.trafficjamz.HeadUnit1",
        default_path = "/com/trafficjamz/HeadUnit1",
        visibility = "pub(crate)"
    )
)]
impl Library {
    /// Indexes the music folders anew, in the background.
    async fn scan(&self) -> Result<(), Error> {
        match self.car.query(Query::LibraryScan).await? {
            Answer::Started => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Up to `limit` tracks (at most 1000) whose title, artist, album or path has all words of `text`, or whose id
    /// begins with it (8 hex digits or more): id, title, artist, album, duration_us, path.
    #[zbus(out_args("tracks"))]
    async fn search(&self, text: String, limit: u32) -> Result<Vec<LibraryRow>, Error> {
        bounded("the text to search for", &text, TEXT_BYTES_MAX)?;
        match self.car.query(Query::LibrarySearch { text, limit: limit.min(FOUND_MAX) }).await? {
            Answer::Tracks(tracks) => Ok(tracks.into_iter().take(FOUND_MAX as usize).map(LibraryRow::from).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// A page of the files that cannot be used, each with its path and the reason.
    #[zbus(out_args("total", "problems"))]
    async fn problems(&self, first: u64, count: u64) -> Result<(u64, Vec<(String, String)>), Error> {
        match self.car.query(Query::LibraryProblems).await? {
            Answer::Problems(problems) => {
                let total = problems.len() as u64;
                let first = usize::try_from(first).unwrap_or(usize::MAX);
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(PAGE_MAX);
                let page = problems.into_iter().skip(first).take(count);
                Ok((total, page.map(|problem| (problem.path, problem.problem)).collect()))
            }
            other => Err(unexpected(&other)),
        }
    }

    #[zbus(property)]
    fn track_count(&self) -> u64 {
        self.car.status().library.tracks
    }

    #[zbus(property)]
    fn problem_count(&self) -> u64 {
        self.car.status().library.problems
    }

    #[zbus(property)]
    fn scanning(&self) -> bool {
        self.car.status().library.scanning.is_some()
    }

    /// Files looked at, while a scan runs.
    #[zbus(property(emits_changed_signal = "false"))]
    fn scanned(&self) -> u64 {
        self.car.status().library.scanning.map_or(0, |(scanned, _)| scanned)
    }

    /// Files found, while a scan runs.
    #[zbus(property(emits_changed_signal = "false"))]
    fn scan_total(&self) -> u64 {
        self.car.status().library.scanning.map_or(0, |(_, total)| total)
    }

    /// Tracks on their way here: track, bytes, bytes_total (left out while unknown).
    #[zbus(property(emits_changed_signal = "false"))]
    fn fetching(&self) -> Vec<FetchRow> {
        self.car.status().library.fetching.iter().map(FetchRow::from).collect()
    }
}
