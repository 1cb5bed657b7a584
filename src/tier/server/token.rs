//! The token (a JWT): read from its file, written back when it was refreshed, never shown.

use crate::core::id::UserId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Longest token, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 16 << 10;
/// A token that does not say when it was issued is taken to be good for a day.
const LIFETIME_DEFAULT_S: i64 = 86_400;

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the token file {path} cannot be read: {problem}")]
    Unreadable { path: String, problem: String },
    #[error("the token file {path} holds no token; put one line there, as the server issued it")]
    Malformed { path: String },
}

/// A token, and what it says of itself. It is not verified here: only the server's verdict counts.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token {
    text: String,
    /// When it was issued and when it ends, in seconds since 1970.
    issued_s: Option<i64>,
    ends_s: Option<i64>,
    user: Option<UserId>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("ends_s", &self.ends_s).finish_non_exhaustive()
    }
}

impl Token {
    /// None when the text cannot be a token. One that is no JWT is taken too: its meaning is the server's business.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let claims = claims(text).unwrap_or_default();
        let seconds = |key: &str| claims.get(key).and_then(Value::as_f64).filter(|s| s.abs() < 1e12).map(|s| s as i64);
        let user = ["sub", "userId", "user_id", "id"].iter().find_map(|key| claims.get(*key).and_then(Value::as_str));
        Some(Self {
            text: text.into(),
            issued_s: seconds("iat"),
            ends_s: seconds("exp"),
            user: user.and_then(|user| UserId::new(user).ok()),
        })
    }

    /// The secret itself.
    pub(super) fn secret(&self) -> &str {
        &self.text
    }

    pub(super) fn user(&self) -> Option<UserId> {
        self.user.clone()
    }

    /// Seconds from `now_s`, by the server's wall clock, until less than a third of the lifetime remains.
    /// None when it never ends.
    pub(super) fn refresh_in_s(&self, now_s: i64) -> Option<i64> {
        let ends_s = self.ends_s?;
        let lifetime_s = ends_s.saturating_sub(self.issued_s.unwrap_or(ends_s - LIFETIME_DEFAULT_S)).max(0);
        Some(ends_s.saturating_sub(lifetime_s / 3).saturating_sub(now_s).max(0))
    }

    pub(super) fn ends(&self) -> bool {
        self.ends_s.is_some()
    }
}

fn claims(text: &str) -> Option<serde_json::Map<String, Value>> {
    let mut parts = text.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

/// Reads a token from its file.
pub(super) fn read(path: &Path) -> Result<Token, TokenError> {
    let text = read_bounded(path, TOKEN_BYTES_MAX)
        .map_err(|error| TokenError::Unreadable { path: path.display().to_string(), problem: error.to_string() })?;
    Token::new(&text).ok_or_else(|| TokenError::Malformed { path: path.display().to_string() })
}

/// Reads a short text file.
pub(super) fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_string(&mut text)?;
    if text.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {bytes_max} bytes")));
    }
    Ok(text)
}

/// Whether others than the owner may read a file.
pub(super) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Puts a token into its file, so that either the old or the new one stands there whole, for its owner only.
pub(super) fn write(path: &Path, token: &Token) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let fresh = folder.join(format!(".{}.new", name.to_string_lossy()));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(token.text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_refreshed_when_a_third_of_its_life_is_left() {
        let token = Token::new(&jwt(r#"{"iat":1000,"exp":4000,"sub":"ann"}"#)).unwrap();
        assert_eq!(token.refresh_in_s(1_000), Some(2_000));
        assert_eq!(token.refresh_in_s(3_500), Some(0));
        assert_eq!(token.user(), UserId::new("ann").ok());
        let endless = Token::new(&jwt("{}")).unwrap();
        assert_eq!((endless.refresh_in_s(0), endless.ends()), (None, false));
    }

    #[test]
    fn hostile_claims_and_texts_do_no_harm() {
        let wide = Token::new(&jwt(r#"{"iat":-1e300,"exp":9223372036854775807,"sub":"a\nb"}"#)).unwrap();
        assert_eq!((wide.refresh_in_s(0), wide.user()), (None, None));
        assert!(Token::new("opaque-token").unwrap().refresh_in_s(0).is_none());
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        for text in ["", " \n", "two words", "né", &long] {
            assert!(Token::new(text).is_none());
        }
        assert!(Token::new("a.b.c").unwrap().user().is_none());
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new("top-secret").unwrap();
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn a_written_token_is_read_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "old").unwrap();
        let token = Token::new(&jwt(r#"{"exp":5}"#)).unwrap();
        write(&path, &token).unwrap();
        write(&path, &token).unwrap();
        assert_eq!(read(&path), Ok(token));
        assert!(!is_open_to_others(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_or_empty_token_file_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read(&path).unwrap_err().to_string().contains("cannot be read"));
        fs::write(&path, "\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("put one line there"));
    }
}
