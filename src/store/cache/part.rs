//! A file that is being fetched: what is there of it, and its hash so far.

use super::kind::HEAD_BYTES;
use crate::store::error::io_sentence;
use std::io::{ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

const CHUNK_BYTES: usize = 64 << 10;

pub(super) struct Part {
    pub path: PathBuf,
    pub bytes: u64,
    file: File,
    hasher: blake3::Hasher,
    head: Vec<u8>,
}

/// Why bytes were not kept.
#[derive(Debug)]
pub(super) enum Unkept {
    DiskFull(String),
    Failed(String),
}

impl Part {
    /// Opens what is there, or begins; only the owner may read it.
    pub(super) async fn open(path: &Path) -> Result<Self, Unkept> {
        let failed = |error: std::io::Error| Unkept::of(&error, path);
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).await.map_err(failed)?;
        let mut part = Self { path: path.to_owned(), bytes: 0, file, hasher: blake3::Hasher::new(), head: Vec::new() };
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = part.file.read(&mut chunk).await.map_err(failed)?;
            let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { return Ok(part) };
            part.take_in(read);
        }
    }

    /// Adds what follows; readers of the file see it at once.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), Unkept> {
        let written = async {
            self.file.write_all(bytes).await?;
            self.file.flush().await
        };
        match written.await {
            Ok(()) => {
                self.take_in(bytes);
                Ok(())
            }
            Err(error) => {
                // What was written of it is not counted, and must not be there when the rest comes.
                let cut = async {
                    self.file.set_len(self.bytes).await?;
                    self.file.seek(SeekFrom::Start(self.bytes)).await
                };
                if let Err(error) = cut.await {
                    return Err(Unkept::of(&error, &self.path));
                }
                Err(Unkept::of(&error, &self.path))
            }
        }
    }

    /// Makes sure that it is on the disk.
    pub(super) async fn sync(&self) -> Result<(), Unkept> {
        self.file.sync_data().await.map_err(|error| Unkept::of(&error, &self.path))
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        self.hasher.finalize()
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend(bytes.iter().take(wanted));
    }
}

impl Unkept {
    fn of(error: &std::io::Error, path: &Path) -> Self {
        let problem = io_sentence(error, path);
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(problem),
            _ => Self::Failed(problem),
        }
    }
}
