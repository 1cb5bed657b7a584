//! Music files that ended the daemon by what they did to a decoder: noted as it happens, and not played a third time.
//!
//! A panic ends the whole daemon, so that no part of it is ever missing; it would play the same file once more when it
//! is back, and end again.

use crate::audio::decode::under_way;
use std::collections::BTreeMap;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const FILE: &str = "crashes";
/// Of the notes, in bytes; what comes on top is not noted.
const NOTES_BYTES_MAX: u64 = 64 << 10;
/// So often a file may end the daemon.
const CRASHES_MAX: u32 = 2;

/// From here on, a panic in a decoder's thread is noted in the state folder before it ends the daemon.
pub(super) fn watch(state: &Path) {
    let notes = state.join(FILE);
    let next = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        next(panic);
        if let Some(path) = under_way::path() {
            // On a full disk the daemon ends all the same, and tries once more.
            let _ = note(&notes, Path::new(&path));
        }
    }));
}

/// The files that have ended the daemon too often, and are still as they were then.
pub(super) fn culprits(state: &Path) -> Vec<PathBuf> {
    let mut text = String::new();
    let read =
        std::fs::File::open(state.join(FILE)).and_then(|file| file.take(2 * NOTES_BYTES_MAX).read_to_string(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    let mut crashes: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines() {
        *crashes.entry(line).or_default() += 1;
    }
    let often = crashes.into_iter().filter(|(_, count)| *count >= CRASHES_MAX).map(|(line, _)| line);
    let path = |line: &str| line.splitn(3, ' ').nth(2).map(PathBuf::from);
    often.filter_map(|line| path(line).filter(|path| entry(path).is_ok_and(|now| now == line))).collect()
}

fn note(notes: &Path, path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(notes)?;
    if file.metadata()?.len() < NOTES_BYTES_MAX {
        writeln!(file, "{}", entry(path)?)?;
    }
    Ok(())
}

/// A line: the file's size, its time, and its path.
fn entry(path: &Path) -> io::Result<String> {
    let metadata: Metadata = std::fs::metadata(path)?;
    let text = path.to_str().filter(|text| !text.contains('\n')).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(format!("{} {}.{:09} {text}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_culprit_after_its_second_crash_and_no_more_once_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (notes, music) = (folder.path().join(FILE), folder.path().join("a song.mp3"));
        assert_eq!(culprits(folder.path()), Vec::<PathBuf>::new());
        std::fs::write(&music, "x").unwrap();
        note(&notes, &music).unwrap();
        assert_eq!(culprits(folder.path()), Vec::<PathBuf>::new());
        note(&notes, &music).unwrap();
        assert_eq!(culprits(folder.path()), vec![music.clone()]);
        std::fs::write(&music, "another").unwrap();
        assert_eq!(culprits(folder.path()), Vec::<PathBuf>::new());
    }
}
