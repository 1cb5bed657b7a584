//! What tier 1 is told: where the server is, and what to show it.

use super::address::{Address, AddressError};
use super::token;
use crate::core::id::{IdError, UserId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the server is, and what to show it. All is optional: a car without a server is a whole car.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `https://host[:port][/path]`, or `http://` on a network that is trusted.
    pub url: Option<String>,
    /// Holds the token (a JWT) in one line. Read at every attempt to connect; a fresh token is written back.
    pub token_file: Option<PathBuf>,
    /// E-mail and password in two lines, to log in with when the token is refused. Nobody else may read it (mode 0600).
    pub credentials_file: Option<PathBuf>,
    /// The way there is over a satellite, whatever it looks like.
    pub satellite: bool,
    /// Certificates (PEM) of an authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The user's id, where the token does not say it.
    pub user: Option<String>,
}

/// Why tier 1 cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TierError {
    #[error("no server is configured; set `url` under [server]")]
    NoUrl,
    #[error("`url` under [server]: {0}")]
    Url(#[from] AddressError),
    #[error("`user` under [server]: {0}; give the id that the server knows the user by, or leave it out")]
    User(#[from] IdError),
    #[error("`ca_file` under [server]: {path}: {problem}")]
    Ca { path: String, problem: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl Config {
    /// Checks all that can be checked without a network.
    ///
    /// # Errors
    /// [`TierError`] naming the key that is wrong, and what to do. A configuration without a server is right.
    pub fn check(&self) -> Result<(), TierError> {
        if let Some(url) = &self.url {
            Address::parse(url)?;
        }
        if let Some(user) = &self.user {
            UserId::new(user.as_str())?;
        }
        Ok(())
    }

    /// Who this car's user is: as configured, or as the token says. None when neither tells.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        let configured = self.user.clone().and_then(|user| UserId::new(user).ok());
        configured.or_else(|| token::read(self.token_file.as_deref()?).ok()?.user())
    }

    pub(super) fn address(&self) -> Result<Address, TierError> {
        Ok(Address::parse(self.url.as_deref().ok_or(TierError::NoUrl)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_checked_before_anything_is_started() {
        assert!(Config::default().check().is_ok());
        let wrong = Config { url: Some("gopher://x".into()), ..Config::default() };
        assert!(wrong.check().unwrap_err().to_string().starts_with("`url` under [server]:"));
        for user in ["", "ann\n", &"x".repeat(10_000)] {
            let wrong = Config { user: Some(user.into()), ..Config::default() };
            assert!(wrong.check().unwrap_err().to_string().starts_with("`user` under [server]:"), "{user}");
        }
        assert!(
            toml::from_str::<Config>("uri = \"http://x\"").unwrap_err().to_string().contains("unknown field `uri`")
        );
    }

    #[test]
    fn the_user_is_the_configured_one_or_the_tokens() {
        let named = Config { user: Some("ann".into()), ..Config::default() };
        assert_eq!(named.user_id(), UserId::new("ann").ok());
        assert_eq!(Config::default().user_id(), None);
    }
}
