//! The keys for tokens, from files; where nothing is configured, a secret is made once and kept in the state directory.

use super::config::Config;
use super::token::Keys;
use crate::host;
use anyhow::{Context, Result, ensure};
use std::io::{ErrorKind, Write};
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

fn read_secret(path: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read(path).with_context(|| format!("the secret {}", path.display()))?;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o004 != 0 {
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
            tracing::info!(path = %path.display(), "made a new secret for tokens; `jamz-server token` issues them");
            Ok(secret.into_bytes())
        }
        Err(_) => read_secret(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
