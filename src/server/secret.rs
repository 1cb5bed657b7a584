//! The keys for tokens, from files; where nothing is configured, a secret is made once and kept in the state directory.

use super::config::Config;
use super::token::Keys;
use crate::core::signature::DeviceKey;
use crate::host;
use anyhow::{Context, Result, ensure};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Makes the state directory, for its owner alone.
///
/// # Errors
/// When it cannot be made; the text says which.
pub fn state_directory(config: &Config) -> Result<PathBuf> {
    let path = config.state();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .with_context(|| format!("the state directory {} (choose one with --state)", path.display()))?;
    Ok(path)
}

/// What to do where no key is configured and no secret has been made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The server makes one, at its first start.
    Make,
    /// Whoever only signs with it does not: the server would not know it.
    Refuse,
}

/// The keys of the configuration.
///
/// # Errors
/// When a file cannot be read or is no such key, or there is none and none is to be made.
pub fn keys(config: &Config, state: &Path, absent: Absent) -> Result<Keys> {
    let public = config
        .jwt_public_key_file
        .as_deref()
        .map(|path| std::fs::read(path).with_context(|| format!("`jwt_public_key_file` {}", path.display())));
    let public = public.transpose()?;
    let secret = match (&config.jwt_secret_file, &public) {
        (Some(path), _) => Some(read_secret(path)?),
        (None, Some(_)) => None,
        (None, None) => Some(own_secret(&state.join("jwt-secret"), absent)?),
    };
    let keys = Keys::new(secret.as_deref(), public.as_deref())?;
    Ok(keys.allow_without_convoy(config.tokens_without_convoy))
}

/// The key that signs tickets; none on an open server, which knows nobody.
///
/// # Errors
/// When a file cannot be read or is no such key.
pub fn ticket_key(config: &Config, state: &Path) -> Result<Option<DeviceKey>> {
    let own = state.join("ticket-key");
    let (path, hex) = match &config.ticket_key_file {
        _ if config.open => return Ok(None),
        Some(path) => (path, read_secret(path)?),
        None => (&own, own_secret(&own, Absent::Make)?),
    };
    let wrong = || format!("the ticket key {} must be 64 digits of hex", path.display());
    let bytes = key_bytes(&hex).with_context(wrong)?;
    Ok(Some(DeviceKey::from_secret(&bytes)?))
}

fn key_bytes(hex: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(hex).ok().filter(|text| text.len() == 64 && text.is_ascii())?;
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Whether everyone on this machine can read a file.
pub(super) fn is_open_to_all(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o004 != 0)
}

fn read_secret(path: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read(path).with_context(|| format!("the secret {}", path.display()))?;
    if is_open_to_all(path)? {
        tracing::warn!(path = %path.display(), "everyone on this machine can read the secret: chmod o-r it");
    }
    // Editors and `echo` end a file with a newline that is no part of the secret.
    Ok(text.trim_ascii().to_vec())
}

fn own_secret(path: &Path, absent: Absent) -> Result<Vec<u8>> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        _ => return read_secret(path),
    }
    ensure!(
        absent == Absent::Make,
        "there is no secret at {}: the server makes it when it first starts; name the server's own state directory \
         with --state, or its secret with --jwt-secret-file",
        path.display()
    );
    let secret = host::random_hex(32)?;
    // Written whole under another name first, so that two starts at once agree on one secret.
    let draft = path.with_extension(host::random_hex(4)?);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Ok(()) => {
            tracing::info!(path = %path.display(), "made a new secret");
            Ok(secret.into_bytes())
        }
        Err(_) => read_secret(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_for_tickets_is_made_once_and_one_that_is_none_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::default();
        let first = ticket_key(&config, directory.path()).unwrap().unwrap();
        assert_eq!(ticket_key(&config, directory.path()).unwrap(), Some(first));
        let path = directory.path().join("ticket-key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "hunter2").unwrap();
        let refused = ticket_key(&config, directory.path()).unwrap_err().to_string();
        assert!(refused.contains("ticket-key") && !refused.contains("hunter2"), "{refused}");
        assert_eq!(ticket_key(&Config { open: true, ..config }, directory.path()).unwrap(), None);
    }

    #[test]
    fn a_secret_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jwt-secret");
        let refused = own_secret(&path, Absent::Refuse).unwrap_err().to_string();
        assert!(refused.contains("--state") && !path.exists(), "{refused}");
        let first = own_secret(&path, Absent::Make).unwrap();
        assert_eq!(own_secret(&path, Absent::Refuse).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
