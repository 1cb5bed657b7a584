//! What a server is told: a TOML file, and flags that go before it.

use super::secret::is_open_to_all;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration file; every key has a default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: String,
    /// Directory for state; made if it is not there.
    pub state: Option<PathBuf>,
    /// Secret for HS256 tokens; made in the state directory if no key is configured at all.
    pub jwt_secret_file: Option<PathBuf>,
    /// Ed25519 public key (PEM) for EdDSA tokens.
    pub jwt_public_key_file: Option<PathBuf>,
    /// Key that signs the members' tickets, in hex; made in the state directory if there is none.
    pub ticket_key_file: Option<PathBuf>,
    /// A token that names no convoy opens every one.
    pub tokens_without_convoy: bool,
    /// Days that an issued token is good for, if it does not say otherwise.
    pub token_days: u32,
    /// Anyone may join any convoy.
    pub open: bool,
    /// Today's phones may come without a token, as whom they say they are.
    pub phones_without_token: bool,
    /// Redis or Valkey, when several instances serve the same convoys.
    pub redis: Option<String>,
    /// Level or `tracing` filter of the log.
    pub log: String,
    /// A client that answers no ping for `ping_timeout_s` is gone.
    pub ping_interval_s: u32,
    pub ping_timeout_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:7747".into(),
            state: None,
            jwt_secret_file: None,
            jwt_public_key_file: None,
            ticket_key_file: None,
            tokens_without_convoy: false,
            token_days: 30,
            open: false,
            phones_without_token: false,
            redis: None,
            log: "info".into(),
            ping_interval_s: 10,
            ping_timeout_s: 20,
        }
    }
}

/// Why a configuration is not usable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Invalid { path: PathBuf, source: toml::de::Error },
    #[error("`{key}` must be {allowed}")]
    Value { key: &'static str, allowed: &'static str },
    #[error("`open` lets anyone in, so the keys for tokens would mean nothing: remove `open`, or the keys")]
    OpenWithKeys,
    #[error("`--redis` shows the password to everyone on this machine: write the address into the configuration file")]
    PasswordShown,
    #[error("everyone on this machine can read the password in {}: chmod o-r it", path.display())]
    PasswordOpen { path: PathBuf },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] with the line and what is wrong there.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let config: Self =
            toml::from_str(&text).map_err(|source| ConfigError::Invalid { path: path.into(), source })?;
        if config.redis.as_deref().is_some_and(has_password) && is_open_to_all(path).map_err(unreadable)? {
            return Err(ConfigError::PasswordOpen { path: path.into() });
        }
        Ok(config)
    }

    /// # Errors
    /// [`ConfigError`] when values are out of bounds or contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(1..=3_650).contains(&self.token_days) {
            return Err(ConfigError::Value { key: "token_days", allowed: "from 1 to 3650" });
        }
        if !(1..=300).contains(&self.ping_interval_s) || !(1..=300).contains(&self.ping_timeout_s) {
            return Err(ConfigError::Value { key: "ping_interval_s and ping_timeout_s", allowed: "from 1 to 300" });
        }
        if self.open && (self.jwt_secret_file.is_some() || self.jwt_public_key_file.is_some()) {
            return Err(ConfigError::OpenWithKeys);
        }
        Ok(())
    }

    /// Where state is kept: as configured, as systemd says, or in the user's own state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.state
            .clone()
            .or_else(|| variable("STATE_DIRECTORY"))
            .or_else(|| variable("XDG_STATE_HOME").map(|home| home.join("jamz-server")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/state/jamz-server")))
            .unwrap_or_else(|| PathBuf::from("/var/lib/jamz-server"))
    }

    #[must_use]
    pub fn ping_interval(&self) -> Duration {
        Duration::from_secs(self.ping_interval_s.into())
    }

    #[must_use]
    pub fn ping_timeout(&self) -> Duration {
        Duration::from_secs(self.ping_timeout_s.into())
    }

    #[must_use]
    pub fn token_s(&self) -> u64 {
        u64::from(self.token_days) * 86_400
    }
}

/// Whether an address names a user or a password.
pub fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().is_some_and(|host| host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_shipped_file_says_the_defaults() {
        let shipped = Config::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/jamz-server.toml"))).unwrap();
        assert_eq!(shipped, Config::default());
        shipped.check().unwrap();
    }

    #[test]
    fn a_file_with_a_password_that_everyone_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.toml");
        for (address, others_may_read) in
            [("redis://host/1", true), ("rediss://ann:pw@host", false), ("redis://:pw@h/", false)]
        {
            std::fs::write(&path, format!("redis = {address:?}\n")).unwrap();
            for mode in [0o640, 0o644] {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
                let read = Config::read(&path);
                assert_eq!(read.is_ok(), mode == 0o640 || others_may_read, "{address} {mode:o}: {read:?}");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.toml");
        std::fs::write(&path, "listen = \"[::1]:1\"\nlisten_on = 7\n").unwrap();
        let error = Config::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("listen_on") && error.contains("phones_without_token"),
            "{error}"
        );
    }

    #[test]
    fn values_out_of_bounds_and_contradictions_are_named() {
        let bad = Config { token_days: 0, ..Config::default() };
        assert!(bad.check().unwrap_err().to_string().contains("token_days"));
        let bad = Config { open: true, jwt_secret_file: Some("x".into()), ..Config::default() };
        assert!(matches!(bad.check(), Err(ConfigError::OpenWithKeys)));
    }
}
