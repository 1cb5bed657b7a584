//! Who this car is: its secret key, made at the first start and kept in the state folder for its owner alone.

use crate::core::changes::{Change, ChangeId, Verdict};
use crate::core::id::{ConvoyId, hex};
use crate::core::signature::DeviceKey;
use crate::host;
use crate::store::{Loaded, Store, Write};
use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// In the state folder: 64 hex digits and a newline.
const FILE: &str = "device.key";
/// Longer than any such file.
const FILE_BYTES_MAX: u64 = 256;
const SECRET_BYTES: usize = 32;

/// Why this car's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("{}: {source}; check its owner and mode", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is damaged: it must hold 64 hex digits. Put it back from a copy; or move it away, and this car is a \
        new device to its convoy", path.display())]
    Damaged { path: PathBuf },
    #[error("{} may be read or written by others (mode {mode:o}): `chmod 600` it", path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("the kernel gives no randomness: {0}")]
    Chance(io::Error),
}

/// This car's key, and whether it was made just now.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) key: DeviceKey,
    made: bool,
}

/// Reads the key in the state folder, or makes one.
///
/// # Errors
/// [`IdentityError`] in words for the driver. A key that cannot be read is never replaced.
pub(super) fn open(folder: &Path) -> Result<Opened, IdentityError> {
    let path = folder.join(FILE);
    let failed = |source| IdentityError::Io { path: path.clone(), source };
    let made = match fs::symlink_metadata(&path) {
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret: [u8; SECRET_BYTES] = host::random().map_err(IdentityError::Chance)?;
            make(folder, &path, &secret).map_err(failed)?;
            true
        }
        Err(error) => return Err(failed(error)),
    };
    Ok(Opened { key: read(&path)?, made })
}

/// Written whole under another name first: a power cut leaves the key or none, never half of one.
fn make(folder: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut text = hex(secret);
    text.push('\n');
    let draft = path.with_extension("key.new");
    if draft.exists() {
        fs::remove_file(&draft)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

fn read(path: &Path) -> Result<DeviceKey, IdentityError> {
    let failed = |source| IdentityError::Io { path: path.to_owned(), source };
    let damaged = || IdentityError::Damaged { path: path.to_owned() };
    let metadata = fs::metadata(path).map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Open { path: path.to_owned(), mode });
    }
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(damaged());
    }
    let text = fs::read(path).map_err(failed)?;
    let secret = secret_of(text.trim_ascii()).ok_or_else(damaged)?;
    DeviceKey::from_secret(&secret).map_err(|_| damaged())
}

