//! The convoy's secret, and what follows from it: a tag to be found by, proofs of knowing it, a key for each direction.

use crate::core::id::{ConvoyId, hex};
use crate::wire::lan::{Greeting, HASH_BYTES};
use blake3::{Hash, Hasher};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A shorter one could be guessed by who has heard a single proof.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: u64 = 1_024;
/// Domain of all keys (BLAKE3's key derivation).
const CONTEXT: &str = "trafficjamz 2026 convoy on a local network, version 1";
/// Digits of a tag: enough that two convoys never share one.
const TAG_DIGITS: usize = 32;

/// What the members of a convoy share. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret([u8; HASH_BYTES]);

/// Which side of a connection one is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Dialled,
    Accepted,
}

/// What a secret gives for one convoy.
#[derive(Clone)]
pub(super) struct ConvoyKey([u8; HASH_BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// As if it stood in a file.
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(blake3::derive_key(CONTEXT, secret))
    }

    /// Reads it from its file.
    ///
    /// # Errors
    /// What is wrong with the file, in words for whoever configured it.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let problem = format!("it may be read or written by others (mode {mode:o}); `chmod 600` it");
            return Err(Error::new(ErrorKind::PermissionDenied, problem));
        }
        if metadata.len() > SECRET_BYTES_MAX {
            let problem = format!("{} bytes are no secret; at most {SECRET_BYTES_MAX} are taken", metadata.len());
            return Err(Error::new(ErrorKind::InvalidData, problem));
        }
        let text = fs::read(path)?;
        // Editors and `echo` end a file with a newline that is no part of the secret.
        let secret = text.trim_ascii();
        if secret.len() < SECRET_BYTES_MIN {
            let problem = format!("it has {} bytes; a secret needs at least {SECRET_BYTES_MIN}", secret.len());
            return Err(Error::new(ErrorKind::InvalidData, problem));
        }
        Ok(Self::of(secret))
    }

    pub(super) fn of_convoy(&self, convoy: &ConvoyId) -> ConvoyKey {
        ConvoyKey(*blake3::keyed_hash(&self.0, convoy.as_str().as_bytes()).as_bytes())
    }
}

impl ConvoyKey {
    /// What the convoy's members are known by to each other, and tells others nothing.
    pub(super) fn tag(&self) -> String {
        hex(self.over(b"tag", &[]).as_bytes()).chars().take(TAG_DIGITS).collect()
    }

    /// The proof of the one on `side` that it knows the secret, for these two greetings only.
    pub(super) fn proof(&self, side: Side, dialled: &Greeting, accepted: &Greeting) -> Hash {
        self.over(side.label(b"proof of dialling", b"proof of accepting"), &[&dialled.encode(), &accepted.encode()])
    }

    /// The key of what the one on `side` says after these two greetings.
    pub(super) fn voice(&self, side: Side, dialled: &Greeting, accepted: &Greeting) -> Voice {
        let label = side.label(b"voice of dialling", b"voice of accepting");
        Voice { key: *self.over(label, &[&dialled.encode(), &accepted.encode()]).as_bytes(), count: 0 }
    }

    fn over(&self, label: &[u8], parts: &[&[u8]]) -> Hash {
        let mut hasher = Hasher::new_keyed(&self.0);
        for part in std::iter::once(&label).chain(parts) {
            hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
        }
        hasher.finalize()
    }
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Dialled => Self::Accepted,
            Self::Accepted => Self::Dialled,
        }
    }

    fn label<'a>(self, dialled: &'a [u8], accepted: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Dialled => dialled,
            Self::Accepted => accepted,
        }
    }
}

/// Vouches for the frames of one direction, each in its place.
pub(super) struct Voice {
    key: [u8; HASH_BYTES],
    count: u64,
}

impl Voice {
    /// The hash of the next frame.
    pub(super) fn next(&mut self, frame: &[u8]) -> Hash {
        let hash = Hasher::new_keyed(&self.key).update(&self.count.to_be_bytes()).update(frame).finalize();
        self.count += 1;
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::DeviceId;

    fn key(secret: &[u8], convoy: &str) -> ConvoyKey {
        Secret::of(secret).of_convoy(&ConvoyId::new(convoy).unwrap())
    }

    fn greeting(device: &str, nonce: u8) -> Greeting {
        Greeting { nonce: [nonce; 32], device: DeviceId::new(device).unwrap() }
    }

    #[test]
    fn a_tag_is_the_same_for_those_who_share_secret_and_convoy_only() {
        let tag = key(b"s", "alps").tag();
        assert_eq!((tag.len(), &tag), (TAG_DIGITS, &key(b"s", "alps").tag()));
        assert!(tag != key(b"s", "jura").tag() && tag != key(b"t", "alps").tag());
    }

    #[test]
    fn a_proof_is_good_for_one_side_of_one_meeting() {
        let (key, a, b) = (key(b"s", "alps"), greeting("a", 1), greeting("b", 2));
        let proof = key.proof(Side::Dialled, &a, &b);
        assert_eq!(proof, key.proof(Side::Dialled, &a, &b));
        for other in [
            key.proof(Side::Accepted, &a, &b),
            key.proof(Side::Dialled, &b, &a),
            key.proof(Side::Dialled, &a, &greeting("b", 3)),
            key.proof(Side::Dialled, &greeting("c", 1), &b),
        ] {
            assert_ne!(proof, other);
        }
    }

    #[test]
    fn a_frame_counts_in_its_place_only() {
        let (key, a, b) = (key(b"s", "alps"), greeting("a", 1), greeting("b", 2));
        let mut said = key.voice(Side::Dialled, &a, &b);
        let mut heard = key.voice(Side::Dialled, &a, &b);
        let (first, second) = (said.next(b"x"), said.next(b"x"));
        assert!(first != second && first == heard.next(b"x") && second != heard.next(b"y"));
        assert_ne!(key.voice(Side::Accepted, &a, &b).next(b"x"), first);
    }

    #[test]
    fn a_secret_that_others_read_or_could_guess_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let written = |text: &[u8], mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Secret::read(&path).map(|secret| secret.0)
        };
        let good = written(b"  correct horse battery \n", 0o600).unwrap();
        assert_eq!(good, blake3::derive_key(CONTEXT, b"correct horse battery"));
        assert!(written(b"correct horse battery", 0o640).unwrap_err().to_string().contains("chmod 600"));
        assert!(written(b"short\n", 0o600).unwrap_err().to_string().contains("at least 16"));
        assert!(written(&[b'a'; 2_000], 0o600).unwrap_err().to_string().contains("at most 1024"));
    }
}
