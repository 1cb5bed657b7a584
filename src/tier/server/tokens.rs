//! Which token to show: the one in the file, or a fresh one for e-mail and password; and what to tell the driver when
//! it is refused.

use super::dial::{Dialer, words};
use super::token::{self, Token};
use std::path::PathBuf;

/// Keeps the token of one server.
pub(super) struct Tokens {
    token_file: Option<PathBuf>,
    credentials_file: Option<PathBuf>,
    /// Where it cannot be written to its file, or there is none.
    kept: Option<Token>,
    /// Not to be shown again, if there is a way to another one.
    refused: Option<Token>,
    /// What the server has seen last.
    shown: Option<Token>,
    /// Why the file gives no token; told once.
    problem: Option<String>,
}

impl Tokens {
    pub(super) fn new(token_file: Option<PathBuf>, credentials_file: Option<PathBuf>) -> Self {
        Self { token_file, credentials_file, kept: None, refused: None, shown: None, problem: None }
    }

    /// The token to show now; none when there is none, which today's backend allows.
    ///
    /// # Errors
    /// Why logging in failed, when there was no other way.
    pub(super) async fn obtain(&mut self, dialer: &Dialer) -> Result<Option<Token>, String> {
        let found = self.read().or_else(|| self.kept.clone());
        let token = match found {
            Some(token) if self.credentials_file.is_none() || self.refused.as_ref() != Some(&token) => Some(token),
            found => self.log_in(dialer).await?.or(found),
        };
        self.shown.clone_from(&token);
        Ok(token)
    }

    /// Whether the file holds another token than the server has seen.
    pub(super) fn has_another(&mut self) -> bool {
        self.read().is_some_and(|token| self.shown.as_ref() != Some(&token))
    }

    /// A token in exchange for e-mail and password; none when there are none.
    pub(super) async fn log_in(&mut self, dialer: &Dialer) -> Result<Option<Token>, String> {
        let Some(credentials) = &self.credentials_file else { return Ok(None) };
        let token = dialer.http.login(&dialer.address, credentials).await.map_err(|error| error.to_string())?;
        tracing::info!("logged in to the server");
        self.keep(token.clone());
        Ok(Some(token))
    }

    /// Takes a fresh token in, and writes it to its file.
    pub(super) fn keep(&mut self, token: Token) {
        if let Some(path) = &self.token_file
            && let Err(error) = token::write(path, &token)
        {
            tracing::warn!(
                path = %path.display(), %error,
                "the fresh token could not be written; it is good until this daemon ends"
            );
        }
        self.refused = None;
        self.shown = Some(token.clone());
        self.kept = Some(token);
    }

    /// The server will not have this token; tells the driver what to do.
    pub(super) fn refuse(&mut self, token: Option<&Token>, said: &str) -> String {
        let said = token.map_or_else(|| said.into(), |token| said.replace(token.secret(), "..."));
        let said = words(&said);
        let todo = match &self.token_file {
            Some(path) => format!("put a fresh one into {}", path.display()),
            None => "set `token_file` under [server]".into(),
        };
        let Some(token) = token else {
            let problem = self.problem.as_deref().map(|problem| format!("; {problem}")).unwrap_or_default();
            return format!("the server wants a token (it says {said:?}); {todo}{problem}");
        };
        self.refused = Some(token.clone());
        if self.kept.as_ref() == Some(token) {
            self.kept = None;
        }
        if said.to_lowercase().contains("expired") {
            format!("the token has expired; {todo}")
        } else {
            format!("the server refuses the token (it says {said:?}); {todo}")
        }
    }

    /// The token in the file, if it is a usable one.
    fn read(&mut self) -> Option<Token> {
        let path = self.token_file.as_deref()?;
        let problem = match token::read(path) {
            Ok(token) => {
                if self.problem.take().is_some() {
                    tracing::info!(path = %path.display(), "the token file is readable again");
                }
                return Some(token);
            }
            Err(error) => error.to_string(),
        };
        // A car that logs in writes the file itself; its absence is then no problem.
        if self.credentials_file.is_none() && self.problem.as_ref() != Some(&problem) {
            tracing::warn!("{problem}");
        }
        self.problem = Some(problem);
        None
    }
}