fn secret_of(hex: &[u8]) -> Option<[u8; SECRET_BYTES]> {
    let hex = std::str::from_utf8(hex).ok().filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let mut secret = [0; SECRET_BYTES];
    if hex.len() != 2 * SECRET_BYTES {
        return None;
    }
    for (i, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(secret)
}

/// Makes the journal this device's: what an earlier version, which had a random name in place of a key, did and told
/// no authority, is made again under this car's key.
///
/// # Errors
/// When the journal takes nothing.
pub(super) fn adopt(store: &Store, loaded: &mut Loaded, opened: &Opened, convoy: Option<&ConvoyId>) -> Result<()> {
    let key = &opened.key;
    let lost_count = loaded.set_aside.is_some() || (loaded.device.is_none() && !opened.made);
    let former = loaded.device.replace(key.device().clone()).filter(|former| former != key.device());
    if former.is_some() {
        loaded.sequence = 0;
    }
    if lost_count {
        // Numbers that the convoy knows must not come again, and nobody makes a change a second.
        let unix_s = host::wall_clock().unix_us / 1_000_000;
        loaded.sequence = loaded.sequence.max(unix_s.unsigned_abs());
    }
    keep(store, Write::Device(key.device().clone()))?;
    let convoy = loaded.saved.as_ref().and_then(|saved| saved.convoy.clone()).or_else(|| convoy.cloned());
    for change in &mut loaded.pending {
        if change.id.device != *key.device() {
            loaded.sequence += 1;
            let id = ChangeId { device: key.device().clone(), sequence: loaded.sequence };
            let again = made_again(change, id, key, convoy.as_ref());
            keep(store, Write::Own(Box::new(again.clone())))?;
            let reason = "it was made again under this car's key".to_owned();
            let before = std::mem::replace(change, again);
            keep(store, Write::Settle { change: before.id, verdict: Verdict::Superseded { reason } })?;
        }
    }
    if let Some(saved) = &mut loaded.saved {
        saved.sequence = if former.is_some() { loaded.sequence } else { saved.sequence.max(loaded.sequence) };
        if former.is_some() && saved.snapshot.controller == former {
            saved.snapshot.controller = Some(key.device().clone());
        }
    }
    Ok(())
}

fn made_again(change: &Change, id: ChangeId, key: &DeviceKey, convoy: Option<&ConvoyId>) -> Change {
    let mut again = Change { id, signature: None, ..change.clone() };
    if let Some(convoy) = convoy {
        key.sign_change(&mut again, convoy);
    }
    again
}

fn keep(store: &Store, write: Write) -> Result<()> {
    store.send(write).ok().context("the journal takes nothing: start again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::{Action, Hlc};
    use crate::core::clock::ConvoyTime;
    use crate::core::convoy::Snapshot;
    use crate::core::election::Term;
    use crate::core::id::DeviceId;
    use crate::core::io::Saved;
    use crate::core::signature::check_change;
    use crate::host::MonotonicClock;
    use crate::store::Hooks;
    use std::sync::Arc;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap();
        let again = open(folder.path()).unwrap();
        assert!(first.made && !again.made && first.key == again.key);
        assert_eq!(mode(&folder.path().join(FILE)), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(first.key.device().as_str().len(), 64);
    }

    #[test]
    fn a_draft_that_a_power_cut_left_does_not_stand_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("device.key.new"), "0123").unwrap();
        assert!(open(folder.path()).unwrap().made);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_is_damaged_or_open_to_others_is_refused_with_what_to_do_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let long = "a".repeat(1 << 20);
        for text in ["", "0123", &"g".repeat(64), &"+".repeat(64), &long] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let said = open(folder.path()).unwrap_err().to_string();
            assert!(said.contains("device.key is damaged") && said.contains("move it away"), "{said}");
            assert_eq!(fs::read_to_string(&path).unwrap(), *text);
        }
        fs::write(&path, "ab".repeat(32)).unwrap();
        assert!(open(folder.path()).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let said = open(folder.path()).unwrap_err().to_string();
        assert!(said.contains("mode 640") && said.contains("chmod 600"), "{said}");
    }

    fn journal(folder: &Path) -> (Store, Loaded) {
        let answer = Box::new(|_| ());
        let hooks = Hooks { clock: Arc::new(MonotonicClock), unix_s: Box::new(|| 0), answer };
        Store::open(folder, hooks).unwrap()
    }

    fn named(name: &str, sequence: u64) -> Change {
        Change {
            id: ChangeId { device: DeviceId::new(name).unwrap(), sequence },
            hlc: Hlc { time_us: 5, count: 0 },
            term: Term(1),
            user: None,
            action: Action::TakeControl,
            signature: None,
        }
    }

    fn led_by(name: &str, convoy: &ConvoyId, sequence: u64) -> Saved {
        Saved {
            convoy: Some(convoy.clone()),
            snapshot: Snapshot { controller: DeviceId::new(name).ok(), ..Snapshot::default() },
            clock: None,
            at: ConvoyTime(0),
            sequence,
            attempt: 0,
            tickets: crate::core::ticket::Tickets::default(),
            passed_unix_us: 0,
            known_as: None,
            delays_us: std::collections::BTreeMap::default(),
            volume: 1.0,
        }
    }

    #[test]
    fn what_a_version_without_keys_left_pending_is_made_again_once_and_signed() {
        let folder = tempfile::tempdir().unwrap();
        let convoy = ConvoyId::new("alps").unwrap();
        let (store, _) = journal(folder.path());
        store.send(Write::Device(DeviceId::new("random").unwrap())).unwrap();
        store.send(Write::Own(Box::new(named("random", 41)))).unwrap();
        store.send(Write::Own(Box::new(named("random", 42)))).unwrap();
        store.send(Write::Remember(Box::new(led_by("random", &convoy, 42)), None)).unwrap();
        drop(store);

        let (store, mut loaded) = journal(folder.path());
        let opened = open(folder.path()).unwrap();
        adopt(&store, &mut loaded, &opened, None).unwrap();
        drop(store);
        let me = opened.key.device();
        let sequences = |loaded: &Loaded| loaded.pending.iter().map(|c| c.id.sequence).collect::<Vec<_>>();
        assert_eq!((sequences(&loaded), loaded.sequence), (vec![1, 2], 2));
        assert!(loaded.pending.iter().all(|change| check_change(change, &convoy).is_ok()));
        let saved = loaded.saved.unwrap();
        assert_eq!((saved.snapshot.controller.as_ref(), saved.sequence), (Some(me), 2));

        let (store, mut again) = journal(folder.path());
        assert_eq!((again.device.as_ref(), &again.pending), (Some(me), &loaded.pending));
        adopt(&store, &mut again, &opened, None).unwrap();
        assert_eq!(sequences(&again), [1, 2]);
    }

    #[test]
    fn a_car_that_lost_its_journal_counts_on_from_where_it_has_never_been() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Opened { made: false, ..open(folder.path()).unwrap() };
        let (store, mut loaded) = journal(folder.path());
        adopt(&store, &mut loaded, &opened, None).unwrap();
        assert!(loaded.sequence > 1_000_000_000);
    }
}
