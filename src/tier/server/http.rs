//! What is asked of the server over plain HTTP: logging in, and its wall clock, since a Pi has none at boot.

use super::address::Address;
use super::token::{self, TOKEN_BYTES_MAX, Token};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest file of credentials, in bytes.
const CREDENTIALS_BYTES_MAX: usize = 4 << 10;
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why a login gave no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LoginError {
    #[error("the credentials file {path} cannot be read: {problem}")]
    Unreadable { path: String, problem: String },
    #[error("others can read the credentials file {path}; run `chmod 600 {path}`")]
    Open { path: String },
    #[error("the credentials file {path} needs two lines: the e-mail address, the password")]
    Malformed { path: String },
    #[error("the server refuses the e-mail address and password in {path}")]
    Refused { path: String },
    #[error("logging in failed: {0}")]
    Failed(String),
}

/// A client for plain requests.
#[derive(Clone)]
pub(super) struct Http(reqwest::Client);

impl Http {
    /// A client that trusts those authorities given in PEM, and the system's where it has to be `secure`.
    pub(super) fn new(authorities: &[Vec<u8>], secure: bool) -> reqwest::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .timeout(DEADLINE)
            .no_proxy()
            .tls_built_in_root_certs(secure)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none());
        for pem in authorities {
            builder = builder.add_root_certificate(reqwest::Certificate::from_pem(pem)?);
        }
        builder.build().map(Self)
    }

    /// Changes e-mail and password for a token.
    pub(super) async fn login(&self, address: &Address, path: &Path) -> Result<Token, LoginError> {
        let (email, password) = credentials(path)?;
        let body = json!({"email": email, "password": password}).to_string();
        let request = self.0.post(address.login()).header("content-type", "application/json").body(body);
        let mut response = request.send().await.map_err(|error| LoginError::Failed(story(&error)))?;
        let status = response.status();
        if matches!(status.as_u16(), 400 | 401 | 403 | 422) {
            return Err(LoginError::Refused { path: path.display().to_string() });
        }
        if !status.is_success() {
            return Err(LoginError::Failed(format!("the server answered {status}")));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| LoginError::Failed(story(&error)))? {
            if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(LoginError::Failed("the server's answer is too long".into()));
            }
            answer.extend_from_slice(&chunk);
        }
        let answer: Option<Value> = serde_json::from_slice(&answer).ok();
        let text = answer.as_ref().and_then(|a| a.get("access_token")).and_then(Value::as_str);
        text.and_then(Token::new)
            .ok_or_else(|| LoginError::Failed(format!("no `access_token` of up to {TOKEN_BYTES_MAX} bytes came")))
    }

    /// The server's wall clock, in seconds since 1970; none when it does not tell.
    pub(super) async fn time_s(&self, address: &Address) -> Option<i64> {
        let response = self.0.get(address.touch()).send().await.ok()?;
        parse_date(response.headers().get("date")?.to_str().ok()?)
    }
}

/// An error with its causes, without the address.
fn story(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_timeout() { "no answer in time".into() } else { cause.to_string() }
}

fn credentials(path: &Path) -> Result<(String, String), LoginError> {
    let name = || path.display().to_string();
    let unreadable = |error: std::io::Error| LoginError::Unreadable { path: name(), problem: error.to_string() };
    if token::is_open_to_others(path).map_err(unreadable)? {
        return Err(LoginError::Open { path: name() });
    }
    let text = token::read_bounded(path, CREDENTIALS_BYTES_MAX).map_err(unreadable)?;
    let mut lines = text.lines();
    match (lines.next().map(str::trim), lines.next().map(|line| line.trim_end_matches('\r'))) {
        (Some(email), Some(password)) if !email.is_empty() && !password.is_empty() => {
            Ok((email.into(), password.into()))
        }
        _ => Err(LoginError::Malformed { path: name() }),
    }
}

/// Reads an HTTP date (RFC 9110, 5.6.7, as every server of today writes it): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parse_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day: i64 = parts.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = parts.next().and_then(|name| MONTHS.iter().position(|m| *m == name))? as i64;
    let year: i64 = parts.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // Days since 1970 by Howard Hinnant's "days from civil", in which the year starts with March.
    let (shifted_year, shifted_month) = if month >= 2 { (year, month - 2) } else { (year - 1, month + 10) };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + day_of_year - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn http_dates_are_read() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
        ] {
            assert_eq!(parse_date(text), Some(seconds), "{text}");
        }
        for text in
            ["", "x", "Sun, 6 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 99999999999 08:49:37 GMT", "Sun, 06 Nov 1994"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn credentials_that_others_can_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        fs::write(&path, "a@example.org\npass word\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(credentials(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(credentials(&path), Ok(("a@example.org".into(), "pass word".into())));
        fs::write(&path, "only one line").unwrap();
        assert!(credentials(&path).unwrap_err().to_string().contains("two lines"));
    }
}
