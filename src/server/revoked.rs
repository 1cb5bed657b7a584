//! Who was put out of which convoy: a file beside the state, to which the command line appends and which a running
//! server looks at again and again.

use super::storage;
use crate::core::id::{ConvoyId, UserId};
use crate::core::ticket::{Ruling, Rulings};
use crate::host;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What was ruled in each convoy.
pub type Revoked = BTreeMap<ConvoyId, Rulings>;

/// Longest file that is read, in bytes: tens of thousands of lines.
const FILE_BYTES_MAX: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
struct Line {
    convoy: ConvoyId,
    user: UserId,
    #[serde(flatten)]
    ruling: Ruling,
}

/// Notes that a user is put out of a convoy, or may come back.
///
/// # Errors
/// When there is no such state, or it cannot be written.
pub fn note(state: &Path, convoy: &ConvoyId, user: &UserId, out: bool) -> Result<()> {
    ensure!(
        state.join(storage::FILE).exists(),
        "no server has run with the state directory {}: name the server's own with --state",
        state.display()
    );
    let ruling = Ruling { at_unix_us: host::wall_clock().unix_us.unsigned_abs(), out };
    let mut line = serde_json::to_string(&Line { convoy: convoy.clone(), user: user.clone(), ruling })?;
    line.push('\n');
    let path = file(state);
    let opened = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    let mut file = opened.with_context(|| path.display().to_string())?;
    // Root may note it for a server that runs as somebody else.
    let owner = std::fs::metadata(state)?;
    if file.metadata()?.uid() != owner.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid())).with_context(|| path.display().to_string())?;
    }
    let bytes = file.metadata()?.len() + line.len() as u64;
    ensure!(bytes <= FILE_BYTES_MAX, "{} is full: remove lines that are over", path.display());
    file.write_all(line.as_bytes())?;
    Ok(file.sync_all()?)
}

fn file(state: &Path) -> PathBuf {
    state.join("revoked.jsonl")
}

/// The file, as a server reads it.
#[derive(Debug)]
pub struct Watch {
    state: PathBuf,
    /// Its length and age, as it was last read.
    seen: Option<(u64, SystemTime)>,
}

impl Watch {
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), seen: None }
    }

    /// What is noted, if that is another than when it was last asked for. A line that is none is told in the log.
    pub fn news(&mut self) -> Option<Revoked> {
        let path = file(&self.state);
        let seen = std::fs::metadata(&path).and_then(|file| Ok((file.len(), file.modified()?)));
        let seen = seen.inspect_err(|error| complain(&path, error)).ok();
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        read(&path).inspect_err(|error| complain(&path, error)).ok()
    }
}

fn complain(path: &Path, error: &std::io::Error) {
    if error.kind() != ErrorKind::NotFound {
        tracing::error!(path = %path.display(), %error, "who is put out cannot be read");
    }
}

fn read(path: &Path) -> std::io::Result<Revoked> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let mut revoked = Revoked::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(Line { convoy, user, ruling }) => {
                revoked.entry(convoy).or_default().take(&user, ruling);
            }
            Err(error) => tracing::error!(path = %path.display(), line = number + 1, %error, "this line is skipped"),
        }
    }
    Ok(revoked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_news_once_and_the_last_about_a_user_counts() {
        let directory = tempfile::tempdir().unwrap();
        let (state, convoy) = (directory.path(), ConvoyId::new("alps").unwrap());
        let [ann, ben] = ["ann", "ben"].map(|user| UserId::new(user).unwrap());
        assert!(note(state, &convoy, &ann, true).unwrap_err().to_string().contains("--state"));
        let mut watch = Watch::new(state);
        assert_eq!(watch.news(), None);
        std::fs::write(state.join(storage::FILE), "").unwrap();
        for (user, out) in [(&ann, true), (&ben, true), (&ann, false)] {
            note(state, &convoy, user, out).unwrap();
            std::thread::sleep(std::time::Duration::from_micros(10));
        }
        let revoked = watch.news().unwrap();
        assert_eq!(revoked[&convoy].out().map(|(user, _)| user).collect::<Vec<_>>(), [&ben]);
        assert_eq!(watch.news(), None);
        let mut file = std::fs::OpenOptions::new().append(true).open(file(state)).unwrap();
        file.write_all(b"nonsense\n").unwrap();
        note(state, &convoy, &ben, false).unwrap();
        assert_eq!(watch.news().unwrap()[&convoy].out().count(), 0, "one bad line spoils no other");
    }
}
